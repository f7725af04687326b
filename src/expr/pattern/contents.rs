//! What is in a list: chunks of entries that are seen, and those of other versions.
//!
//! Knows no lock: a [`super::List`] has one around it. Every change compiles what is new for all views first and puts it in place
//! then.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::entry::{Entry, Written};
use super::layer::{Entries, Layer};
use super::list::{ChangeError, State, Which};
use super::set::{Look, Set, View};
use crate::expr::error::PatternError;

/// A chunk takes in its neighbour if that is at most so many times larger.
const RATIO: usize = 8;

/// Entries, and how many of them are deleted.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) entries: Entries,
    pub(super) gone: usize,
}

#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The entries of the version that is seen.
    pub(super) chunks: Vec<Chunk>,
    pub(super) version: u32,
    pub(super) next: u32,
    /// Those of other versions.
    pub(super) others: BTreeMap<u32, Vec<Arc<Entry>>>,
    last_id: u64,
    /// Where the entries of a pattern are; made when it is first asked.
    by_key: Option<ByKey>,
    /// What names among addresses stood for when they were looked up.
    pub(super) names: HashMap<String, Vec<IpAddr>>,
    pub(super) views: Vec<Arc<View>>,
}

/// Entries by the hash of their pattern.
#[derive(Debug, Default)]
struct ByKey {
    hasher: RandomState,
    entries: HashMap<u64, SmallVec<[Arc<Entry>; 1]>>,
}

impl ByKey {
    fn add(&mut self, entry: &Arc<Entry>) {
        self.entries.entry(self.hasher.hash_one(&*entry.key)).or_default().push(entry.clone());
    }

    fn find(&self, key: &[u8]) -> Vec<Arc<Entry>> {
        let same = self.entries.get(&self.hasher.hash_one(key)).into_iter().flatten();
        same.filter(|entry| &*entry.key == key).cloned().collect()
    }

    fn remove(&mut self, entry: &Entry) {
        let hash = self.hasher.hash_one(&*entry.key);
        if let Some(same) = self.entries.get_mut(&hash) {
            same.retain(|other| other.id() != entry.id());
            if same.is_empty() {
                self.entries.remove(&hash);
            }
        }
    }
}

/// The place of an entry among others.
fn place(entries: &[Arc<Entry>], id: u64) -> Option<usize> {
    entries.binary_search_by_key(&id, |entry| entry.id()).ok()
}

/// Whether a version is behind another one; they may go around.
fn later(one: u32, other: u32) -> bool {
    matches!(one.wrapping_sub(other), 1..0x8000_0000)
}

impl Contents {
    pub(super) fn entries(&mut self, written: Vec<Written>) -> Vec<Arc<Entry>> {
        let numbered = written.into_iter().map(|written| {
            self.last_id += 1;
            Arc::new(Entry::new(self.last_id, written))
        });
        numbered.collect()
    }

    /// Compiles entries as a view sees them.
    fn layer(&self, entries: &Entries, look: Look) -> Result<Layer, (usize, PatternError)> {
        let resolve = |name: &str| self.names.get(name).cloned().unwrap_or_default();
        Layer::new(entries.clone(), look.method, look.flags, &resolve)
    }

    /// Puts entries in the place of some chunks, for all views or, after an error, for none.
    fn replace(&mut self, chunks: Range<usize>, entries: Vec<Arc<Entry>>) -> Result<(), PatternError> {
        let views = self.views.clone();
        let entries: Entries = entries.into();
        let compiled = views.iter().map(|view| self.layer(&entries, view.look));
        let compiled: Result<Vec<_>, _> = compiled.collect();
        for (view, layer) in views.iter().zip(compiled.map_err(|(_, why)| why)?) {
            let mut layers = view.set.load().layers.clone();
            layers.splice(chunks.clone(), (!entries.is_empty()).then(|| Arc::new(layer)));
            view.set.store(Arc::new(Set::new(view.look, layers)));
        }
        let chunk = (!entries.is_empty()).then_some(Chunk { entries, gone: 0 });
        self.chunks.splice(chunks, chunk);
        Ok(())
    }

