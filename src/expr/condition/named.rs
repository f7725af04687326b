//! ACLs that an expression names: `acl(a,!b)` and `when(acl,a)`.
//!
//! Which they are is known when all lines of a section are read: the names are looked up with all others. One that is always there is
//! read at once, and gives way to one of the section.

use std::sync::Arc;

use super::{Acls, ExprError, Resolve, Term, Test, Truth, Wrong};
use crate::expr::context::Context;
use crate::expr::{Facts, Fetched, Value};

/// An ACL that an expression names.
#[derive(Debug, Clone)]
pub struct NamedAcl {
    name: Box<[u8]>,
    negated: bool,
    /// `None`: not looked up.
    tests: Option<Arc<Vec<Test>>>,
    /// Whether they are those of the section that it stands in, whoever inherits it.
    linked: bool,
}

impl PartialEq for NamedAcl {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.negated) == (&other.name, other.negated)
    }
}

impl NamedAcl {
    /// A name, with `!` before it if it must not hold.
    pub(in crate::expr) fn read(text: &[u8], context: &Context<'_>) -> Self {
        let bare = text.strip_prefix(b"!");
        let name = bare.unwrap_or(text);
        Self {
            name: name.into(),
            negated: bare.is_some(),
            tests: Acls::default().find(name, context).ok(),
            linked: false,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether its tests are known.
    pub(super) fn is_known(&self) -> bool {
        self.tests.is_some()
    }

    /// Whether its section has given it its tests.
    pub(super) fn is_linked(&self) -> bool {
        self.linked
    }

    /// Gives it the tests of its section.
    pub(super) fn link(&mut self, tests: Arc<Vec<Test>>) {
        (self.tests, self.linked) = (Some(tests), true);
    }

    /// Finds its tests, and what their names stand for.
    pub(in crate::expr) fn resolve(&mut self, names: &dyn Resolve) -> Result<(), Wrong> {
        if let Some(found) = names.acl(&self.name).filter(|_| !self.linked) {
            self.tests = Some(found);
        }
        let unknown = || super::unknown(&self.name);
        let tests = Arc::make_mut(self.tests.as_mut().ok_or_else(unknown)?);
        tests.iter_mut().try_for_each(|test| test.expr.resolve(names)).map_err(|why: ExprError| why.why)
    }

    /// Whether it holds now; one that was not looked up never does.
    pub(in crate::expr) fn holds(&self, facts: &dyn Facts) -> Truth {
        let Some(tests) = &self.tests else { return Truth::False };
        Term { negated: self.negated, tests: Arc::clone(tests), name: None, word: 0 }.evaluate(facts)
    }
}

/// Whether all hold.
pub(in crate::expr) fn all<'a>(acls: &[NamedAcl], facts: &dyn Facts) -> Fetched<'a> {
    let mut found = Fetched::Value(Value::Bool(true));
    for acl in acls {
        match acl.holds(facts) {
            Truth::True => {}
            Truth::False => return Fetched::Value(Value::Bool(false)),
            Truth::NotYet => found = Fetched::NotYet,
        }
    }
    found
}
