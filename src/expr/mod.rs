//! What is computed from the facts of a session or a check: sample expressions, patterns, conditions, log formats, and
//! regular expressions as haproxy writes them.
//!
//! Each is compiled once, when the configuration is read, and evaluated against [`Facts`] (a log format against
//! [`LogFacts`]): this module knows no session, no clock and no socket. Entry points: [`Expr::compile`],
//! [`Condition::compile`], [`Template::parse`], [`Format::parse`], [`Regex::new`], [`users::verify`].
//!

mod args;
mod condition;
mod context;
mod convert;
mod error;
mod expression;
mod facts;
pub mod fetch;
mod format;
mod hex;
mod keys;
pub mod listing;
pub mod pattern;
mod place;
mod regex;
mod template;
#[cfg(test)]
mod tests;
pub mod users;
mod value;
mod variable;

pub use args::{Arg, BUFFER, NameRef, ServerRef, SinkRef, TableRef};
pub use condition::{Acls, Condition, Misplaced, NamedAcl, Test, Truth};
pub use context::Context;
pub use convert::{Converter, Map, VarConditions};
pub use error::{ArgError, ConditionError, ExprError, FileError, PatternError, Wrong};
pub use expression::{Expr, Resolve};
pub use facts::{Asked, Buffer, Facts, Fetched, Nothing, Occasion, Side};
pub use fetch::{Counter, Fetch, Known};
pub use format::{Date, Fact, Facts as LogFacts, Flags, Format, FormatError, Piece, Stage, Variable};
pub use keys::Keys;
pub use place::{Place, Places};
pub use regex::{Regex, RegexError};
pub use template::{Template, TemplateError};
pub use value::{Type, Value};
pub use variable::{Scope, VarName};
