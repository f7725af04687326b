//! Conditions: ACLs and how they are put together.
//!
//! A condition is rows of tests: all of a row must hold, and one row must. An answer has three values: rules that look at
//! bytes which are still to come wait. Source: manual §7.1, §7.2, §7.4; asked of 2.6 (`fixtures/expr/conditions.txt`).

mod acls;
mod links;
mod named;

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use super::error::{ConditionError, ExprError, Wrong, shown};
use super::expression::{Expr, Resolve};
use super::pattern::{self, Method, Patterns};
use super::{Facts, Fetched, Place};
use crate::text::{Like, look_alike};

pub use acls::Acls;
pub use named::NamedAcl;
pub(super) use named::all;

/// What a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It does not hold.
    False,
    /// It is not known yet: more bytes may come.
    NotYet,
    /// It holds.
    True,
}

impl Truth {
    fn of(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }

    fn negated(self, negated: bool) -> Self {
        match (self, negated) {
            (Self::True, true) => Self::False,
            (Self::False, true) => Self::True,
            _ => self,
        }
    }
}

/// Old names for a fetch and a way to compare.
const OLD: [(&str, &str, Method); 7] = [
    ("path_beg", "path", Method::Beg),
    ("path_dir", "path", Method::Dir),
    ("path_dom", "path", Method::Dom),
    ("path_end", "path", Method::End),
    ("path_reg", "path", Method::Reg),
    ("path_str", "path", Method::Str),
    ("path_sub", "path", Method::Sub),
];

/// An expression and what its value is compared with.
#[derive(Debug, Clone)]
pub struct Test {
    /// The expression.
    pub expr: Expr,
    /// What its value is compared with.
    pub patterns: Patterns,
}

impl Test {
    /// Reads `<expression> [flags] [operator] [pattern]...`; `from`: the first word.
    fn read(words: &[&[u8]], from: usize, context: &Context<'_>) -> Result<Self, ExprError> {
        let lax = Context { strict: false, ..*context };
        let mut at = from;
        let old = words.get(from).and_then(|word| OLD.iter().find(|(name, ..)| name.as_bytes() == *word));
        let (expr, default) = match old {
            Some((_, fetch, method)) => {
                at += 1;
                (Expr::parse(fetch.as_bytes(), &lax)?, Some(*method))
            }
            None => (Expr::compile(words, &mut at, &lax)?, None),
        };
        let payload = matches!(expr.fetch_name(), "payload" | "payload_lv") && !expr.converted();
        let name = old.map_or(expr.fetch_name(), |(name, ..)| *name);
        // The groups of a user stand between slashes.
        let groups = expr.fetch_name() == "http_auth_group" && !expr.converted();
        let default = default.or(payload.then_some(Method::Bin)).or(groups.then_some(Method::Dir));
        // Versions are written as decimals where nothing says that they are numbers.
        let rest = words.get(at..).unwrap_or_default();
        let versions = matches!(expr.fetch_name(), "req.ssl_ver" | "req_ssl_ver") && !expr.converted();
        let patterns = if versions && !rest.contains(&&b"-m"[..]) {
            let numbers: Vec<Vec<u8>> = rest.iter().map(|word| as_number(word)).collect();
            let all: Vec<&[u8]> = words[..at].iter().copied().chain(numbers.iter().map(Vec::as_slice)).collect();
            pattern::read(&all, at, (name, expr.gives()), default, context)?
        } else {
            pattern::read(words, at, (name, expr.gives()), default, context)?
        };
        Ok(Self { expr, patterns })
    }

    fn evaluate(&self, facts: &dyn Facts) -> Truth {
        match self.expr.evaluate(facts) {
            Fetched::Value(value) => Truth::of(self.patterns.fit(&value)),
            Fetched::Growing(value) if self.patterns.fit(&value) => Truth::True,
            Fetched::Growing(_) | Fetched::NotYet => Truth::NotYet,
            Fetched::Missing => Truth::False,
        }
    }
}

/// A test of a row, or tests of one name of which one must hold.
#[derive(Debug, Clone)]
struct Term {
    negated: bool,
    tests: Arc<Vec<Test>>,
    /// The name of its ACL, until it is complete; none between braces.
    name: Option<Box<[u8]>>,
    /// The word of the condition that it begins with.
    word: usize,
}

