//! Reads the clocks; the only file of the engine that does.
//!
//! Moments are counted from the system's monotonic origin, so they mean the same in every thread and in a process
//! that takes sessions over. Knows nothing else.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::units::Tick;

/// The moment, exact to the millisecond. For what is logged: starts, ends, connects.
pub(crate) fn now() -> Tick {
    tick(clock_gettime(ClockId::Monotonic))
}

/// The moment, up to one scheduler tick (1 to 10 ms) late, for a tenth of the price. For "when was it last active".
pub(crate) fn coarse() -> Tick {
    tick(clock_gettime(ClockId::MonotonicCoarse))
}

fn tick(time: Timespec) -> Tick {
    Tick::from_millis(time.tv_sec.unsigned_abs() * 1000 + time.tv_nsec.unsigned_abs() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheap_clock_is_late_by_a_scheduler_tick_at_most() {
        let cheap = coarse();
        let exact = now();
        assert!(exact >= cheap);
        let later = coarse();
        assert!(later.millis() + 20 >= exact.millis(), "{later:?} against {exact:?}");
    }
}
