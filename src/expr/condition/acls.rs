//! The ACLs that conditions name: those of a section, and those that are always there.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Test, is_name, unknown};
use crate::expr::context::Context;
use crate::expr::error::{ConditionError, ExprError, Wrong, shown};

/// The ACLs of a section.
#[derive(Debug, Clone, Default)]
pub struct Acls {
    named: HashMap<Box<[u8]>, Arc<Vec<Test>>>,
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
    /// is whether that test can never hold, for want of a pattern.
    ///
    /// # Errors
    /// [`ExprError`] that blames a word.
    pub fn define(&mut self, words: &[&[u8]], context: &Context<'_>) -> Result<bool, ExprError> {
        let name = words.first().copied().unwrap_or_default();
        if !is_name(name) {
            let why = Wrong::Condition(ConditionError::Name { name: shown(name) });
            return Err(ExprError::new(0, 0..name.len(), why));
        }
        let test = Test::read(words, 1, context)?;
        // one that names itself would have no end
        if test.expr.names_acls() {
            let what = "'acl(…)' and 'when(acl,…)' within an ACL".to_owned();
            return Err(ExprError::new(1, 0..words.get(1).map_or(0, |word| word.len()), Wrong::NotBuilt { what }));
        }
        let never = test.patterns.never();
        Arc::make_mut(self.named.entry(name.into()).or_default()).push(test);
        Ok(never)
    }

    /// The tests of a name of the section.
    pub fn named(&self, name: &[u8]) -> Option<Arc<Vec<Test>>> {
        self.named.get(name).cloned()
    }

    /// The tests of a name.
    pub(super) fn find(&self, name: &[u8], context: &Context<'_>) -> Result<Arc<Vec<Test>>, Wrong> {
        if let Some(tests) = self.named.get(name) {
            return Ok(tests.clone());
        }
        if let Some((_, words)) = ALWAYS.iter().find(|(known, _)| known.as_bytes() == name) {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            return Ok(Arc::new(vec![Test::read(&words, 0, context).map_err(|why| why.why)?]));
        }
        match HTTP.iter().find(|known| known.as_bytes() == name) {
            Some(name) => Err(Wrong::NotBuilt { what: format!("the ACL '{name}' (HTTP)") }),
            None => Err(unknown(name)),
        }
    }
}
