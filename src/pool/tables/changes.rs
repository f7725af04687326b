//! Which entries changed, for who tells them to others: peers.
//!
//! Each change has a number; an entry has that of its last one. Only tables with `peers` are listened to, so nothing is
//! paid elsewhere.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::{Table, View, low};
use crate::units::Tick;

/// Who is told that something changed: it may only wake somebody.
pub type Listener = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
pub(super) struct Changes {
    last: AtomicU64,
    listener: OnceLock<Listener>,
    told: AtomicBool,
}

impl Changes {
    /// The number of the next change; to be called while the part of its entry is open.
    pub(super) fn next(&self) -> u64 {
        self.last.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn tell(&self) {
        if let Some(listener) = self.listener.get()
            && !self.told.swap(true, AcqRel)
        {
            listener();
        }
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changes({})", self.last.load(Relaxed))
    }
}

impl Table {
    /// Whether changes have numbers here: the table has `peers`.
    pub fn numbers_changes(&self) -> bool {
        self.layout.change.is_some()
    }

    /// From now on `listener` is called at the first change after each [`Self::listen_again`]. Only the first call counts.
    pub fn listen(&self, listener: Listener) {
        let _ = self.changes.listener.set(listener);
    }

    /// The listener is to be called again; to be called before the changes are looked at.
    pub fn listen_again(&self) {
        self.changes.told.store(false, std::sync::atomic::Ordering::Release);
    }

    /// The number of the last change; 0: none yet.
    pub fn last_change(&self) -> u64 {
        self.changes.last.load(Relaxed)
    }

    /// Shows the entries whose last change has a number above `after`, in their order, at most `most`; returns the number of
    /// the last one that was shown, `after` if none is left. What changes meanwhile may be left to the next call.
    pub fn changes(&self, after: u64, most: usize, now: Tick, mut show: impl FnMut(View<'_>)) -> u64 {
        // a number below is in its part's list, or its part is still locked
        let end = self.last_change();
        if after >= end {
            return after;
        }
        let mut numbers = Vec::new();
        for (ix, part) in self.parts.iter().enumerate() {
            let shard = part.open();
            numbers.extend(shard.changed.range(after + 1..=end).take(most).map(|(number, slot)| (*number, ix, *slot)));
        }
        numbers.sort_unstable();
        numbers.truncate(most);
        let mut last = after;
        for (number, ix, slot) in numbers {
            last = number;
            let Some(part) = self.parts.get(ix) else { continue };
            let shard = part.open();
            // one that changed again comes later
            if shard.changed.get(&number) == Some(&slot) {
                show(View { table: self, record: shard.record(slot), now: low(now) });
            }
        }
        last
    }
}
