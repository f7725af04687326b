//! How an entry lies in memory: a record of as many bytes as its table needs.
//!
//! First what holds the entry in its shard, then the data, then the key, which ends a text by a zero if there is room. All
//! numbers have the lowest byte first. Nothing outside [`super`] knows offsets.

use super::rate::{BYTES as RATE, Rate};
use crate::ir::table::{Datum, KeyKind, Shape, Stored, Table};

/// The neighbours in the order of age, or the next free place.
pub(super) const PREVIOUS: usize = 0;
pub(super) const NEXT: usize = 4;
/// When the entry was last touched.
pub(super) const TOUCHED: usize = 8;
/// How many hold it; [`FREE`] where there is none.
pub(super) const HELD: usize = 12;
const HEAD: usize = 16;

/// [`HELD`] of a place without an entry.
pub(super) const FREE: u32 = u32::MAX;

const ABSENT: u32 = u32::MAX;

/// Where what lies in a record.
#[derive(Debug)]
pub(super) struct Layout {
    /// The number of the entry's last change; `None`: nobody listens to this table.
    pub(super) change: Option<usize>,
    /// By number of the datum: its offset, or [`ABSENT`].
    offsets: [u32; Datum::ALL.len()],
    /// What is stored.
    pub(super) stored: Box<[Stored]>,
    key: usize,
    /// The most bytes of a key.
    pub(super) width: usize,
    text: bool,
    /// Bytes of a record.
    pub(super) record: usize,
}

/// A datum's place in a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) at: usize,
    pub(super) shape: Shape,
    pub(super) period: u32,
}

fn bytes(shape: Shape) -> usize {
    match shape {
        Shape::Count | Shape::Word => 4,
        Shape::Long => 8,
        Shape::Rate => RATE,
    }
}

impl Layout {
    pub(super) fn new(table: &Table) -> Self {
        let change = table.peers.is_some().then_some(HEAD);
        let mut at = HEAD + if change.is_some() { 8 } else { 0 };
        let mut offsets = [ABSENT; Datum::ALL.len()];
        for stored in &table.store {
            if let Some(offset) = offsets.get_mut(stored.datum as usize) {
                *offset = at as u32;
            }
            at += bytes(stored.datum.shape()) * stored.elements as usize;
        }
        let width = table.kind.width();
        Self {
            change,
            offsets,
            stored: table.store.clone().into(),
            key: at,
            width,
            text: matches!(table.kind, KeyKind::String(_)),
            record: at + width,
        }
    }

    /// The place of a datum; `None` if it is not stored, or has no such element.
    pub(super) fn cell(&self, datum: Datum, index: u32) -> Option<Cell> {
        let offset = self.offsets.get(datum as usize).copied().filter(|offset| *offset != ABSENT)?;
        let stored = self.stored.iter().find(|stored| stored.datum == datum)?;
        let shape = datum.shape();
        (index < stored.elements).then(|| Cell {
            at: offset as usize + bytes(shape) * index as usize,
            shape,
            period: stored.period.map_or(0, |period| period.get()),
        })
    }

    /// The key of a record.
    pub(super) fn key<'r>(&self, record: &'r [u8]) -> &'r [u8] {
        let field = record.get(self.key..self.key + self.width).unwrap_or_default();
        if !self.text {
            return field;
        }
        field.get(..memchr::memchr(0, field).unwrap_or(field.len())).unwrap_or_default()
    }

    /// Makes a record that of a key, with nothing counted.
    pub(super) fn begin(&self, record: &mut [u8], key: &[u8]) {
        record.fill(0);
        if let Some(field) = record.get_mut(self.key..self.key + key.len().min(self.width)) {
            field.copy_from_slice(key.get(..field.len()).unwrap_or_default());
        }
    }
}

/// A number of 32 bits; 0 where the record ends.
pub(super) fn load(record: &[u8], at: usize) -> u32 {
    record.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn store(record: &mut [u8], at: usize, number: u32) {
    if let Some(bytes) = record.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *bytes = number.to_le_bytes();
    }
}

pub(super) fn load_long(record: &[u8], at: usize) -> u64 {
    record.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

pub(super) fn store_long(record: &mut [u8], at: usize, number: u64) {
    if let Some(bytes) = record.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *bytes = number.to_le_bytes();
    }
}

pub(super) fn load_rate(record: &[u8], at: usize) -> Rate {
    Rate { start: load(record, at), current: load(record, at + 4), previous: load(record, at + 8) }
}

pub(super) fn store_rate(record: &mut [u8], at: usize, rate: Rate) {
    store(record, at, rate.start);
    store(record, at + 4, rate.current);
    store(record, at + 8, rate.previous);
}
