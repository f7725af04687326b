//! The servers of a backend as they are counted: those of the configuration, and behind them those that were added since.
//!
//! A place never moves and is never given back, so that readers need no lock; a server that was deleted leaves its place
//! to the next one with the same line.

use std::ops::Index;
use std::sync::OnceLock;

use super::ServerState;

/// The servers of a backend, by [`crate::ir::ServerIx`].
#[derive(Debug, Default)]
pub struct Servers {
    configured: Box<[ServerState]>,
    added: OnceLock<Box<boxcar::Vec<ServerState>>>,
}

impl Servers {
    /// The server at a place, whether or not it was deleted.
    pub fn get(&self, ix: usize) -> Option<&ServerState> {
        match ix.checked_sub(self.configured.len()) {
            None => self.configured.get(ix),
            Some(at) => self.added.get()?.get(at),
        }
    }

    /// How many places there are.
    pub fn len(&self) -> usize {
        self.configured.len() + self.added.get().map_or(0, |added| added.count())
    }

    /// Whether there never was a server.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All places in order.
    pub fn iter(&self) -> impl Iterator<Item = &ServerState> {
        let added = self.added.get().into_iter().flat_map(|added| added.iter().map(|(_, state)| state));
        self.configured.iter().chain(added)
    }

    /// The place of the first that was added.
    pub(super) fn first_added(&self) -> usize {
        self.configured.len()
    }

    /// Adds one; returns its place. To be called under the lock of the backend.
    pub(super) fn push(&self, state: ServerState) -> usize {
        self.configured.len() + self.added.get_or_init(Box::default).push(state)
    }
}

impl<'a> IntoIterator for &'a Servers {
    type Item = &'a ServerState;
    type IntoIter = Box<dyn Iterator<Item = &'a ServerState> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl Index<usize> for Servers {
    type Output = ServerState;

    #[expect(clippy::expect_used, reason = "an index is a promise that the place exists, as with a slice")]
    fn index(&self, ix: usize) -> &ServerState {
        self.get(ix).expect("a place of this backend")
    }
}

impl FromIterator<ServerState> for Servers {
    fn from_iter<T: IntoIterator<Item = ServerState>>(servers: T) -> Self {
        Self { configured: servers.into_iter().collect(), added: OnceLock::new() }
    }
}