/// A test that knows nothing where its condition stands, so that it never holds there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misplaced<'c> {
    /// The name of its ACL; none between braces.
    pub acl: Option<&'c [u8]>,
    /// What it fetches.
    pub fetch: &'static str,
    /// Whether other tests of the same name may hold.
    pub others: bool,
    /// Where it stands.
    pub place: Place,
    /// The word of the condition, from 0.
    pub word: usize,
}

impl fmt::Display for Misplaced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fetch, place) = (self.fetch, self.place.name());
        match self.acl.map(shown) {
            None => write!(f, "an anonymous ACL never matches: nothing is known of '{fetch}' in a '{place}'"),
            Some(acl) if self.others => {
                write!(f, "the ACL '{acl}' looks at '{fetch}', which is not known in a '{place}'")
            }
            Some(acl) => write!(f, "the ACL '{acl}' never matches: nothing is known of '{fetch}' in a '{place}'"),
        }
    }
}

impl Term {
    fn evaluate(&self, facts: &dyn Facts) -> Truth {
        let mut found = Truth::False;
        for test in self.tests.iter() {
            match test.evaluate(facts) {
                Truth::True => return Truth::True.negated(self.negated),
                Truth::NotYet => found = Truth::NotYet,
                Truth::False => {}
            }
        }
        found.negated(self.negated)
    }
}

/// A condition.
#[derive(Debug, Clone)]
pub struct Condition {
    /// `unless`.
    negated: bool,
    rows: Vec<Vec<Term>>,
}

impl Condition {
    /// Compiles `if <condition>` or `unless <condition>`.
    ///
    /// # Errors
    /// [`ExprError`] that blames a word.
    pub fn compile(words: &[&[u8]], acls: &Acls, context: &Context<'_>) -> Result<Self, ExprError> {
        let negated = words.first() == Some(&&b"unless"[..]);
        let blame = |at: usize, why: ConditionError| {
            let length = words.get(at).map_or(0, |word| word.len());
            ExprError::new(at, 0..length, Wrong::Condition(why))
        };
        let (mut rows, mut row, mut flipped) = (Vec::new(), Vec::new(), false);
        let mut at = 1;
        while let Some(word) = words.get(at).filter(|word| !word.is_empty()) {
            let bangs = word.iter().take_while(|byte| **byte == b'!').count();
            flipped ^= bangs % 2 == 1;
            let name = &word[bangs..];
            match name {
                b"" => {}
                // in any case; what negates it is forgotten
                name if name.eq_ignore_ascii_case(b"or") || name == b"||" => {
                    rows.push(std::mem::take(&mut row));
                    flipped = false;
                }
                b"{" => {
                    let open = at;
                    let rest = words.get(at + 1..).unwrap_or_default();
                    let end = rest.iter().position(|word| word.is_empty() || *word == b"}");
                    let end = end.filter(|end| !rest[*end].is_empty()).ok_or_else(|| {
                        // a brace that is none is what is wrong
                        let like = |word: &&[u8]| look_alike(word).is_some_and(|found| found.like == Like::Ascii('}'));
                        blame(rest.iter().position(like).map_or(open, |at| open + 1 + at), ConditionError::Unclosed)
                    })?;
                    at += end + 1;
                    let inner = &words[..at];
                    if end == 0 {
                        return Err(ExprError::new(open, 0..name.len(), Wrong::Missing));
                    }
                    let tests = Arc::new(vec![Test::read(inner, open + 1, context)?]);
                    row.push(Term { negated: std::mem::take(&mut flipped), tests, name: None, word: open });
                }
                name => {
                    let tests = acls.find(name, context).map_err(|why| ExprError::new(at, bangs..word.len(), why))?;
                    row.push(Term { negated: std::mem::take(&mut flipped), tests, name: Some(name.into()), word: at });
                }
            }
            at += 1;
        }
        rows.push(row);
        rows.retain(|row| !row.is_empty());
        Ok(Self { negated, rows })
    }

    /// What it says now.
    pub fn evaluate(&self, facts: &dyn Facts) -> Truth {
        let mut found = Truth::False;
        for row in &self.rows {
            // A row is what its first term says that does not hold: one that is not known yet is waited for, though one behind it
            // may never hold.
            let first = row.iter().map(|term| term.evaluate(facts)).find(|says| *says != Truth::True);
            match first.unwrap_or(Truth::True) {
                Truth::True => return Truth::True.negated(self.negated),
                Truth::NotYet => found = Truth::NotYet,
                Truth::False => {}
            }
        }
        found.negated(self.negated)
    }

