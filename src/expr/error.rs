//! Why an expression, a pattern or a condition cannot be used, and which part of it is wrong.

use std::ops::Range;

use thiserror::Error;

use super::{Place, RegexError, Type};

/// An error and the part of the words that it blames.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{why}")]
pub struct ExprError {
    /// Which of the words.
    pub word: usize,
    /// Which bytes of the word.
    pub at: Range<usize>,
    /// What is wrong.
    pub why: Wrong,
    /// What the user can do.
    pub hint: Option<String>,
}

impl ExprError {
    /// An error that blames a part of a word.
    pub(super) fn new(word: usize, at: Range<usize>, why: Wrong) -> Self {
        Self { word, at, why, hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub(super) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Whether it is right, and only not built.
    pub fn not_built(&self) -> bool {
        matches!(self.why, Wrong::NotBuilt { .. })
    }
}

/// What is wrong.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing was written.
    #[error("an expression is missing: it begins with the name of a fetch")]
    Missing,
    /// No fetch of that name.
    #[error("there is no fetch '{name}'")]
    UnknownFetch {
        /// The name.
        name: String,
    },
    /// No converter of that name.
    #[error("there is no converter '{name}'")]
    UnknownConverter {
        /// The name.
        name: String,
    },
    /// What this version does not know yet.
    #[error("not built into this version of baton yet: {what}")]
    NotBuilt {
        /// What it is.
        what: String,
    },
    /// Something else than a comma.
    #[error("a comma is missing behind '{name}'")]
    NoComma {
        /// The fetch or the converter before it.
        name: String,
    },
    /// An argument.
    #[error("'{name}': {why}")]
    Argument {
        /// The fetch or the converter.
        name: &'static str,
        /// What is wrong with it.
        why: ArgError,
    },
    /// A converter that does not take what stands before it.
    #[error("'{name}' takes a value of type {want}, and gets one of type {got}")]
    Cast {
        /// The converter.
        name: &'static str,
        /// What it takes.
        want: &'static str,
        /// What it gets.
        got: &'static str,
    },
    /// A fetch that knows nothing at this place.
    #[error("'{name}' is not known here ({})", .place.name())]
    NotHere {
        /// The fetch.
        name: &'static str,
        /// Where it stands.
        place: Place,
    },
    /// A name that stands for nothing.
    #[error("there is no {what} '{name}'")]
    Unresolved {
        /// What it should be.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A condition.
    #[error(transparent)]
    Condition(#[from] ConditionError),
}

/// What is wrong with an argument.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ArgError {
    /// No closing parenthesis, or no closing quote.
    #[error("the closing parenthesis is missing")]
    Unclosed,
    /// More arguments than it takes.
    #[error("it takes no more arguments than that: a closing parenthesis is missing before '{rest}'")]
    Many {
        /// What stands there.
        rest: String,
    },
    /// Fewer than it needs.
    #[error("it needs {want} arguments and has {got}")]
    Few {
        /// How many it needs.
        want: usize,
        /// How many there are.
        got: usize,
    },
    /// An argument of another kind.
    #[error("'{text}' is not {want}")]
    Kind {
        /// The argument.
        text: String,
        /// What it should be, with its article.
        want: &'static str,
    },
    /// No number that this argument may be.
    #[error("{number} is out of range: {least} to {most}")]
    Range {
        /// The number.
        number: i64,
        /// The least one.
        least: i64,
        /// The largest one.
        most: i64,
    },
    /// A regular expression.
    #[error("'{text}': {why}")]
    Regex {
        /// The expression.
        text: String,
        /// Why not.
        why: RegexError,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What is wrong with a file of patterns.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum FileError {
    /// It cannot be read.
    #[error("'{path}' cannot be read: {why}")]
    Read {
        /// Its path.
        path: String,
        /// Why not.
        why: std::io::ErrorKind,
    },
    /// The same file with one column and with two.
    #[error("'{path}' is read as a list of patterns and as a map: use two files")]
    Columns {
        /// Its path.
        path: String,
    },
    /// One of its lines.
    #[error("line {line} of '{path}': {why}")]
    Line {
        /// Its path.
        path: String,
        /// The line.
        line: usize,
        /// What is wrong with it.
        why: Box<PatternError>,
    },
}

/// What is wrong with a pattern, or with how it is compared.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum PatternError {
    /// Not a flag.
    #[error("'{text}' is no flag: write '--' before patterns that begin with a dash")]
    Flag {
        /// The word.
        text: String,
    },
    /// `-m` without a method, or with another word.
    #[error("'{text}' is no way to compare: {CHOICES}")]
    Method {
        /// The word.
        text: String,
    },
    /// `-m` behind patterns.
    #[error("'-m' stands before all patterns and files")]
    MethodLate,
    /// A sample of this type is compared in no way of its own.
    #[error("say with '-m' how values of type {} are compared", .of.name())]
    MethodMissing {
        /// The type.
        of: Type,
    },
    /// A way to compare that is none for this type.
    #[error("'-m {method}' does not compare values of type {}", .of.name())]
    MethodType {
        /// The method.
        method: &'static str,
        /// The type.
        of: Type,
    },
    /// Not a number.
    #[error("'{text}' is not a number")]
    Number {
        /// The word.
        text: String,
    },
    /// A range that holds nothing.
    #[error("'{text}' is not a range of numbers")]
    Range {
        /// The word.
        text: String,
    },
    /// Not an address.
    #[error("'{text}' is neither an address nor a network")]
    Address {
        /// The word.
        text: String,
    },
    /// Not hexadecimal digits, two for each byte.
    #[error("'{text}' is not bytes in hexadecimal digits, two each")]
    Hex {
        /// The word.
        text: String,
    },
    /// A regular expression.
    #[error("'{text}': {why}")]
    Regex {
        /// The expression.
        text: String,
        /// Why not.
        why: RegexError,
    },
    /// `-u` without a number.
    #[error("'-u' needs a number")]
    Id,
    /// An id that is taken.
    #[error("the id {id} is taken")]
    IdTaken {
        /// The id.
        id: u32,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

const CHOICES: &str = "'found', 'bool', 'int', 'ip', 'bin', 'len', 'str', 'beg', 'sub', 'dir', 'dom', 'end' or 'reg'";

/// What is wrong with a condition.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum ConditionError {
    /// No ACL of that name.
    #[error("there is no ACL '{name}'")]
    UnknownAcl {
        /// The name.
        name: String,
    },
    /// `{` without its `}`.
    #[error("the closing '}}' is missing: a word of its own")]
    Unclosed,
    /// An ACL that leads back to itself.
    #[error("an ACL that names itself says nothing: {way}")]
    Circle {
        /// The names, each behind the one that names it.
        way: String,
    },
    /// An ACL that names too many, or in too long a row.
    #[error("the ACL '{name}' names too many others, through those that it names")]
    Many {
        /// Its name.
        name: String,
    },
    /// A name that no ACL can have.
    #[error("'{name}' cannot be the name of an ACL")]
    Name {
        /// The name.
        name: String,
    },
}

/// Text as a message may show it.
pub(super) fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(80).collect()
}
