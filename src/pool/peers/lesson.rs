//! Who is asked for everything: a process that has just started asks one peer after the other until one knows all.

use super::Section;
use crate::units::{Millis, Tick};

/// How long somebody is waited for who may be asked.
const PATIENCE: Millis = Millis::seconds(5);

/// Whether this process knows what the others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resync {
    /// Somebody is to be asked, until then.
    Wanted {
        /// When nobody is waited for any more.
        until: Tick,
    },
    /// This peer was asked, and tells.
    Asked {
        /// Its place among the peers.
        peer: usize,
    },
    /// Everything is known.
    Taught,
    /// Nobody was there who could be asked.
    Alone,
}

impl Resync {
    /// A process has started.
    pub fn at_start(now: Tick) -> Self {
        Self::Wanted { until: now.after(PATIENCE) }
    }

    /// Whether it counts as knowing everything.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Taught | Self::Alone)
    }
}

impl Section {
    /// Whether this peer, with whom a session goes on, is to be asked for everything now; then it counts as asked.
    pub fn asks(&mut self, peer: usize, now: Tick) -> bool {
        self.look(now);
        let able = self.peers.get(peer).is_some_and(|peer| !peer.partial);
        if !able || !matches!(self.resync, Resync::Wanted { .. }) {
            return false;
        }
        self.resync = Resync::Asked { peer };
        true
    }

    /// A peer has told all that it knows; `all`: it knows everything.
    pub fn taught(&mut self, peer: usize, all: bool, now: Tick) {
        if all {
            self.resync = Resync::Taught;
            return;
        }
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.partial = true;
        }
        if self.resync == (Resync::Asked { peer }) {
            self.resync = Resync::at_start(now);
        }
    }

    /// A session with a peer has ended.
    pub fn lost(&mut self, peer: usize, now: Tick) {
        if self.resync == (Resync::Asked { peer }) {
            self.resync = Resync::at_start(now);
        }
    }

    /// Looks whether somebody was waited for long enough.
    pub fn look(&mut self, now: Tick) {
        if matches!(self.resync, Resync::Wanted { until } if now >= until) {
            self.resync = Resync::Alone;
        }
    }
}
