//! Variables of the process (`proc.…`), and how much room variables of all scopes may take.
//!
//! Who reads a variable takes no lock: the names are one map that is put in place whole when there is a new name, and each name
//! has a place whose value is put in place whole. Nothing of it moves to another process, as in haproxy.
//! Source: manual §3.1 "set-var", §3.2 "tune.vars"; what a variable takes was measured on 2.6.12.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::expr::{Scope, Value, VarName};
use crate::ir::VariableSizes;

/// What a variable takes besides its text or bytes, as haproxy counts it.
const OVERHEAD: u64 = 80;

/// What a variable takes.
pub fn size(value: &Value<'_>) -> u64 {
    OVERHEAD
        + match value {
            Value::Str(bytes) | Value::Bin(bytes) => bytes.len() as u64,
            _ => 0,
        }
}

/// How much room variables may take, and take.
///
/// The limits hold for all that lies within: the process's for its sessions, too, a session's for its transaction, that one's
/// for the request or response that is worked on.
#[derive(Debug, Default)]
pub struct Budget {
    sizes: VariableSizes,
    /// All variables of all scopes.
    used: AtomicU64,
}

/// What the variables of a session, or of a check, take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    session: u64,
    transaction: u64,
    message: u64,
}

impl Budget {
    /// Nothing is taken yet.
    pub fn new(sizes: VariableSizes) -> Self {
        Self { sizes, used: AtomicU64::new(0) }
    }

    /// Makes room for a variable of a scope: that it takes `new`, where it took `old` before (0: it is a new one). `false`:
    /// there is no room, and nothing is changed.
    pub fn resize(&self, spent: &mut Spent, scope: Scope, old: u64, new: u64) -> bool {
        let mut next = *spent;
        let mut fits = true;
        let mut add = |count: &mut u64, limit: u64| {
            *count = (*count + new).saturating_sub(old);
            fits &= limit == 0 || new <= old || *count <= limit;
        };
        match scope {
            Scope::Request | Scope::Response => {
                add(&mut next.message, self.sizes.message);
                add(&mut next.transaction, self.sizes.transaction);
                add(&mut next.session, self.sizes.session);
            }
            Scope::Transaction => {
                add(&mut next.transaction, self.sizes.transaction);
                add(&mut next.session, self.sizes.session);
            }
            Scope::Session => add(&mut next.session, self.sizes.session),
            Scope::Check => add(&mut next.session, self.sizes.check),
            Scope::Process => {}
        }
        // A check's are no part of the process's.
        let process = if scope == Scope::Check { 0 } else { self.sizes.process };
        let most = [process, self.sizes.all].into_iter().filter(|limit| *limit > 0).min().unwrap_or(u64::MAX);
        let take = |used: u64| {
            let next = (used + new).saturating_sub(old);
            (new <= old || next <= most).then_some(next)
        };
        let fits = fits && self.used.fetch_update(Relaxed, Relaxed, take).is_ok();
        if fits {
            *spent = next;
        }
        fits
    }

    /// The end of all variables of a session.
    pub fn give_back(&self, spent: &mut Spent) {
        self.used.fetch_sub(std::mem::take(spent).session, Relaxed);
    }

    /// What all variables take.
    pub fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }
}

type Slot = Arc<ArcSwapOption<Value<'static>>>;

/// The variables of the process.
#[derive(Debug, Default)]
pub struct Variables {
    names: ArcSwap<HashMap<Box<str>, Slot>>,
    /// Who changes one has this.
    changing: Mutex<()>,
    /// How much room variables of all scopes may take.
    pub budget: Budget,
}

