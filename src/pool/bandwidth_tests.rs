//! Limits are replayed with a given clock: what is allowed when, alone and shared.

use std::sync::Arc;

use super::bandwidth::{LULL, Limiter, Limits, Pace};
use crate::expr::Side;
use crate::ir::table::{self, Datum, Key, KeyKind, Stored};
use crate::ir::{BandwidthLimit, BandwidthRate};
use crate::pool::tables::Table;
use crate::pool::tables::tests::table;
use crate::text::Span;
use crate::units::{Millis, Tick};

fn filter(limit: u32, period: u32, min_size: u32) -> Arc<BandwidthLimit> {
    let period = Millis::new(period).expect("a period");
    let rate = BandwidthRate::Own { limit, period };
    let (name, section) = ("limit".into(), "section".into());
    Arc::new(BandwidthLimit { name, section, side: Side::Response, min_size, rate, span: Span::default() })
}

fn limits(all: &[(u32, u32, u32)]) -> Limits {
    let mut limits = Limits::default();
    for (limit, period, min_size) in all {
        limits.set(Limiter::new(filter(*limit, *period, *min_size), (None, None), None), 0);
    }
    limits
}

/// Forwards that many bytes, all of which wait, as fast as allowed: when, and how many then.
fn forward(limits: &mut Limits, bytes: u64, from: u64) -> Vec<(u64, u64)> {
    let (mut done, mut now, mut moves) = (0, from, Vec::new());
    while done < bytes {
        match limits.pace(Tick::from_millis(now), || bytes - done) {
            Pace::Free => panic!("there is a limit"),
            Pace::Most(most) => {
                let moved = u64::from(most).min(bytes - done);
                moves.push((now, moved));
                done += moved;
                limits.count(done, Tick::from_millis(now));
            }
            Pace::Until(at) => {
                assert!(at.millis() > now, "{at:?} at {now}");
                now = at.millis();
            }
        }
    }
    moves
}

#[test]
fn a_session_forwards_what_it_may_and_no_more() {
    for (limit, period) in [(1000, 1000), (100_000, 1000), (7, 3000), (1_000_000, 50), (4_294_967_295, 1000)] {
        let bytes = u64::from(limit) * 5;
        let moves = forward(&mut limits(&[(limit, period, 0)]), bytes, 77_777);
        assert_eq!(moves.iter().map(|(_, moved)| moved).sum::<u64>(), bytes);
        for (ix, (at, _)) in moves.iter().enumerate() {
            let so_far: u64 = moves[..=ix].iter().map(|(_, moved)| moved).sum();
            // the first period's bytes go at once, the others evenly
            let allowed = u64::from(limit) * (at - 77_777 + u64::from(period)) / u64::from(period);
            assert!(so_far <= allowed, "{limit} in {period}: {so_far} of {allowed} at {at}");
        }
        let took = moves[moves.len() - 1].0 - 77_777;
        assert!(
            took >= u64::from(period) * 4 && took <= u64::from(period.max(2000)) * 5,
            "{limit} in {period}: {took}"
        );
        let most = (took / u64::from(LULL) + 2).max(bytes / u64::from(limit).min(10) + 2);
        assert!(moves.len() as u64 <= most, "{limit} in {period}: {} moves", moves.len());
    }
}

#[test]
fn who_was_silent_may_not_forward_more_at_once_than_others() {
    let mut limits = limits(&[(1000, 1000, 0)]);
    assert_eq!(limits.pace(Tick::from_millis(90_000), || 5000), Pace::Most(1000));
    limits.count(1000, Tick::from_millis(90_000));
    assert!(matches!(limits.pace(Tick::from_millis(90_000), || 5000), Pace::Until(_)));
    assert_eq!(limits.pace(Tick::from_millis(99_000), || 5000), Pace::Most(1000));
}

#[test]
fn fewer_than_the_least_are_forwarded_only_at_the_end() {
    // more than the limit are never waited for
    for (min_size, least) in [(300, 300), (5000, 1000)] {
        let moves = forward(&mut limits(&[(1000, 1000, min_size)]), 4321, 1000);
        let early = &moves[..moves.len() - 1];
        assert!(early.iter().all(|(_, moved)| *moved >= least), "{min_size}: {moves:?}");
    }
    let mut limits = limits(&[(1000, 1000, 500)]);
    limits.count(900, Tick::from_millis(10_000));
    let pace = |waiting| limits.pace(Tick::from_millis(10_000), || waiting);
    assert_eq!(pace(100), Pace::Most(100), "all that waits is allowed");
    assert!(matches!(pace(101), Pace::Until(_)));
}

#[test]
fn an_end_needs_no_allowance() {
    let mut limits = limits(&[(1000, 1000, 500)]);
    limits.count(1000, Tick::from_millis(10_000));
    assert_eq!(limits.pace(Tick::from_millis(10_000), || 0), Pace::Most(1));
}

