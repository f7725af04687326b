//! Tables over a reload: what an old process writes of its entries, and its successor reads.
//!
//! A body holds entries of one table: first the moment, the table's name, its keys' type and what is stored, then for each entry how long ago it
//! was touched, its key and its data; all numbers in groups of 7 bits. A body goes into one message. It is told twice:
//! everything before the new process serves, and what was touched since when the old one serves no more; then what both have
//! counted meanwhile is added. Who is connected now (`conn_cur`) is not told: sessions that come
//! along count where they come. What is read is not trusted. Nothing here is sorted by age before [`Tables::settle`].

use super::merge::{Said, Told, take};
use super::record::{Data, RateParts, View};
use super::{Cursor, Table, Tables, low};
use crate::ir::table::{Datum, KeyKind, Shape};
use crate::units::Tick;

/// Bytes of a body, about.
const BODY: usize = 64 * 1024;

/// The longest entry that is told.
const LONGEST: usize = 512 * 1024;

/// Places that are looked at under one lock.
const STRIDE: u32 = 256;

/// Milliseconds by which the clocks of threads may differ.
const LATE: u64 = 100;

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What is left to read.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number of 32 bits; larger ones are the largest.
    fn small(&mut self) -> Option<u32> {
        self.number().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn bytes(&mut self) -> Option<&'b [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }
}

fn kind_number(kind: KeyKind) -> u64 {
    match kind {
        KeyKind::Ip => 0,
        KeyKind::Ipv6 => 1,
        KeyKind::Integer => 2,
        KeyKind::String(_) => 3,
        KeyKind::Binary(_) => 4,
    }
}

impl Table {
    fn head(&self, now: Tick) -> Vec<u8> {
        let mut out = Vec::with_capacity(BODY + 1024);
        put(&mut out, now.millis());
        put_bytes(&mut out, self.ir.name.as_bytes());
        put(&mut out, kind_number(self.ir.kind));
        put(&mut out, self.ir.kind.width() as u64);
        put(&mut out, self.ir.store.len() as u64);
        for stored in &self.ir.store {
            put(&mut out, stored.datum as u64);
            put(&mut out, u64::from(stored.elements));
            put(&mut out, stored.period.map_or(0, |period| u64::from(period.get())));
        }
        out
    }

    /// Tells entries: all, or those that were touched since a moment or are held. `send` gets one body after the other.
    ///
    /// # Errors
    /// That of `send`.
    fn export<E>(
        &self,
        since: Option<Tick>,
        clock: fn() -> Tick,
        send: &mut dyn FnMut(Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut begun, mut next) = (clock(), Some(Cursor::default()));
        let mut body = self.head(begun);
        let mut empty = body.len();
        while let Some(from) = next {
            let now = clock();
            let youngest = since.map(|since| now.since(since) + LATE);
            next = self.walk(from, STRIDE, now, |entry| {
                if youngest.is_none_or(|youngest| entry.held() > 0 || u64::from(entry.idle()) <= youngest) {
                    let end = body.len();
                    // what has passed since the body was begun is counted by who reads it
                    let passed = u32::try_from(now.since(begun)).unwrap_or(u32::MAX);
                    write(&entry, passed, &self.ir, &mut body);
                    if body.len() - end > LONGEST {
                        body.truncate(end);
                    }
                }
            });
            if body.len() > BODY {
                begun = now;
                send(std::mem::replace(&mut body, self.head(begun)))?;
                empty = body.len();
            }
        }
        if body.len() > empty { send(body) } else { Ok(()) }
    }
}

fn write(entry: &View<'_>, passed: u32, ir: &crate::ir::table::Table, out: &mut Vec<u8>) {
    put(out, u64::from(entry.idle().saturating_sub(passed)));
    put_bytes(out, entry.key());
    for stored in &ir.store {
        for index in 0..stored.elements {
            match stored.datum.shape() {
                Shape::Word => put_bytes(out, entry.server_key().as_deref().unwrap_or_default().as_bytes()),
                Shape::Rate => {
                    let none = RateParts { age: 0, current: 0, previous: 0 };
                    let parts = entry.rate(stored.datum, index).unwrap_or(none);
                    put(out, u64::from(parts.current));
                    put(out, u64::from(parts.previous));
                    if parts.current > 0 || parts.previous > 0 {
                        put(out, u64::from(parts.age.saturating_sub(passed)));
                    }
                }
                Shape::Count | Shape::Long => {
                    let number = entry.exact(stored.datum, index).unwrap_or(0) as u64;
                    let of_here = stored.datum == Datum::ConnCur && !ir.recv_only;
                    put(out, if of_here { 0 } else { number });
                }
            }
        }
    }
}

