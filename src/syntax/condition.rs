//! The conditions of `.if`, `.elif` and `-cc`.
//!
//! ```text
//! or        = and [ "||" or ]
//! and       = term [ "&&" and ]
//! term      = { "!" } ( "(" or ")" | integer | predicate [ "(" argument { "," argument } ")" ] )
//! ```
//! The whole text must be well formed before anything is answered. What a predicate asks of the outside comes from the
//! [`World`]. Source: manual §2.4; numbers, depth and blanks as observed on 2.6.12.

use thiserror::Error;

use super::arguments::arguments;
use super::predicate::{PREDICATES, Predicate};
use super::variable::Scope;
use super::words::{self, Origin};
use crate::text::{FileId, World};

/// How deep conditions may nest: a parenthesis costs 3, an operator 1, as observed on 2.6.12.
const DEEPEST: u32 = 1024;

/// Why a text is no condition, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct ConditionError {
    /// Offset of the first byte to blame.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a condition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// Neither a number nor a predicate.
    #[error("a condition begins with a number, a predicate, '!' or '(': this is none of them")]
    NoTerm,
    /// A whole condition, and something behind it.
    #[error("a condition ends before this; only '&&', '||' or ')' may follow")]
    Trailing,
    /// An opening parenthesis without its closing one.
    #[error("this parenthesis is never closed")]
    Open,
    /// Fewer arguments than the predicate takes.
    #[error("'{predicate}' takes {takes} arguments separated by a comma, {got} given")]
    Missing {
        /// The predicate.
        predicate: &'static str,
        /// How many it takes.
        takes: usize,
        /// How many there are.
        got: usize,
    },
    /// More arguments than the predicate takes, or no `)` behind them.
    #[error("the arguments of '{predicate}' end here: a ')' is missing, or a comma is not quoted twice")]
    Unclosed {
        /// The predicate.
        predicate: &'static str,
    },
    /// Too many parentheses or operators.
    #[error("the condition is nested too deep")]
    Deep,
    /// Quotes, braces or a variable that cannot be read (`-cc` only: in a file the line is blamed before).
    #[error("{0}")]
    Words(String),
}

/// Answers a condition whose quotes and variables are resolved already: the words of a `.if` line with blanks between.
///
/// # Errors
/// [`ConditionError`] when it is not well formed; nothing is evaluated then.
pub fn evaluate(text: &[u8], world: &dyn World) -> Result<bool, ConditionError> {
    let mut parser = Parser { text, at: 0 };
    // Nothing is false; blanks alone are no condition, as on 2.6.12.
    if text.is_empty() {
        return Ok(false);
    }
    let condition = parser.or(1)?;
    parser.blanks();
    match parser.rest() {
        [] => Ok(condition.holds(world)),
        _ => Err(parser.error(Problem::Trailing)),
    }
}

/// Answers the argument of `-cc`: quotes and variables are resolved as in a file, but blanks stay and `#` begins no
/// comment.
///
/// # Errors
/// As [`evaluate`], and [`Problem::Words`] for quotes and variables that cannot be read.
pub fn evaluate_argument(text: &[u8], world: &dyn World) -> Result<bool, ConditionError> {
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r' | 0)).next().unwrap_or_default();
    let scope = Scope { world, file: FileId(0), name: "", line: 0, section: b"" };
    let words = words::split(line, &scope, Origin::CommandLine)
        .map(|split| split.words.into_iter().map(|word| word.bytes.into_owned()).collect::<Vec<_>>())
        .map_err(|blame| {
            let at = usize::try_from(blame.span.start).unwrap_or(usize::MAX);
            ConditionError { at, problem: Problem::Words(blame.error.to_string()) }
        })?;
    evaluate(&words.join(&b' '), world)
}

