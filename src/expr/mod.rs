//! What is computed from a session's facts: log formats today, sample expressions later.
//!
//! A format is compiled once, when the configuration is read, and evaluated against [`Facts`], a trait: this module
//! knows no session, no clock and no socket. Entry point: [`Format::parse`].

mod format;

pub use format::{Date, Fact, Facts, Flags, Format, FormatError, Piece, Stage, Variable};
