//! One line into words.
//!
//! ```text
//! line = { blank } { word blank { blank } } [ word ] [ "#" anything ]
//! ```
//! Puts the [pieces](super::pieces) of a word together with the values of variables and keeps count. Knows no keyword.
//! Source: manual §2.2 and §2.3; that a list keeps empty first and last words, and that a blank after the 64th word
//! counts as the 65th was observed on 2.6.12.

use std::borrow::Cow;

use super::Word;
pub(super) use super::pieces::Origin;
use super::pieces::{self, Fault, Piece, WordError, is_blank, is_plain};
use super::variable::Scope;
use crate::text::Span;

/// The most words of one line.
pub(super) const MOST_WORDS: usize = 64;

/// What keeps a line from being words, and the part of it to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blame {
    pub(super) error: WordError,
    pub(super) span: Span,
}

/// Splits a line (without its end) into words.
///
/// # Errors
/// The first fault of the line; [`WordError::TooMany`] only when there is no other.
pub(super) fn split<'a>(line: &'a [u8], scope: &Scope<'_>, origin: Origin) -> Result<Split<'a>, Blame> {
    let mut words = Words { scope, split: Split { words: Vec::with_capacity(16), cut: None }, surplus: None };
    let mut rest = skip_blanks(line, origin);
    while rest.first().is_some_and(|byte| !origin.ends_line(*byte)) {
        let start = line.len() - rest.len();
        let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
        let after = if plain > 0 && rest.get(plain).is_none_or(|byte| origin.ends_word(*byte)) {
            // Nearly every word.
            words.push(Cow::Borrowed(&rest[..plain]), scope.span(start, start + plain));
            &rest[plain..]
        } else {
            let (after, pieces) = pieces::word(rest, origin).map_err(|fault| blame(line, scope, &fault))?;
            words.push_pieces(&pieces, scope.span(start, line.len() - after.len()));
            after
        };
        rest = skip_blanks(after, origin);
        if rest.len() < after.len() && words.split.words.len() == MOST_WORDS {
            words.surplus.get_or_insert(scope.span(line.len() - after.len(), line.len()));
        }
    }
    match words.surplus {
        Some(span) => Err(Blame { error: WordError::TooMany, span }),
        None => Ok(words.split),
    }
}

fn skip_blanks(i: &[u8], origin: Origin) -> &[u8] {
    let blank = i.iter().take_while(|byte| is_blank(**byte) && origin.ends_word(**byte)).count();
    &i[blank..]
}

fn blame(line: &[u8], scope: &Scope<'_>, fault: &Fault<'_>) -> Blame {
    let start = line.len() - fault.from.len();
    let end = (line.len() - fault.upto.len()).clamp((start + 1).min(line.len()), line.len());
    Blame { error: fault.error(), span: scope.span(start, end) }
}

/// The words of a line.
#[derive(Debug)]
pub(super) struct Split<'a> {
    pub(super) words: Vec<Word<'a>>,
    /// A word that a `\x00` ended early, if there is one.
    pub(super) cut: Option<Span>,
}

/// The words of a line so far.
struct Words<'a, 's> {
    scope: &'s Scope<'s>,
    split: Split<'a>,
    /// Where the words begin that are too many.
    surplus: Option<Span>,
}

impl<'a> Words<'a, '_> {
    fn push(&mut self, bytes: Cow<'a, [u8]>, span: Span) {
        if self.split.words.len() < MOST_WORDS {
            self.split.words.push(Word { bytes, span });
        } else {
            self.surplus.get_or_insert(span);
        }
    }

    fn push_pieces(&mut self, pieces: &[Piece<'a>], span: Span) {
        if let [Piece::Text(text)] = pieces {
            return self.push(Cow::Borrowed(*text), span);
        }
        let mut word = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => word.extend_from_slice(text),
                Piece::Byte(byte) => word.push(*byte),
                Piece::Variable(variable) if variable.list => {
                    let value = self.scope.value(variable);
                    let mut parts = ListParts(Some(&value));
                    word.extend_from_slice(parts.next().unwrap_or_default());
                    for part in parts {
                        self.push_built(std::mem::replace(&mut word, part.to_vec()), span);
                    }
                }
                Piece::Variable(variable) => word.extend(self.scope.value(variable)),
            }
        }
        self.push_built(word, span);
    }

    /// Pushes a word that escapes went into: a NUL ends it.
    fn push_built(&mut self, mut word: Vec<u8>, span: Span) {
        if let Some(nul) = memchr::memchr(0, &word) {
            word.truncate(nul);
            self.split.cut.get_or_insert(span);
        }
        self.push(Cow::Owned(word), span);
    }
}

/// The parts of a list between runs of white space; the first and the last may be empty.
struct ListParts<'v>(Option<&'v [u8]>);

impl<'v> Iterator for ListParts<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        let is_space = |byte: &u8| is_blank(*byte) || matches!(byte, b'\n' | b'\r');
        let value = self.0?;
        let end = value.iter().position(is_space);
        self.0 = end.map(|end| {
            let space = value[end..].iter().take_while(|byte| is_space(byte)).count();
            &value[end + space..]
        });
        Some(&value[..end.unwrap_or(value.len())])
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