/// A condition that is well formed.
enum Condition {
    Either(Box<Condition>, Box<Condition>),
    Both(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Constant(bool),
    Ask(&'static Predicate, Vec<Vec<u8>>),
}

impl Condition {
    fn holds(&self, world: &dyn World) -> bool {
        match self {
            Self::Either(one, other) => one.holds(world) || other.holds(world),
            Self::Both(one, other) => one.holds(world) && other.holds(world),
            Self::Not(one) => !one.holds(world),
            Self::Constant(value) => *value,
            Self::Ask(predicate, arguments) => {
                let argument = |n: usize| arguments.get(n).map_or(&b""[..], Vec::as_slice);
                (predicate.answer)(world, argument(0), argument(1))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn error(&self, problem: Problem) -> ConditionError {
        ConditionError { at: self.at, problem }
    }

    fn blanks(&mut self) {
        self.at += self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    }

    /// Steps over `mark` and the blanks around it.
    fn skip(&mut self, mark: &[u8]) -> bool {
        let before = self.at;
        self.blanks();
        if !self.rest().starts_with(mark) {
            self.at = before;
            return false;
        }
        self.at += mark.len();
        self.blanks();
        true
    }

    fn or(&mut self, depth: u32) -> Result<Condition, ConditionError> {
        let one = self.and(depth + 1)?;
        match self.skip(b"||") {
            true => Ok(Condition::Either(Box::new(one), Box::new(self.or(depth + 1)?))),
            false => Ok(one),
        }
    }

    fn and(&mut self, depth: u32) -> Result<Condition, ConditionError> {
        let one = self.term(depth + 1)?;
        match self.skip(b"&&") {
            true => Ok(Condition::Both(Box::new(one), Box::new(self.and(depth + 1)?))),
            false => Ok(one),
        }
    }

    fn term(&mut self, depth: u32) -> Result<Condition, ConditionError> {
        if depth > DEEPEST {
            return Err(self.error(Problem::Deep));
        }
        self.blanks();
        let mut negate = false;
        while self.skip(b"!") {
            negate = !negate;
        }
        let opened = self.at;
        let term = if self.skip(b"(") {
            let inner = self.or(depth + 1)?;
            if !self.skip(b")") {
                return Err(ConditionError { at: opened, problem: Problem::Open });
            }
            inner
        } else {
            self.integer().map(Ok).unwrap_or_else(|| self.predicate())?
        };
        Ok(if negate { Condition::Not(Box::new(term)) } else { term })
    }

    /// `[+-]` digits, `0` octal digits or `0x` hexadecimal digits, of any length; true when not zero.
    fn integer(&mut self) -> Option<Condition> {
        let rest = self.rest();
        let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
        let is_digit = |radix| move |byte: &u8| char::from(*byte).is_digit(radix);
        let (prefix, radix) = match &rest[sign..] {
            [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (2, 16),
            [b'0', ..] => (0, 8),
            _ => (0, 10),
        };
        let digits = rest[sign + prefix..].split(|byte| !is_digit(radix)(byte)).next().unwrap_or_default();
        if digits.is_empty() {
            return None;
        }
        self.at += sign + prefix + digits.len();
        Some(Condition::Constant(digits.iter().any(|digit| *digit != b'0')))
    }

    fn predicate(&mut self) -> Result<Condition, ConditionError> {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let (name, after) = rest.split_at(length);
        let Some(predicate) = PREDICATES.iter().find(|predicate| predicate.name.as_bytes() == name) else {
            return Err(self.error(Problem::NoTerm));
        };
        self.at += length;
        let Some(inside) = after.strip_prefix(b"(") else {
            return self.ask(predicate, vec![Vec::new()]);
        };
        let (list, left) = arguments(inside, predicate.takes);
        self.at = self.text.len() - left.len();
        let asked = self.ask(predicate, list)?;
        if left.first() != Some(&b')') {
            return Err(self.error(Problem::Unclosed { predicate: predicate.name }));
        }
        self.at += 1;
        Ok(asked)
    }

    fn ask(&self, predicate: &'static Predicate, list: Vec<Vec<u8>>) -> Result<Condition, ConditionError> {
        let (takes, got) = (predicate.takes, list.iter().filter(|one| !one.is_empty()).count());
        match list.len() < takes {
            true => Err(self.error(Problem::Missing { predicate: predicate.name, takes, got })),
            false => Ok(Condition::Ask(predicate, list)),
        }
    }
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
