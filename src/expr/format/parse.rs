//! The text of a format, read.
//!
//! Bytes in, pieces out. Words, quotes and escapes of the configuration line are undone before.

use thiserror::Error;

use super::{Flags, Format, Piece, Variable};
use crate::expr::{Context, Expr, ExprError};

/// Why a format cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// It ends behind `%` or within `%{…`.
    #[error("it ends where a variable is to follow: write '%%' for a percent sign")]
    Truncated,
    /// A blank or a digit behind `%`.
    #[error("'%' is followed by '{}' and not by a variable: write '%%' for a percent sign", .byte.escape_ascii())]
    NoName {
        /// What follows.
        byte: u8,
    },
    /// `%{…}` and nothing that it could be about.
    #[error("'%{{{flags}}}' is not followed by a variable")]
    FlagsAlone {
        /// What stands between the braces.
        flags: String,
    },
    /// No variable of that name.
    #[error("there is no variable '%{name}': write '%%' for a percent sign")]
    Unknown {
        /// The name.
        name: String,
    },
    /// `%[` without its end.
    #[error("']' is missing behind '%[{text}'")]
    Unclosed {
        /// What follows the bracket.
        text: String,
    },
    /// A sample expression where none can be answered yet.
    #[error("sample expressions: '%[{expression}]'")]
    Sample {
        /// What stands between the brackets.
        expression: String,
    },
    /// A sample expression that is wrong.
    #[error("'%[{expression}]': {why}")]
    Expr {
        /// What stands between the brackets.
        expression: String,
        /// What is wrong; the places that it blames are those of the format.
        why: Box<ExprError>,
    },
}

impl Format {
    /// Compiles a format without sample expressions.
    ///
    /// # Errors
    /// [`FormatError`], for the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, FormatError> {
        Self::read(text, None, false)
    }

    /// Compiles a format; `context` is where its sample expressions stand.
    ///
    /// # Errors
    /// [`FormatError`], for the first thing that is wrong.
    pub fn compile(text: &[u8], context: &Context<'_>) -> Result<Self, FormatError> {
        Self::read(text, Some(context), false)
    }

    /// The same of a text that is no line: its spaces stand as they are.
    pub(in crate::expr) fn verbatim(text: &[u8], context: &Context<'_>) -> Result<Self, FormatError> {
        Self::read(text, Some(context), true)
    }

    fn read(text: &[u8], context: Option<&Context<'_>>, verbatim: bool) -> Result<Self, FormatError> {
        let (flags, pieces, plain) = (Flags::default(), Vec::new(), Vec::new());
        let mut reader = Reader { text, at: 0, context, flags, pieces, plain };
        while let Some(byte) = reader.next() {
            match byte {
                b'%' => reader.percent()?,
                b' ' if !verbatim => {
                    reader.end_text();
                    if reader.pieces.last() != Some(&Piece::Space) {
                        reader.pieces.push(Piece::Space);
                    }
                }
                byte => reader.plain.push(byte),
            }
        }
        reader.end_text();
        Ok(Self { pieces: reader.pieces.into() })
    }
}

struct Reader<'a, 'c> {
    text: &'a [u8],
    at: usize,
    /// Where sample expressions stand; `None`: there may be none.
    context: Option<&'a Context<'c>>,
    /// What `%{…}o` set for the variables behind it.
    flags: Flags,
    pieces: Vec<Piece>,
    /// Text that is not a piece yet.
    plain: Vec<u8>,
}

impl<'a> Reader<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// What follows, up to the first byte that is not wanted.
    fn run(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn end_text(&mut self) {
        if !self.plain.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.plain).into()));
        }
    }

    /// What stands behind a `%`.
    fn percent(&mut self) -> Result<(), FormatError> {
        match self.peek() {
            None => Err(FormatError::Truncated),
            Some(b'{') => self.flagged(),
            Some(b'[') => self.sample(None),
            Some(byte) if byte.is_ascii_alphabetic() => self.variable(None),
            Some(byte) if byte.is_ascii_digit() || byte.is_ascii_whitespace() => Err(FormatError::NoName { byte }),
            // haproxy drops the percent sign before anything else, and so do we
            Some(byte) => {
                self.at += 1;
                self.plain.push(byte);
                Ok(())
            }
        }
    }

    fn flagged(&mut self) -> Result<(), FormatError> {
        self.at += 1;
        let flags = self.run(|byte| byte != b'}');
        if self.next().is_none() {
            return Err(FormatError::Truncated);
        }
        match self.peek() {
            Some(b'[') => self.sample(Some(flags)),
            Some(byte) if byte.is_ascii_alphanumeric() => self.variable(Some(flags)),
            _ => Err(FormatError::FlagsAlone { flags: shown(flags) }),
        }
    }

    fn variable(&mut self, flags: Option<&[u8]>) -> Result<(), FormatError> {
        let name = self.run(|byte| byte.is_ascii_alphanumeric());
        let own = flags.map_or(self.flags, |flags| changed(self.flags, flags));
        if name == b"o" {
            self.flags = own;
            return Ok(());
        }
        let variable = Variable::named(name).ok_or_else(|| FormatError::Unknown { name: shown(name) })?;
        self.end_text();
        self.pieces.push(Piece::Variable(variable, own));
        Ok(())
    }

    /// A sample expression; brackets within parentheses are its arguments'.
    fn sample(&mut self, flags: Option<&[u8]>) -> Result<(), FormatError> {
        let start = self.at + 1;
        let rest = self.text.get(start..).unwrap_or_default();
        let Some(length) = crate::expr::template::length(rest) else {
            return Err(FormatError::Unclosed { text: shown(rest) });
        };
        let text = &rest[..length];
        let Some(context) = self.context else { return Err(FormatError::Sample { expression: shown(text) }) };
        let expr = Expr::parse(text, context).map_err(|mut why| {
            why.at = why.at.start + start..why.at.end + start;
            FormatError::Expr { expression: shown(text), why: Box::new(why) }
        })?;
        let own = flags.map_or(self.flags, |flags| changed(self.flags, flags));
        self.at = start + length + 1;
        self.end_text();
        self.pieces.push(Piece::Sample(Box::new(expr), own));
        Ok(())
    }
}

/// The flags with what stands between braces: `+Q`, `-X`… divided by commas or blanks. Of what stands between two
/// dividers only the letter behind the last sign counts, and what is no flag is passed over (both as on 2.6).
fn changed(mut flags: Flags, text: &[u8]) -> Flags {
    for word in text.split(|byte| matches!(byte, b',' | b' ')) {
        let Some(sign) = word.iter().rposition(|byte| matches!(byte, b'+' | b'-')) else { continue };
        let on = word[sign] == b'+';
        match &word[sign + 1..] {
            b"Q" => flags.quoted = on,
            b"X" => flags.hex = on,
            b"E" => flags.escaped = on,
            _ => {}
        }
    }
    flags
}

/// As a message may show it.
fn shown(text: &[u8]) -> String {
    text.escape_ascii().to_string().chars().take(80).collect()
}
