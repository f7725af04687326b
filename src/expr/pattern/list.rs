//! A list of patterns: those of a line, or those of a file, which every line that names it shares.
//!
//! Entries lie in chunks, the older ones first; each [`View`] has a compiled layer for each chunk. What is added is a small chunk
//! beside the others, and is compiled together with a neighbour only when both are of one size: so one more entry costs about
//! the same whatever is there, and there are never many layers. A change compiles what is new for all views before it puts
//! anything in place: a reader takes no lock and sees the list before or after, never between.
//! Source: management manual §9.3 "add map", "prepare map", "commit map"; what versions do was asked of 2.6.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use smallvec::SmallVec;
use thiserror::Error;

use super::entry::{Entry, Written};
use super::layer::{Entries, Layer};
use super::set::{Look, Set, View};
use crate::expr::error::PatternError;
use crate::text::World;

/// A chunk takes in its neighbour if that is at most so many times larger.
const RATIO: usize = 8;

/// A list of patterns.
#[derive(Debug)]
pub struct List {
    pub(super) id: AtomicU32,
    /// The number that the configuration chose (`-u`).
    pub(super) chosen: Option<u32>,
    /// Its file; `None`: it stands in the configuration.
    pub file: Option<String>,
    /// Whether there are values behind the patterns.
    pub map: bool,
    pub(super) uses: Mutex<Vec<Use>>,
    contents: Mutex<Contents>,
}

/// A line that looks at a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// A converter `map…`; `false`: a condition.
    pub map: bool,
    /// What is compared: the name of a fetch.
    pub fetch: &'static str,
    /// The file of the configuration.
    pub file: Arc<str>,
    /// The line in it.
    pub line: usize,
}

/// Why a list cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// Nobody prepared this version.
    #[error("version {0} was not prepared")]
    Version(u32),
    /// A pattern or a value that one of the lines that look at it cannot use.
    #[error("{0}")]
    Pattern(#[from] PatternError),
}

/// What an entry is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'w> {
    /// All of this pattern.
    Key(&'w [u8]),
    /// The one of this number.
    Id(u64),
}

/// What `show map` says of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The version that is seen.
    pub version: u32,
    /// The last one that was prepared.
    pub next: u32,
    /// Entries of all versions.
    pub count: usize,
}

/// Entries, and how many of them are deleted.
#[derive(Debug)]
struct Chunk {
    entries: Entries,
    gone: usize,
}

