//! Some entries of a list, compiled for one way to compare.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use super::entry::Entry;
use super::networks::{self, Networks, Resolver};
use super::numbers::{self, Numbers};
use super::regexes::Regexes;
use super::texts::Texts;
use super::{Flags, Method};
use crate::expr::error::{PatternError, shown};
use crate::expr::{Regex, hex};

/// Entries, oldest first.
pub(super) type Entries = Arc<[Arc<Entry>]>;

/// Some entries of a list, compiled.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) entries: Entries,
    index: Index,
    twins: Twins,
}

#[derive(Debug)]
enum Index {
    Nothing,
    Numbers(Numbers),
    Networks(Networks),
    /// Where case does not count: in small letters.
    Texts(Texts),
    Regexes(Regexes),
}

/// What a value is when it is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sought<'v> {
    Number(i64),
    Address(IpAddr),
    Bytes(&'v [u8]),
}

/// A pattern that fits: its place in the layer, and how fine it is where that counts.
pub(super) type Fit = (usize, u64);

/// Of entries that say the same only the first is indexed; here stands which one comes behind each.
#[derive(Debug, Default)]
pub(super) struct Twins(HashMap<u32, u32>);

impl Twins {
    /// Indexes the place of a key. Places come from the last to the first.
    pub(super) fn put<K: std::hash::Hash + Eq>(&mut self, index: &mut HashMap<K, usize>, key: K, ix: usize) {
        if let Some(behind) = index.insert(key, ix) {
            self.0.insert(ix as u32, behind as u32);
        }
    }
}

impl Layer {
    /// Compiles entries. `resolve` looks names up.
    ///
    /// # Errors
    /// The line of the wrong one, and what is wrong.
    pub(super) fn new(
        entries: Entries,
        method: Method,
        flags: Flags,
        resolve: Resolver<'_>,
    ) -> Result<Self, (usize, PatternError)> {
        let mut twins = Twins::default();
        let numbered = || entries.iter().enumerate();
        let index = match method {
            Method::Found | Method::Bool => Index::Nothing,
            Method::Int | Method::Len => {
                let spans: Result<Vec<_>, _> = numbered()
                    .map(|(ix, entry)| Ok((numbers::parse(&entry.key, entry.op).map_err(|why| (entry.line, why))?, ix)))
                    .collect();
                Index::Numbers(Numbers::new(&spans?, &mut twins))
            }
            Method::Ip => {
                let resolve = Some(resolve).filter(|_| !flags.no_names);
                let mut all = Vec::with_capacity(entries.len());
                for (ix, entry) in numbered() {
                    let found = networks::parse(&entry.key, resolve).map_err(|why| (entry.line, why))?;
                    all.extend(found.into_iter().map(|network| (network, ix)));
                }
                Index::Networks(Networks::new(&all, &mut twins))
            }
            Method::Reg => regexes(&entries, flags.any_case)?,
            Method::Bin => {
                let bytes = |entry: &Entry| {
                    hex::decode(&entry.key).ok_or_else(|| (entry.line, PatternError::Hex { text: shown(&entry.key) }))
                };
                let all: Result<Vec<_>, _> = numbered().map(|(ix, entry)| Ok((bytes(entry)?, ix))).collect();
                Index::Texts(Texts::new(method, all?, &mut twins))
            }
            _ => {
                let text = |entry: &Entry| match flags.any_case {
                    true => entry.key.to_ascii_lowercase(),
                    false => entry.key.to_vec(),
                };
                Index::Texts(Texts::new(method, numbered().map(|(ix, entry)| (text(entry), ix)).collect(), &mut twins))
            }
        };
        Ok(Self { entries, index, twins })
    }

    /// The first pattern that fits; of networks and beginnings the finest.
    pub(super) fn find(&self, sought: Sought<'_>) -> Option<Fit> {
        let live = |mut ix: usize| loop {
            if !self.entries.get(ix)?.is_gone() {
                return Some(ix);
            }
            ix = *self.twins.0.get(&(ix as u32))? as usize;
        };
        match (&self.index, sought) {
            (Index::Numbers(numbers), Sought::Number(number)) => Some((numbers.find(number, live)?, 0)),
            (Index::Networks(networks), Sought::Address(address)) => networks.find(address, live),
            (Index::Texts(texts), Sought::Bytes(bytes)) => texts.find(bytes, live),
            (Index::Regexes(regexes), Sought::Bytes(text)) => Some((regexes.find(text, |ix| live(ix).is_some())?, 0)),
            _ => None,
        }
    }

    /// Where the groups of a regular expression that was found match.
    pub(super) fn groups(&self, ix: usize, text: &[u8]) -> Option<Vec<Option<Range<usize>>>> {
        match &self.index {
            Index::Regexes(regexes) => regexes.get(ix)?.groups_at(text, 0),
            _ => None,
        }
    }
}

fn regexes(entries: &[Arc<Entry>], any_case: bool) -> Result<Index, (usize, PatternError)> {
    let compiled = entries.iter().map(|entry| {
        let regex = Regex::one_of_many(&entry.key, any_case);
        regex.map_err(|why| (entry.line, PatternError::Regex { text: shown(&entry.key), why }))
    });
    Ok(Index::Regexes(Regexes::new(compiled.collect::<Result<_, _>>()?)))
}
