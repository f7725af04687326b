//! How many bytes a limited session may forward now, and when it may forward more.
//!
//! What was forwarded is counted as the rates of stick tables are: the bytes of this period, and of the one before as many as a
//! sliding window still sees. Of several limits of a direction the smallest allowance counts. Knows no clock and no socket: moments,
//! and what waits to be forwarded, are passed in. Source: manual of 3.2 §9.7; what it leaves open is in docs/OBSERVED.md.

use std::sync::Arc;

use super::tables::{Rate, Share};
use crate::expr::Side;
use crate::ir::{BandwidthLimit, BandwidthRate};
use crate::units::Tick;

/// Without `min-size` as many bytes are waited for as are allowed in this time, ms: each wake-up costs something.
const LULL: u32 = 20;

/// Nobody waits longer without looking again, ms: who shares a limit may have left, and a table may have been cleared.
const LONGEST_WAIT: u32 = 1000;

/// A limit of a session.
#[derive(Debug)]
pub struct Limiter {
    filter: Arc<BandwidthLimit>,
    /// What a rule has said instead of the filter's default: bytes, and milliseconds.
    said: (Option<u32>, Option<u32>),
    used: Rate,
    share: Option<Share>,
}

/// What a limiter is in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// When the current period began: the lower 32 bits of the moment.
    pub start: u32,
    /// Bytes in it.
    pub current: u32,
    /// Bytes in the one before.
    pub previous: u32,
}

/// How a direction goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Without a limit.
    Free,
    /// So many bytes now.
    Most(u32),
    /// Not before this moment.
    Until(Tick),
}

/// The limits of one direction, in the order in which they were set.
#[derive(Debug, Default)]
pub struct Limits {
    all: Vec<Limiter>,
    /// Bytes that have been forwarded and counted.
    counted: u64,
}

/// The limits of a session.
#[derive(Debug, Default)]
pub struct Bandwidth {
    /// Of what its client sends.
    pub up: Limits,
    /// Of what its server sends.
    pub down: Limits,
    /// It waits for its allowance until then.
    pub paused: Option<Tick>,
}

impl Limiter {
    /// A limit that nothing was counted of. `said`: what a rule says instead of its defaults. `share`: for one that is shared,
    /// and for no other.
    pub fn new(filter: Arc<BandwidthLimit>, said: (Option<u32>, Option<u32>), share: Option<Share>) -> Self {
        Self { filter, said, used: Rate::default(), share }
    }

    /// The same, of which something was counted.
    #[must_use]
    pub fn with(mut self, Used { start, current, previous }: Used) -> Self {
        self.used = Rate { start, current, previous };
        self
    }

    /// The filter.
    pub fn filter(&self) -> &BandwidthLimit {
        &self.filter
    }

    /// What a rule has said: bytes, and milliseconds.
    pub fn said(&self) -> (Option<u32>, Option<u32>) {
        self.said
    }

    /// What was counted.
    pub fn used(&self) -> Used {
        let Rate { start, current, previous } = self.used;
        Used { start, current, previous }
    }

    /// The key that it shares.
    pub fn key(&self) -> Option<&[u8]> {
        self.share.as_ref().map(Share::key)
    }

    /// What may be forwarded in a period: by this session, or by all that share it.
    fn whole(&self) -> u32 {
        let (BandwidthRate::Own { limit, .. } | BandwidthRate::Shared { limit, .. }) = &self.filter.rate;
        self.said.0.unwrap_or(*limit).max(1)
    }

    /// What this session may forward in a period, and the period: of a shared limit its part.
    fn own(&self) -> (u32, u32) {
        let period = match (&self.share, &self.filter.rate) {
            (Some(share), _) => return (self.whole().div_ceil(share.sharers()), share.period()),
            (None, BandwidthRate::Own { period, .. }) => period.get(),
            (None, BandwidthRate::Shared { .. }) => 1,
        };
        (self.whole(), self.said.1.unwrap_or(period).max(1))
    }

    fn left(&self, now: Tick) -> u32 {
        let (limit, period) = self.own();
        let left = limit.saturating_sub(self.used.get(low(now), period));
        match &self.share {
            None => left,
            Some(share) => left.min(self.whole().saturating_sub(share.rate(now).get(low(now), period))),
        }
    }

    /// Milliseconds until so many bytes are allowed.
    fn wait(&self, bytes: u32, now: Tick) -> u32 {
        let (limit, period) = self.own();
        let wait = self.used.wait(limit.saturating_sub(bytes), low(now), period);
        match &self.share {
            None => wait,
            Some(share) => wait.max(share.rate(now).wait(self.whole().saturating_sub(bytes), low(now), period)),
        }
    }

