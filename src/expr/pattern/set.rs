//! What one way to compare sees of a list: a [`View`], and what it holds at a moment: a [`Set`].
//!
//! A set has layers, the older entries first. What comes is a small layer beside the others until it is worth to compile both
//! together ([`super::list`]); so a list of 100,000 takes one more as cheaply as a short one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use smallvec::SmallVec;

use super::entry::Entry;
use super::layer::{Layer, Sought};
use super::{Flags, Method};
use crate::expr::error::{PatternError, shown};
use crate::expr::{Type, Value, args};

/// Patterns that are shown of a set.
const SHOWN: usize = 100;

/// What one way to compare sees of a list.
pub struct View {
    pub(super) look: Look,
    pub(super) set: ArcSwap<Set>,
}

/// A way to look at a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The way to compare.
    pub method: Method,
    /// Its flags.
    pub flags: Flags,
    /// What the values behind the patterns must be; `None`: nobody looks at them.
    pub gives: Option<Type>,
}

/// The patterns of a list at a moment, compiled.
#[derive(Debug)]
pub struct Set {
    look: Look,
    pub(super) layers: Vec<Arc<Layer>>,
}

/// A pattern that a value fits.
#[derive(Debug, Clone, Copy)]
pub struct Found<'s> {
    /// The pattern.
    pub entry: &'s Entry,
    layer: usize,
    index: usize,
}

impl fmt::Debug for View {
    /// How it compares, and with what: what it is compiled to says nothing more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({}", self.look.method.name())?;
        let flags = [(self.look.flags.any_case, " -i"), (self.look.flags.no_names, " -n")];
        flags.iter().filter(|(set, _)| *set).try_for_each(|(_, flag)| f.write_str(flag))?;
        self.set.load().keys().take(SHOWN).try_for_each(|key| write!(f, " '{}'", key.escape_ascii()))?;
        f.write_str(")")
    }
}

impl View {
    /// How it looks at the list.
    pub fn look(&self) -> Look {
        self.look
    }

    /// The patterns as they are now.
    pub fn set(&self) -> Guard<Arc<Set>> {
        self.set.load()
    }
}

impl Look {
    /// What is wrong with a value for who looks so.
    pub(super) fn judge(&self, value: &[u8]) -> Option<PatternError> {
        match self.gives? {
            gives if typed(value, gives).is_some() => None,
            Type::Int => Some(PatternError::Number { text: shown(value) }),
            _ => Some(PatternError::Address { text: shown(value) }),
        }
    }
}

/// A value of a map in the type that it is asked for.
pub(in crate::expr) fn typed(text: &[u8], gives: Type) -> Option<Value<'_>> {
    match gives {
        Type::Int => args::int(text).map(Value::Int),
        Type::Addr => Value::text(text).cast(Type::Addr),
        _ => Some(Value::text(text)),
    }
}

impl Set {
    pub(super) fn new(look: Look, layers: Vec<Arc<Layer>>) -> Self {
        Self { look, layers }
    }

    /// The patterns as they were written.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let entries = self.layers.iter().flat_map(|layer| layer.entries.iter());
        entries.filter(|entry| !entry.is_gone()).map(|entry| &*entry.key)
    }

    /// Whether there are none: nothing fits then.
    pub fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }

    /// The first pattern that a value fits; of networks and beginnings the finest.
    pub fn find(&self, value: &Value<'_>) -> Option<Found<'_>> {
        if self.layers.is_empty() {
            return None;
        }
        match self.look.method {
            Method::Found | Method::Bool => None,
            Method::Len => self.seek(Sought::Number(i64::try_from(value.borrowed().into_text().len()).ok()?)),
            Method::Int => self.seek(Sought::Number(value.int()?)),
            Method::Ip => self.seek(Sought::Address(value.address()?)),
            Method::Bin => self.seek(Sought::Bytes(&value.borrowed().into_bytes())),
            // The expression itself says that case does not count.
            Method::Reg => self.seek(Sought::Bytes(&value.borrowed().into_text())),
            _ if self.look.flags.any_case => {
                let mut small: SmallVec<[u8; 256]> = SmallVec::from_slice(&value.borrowed().into_text());
                small.make_ascii_lowercase();
                self.seek(Sought::Bytes(&small))
            }
            _ => self.seek(Sought::Bytes(&value.borrowed().into_text())),
        }
    }

    fn seek(&self, sought: Sought<'_>) -> Option<Found<'_>> {
        let ranked = matches!(self.look.method, Method::Ip | Method::Beg);
        let mut best: Option<(usize, usize, u64)> = None;
        for (at, layer) in self.layers.iter().enumerate() {
            let Some((index, rank)) = layer.find(sought) else { continue };
            if best.is_none_or(|(_, _, other)| rank > other) {
                best = Some((at, index, rank));
            }
            if !ranked {
                break;
            }
        }
        let (layer, index, _) = best?;
        Some(Found { entry: self.layers.get(layer)?.entries.get(index)?, layer, index })
    }

    /// Where the groups of a regular expression that was found match.
    pub fn groups(&self, found: &Found<'_>, text: &[u8]) -> Option<Vec<Option<Range<usize>>>> {
        self.layers.get(found.layer)?.groups(found.index, text)
    }
}
