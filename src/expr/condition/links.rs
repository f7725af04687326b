//! ACLs that name ACLs: `acl both acl(a,b)`.
//!
//! When all lines of a section are read, each ACL is given the tests of those that it names. One that leads back to itself says
//! nothing, and is an error. Source: manual of 3.x §7.3.2 "acl", §7.3.1 "when"; not asked: no 3.x binary.

use std::collections::HashMap;
use std::sync::Arc;

use super::acls::Acls;
use super::{Condition, Test, shown};
use crate::expr::error::ConditionError;
use crate::text::Span;

/// So many ACLs may name one another in a row.
const DEEPEST: usize = 32;
/// So many may an ACL name in all, through others, each as often as it is named.
const MOST: usize = 4096;

type Name = Box<[u8]>;

/// The tests of an ACL, and what they name.
#[derive(Clone)]
struct Linked {
    tests: Arc<Vec<Test>>,
    /// How many there are with it.
    count: usize,
    /// How many of them in a row.
    height: usize,
}

impl Acls {
    /// Gives the tests the ACLs that they name. What cannot be is told with its line, and never holds.
    pub fn link(&mut self) -> Vec<(Span, ConditionError)> {
        let names_some = |tests: &[Test]| tests.iter().any(|test| test.expr.names_acls());
        let mut names: Vec<(Span, Name)> = self
            .named
            .iter()
            .filter(|(_, named)| names_some(&named.tests))
            .map(|(name, named)| (named.span, name.clone()))
            .collect();
        names.sort_by_key(|(span, _)| (span.file.0, span.line));
        let mut links = Links { acls: self, done: HashMap::new(), path: Vec::new(), wrong: Vec::new() };
        for (_, name) in names {
            links.follow(&name);
        }
        let Links { done, wrong, .. } = links;
        for (name, linked) in done {
            if let Some(named) = self.named.get_mut(&name) {
                named.tests = linked.tests;
            }
        }
        wrong
    }
}

/// ACLs on the way to be linked.
struct Links<'a> {
    acls: &'a Acls,
    done: HashMap<Name, Linked>,
    /// Each named by the one before it.
    path: Vec<Name>,
    wrong: Vec<(Span, ConditionError)>,
}

impl Links<'_> {
    /// The tests of an ACL, with all that they name; `None`: it is not one of the section.
    fn follow(&mut self, name: &[u8]) -> Option<Linked> {
        if let Some(done) = self.done.get(name) {
            return Some(done.clone());
        }
        let named = self.acls.named.get(name)?;
        if let Some(begun) = self.path.iter().position(|before| **before == *name) {
            let way = self.path.iter().skip(begun).map(|name| &**name).chain([name]);
            let way = way.map(shown).collect::<Vec<_>>().join(" → ");
            return Some(self.refused(named.span, ConditionError::Circle { way }));
        }
        if self.path.len() == DEEPEST {
            return Some(self.refused(named.span, ConditionError::Many { name: shown(name) }));
        }
        self.path.push(name.into());
        let mut tests = Vec::clone(&named.tests);
        let (mut count, mut height) = (1, 1);
        for acl in tests.iter_mut().flat_map(|test| test.expr.acls_mut()) {
            match self.follow(acl.name()) {
                Some(linked) => {
                    count += linked.count;
                    height = height.max(linked.height + 1);
                    acl.link(linked.tests);
                }
                None if acl.is_known() => {}
                None => {
                    self.wrong.push((named.span, ConditionError::UnknownAcl { name: shown(acl.name()) }));
                    acl.link(Arc::default());
                }
            }
            if let Some(known) = self.acls.named.get(acl.name()) {
                known.used.set(true);
            }
        }
        self.path.pop();
        let linked = if count > MOST || height > DEEPEST {
            self.refused(named.span, ConditionError::Many { name: shown(name) })
        } else {
            Linked { tests: Arc::new(tests), count, height }
        };
        self.done.insert(name.into(), linked.clone());
        Some(linked)
    }

    fn refused(&mut self, span: Span, why: ConditionError) -> Linked {
        self.wrong.push((span, why));
        Linked { tests: Arc::default(), count: 1, height: 1 }
    }
}

impl Condition {
    /// Gives the expressions between braces the ACLs of the section that they name.
    pub(super) fn link(&mut self, acls: &Acls) {
        let terms = self.rows.iter_mut().flatten();
        for term in terms.filter(|term| term.tests.iter().any(|test| test.expr.names_acls())) {
            let tests = Arc::make_mut(&mut term.tests);
            for acl in tests.iter_mut().flat_map(|test| test.expr.acls_mut()) {
                if let Some(tests) = acls.named(acl.name()).filter(|_| !acl.is_linked()) {
                    acl.link(tests);
                }
            }
        }
    }
}
