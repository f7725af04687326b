//! Sizes: numbers with a binary suffix.

use thiserror::Error;

/// A size in bytes (or in entries, for `stick-table size`), at most 2^32-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(u32);

/// Why a text is not a size.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum SizeError {
    /// Nothing to count.
    #[error("it does not start with a number")]
    NoDigits,
    /// A suffix that is none of `k m g`, or something behind the suffix.
    #[error("unexpected character {:?}, the units are k, m and g", char::from(*.0))]
    Unit(u8),
    /// 4 GiB or more.
    #[error("it is larger than 4294967295")]
    Overflow,
}

impl Size {
    /// The largest.
    pub const MAX: Self = Self(u32::MAX);

    /// A size of that many bytes.
    pub const fn new(bytes: u32) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Parses `<digits>[k|m|g]`; the suffixes, in either case, multiply by 1024, its square and its cube.
    ///
    /// # Errors
    /// See [`SizeError`]. No sign is allowed.
    ///
    /// Source: observed on 2.6.12 (`stick-table … size`), which names the first character that does not fit.
    pub fn parse(text: &[u8]) -> Result<Self, SizeError> {
        let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, unit) = text.split_at(length);
        if digits.is_empty() {
            return Err(SizeError::NoDigits);
        }
        let number =
            digits.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        let shift = match unit {
            [] => 0,
            [b'k' | b'K'] => 10,
            [b'm' | b'M'] => 20,
            [b'g' | b'G'] => 30,
            [b'k' | b'K' | b'm' | b'M' | b'g' | b'G', byte, ..] | [byte, ..] => return Err(SizeError::Unit(*byte)),
        };
        let bytes = number.saturating_mul(1 << shift);
        u32::try_from(bytes).map(Self).map_err(|_| SizeError::Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::SizeError::*;
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("0", Ok(0)),
            ("1", Ok(1)),
            ("010", Ok(10)),
            ("100k", Ok(102_400)),
            ("1K", Ok(1024)),
            ("1M", Ok(1 << 20)),
            ("3g", Ok(3 << 30)),
            ("4294967295", Ok(u32::MAX)),
            ("4294967296", Err(Overflow)),
            ("4g", Err(Overflow)),
            ("99999999999999999999999g", Err(Overflow)),
            ("", Err(NoDigits)),
            ("k", Err(NoDigits)),
            ("-1", Err(NoDigits)),
            ("1t", Err(Unit(b't'))),
            ("1kb", Err(Unit(b'b'))),
            ("1.5k", Err(Unit(b'.'))),
        ] {
            assert_eq!(Size::parse(text.as_bytes()).map(Size::get), want, "input {text:?}");
        }
    }
}