    /// Adds entries to those that are seen.
    fn push(&mut self, fresh: Vec<Arc<Entry>>) -> Result<(), PatternError> {
        let mut size = fresh.len();
        let mut from = self.chunks.len();
        while let Some(chunk) = from.checked_sub(1).and_then(|at| self.chunks.get(at)) {
            let live = chunk.entries.len() - chunk.gone;
            if live > size.saturating_mul(RATIO) {
                break;
            }
            (size, from) = (size + live, from - 1);
        }
        let old = self.chunks.get(from..).into_iter().flatten().flat_map(|chunk| chunk.entries.iter());
        let all = old.filter(|entry| !entry.is_gone()).cloned().chain(fresh).collect();
        self.replace(from..self.chunks.len(), all)
    }

    fn by_key(&mut self) -> &mut ByKey {
        self.by_key.get_or_insert_with(|| {
            let mut made = ByKey::default();
            let seen = self.chunks.iter().flat_map(|chunk| chunk.entries.iter());
            let all = seen.chain(self.others.values().flatten());
            all.filter(|entry| !entry.is_gone()).for_each(|entry| made.add(entry));
            made
        })
    }

    pub(super) fn find(&mut self, which: Which<'_>) -> Vec<Arc<Entry>> {
        match which {
            Which::Key(key) => self.by_key().find(key),
            Which::Id(id) => {
                let seen = self.chunks.iter().map(|chunk| &*chunk.entries);
                let mut all = seen.chain(self.others.values().map(Vec::as_slice));
                let found = all.find_map(|entries| entries.get(place(entries, id)?));
                found.filter(|entry| !entry.is_gone()).cloned().into_iter().collect()
            }
        }
    }

    pub(super) fn state(&self) -> State {
        let seen: usize = self.chunks.iter().map(|chunk| chunk.entries.len() - chunk.gone).sum();
        let others: usize = self.others.values().map(Vec::len).sum();
        State { version: self.version, next: self.next, count: seen + others }
    }

    pub(super) fn delete(&mut self, entry: &Entry) {
        entry.delete();
        if let Some(by_key) = &mut self.by_key {
            by_key.remove(entry);
        }
        let holds = |chunk: &Chunk| place(&chunk.entries, entry.id()).is_some();
        let Some(at) = self.chunks.iter().position(holds) else {
            for entries in self.others.values_mut() {
                if let Some(at) = place(entries, entry.id()) {
                    entries.remove(at);
                }
            }
            return;
        };
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        chunk.gone += 1;
        if chunk.gone * 2 > chunk.entries.len() {
            let left = chunk.entries.iter().filter(|entry| !entry.is_gone()).cloned().collect();
            // What was compiled once is compiled again; if not, the deleted ones only take their room.
            let _ = self.replace(at..at + 1, left);
        }
    }

    /// Adds entries to a version: all, or after an error none.
    pub(super) fn add(&mut self, version: Option<u32>, written: Vec<Written>) -> Result<(), ChangeError> {
        let version = version.unwrap_or(self.version);
        if later(version, self.next) {
            return Err(ChangeError::Version(version));
        }
        let values = || written.iter().filter_map(|written| written.value.as_deref());
        if let Some(why) = self.views.iter().find_map(|view| values().find_map(|value| view.look.judge(value))) {
            return Err(why.into());
        }
        let fresh = self.entries(written);
        if version == self.version {
            self.push(fresh.clone())?;
        } else {
            let together: Entries = fresh.as_slice().into();
            for view in &self.views {
                self.layer(&together, view.look).map_err(|(_, why)| why)?;
            }
            self.others.entry(version).or_default().extend_from_slice(&fresh);
        }
        if let Some(by_key) = &mut self.by_key {
            fresh.iter().for_each(|entry| by_key.add(entry));
        }
        Ok(())
    }

    pub(super) fn clear(&mut self, version: Option<u32>) {
        self.by_key = None;
        match version.filter(|version| *version != self.version) {
            Some(version) => drop(self.others.remove(&version)),
            None => {
                let all = 0..self.chunks.len();
                // Nothing is compiled.
                let _ = self.replace(all, Vec::new());
            }
        }
    }

    pub(super) fn commit(&mut self, version: u32) -> Result<(), ChangeError> {
        if !later(version, self.version) || later(version, self.next) {
            return Err(ChangeError::Version(version));
        }
        let entries = self.others.get(&version).cloned().unwrap_or_default();
        let all = 0..self.chunks.len();
        self.replace(all, entries)?;
        self.others.retain(|other, _| later(*other, version));
        (self.version, self.by_key) = (version, None);
        Ok(())
    }
}
