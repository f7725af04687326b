//! A text with expressions in it: `ping %[int(5)]`.
//!
//! Source: manual §8.2.4 (log-format); the log's own variables are not built here.

use thiserror::Error;

use super::context::Context;
use super::error::Wrong;
use super::{Expr, ExprError, Facts, Resolve};

/// A text with expressions in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Expr(Expr),
}

/// Why a text with expressions is none.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum TemplateError {
    /// A `%[` without its `]`.
    #[error("'%[' without ']'")]
    Open,
    /// An expression; the places that it blames are those of the text.
    #[error(transparent)]
    Expr(Box<ExprError>),
}

impl From<ExprError> for TemplateError {
    fn from(why: ExprError) -> Self {
        Self::Expr(Box::new(why))
    }
}

impl Template {
    /// Looks up the names among the arguments of its expressions.
    ///
    /// # Errors
    /// [`Wrong::Unresolved`].
    pub fn resolve(&mut self, names: &dyn Resolve) -> Result<(), ExprError> {
        self.pieces.iter_mut().try_for_each(|piece| match piece {
            Piece::Text(_) => Ok(()),
            Piece::Expr(expr) => expr.resolve(names),
        })
    }
}

impl From<&str> for Template {
    /// The text as it is.
    fn from(text: &str) -> Self {
        Self { pieces: vec![Piece::Text(text.as_bytes().to_vec())] }
    }
}

impl From<String> for Template {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

/// How long the expression is that a text begins with: up to a `]` outside of parentheses.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let mut depth = 0_u32;
    text.iter().position(|byte| {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *byte == b']' && depth == 0
    })
}

impl Template {
    /// Parses a text; `%%` is a `%`.
    ///
    /// # Errors
    /// See [`TemplateError`]; flags and variables of logs are not built.
    pub fn parse(text: &[u8], context: &Context<'_>) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut at = 0;
        while let Some(length_) = text[at..].iter().position(|byte| *byte == b'%') {
            plain.extend_from_slice(&text[at..at + length_]);
            let percent = at + length_;
            let rest = &text[percent + 1..];
            match rest.first() {
                Some(b'%') => {
                    plain.push(b'%');
                    at = percent + 2;
                }
                Some(b'[') => {
                    let start = percent + 2;
                    let end = start + length(&text[start..]).ok_or(TemplateError::Open)?;
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    let expr = Expr::parse(&text[start..end], context).map_err(|mut why| {
                        why.at = why.at.start + start..why.at.end + start;
                        why
                    })?;
                    pieces.push(Piece::Expr(expr));
                    at = end + 1;
                }
                _ => {
                    let shown = String::from_utf8_lossy(rest).into_owned();
                    let what = format!("variables of logs in a rule ('%{shown}')");
                    return Err(ExprError::new(0, percent..text.len(), Wrong::NotBuilt { what }).into());
                }
            }
        }
        plain.extend_from_slice(&text[at..]);
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self { pieces })
    }

    /// Its expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Expr(expr) => Some(expr),
            Piece::Text(_) => None,
        })
    }

    /// The text now; an expression that gives nothing leaves no trace.
    pub fn evaluate(&self, facts: &dyn Facts) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Expr(expr) => {
                    if let Some(value) = expr.value(facts) {
                        value.write(&mut out);
                    }
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::tests::{context, hello};

    #[test]
    fn expressions_are_put_into_their_text() {
        context(|context| {
            for (text, want) in [
                ("plain", "plain"),
                ("", ""),
                ("100%%", "100%"),
                ("a%[int(5)]b%[bool(true)]", "a5b1"),
                ("%[var(check.a)] %[var(check.b)]!", "hello !"),
                ("%[str(a]b),upper]", "A]B"),
            ] {
                let format = Template::parse(text.as_bytes(), context).expect(text);
                assert_eq!(String::from_utf8_lossy(&format.evaluate(&hello())), want, "{text:?}");
            }
            assert_eq!(Template::parse(b"a%[int(5)", context), Err(TemplateError::Open));
            for wrong in [&b"%ci"[..], b"100%", b"%{+Q}o"] {
                let Err(TemplateError::Expr(why)) = Template::parse(wrong, context) else { panic!("{wrong:?}") };
                assert!(why.not_built(), "{wrong:?}: {why}");
            }
            let Err(TemplateError::Expr(why)) = Template::parse(b"ab%[str(c),nope]", context) else { panic!("read") };
            assert_eq!(why.at, 11..15);
        });
    }
}
