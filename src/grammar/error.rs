//! What may be wrong with a line before its arguments are read.

use thiserror::Error;

use super::{OptionLine, Row, SectionKind};
use crate::syntax::Word;
use crate::text::{Diagnostic, Severity};

/// One way in which a line does not fit the tables.
#[derive(Debug, Clone, Error)]
pub enum GrammarError {
    /// No table has the word.
    #[error("unknown keyword '{word}' in section '{}'", section.keyword())]
    UnknownKeyword {
        /// The word, as far as it can be shown.
        word: String,
        /// Where it stands.
        section: SectionKind,
        /// A keyword of this section that looks like it.
        nearest: Option<&'static str>,
        /// Index of the word.
        at: usize,
    },
    /// The word begins keywords, and the next word makes it none of them.
    #[error("'{word}' is not complete: {given}")]
    Incomplete {
        /// The words that begin keywords.
        word: String,
        /// What follows them.
        given: Given,
        /// A keyword of this section that looks like it.
        nearest: Option<&'static str>,
        /// Index of the word to blame.
        at: usize,
    },
    /// The keyword belongs to another section.
    #[error("'{}' is not allowed in a '{}' section", row.keyword, section.keyword())]
    WrongSection {
        /// The keyword's row.
        row: &'static Row,
        /// Where it stands.
        section: SectionKind,
        /// Index of the word.
        at: usize,
    },
    /// The keyword has no effect in this section; haproxy goes on, and so does baton. Nothing is to be lowered.
    #[error("'{}' has no effect in a '{}' section", row.keyword, section.keyword())]
    Ignored {
        /// The keyword's row.
        row: &'static Row,
        /// Where it stands.
        section: SectionKind,
        /// A warning where haproxy warns, else a remark that only `-dD` shows.
        severity: Severity,
        /// Index of the word.
        at: usize,
    },
    /// A keyword stands before any section.
    #[error("'{word}' stands outside of any section")]
    NoSection {
        /// The word.
        word: String,
        /// A section keyword that looks like it.
        nearest: Option<&'static str>,
    },
    /// `no` or `default` before a keyword that cannot be turned round.
    #[error("'{prefix}' cannot stand before '{}'", row.keyword)]
    NotNegatable {
        /// The keyword's row.
        row: &'static Row,
        /// `no` or `default`.
        prefix: &'static str,
    },
    /// An argument is missing.
    #[error("'{}' {}", row.keyword, few(row, *given))]
    TooFew {
        /// The keyword's row.
        row: &'static Row,
        /// How many there are.
        given: usize,
        /// Index of the last word before the missing one.
        at: usize,
    },
    /// There is an argument too many.
    #[error("'{}' {}; '{extra}' is too many", row.keyword, many(row))]
    TooMany {
        /// The keyword's row.
        row: &'static Row,
        /// The first word too many.
        extra: String,
        /// Its index.
        at: usize,
    },
    /// A `bind` or `server` line has no such option.
    #[error("'{}' knows no option '{word}'", line.keyword())]
    UnknownOption {
        /// The word.
        word: String,
        /// The line.
        line: OptionLine,
        /// An option of this line that looks like it.
        nearest: Option<&'static str>,
        /// Index of the word.
        at: usize,
    },
    /// The option belongs to another line.
    #[error("'{}' is not an option of '{}'", row.keyword, line.keyword())]
    WrongLine {
        /// The option's row.
        row: &'static Row,
        /// The line.
        line: OptionLine,
        /// Index of the word.
        at: usize,
    },
}

/// What follows the beginning of a keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Nothing.
    Nothing,
    /// A word that makes no keyword of it.
    Word(String),
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("it must be followed by a word"),
            Self::Word(word) => write!(f, "it cannot be followed by '{word}'"),
        }
    }
}

impl GrammarError {
    /// Index of the word to blame among the words of the line.
    pub fn at(&self) -> usize {
        match self {
            Self::UnknownKeyword { at, .. }
            | Self::Incomplete { at, .. }
            | Self::WrongSection { at, .. }
            | Self::Ignored { at, .. }
            | Self::TooFew { at, .. }
            | Self::TooMany { at, .. }
            | Self::UnknownOption { at, .. }
            | Self::WrongLine { at, .. } => *at,
            Self::NoSection { .. } | Self::NotNegatable { .. } => 0,
        }
    }

    /// How bad it is: an alert, unless haproxy goes on.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Ignored { severity, .. } => *severity,
            _ => Severity::Alert,
        }
    }

    /// What is to be said of it, with the blamed word's place; `words` are the words of the line.
    pub fn diagnostic(&self, words: &[Word<'_>]) -> Diagnostic {
        let span = words.get(self.at()).or(words.last()).map(|word| word.span);
        let said = match self.severity() {
            Severity::Diag => Diagnostic::diag(span, self.to_string()),
            Severity::Notice => Diagnostic::notice(span, self.to_string()),
            Severity::Warning => Diagnostic::warning(span, self.to_string()),
            Severity::Alert => Diagnostic::alert(span, self.to_string()),
        };
        match self.hint() {
            Some(hint) => said.hint(hint),
            None => said,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKeyword { nearest, .. }
            | Self::Incomplete { nearest, .. }
            | Self::NoSection { nearest, .. }
            | Self::UnknownOption { nearest, .. } => nearest.map(|near| format!("did you mean '{near}'?")),
            Self::WrongSection { row, .. } | Self::Ignored { row, .. } => {
                Some(format!("it may stand in {}", listed(&places(row))))
            }
            Self::WrongLine { row, .. } => Some(format!("it is an option of {}", listed(&places(row)))),
            Self::TooFew { row, .. } | Self::TooMany { row, .. } => Some(format!("usage: {}", row.synopsis())),
            Self::NotNegatable { row, prefix: "default" } if row.negatable => Some(
                "haproxy refuses it, too, whatever its manual says: say what is meant, with 'no' or without".to_owned(),
            ),
            Self::NotNegatable { .. } => None,
        }
    }
}

/// The quoted names of the places where a keyword may stand.
fn places(row: &Row) -> Vec<String> {
    let mut names: Vec<_> = row.places.names(row.kind).map(|name| format!("'{name}'")).collect();
    if names.is_empty() {
        names.push(format!("'{}'", row.kind.name()));
    }
    names
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn arguments(count: u16) -> String {
    match count {
        0 => "no argument".to_owned(),
        1 => "one argument".to_owned(),
        n => format!("{n} arguments"),
    }
}

fn few(row: &Row, given: usize) -> String {
    let least = if row.arity.max == Some(row.arity.min) { "" } else { "at least " };
    let given = if given == 0 { String::new() } else { format!(", and has {given}") };
    format!("needs {least}{}{given}", arguments(row.arity.min))
}

fn many(row: &Row) -> String {
    let max = row.arity.max.unwrap_or(u16::MAX);
    let most = if max == row.arity.min || max == 0 { "" } else { "at most " };
    format!("takes {most}{}", arguments(max))
}
