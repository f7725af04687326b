//! Patterns: what a value is compared with, and how.
//!
//! A list of patterns (written in a line, or a file) is compiled once for each way to compare, so that 100,000 of them cost
//! hardly more than ten. Readers take the compiled set as it is at that moment; whoever changes a list makes a new one.
//! Source: manual §7.1; asked of 2.6 (`fixtures/expr/conditions.txt`, `maps.txt`).

mod contents;
mod entry;
mod layer;
mod list;
mod lists;
mod method;
mod networks;
mod numbers;
mod regexes;
mod set;
#[cfg(test)]
mod tests;
mod texts;
mod words;

pub use entry::{Entry, Written};
pub use list::{ChangeError, List, State, Use, Which};
pub use lists::Lists;
pub use method::{Flags, Method, Op};
pub(super) use set::typed;
pub use set::{Found, Look, Set, View};
pub(super) use words::{Patterns, read};
