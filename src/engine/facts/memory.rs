//! What the rules of a session leave behind.

use crate::expr::{Scope, Value, VarName};

/// Most bytes of a unique id, as the journal makes them.
const LONGEST_ID: usize = 127;

/// What the rules of a session leave behind.
#[derive(Debug, Default)]
pub(in crate::engine) struct Memory {
    /// Few at most: they are looked up one after the other.
    variables: Vec<(VarName, Value<'static>)>,
    /// What `unique-id-format` has made.
    pub(super) unique_id: UniqueId,
}

/// A session's unique id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum UniqueId {
    /// Nobody has asked for it.
    #[default]
    NotMade,
    /// It is being made.
    Making,
    /// It is this from now on.
    Made(Box<[u8]>),
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

    /// The unique id, if it was made.
    pub(in crate::engine) fn made_id(&self) -> Option<&[u8]> {
        match &self.unique_id {
            UniqueId::Made(id) => Some(id),
            UniqueId::NotMade | UniqueId::Making => None,
        }
    }

    /// Keeps a unique id that another process made.
    pub(in crate::engine) fn keep_id(&mut self, id: &[u8]) {
        self.unique_id = UniqueId::Made(id.get(..LONGEST_ID).unwrap_or(id).into());
    }

    /// Forgets the variables of a scope, at its end.
    pub(in crate::engine) fn forget(&mut self, scope: Scope) {
        self.variables.retain(|(known, _)| known.scope() != scope);
    }
}
