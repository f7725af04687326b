//! The ACLs that conditions name: those of a section, and those that are always there.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Test, is_name, unknown};
use crate::expr::context::Context;
use crate::expr::error::{ConditionError, ExprError, Wrong, shown};
use crate::text::Span;

/// The ACLs of a section.
#[derive(Debug, Clone, Default)]
pub struct Acls {
    pub(super) named: HashMap<Box<[u8]>, Named>,
    /// Those that are always there and were used before a line of their name: such a line adds to them.
    predefined: HashSet<&'static str>,
}

/// The lines of a name.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) tests: Arc<Vec<Test>>,
    /// The name in the first of them.
    pub(super) span: Span,
    /// Whether a condition or an expression names it.
    pub(super) used: Cell<bool>,
}

/// Those that are always there, and need no parsed HTTP.
const ALWAYS: [(&str, &[&str]); 7] = [
    ("FALSE", &["always_false"]),
    ("HTTP", &["req.proto_http"]),
    ("LOCALHOST", &["src", "127.0.0.1/8", "::1"]),
    ("RDP_COOKIE", &["req.rdp_cookie_cnt", "gt", "0"]),
    ("REQ_CONTENT", &["req.len", "gt", "0"]),
    ("TRUE", &["always_true"]),
    ("WAIT_END", &["wait_end"]),
];

/// Those that need HTTP.
const HTTP: [&str; 15] = [
    "HTTP_1.0",
    "HTTP_1.1",
    "HTTP_2.0",
    "HTTP_CONTENT",
    "HTTP_URL_ABS",
    "HTTP_URL_SLASH",
    "HTTP_URL_STAR",
    "METH_CONNECT",
    "METH_DELETE",
    "METH_GET",
    "METH_HEAD",
    "METH_OPTIONS",
    "METH_POST",
    "METH_PUT",
    "METH_TRACE",
];

impl Acls {
    /// Reads `<name> <expression> [flags] [operator] [pattern]...`: a new ACL, or one more test of a known one. The answer
    /// is whether nothing says what it is compared with, so that it never holds. `span`: where the name stands.
    ///
    /// # Errors
    /// [`ExprError`] that blames a word.
    pub fn define(&mut self, words: &[&[u8]], span: Span, context: &Context<'_>) -> Result<bool, ExprError> {
        let name = words.first().copied().unwrap_or_default();
        if !is_name(name) {
            let why = Wrong::Condition(ConditionError::Name { name: shown(name) });
            return Err(ExprError::new(0, 0..name.len(), why));
        }
        let test = Test::read(words, 1, context)?;
        let unsaid = test.patterns.unsaid();
        if let Some(named) = self.named.get_mut(name) {
            Arc::make_mut(&mut named.tests).push(test);
            return Ok(unsaid);
        }
        let used = self.predefined.iter().any(|known| known.as_bytes() == name);
        let before = if used { predefined(name, context).transpose()? } else { None };
        let tests = Arc::new(before.into_iter().chain([test]).collect());
        self.named.insert(name.into(), Named { tests, span, used: Cell::new(used) });
        Ok(unsaid)
    }

    /// Notes which ACLs a line names: what stands behind `if` or `unless`, whatever the line means.
    pub fn note_uses<'w>(&mut self, words: impl Iterator<Item = &'w [u8]>) {
        for word in words.skip_while(|word| !matches!(*word, b"if" | b"unless")).skip(1) {
            let name = &word[word.iter().take_while(|byte| **byte == b'!').count()..];
            if let Some(named) = self.named.get_mut(name) {
                named.used.set(true);
            } else if let Some((known, _)) = ALWAYS.iter().find(|(known, _)| known.as_bytes() == name) {
                self.predefined.insert(known);
            }
        }
    }

    /// Those that no condition names, and where; in no order.
    pub fn unused(&self) -> impl Iterator<Item = (&[u8], Span)> {
        self.named.iter().filter(|(_, named)| !named.used.get()).map(|(name, named)| (&**name, named.span))
    }

    /// The tests of a name of the section, for an expression that names it.
    pub fn named(&self, name: &[u8]) -> Option<Arc<Vec<Test>>> {
        let named = self.named.get(name)?;
        named.used.set(true);
        Some(Arc::clone(&named.tests))
    }

    /// All tests of a name that lines of the section say, below a condition too.
    pub(super) fn said(&self, name: &[u8]) -> Option<&Arc<Vec<Test>>> {
        self.named.get(name).map(|named| &named.tests)
    }

    /// The tests of a name, as far as they were read.
    pub(super) fn find(&self, name: &[u8], context: &Context<'_>) -> Result<Arc<Vec<Test>>, Wrong> {
        if let Some(tests) = self.said(name) {
            return Ok(tests.clone());
        }
        if let Some(test) = predefined(name, context) {
            return Ok(Arc::new(vec![test.map_err(|why| why.why)?]));
        }
        match HTTP.iter().find(|known| known.as_bytes() == name) {
            Some(name) => Err(Wrong::NotBuilt { what: format!("the ACL '{name}' (HTTP)") }),
            None => Err(unknown(name)),
        }
    }
}

/// The test of a name that is always there.
fn predefined(name: &[u8], context: &Context<'_>) -> Option<Result<Test, ExprError>> {
    let (_, words) = ALWAYS.iter().find(|(known, _)| known.as_bytes() == name)?;
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    Some(Test::read(&words, 0, context))
}
