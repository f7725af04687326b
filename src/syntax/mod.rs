//! From bytes to words.
//!
//! Splits a file into logical [`Line`]s of [`Word`]s: comments, quotes, escapes, environment variables and
//! `.if` blocks are resolved here. Knows no keyword. Input is bytes, not UTF-8.
//! Source: configuration manual §2.2–2.4.

use std::borrow::Cow;

use crate::text::Span;

/// One word of a line after quotes, escapes and variables were resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<'a> {
    /// What the word says; borrowed from the source where nothing was to be resolved.
    pub bytes: Cow<'a, [u8]>,
    /// Where it stands in the source as written.
    pub span: Span,
}

/// One line that holds at least one word and is not switched off by a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The whole line.
    pub span: Span,
    /// At least one, at most 64.
    pub words: Vec<Word<'a>>,
}
