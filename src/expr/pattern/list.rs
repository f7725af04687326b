//! Lists of patterns: those of a line and those of files, which every line that names them shares.
//!
//! A list has entries; a [`View`] is what one way to compare sees of them, compiled. Changing a list compiles its views anew
//! and puts each in place at once: a reader sees the list before or after, never between.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::{ArcSwap, Guard};

use super::set::Set;
use super::{Flags, Method, Op};
use crate::expr::error::{FileError, PatternError};
use crate::text::World;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The pattern as it was written.
    pub key: Box<[u8]>,
    /// What stands behind it, in a map.
    pub value: Option<Box<[u8]>>,
    /// `-i` was said of it.
    pub any_case: bool,
    /// How a number is compared.
    pub op: Op,
    /// Its line in the file, from 1; 0: it stands in the configuration.
    pub line: usize,
    /// Which version of the list it belongs to: only those of the current one are seen.
    pub version: u32,
}

/// What is in a list.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// All entries, those of a version to come, too.
    pub entries: Vec<Entry>,
    /// The version that is seen.
    pub version: u32,
}

/// A list of patterns.
#[derive(Debug)]
pub struct List {
    /// Its number, by which runtime commands know it.
    id: AtomicU32,
    /// Whether the configuration chose that (`-u`).
    chosen: bool,
    /// Its file; `None`: it stands in the configuration.
    pub file: Option<String>,
    /// Whether there are values behind the patterns.
    pub map: bool,
    contents: Mutex<Contents>,
    views: Mutex<Vec<Weak<View>>>,
}

/// What one way to compare sees of a list.
#[derive(Debug)]
pub struct View {
    list: Arc<List>,
    method: Method,
    flags: Flags,
    set: ArcSwap<Set>,
}

impl View {
    /// The list.
    pub fn list(&self) -> &Arc<List> {
        &self.list
    }

    /// The way to compare.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The patterns as they are now.
    pub fn set(&self) -> Guard<Arc<Set>> {
        self.set.load()
    }
}