#[derive(Debug, Default)]
struct Contents {
    /// The entries of the version that is seen.
    chunks: Vec<Chunk>,
    version: u32,
    next: u32,
    /// Those of other versions.
    others: BTreeMap<u32, Vec<Arc<Entry>>>,
    last_id: u64,
    /// Where the entries of a pattern are; made when it is first asked.
    by_key: Option<ByKey>,
    /// What names among addresses stood for when they were looked up.
    names: HashMap<String, Vec<IpAddr>>,
    views: Vec<Arc<View>>,
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
    fn entries(&mut self, written: Vec<Written>) -> Vec<Arc<Entry>> {
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

    fn find(&mut self, which: Which<'_>) -> Vec<Arc<Entry>> {
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

    fn delete(&mut self, entry: &Entry) {
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
}

impl List {
    /// A list with these entries.
    pub(super) fn new(chosen: Option<u32>, file: Option<String>, map: bool, written: Vec<Written>) -> Self {
        let mut contents = Contents::default();
        let entries: Entries = contents.entries(written).into();
        if !entries.is_empty() {
            contents.chunks.push(Chunk { entries, gone: 0 });
        }
        let (id, uses, contents) = (AtomicU32::new(0), Mutex::default(), Mutex::new(contents));
        Self { id, chosen, file, map, uses, contents }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its number, by which runtime commands know it: valid when [`super::Lists::all`] has told it.
    pub fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    /// The lines that look at it.
    pub fn uses(&self) -> Vec<Use> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a way to compare sees of it; lines that say the same share one.
    ///
    /// # Errors
    /// The line of the wrong pattern or value, and what is wrong with it.
    pub fn view(&self, look: Look, world: &dyn World) -> Result<Arc<View>, (usize, PatternError)> {
        let mut contents = self.contents();
        if let Some(view) = contents.views.iter().find(|view| view.look == look) {
            return Ok(view.clone());
        }
        let names = Mutex::new(HashMap::new());
        let resolve = |name: &str| -> Vec<IpAddr> {
            let found = world.resolve(name).unwrap_or_default();
            names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), found.clone());
            found
        };
        let layer = |chunk: &Chunk| Layer::new(chunk.entries.clone(), look.method, look.flags, &resolve).map(Arc::new);
        let layers = contents.chunks.iter().map(layer).collect::<Result<_, _>>()?;
        for entry in contents.chunks.iter().flat_map(|chunk| chunk.entries.iter()) {
            if let Some(why) = entry.with_value(|value| look.judge(value)).flatten() {
                return Err((entry.line, why));
            }
        }
        let view =
            Arc::new(View { of_file: self.file.is_some(), look, set: ArcSwap::from_pointee(Set::new(look, layers)) });
        contents.names.extend(names.into_inner().unwrap_or_else(PoisonError::into_inner));
        contents.views.push(view.clone());
        Ok(view)
    }

    /// All that look at it, in the order in which they came.
    pub fn views(&self) -> Vec<Arc<View>> {
        self.contents().views.clone()
    }

    /// How it stands.
    pub fn state(&self) -> State {
        let contents = self.contents();
        let seen: usize = contents.chunks.iter().map(|chunk| chunk.entries.len() - chunk.gone).sum();
        let others: usize = contents.others.values().map(Vec::len).sum();
        State { version: contents.version, next: contents.next, count: seen + others }
    }

    /// The entries of a version, or of the one that is seen, oldest first; deleted ones may be among them.
    pub fn entries(&self, version: Option<u32>) -> Vec<Entries> {
        let contents = self.contents();
        match version.filter(|version| *version != contents.version) {
            None => contents.chunks.iter().map(|chunk| chunk.entries.clone()).collect(),
            Some(version) => {
                contents.others.get(&version).map(|entries| entries.as_slice().into()).into_iter().collect()
            }
        }
    }

    /// Adds entries to a version, or to the one that is seen: all, or after an error none.
    ///
    /// # Errors
    /// [`ChangeError`]; no name is looked up.
    pub fn add(&self, version: Option<u32>, written: Vec<Written>) -> Result<(), ChangeError> {
        let mut contents = self.contents();
        let version = version.unwrap_or(contents.version);
        if later(version, contents.next) {
            return Err(ChangeError::Version(version));
        }
        let values = || written.iter().filter_map(|written| written.value.as_deref());
        let views = contents.views.clone();
        if let Some(why) = views.iter().find_map(|view| values().find_map(|value| view.look.judge(value))) {
            return Err(why.into());
        }
        let fresh = contents.entries(written);
        if version == contents.version {
            contents.push(fresh.clone())?;
        } else {
            let together: Entries = fresh.as_slice().into();
            for view in &views {
                contents.layer(&together, view.look).map_err(|(_, why)| why)?;
            }
            contents.others.entry(version).or_default().extend_from_slice(&fresh);
        }
        if let Some(by_key) = &mut contents.by_key {
            fresh.iter().for_each(|entry| by_key.add(entry));
        }
        Ok(())
    }

    /// Puts a value behind entries of all versions; whether there are some.
    ///
    /// # Errors
    /// One of the lines that look at it cannot use the value.
    pub fn set(&self, which: Which<'_>, value: &[u8]) -> Result<bool, PatternError> {
        let mut contents = self.contents();
        if let Some(why) = contents.views.iter().find_map(|view| view.look.judge(value)) {
            return Err(why);
        }
        let found = contents.find(which);
        let value = Arc::new(Box::from(value));
        found.iter().for_each(|entry| entry.set(Arc::clone(&value)));
        Ok(!found.is_empty())
    }

    /// Deletes entries of all versions; whether there were some. Of those that say the same the first goes last, so nobody sees
    /// one of them that was hidden.
    pub fn delete(&self, which: Which<'_>) -> bool {
        let mut contents = self.contents();
        let found = contents.find(which);
        found.iter().rev().for_each(|entry| contents.delete(entry));
        !found.is_empty()
    }

    /// Deletes all entries of a version, or of the one that is seen.
    pub fn clear(&self, version: Option<u32>) {
        let mut contents = self.contents();
        contents.by_key = None;
        match version.filter(|version| *version != contents.version) {
            Some(version) => drop(contents.others.remove(&version)),
            None => {
                let all = 0..contents.chunks.len();
                // Nothing is compiled.
                let _ = contents.replace(all, Vec::new());
            }
        }
    }

    /// Begins a version: its number.
    pub fn prepare(&self) -> u32 {
        let mut contents = self.contents();
        contents.next = contents.next.wrapping_add(1);
        contents.next
    }

    /// Makes a version the one that is seen; it and older ones are forgotten otherwise.
    ///
    /// # Errors
    /// [`ChangeError::Version`]: nobody prepared it, or it is not newer than what is seen.
    pub fn commit(&self, version: u32) -> Result<(), ChangeError> {
        let mut contents = self.contents();
        if !later(version, contents.version) || later(version, contents.next) {
            return Err(ChangeError::Version(version));
        }
        let entries = contents.others.get(&version).cloned().unwrap_or_default();
        let all = 0..contents.chunks.len();
        contents.replace(all, entries)?;
        contents.others.retain(|other, _| later(*other, version));
        (contents.version, contents.by_key) = (version, None);
        Ok(())
    }
}
