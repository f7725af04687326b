//! What an entry says, and how it is changed: one record under its shard's lock.
//!
//! A datum that is not stored is `None`; where a table has the arrays, `gpc0`, `gpc1`, `gpt0` and their rates mean their
//! first elements (manual §4.2), except for commands, which name what is stored ([`View::exact`]). Numbers wrap as haproxy's
//! when they are set, and stay at the largest when they are counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::layout::{Cell, HELD, Layout, TOUCHED, load, load_long, load_rate, store, store_long, store_rate};
use super::rate::Rate;
use super::{SLACK, Table};
use crate::ir::table::{Datum, Shape};

/// Words that entries name by number: the names or addresses of servers.
#[derive(Debug, Default)]
pub(super) struct Dictionary(Mutex<Words>);

#[derive(Debug, Default)]
struct Words {
    numbers: HashMap<Arc<str>, u32>,
    words: Vec<Arc<str>>,
}

impl Dictionary {
    fn words(&self) -> MutexGuard<'_, Words> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a word, from 1.
    fn number(&self, word: &str) -> u32 {
        let mut words = self.words();
        if let Some(number) = words.numbers.get(word) {
            return *number;
        }
        let word: Arc<str> = word.into();
        words.words.push(Arc::clone(&word));
        let number = words.words.len() as u32;
        words.numbers.insert(word, number);
        number
    }

    fn word(&self, number: u32) -> Option<Arc<str>> {
        self.words().words.get((number as usize).checked_sub(1)?).cloned()
    }
}

/// Two numbers of a rate, and when its period began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateParts {
    /// Milliseconds since the current period began.
    pub age: u32,
    /// Events in it.
    pub current: u32,
    /// Events in the one before.
    pub previous: u32,
}

/// An entry that is looked at.
#[derive(Clone, Copy)]
pub struct View<'r> {
    pub(super) table: &'r Table,
    pub(super) record: &'r [u8],
    pub(super) now: u32,
}

/// The place that a datum has, or its substitute in an array.
fn reach(layout: &Layout, datum: Datum, index: u32) -> Option<Cell> {
    layout.cell(datum, index).or_else(|| {
        let (datum, index) = match datum {
            Datum::Gpc0 => (Datum::Gpc, 0),
            Datum::Gpc1 => (Datum::Gpc, 1),
            Datum::Gpt0 => (Datum::Gpt, 0),
            Datum::Gpc0Rate => (Datum::GpcRate, 0),
            Datum::Gpc1Rate => (Datum::GpcRate, 1),
            _ => return None,
        };
        layout.cell(datum, index)
    })
}

impl<'r> View<'r> {
    /// The bytes of its key: see [`crate::ir::table::Key`].
    pub fn key(&self) -> &'r [u8] {
        self.table.layout.key(self.record)
    }

    /// Its table.
    pub fn table(&self) -> &'r Table {
        self.table
    }

    /// A number that no other entry has while this one stays where it is.
    pub fn address(&self) -> usize {
        self.record.as_ptr().addr()
    }

    /// How many hold it.
    pub fn held(&self) -> u32 {
        load(self.record, HELD)
    }

    /// Milliseconds since it was last touched.
    pub fn idle(&self) -> u32 {
        super::age(self.now, load(self.record, TOUCHED))
    }

    /// Milliseconds until it goes if nobody touches it; 0 for one that is held longer; `None`: it stays.
    pub fn expires(&self) -> Option<u32> {
        self.table.ir.expire.map(|expire| expire.get().saturating_sub(self.idle()))
    }

    /// The number of its last change, where the table's changes are listened to.
    pub fn change(&self) -> Option<u64> {
        self.table.layout.change.map(|at| load_long(self.record, at))
    }

    /// What a datum says now; an array's first element is its 0.
    pub fn get(&self, datum: Datum, index: u32) -> Option<i64> {
        self.value(reach(&self.table.layout, datum, index)?)
    }

    /// The same of what the table stores under just this name.
    pub fn exact(&self, datum: Datum, index: u32) -> Option<i64> {
        self.value(self.table.layout.cell(datum, index)?)
    }

    fn value(&self, cell: Cell) -> Option<i64> {
        Some(match cell.shape {
            Shape::Count => i64::from(load(self.record, cell.at)),
            Shape::Long => load_long(self.record, cell.at) as i64,
            Shape::Rate => i64::from(load_rate(self.record, cell.at).get(self.now, cell.period)),
            // its number in the dictionary; 0: none
            Shape::Word => i64::from(load(self.record, cell.at)),
        })
    }

    /// What a rate is made of, for another process.
    pub fn rate(&self, datum: Datum, index: u32) -> Option<RateParts> {
        let cell = self.table.layout.cell(datum, index).filter(|cell| cell.shape == Shape::Rate)?;
        let Rate { start, current, previous } = load_rate(self.record, cell.at);
        Some(RateParts { age: super::age(self.now, start), current, previous })
    }

    /// The server it sticks to: its id.
    pub fn server_id(&self) -> Option<u32> {
        let cell = self.table.layout.cell(Datum::ServerId, 0)?;
        Some(load(self.record, cell.at)).filter(|id| *id != 0)
    }

    /// The server it sticks to: its name or address, as `srvkey` says.
    pub fn server_key(&self) -> Option<Arc<str>> {
        let cell = self.table.layout.cell(Datum::ServerKey, 0)?;
        self.table.dictionary.word(load(self.record, cell.at))
    }
}

