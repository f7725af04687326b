//! All lists of a configuration: their numbers, and the files that they were read from.

use std::cell::{RefCell, RefMut};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::entry::Written;
use super::list::{List, Use};
use crate::expr::error::{FileError, PatternError};
use crate::expr::keys::Keys;
use crate::text::World;

/// All lists of a configuration, and what else its expressions read of files.
#[derive(Debug, Default)]
pub struct Lists {
    /// The public keys that tokens are verified with.
    pub keys: Keys,
    known: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    files: HashMap<String, Arc<List>>,
    all: Vec<Arc<List>>,
    chosen: HashSet<u32>,
    /// The line that is being read.
    here: Option<(Arc<str>, usize)>,
}

impl Known {
    fn note(&self, list: &List, map: bool, fetch: &'static str) {
        let (file, line) = self.here.clone().unwrap_or_else(|| ("".into(), 0));
        list.uses.lock().unwrap_or_else(PoisonError::into_inner).push(Use { map, fetch, file, line });
    }
}

impl Lists {
    fn known(&self) -> RefMut<'_, Known> {
        self.known.borrow_mut()
    }

    /// The line that is being read: who names a list now stands there.
    pub fn stand(&self, file: &str, line: usize) {
        let mut known = self.known();
        let name = match known.here.take() {
            Some((name, _)) if &*name == file => name,
            _ => file.into(),
        };
        known.here = Some((name, line));
    }

    /// All of them by their numbers. Who chose none has the first that is free, in the order in which they were named.
    pub fn all(&self) -> Vec<Arc<List>> {
        let known = self.known();
        let mut free = (0..).filter(|id| !known.chosen.contains(id));
        for list in &known.all {
            let id = list.chosen.or_else(|| free.next()).unwrap_or(u32::MAX);
            list.id.store(id, Ordering::Relaxed);
        }
        let mut all = known.all.clone();
        all.sort_by_key(|list| list.id());
        all
    }

    /// A list that stands in the configuration; `fetch`: what is compared with it.
    ///
    /// # Errors
    /// [`PatternError::IdTaken`].
    pub(super) fn inline(
        &self,
        id: Option<u32>,
        fetch: &'static str,
        entries: Vec<Written>,
    ) -> Result<Arc<List>, PatternError> {
        let mut known = self.known();
        if let Some(id) = id.filter(|id| !known.chosen.insert(*id)) {
            return Err(PatternError::IdTaken { id });
        }
        let list = Arc::new(List::new(id, None, false, entries));
        known.note(&list, false, fetch);
        known.all.push(list.clone());
        Ok(list)
    }

    /// The list of a file, which is read once. `map`: with values behind the patterns; `fetch`: what is compared with it, empty
    /// where a converter looks it up.
    ///
    /// # Errors
    /// [`FileError`]: it cannot be read, or was read with another number of columns.
    pub fn open(&self, path: &str, map: bool, fetch: &'static str, world: &dyn World) -> Result<Arc<List>, FileError> {
        let mut known = self.known();
        if let Some(list) = known.files.get(path) {
            let same = list.map == map;
            if !same {
                return Err(FileError::Columns { path: path.to_owned() });
            }
            known.note(list, fetch.is_empty(), fetch);
            return Ok(list.clone());
        }
        let read = if path.is_empty() { Err(std::io::ErrorKind::NotFound.into()) } else { world.read(Path::new(path)) };
        let bytes = read.map_err(|why| FileError::Read { path: path.to_owned(), why: why.kind() })?;
        let list = Arc::new(List::new(None, Some(path.to_owned()), map, parse(&bytes, map)));
        known.note(&list, fetch.is_empty(), fetch);
        known.all.push(list.clone());
        known.files.insert(path.to_owned(), list.clone());
        Ok(list)
    }
}

/// The entries of a file: one a line, without leading blanks; empty lines and those that begin with `#` are none.
fn parse(bytes: &[u8], map: bool) -> Vec<Written> {
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
        entries.push(Written { key: key.into(), value, line, ..Written::default() });
    }
    entries
}
