//! A server's weight.

use super::number::{NumberError, parse_u32};

/// The weight of a server, 0 to 256; 0 takes no new traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u16);

impl Weight {
    /// The heaviest.
    pub const MAX: Self = Self(256);
    /// What a server weighs that says nothing.
    pub const DEFAULT: Self = Self(1);

    /// A weight of 0 to 256; `None` above.
    pub const fn new(weight: u16) -> Option<Self> {
        if weight > Self::MAX.0 { None } else { Some(Self(weight)) }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Parses a number of 0 to 256.
    ///
    /// # Errors
    /// As [`parse_u32`].
    pub fn parse(text: &[u8]) -> Result<Self, NumberError> {
        // At most 256 by now.
        parse_u32(text, 0..=u32::from(Self::MAX.0)).map(|weight| Self(u16::try_from(weight).unwrap_or(Self::MAX.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_at_most_256() {
        assert_eq!(Weight::parse(b"0").map(Weight::get), Ok(0));
        assert_eq!(Weight::parse(b"256"), Ok(Weight::MAX));
        assert_eq!(Weight::parse(b"257"), Err(NumberError::Large { value: 257, most: 256 }));
        assert_eq!(Weight::parse(b"1x"), Err(NumberError::Garbage { value: 1, byte: b'x' }));
    }
}
