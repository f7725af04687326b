//! Why a statement cannot be lowered: one variant per thing a user can fix.

use thiserror::Error;

use crate::expr::{ExprError, FormatError, RegexError, TemplateError};
use crate::grammar::GrammarError;
use crate::text::{Diagnostic, Span};
use crate::units::{AddressError, SizeError, TimeError};

/// Why a word of a statement is wrong.
#[derive(Debug, Clone, Error)]
pub enum LowerError {
    /// The line ends where a word is needed.
    #[error("'{keyword}' needs {what}")]
    Missing {
        /// The keyword that needs it.
        keyword: String,
        /// What is needed, with its article.
        what: &'static str,
    },
    /// A word too many.
    #[error("'{keyword}' takes no more words: '{text}' is one too many")]
    Extra {
        /// The keyword.
        keyword: String,
        /// The word.
        text: String,
    },
    /// Not a time.
    #[error("'{text}' is not a time: {why}")]
    Time {
        /// The word.
        text: String,
        /// Why not.
        why: TimeError,
    },
    /// Not a whole number.
    #[error("'{text}' is not a whole number")]
    Number {
        /// The word.
        text: String,
    },
    /// A number out of its range.
    #[error("'{text}' is not between {min} and {max}")]
    Range {
        /// The word.
        text: String,
        /// Least allowed.
        min: i64,
        /// Greatest allowed.
        max: i64,
    },
    /// A word that is none of a few.
    #[error("'{text}' is not one of {}", .choices.join(", "))]
    Choice {
        /// The word.
        text: String,
        /// What is allowed.
        choices: &'static [&'static str],
    },
    /// Not an address.
    #[error("'{text}' is not an address: {why}")]
    Address {
        /// The word.
        text: String,
        /// Why not.
        why: AddressError,
    },
    /// A kind of address that makes no sense on this line.
    #[error("'{text}' is a kind of address that may not stand here")]
    AddressKind {
        /// The word.
        text: String,
    },
    /// A host name without an address.
    #[error("the host name '{host}' does not resolve")]
    Host {
        /// The name.
        host: String,
    },
    /// The tables do not know it, or not here, or not with so many words.
    #[error("{0}")]
    Grammar(Box<GrammarError>),
    /// An id that another one has.
    #[error("id {id} is taken")]
    IdTaken {
        /// The id.
        id: u32,
    },
    /// A name that another proxy of the same side has.
    #[error("the name '{name}' is taken by the proxy of line {line}")]
    NameTaken {
        /// The name.
        name: String,
        /// Where it was given first.
        line: u32,
    },
    /// `from` names no defaults.
    #[error("there is no 'defaults {name}' above")]
    NoDefaults {
        /// The name.
        name: String,
    },
    /// `from` names more than one.
    #[error("'defaults {name}' stands above more than once: lines {first} and {second}")]
    AmbiguousDefaults {
        /// The name.
        name: String,
        /// One of them.
        first: u32,
        /// Another.
        second: u32,
    },
    /// Not bytes in hexadecimal.
    #[error("'{text}' is no row of bytes: two hexadecimal digits each")]
    Hex {
        /// The word.
        text: String,
    },
    /// Not a text with expressions.
    #[error("'{text}': {why}")]
    Template {
        /// The word.
        text: String,
        /// Why not.
        why: TemplateError,
    },
    /// Not an expression.
    #[error("'{text}' is not an expression: {why}")]
    Expr {
        /// The word.
        text: String,
        /// Why not.
        why: Box<ExprError>,
    },
    /// An expression, a condition or a pattern; the part of the word that is wrong is blamed.
    #[error("{0}")]
    Wrong(Box<ExprError>),
    /// Not a variable's name.
    #[error(
        "'{text}' is not the name of a variable: a scope ('check', 'sess'…), a dot, letters, digits and underscores"
    )]
    Variable {
        /// The name.
        text: String,
    },
    /// Not a regular expression.
    #[error("'{text}': {why}")]
    Regex {
        /// The word.
        text: String,
        /// Why not.
        why: RegexError,
    },
    /// Not a list of HTTP statuses.
    #[error("'{text}' is not a list of statuses and ranges of them: '200,300-399'")]
    Statuses {
        /// The word.
        text: String,
    },
    /// Not an octal mode.
    #[error("'{text}' is not an octal mode")]
    Octal {
        /// The word.
        text: String,
    },
    /// Not `random`, `random(N)`.
    #[error("'{text}' is not 'random' with a number of draws of at least 1")]
    Draws {
        /// The word.
        text: String,
    },
    /// An HTTP status that no error file can be given for.
    #[error("'{text}' is not a status that an error file can be given for")]
    Status {
        /// The word.
        text: String,
    },
    /// An option that the line's keyword does not know.
    #[error("'{keyword}' does not know '{text}'")]
    Option {
        /// The line's keyword.
        keyword: &'static str,
        /// The unknown word.
        text: String,
    },
    /// A name with characters that no name may hold.
    #[error("character '{}' is not allowed in the name '{text}': letters, digits, '_', '-', '.' and ':' are", char::from(*.byte))]
    Name {
        /// The name.
        text: String,
        /// The first wrong byte.
        byte: u8,
    },
    /// A user or group that this system does not have.
    #[error("this system has no {kind} '{text}'")]
    Unknown {
        /// `user` or `group`.
        kind: &'static str,
        /// Its name.
        text: String,
    },
    /// A keyword that may be given once, given again.
    #[error("'{keyword}' was given before: the first one holds")]
    Again {
        /// The keyword.
        keyword: String,
    },
    /// A file that cannot be read.
    #[error("cannot read '{path}': {why}")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        why: std::io::ErrorKind,
    },
    /// An error file that holds something else.
    #[error("'{path}' holds no HTTP answer: it must begin with 'HTTP/1.'")]
    NotAnAnswer {
        /// Its path.
        path: String,
    },
    /// Not the sample of a log target.
    #[error("'{text}' is not a sample such as '1-3,5:10': {why}")]
    Sample {
        /// The word.
        text: String,
        /// Why not.
        why: &'static str,
    },
    /// Not a number of entries.
    #[error("'{text}' is not a size: {why}")]
    Size {
        /// The word.
        text: String,
        /// Why not.
        why: SizeError,
    },
    /// A parenthesis that nothing closes.
    #[error("'{text}' lacks a closing parenthesis")]
    Unclosed {
        /// The word.
        text: String,
    },
    /// Two things that one table cannot store.
    #[error("'{one}' and '{other}' are not stored together: the array has the single ones in it")]
    NotTogether {
        /// The second.
        one: &'static str,
        /// The first.
        other: &'static str,
    },
    /// A table where a name has one already.
    #[error("the name '{name}' has the stick table of the {kind} in line {line}")]
    TableTaken {
        /// The name.
        name: String,
        /// The section of the other.
        kind: &'static str,
        /// Its line.
        line: u32,
    },
    /// A ring cannot shrink.
    #[error("a ring of {size} bytes is too small: it has {least}")]
    RingSize {
        /// What was asked for.
        size: u32,
        /// What it has.
        least: u32,
    },
    /// A name that another server of the ring has.
    #[error("the ring has another server '{name}'")]
    ServerTaken {
        /// The name.
        name: String,
    },
    /// A name that another `resolvers` section has.
    #[error("the name '{name}' is taken by the 'resolvers' section of line {line}")]
    ResolversTaken {
        /// The name.
        name: String,
        /// Where it was given first.
        line: u32,
    },
    /// A name that another `peers` section has.
    #[error("the name '{name}' is taken by the 'peers' section of line {line}")]
    PeersTaken {
        /// The name.
        name: String,
        /// Where it was given first.
        line: u32,
    },
    /// A second `bind` line of a `peers` section.
    #[error("one 'bind' line says where the local peer listens, and it stands in line {line}")]
    PeersBound {
        /// Where the first one stands.
        line: u32,
    },
    /// A second local peer.
    #[error("'{name}' is the local peer, and was named in line {line} already")]
    LocalPeerTaken {
        /// The name.
        name: String,
        /// Where it was given first.
        line: u32,
    },
    /// A name that another name server of the section has.
    #[error("the section has another name server '{name}'")]
    NameserverTaken {
        /// The name.
        name: String,
    },
    /// Not a network.
    #[error("'{text}' is no network such as 10.0.0.0/8")]
    Network {
        /// The word.
        text: String,
    },
    /// A log format that cannot be read.
    #[error("'{keyword}': {why}")]
    Format {
        /// The keyword.
        keyword: &'static str,
        /// Why not.
        why: FormatError,
    },
    /// A variable of HTTP in a format of a proxy in `mode tcp`.
    #[error("'{keyword}': '%{name}' needs 'mode http'")]
    HttpVariable {
        /// The keyword.
        keyword: &'static str,
        /// The variable.
        name: &'static str,
    },
    /// Conditions of a variable that is to be set.
    #[error(
        "'{text}': a variable is set on the conditions 'ifexists', 'ifempty', 'ifset', 'ifgt', 'iflt' or one with 'not' in it"
    )]
    VariableCondition {
        /// What was said.
        text: String,
    },
    /// An action that no rule of this kind has.
    #[error("'{ruleset}' rules have no action '{text}'")]
    Action {
        /// The rules.
        ruleset: &'static str,
        /// The word.
        text: String,
    },
    /// A value that this version does not act on yet.
    #[error("not built into this version of baton yet: {what}")]
    NotYet {
        /// What it is.
        what: String,
    },
    /// A value that is understood but cannot stand here.
    #[error("{0}")]
    Misplaced(&'static str),
}

/// An error and the word it blames.
#[derive(Debug, Clone)]
pub struct Blame {
    /// The word.
    pub span: Span,
    /// What is wrong with it.
    pub error: LowerError,
    /// What the user can do.
    pub hint: Option<String>,
}

impl Blame {
    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The alert that says so. What haproxy calls an alert and starts with all the same is a warning of ours.
    pub fn alert(self) -> Diagnostic {
        let message = self.error.to_string();
        let said = match self.error {
            LowerError::Again { .. } => Diagnostic::our_warning(self.span, message),
            _ => Diagnostic::alert(self.span, message),
        };
        match self.hint {
            Some(hint) => said.hint(hint),
            None => said,
        }
    }
}

/// What a lowering function answers: the draft is filled, or a word is to blame.
pub type Lowered<T = ()> = Result<T, Blame>;
