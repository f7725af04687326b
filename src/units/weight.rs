//! A server's weight.

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
}
