//! Durations as haproxy counts them.

use std::time::Duration;

use thiserror::Error;

/// A duration in whole milliseconds, at most 2^31-1 (24.8 days).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(u32);

/// A duration in whole seconds, at most 2^31-1 (68 years), for the few keywords that count so (`stats refresh`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u32);

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum TimeError {
    /// Nothing to count.
    #[error("it does not start with a number")]
    NoDigits,
    /// A unit that is none of `us ms s m h d`.
    #[error("unexpected character {:?}, the units are us, ms, s, m, h and d", char::from(*.0))]
    Unit(u8),
    /// A time and something behind its unit.
    #[error("unexpected character {:?} after the unit", char::from(*byte))]
    Garbage {
        /// The time before it, in the unit that was asked for: 2.6 warns and takes it.
        value: u32,
        /// The first byte that does not belong.
        byte: u8,
    },
    /// More than 2147483647 ms, or s where seconds are counted.
    #[error("it is longer than {most}")]
    Overflow {
        /// The longest, with its unit.
        most: &'static str,
    },
}

impl Millis {
    /// The longest time that haproxy counts.
    pub const MAX: Self = Self(i32::MAX as u32);
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// What [`Self::parse`] says of more.
    pub const OVERFLOW: TimeError = TimeError::Overflow { most: "2147483647 ms (24.8 days)" };

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

    /// Parses `<digits>[unit]`; a bare number counts in milliseconds.
    ///
    /// Units: `us ms s m h d`. Sub-millisecond values round **up**, never to zero. Zero is a time: whether a keyword
    /// wants one is for its own function to say.
    ///
    /// # Errors
    /// [`TimeError::Overflow`] above [`Millis::MAX`] (24.8 days); `NoDigits`, `Unit`; `Garbage` carries the time.
    ///
    /// Source: manual §2.5; limit, rounding and what follows a unit observed on 2.6.12.
    pub fn parse(text: &[u8]) -> Result<Self, TimeError> {
        parse(text, 1_000, Self::OVERFLOW).map(Self)
    }
}

impl Seconds {
    /// The longest time.
    pub const MAX: Self = Self(i32::MAX as u32);
    /// What [`Self::parse`] says of more.
    pub const OVERFLOW: TimeError = TimeError::Overflow { most: "2147483647 s (68 years)" };

    /// A time of that many seconds; `None` above [`Self::MAX`].
    pub const fn new(seconds: u32) -> Option<Self> {
        if seconds > Self::MAX.0 { None } else { Some(Self(seconds)) }
    }

    /// The seconds.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Parses `<digits>[unit]` as [`Millis::parse`]; a bare number counts in seconds, and parts of one round up.
    ///
    /// # Errors
    /// As [`Millis::parse`].
    pub fn parse(text: &[u8]) -> Result<Self, TimeError> {
        parse(text, 1_000_000, Self::OVERFLOW).map(Self)
    }
}

/// Parses a time in units of `unit` microseconds.
fn parse(text: &[u8], unit: u64, overflow: TimeError) -> Result<u32, TimeError> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, suffix) = text.split_at(length);
    if digits.is_empty() {
        return Err(TimeError::NoDigits);
    }
    let number = digits.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    let (micros, rest) = match suffix {
        [] => (unit, &[][..]),
        [b'u', b's', rest @ ..] => (1, rest),
        [b'm', b's', rest @ ..] => (1_000, rest),
        [b's', rest @ ..] => (1_000_000, rest),
        [b'm', rest @ ..] => (60_000_000, rest),
        [b'h', rest @ ..] => (3_600_000_000, rest),
        [b'd', rest @ ..] => (86_400_000_000, rest),
        [byte, ..] => return Err(TimeError::Unit(*byte)),
    };
    let value = number.saturating_mul(micros).div_ceil(unit);
    let value = u32::try_from(value).ok().filter(|value| *value <= Millis::MAX.0).ok_or(overflow)?;
    match rest.first() {
        Some(byte) => Err(TimeError::Garbage { value, byte: *byte }),
        None => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::TimeError::*;
    use super::*;

    #[test]
    fn times_in_milliseconds() {
        let overflow = || Err(Millis::OVERFLOW);
        for (text, want) in [
            ("250", Ok(250)), // no unit: milliseconds
            ("0", Ok(0)),
            ("010", Ok(10)),
            ("0us", Ok(0)),
            ("1us", Ok(1)), // rounds up: zero would mean "no timeout"
            ("1000us", Ok(1)),
            ("1001us", Ok(2)),
            ("2s", Ok(2_000)),
            ("1m", Ok(60_000)),
            ("1h", Ok(3_600_000)),
            ("1d", Ok(86_400_000)),
            ("24d", Ok(2_073_600_000)),
            ("25d", overflow()), // 2 160 000 000 > 2^31-1
            ("2147483647", Ok(2_147_483_647)),
            ("2147483648", overflow()),
            ("2147483647000us", Ok(2_147_483_647)),
            ("2147483647001us", overflow()),
            ("2147484s", overflow()),
            ("597h", overflow()),
            ("18446744073709551617", overflow()), // haproxy wraps around at 2^64: 1 there
            ("", Err(NoDigits)),
            ("s", Err(NoDigits)),
            ("-1", Err(NoDigits)),
            ("+1", Err(NoDigits)),
            (" 1", Err(NoDigits)),
            ("1x", Err(Unit(b'x'))),
            ("1u", Err(Unit(b'u'))),
            ("1S", Err(Unit(b'S'))),
            ("1.5s", Err(Unit(b'.'))),
            ("1 s", Err(Unit(b' '))),
            ("1msx", Err(Garbage { value: 1, byte: b'x' })),
            ("1m1s", Err(Garbage { value: 60_000, byte: b'1' })),
            ("25dx", overflow()),
        ] {
            assert_eq!(Millis::parse(text.as_bytes()).map(Millis::get), want, "input {text:?}");
        }
    }

    #[test]
    fn times_in_seconds() {
        for (text, want) in [
            ("10", Ok(10)),
            ("1m", Ok(60)),
            ("1ms", Ok(1)), // rounds up
            ("1001ms", Ok(2)),
            ("24855d", Ok(2_147_472_000)),
            ("24856d", Err(Seconds::OVERFLOW)),
            ("x", Err(NoDigits)),
        ] {
            assert_eq!(Seconds::parse(text.as_bytes()).map(Seconds::get), want, "input {text:?}");
        }
    }
}
