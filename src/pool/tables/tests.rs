//! Entries come, count, age and go.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::expr::fetch::{Datum as Fetched, Deed};
use crate::expr::{Asked, Value};
use crate::ir::table::{Datum, KeyKind, ServerKey, Stored};
use crate::text::Span;
use crate::units::Millis;

fn stored(datum: Datum, elements: u32, period: u32) -> Stored {
    Stored { datum, elements, period: Millis::new(period).filter(|_| period > 0) }
}

pub(in crate::pool) fn table(kind: KeyKind, size: u32, expire: Option<u32>) -> table::Table {
    table::Table {
        name: "t".into(),
        kind,
        size,
        expire: expire.and_then(Millis::new),
        nopurge: false,
        store: vec![
            stored(Datum::ServerId, 1, 0),
            stored(Datum::Gpc0, 1, 0),
            stored(Datum::ConnRate, 1, 2000),
            stored(Datum::BytesInCnt, 1, 0),
            stored(Datum::ServerKey, 1, 0),
            stored(Datum::Gpt, 2, 0),
        ],
        peers: None,
        server_key: ServerKey::Name,
        write_to: None,
        recv_only: false,
        owner: None,
        span: Span::default(),
    }
}

fn at(millis: u64) -> Tick {
    Tick::from_millis(millis)
}

fn key(number: u32) -> Key {
    Key::integer(number)
}

fn numbers(table: &Table, now: Tick) -> Vec<u32> {
    let mut all = Vec::new();
    let mut cursor = Some(Cursor::default());
    while let Some(from) = cursor {
        cursor = table.walk(from, 7, now, |view| all.push(u32::from_le_bytes(view.key().try_into().unwrap())));
    }
    all.sort_unstable();
    all
}

#[test]
fn values_become_keys() {
    let text = table(KeyKind::String(4), 9, None);
    let number = table(KeyKind::Integer, 9, None);
    let bytes = table(KeyKind::Binary(4), 9, None);
    let address = table(KeyKind::Ip, 9, None);
    for (table, value, want) in [
        (&text, Value::text(b"abcdef"), Some(&b"abcd"[..])), // cut
        (&text, Value::text(b""), Some(b"")),
        (&bytes, Value::text(b""), Some(b"\0\0\0\0")),
        (&text, Value::Int(12345), Some(b"1234")),
        (&number, Value::Int(258), Some(&[2, 1, 0, 0])),
        (&number, Value::text(b"258x"), Some(&[2, 1, 0, 0])),
        (&number, Value::Int(-1), Some(&[255, 255, 255, 255])),
        (&bytes, Value::text(b"ab"), Some(b"ab\0\0")), // filled up
        (&bytes, Value::text(b"abcdef"), Some(b"abcd")),
        (&address, Value::text(b"10.0.0.1"), Some(&[10, 0, 0, 1])),
        (&address, Value::text(b"x"), None),
        (&address, Value::Ipv6("::1:2".parse().unwrap()), None),
        (&address, Value::Ipv6("::ffff:1.0.2.3".parse().unwrap()), Some(&[1, 0, 2, 3])),
        (&address, Value::Ipv6("2001:db8::1".parse().unwrap()), None),
    ] {
        assert_eq!(table.key(&value).as_ref().map(Key::bytes), want, "{value:?} in {:?}", table.kind);
    }
}

#[test]
fn entries_count() {
    let table = Arc::new(Table::new(table(KeyKind::Integer, 10, Some(5000))));
    assert!(table.lookup(&key(1), at(0)).is_none());
    let entry = table.entry(&key(1), at(0)).unwrap();
    assert_eq!(entry.get(Datum::Gpc0, 0, at(0)), Some(0));
    assert_eq!(entry.get(Datum::Gpc1, 0, at(0)), None, "not stored");
    assert_eq!(entry.get(Datum::Gpt, 2, at(0)), None, "no such element");
    assert_eq!(entry.add(Datum::Gpc0, 0, 3, at(0)), Some(3));
    assert_eq!(entry.clear(Datum::Gpc0, 0, at(0)), Some(3));
    assert_eq!(entry.set(Datum::Gpc0, 0, -1, at(0)), Some(0));
    assert_eq!(entry.add(Datum::Gpc0, 0, 1, at(0)), Some(i64::from(u32::MAX)), "no wrap");
    assert_eq!(entry.set(Datum::Gpt0, 0, 7, at(0)), Some(0), "the array's first");
    assert_eq!(entry.get(Datum::Gpt, 0, at(0)), Some(7));
    assert_eq!(entry.add(Datum::BytesInCnt, 0, 1 << 40, at(0)), Some(1 << 40));
    assert_eq!(entry.ask(Deed::Get, Fetched::KbytesIn, 0, at(0)), Some(1 << 30));
    assert_eq!(entry.add(Datum::ConnRate, 0, 4, at(0)), Some(4));
    assert_eq!(entry.get(Datum::ConnRate, 0, at(3000)), Some(2));
    assert_eq!(entry.server_id(at(0)), None);
    entry.set_server(12, Some("s12"), at(0));
    assert_eq!((entry.server_id(at(0)), entry.server_key(at(0)).as_deref()), (Some(12), Some("s12")));
    assert_eq!(entry.ask(Deed::Get, Fetched::Trackers, 0, at(0)), Some(1));
    let other = entry.clone();
    assert_eq!(entry.ask(Deed::Get, Fetched::Trackers, 0, at(0)), Some(2));
    drop((entry, other));
    assert_eq!(table.look(&key(1), at(0), |view| view.held()), Some(0));
    assert_eq!(table.used(), 1);
}

