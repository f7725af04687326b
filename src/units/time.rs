//! Durations as haproxy counts them.

use std::time::Duration;

use thiserror::Error;

/// A duration in whole milliseconds, at most 2^31-1 (24.8 days).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(u32);

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum TimeError {
    /// Nothing to count.
    #[error("it does not start with a number")]
    NoDigits,
    /// A unit that is none of `us ms s m h d`.
    #[error("unexpected character '{}'", char::from(*.0))]
    Unit(u8),
    /// More than 2147483647 ms.
    #[error("it is longer than 2147483647 ms (24.8 days)")]
    Overflow,
    /// Less than a millisecond.
    #[error("it is shorter than 1 ms")]
    Underflow,
}

impl Millis {
    /// The longest time that haproxy counts.
    pub const MAX: Self = Self(i32::MAX as u32);
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A time of that many milliseconds; `None` above [`Self::MAX`].
    pub const fn new(millis: u32) -> Option<Self> {
        if millis > Self::MAX.0 { None } else { Some(Self(millis)) }
    }

    /// A time of that many seconds, for constants: capped at [`Self::MAX`].
    pub const fn seconds(seconds: u32) -> Self {
        let millis = seconds.saturating_mul(1000);
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// The milliseconds.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The same as the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }
}
