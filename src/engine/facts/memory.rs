//! What the rules of a session leave behind.

use std::net::SocketAddr;
use std::sync::Arc;

use super::tracking::Tracking;
use crate::engine::clock;
use crate::engine::connect::Packets;
use crate::engine::stick::Keys;
use crate::expr::{Scope, Side, Value, VarName};
use crate::pool::bandwidth::Bandwidth;
use crate::pool::resolution::Inquiry;
use crate::pool::{Priority, Spent, Urgency, Variables, variable_size};

/// Most bytes of a unique id, as the journal makes them.
const LONGEST_ID: usize = 127;

/// What the rules of a session leave behind.
#[derive(Debug)]
pub(in crate::engine) struct Memory {
    /// Few at most: they are looked up one after the other.
    variables: Vec<(VarName, Value<'static>)>,
    /// The client's address, until the session has taken it over.
    pub(in crate::engine) source: Option<SocketAddr>,
    /// The address that it connected to, until the session has taken it over.
    pub(in crate::engine) destination: Option<SocketAddr>,
    /// The level of its line.
    pub(in crate::engine) level: Option<Urgency>,
    /// How packets to the server are marked.
    pub(in crate::engine) packets: Packets,
    /// How many bytes it may forward in what time; `None`: as many as come.
    pub(in crate::engine) bandwidth: Option<Box<Bandwidth>>,
    /// How often it may try to connect again; `None`: as the backend says.
    pub(in crate::engine) retries: Option<u32>,
    /// What it has in queues before others.
    pub(in crate::engine) priority: Priority,
    /// What `unique-id-format` has made.
    pub(super) unique_id: UniqueId,
    /// What is kept for the log.
    pub(in crate::engine) captures: Captured,
    /// Entries of stick tables.
    pub(in crate::engine) tracking: Tracking,
    /// A name that it waits for, with the place of the rule that does: no other rule is looked at before. Of one that has moved only
    /// the place is known.
    pub(in crate::engine) awaited: Option<(usize, Option<Arc<Inquiry>>)>,
    /// What tables are told of its server when rules have let the answer pass.
    pub(in crate::engine) untold: Keys,
    spent: Spent,
    /// Those of the process, with the room that all have.
    process: Arc<Variables>,
}

/// What is kept of a session for its log line, by place.
#[derive(Debug, Default)]
pub(in crate::engine) struct Captured {
    pub(in crate::engine) request: Vec<Option<Box<[u8]>>>,
    pub(in crate::engine) response: Vec<Option<Box<[u8]>>>,
}

impl Captured {
    pub(in crate::engine) fn get(&self, side: Side, slot: usize) -> Option<&[u8]> {
        let all = if side == Side::Request { &self.request } else { &self.response };
        all.get(slot)?.as_deref()
    }

    /// Keeps a text. `slot`: a place that the frontend has.
    pub(in crate::engine) fn keep(&mut self, side: Side, slot: usize, text: Box<[u8]>) {
        let all = if side == Side::Request { &mut self.request } else { &mut self.response };
        if all.len() <= slot {
            all.resize(slot + 1, None);
        }
        if let Some(place) = all.get_mut(slot) {
            *place = Some(text);
        }
    }
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
    pub(in crate::engine) fn new(process: Arc<Variables>) -> Self {
        Self {
            variables: Vec::new(),
            captures: Captured::default(),
            source: None,
            destination: None,
            level: None,
            packets: Packets::default(),
            bandwidth: None,
            retries: None,
            priority: Priority::default(),
            tracking: Tracking::default(),
            unique_id: UniqueId::NotMade,
            awaited: None,
            untold: Keys::new(),
            spent: Spent::default(),
            process,
        }
    }

    /// The value of a variable of a session.
    pub(super) fn variable(&self, name: &VarName) -> Option<Value<'static>> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Sets a variable; one for which there is no room stays as it was.
    pub(in crate::engine) fn set(&mut self, name: &VarName, value: Value<'static>) {
        let known = self.variables.iter_mut().find(|(known, _)| known == name);
        let old = known.as_ref().map_or(0, |(_, value)| variable_size(value));
        if !self.process.budget.resize(&mut self.spent, name.scope(), old, variable_size(&value)) {
            return;
        }
        match known {
            Some((_, old)) => *old = value,
            None => self.variables.push((name.clone(), value)),
        }
    }

    pub(super) fn unset(&mut self, name: &VarName) {
        self.remove(|known| known == name);
    }

    /// All variables.
    pub(in crate::engine) fn variables(&self) -> &[(VarName, Value<'static>)] {
        &self.variables
    }

    /// The addresses that rules have set: source and destination.
    pub(in crate::engine) fn take_addresses(&mut self) -> Option<(Option<SocketAddr>, Option<SocketAddr>)> {
        let addresses = (self.source.take(), self.destination.take());
        (addresses != (None, None)).then_some(addresses)
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
        self.remove(|known| known.scope() == scope);
    }

    fn remove(&mut self, meant: impl Fn(&VarName) -> bool) {
        let (spent, budget) = (&mut self.spent, &self.process.budget);
        self.variables.retain(|(known, value)| {
            let goes = meant(known);
            if goes {
                budget.resize(spent, known.scope(), variable_size(value), 0);
            }
            !goes
        });
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(bandwidth) = &self.bandwidth {
            bandwidth.touch(clock::now());
        }
        self.process.budget.give_back(&mut self.spent);
    }
}