#[test]
fn entries_age() {
    let table = Arc::new(Table::new(table(KeyKind::Integer, 10, Some(1000))));
    let entry = table.entry(&key(1), at(0)).unwrap();
    table.entry(&key(2), at(500)).unwrap().finish(at(600));
    // who holds is found however late
    assert_eq!(table.look(&key(1), at(1700), |view| (view.expires(), view.idle())), Some((Some(0), 1700)));
    assert!(table.lookup(&key(2), at(1599)).is_some());
    assert!(table.lookup(&key(2), at(1600)).is_none());
    assert_eq!(table.used(), 1, "who is too old goes when he is met");
    entry.finish(at(2000));
    assert_eq!(table.look(&key(1), at(2900), |view| view.expires()), Some(Some(100)));
    (10..15).for_each(|number| drop(table.entry(&key(number), at(2100))));
    assert_eq!(table.used(), 6);
    assert_eq!(table.expire_some(at(3050), 10), 1);
    assert_eq!(table.expire_some(at(3200), 3), 3);
    assert_eq!(table.expire_some(at(3200), 3), 2);
    assert_eq!(table.used(), 0);
}

#[test]
fn the_oldest_goes_when_the_table_is_full() {
    let table = Arc::new(Table::new(table(KeyKind::Integer, 5, None)));
    let held = table.entry(&key(1), at(0)).unwrap();
    (2..6).for_each(|number| drop(table.entry(&key(number), at(u64::from(number)))));
    table.lookup(&key(2), at(20)).unwrap().touch(at(20));
    drop(table.lookup(&key(3), at(21)).unwrap()); // looked at, not refreshed
    drop(table.entry(&key(6), at(22)).unwrap());
    assert_eq!(numbers(&table, at(22)), [1, 2, 4, 5, 6]);
    let all: Vec<Entry> = [2, 4, 5, 6].iter().map(|number| table.lookup(&key(*number), at(30)).unwrap()).collect();
    assert!(table.entry(&key(7), at(30)).is_none(), "all are held");
    drop(all);
    drop(table.entry(&key(7), at(31)).unwrap());
    assert_eq!(numbers(&table, at(31)), [1, 2, 5, 6, 7]);
    assert_eq!(table.remove(&key(1), at(31)), Some(false));
    drop(held);
    assert_eq!(table.remove(&key(1), at(31)), Some(true));
    assert_eq!(table.remove(&key(1), at(31)), None);
}

#[test]
fn nopurge_refuses() {
    let ir = table::Table { nopurge: true, ..table(KeyKind::Integer, 2, Some(100)) };
    let table = Arc::new(Table::new(ir));
    assert!(table.entry(&key(1), at(0)).is_some());
    assert!(table.entry(&key(2), at(50)).is_some());
    assert!(table.entry(&key(3), at(60)).is_none());
    assert!(table.entry(&key(3), at(100)).is_some(), "the first is too old now");
    assert_eq!(numbers(&table, at(100)), [2, 3]);
}

/// 1024 entries: 5 go at once, as in haproxy.
#[test]
fn many_go_at_once() {
    let table = Arc::new(Table::new(table(KeyKind::Integer, 1024, None)));
    (0..1025).for_each(|number| drop(table.entry(&key(number), at(u64::from(number)))));
    assert_eq!(table.used(), 1020);
    assert_eq!(numbers(&table, at(2000)).first(), Some(&5));
}

