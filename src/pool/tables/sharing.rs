//! A rate of an entry that several sessions share: how many they are, and what they have used together.
//!
//! A number of sharers belongs to a rate of a key, whichever filter shares it; only tables that are shared so keep any.

use std::collections::HashMap;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rate::Rate;
use super::{Entry, RateParts, Table, low};
use crate::ir::table::{Datum, Key};
use crate::units::Tick;

type Counts = HashMap<(Datum, Key), Arc<AtomicU32>>;

/// How many share what, in one table.
#[derive(Debug, Default)]
pub(super) struct Sharers(Mutex<Counts>);

impl Sharers {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One sharer of a rate. Its entry stays while it is there.
#[derive(Debug)]
pub struct Share {
    entry: Entry,
    key: Key,
    datum: Datum,
    period: u32,
    sharers: Arc<AtomicU32>,
}

impl Table {
    /// Shares a rate of a key's entry, which is made if there is none. `None`: there is no room, or no such rate is stored.
    pub fn share(self: &Arc<Self>, key: &Key, datum: Datum, now: Tick) -> Option<Share> {
        let period = self.ir.stored(datum)?.period?.get().max(1);
        let entry = self.entry(key, now)?;
        entry.touch(now);
        let mut counts = self.sharers.counts();
        let sharers = Arc::clone(counts.entry((datum, key.clone())).or_default());
        sharers.fetch_add(1, Relaxed);
        drop(counts);
        Some(Share { entry, key: key.clone(), datum, period, sharers })
    }
}

impl Share {
    /// The table.
    pub fn table(&self) -> &Arc<Table> {
        self.entry.table()
    }

    /// The bytes of its key.
    pub fn key(&self) -> &[u8] {
        self.key.bytes()
    }

    /// How many share it: one at least.
    pub fn sharers(&self) -> u32 {
        self.sharers.load(Relaxed).max(1)
    }

    /// What the rate counts over, ms.
    pub fn period(&self) -> u32 {
        self.period
    }

    /// What all have used.
    pub(in crate::pool) fn rate(&self, now: Tick) -> Rate {
        let parts = self.entry.read(now, |view| view.rate(self.datum, 0));
        let RateParts { age, current, previous } = parts.unwrap_or(RateParts { age: 0, current: 0, previous: 0 });
        Rate { start: low(now).wrapping_sub(age), current, previous }
    }

    /// Counts what one has used.
    pub fn count(&self, used: u64, now: Tick) {
        self.entry.add(self.datum, 0, used, now);
    }

    /// Starts the time of the entry again, as the end of tracking does.
    pub fn touch(&self, now: Tick) {
        self.entry.touch(now);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.entry.table().sharers.counts();
        if self.sharers.fetch_sub(1, Relaxed) == 1 {
            counts.remove(&(self.datum, self.key.clone()));
        }
    }
}
