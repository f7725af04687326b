//! What is computed from the facts of a session or a check: log formats, the texts and expressions of rules, and
//! regular expressions as haproxy writes them.
//!
//! Each is compiled once, when the configuration is read. A log format is evaluated against [`Facts`], an expression
//! against [`Lookup`]: this module knows no session, no clock and no socket. Entry points: [`Format::parse`],
//! [`Template::parse`], [`Expr::parse`], [`Regex::new`], [`Condition::holds`]. Of expressions only constants and variables are built yet.

mod condition;
mod format;
mod regex;
mod sample;
mod template;

pub use condition::{Asked, Condition, How, Network, Patterns, Term, Test};
pub use format::{Date, Fact, Facts, Flags, Format, FormatError, Piece, Stage, Variable};
pub use regex::{Regex, RegexError};
pub use sample::{Expr, ExprError, Lookup, Scope, Value, VarName};
pub use template::{Template, TemplateError};