fn read_one<'b>(rest: &mut Rest<'b>, shape: Shape, passed: u32) -> Option<Said<'b>> {
    Some(match shape {
        Shape::Word => Said::Word(std::str::from_utf8(rest.bytes()?).ok()?),
        Shape::Count | Shape::Long => Said::Number(rest.number()?),
        Shape::Rate => {
            let (current, previous) = (rest.small()?, rest.small()?);
            let age = if current > 0 || previous > 0 { rest.small()?.saturating_add(passed) } else { 0 };
            Said::Rate(RateParts { age, current, previous })
        }
    })
}

impl Tables {
    /// Tells the entries of all tables: see [`Table::export`].
    ///
    /// # Errors
    /// That of `send`.
    pub fn export<E>(
        &self,
        since: Option<Tick>,
        clock: fn() -> Tick,
        send: &mut dyn FnMut(Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.iter().try_for_each(|table| table.export(since, clock, send))
    }

    /// Takes a body of another process's [`Self::export`]; returns the number of entries, `None` for bytes that make no sense.
    /// Those of a table that is gone or has other keys are left out, and data that are stored no more.
    pub fn import(&self, body: &[u8], now: Tick) -> Option<usize> {
        let mut rest = Rest(body);
        let passed = u32::try_from(now.since(Tick::from_millis(rest.number()?))).unwrap_or(u32::MAX);
        let name = std::str::from_utf8(rest.bytes()?).ok()?;
        let (kind, width) = (rest.number()?, rest.number()?);
        let mut stored = Vec::new();
        for _ in 0..rest.number()?.min(Datum::ALL.len() as u64) {
            let datum = Datum::numbered(u8::try_from(rest.number()?).ok()?)?;
            let (elements, period) = (rest.small()?.min(1000), rest.small()?);
            stored.push((datum, elements, period));
        }
        let same = |table: &&std::sync::Arc<Table>| {
            kind_number(table.ir.kind) == kind && table.ir.kind.width() as u64 == width
        };
        let Some(table) = self.named(name).filter(same) else { return Some(0) };
        let mut count = 0;
        while !rest.0.is_empty() {
            let (idle, key) = (rest.small()?.saturating_add(passed), rest.bytes()?);
            let mut said = Vec::with_capacity(stored.len());
            for (datum, elements, period) in &stored {
                for index in 0..*elements {
                    said.push((*datum, index, *period, read_one(&mut rest, datum.shape(), passed)?));
                }
            }
            let Some(key) = table.ir.key_of_bytes(key) else { continue };
            let old = table.ir.expire.is_some_and(|expire| idle >= expire.get());
            count += usize::from(!old && table.learn_of(&key, idle, now, &said));
        }
        Some(count)
    }

    /// From now on entries change here, too, and the other process may tell of them again: what is counted here is added to what
    /// is counted there. It costs a copy of each entry that changes, until [`Self::count_together`].
    pub fn count_apart(&self) {
        self.keep_before(true);
    }

    /// The other process tells of no entry any more.
    pub fn count_together(&self) {
        self.keep_before(false);
    }

    fn keep_before(&self, keeps: bool) {
        for part in self.iter().flat_map(|table| &table.parts) {
            part.open().before = keeps.then(Default::default);
        }
    }

    /// Puts all entries in the order of their age again: to be called when all bodies have come.
    pub fn settle(&self) {
        for part in self.iter().flat_map(|table| &table.parts) {
            part.open().sort();
        }
    }
}

impl Table {
    /// Takes what was told of an entry; whether there was room for it.
    fn learn_of(
        &self,
        key: &crate::ir::table::Key,
        idle: u32,
        now: Tick,
        said: &[(Datum, u32, u32, Said<'_>)],
    ) -> bool {
        let (hash, moment) = (self.hash(key.bytes()), low(now));
        let then = moment.wrapping_sub(idle);
        let Some(part) = self.parts.get(self.part_of(hash)) else { return false };
        let mut shard = part.open();
        let known = self.find(&mut shard, hash, key.bytes(), moment);
        let slot = match known {
            Some(slot) => slot,
            None => {
                let room = |used: u32| (used < self.ir.size).then(|| used + 1);
                let relaxed = std::sync::atomic::Ordering::Relaxed;
                if self.used.fetch_update(relaxed, relaxed, room).is_err() {
                    return false;
                }
                shard.insert(&self.layout, hash, key.bytes(), then, |key| self.hash(key))
            }
        };
        let younger = known.is_none() || idle < super::age(moment, shard.touched(slot));
        let mut kept = shard.before.as_mut().and_then(|before| before.remove(&slot));
        let mut data = Data { table: self, record: shard.record_mut(slot), now: moment };
        let mut before = kept.as_deref_mut().map(|record| Data { table: self, record, now: moment });
        for (datum, index, period, said) in said {
            let (datum, index) = (*datum, *index);
            let here = self.ir.stored(datum).and_then(|stored| stored.period);
            let same_period = here.is_some_and(|here| here.get() == *period);
            take(&mut data, before.as_mut(), &Told { datum, index, said, same_period, younger });
        }
        if let Some((before, kept)) = shard.before.as_mut().zip(kept) {
            before.insert(slot, kept);
        }
        if known.is_some() && younger {
            shard.touch(slot, then);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::table;
    use super::*;
    use crate::ir::table::Key;
    use crate::units::Millis;

    fn at(millis: u64) -> Tick {
        Tick::from_millis(millis)
    }

    fn tables(size: u32) -> Tables {
        Tables::new(&[table(KeyKind::Integer, size, Some(10_000))])
    }

    fn bodies(tables: &Tables, since: Option<Tick>, clock: fn() -> Tick) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let told: Result<(), ()> = tables.export(since, clock, &mut |body| {
            all.push(body);
            Ok(())
        });
        assert_eq!(told, Ok(()));
        all
    }

    #[test]
    fn entries_go_on_with_their_age() {
        let old = tables(50_000);
        let table = Arc::clone(old.named("t").unwrap());
        for number in 0..20_000 {
            let entry = table.entry(&Key::integer(number), at(u64::from(number / 10))).unwrap();
            entry.change(at(0), |data| {
                data.add(Datum::Gpc0, 0, u64::from(number));
                data.add(Datum::ConnRate, 0, 30);
                data.set_server(number, Some(["a", "b"][number as usize % 2]));
            });
        }
        let new = tables(50_000);
        let all = bodies(&old, None, || at(3000));
        assert!(all.len() > 3 && all.iter().all(|body| body.len() < BODY + 16 * 1024), "{}", all.len());
        let taken: usize = all.iter().map(|body| new.import(body, at(3500)).unwrap()).sum();
        new.settle();
        let table = new.named("t").unwrap();
        assert_eq!((taken, table.used()), (20_000, 20_000));
        let seen = |entry: View<'_>| {
            (
                entry.get(Datum::Gpc0, 0),
                entry.get(Datum::ConnRate, 0),
                entry.server_id(),
                entry.server_key(),
                entry.idle(),
            )
        };
        let found = table.look(&Key::integer(15_001), at(3500), seen).unwrap();
        assert_eq!(found, (Some(15_001), Some(7), Some(15_001), Some("b".into()), 2000));
        // who is oldest is so here, too
        assert_eq!(table.expire_some(at(11_499), usize::MAX), 15_000);
    }

    #[test]
    fn the_second_time_only_what_changed_is_told() {
        let (old, new) = (tables(10), tables(10));
        let (there, here) = (old.named("t").unwrap(), new.named("t").unwrap());
        for number in 1..=3 {
            there.entry(&Key::integer(number), at(1000)).unwrap().add(Datum::Gpc0, 0, 5, at(1000));
        }
        let first = bodies(&old, None, || at(1000));
        assert_eq!(first.iter().map(|body| new.import(body, at(1000)).unwrap()).sum::<usize>(), 3);
        let held = there.lookup(&Key::integer(1), at(1000)).unwrap();
        held.add(Datum::Gpc0, 0, 1, at(2000));
        there.lookup(&Key::integer(2), at(2000)).unwrap().refresh(at(2000), |data| data.set(Datum::Gpc0, 0, 2));
        here.lookup(&Key::integer(1), at(2000)).unwrap().add(Datum::Gpc0, 0, 3, at(2000));
        let second = bodies(&old, Some(at(1500)), || at(2000));
        assert_eq!(second.iter().map(|body| new.import(body, at(2000)).unwrap()).sum::<usize>(), 2);
        let counts = [1, 2, 3].map(|number| here.look(&Key::integer(number), at(2000), |e| e.get(Datum::Gpc0, 0)));
        assert_eq!(counts, [Some(Some(8)), Some(Some(5)), Some(Some(5))]);
        assert_eq!(here.look(&Key::integer(2), at(2000), |entry| entry.idle()), Some(0));
    }

    #[test]
    fn what_both_count_meanwhile_is_added() {
        let (old, new) = (tables(10), tables(10));
        let (there, here) = (old.named("t").unwrap(), new.named("t").unwrap());
        let count = |table: &Arc<Table>, key: u32, gpc: u64, connections: u64, moment: u64| {
            table.entry(&Key::integer(key), at(moment)).unwrap().refresh(at(moment), |data| {
                data.add(Datum::Gpc0, 0, gpc);
                data.add(Datum::ConnRate, 0, connections);
            });
        };
        let seen = |key: u32| {
            here.look(&Key::integer(key), at(2200), |e| (e.get(Datum::Gpc0, 0), e.get(Datum::ConnRate, 0))).unwrap()
        };
        let tell = |since: Option<u64>, clock: fn() -> Tick| {
            bodies(&old, since.map(at), clock).iter().for_each(|body| assert!(new.import(body, at(2200)).is_some()));
        };
        (1..=2).for_each(|key| count(there, key, 5, 4, 2000));
        tell(None, || at(2000));
        new.count_apart();
        // by both, by the old one alone, and an entry that both have made
        count(there, 1, 2, 3, 2100);
        count(here, 1, 4, 1, 2110);
        count(there, 2, 7, 1, 2100);
        count(there, 3, 3, 2, 2100);
        count(here, 3, 2, 5, 2110);
        for _ in 0..2 {
            tell(Some(2050), || at(2150)); // told again it is not counted again
            assert_eq!([1, 2, 3].map(seen), [(Some(11), Some(8)), (Some(12), Some(5)), (Some(5), Some(7))]);
        }
        count(there, 1, 1, 1, 2160);
        count(here, 2, 1, 1, 2160);
        tell(Some(2150), || at(2170));
        assert_eq!([1, 2].map(seen), [(Some(12), Some(9)), (Some(13), Some(6))]);
        // an entry that has gone here and comes again begins with what is told
        assert_eq!(here.remove(&Key::integer(1), at(2180)), Some(true));
        count(there, 1, 1, 0, 2180);
        tell(Some(2175), || at(2185));
        assert_eq!(seen(1).0, Some(9));
        // when nobody is told of any more, the larger number stays
        new.count_together();
        count(here, 1, 3, 0, 2190);
        tell(Some(2175), || at(2195));
        assert_eq!(seen(1).0, Some(12));
    }

    #[test]
    fn other_tables_take_nothing() {
        let old = tables(10);
        old.named("t").unwrap().entry(&Key::integer(1), at(0)).unwrap();
        let all = bodies(&old, None, || at(0));
        let other = Tables::new(&[table(KeyKind::String(4), 10, None)]);
        assert_eq!(other.import(&all[0], at(0)), Some(0));
        let mut brief = table(KeyKind::Integer, 10, None);
        brief.expire = Millis::new(50);
        let brief = Tables::new(&[brief]);
        assert_eq!(brief.import(&all[0], at(50)), Some(0), "it is too old by now");
        assert_eq!(brief.import(&all[0], at(49)), Some(1));
        let full = Tables::new(&[table(KeyKind::Integer, 1, None)]);
        full.named("t").unwrap().entry(&Key::integer(9), at(0)).unwrap();
        assert_eq!(full.import(&all[0], at(0)), Some(0));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let old = tables(10);
        let table = Arc::clone(old.named("t").unwrap());
        (0..5).for_each(|n| table.entry(&Key::integer(n), at(0)).unwrap().set_server(n, Some("x"), at(0)));
        let whole = bodies(&old, None, || at(0)).remove(0);
        let new = std::panic::AssertUnwindSafe(tables(10));
        bolero::check!().with_iterations(20_000).with_type::<(u16, u8, u16)>().for_each(|(place, byte, end)| {
            let mut bytes = whole.clone();
            let place = usize::from(*place) % bytes.len();
            bytes[place] = *byte;
            bytes.truncate(usize::from(*end).max(1));
            let _ = new.import(&bytes, at(5));
        });
        bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
            let _ = new.import(bytes, at(5));
        });
    }
}
