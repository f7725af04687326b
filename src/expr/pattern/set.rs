//! A list of patterns, compiled for one way to compare.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::list::Entry;
use super::networks::{self, Networks, Resolver};
use super::numbers::{self, Numbers};
use super::regexes::Regexes;
use super::texts::Texts;
use super::{Flags, Method};
use crate::expr::error::{PatternError, shown};
use crate::expr::{Regex, Value, hex};

/// A list of patterns, compiled.
#[derive(Debug)]
pub struct Set {
    entries: Arc<[Entry]>,
    method: Method,
    index: Index,
}

#[derive(Debug)]
enum Index {
    Nothing,
    Numbers(Numbers),
    Networks(Networks),
    /// Those for which case counts, and those for which it does not, in small letters.
    Texts(Option<Texts>, Option<Texts>),
    Regexes(Regexes),
}

/// A pattern that a value fits.
#[derive(Debug, Clone, Copy)]
pub struct Found<'s> {
    /// Its number in the list.
    pub index: usize,
    /// The pattern.
    pub entry: &'s Entry,
}

impl Set {
    /// Compiles the patterns. `resolve` looks names up.
    ///
    /// # Errors
    /// The line of the wrong one, and what is wrong.
    pub(super) fn new(
        entries: Arc<[Entry]>,
        method: Method,
        flags: Flags,
        resolve: Option<Resolver<'_>>,
    ) -> Result<Self, (usize, PatternError)> {
        let blame = |entry: &Entry| {
            let line = entry.line;
            move |why| (line, why)
        };
        let any_case = |entry: &Entry| flags.any_case || entry.any_case;
        let numbered = || entries.iter().enumerate();
        let index = match method {
            Method::Found | Method::Bool => Index::Nothing,
            Method::Int | Method::Len => {
                let spans: Result<Vec<_>, _> = numbered()
                    .map(|(ix, entry)| Ok((numbers::parse(&entry.key, entry.op).map_err(blame(entry))?, ix)))
                    .collect();
                Index::Numbers(Numbers::new(&spans?))
            }
            Method::Ip => {
                let resolve = resolve.filter(|_| !flags.no_names);
                let mut all = Vec::with_capacity(entries.len());
                for (ix, entry) in numbered() {
                    let found = networks::parse(&entry.key, resolve).map_err(blame(entry))?;
                    all.extend(found.into_iter().map(|network| (network, ix)));
                }
                Index::Networks(Networks::new(&all))
            }
            Method::Reg => regexes(&entries, any_case)?,
            Method::Bin => {
                let bytes = |entry: &Entry| {
                    hex::decode(&entry.key).ok_or_else(|| (entry.line, PatternError::Hex { text: shown(&entry.key) }))
                };
                let all: Result<Vec<_>, _> = numbered().map(|(ix, entry)| Ok((bytes(entry)?, ix))).collect();
                Index::Texts(Some(Texts::new(method, &all?)), None)
            }
            _ => {
                let of = |wanted: bool| {
                    let all: Vec<(Vec<u8>, usize)> = numbered()
                        .filter(|(_, entry)| any_case(entry) == wanted)
                        .map(|(ix, entry)| match wanted {
                            true => (entry.key.to_ascii_lowercase(), ix),
                            false => (entry.key.to_vec(), ix),
                        })
                        .collect();
                    (!all.is_empty()).then(|| Texts::new(method, &all))
                };
                Index::Texts(of(false), of(true))
            }
        };
        Ok(Self { entries, method, index })
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none: nothing fits then.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first pattern that a value fits; of networks and beginnings the finest.
    pub fn find(&self, value: &Value<'_>) -> Option<Found<'_>> {
        let index = match &self.index {
            Index::Nothing => None,
            Index::Numbers(numbers) => numbers.find(match self.method {
                Method::Len => i64::try_from(value.borrowed().into_text().len()).ok()?,
                _ => value.int()?,
            }),
            Index::Networks(networks) => networks.find(value.address()?),
            Index::Texts(exact, any_case) => {
                let bytes = match self.method {
                    Method::Bin => value.borrowed().into_bytes(),
                    _ => value.borrowed().into_text(),
                };
                let first = exact.as_ref().and_then(|texts| texts.find(&bytes));
                let second = any_case.as_ref().and_then(|texts| {
                    let mut small: SmallVec<[u8; 256]> = SmallVec::from_slice(&bytes);
                    small.make_ascii_lowercase();
                    texts.find(&small)
                });
                match (first, second) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                }
            }
            Index::Regexes(regexes) => regexes.find(&value.borrowed().into_text()),
        }?;
        Some(Found { index, entry: self.entries.get(index)? })
    }

    /// Where the groups of a regular expression that was found match.
    pub fn groups(&self, found: &Found<'_>, text: &[u8]) -> Option<Vec<Option<Range<usize>>>> {
        match &self.index {
            Index::Regexes(regexes) => regexes.get(found.index)?.groups_at(text, 0),
            _ => None,
        }
    }
}

fn regexes(entries: &[Entry], any_case: impl Fn(&Entry) -> bool) -> Result<Index, (usize, PatternError)> {
    let compiled = entries.iter().map(|entry| {
        let regex = if any_case(entry) { Regex::any_case(&entry.key) } else { Regex::new(&entry.key) };
        regex.map_err(|why| (entry.line, PatternError::Regex { text: shown(&entry.key), why }))
    });
    Ok(Index::Regexes(Regexes::new(compiled.collect::<Result<_, _>>()?)))
}
