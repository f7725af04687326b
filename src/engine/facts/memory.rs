//! What the rules of a session leave behind.

use std::net::SocketAddr;

use crate::expr::{Scope, Value, VarName};
use crate::pool::{Priority, Urgency};

/// What the rules of a session leave behind.
#[derive(Debug, Default)]
pub(in crate::engine) struct Memory {
    /// Few at most: they are looked up one after the other.
    variables: Vec<(VarName, Value<'static>)>,
    /// The client's address, until the session has taken it over.
    pub(in crate::engine) source: Option<SocketAddr>,
    /// The address that it connected to, until the session has taken it over.
    pub(in crate::engine) destination: Option<SocketAddr>,
    /// The level of its line.
    pub(in crate::engine) level: Option<Urgency>,
    /// What it has in queues before others.
    pub(in crate::engine) priority: Priority,
}

impl Memory {
    /// The value of a variable.
    pub(super) fn variable(&self, name: &VarName) -> Option<Value<'static>> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    pub(in crate::engine) fn set(&mut self, name: &VarName, value: Value<'static>) {
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.variables.push((name.clone(), value)),
        }
    }

    pub(super) fn unset(&mut self, name: &VarName) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// All variables.
    pub(in crate::engine) fn variables(&self) -> &[(VarName, Value<'static>)] {
        &self.variables
    }

    /// Forgets the variables of a scope, at its end.
    pub(in crate::engine) fn forget(&mut self, scope: Scope) {
        self.variables.retain(|(known, _)| known.scope() != scope);
    }

    /// The addresses that rules have set: source and destination.
    pub(in crate::engine) fn take_addresses(&mut self) -> Option<(Option<SocketAddr>, Option<SocketAddr>)> {
        let addresses = (self.source.take(), self.destination.take());
        (addresses != (None, None)).then_some(addresses)
    }
}
