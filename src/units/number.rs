//! Whole numbers with bounds.
//!
//! haproxy reads most numbers as C's `atol` does: it stops at the first character that is no digit and says nothing.
//! Nothing is ignored here: such a text is [`NumberError::Garbage`], which carries the number that haproxy takes, so
//! that a caller may warn and go on.

use std::ops::RangeInclusive;

use thiserror::Error;

/// Why a text is not a number that is wanted.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum NumberError {
    /// Nothing to count.
    #[error("it does not start with a number")]
    NoDigits,
    /// A number and something behind it.
    #[error("unexpected character {:?} after the number {value}", char::from(*byte))]
    Garbage {
        /// The number before it, within the bounds: what haproxy takes without a word.
        value: i64,
        /// The first byte that does not belong.
        byte: u8,
    },
    /// Less than the least.
    #[error("{value} is less than {least}")]
    Small {
        /// The number.
        value: i64,
        /// The least allowed.
        least: i64,
    },
    /// More than the most.
    #[error("{value} is more than {most}")]
    Large {
        /// The number; the largest that can be counted if it is larger than that.
        value: i64,
        /// The most allowed.
        most: i64,
    },
}

/// Parses `[+-]<digits>` in base 10 and checks its bounds. Leading zeros count for nothing.
///
/// # Errors
/// See [`NumberError`]; bounds are judged before what follows the digits.
pub fn parse_i64(text: &[u8], bounds: RangeInclusive<i64>) -> Result<i64, NumberError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return Err(NumberError::NoDigits);
    }
    let magnitude = digits[..length]
        .iter()
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    let value = if negative { -magnitude } else { magnitude };
    let (least, most) = (*bounds.start(), *bounds.end());
    match digits.get(length) {
        _ if value < least => Err(NumberError::Small { value, least }),
        _ if value > most => Err(NumberError::Large { value, most }),
        Some(byte) => Err(NumberError::Garbage { value, byte: *byte }),
        None => Ok(value),
    }
}

/// Parses a number of 0 to 2^32-1 and checks its bounds, as [`parse_i64`].
///
/// # Errors
/// As [`parse_i64`].
pub fn parse_u32(text: &[u8], bounds: RangeInclusive<u32>) -> Result<u32, NumberError> {
    let bounds = i64::from(*bounds.start())..=i64::from(*bounds.end());
    // Within the bounds of a u32 by now.
    parse_i64(text, bounds).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

/// Parses a number of percent: `50` or `50%`.
///
/// # Errors
/// As [`parse_i64`].
pub fn parse_percent(text: &[u8], bounds: RangeInclusive<u32>) -> Result<u32, NumberError> {
    parse_u32(text.strip_suffix(b"%").unwrap_or(text), bounds)
}

#[cfg(test)]
mod tests {
    use super::NumberError::*;
    use super::*;

    #[test]
    fn numbers_within_bounds() {
        for (text, want) in [
            ("0", Ok(0)),
            ("256", Ok(256)),
            ("+5", Ok(5)),
            ("010", Ok(10)), // decimal, not octal
            ("", Err(NoDigits)),
            ("x", Err(NoDigits)),
            ("-", Err(NoDigits)),
            (" 1", Err(NoDigits)),
            ("10x", Err(Garbage { value: 10, byte: b'x' })),
            ("5.5", Err(Garbage { value: 5, byte: b'.' })),
            ("0x10", Err(Garbage { value: 0, byte: b'x' })),
            ("-1", Err(Small { value: -1, least: 0 })),
            ("257", Err(Large { value: 257, most: 256 })),
            ("257x", Err(Large { value: 257, most: 256 })),
            // haproxy wraps around at 2^32: 4294967297 is 1 there
            ("4294967297", Err(Large { value: 4294967297, most: 256 })),
            ("99999999999999999999", Err(Large { value: i64::MAX, most: 256 })),
        ] {
            assert_eq!(parse_u32(text.as_bytes(), 0..=256), want, "input {text:?}");
        }
        assert_eq!(parse_i64(b"-12", -20..=20), Ok(-12));
        assert_eq!(parse_i64(b"-9223372036854775808", i64::MIN..=0), Ok(-i64::MAX));
        assert_eq!(parse_percent(b"50%", 0..=50), Ok(50));
        assert_eq!(parse_percent(b"50", 0..=50), Ok(50));
        assert_eq!(parse_percent(b"50%%", 0..=50), Err(Garbage { value: 50, byte: b'%' }));
    }
}
