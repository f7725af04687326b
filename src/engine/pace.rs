//! How many of a number of things are due when they are spread evenly over a time.
//!
//! Knows no clock: the moment is passed in, so what it says can be looked at for every millisecond.

use crate::units::{Millis, Tick};

/// `total` things over `span`: each has the middle of its share of the time, so none is due at the very beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) begin: Tick,
    pub(super) span: Millis,
    pub(super) total: u32,
}

impl Pace {
    /// How many of them are due at `now`.
    pub(super) fn due(&self, now: Tick) -> u32 {
        let (passed, span) = (now.since(self.begin), u64::from(self.span.get()));
        if passed >= span {
            return self.total;
        }
        // less than 2^65 before the division
        let due = (2 * u128::from(passed) * u128::from(self.total) + u128::from(span)) / (2 * u128::from(span));
        due.min(u128::from(self.total)) as u32
    }

    /// The moment at which number `which`, counted from 0, is due.
    pub(super) fn moment(&self, which: u32) -> Tick {
        let share = (2 * u128::from(which) + 1) * u128::from(self.span.get());
        let after = share.div_ceil(2 * u128::from(self.total.max(1))).min(u128::from(self.span.get()));
        Tick::from_millis(self.begin.millis() + after as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(total: u32, span: u32) -> Pace {
        Pace { begin: Tick::from_millis(1_000), span: Millis::new(span).unwrap(), total }
    }

    #[test]
    fn due() {
        // (sessions, span, milliseconds since the beginning, due)
        for (total, span, passed, want) in [
            (0, 5_000, 0, 0),
            (0, 5_000, 9_000, 0),
            (1, 1_000, 499, 0),
            (1, 1_000, 500, 1), // one alone has the middle
            (4, 1_000, 124, 0),
            (4, 1_000, 125, 1),
            (4, 1_000, 874, 3),
            (4, 1_000, 875, 4),
            (3_000, 5_000, 0, 0),
            (3_000, 5_000, 500, 300),
            (3_000, 5_000, 2_500, 1_500),
            (3_000, 5_000, 4_999, 2_999),
            (3_000, 5_000, 5_000, 3_000),
            (10, 0, 0, 10),                                  // no time: all at once
            (u32::MAX, i32::MAX as u32, 1, 2),               // more than two in a millisecond
            (u32::MAX, i32::MAX as u32, u64::MAX, u32::MAX), // long over
        ] {
            let now = Tick::from_millis(1_000u64.saturating_add(passed));
            assert_eq!(pace(total, span).due(now), want, "{total} over {span} after {passed}");
        }
    }

    #[test]
    fn before_the_beginning_nothing_is_due() {
        assert_eq!(pace(10, 1_000).due(Tick::from_millis(3)), 0);
    }

    /// A moment is the first millisecond at which so many are due, whatever the numbers.
    #[test]
    fn moments_are_when_they_are_due() {
        for (total, span) in [(1, 1), (1, 1_000), (7, 3), (7, 1_000), (1_000, 7), (3_000, 5_000), (2_999, 5_003)] {
            let pace = pace(total, span);
            for which in 0..total {
                let moment = pace.moment(which);
                assert!(pace.due(moment) > which, "{which} of {total} over {span}");
                let before = Tick::from_millis(moment.millis() - 1);
                assert!(pace.due(before) <= which, "{which} of {total} over {span}");
            }
        }
    }

    /// No slice of the time has more than one above its share, or less than one below it.
    #[test]
    fn every_slice_has_its_share() {
        bolero::check!().with_type::<(u16, u16, u8)>().for_each(|&(total, span, slices)| {
            let (span, slices) = (u32::from(span) + 1, u32::from(slices) + 1);
            let pace = pace(total.into(), span);
            let due = |slice: u32| {
                u64::from(pace.due(Tick::from_millis(1_000 + u64::from(span) * u64::from(slice) / u64::from(slices))))
            };
            assert_eq!(due(slices), u64::from(total));
            for slice in 0..slices {
                let length = u64::from(span) * u64::from(slice + 1) / u64::from(slices)
                    - u64::from(span) * u64::from(slice) / u64::from(slices);
                let share = u64::from(total) * length / u64::from(span);
                let count = due(slice + 1) - due(slice);
                assert!(count + 1 >= share && count <= share + 2, "{count} of {total} in {length} of {span}");
            }
        });
    }
}
