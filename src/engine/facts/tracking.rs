//! Entries of stick tables that a session tracks: what rules do to them and what expressions read of them.
//!
//! What is counted when, asked of 2.6.12: a connection when tracking begins, whatever rule begins it; a session when there is
//! one, for who was tracked before; bytes when the session ends, or as they move with `option contstats`.

use std::sync::Arc;

use super::{Memory, View};
use crate::engine::clock;
use crate::expr::fetch::{Counter, Tracked as Whose};
use crate::expr::{Asked, TableRef, Value};
use crate::ir::table::{Datum, TableIx};
use crate::ir::{Amount, Count, Track};
use crate::pool::Peer;
use crate::pool::tables::{Entry, Table};

/// No session tracks more: `tune.stick-counters` ends there.
const MOST: u32 = 100;

/// Entries that are tracked, by the number of their counter.
#[derive(Debug, Default)]
pub(in crate::engine) struct Tracking(Vec<Option<Entry>>);

impl Tracking {
    /// Who is tracked under a number.
    fn get(&self, counter: u32) -> Option<&Entry> {
        self.0.get(counter as usize)?.as_ref()
    }

    fn each(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flatten()
    }

    fn put(&mut self, counter: u32, entry: Entry) {
        let at = counter as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        self.0[at] = Some(entry);
    }

    /// Number, table and key of each, for another process.
    pub(in crate::engine) fn keys(&self) -> Vec<(u32, String, Vec<u8>)> {
        let tracked = (0..).zip(&self.0).filter_map(|(counter, entry)| Some((counter, entry.as_ref()?)));
        let now = clock::now();
        let key = |entry: &Entry| entry.read(now, |view| view.key().to_vec());
        tracked.map(|(counter, entry)| (counter, entry.table().ir.name.to_string(), key(entry))).collect()
    }

    /// Tracks for a session that another process has begun: it is there once more, and counted as a connection already.
    pub(in crate::engine) fn take_up(&mut self, counter: u32, table: Option<&Arc<Table>>, key: &[u8]) {
        let now = clock::now();
        let entry = table.and_then(|table| table.entry(&table.ir.key_of_bytes(key)?, now));
        if let Some(entry) = entry.filter(|_| counter < MOST) {
            entry.refresh(now, |data| data.add(Datum::ConnCur, 0, 1));
            self.put(counter, entry);
        }
    }

    /// A session has begun.
    pub(in crate::engine) fn session(&self) {
        let now = clock::now();
        for entry in self.each() {
            entry.change(now, |data| {
                data.add(Datum::SessCnt, 0, 1);
                data.add(Datum::SessRate, 0, 1);
            });
        }
    }

    /// Bytes have moved from and to the client.
    pub(in crate::engine) fn bytes(&self, from: u64, to: u64) {
        if from == 0 && to == 0 {
            return;
        }
        let now = clock::now();
        for entry in self.each() {
            entry.change(now, |data| {
                for (count, rate, bytes) in
                    [(Datum::BytesInCnt, Datum::BytesInRate, from), (Datum::BytesOutCnt, Datum::BytesOutRate, to)]
                {
                    if bytes > 0 {
                        data.add(count, 0, bytes);
                        data.add(rate, 0, bytes);
                    }
                }
            });
        }
    }
}

impl Drop for Tracking {
    fn drop(&mut self) {
        let now = clock::now();
        for entry in self.0.drain(..).flatten() {
            entry.refresh(now, |data| data.subtract(Datum::ConnCur, 1));
        }
    }
}

impl View<'_> {
    /// `track-sc*`. The first rule that tracks under a number holds. Returns whether the key may come later.
    pub(in crate::engine) fn track(&self, track: &Track) -> bool {
        if self.memory.borrow().as_ref().is_some_and(|memory| memory.tracking.get(track.counter).is_some()) {
            return false;
        }
        let Some(table) = self.table(&track.table) else { return false };
        let found = track.key.evaluate(self);
        if found.may_change() && self.waits {
            return true;
        }
        let Some(key) = found.value().and_then(|value| table.ir.key(&value)) else { return false };
        let now = clock::now();
        let Some(entry) = table.entry(&key, now) else { return false };
        entry.refresh(now, |data| {
            data.add(Datum::ConnCnt, 0, 1);
            data.add(Datum::ConnRate, 0, 1);
            data.add(Datum::ConnCur, 0, 1);
        });
        self.remember(|memory: &mut Memory| memory.tracking.put(track.counter, entry));
        false
    }

    /// `sc-inc-gpc*`, `sc-add-gpc`.
    pub(in crate::engine) fn count(&self, count: &Count) {
        let Some(by) = self.amount(&count.by) else { return };
        self.entry(count.counter, |entry| {
            let rate = match count.what {
                Datum::Gpc0 => Datum::Gpc0Rate,
                Datum::Gpc1 => Datum::Gpc1Rate,
                _ => Datum::GpcRate,
            };
            entry.change(clock::now(), |data| {
                data.add(rate, count.index, u64::from(by));
                data.add(count.what, count.index, u64::from(by));
            });
        });
    }

    /// `sc-set-gpt*`.
    pub(in crate::engine) fn tag(&self, tag: &Count) {
        let Some(value) = self.amount(&tag.by) else { return };
        self.entry(tag.counter, |entry| {
            let _before = entry.set(tag.what, tag.index, i64::from(value), clock::now());
        });
    }

    fn amount(&self, amount: &Amount) -> Option<u32> {
        match amount {
            Amount::Number(number) => Some(*number),
            Amount::Expr(expr) => expr.value(self)?.int().map(|number| number as u32),
        }
    }

    fn entry<T>(&self, counter: u32, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        let memory = self.memory.borrow();
        memory.as_ref()?.tracking.get(counter).map(look)
    }

    fn table(&self, table: &TableRef) -> Option<&Arc<Table>> {
        self.shard.shared.pool.tables.get(TableIx(table.id?))
    }

    /// What a counter says; it may count, too.
    pub(super) fn counted(&self, counter: &Counter) -> Option<i64> {
        let now = clock::now();
        match counter.of {
            Whose::Source => {
                let Peer::Inet(address) = self.peer() else { return None };
                let table = self.table(counter.table.as_ref()?)?;
                let key = table.ir.key(&Value::ip(address.ip()))?;
                table.ask_of(&key, counter.deed, counter.what, counter.index, now)
            }
            Whose::Sc(number) => {
                let Some(table) = counter.table.as_ref() else {
                    return self.entry(number, |entry| entry.ask(counter.deed, counter.what, counter.index, now))?;
                };
                // the entry of the same key in another table
                let table = self.table(table)?;
                let key = self.entry(number, |entry| entry.read(now, |view| table.ir.key_of_bytes(view.key())))??;
                table.ask_of(&key, counter.deed, counter.what, counter.index, now)
            }
        }
    }

    /// The key of a tracked entry.
    pub(super) fn tracked_key(&self, number: i64) -> Option<Value<'static>> {
        self.entry(u32::try_from(number).ok()?, |entry| {
            entry.read(clock::now(), |view| entry.table().ir.value_of(view.key()))
        })?
    }

    /// What a table says of a key.
    pub(super) fn asked(&self, table: &TableRef, key: &Value<'_>, asked: Asked) -> Option<i64> {
        self.table(table)?.ask(key, asked, clock::now())
    }
}
