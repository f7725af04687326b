//! The keyword tables: which words there are, where they may stand, how many arguments they take, and which of them
//! baton has.
//!
//! [`statement`] turns the words of a line into a [`Statement`], [`option()`] does the same for an option within a
//! `bind` or `server` line; both say what is wrong as a [`GrammarError`]. Knows no value: arguments are read by
//! `lower`. The rows are written in `grammar/*.kw` and turned into tables by `build.rs`.

mod document;
mod error;
mod kinds;
mod list;
mod lookup;
mod nearest;
mod row;
mod section;

pub use document::document;
pub use error::{Given, GrammarError};
pub use kinds::Kind;
pub use list::{Class, list};
pub use lookup::{Prefix, Statement, option, row, rows, statement};
pub use row::{Acts, Arity, Era, Places, Row, Support, Version};
pub use section::{OptionLine, SectionKind};

use std::fmt::Write as _;

use crate::syntax::Word;

/// The section that a line opens, if its first word opens one.
pub fn section(words: &[Word<'_>]) -> Option<SectionKind> {
    words.first().and_then(|word| SectionKind::from_keyword(&word.bytes))
}

/// Counts the arguments of a line that opens a section (the words after its first one).
///
/// # Errors
/// [`GrammarError::TooFew`] or [`GrammarError::TooMany`].
pub fn section_line(section: SectionKind, words: &[Word<'_>]) -> Result<&'static Row, GrammarError> {
    lookup::section_line(section, words)
}

/// The error of a line that stands before any section.
pub fn outside(words: &[Word<'_>]) -> GrammarError {
    nearest::no_section(words.first().map(|word| word.bytes.as_ref()).unwrap_or_default())
}

/// The keyword of a kind that looks most like a word, if one is near enough.
pub fn nearest_to(kind: Kind, word: &[u8]) -> Option<&'static str> {
    nearest::among(lookup::rows(kind).iter(), &[word])
}

/// A word as a message may show it: at most 80 characters, control characters and what is not UTF-8 escaped.
pub(crate) fn shown(word: &[u8]) -> String {
    const MOST: usize = 80;
    let cut = &word[..word.len().min(4 * MOST)];
    let mut text = String::new();
    for chunk in cut.utf8_chunks() {
        text.extend(chunk.valid().chars().flat_map(|c| {
            let plain = (!c.is_control()).then_some(c);
            plain.into_iter().chain(c.escape_default().filter(move |_| plain.is_none()))
        }));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if cut.len() < word.len() => text + "…",
        None => text,
    }
}

#[cfg(test)]
mod tests;