    /// Whether what it says is not known before the client has sent something: its only row begins with what was sent.
    pub fn begins_with_bytes(&self) -> bool {
        let [row] = self.rows.as_slice() else { return false };
        let of_bytes =
            |test: &Test| test.expr.fetch_name().starts_with("req") || test.expr.fetch_name().starts_with("payload");
        row.first().is_some_and(|term| term.tests.iter().all(of_bytes))
    }

    /// A name or a test of it that can never hold at that place: the first of those that cannot hold at all, or else the first test
    /// of a name with others that can. 2.6 warns of one, too.
    pub fn misplaced(&self, place: Place) -> Option<Misplaced<'_>> {
        let found = self.rows.iter().flatten().filter_map(|term| {
            let here = |test: &&Test| !test.expr.places().allow(place);
            let fetch = term.tests.iter().find(here)?.expr.fetch_name();
            let others = !term.tests.iter().all(|test| here(&test));
            Some(Misplaced { acl: term.name.as_deref(), fetch, others, place, word: term.word })
        });
        found.min_by_key(|misplaced| misplaced.others)
    }

    /// The words of expressions between braces behind which nothing says what they are compared with.
    pub fn unsaid(&self) -> impl Iterator<Item = usize> {
        let terms = self.rows.iter().flatten().filter(|term| term.name.is_none());
        terms.filter(|term| term.tests.iter().any(|test| test.patterns.unsaid())).map(|term| term.word + 1)
    }

    /// Whether it is the same whenever it is asked: it holds always, or never.
    pub fn is_constant(&self) -> Option<bool> {
        let constant = |term: &Term| match term.tests.as_slice() {
            [test] if test.expr.fetch_name() == "always_true" => Some(!term.negated),
            [test] if test.expr.fetch_name() == "always_false" => Some(term.negated),
            _ => None,
        };
        let row = |row: &Vec<Term>| match row.iter().map(constant).collect::<Option<Vec<_>>>() {
            Some(terms) => Some(terms.into_iter().all(|term| term)),
            None if row.iter().any(|term| constant(term) == Some(false)) => Some(false),
            None => None,
        };
        let rows: Vec<Option<bool>> = self.rows.iter().map(row).collect();
        let holds = match rows {
            rows if rows.contains(&Some(true)) => Some(true),
            rows if rows.iter().all(|row| *row == Some(false)) => Some(false),
            _ => None,
        };
        holds.map(|holds| holds != self.negated)
    }

    /// All its tests: for warnings.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        self.rows.iter().flatten().flat_map(|term| term.tests.iter())
    }

    /// Takes the tests of its ACLs from all lines of their section: those below count, too. Then it names none any more, so that a
    /// section which inherits it means what its defaults meant.
    pub fn complete(&mut self, acls: &Acls) {
        for term in self.rows.iter_mut().flatten() {
            if let Some(tests) = term.name.take().and_then(|name| acls.said(&name)) {
                term.tests = Arc::clone(tests);
            }
        }
        self.link(acls);
    }

    /// Looks up the names among the arguments of its expressions.
    ///
    /// # Errors
    /// [`Wrong::Unresolved`].
    pub fn resolve(&mut self, names: &dyn Resolve) -> Result<(), ExprError> {
        let terms = self.rows.iter_mut().flatten();
        terms.flat_map(|term| Arc::make_mut(&mut term.tests)).try_for_each(|test| test.expr.resolve(names))
    }
}

/// A version or a range of them (`3.1:3.3`, `3`) as numbers: the major one counts 65536. Other words stay.
fn as_number(word: &[u8]) -> Vec<u8> {
    let version = |text: &str| -> Option<String> {
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        let (major, minor): (u16, u16) = (major.parse().ok()?, minor.parse().ok()?);
        Some((u32::from(major) << 16 | u32::from(minor)).to_string())
    };
    let end = |text: &str| if text.is_empty() { Some(String::new()) } else { version(text) };
    let text = std::str::from_utf8(word).unwrap_or_default();
    let number = match text.split_once(':') {
        Some((low, high)) => end(low).zip(end(high)).map(|(low, high)| format!("{low}:{high}")),
        None => version(text),
    };
    number.map_or_else(|| word.to_vec(), String::into_bytes)
}

/// Whether a name can be that of an ACL.
fn is_name(name: &[u8]) -> bool {
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    !name.is_empty() && name.iter().all(good)
}

/// The error of a name that no ACL has.
fn unknown(name: &[u8]) -> Wrong {
    Wrong::Condition(ConditionError::UnknownAcl { name: shown(name) })
}
