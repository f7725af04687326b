//! A moment of the monotonic clock.

use super::Millis;

/// A moment in whole milliseconds since an origin that is the same for all processes of a system: its start, or near it.
///
/// Code without a clock (`pool`, `expr`) is told the moment; only `engine` and `process` read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(u64);

impl Tick {
    /// The moment that many milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the origin.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the origin.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Milliseconds from `earlier` to here; 0 if `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `delay` after this one.
    pub const fn after(self, delay: Millis) -> Self {
        Self(self.0.saturating_add(delay.get() as u64))
    }
}
