//! Where a message points and how it is shown.
//!
//! Holds the sources of a run ([`SourceMap`]), places in them ([`Span`]) and what is said of them
//! ([`Diagnostic`]); [`render`] is the only code that turns a diagnostic into text. Knows no keyword.

mod diagnostic;
mod excerpt;
mod lookalike;
mod render;
mod show;
mod source;
#[cfg(test)]
pub(crate) mod testing;
mod world;

pub use diagnostic::{Diagnostic, Severity};
pub use lookalike::{Like, LookAlike, look_alike};
pub use render::{Banner, render};
pub use show::show;
pub use source::{FileId, SourceFile, SourceMap, Span};
pub use world::World;
