//! From bytes to words.
//!
//! [`load`] reads the files of a run; a [`Reader`] streams one of them as logical [`Line`]s of [`Word`]s:
//! comments, quotes, escapes, environment variables and `.if` blocks are resolved here. Knows no keyword
//! (directives that begin with a dot excepted). Input is bytes, not UTF-8.
//!
//! ```text
//! let loaded = syntax::load(&arguments, world, &mut sources);
//! for file in loaded.files {
//!     let mut reader = Reader::new(file, sources.get(file)?);
//!     while let Some(line) = reader.next_line(world, section, &mut diagnostics) { … }
//!     if reader.ends_run() { break; }
//! }
//! ```
//! Source: configuration manual §2.2–2.4; what it leaves open was asked of haproxy 2.6 (docs/OBSERVED.md).

mod arguments;
pub mod condition;
mod directive;
#[cfg(test)]
mod golden_tests;
mod load;
mod pieces;
mod predicate;
mod reader;
mod variable;
mod version;
mod words;

use std::borrow::Cow;

use crate::text::Span;

pub use load::{Loaded, load};
pub use reader::Reader;
pub use version::VERSION;

/// One word of a line after quotes, escapes and variables were resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<'a> {
    /// What the word says; borrowed from the source where nothing was to be resolved. It may be empty (`""`,
    /// an unset variable) and never holds a NUL.
    pub bytes: Cow<'a, [u8]>,
    /// Where it stands in the source as written.
    pub span: Span,
}

/// One line that holds at least one word and is not switched off by a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// From the first word to the end of the last.
    pub span: Span,
    /// At least one, at most 64.
    pub words: Vec<Word<'a>>,
}
