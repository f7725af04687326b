//! Lists of patterns: those of a line and those of files, which every line that names them shares.
//!
//! A list has entries; a [`View`] is what one way to compare sees of them, compiled. Changing a list compiles its views anew
//! and puts each in place at once: a reader sees the list before or after, never between.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
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
    pub id: u32,
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
    fn new(id: u32, file: Option<String>, map: bool, entries: Vec<Entry>) -> Arc<Self> {
        let contents = Mutex::new(Contents { entries, version: 0 });
        Arc::new(Self { id, file, map, contents, views: Mutex::default() })
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
        let taken = |id: u32| known.all.iter().any(|list| list.id == id);
        let id = match id {
            Some(id) if taken(id) => return Err(PatternError::IdTaken { id }),
            Some(id) => id,
            None => (0..).find(|id| !taken(*id)).unwrap_or(u32::MAX),
        };
        let list = List::new(id, None, false, entries);
        known.all.push(list.clone());
        Ok(list)
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
        let mut known = self.known.borrow_mut();
        let id = (0..).find(|id| known.all.iter().all(|list| list.id != *id)).unwrap_or(u32::MAX);
        let list = List::new(id, Some(path.to_owned()), map, entries);
        known.all.push(list.clone());
        known.files.insert(path.to_owned(), list.clone());
        Ok(list)
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