#[test]
fn a_divided_table_purges_the_oldest_of_all() {
    let table = Arc::new(Table::new(table(KeyKind::Integer, DIVIDED, None)));
    (0..=DIVIDED).for_each(|number| drop(table.entry(&key(number), at(u64::from(number)))));
    assert_eq!(table.used(), DIVIDED - 16);
    assert_eq!(numbers(&table, at(9999)).first(), Some(&17));
    let mut cursor = Some(Cursor::default());
    while let Some(from) = cursor {
        cursor = table.clear(from, 100, at(9999), |view| view.key()[0] != 9);
    }
    assert_eq!(table.used(), 15);
    assert!(numbers(&table, at(9999)).iter().all(|number| number & 255 == 9));
}

#[test]
fn changes_are_told_in_order() {
    let ir = table::Table { peers: Some("p".into()), ..table(KeyKind::Integer, DIVIDED, Some(9000)) };
    let table = Arc::new(Table::new(ir));
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    table.listen(Box::new(move || {
        counted.fetch_add(1, Relaxed);
    }));
    for number in [5, 6, 7, 5] {
        table.entry(&key(number), at(10)).unwrap().add(Datum::Gpc0, 0, 1, at(10));
    }
    assert_eq!(calls.load(Relaxed), 1);
    let told = |after, most| {
        let mut seen = Vec::new();
        let last = table.changes(after, most, at(20), |view| seen.push((view.key()[0], view.get(Datum::Gpc0, 0))));
        (last, seen)
    };
    table.listen_again();
    assert_eq!(told(0, 2), (3, vec![(6, Some(1)), (7, Some(1))]));
    assert_eq!(told(3, 9), (4, vec![(5, Some(2))]));
    assert_eq!(told(4, 9), (4, vec![]));
    table.lookup(&key(6), at(30)).unwrap().learn(at(30), 100, |data| data.set(Datum::Gpc0, 0, 9));
    assert_eq!(told(4, 9), (4, vec![]), "what others told is not told again");
    assert_eq!(table.look(&key(6), at(30), |view| view.idle()), Some(100));
    table.lookup(&key(6), at(30)).unwrap().finish(at(30));
    assert_eq!(told(4, 9), (5, vec![(6, Some(9))]));
    assert_eq!(calls.load(Relaxed), 2);
}

#[test]
fn expressions_ask() {
    let table = Arc::new(Table::new(table(KeyKind::Ip, 10, Some(1000))));
    let value = Value::text(b"10.0.0.9");
    let asked = |what| Asked { deed: Deed::Get, what, index: 0 };
    let wanted = table.ir.key(&value).unwrap();
    assert_eq!(table.ask(&value, asked(Fetched::Present), at(0)), None);
    assert_eq!(table.ask_of(&wanted, Deed::Get, Fetched::Gpc0, 0, at(0)), Some(0), "nobody was counted");
    assert_eq!(table.ask_of(&wanted, Deed::Increment, Fetched::Gpc0, 0, at(0)), Some(1));
    assert_eq!(table.ask(&value, asked(Fetched::Present), at(5)), Some(1));
    assert_eq!(table.ask(&value, asked(Fetched::Idle), at(5)), Some(5));
    assert_eq!(table.ask(&value, asked(Fetched::Expire), at(5)), Some(995));
    assert_eq!(table.ask(&value, asked(Fetched::Gpc0), at(5)), Some(1));
    assert_eq!(table.ask(&value, asked(Fetched::HttpReqCnt), at(5)), None, "not stored");
    assert_eq!(table.ask(&Value::text(b"x"), asked(Fetched::Gpc0), at(5)), None);
}

/// Threads create, hold, count and drop: nobody is lost, nobody stays.
#[test]
fn threads_share_a_table() {
    let table = Arc::new(Table::new(table(KeyKind::Integer, DIVIDED, Some(1_000_000))));
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let table = &table;
            scope.spawn(move || {
                for round in 0..20_000_u32 {
                    let number = (round.wrapping_mul(2_654_435_761) >> 8) % 6000;
                    let now = at(u64::from(round + thread));
                    let entry = table.entry(&key(number), now).unwrap();
                    let kept = entry.clone();
                    entry.refresh(now, |data| data.add(Datum::Gpc0, 0, 1));
                    drop(entry);
                    kept.finish(now);
                }
            });
        }
    });
    assert!(table.used() <= DIVIDED);
    assert_eq!(numbers(&table, at(30_000)).len(), table.used() as usize);
    let mut cursor = Some(Cursor::default());
    while let Some(from) = cursor {
        cursor = table.walk(from, 64, at(30_000), |view| assert_eq!(view.held(), 0));
    }
    let used = table.used() as usize;
    assert_eq!(table.expire_some(at(2_000_000), usize::MAX), used);
    assert_eq!(table.used(), 0);
}