impl List {
    /// Its number, by which runtime commands know it.
    pub fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    /// What a way to compare sees of it; lines that say the same share one.
    ///
    /// # Errors
    /// The line of the wrong pattern, and what is wrong with it.
    pub fn view(
        self: &Arc<Self>,
        method: Method,
        flags: Flags,
        world: &dyn World,
    ) -> Result<Arc<View>, (usize, PatternError)> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |view: &Arc<View>| view.method == method && view.flags == flags;
        if let Some(view) = views.iter().filter_map(Weak::upgrade).find(same) {
            return Ok(view);
        }
        let resolve = |name: &str| -> Vec<IpAddr> { world.resolve(name).unwrap_or_default() };
        let set = Set::new(self.current(), method, flags, Some(&resolve))?;
        let view = Arc::new(View { list: self.clone(), method, flags, set: ArcSwap::from_pointee(set) });
        views.push(Arc::downgrade(&view));
        Ok(view)
    }

    fn current(&self) -> Arc<[Entry]> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.entries.iter().filter(|entry| entry.version == contents.version).cloned().collect()
    }

    /// Looks at what is in it.
    pub fn inspect<R>(&self, look: impl FnOnce(&Contents) -> R) -> R {
        look(&self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The line and the text of the first value for which something holds.
    pub(in crate::expr) fn first_value(&self, holds: impl Fn(&[u8]) -> bool) -> Option<(usize, String)> {
        self.inspect(|contents| {
            let found = contents.entries.iter().find(|entry| entry.value.as_deref().is_some_and(&holds))?;
            Some((found.line, String::from_utf8_lossy(found.value.as_deref()?).into_owned()))
        })
    }

    /// Changes it. Every view is compiled before any is put in place, so an error changes nothing.
    ///
    /// # Errors
    /// What is wrong with a pattern for one of the ways to compare; no name is looked up.
    pub fn change(&self, edit: impl FnOnce(&mut Contents)) -> Result<(), (usize, PatternError)> {
        let views: Vec<Arc<View>> = {
            let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
            views.retain(|view| view.strong_count() > 0);
            views.iter().filter_map(Weak::upgrade).collect()
        };
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = contents.clone();
        edit(&mut next);
        let seen: Arc<[Entry]> = next.entries.iter().filter(|entry| entry.version == next.version).cloned().collect();
        let sets: Result<Vec<_>, _> =
            views.iter().map(|view| Set::new(seen.clone(), view.method, view.flags, None)).collect();
        for (view, set) in views.iter().zip(sets?) {
            view.set.store(Arc::new(set));
        }
        *contents = next;
        Ok(())
    }
}

/// All lists of a configuration.
#[derive(Debug, Default)]
pub struct Lists {
    known: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    files: HashMap<String, Arc<List>>,
    all: Vec<Arc<List>>,
    taken: HashSet<u32>,
    /// Where a free number is looked for.
    next: u32,
}

impl Lists {
    /// All of them, in the order in which they were named.
    pub fn all(&self) -> Vec<Arc<List>> {
        self.known.borrow().all.clone()
    }

    /// A list that stands in the configuration.
    ///
    /// # Errors
    /// [`PatternError::IdTaken`].
    pub(super) fn inline(&self, id: Option<u32>, entries: Vec<Entry>) -> Result<Arc<List>, PatternError> {
        let mut known = self.known.borrow_mut();
        if let Some(id) = id.filter(|id| known.all.iter().any(|list| list.chosen && list.id() == *id)) {
            return Err(PatternError::IdTaken { id });
        }
        Ok(known.add(id, None, false, entries))
    }

    /// The list of a file, which is read once.
    ///
    /// # Errors
    /// [`FileError`]: it cannot be read, or was read with another number of columns.
    pub fn open(&self, path: &str, map: bool, world: &dyn World) -> Result<Arc<List>, FileError> {
        if let Some(list) = self.known.borrow().files.get(path) {
            let same = list.map == map;
            return if same { Ok(list.clone()) } else { Err(FileError::Columns { path: path.to_owned() }) };
        }
        let read = if path.is_empty() { Err(std::io::ErrorKind::NotFound.into()) } else { world.read(Path::new(path)) };
        let bytes = read.map_err(|why| FileError::Read { path: path.to_owned(), why: why.kind() })?;
        let entries = parse(&bytes, map);
        Ok(self.known.borrow_mut().add(None, Some(path.to_owned()), map, entries))
    }
}

impl Known {
    /// A number that no list has.
    fn free(&mut self) -> u32 {
        loop {
            let id = self.next;
            self.next = self.next.wrapping_add(1);
            if self.taken.insert(id) {
                return id;
            }
        }
    }

    /// A new list, with a number that nobody chose if none is wanted; who has the wanted one by chance gets another.
    fn add(&mut self, wanted: Option<u32>, file: Option<String>, map: bool, entries: Vec<Entry>) -> Arc<List> {
        let id = match wanted {
            None => self.free(),
            Some(id) => {
                if !self.taken.insert(id) {
                    let other = self.free();
                    let by_chance = self.all.iter().find(|list| list.id() == id);
                    by_chance.inspect(|list| list.id.store(other, Ordering::Relaxed));
                }
                id
            }
        };
        let list = Arc::new(List {
            id: AtomicU32::new(id),
            chosen: wanted.is_some(),
            file: file.clone(),
            map,
            contents: Mutex::new(Contents { entries, version: 0 }),
            views: Mutex::default(),
        });
        self.all.push(list.clone());
        if let Some(file) = file {
            self.files.insert(file, list.clone());
        }
        list
    }
}

/// The entries of a file: one a line, without leading blanks; empty lines and those that begin with `#` are none.
fn parse(bytes: &[u8], map: bool) -> Vec<Entry> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut entries = Vec::new();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.first() == Some(&b'#') {
            continue;
        }
        let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
        let text = &text[start..];
        if text.is_empty() {
            continue;
        }
        let (key, value) = match map {
            false => (text, None),
            true => {
                let end = text.iter().position(blank).unwrap_or(text.len());
                let rest = &text[end..];
                let from = rest.iter().position(|byte| !blank(byte)).unwrap_or(rest.len());
                let to = rest.iter().rposition(|byte| !blank(byte)).map_or(from, |last| last + 1);
                (&text[..end], Some(rest[from..to].into()))
            }
        };
        entries.push(Entry { key: key.into(), value, line, ..Entry::default() });
    }
    entries
}
