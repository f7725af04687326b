//! One section at work: what its tasks share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, MutexGuard};

use tokio::sync::watch;

use crate::engine::clock;
use crate::engine::shared::Shared;
use crate::ir;
use crate::pool::peers::{Section, SectionState};
use crate::pool::tables::Table;
use crate::units::Millis;

/// Connections that may say who they are at once; more are closed.
const GREETED: u32 = 64;
/// Bytes that are read at once.
const SIP: usize = 16 * 1024;
/// The least and the most that is waited before a session that ended begins again, so that both sides do not try at once.
const REST: (u64, u64) = (50, 2050);

/// What the tasks of a section share.
pub(super) struct Hub {
    pub(super) shared: Arc<Shared>,
    /// Its place in [`ir::Global::peers`].
    section: usize,
    /// Changes whenever a task may have something to do.
    bell: Arc<watch::Sender<()>>,
    greeted: Rc<Cell<u32>>,
    random: Cell<u64>,
    pub(super) scratch: RefCell<Vec<u8>>,
}

/// The right to say who one is.
pub(super) struct Turn(Rc<Cell<u32>>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Hub {
    /// The hub of a section; `None`: it is disabled, or has no local peer.
    pub(super) fn new(shared: &Arc<Shared>, section: usize) -> Option<Self> {
        shared.pool.config.global.peers.get(section).filter(|section| section.is_active())?;
        let state = shared.pool.peers.get(section)?;
        let bell = Arc::new(watch::Sender::new(()));
        for (_, table) in &state.tables {
            let bell = Arc::clone(&bell);
            if let Some(table) = shared.pool.tables.get(*table) {
                table.listen(Box::new(move || bell.send_replace(())));
            }
        }
        Some(Self {
            shared: Arc::clone(shared),
            section,
            bell,
            greeted: Rc::default(),
            random: Cell::new(u64::from(std::process::id()) << 20 | clock::now().millis() << 1 | 1),
            scratch: RefCell::new(vec![0; SIP]),
        })
    }

    /// What the configuration says.
    pub(super) fn ir(&self) -> &ir::Peers {
        &self.shared.pool.config.global.peers[self.section] // `new` has looked
    }

    /// What is known.
    pub(super) fn state(&self) -> &SectionState {
        self.shared.pool.peers.get(self.section).expect("`new` has looked")
    }

    /// The same, for a moment.
    pub(super) fn lock(&self) -> MutexGuard<'_, Section> {
        self.state().lock()
    }

    /// A table by its place in the section.
    pub(super) fn table(&self, place: usize) -> Option<&Arc<Table>> {
        let (_, table) = self.state().tables.get(place)?;
        self.shared.pool.tables.get(*table)
    }

    /// The peers that are connected to.
    pub(super) fn remotes(&self) -> impl Iterator<Item = usize> {
        let there = |(_, peer): &(usize, &ir::Peer)| !peer.local && peer.address.is_some();
        self.ir().peers.iter().enumerate().filter(there).map(|(place, _)| place)
    }

    /// The place of the local peer.
    pub(super) fn local(&self) -> Option<usize> {
        self.ir().peers.iter().position(|peer| peer.local)
    }

    /// The local peer's name.
    pub(super) fn name(&self) -> &str {
        self.ir().local().map_or("", |peer| &peer.name)
    }

    /// A turn to say who one is, if there is one left.
    pub(super) fn turn(&self) -> Option<Turn> {
        (self.greeted.get() < GREETED).then(|| {
            self.greeted.set(self.greeted.get() + 1);
            Turn(Rc::clone(&self.greeted))
        })
    }

    /// Hears the bell from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// All tasks look again.
    pub(super) fn ring(&self) {
        self.bell.send_replace(());
    }

    /// A session with a peer begins, and takes the place of another one; its number.
    pub(super) fn begin(&self, peer: usize) -> u64 {
        let mut section = self.lock();
        let now = clock::now();
        section.lost(peer, now);
        let number = section.peers.get_mut(peer).map_or(0, |peer| {
            peer.sessions += 1;
            peer.collisions += u32::from(peer.talks);
            peer.begin();
            peer.sessions
        });
        drop(section);
        self.ring();
        number
    }

    /// Whether the session of that number is the peer's last one.
    pub(super) fn is_last(&self, peer: usize, number: u64) -> bool {
        self.lock().peers.get(peer).is_some_and(|peer| peer.sessions == number)
    }

    /// The session of that number has ended.
    pub(super) fn end(&self, peer: usize, number: u64) {
        let rest = REST.0 + self.number() % (REST.1 - REST.0);
        let now = clock::now();
        let mut section = self.lock();
        let Some(state) = section.peers.get_mut(peer).filter(|peer| peer.sessions == number) else { return };
        (state.talks, state.active, state.heartbeat) = (false, false, None);
        let again = self.ir().peers.get(peer).is_some_and(|peer| !peer.local);
        state.reconnect = again.then(|| now.after(Millis::new(rest as u32).unwrap_or(Millis::ZERO)));
        section.lost(peer, now);
        drop(section);
        self.ring();
    }

    /// The section is left: no session goes on.
    pub(super) fn leave(&self) {
        for peer in &mut self.lock().peers {
            (peer.talks, peer.active, peer.heartbeat, peer.reconnect) = (false, false, None, None);
        }
    }

    /// A pseudo-random number (xorshift64*): for pauses, not for secrets.
    fn number(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33
    }
}