impl Variables {
    /// Those that the configuration sets.
    pub fn new(sizes: VariableSizes, set: &[(VarName, Value<'static>)]) -> Self {
        let made = Self { budget: Budget::new(sizes), ..Self::default() };
        set.iter().for_each(|(name, value)| _ = made.set(name.name(), Some(value.borrowed())));
        made
    }

    /// The value of a variable; `name`: without its scope.
    pub fn get(&self, name: &str) -> Option<Arc<Value<'static>>> {
        self.names.load().get(name)?.load_full()
    }

    /// Shows all that are set, in no order.
    pub fn each(&self, see: &mut dyn FnMut(&str, &Value<'_>)) {
        for (name, slot) in self.names.load().iter() {
            if let Some(value) = slot.load_full() {
                see(name, &value);
            }
        }
    }

    /// Whether a variable was ever set, even if it is not now.
    pub fn exists(&self, name: &str) -> bool {
        self.names.load().contains_key(name)
    }

    /// Sets a variable, or forgets its value; `false`: there is no room, and it stays as it was.
    pub fn set(&self, name: &str, value: Option<Value<'_>>) -> bool {
        let _only = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.names.load();
        let known = names.get(name);
        let Some(value) = value else {
            if let Some(old) = known.and_then(|slot| slot.swap(None)) {
                self.budget.resize(&mut Spent::default(), Scope::Process, size(&old), 0);
            }
            return true;
        };
        let old = known.and_then(|slot| slot.load_full());
        let old = old.map_or(0, |value| size(&value));
        if !self.budget.resize(&mut Spent::default(), Scope::Process, old, size(&value)) {
            return false;
        }
        let value = Some(Arc::new(value.into_owned()));
        match known {
            Some(slot) => slot.store(value),
            None => {
                let mut more = HashMap::clone(&names);
                more.insert(name.into(), Arc::new(ArcSwapOption::new(value)));
                self.names.store(Arc::new(more));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_and_forgotten() {
        let variables = Variables::default();
        assert!(!variables.exists("a") && variables.get("a").is_none());
        assert!(variables.set("a", Some(Value::text(b"one"))));
        assert!(variables.set("b", Some(Value::Int(2))));
        let before = variables.get("a").expect("set");
        assert!(variables.set("a", Some(Value::text(b"another"))));
        assert_eq!((&*before, &*variables.get("a").expect("set")), (&Value::text(b"one"), &Value::text(b"another")));
        assert_eq!(variables.budget.used(), 80 + 7 + 80);
        variables.set("a", None);
        assert!(variables.exists("a") && variables.get("a").is_none());
        assert_eq!(variables.budget.used(), 80);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let sizes = VariableSizes { process: 200, ..VariableSizes::default() };
        let variables = Variables::new(sizes, &[]);
        let long = vec![b'x'; 121];
        assert!(!variables.set("a", Some(Value::text(&long))), "haproxy: 80 and 120 are 200");
        assert!(variables.set("a", Some(Value::text(&long[1..]))));
        assert!(!variables.set("b", Some(Value::Int(1))));
        assert!(!variables.exists("b"));
        assert!(variables.set("a", Some(Value::Int(1))) && variables.set("b", Some(Value::Int(1))));
    }

    #[test]
    fn limits_hold_for_what_lies_within() {
        let sizes = VariableSizes { session: 300, transaction: 200, message: 100, ..VariableSizes::default() };
        let budget = Budget::new(sizes);
        let mut spent = Spent::default();
        assert!(!budget.resize(&mut spent, Scope::Request, 0, 101));
        assert!(budget.resize(&mut spent, Scope::Request, 0, 90));
        assert!(!budget.resize(&mut spent, Scope::Response, 0, 90), "one limit for both");
        assert!(budget.resize(&mut spent, Scope::Transaction, 0, 110));
        assert!(!budget.resize(&mut spent, Scope::Transaction, 0, 1), "what is within counts");
        assert!(budget.resize(&mut spent, Scope::Session, 0, 100));
        assert!(!budget.resize(&mut spent, Scope::Session, 0, 1));
        assert!(budget.resize(&mut spent, Scope::Request, 90, 0));
        assert!(budget.resize(&mut spent, Scope::Check, 0, 1000), "checks have a limit of their own");
        budget.give_back(&mut spent);
        assert_eq!(budget.used(), 0);
        let all = Budget::new(VariableSizes { all: 100, ..VariableSizes::default() });
        assert!(all.resize(&mut Spent::default(), Scope::Check, 0, 100));
        assert!(!all.resize(&mut Spent::default(), Scope::Session, 0, 1));
    }
}