#[test]
fn the_smallest_of_several_limits_counts() {
    let took = |all: &[(u32, u32, u32)]| forward(&mut limits(all), 20_000, 5).last().map(|(at, _)| at - 5);
    let slow = took(&[(4000, 1000, 0)]);
    assert_eq!(took(&[(4000, 1000, 0), (40_000, 1000, 0)]), slow);
    assert_eq!(took(&[(1_000_000, 7, 0), (4000, 1000, 0)]), slow);
    assert!(slow >= Some(4000), "{slow:?}");
}

#[test]
fn a_limit_that_is_set_again_has_counted_what_it_had() {
    let (filter, now) = (filter(1000, 1000, 0), Tick::from_millis(50_000));
    let mut limits = Limits::default();
    limits.set(Limiter::new(Arc::clone(&filter), (None, None), None), 4000);
    assert_eq!(limits.pace(now, || 9999), Pace::Most(1000), "what was forwarded before does not count");
    limits.count(4700, now);
    limits.set(Limiter::new(Arc::clone(&filter), (Some(2000), None), None), 4700);
    assert_eq!(limits.pace(now, || 9999), Pace::Most(1300));
    limits.set(Limiter::new(filter, (None, None), None), 4700);
    assert_eq!(limits.pace(now, || 9999), Pace::Most(300));
    assert_eq!(limits.len(), 1);
}

fn shared() -> (Arc<Table>, Key) {
    let store = vec![Stored { datum: Datum::BytesOutRate, elements: 1, period: Millis::new(1000) }];
    let ir = table::Table { store, ..table(KeyKind::Integer, 10, Some(60_000)) };
    (Arc::new(Table::new(ir)), Key::integer(7))
}

fn sharer(table: &Arc<Table>, key: &Key, now: u64) -> Limits {
    let share = table.share(key, Datum::BytesOutRate, Tick::from_millis(now)).expect("a share");
    let mut limits = Limits::default();
    // what is shared has the period of its table
    limits.set(Limiter::new(filter(1000, 9999, 0), (None, None), Some(share)), 0);
    limits
}

/// Forwards what all may, whose bytes never end, for so long: how many bytes each did.
fn race(all: &mut [(Limits, u64)], from: u64, long: u64) {
    for now in from..from + long {
        for (limits, done) in all.iter_mut() {
            if let Pace::Most(most) = limits.pace(Tick::from_millis(now), || 1_000_000) {
                *done += u64::from(most);
                limits.count(*done, Tick::from_millis(now));
            }
        }
    }
}

#[test]
fn who_shares_a_limit_gets_an_equal_part() {
    let (table, key) = shared();
    let mut all: Vec<_> = (0..4).map(|_| (sharer(&table, &key, 1000), 0)).collect();
    race(&mut all, 1000, 10_000);
    let sum: u64 = all.iter().map(|(_, done)| done).sum();
    assert!((9500..=11_004).contains(&sum), "{sum} of 11000");
    assert!(
        all.iter().all(|(_, done)| done.abs_diff(sum / 4) < 100),
        "{:?}",
        all.iter().map(|(_, done)| *done).collect::<Vec<_>>()
    );
    // two leave, and a third comes: what is there is divided anew
    all.truncate(2);
    all.push((sharer(&table, &key, 11_000), 0));
    let before: Vec<u64> = all.iter().map(|(_, done)| *done).collect();
    race(&mut all, 11_000, 9000);
    let parts: Vec<u64> = all.iter().zip(before).map(|((_, done), before)| done - before).collect();
    let sum: u64 = parts.iter().sum();
    assert!((8000..=9500).contains(&sum) && parts.iter().all(|part| part.abs_diff(sum / 3) < 400), "{parts:?}");
    // alone
    all.truncate(1);
    let before = all[0].1;
    race(&mut all, 20_000, 5000);
    assert!((4500..=5500).contains(&(all[0].1 - before)), "{}", all[0].1 - before);
    drop(all);
    assert_eq!(table.share(&key, Datum::BytesOutRate, Tick::from_millis(26_000)).map(|share| share.sharers()), Some(1));
    assert!(table.share(&key, Datum::BytesInRate, Tick::from_millis(26_000)).is_none(), "no such rate is stored");
}

#[test]
fn what_the_table_has_counted_already_is_not_allowed_again() {
    let (table, key) = shared();
    let entry = table.entry(&key, Tick::from_millis(1000)).expect("an entry");
    entry.add(Datum::BytesOutRate, 0, 900, Tick::from_millis(1000));
    let one = sharer(&table, &key, 1000);
    assert_eq!(one.pace(Tick::from_millis(1000), || 5000), Pace::Most(100));
    entry.add(Datum::BytesOutRate, 0, 500, Tick::from_millis(1000));
    assert!(matches!(one.pace(Tick::from_millis(1000), || 5000), Pace::Until(_)));
}