    fn count(&mut self, bytes: u64, now: Tick) {
        let (_, period) = self.own();
        self.used.add(u32::try_from(bytes).unwrap_or(u32::MAX), low(now), period);
        if let Some(share) = &self.share {
            share.count(bytes, now);
        }
    }
}

impl Limits {
    /// Puts a limit on a direction that has forwarded so many bytes before. One of the same filter is replaced: what was counted
    /// of it still counts.
    pub fn set(&mut self, limiter: Limiter, forwarded: u64) {
        if self.all.is_empty() {
            self.counted = forwarded;
        }
        match self.all.iter_mut().find(|known| Arc::ptr_eq(&known.filter, &limiter.filter)) {
            Some(known) => {
                let used = known.used;
                *known = limiter;
                known.used = used;
            }
            None => self.all.push(limiter),
        }
    }

    /// Counts what was forwarded since it was last told.
    pub fn count(&mut self, forwarded: u64, now: Tick) {
        let bytes = forwarded.saturating_sub(self.counted);
        self.counted = forwarded;
        if bytes > 0 {
            self.all.iter_mut().for_each(|limiter| limiter.count(bytes, now));
        }
    }

    /// How it goes on. `waiting`: bytes that could be forwarded; it is asked only where little is allowed.
    pub fn pace(&self, now: Tick, waiting: impl FnOnce() -> u64) -> Pace {
        let Some(left) = self.all.iter().map(|limiter| limiter.left(now)).min() else { return Pace::Free };
        let least = self.least();
        if left >= least {
            return Pace::Most(left);
        }
        let waiting = waiting();
        if waiting <= left.into() {
            return Pace::Most(left.max(1)); // an end needs no allowance, and is found by reading
        }
        let wanted = u32::try_from(waiting).map_or(least, |waiting| waiting.min(least));
        let wait = self.all.iter().map(|limiter| limiter.wait(wanted, now)).max().unwrap_or_default();
        Pace::Until(Tick::from_millis(now.millis() + u64::from(wait.clamp(1, LONGEST_WAIT))))
    }

    /// The fewest bytes that are worth a wake-up; never more than are ever allowed at once.
    fn least(&self) -> u32 {
        let each = |limiter: &Limiter| {
            let (limit, period) = limiter.own();
            let lull = u64::from(limit) * u64::from(LULL) / u64::from(period);
            (limit, u32::try_from(lull).unwrap_or(u32::MAX), limiter.filter.min_size)
        };
        let first = (u32::MAX, u32::MAX, 1);
        let join = |a: (u32, u32, u32), b: (u32, u32, u32)| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2));
        let (limit, lull, size) = self.all.iter().map(each).fold(first, join);
        lull.max(size).min(limit)
    }
}

impl Bandwidth {
    /// The limits of a direction.
    pub fn of(&mut self, side: Side) -> &mut Limits {
        match side {
            Side::Request => &mut self.up,
            Side::Response => &mut self.down,
        }
    }

    /// All limits of a session.
    pub fn iter(&self) -> impl Iterator<Item = &Limiter> {
        self.up.all.iter().chain(&self.down.all)
    }

    /// Starts the times of shared entries again, when the session ends.
    pub fn touch(&self, now: Tick) {
        self.iter().filter_map(|limiter| limiter.share.as_ref()).for_each(|share| share.touch(now));
    }
}

/// The lower 32 bits of a moment, as rates keep it.
fn low(now: Tick) -> u32 {
    now.millis() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::table::{self, Datum, Key, KeyKind, ServerKey, Stored};
    use crate::pool::tables::Table;
    use crate::text::Span;
    use crate::units::Millis;

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
                    assert!(at.millis() > now && at.millis() <= now + u64::from(LONGEST_WAIT), "{at:?} at {now}");
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
        assert_eq!(limits.all.len(), 1);
    }

    fn shared() -> (Arc<Table>, Key) {
        let store = vec![Stored { datum: Datum::BytesOutRate, elements: 1, period: Millis::new(1000) }];
        let ir = table::Table {
            name: "t".into(),
            kind: KeyKind::Integer,
            size: 10,
            expire: Millis::new(60_000),
            nopurge: false,
            store,
            peers: None,
            server_key: ServerKey::Name,
            write_to: None,
            recv_only: false,
            owner: None,
            span: Span::default(),
        };
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
        assert_eq!(
            table.share(&key, Datum::BytesOutRate, Tick::from_millis(26_000)).map(|share| share.sharers()),
            Some(1)
        );
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
}
