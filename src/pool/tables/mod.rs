//! Stick tables while they live: who was seen, what is counted of them, which server they stick to.
//!
//! A [`Table`] is divided by the hash of the key; each part has its own short lock, taken when a session begins to track,
//! counts something or ends, and never per message. An [`Entry`] holds what it names: it is neither purged nor expired
//! until it is dropped. Knows no clock: moments are passed in. Expiry is lazy: who is too old is not found, and
//! [`Table::expire_some`] takes him out, so many at a time. Source: manual §4.2 "stick-table"; who is purged and what
//! refreshes an entry was asked of 2.6 (docs/OBSERVED.md).

mod asked;
mod carry;
mod changes;
mod entry;
mod layout;
mod merge;
mod rate;
mod record;
mod shard;
mod sharing;
#[cfg(test)]
pub(super) mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use changes::Listener;
pub use entry::Entry;
pub use record::{Data, RateParts, View};
pub use sharing::Share;

use crate::ir::table::{self, Key, TableIx};
use crate::units::Tick;
use changes::Changes;
use layout::Layout;
pub(super) use rate::Rate;
use record::Dictionary;
use shard::Shard;
use sharing::Sharers;

/// Milliseconds by which the clock of another thread may be behind.
const SLACK: u32 = 60_000;

/// Tables below this size are not divided.
const DIVIDED: u32 = 4096;

/// Parts of the others, at least and at most.
const PARTS: usize = 64;
const MOST_PARTS: usize = 1024;

/// Entries of a part, about: what is done to all of them under its lock takes a millisecond or two.
const PART: usize = 16 * 1024;

/// What [`Part::oldest`] says of a part in which nobody can be purged.
const NOBODY: u64 = u64::MAX;

/// All stick tables.
#[derive(Debug, Default)]
pub struct Tables {
    all: Box<[Arc<Table>]>,
    names: HashMap<Box<str>, TableIx>,
}

impl Tables {
    /// The tables of a configuration, empty.
    pub fn new(tables: &[table::Table]) -> Self {
        let names = tables.iter().enumerate().map(|(ix, table)| (table.name.clone(), TableIx(ix as u32))).collect();
        Self { all: tables.iter().map(|table| Arc::new(Table::new(table.clone()))).collect(), names }
    }

    /// A table.
    pub fn get(&self, ix: TableIx) -> Option<&Arc<Table>> {
        self.all.get(ix.0 as usize)
    }

    /// The table of that name.
    pub fn named(&self, name: &str) -> Option<&Arc<Table>> {
        self.get(*self.names.get(name)?)
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Table>> {
        self.all.iter()
    }

    /// Takes out at most about `budget` entries whose time is up; returns whether there are more.
    pub fn expire_some(&self, now: Tick, budget: usize) -> bool {
        let mut left = budget;
        for table in &self.all {
            left = left.saturating_sub(table.expire_some(now, left));
            if left == 0 {
                return true;
            }
        }
        false
    }
}

/// A stick table.
#[derive(Debug)]
pub struct Table {
    /// What the configuration says of it.
    pub ir: table::Table,
    layout: Layout,
    parts: Box<[Part]>,
    used: AtomicU32,
    hasher: RandomState,
    dictionary: Dictionary,
    changes: Changes,
    sharers: Sharers,
}

/// A part of a table.
#[derive(Debug)]
struct Part {
    shard: Mutex<Shard>,
    /// When its oldest entry was last touched.
    oldest: AtomicU64,
}

/// A part that is open; what others must know of it is told when it closes.
struct Open<'t> {
    shard: MutexGuard<'t, Shard>,
    oldest: &'t AtomicU64,
}

impl Part {
    fn open(&self) -> Open<'_> {
        Open { shard: self.shard.lock().unwrap_or_else(PoisonError::into_inner), oldest: &self.oldest }
    }
}

impl Deref for Open<'_> {
    type Target = Shard;

    fn deref(&self) -> &Shard {
        &self.shard
    }
}

impl DerefMut for Open<'_> {
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let oldest = self.shard.oldest().map_or(NOBODY, |slot| u64::from(self.shard.touched(slot)));
        self.oldest.store(oldest, Relaxed);
    }
}

/// Where a walk over all entries is: see [`Table::walk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    part: usize,
    slot: u32,
}

