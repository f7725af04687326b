//! A part of a table: the entries whose keys hash to it, behind one short lock.
//!
//! Records stand in chunks that never move; an index of hashes finds them, and a list through those that nobody holds
//! keeps them in the order of their last touch, so the oldest is the first. Knows no size of the table.

use std::collections::{BTreeMap, HashMap};

use hashbrown::HashTable;

use super::layout::{FREE, HELD, Layout, NEXT, PREVIOUS, TOUCHED, load, store};

/// No place.
pub(super) const NONE: u32 = u32::MAX;

/// Bytes of a chunk, about.
const CHUNK: usize = 4096;

/// How many neighbours are looked at to put back an entry that nobody touched.
const WALK: usize = 64;

/// Entries of a table.
#[derive(Debug)]
pub(super) struct Shard {
    index: HashTable<u32>,
    chunks: Vec<Box<[u8]>>,
    record: usize,
    /// Records of a chunk, as a power of two.
    shift: u32,
    /// The first free place; the others follow through [`NEXT`].
    free: u32,
    /// Places that were ever used.
    pub(super) places: u32,
    oldest: u32,
    newest: u32,
    pub(super) live: u32,
    /// The entries that changed, by the number of their last change; only where somebody listens.
    pub(super) changed: BTreeMap<u64, u32>,
    /// What entries were before they changed here, by place; only while another process may still tell of them.
    pub(super) before: Option<HashMap<u32, Box<[u8]>>>,
}

impl Shard {
    pub(super) fn new(record: usize) -> Self {
        let shift = (CHUNK / record.max(1)).max(1).ilog2();
        Self {
            index: HashTable::new(),
            chunks: Vec::new(),
            record,
            shift,
            free: NONE,
            places: 0,
            oldest: NONE,
            newest: NONE,
            live: 0,
            changed: BTreeMap::new(),
            before: None,
        }
    }

    fn place(&self, slot: u32) -> (usize, usize) {
        ((slot >> self.shift) as usize, (slot & ((1 << self.shift) - 1)) as usize * self.record)
    }

    /// The record of a place; empty where there is none.
    pub(super) fn record(&self, slot: u32) -> &[u8] {
        let (chunk, at) = self.place(slot);
        self.chunks.get(chunk).and_then(|chunk| chunk.get(at..at + self.record)).unwrap_or_default()
    }

