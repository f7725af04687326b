//! What the rules of a session leave behind.

use super::tracking::Tracking;
use crate::expr::{Scope, Value, VarName};

/// What the rules of a session leave behind.
#[derive(Debug, Default)]
pub(in crate::engine) struct Memory {
    /// Few at most: they are looked up one after the other.
    variables: Vec<(VarName, Value<'static>)>,
    /// Entries of stick tables.
    pub(in crate::engine) tracking: Tracking,
}

impl Memory {
    /// The value of a variable.
    pub(super) fn variable(&self, name: &VarName) -> Option<Value<'static>> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    pub(super) fn set(&mut self, name: &VarName, value: Value<'static>) {
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.variables.push((name.clone(), value)),
        }
    }

    pub(super) fn unset(&mut self, name: &VarName) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// Forgets the variables of a scope, at its end.
    pub(in crate::engine) fn forget(&mut self, scope: Scope) {
        self.variables.retain(|(known, _)| known.scope() != scope);
    }
}
