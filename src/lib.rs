//! baton: an HAProxy-compatible proxy.
//!
//! One line runs from the text of a configuration to bytes on the wire; each arrow is a type:
//!
//! ```text
//! bytes ─text─▶ Source+Span ─syntax─▶ Line<Word> ─grammar─▶ Statement ─lower─▶ Draft ─resolve─▶ ir::Config
//!   ─plan─▶ Plan ─engine─▶ sessions, checks ─▶ SessionRecord, counters ─report─▶ logs, statistics, commands
//! ```
//!
//! A module imports only modules to its left (docs/ARCHITECTURE.md has the table, `tests/tidy.rs` enforces it).

pub mod engine;
pub mod expr;
pub mod grammar;
pub mod ir;
pub mod lower;
pub mod plan;
pub mod pool;
pub mod process;
pub mod report;
pub mod syntax;
pub mod sys;
pub mod text;
pub mod units;