    pub(super) fn record_mut(&mut self, slot: u32) -> &mut [u8] {
        let (chunk, at) = self.place(slot);
        let record = self.record;
        self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(at..at + record)).unwrap_or_default()
    }

    /// Keeps what an entry is, if it is not kept already: it is going to change.
    pub(super) fn keep(&mut self, slot: u32) {
        let Some(mut before) = self.before.take() else { return };
        before.entry(slot).or_insert_with(|| self.record(slot).into());
        self.before = Some(before);
    }

    /// What others say of an entry was taken over: that is what it was.
    pub(super) fn keep_anew(&mut self, slot: u32) {
        let record = self.record(slot).into();
        if let Some(before) = self.before.as_mut().and_then(|before| before.get_mut(&slot)) {
            *before = record;
        }
    }

    fn get(&self, slot: u32, at: usize) -> u32 {
        load(self.record(slot), at)
    }

    fn set(&mut self, slot: u32, at: usize, number: u32) {
        store(self.record_mut(slot), at, number);
    }

    /// Whether there is an entry at that place.
    pub(super) fn is_live(&self, slot: u32) -> bool {
        slot < self.places && self.get(slot, HELD) != FREE
    }

    /// How many hold an entry.
    pub(super) fn held(&self, slot: u32) -> u32 {
        self.get(slot, HELD)
    }

    /// When an entry was last touched.
    pub(super) fn touched(&self, slot: u32) -> u32 {
        self.get(slot, TOUCHED)
    }

    /// The entry that was not touched for the longest time, of those that nobody holds.
    pub(super) fn oldest(&self) -> Option<u32> {
        Some(self.oldest).filter(|slot| *slot != NONE)
    }

    pub(super) fn find(&self, layout: &Layout, hash: u64, key: &[u8]) -> Option<u32> {
        self.index.find(hash, |slot| layout.key(self.record(*slot)) == key).copied()
    }

    /// Adds an entry for a key that has none; it is the youngest, whatever `touched` says: see [`Self::sort`]. `hash_of`
    /// hashes keys.
    pub(super) fn insert(
        &mut self,
        layout: &Layout,
        hash: u64,
        key: &[u8],
        touched: u32,
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> u32 {
        let slot = self.take_place();
        let record = self.record_mut(slot);
        layout.begin(record, key);
        store(record, TOUCHED, touched);
        let Self { index, chunks, record, shift, .. } = self;
        let key_at = |slot: u32| {
            let at = (slot & ((1 << *shift) - 1)) as usize * *record;
            let chunk = chunks.get((slot >> *shift) as usize);
            layout.key(chunk.and_then(|chunk| chunk.get(at..at + *record)).unwrap_or_default())
        };
        index.insert_unique(hash, slot, |slot| hash_of(key_at(*slot)));
        self.live += 1;
        self.link(slot, self.newest);
        slot
    }

    /// Puts all entries that nobody holds in the order of their last touch.
    pub(super) fn sort(&mut self) {
        let mut slots: Vec<u32> = Vec::new();
        let mut next = self.oldest;
        while next != NONE {
            slots.push(next);
            next = self.get(next, NEXT);
        }
        let Some(newest) = slots
            .iter()
            .map(|slot| self.touched(*slot))
            .reduce(|a, b| if b.wrapping_sub(a) as i32 > 0 { b } else { a })
        else {
            return;
        };
        slots.sort_by_key(|slot| std::cmp::Reverse(newest.wrapping_sub(self.touched(*slot))));
        (self.oldest, self.newest) = (NONE, NONE);
        for slot in slots {
            self.link(slot, self.newest);
        }
    }

    fn take_place(&mut self) -> u32 {
        if self.free != NONE {
            let slot = self.free;
            self.free = self.get(slot, NEXT);
            return slot;
        }
        let slot = self.places;
        if self.place(slot).0 == self.chunks.len() {
            self.chunks.push(vec![0; self.record << self.shift].into());
        }
        self.places += 1;
        slot
    }

    /// Removes an entry that nobody holds.
    pub(super) fn remove(&mut self, layout: &Layout, slot: u32, hash: u64) {
        self.unlink(slot);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
        if let Some(at) = layout.change {
            let number = super::layout::load_long(self.record(slot), at);
            self.changed.remove(&number);
        }
        self.set(slot, HELD, FREE);
        let next = self.free;
        self.set(slot, NEXT, next);
        self.free = slot;
        self.live -= 1;
        let before = self.before.take().map(|mut before| {
            before.remove(&slot);
            before
        });
        if self.live == 0 {
            *self = Self::new(self.record); // memory goes back
        }
        self.before = before;
    }

    /// One more holds an entry.
    pub(super) fn hold(&mut self, slot: u32) {
        let held = self.held(slot);
        if held == 0 {
            self.unlink(slot);
        }
        self.set(slot, HELD, (held + 1).min(FREE - 1));
    }

    /// One fewer holds an entry.
    pub(super) fn release(&mut self, slot: u32) {
        let held = self.held(slot);
        if held == 0 || held == FREE {
            return;
        }
        self.set(slot, HELD, held - 1);
        if held == 1 {
            self.link_by_age(slot);
        }
    }

    /// An entry was touched now, or then: it goes where its age says.
    pub(super) fn touch(&mut self, slot: u32, moment: u32) {
        if self.held(slot) > 0 {
            self.set(slot, TOUCHED, moment);
            return;
        }
        self.unlink(slot);
        self.set(slot, TOUCHED, moment);
        self.link_by_age(slot);
    }

    /// Puts an entry among those that nobody holds: behind the older ones, if they are near the end.
    fn link_by_age(&mut self, slot: u32) {
        let touched = self.touched(slot);
        let mut after = self.newest;
        for _ in 0..WALK {
            if after == NONE || touched.wrapping_sub(self.touched(after)) as i32 >= 0 {
                break;
            }
            after = self.get(after, PREVIOUS);
        }
        self.link(slot, after);
    }

    /// Puts an entry behind another, or in front of all.
    fn link(&mut self, slot: u32, after: u32) {
        let next = if after == NONE { self.oldest } else { self.get(after, NEXT) };
        self.set(slot, PREVIOUS, after);
        self.set(slot, NEXT, next);
        match after {
            NONE => self.oldest = slot,
            after => self.set(after, NEXT, slot),
        }
        match next {
            NONE => self.newest = slot,
            next => self.set(next, PREVIOUS, slot),
        }
    }

    fn unlink(&mut self, slot: u32) {
        let (previous, next) = (self.get(slot, PREVIOUS), self.get(slot, NEXT));
        match previous {
            NONE => self.oldest = next,
            previous => self.set(previous, NEXT, next),
        }
        match next {
            NONE => self.newest = previous,
            next => self.set(next, PREVIOUS, previous),
        }
    }
}
