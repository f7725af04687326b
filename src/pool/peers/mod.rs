//! What is known of the peers of each `peers` section: who is told what, who told what, who is asked for everything.
//!
//! Knows no socket and no clock. The engine's thread for peers changes it, `show peers` looks at it; no serving thread
//! does either. One lock per section, held for a moment. Source: `peers.txt` of haproxy-doc; the order of things was seen
//! on 2.6 (docs/OBSERVED.md).

mod lesson;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use lesson::Resync;

use super::tables::Tables;
use crate::ir::table::TableIx;
use crate::ir::{self, Config};
use crate::units::Tick;
use crate::units::peers::Status;
use crate::units::peers::dictionary::{Heard, Told};

/// All sections, by index in [`ir::Global::peers`].
#[derive(Debug, Default)]
pub struct PeersState(Box<[SectionState]>);

/// A section, locked.
#[derive(Debug)]
pub struct SectionState {
    /// The tables that its peers share: what they are called on the wire, and which they are.
    pub tables: Box<[(Box<str>, TableIx)]>,
    inner: Mutex<Section>,
}

/// A section.
#[derive(Debug)]
pub struct Section {
    /// Whether this process knows all that the others do.
    pub resync: Resync,
    /// As in [`ir::Peers::peers`].
    pub peers: Vec<PeerState>,
    /// When it began.
    pub started: Tick,
}

/// How the last attempt to talk to a peer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Met {
    /// There was none.
    #[default]
    Never,
    /// A connection is on its way, or could not be had.
    Connecting,
    /// It said nothing, or no status.
    Handshake,
    /// It answered.
    Answered(Status),
}

/// One peer.
#[derive(Debug, Default)]
pub struct PeerState {
    /// How the last attempt went.
    pub met: Met,
    /// When.
    pub met_at: Option<Tick>,
    /// When it is connected to next.
    pub reconnect: Option<Tick>,
    /// When a heartbeat is due.
    pub heartbeat: Option<Tick>,
    /// The number of its sessions so far; a session whose number is another one has been replaced.
    pub sessions: u64,
    /// Whether a session or a connection attempt is under way.
    pub active: bool,
    /// Whether a session is.
    pub talks: bool,
    /// Whether it said that it does not know everything.
    pub partial: bool,
    /// Ends of lessons that it has not confirmed.
    pub unconfirmed: u32,
    /// Heartbeats sent.
    pub heartbeats_sent: u32,
    /// Heartbeats received.
    pub heartbeats_heard: u32,
    /// Sessions that ended because nothing was heard.
    pub heartbeats_missed: u32,
    /// Connections to it.
    pub connections: u32,
    /// Messages that were none.
    pub faults: u32,
    /// Sessions that another one took the place of.
    pub collisions: u32,
    /// The texts that were numbered for it.
    pub told: Told,
    /// The texts that it has numbered.
    pub heard: Heard,
    /// By table of the section.
    pub tables: Vec<Shared>,
    /// The table that it tells entries of.
    pub hears: Option<usize>,
    /// The table that it is told entries of.
    pub tells: Option<usize>,
}

/// A table as it is shared with one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shared {
    /// The peer's number of it; 0: it has not told.
    pub remote: u32,
    /// The data types that the peer tells, as bits.
    pub remote_data: u64,
    /// The last change that the peer has confirmed.
    pub acked: u64,
    /// The last change that it was told.
    pub pushed: u64,
    /// The peer's number of the last change that was learned.
    pub learned: u32,
    /// The same as it was confirmed.
    pub confirmed: u32,
    /// What `pushed` was when the last lesson began.
    pub lesson_from: u64,
}

impl PeersState {
    /// The sections of a configuration, before anybody has talked.
    pub fn new(config: &Config, tables: &Tables, now: Tick) -> Self {
        let of = |section: &ir::Peers| {
            let tables = shared(tables, &section.name);
            let peer = |_| PeerState { tables: vec![Shared::default(); tables.len()], ..PeerState::default() };
            let peers = section.peers.iter().map(peer).collect();
            let inner = Section { resync: Resync::at_start(now), peers, started: now };
            SectionState { tables, inner: Mutex::new(inner) }
        };
        Self(config.global.peers.iter().map(of).collect())
    }

    /// A section.
    pub fn get(&self, section: usize) -> Option<&SectionState> {
        self.0.get(section)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &SectionState> {
        self.0.iter()
    }
}

/// The tables of a section, in the order of the configuration, its own ones first.
fn shared(tables: &Tables, section: &str) -> Box<[(Box<str>, TableIx)]> {
    let of_it = (0..).map(TableIx).zip(tables.iter()).filter(|(_, table)| table.ir.peers.as_deref() == Some(section));
    let (mut own, others): (Vec<_>, Vec<_>) = of_it.partition(|(_, table)| table.ir.owner.is_none());
    own.reverse(); // as haproxy numbers them
    let wire = |(ix, table): (TableIx, &std::sync::Arc<super::tables::Table>)| {
        let name = match table.ir.owner {
            Some(_) => table.ir.name.clone(),
            // `section/name` is `/name` on the wire
            None => table.ir.name.get(section.len()..).unwrap_or(&table.ir.name).into(),
        };
        (name, ix)
    };
    own.into_iter().chain(others).map(wire).collect()
}

impl SectionState {
    /// The section, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Section> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table of that name on the wire: its place in [`Self::tables`].
    pub fn named(&self, name: &[u8]) -> Option<usize> {
        self.tables.iter().position(|(known, _)| known.as_bytes() == name)
    }
}

impl PeerState {
    /// A session begins: what was not confirmed is told again, and nothing is numbered yet.
    pub fn begin(&mut self) {
        self.told = Told::default();
        self.heard = Heard::default();
        (self.hears, self.tells, self.unconfirmed) = (None, None, 0);
        (self.talks, self.active) = (true, true);
        for table in &mut self.tables {
            (table.pushed, table.remote, table.remote_data, table.learned, table.confirmed) = (table.acked, 0, 0, 0, 0);
        }
    }

    /// The peer has learned changes of a table up to the one whose number ends so.
    pub fn acknowledged(&mut self, table: usize, number: u32) {
        let Some(table) = self.tables.get_mut(table) else { return };
        // numbers are longer here than on the wire: it is the last one not after what was told
        let behind = (table.pushed as u32).wrapping_sub(number);
        if let Some(number) = table.pushed.checked_sub(u64::from(behind)) {
            table.acked = table.acked.max(number);
        }
    }
}
