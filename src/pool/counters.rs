//! Numbers that many threads write and statistics read.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::units::Tick;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Adds what another process counted, as far as there is room for more to come.
    pub fn join(&self, n: u64) {
        let sum = |own: u64| Some(own.saturating_add(n).min(Self::ROOM));
        let _ = self.0.fetch_update(Relaxed, Relaxed, sum);
    }

    /// The highest sum that is taken over.
    const ROOM: u64 = 1 << 60;

    /// Sets the number: when counters are cleared.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }
}

/// A number that goes up and down, and the highest it has been.
///
/// Two threads may count the coming and the going of one thing in the wrong order (a session leaves its queue before
/// the thread that queued it has counted it): for that moment the number is below zero, and shown as zero.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicI32,
    max: AtomicU32,
}

/// What is shown of a number that may be below zero for a moment.
fn shown(now: i32) -> u32 {
    u32::try_from(now).unwrap_or(0)
}

impl Gauge {
    /// One more; returns how many there are now.
    pub fn up(&self) -> u32 {
        let now = shown(self.now.fetch_add(1, Relaxed).saturating_add(1));
        self.max.fetch_max(now, Relaxed);
        now
    }

    /// One more unless there are `limit` already (0: no limit); returns how many there are now.
    ///
    /// # Errors
    /// The number there is when the limit is reached.
    pub fn up_below(&self, limit: u32) -> Result<u32, u32> {
        let more = |now: i32| (limit == 0 || shown(now) < limit).then_some(now.saturating_add(1));
        let before = self.now.fetch_update(Relaxed, Relaxed, more).map_err(shown)?;
        let now = shown(before.saturating_add(1));
        self.max.fetch_max(now, Relaxed);
        Ok(now)
    }

    /// One less; returns how many are left.
    pub fn down(&self) -> u32 {
        shown(self.now.fetch_sub(1, Relaxed).saturating_sub(1))
    }

    /// How many there are.
    pub fn get(&self) -> u32 {
        shown(self.now.load(Relaxed))
    }

    /// The most there have been.
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }

    /// Forgets the most there have been, as haproxy does: also what there is now.
    pub fn clear_max(&self) {
        self.max.store(0, Relaxed);
    }

    /// Takes over the most that another process has had.
    pub fn join(&self, max: u32) {
        self.max.fetch_max(max, Relaxed);
    }
}

/// Events per second, and the highest second.
///
/// Holds the current second's count and the one before; the rate is what the last second would hold if the
/// previous one's events were spread evenly.
#[derive(Debug, Default)]
pub struct Rate {
    /// Second (32 bits), count of it (32 bits).
    current: AtomicU64,
    previous: AtomicU32,
    max: AtomicU32,
}

impl Rate {
    /// One event at `now`; returns the rate with it.
    pub fn hit(&self, now: Tick) -> u32 {
        let second = now.seconds() & 0xffff_ffff;
        let before = self.current.fetch_update(Relaxed, Relaxed, |word| {
            Some(if word >> 32 == second { word + 1 } else { second << 32 | 1 })
        });
        let word = before.unwrap_or_default();
        if word >> 32 != second {
            let carried = if (word >> 32) + 1 == second { word as u32 } else { 0 };
            self.previous.store(carried, Relaxed);
        }
        let rate = self.get(now);
        self.max.fetch_max(rate, Relaxed);
        rate
    }

    /// Events in the second that ends at `now`.
    pub fn get(&self, now: Tick) -> u32 {
        let word = self.current.load(Relaxed);
        let (second, count) = (word >> 32, word as u32);
        let at = now.seconds() & 0xffff_ffff;
        let share = |n: u32| (u64::from(n) * (1000 - now.millis() % 1000) / 1000) as u32;
        if second == at {
            count.saturating_add(share(self.previous.load(Relaxed)))
        } else if second + 1 == at {
            share(count)
        } else {
            0
        }
    }

    /// The highest rate there has been.
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }

    /// Forgets the highest rate.
    pub fn clear_max(&self) {
        self.max.store(0, Relaxed);
    }

    /// The last second with events, its count, the count of the one before, and the highest rate.
    pub fn parts(&self) -> [u32; 4] {
        let word = self.current.load(Relaxed);
        [(word >> 32) as u32, word as u32, self.previous.load(Relaxed), self.max()]
    }

    /// Adds the [`Self::parts`] of another process: what happened there in this second and the last happened here.
    pub fn join(&self, [second, count, previous, max]: [u32; 4], now: Tick) {
        let at = (now.seconds() & 0xffff_ffff) as u32;
        let (count, previous) = match at.checked_sub(second) {
            Some(0) => (count, previous),
            Some(1) => (0, count),
            _ => (0, 0), // long ago, or never
        };
        self.max.fetch_max(max, Relaxed);
        if (count, previous) == (0, 0) {
            return;
        }
        let [own_second, own_count, own_previous, _] = self.parts();
        let (own_count, own_previous) = match at.checked_sub(own_second) {
            Some(0) => (own_count, own_previous),
            Some(1) => (0, own_count),
            _ => (0, 0),
        };
        let word = u64::from(at) << 32 | u64::from(own_count.saturating_add(count).min(i32::MAX as u32));
        self.previous.store(own_previous.saturating_add(previous), Relaxed);
        self.current.store(word, Relaxed);
    }
}

/// Averages over the last sessions of a server or backend.
///
/// Up to [`Times::WINDOW`] sessions the average is the plain one; then each session weighs a little more than the one
/// before it. haproxy divides by the sessions that balancing gave (`lbtot`): one that waited in the backend's queue is
/// not among them, one that still runs is.
#[derive(Debug, Default)]
pub struct Times {
    /// Sessions that balancing gave.
    pub picked: Counter,
    /// Sum of the queue times in the window.
    pub queue: Counter,
    /// Sum of the connect times.
    pub connect: Counter,
    /// Sum of the total times.
    pub total: Counter,
    /// Longest queue time.
    pub queue_max: AtomicU32,
    /// Longest connect time.
    pub connect_max: AtomicU32,
    /// Longest total time.
    pub total_max: AtomicU32,
}