/// An entry that is changed.
pub struct Data<'r> {
    pub(super) table: &'r Table,
    pub(super) record: &'r mut [u8],
    pub(super) now: u32,
}

impl Data<'_> {
    /// It as it is.
    pub fn view(&self) -> View<'_> {
        View { table: self.table, record: self.record, now: self.now }
    }

    /// Counts; returns what the datum says then.
    pub fn add(&mut self, datum: Datum, index: u32, by: u64) -> Option<i64> {
        let cell = reach(&self.table.layout, datum, index)?;
        let few = u32::try_from(by).unwrap_or(u32::MAX);
        match cell.shape {
            Shape::Count => {
                let sum = load(self.record, cell.at).saturating_add(few);
                store(self.record, cell.at, sum);
            }
            Shape::Long => {
                let sum = load_long(self.record, cell.at).saturating_add(by);
                store_long(self.record, cell.at, sum);
            }
            Shape::Rate => {
                let mut rate = load_rate(self.record, cell.at);
                rate.add(few, self.now, cell.period);
                store_rate(self.record, cell.at, rate);
            }
            Shape::Word => return None,
        }
        self.view().value(cell)
    }

    /// Counts down, never below 0: `conn_cur`.
    pub fn subtract(&mut self, datum: Datum, by: u32) {
        if let Some(cell) = reach(&self.table.layout, datum, 0).filter(|cell| cell.shape == Shape::Count) {
            let rest = load(self.record, cell.at).saturating_sub(by);
            store(self.record, cell.at, rest);
        }
    }

    /// Sets a datum; a rate says this number now, as if all had happened at once. Returns what it said before.
    pub fn set(&mut self, datum: Datum, index: u32, value: i64) -> Option<i64> {
        self.put(reach(&self.table.layout, datum, index)?, value)
    }

    /// The same of what the table stores under just this name.
    pub fn set_exact(&mut self, datum: Datum, index: u32, value: i64) -> Option<i64> {
        self.put(self.table.layout.cell(datum, index)?, value)
    }

    fn put(&mut self, cell: Cell, value: i64) -> Option<i64> {
        let before = self.view().value(cell)?;
        match cell.shape {
            Shape::Count => store(self.record, cell.at, value as u32),
            Shape::Long => store_long(self.record, cell.at, value as u64),
            Shape::Rate => store_rate(self.record, cell.at, Rate::of(value as u32, self.now)),
            Shape::Word => {}
        }
        Some(before)
    }

    /// Sets what a rate is made of: from another process.
    pub fn set_rate(&mut self, datum: Datum, index: u32, parts: RateParts) {
        if let Some(cell) = self.table.layout.cell(datum, index).filter(|cell| cell.shape == Shape::Rate) {
            let RateParts { age, current, previous } = parts;
            let start = self.now.wrapping_sub(age.min(u32::MAX - SLACK));
            store_rate(self.record, cell.at, Rate { start, current, previous });
        }
    }

    /// Counts of a rate what another process has counted since both said `before`.
    pub(super) fn add_since(&mut self, datum: Datum, index: u32, before: RateParts, told: RateParts) {
        let Some(cell) = self.table.layout.cell(datum, index).filter(|cell| cell.shape == Shape::Rate) else { return };
        let turned = |parts: RateParts| {
            let RateParts { age, current, previous } = parts;
            let mut rate = Rate { start: self.now.wrapping_sub(age.min(u32::MAX - SLACK)), current, previous };
            rate.turn(self.now, cell.period);
            rate
        };
        let (before, told) = (turned(before), turned(told));
        let mut here = load_rate(self.record, cell.at);
        here.turn(self.now, cell.period);
        here.current = here.current.saturating_add(told.current.saturating_sub(before.current));
        here.previous = here.previous.saturating_add(told.previous.saturating_sub(before.previous));
        store_rate(self.record, cell.at, here);
    }

    /// The server it sticks to from now on.
    pub fn set_server(&mut self, id: u32, key: Option<&str>) {
        if let Some(cell) = self.table.layout.cell(Datum::ServerId, 0) {
            store(self.record, cell.at, id);
        }
        if let Some(cell) = self.table.layout.cell(Datum::ServerKey, 0) {
            let number = key.map_or(0, |key| self.table.dictionary.number(key));
            store(self.record, cell.at, number);
        }
    }

    /// The name or address of that server alone.
    pub(super) fn set_server_key(&mut self, key: &str) {
        if let Some(cell) = self.table.layout.cell(Datum::ServerKey, 0) {
            store(self.record, cell.at, self.table.dictionary.number(key));
        }
    }

    pub(super) fn number_change(&mut self, at: usize, number: u64) -> u64 {
        let before = load_long(self.record, at);
        store_long(self.record, at, number);
        before
    }
}
