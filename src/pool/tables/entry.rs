//! A hold on an entry: as long as one exists, the entry stays.

use std::fmt;
use std::sync::Arc;

use super::record::{Data, View};
use super::{Table, low};
use crate::ir::table::Datum;
use crate::units::Tick;

/// An entry that is held. Dropping it gives it back; [`Entry::finish`] starts its time again, too.
pub struct Entry {
    table: Arc<Table>,
    part: u32,
    slot: u32,
}

impl Entry {
    pub(super) fn new(table: Arc<Table>, part: usize, slot: u32) -> Self {
        Self { table, part: part as u32, slot }
    }

    /// Its table.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Looks at it.
    pub fn read<T>(&self, now: Tick, look: impl FnOnce(View<'_>) -> T) -> T {
        // its part exists: it was found there
        let shard = self.table.parts[self.part as usize].open();
        look(View { table: &self.table, record: shard.record(self.slot), now: low(now) })
    }

    /// Changes it, several data under one lock; its peers are told. Its time goes on: see [`Self::touch`].
    pub fn change<T>(&self, now: Tick, change: impl FnOnce(&mut Data<'_>) -> T) -> T {
        self.alter(now, None, true, change)
    }

    /// The same, and its time starts again: what haproxy does when tracking begins and ends.
    pub fn refresh<T>(&self, now: Tick, change: impl FnOnce(&mut Data<'_>) -> T) -> T {
        self.alter(now, Some(low(now)), true, change)
    }

    /// What a peer or another process says of it, and how long ago it was touched there: nobody is told of it.
    pub fn learn<T>(&self, now: Tick, idle: u32, change: impl FnOnce(&mut Data<'_>) -> T) -> T {
        self.alter(now, Some(low(now).wrapping_sub(idle)), false, change)
    }

    fn alter<T>(&self, now: Tick, touched: Option<u32>, tell: bool, change: impl FnOnce(&mut Data<'_>) -> T) -> T {
        let mut shard = self.table.parts[self.part as usize].open();
        if tell {
            shard.keep(self.slot);
        }
        let mut data = Data { table: &self.table, record: shard.record_mut(self.slot), now: low(now) };
        let answer = change(&mut data);
        let change = self.table.layout.change.filter(|_| tell);
        let numbers = change.map(|at| {
            let number = self.table.changes.next();
            (data.number_change(at, number), number)
        });
        if !tell {
            shard.keep_anew(self.slot);
        }
        if let Some(touched) = touched {
            shard.touch(self.slot, touched);
        }
        if let Some((before, number)) = numbers {
            shard.changed.remove(&before);
            shard.changed.insert(number, self.slot);
            drop(shard);
            self.table.changes.tell();
        }
        answer
    }

    /// Its time starts again: it was tracked, or matched.
    pub fn touch(&self, now: Tick) {
        self.refresh(now, |_| ());
    }

    /// What a datum says; `None` if it is not stored. Index 0 where it is no array.
    pub fn get(&self, datum: Datum, index: u32, now: Tick) -> Option<i64> {
        self.read(now, |view| view.get(datum, index))
    }

    /// Counts; returns what the datum says then.
    pub fn add(&self, datum: Datum, index: u32, by: u64, now: Tick) -> Option<i64> {
        self.change(now, |data| data.add(datum, index, by))
    }

    /// Sets a datum; returns what it said before.
    pub fn set(&self, datum: Datum, index: u32, value: i64, now: Tick) -> Option<i64> {
        self.change(now, |data| data.set(datum, index, value))
    }

    /// Sets a datum to 0; returns what it said before.
    pub fn clear(&self, datum: Datum, index: u32, now: Tick) -> Option<i64> {
        self.set(datum, index, 0, now)
    }

    /// The id of the server it sticks to; `None`: none yet.
    pub fn server_id(&self, now: Tick) -> Option<u32> {
        self.read(now, |view| view.server_id())
    }

    /// The name or address of that server.
    pub fn server_key(&self, now: Tick) -> Option<Arc<str>> {
        self.read(now, |view| view.server_key())
    }

    /// The server it sticks to from now on.
    pub fn set_server(&self, id: u32, key: Option<&str>, now: Tick) {
        self.change(now, |data| data.set_server(id, key));
    }

    /// Gives it back; its time starts again.
    pub fn finish(self, now: Tick) {
        self.touch(now);
    }
}

impl Clone for Entry {
    fn clone(&self) -> Self {
        self.table.parts[self.part as usize].open().hold(self.slot);
        Self { table: Arc::clone(&self.table), part: self.part, slot: self.slot }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(part) = self.table.parts.get(self.part as usize) {
            part.open().release(self.slot);
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table) && (self.part, self.slot) == (other.part, other.slot)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} {}/{})", self.table.ir.name, self.part, self.slot)
    }
}
