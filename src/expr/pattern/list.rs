//! A list of patterns: those of a line, or those of a file, which every line that names it shares.
//!
//! Entries lie in chunks, the older ones first; each [`View`] has a compiled layer for each chunk. What is added is a small chunk
//! beside the others, and is compiled together with a neighbour only when both are of one size: so one more entry costs about
//! the same whatever is there, and there are never many layers. A change compiles what is new for all views before it puts
//! anything in place: a reader takes no lock and sees the list before or after, never between.
//! Source: management manual §9.3 "add map", "prepare map", "commit map"; what versions do was asked of 2.6.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use thiserror::Error;

use super::contents::{Chunk, Contents};
use super::entry::Written;
use super::layer::{Entries, Layer};
use super::set::{Look, Set, View};
use crate::expr::error::PatternError;
use crate::text::World;

/// A list of patterns.
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
    /// As it was after the last change: whoever asks does not wait for one that takes its time.
    state: Mutex<State>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// The version that is seen.
    pub version: u32,
    /// The last one that was prepared.
    pub next: u32,
    /// Entries of all versions.
    pub count: usize,
}

impl fmt::Debug for List {
    /// Its number, its file and how much is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "List({}, {:?}, {} entries)", self.id(), self.file, self.state().count)
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
        let (id, uses, state) = (AtomicU32::new(0), Mutex::default(), Mutex::new(contents.state()));
        Self { id, chosen, file, map, uses, contents: Mutex::new(contents), state }
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
        let view = Arc::new(View { look, set: ArcSwap::from_pointee(Set::new(look, layers)) });
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
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with what is in it, and notes how it stands then.
    fn change<R>(&self, change: impl FnOnce(&mut Contents) -> R) -> R {
        let mut contents = self.contents();
        let changed = change(&mut contents);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = contents.state();
        changed
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
        self.change(|contents| contents.add(version, written))
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
        self.change(|contents| {
            let found = contents.find(which);
            found.iter().rev().for_each(|entry| contents.delete(entry));
            !found.is_empty()
        })
    }

    /// Deletes all entries of a version, or of the one that is seen.
    pub fn clear(&self, version: Option<u32>) {
        self.change(|contents| contents.clear(version));
    }

    /// Begins a version: its number.
    pub fn prepare(&self) -> u32 {
        self.change(|contents| {
            contents.next = contents.next.wrapping_add(1);
            contents.next
        })
    }

    /// Makes a version the one that is seen; it and older ones are forgotten otherwise.
    ///
    /// # Errors
    /// [`ChangeError::Version`]: nobody prepared it, or it is not newer than what is seen.
    pub fn commit(&self, version: u32) -> Result<(), ChangeError> {
        self.change(|contents| contents.commit(version))
    }
}
