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
pub(super) const LULL: u32 = 20;

/// Nobody who shares a limit waits longer without looking again, ms: others may have left, and a table may have been cleared.
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
    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

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
        let shares = self.all.iter().any(|limiter| limiter.share.is_some());
        let most = if shares { LONGEST_WAIT } else { u32::MAX };
        Pace::Until(Tick::from_millis(now.millis() + u64::from(wait.clamp(1, most))))
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
