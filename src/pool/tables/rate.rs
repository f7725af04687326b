//! Events per period, as haproxy counts them: those of the current period, and of the one before as much as a sliding window
//! still sees.
//!
//! A lone event is seen for two whole periods, so that what happens once per period does not flicker. Source: asked of 2.6
//! (`tests/tables.rs`, and the rows below).

/// A counter of events; moments are milliseconds, of which the lower 32 bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::pool) struct Rate {
    /// When the current period began.
    pub(in crate::pool) start: u32,
    /// Events in it.
    pub(in crate::pool) current: u32,
    /// Events in the one before.
    pub(in crate::pool) previous: u32,
}

/// Its size in an entry.
pub(super) const BYTES: usize = 12;

impl Rate {
    /// As if so many events had happened now, and none before.
    pub(super) fn of(events: u32, now: u32) -> Self {
        Self { start: now, current: events, previous: 0 }
    }

    /// Begins the period that the moment is in.
    pub(super) fn turn(&mut self, now: u32, period: u32) {
        let elapsed = now.wrapping_sub(self.start);
        if elapsed < period || ahead(elapsed) {
            return;
        }
        *self = if elapsed - period < period {
            Self { start: self.start.wrapping_add(period), current: 0, previous: self.current }
        } else {
            Self { start: now, current: 0, previous: 0 }
        };
    }

    /// Counts events.
    pub(in crate::pool) fn add(&mut self, events: u32, now: u32, period: u32) {
        self.turn(now, period);
        self.current = self.current.saturating_add(events);
    }

    /// Events in the last period.
    pub(in crate::pool) fn get(mut self, now: u32, period: u32) -> u32 {
        self.turn(now, period);
        let Self { current, previous, .. } = self;
        if current == 0 && previous <= 1 {
            return previous;
        }
        let elapsed = now.wrapping_sub(self.start);
        let left = if ahead(elapsed) { period } else { period.saturating_sub(elapsed) };
        let seen = u64::from(previous) * u64::from(left) / u64::from(period.max(1));
        current.saturating_add(u32::try_from(seen).unwrap_or(u32::MAX))
    }

    /// Milliseconds until [`Self::get`] says at most this, if nothing happens meanwhile.
    pub(in crate::pool) fn wait(mut self, most: u32, now: u32, period: u32) -> u32 {
        let period = period.max(1);
        self.turn(now, period);
        if self.get(now, period) <= most {
            return 0;
        }
        let Self { start, current, previous } = self;
        let elapsed = now.wrapping_sub(start);
        let rest = if ahead(elapsed) { period } else { period.saturating_sub(elapsed) };
        // how much of a period may be left for no more than `free` of `events` to be seen
        let left = |events: u32, free: u32| {
            let left = ((u64::from(free) + 1) * u64::from(period) - 1) / u64::from(events.max(1));
            u32::try_from(left).unwrap_or(u32::MAX)
        };
        if current <= most {
            // a lone event is seen to the end
            let fades = if current == 0 && previous <= 1 { 0 } else { left(previous, most - current) };
            return rest - fades.min(rest);
        }
        let fades = if current <= 1 { 0 } else { left(current, most) };
        rest.saturating_add(period - fades.min(period))
    }
}

/// Whether a difference of two moments says that the second is the earlier one: another thread's clock is a little behind.
fn ahead(elapsed: u32) -> bool {
    elapsed > u32::MAX - super::SLACK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_fade_as_haproxy_lets_them() {
        // 1000 events at 0, period 2000; what haproxy 2.6 said then.
        let rate = Rate::of(1000, 0);
        for (at, want) in [(0, 1000), (1928, 1000), (2029, 985), (2431, 784), (3038, 481), (3946, 27), (4047, 0)] {
            assert_eq!(rate.get(at, 2000), want, "at {at}");
        }
        let lone = Rate::of(1, 0);
        for (at, want) in [(0, 1), (1999, 1), (2011, 1), (3999, 1), (4018, 0)] {
            assert_eq!(lone.get(at, 2000), want, "at {at}");
        }
        // 10 at once, and one more in the next period.
        let mut rate = Rate::of(10, 0);
        rate.add(1, 2500, 2000);
        for (at, want) in [(2544, 8), (2794, 7), (3045, 5), (3295, 4), (3796, 2), (4047, 1), (5801, 1), (6051, 0)] {
            assert_eq!(rate.get(at, 2000), want, "at {at}");
        }
    }

    #[test]
    fn the_wait_is_as_long_as_needed_and_not_longer() {
        for (current, previous) in
            [(0, 1), (1, 0), (0, 1000), (1000, 0), (700, 900), (3, 1_000_000), (4_000_000_000, 7)]
        {
            let rate = Rate { start: 5000, current, previous };
            for (now, most) in [(5000, 0), (5300, 10), (5999, 500), (6000, 699), (6500, 1), (7200, 0), (5001, 999)] {
                let wait = rate.wait(most, now, 1000);
                let seen = |at: u32| rate.get(at, 1000);
                assert!(seen(now + wait) <= most, "{rate:?} at {now}: {wait} ms for {most}");
                assert!(wait == 0 || seen(now + wait - 1) > most, "{rate:?} at {now}: {wait} ms for {most}");
            }
        }
    }

    #[test]
    fn moments_wrap() {
        let mut rate = Rate::of(4, u32::MAX - 500);
        rate.add(2, 499, 1000);
        assert_eq!(rate, Rate { start: 499, current: 2, previous: 4 });
        assert_eq!(rate.get(499 + 500, 1000), 4);
        assert_eq!(rate.get(490, 1000), 6, "a moment that comes late");
    }
}