impl Times {
    /// Sessions over which an average runs: 512, observed on 2.6.12 (its documentation says 1024).
    const WINDOW: u64 = 512;

    /// Sums in the window (queue, connect, total) and the longest times.
    pub fn parts(&self) -> [u64; 6] {
        let max = |max: &AtomicU32| u64::from(max.load(Relaxed));
        let sums = [self.queue.get(), self.connect.get(), self.total.get()];
        let [queue, connect, total] = sums;
        [queue, connect, total, max(&self.queue_max), max(&self.connect_max), max(&self.total_max)]
    }

    /// Adds the [`Self::parts`] of another process, in which balancing gave `picked` sessions: each average is that over
    /// the sessions in the windows of both.
    pub fn join(&self, picked: u64, parts: [u64; 6]) {
        let (own, other) = (self.picked.get().min(Self::WINDOW), picked.min(Self::WINDOW));
        let both = own + other;
        let mine = [(&self.queue, &self.queue_max), (&self.connect, &self.connect_max), (&self.total, &self.total_max)];
        for (place, (sum, max)) in mine.into_iter().enumerate() {
            let joint = u128::from(sum.get()) + u128::from(parts[place]);
            // What does not fit into one window counts as its average.
            let joint = if both > Self::WINDOW { joint * u128::from(Self::WINDOW) / u128::from(both) } else { joint };
            sum.set(u64::try_from(joint).unwrap_or(u64::MAX).min(Counter::ROOM));
            max.fetch_max(u32::try_from(parts[place + 3]).unwrap_or(u32::MAX), Relaxed);
        }
        self.picked.join(picked);
    }

    /// Notes the times of one session, in milliseconds; `None`: it did not come so far.
    pub fn note(&self, queue: Option<u32>, connect: Option<u32>, total: u32) {
        let slides = self.picked.get() > Self::WINDOW;
        let samples = [
            (&self.queue, &self.queue_max, queue),
            (&self.connect, &self.connect_max, connect),
            (&self.total, &self.total_max, Some(total)),
        ];
        for (sum, max, value) in samples {
            let Some(value) = value else { continue };
            let _ = sum.0.fetch_update(Relaxed, Relaxed, |sum| {
                let gone = if slides { sum.div_ceil(Self::WINDOW) } else { 0 };
                Some(sum - gone + u64::from(value))
            });
            max.fetch_max(value, Relaxed);
        }
    }

    /// Forgets the longest times.
    pub fn clear_max(&self) {
        [&self.queue_max, &self.connect_max, &self.total_max].iter().for_each(|max| max.store(0, Relaxed));
    }

    /// Forgets all sessions.
    pub fn clear(&self) {
        [&self.picked, &self.queue, &self.connect, &self.total].iter().for_each(|sum| sum.set(0));
        self.clear_max();
    }

    /// The averages of queue, connect and total time, in milliseconds, rounded up.
    pub fn averages(&self) -> [u32; 3] {
        let sessions = self.picked.get().clamp(1, Self::WINDOW);
        [&self.queue, &self.connect, &self.total].map(|sum| sum.get().div_ceil(sessions) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_follow_haproxys() {
        // (sessions, milliseconds each, the average after them), observed on 2.6.12 one after the other.
        let observed = [(100, 104, 104), (300, 2, 28), (100, 104, 43), (200, 2, 30), (300, 2, 17), (300, 2, 11)];
        let times = Times::default();
        for (count, each, want) in observed.into_iter().chain([(500, 2, 5), (100, 104, 23)]) {
            for _ in 0..count {
                times.picked.add(1);
                times.note(Some(0), None, each);
            }
            let [queue, connect, total] = times.averages();
            assert_eq!((queue, connect), (0, 0));
            // The sessions of "2 ms" took between 1 and 3.
            assert!(total.abs_diff(want) <= 1, "{total} instead of {want} after {}", times.picked.get());
        }
        assert_eq!(times.total_max.load(Relaxed), 104);
    }

    #[test]
    fn sessions_that_run_count_and_sessions_from_the_queue_do_not() {
        let times = Times::default();
        times.picked.add(1);
        times.note(None, None, 1000);
        times.picked.add(3); // three more that still run
        assert_eq!(times.averages()[2], 250);
        let queued = Times::default();
        queued.picked.add(1);
        queued.note(Some(0), Some(0), 801);
        queued.note(Some(801), Some(0), 1004); // waited in the backend's queue: not a pick
        assert_eq!(queued.averages(), [801, 0, 1805]);
    }

    #[test]
    fn a_going_counted_before_its_coming_is_no_number_below_zero() {
        let gauge = Gauge::default();
        assert_eq!((gauge.down(), gauge.get()), (0, 0));
        assert_eq!((gauge.up(), gauge.get(), gauge.max()), (0, 0, 0));
        assert_eq!((gauge.up_below(1), gauge.up_below(1), gauge.max()), (Ok(1), Err(1), 1));
    }

    #[test]
    fn a_rate_fades_within_a_second() {
        let rate = Rate::default();
        for ms in 0..100 {
            rate.hit(Tick::from_millis(5_000 + ms));
        }
        for (at, want) in [(5_100, 100), (5_999, 100), (6_500, 50), (6_999, 0), (8_000, 0)] {
            assert_eq!(rate.get(Tick::from_millis(at)), want, "at {at}");
        }
        assert_eq!(rate.max(), 100);
    }
}