/// Milliseconds from a moment to another, of which the lower 32 bits are known; 0 if the second is not later.
fn age(now: u32, then: u32) -> u32 {
    let age = now.wrapping_sub(then);
    if age > u32::MAX - SLACK { 0 } else { age }
}

/// The lower 32 bits of a moment.
fn low(now: Tick) -> u32 {
    now.millis() as u32
}

impl Table {
    /// An empty table.
    pub fn new(ir: table::Table) -> Self {
        let layout = Layout::new(&ir);
        let parts = if ir.size < DIVIDED { 1 } else { (ir.size as usize / PART).clamp(PARTS, MOST_PARTS) };
        let part = |_| Part { shard: Mutex::new(Shard::new(layout.record)), oldest: AtomicU64::new(NOBODY) };
        Self {
            parts: (0..parts).map(part).collect(),
            used: AtomicU32::new(0),
            hasher: RandomState::new(),
            dictionary: Dictionary::default(),
            changes: Changes::default(),
            sharers: Sharers::default(),
            layout,
            ir,
        }
    }

    /// Entries there are.
    pub fn used(&self) -> u32 {
        self.used.load(Relaxed)
    }

    /// Entries there may be.
    pub fn size(&self) -> u32 {
        self.ir.size
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    fn part_of(&self, hash: u64) -> usize {
        // hashbrown takes the lowest bits for places and the highest for tags
        (hash >> 32) as usize % self.parts.len()
    }

    fn is_old(&self, shard: &Shard, slot: u32, now: u32) -> bool {
        let expire = self.ir.expire.map(|expire| expire.get());
        shard.held(slot) == 0 && expire.is_some_and(|expire| age(now, shard.touched(slot)) >= expire)
    }

    /// The place of a key whose entry is not too old; one that is goes.
    fn find(&self, shard: &mut Shard, hash: u64, key: &[u8], now: u32) -> Option<u32> {
        let slot = shard.find(&self.layout, hash, key)?;
        if self.is_old(shard, slot, now) {
            self.drop_entry(shard, slot, hash);
            return None;
        }
        Some(slot)
    }

    fn drop_entry(&self, shard: &mut Shard, slot: u32, hash: u64) {
        shard.remove(&self.layout, slot, hash);
        self.used.fetch_sub(1, Relaxed);
    }

    fn drop_oldest(&self, shard: &mut Shard) -> bool {
        let Some(slot) = shard.oldest() else { return false };
        let hash = self.hash(self.layout.key(shard.record(slot)));
        self.drop_entry(shard, slot, hash);
        true
    }

    /// The entry of a key, held; `None` if there is none. Its time goes on: [`Entry::touch`] starts it again.
    pub fn lookup(self: &Arc<Self>, key: &Key, now: Tick) -> Option<Entry> {
        let hash = self.hash(key.bytes());
        let part = self.part_of(hash);
        let mut shard = self.parts.get(part)?.open();
        let slot = self.find(&mut shard, hash, key.bytes(), low(now))?;
        shard.hold(slot);
        Some(Entry::new(Arc::clone(self), part, slot))
    }

    /// The entry of a key, held; it is made if there is none. `None` if there is no room: with `nopurge`, or if all are held.
    pub fn entry(self: &Arc<Self>, key: &Key, now: Tick) -> Option<Entry> {
        let hash = self.hash(key.bytes());
        let part = self.part_of(hash);
        loop {
            let mut shard = self.parts.get(part)?.open();
            if let Some(slot) = self.find(&mut shard, hash, key.bytes(), low(now)) {
                shard.hold(slot);
                return Some(Entry::new(Arc::clone(self), part, slot));
            }
            let room = |used: u32| (used < self.ir.size).then(|| used + 1);
            if self.used.fetch_update(Relaxed, Relaxed, room).is_ok() {
                let slot = shard.insert(&self.layout, hash, key.bytes(), low(now), |key| self.hash(key));
                shard.hold(slot);
                return Some(Entry::new(Arc::clone(self), part, slot));
            }
            drop(shard);
            if !self.make_room(low(now)) {
                return None;
            }
        }
    }

    /// Takes out who is oldest, as many at once as haproxy does; with `nopurge` who is too old.
    fn make_room(&self, now: u32) -> bool {
        let many = (self.ir.size >> 8) as usize + 1;
        if self.ir.nopurge {
            return self.expire(now, many) > 0;
        }
        (0..many).take_while(|_| self.purge_oldest(now)).count() > 0
    }

    fn purge_oldest(&self, now: u32) -> bool {
        loop {
            let aged = |part: &Part| {
                let oldest = part.oldest.load(Relaxed);
                (oldest != NOBODY).then(|| age(now, oldest as u32))
            };
            let parts = self.parts.iter().filter_map(|part| Some((aged(part)?, part)));
            // the first of those that are equally old
            let Some((_, part)) = parts.rev().max_by_key(|(age, _)| *age) else { return false };
            if self.drop_oldest(&mut part.open()) {
                return true;
            }
        }
    }

    /// Takes out at most so many entries whose time is up; returns how many.
    pub fn expire_some(&self, now: Tick, budget: usize) -> usize {
        self.expire(low(now), budget)
    }

    fn expire(&self, now: u32, budget: usize) -> usize {
        let Some(expire) = self.ir.expire else { return 0 };
        let mut gone = 0;
        for part in &self.parts {
            let oldest = part.oldest.load(Relaxed);
            if oldest == NOBODY || age(now, oldest as u32) < expire.get() {
                continue;
            }
            let mut shard = part.open();
            while gone < budget && shard.oldest().is_some_and(|slot| self.is_old(&shard, slot, now)) {
                self.drop_oldest(&mut shard);
                gone += 1;
            }
        }
        gone
    }

    /// Looks at the entry of a key without holding it.
    pub fn look<T>(&self, key: &Key, now: Tick, look: impl FnOnce(View<'_>) -> T) -> Option<T> {
        let hash = self.hash(key.bytes());
        let mut shard = self.parts.get(self.part_of(hash))?.open();
        let slot = self.find(&mut shard, hash, key.bytes(), low(now))?;
        Some(look(View { table: self, record: shard.record(slot), now: low(now) }))
    }

    /// Takes out the entry of a key. `Some(false)`: somebody holds it; `None`: there is none.
    pub fn remove(&self, key: &Key, now: Tick) -> Option<bool> {
        let hash = self.hash(key.bytes());
        let mut shard = self.parts.get(self.part_of(hash))?.open();
        let slot = self.find(&mut shard, hash, key.bytes(), low(now))?;
        let free = shard.held(slot) == 0;
        if free {
            self.drop_entry(&mut shard, slot, hash);
        }
        Some(free)
    }

    /// Looks at all entries, some with each call: at `most` places. Begin with the default; `None`: that was all. Entries that
    /// come meanwhile may be left out.
    pub fn walk(&self, from: Cursor, most: u32, now: Tick, mut look: impl FnMut(View<'_>)) -> Option<Cursor> {
        self.visit(from, most, now, |view, _| look(view))
    }

    /// Takes out all entries of the places of a [`Self::walk`] that nobody holds and of which `which` is true.
    pub fn clear(&self, from: Cursor, most: u32, now: Tick, which: impl Fn(View<'_>) -> bool) -> Option<Cursor> {
        let mut doomed = Vec::new();
        let next = self.visit(from, most, now, |view, slot| {
            if view.held() == 0 && which(view) {
                doomed.push(slot);
            }
        });
        if let Some(part) = self.parts.get(from.part) {
            let mut shard = part.open();
            for slot in doomed {
                // it may have changed hands meanwhile
                let record = shard.record(slot);
                let view = View { table: self, record, now: low(now) };
                if shard.is_live(slot) && view.held() == 0 && which(view) {
                    let hash = self.hash(self.layout.key(record));
                    self.drop_entry(&mut shard, slot, hash);
                }
            }
        }
        next
    }

    fn visit(&self, from: Cursor, most: u32, now: Tick, mut look: impl FnMut(View<'_>, u32)) -> Option<Cursor> {
        let part = self.parts.get(from.part)?;
        let shard = part.open();
        let end = from.slot.saturating_add(most).min(shard.places);
        for slot in from.slot..end {
            if shard.is_live(slot) && !self.is_old(&shard, slot, low(now)) {
                look(View { table: self, record: shard.record(slot), now: low(now) }, slot);
            }
        }
        let next = match end == shard.places {
            true => Cursor { part: from.part + 1, slot: 0 },
            false => Cursor { part: from.part, slot: end },
        };
        (next.part < self.parts.len()).then_some(next)
    }
}
