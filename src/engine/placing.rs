//! How a session came to its server, in one byte: an idle session pays for each of its fields.

/// How a session came to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Placing(u8);

impl Placing {
    /// A retry went to another server.
    pub(super) const REDISPATCHED: Self = Self(1);
    /// Rules gave it the server, and not balancing.
    pub(super) const DIRECT: Self = Self(2);
    /// No other server than that will do.
    pub(super) const FORCED: Self = Self(4);

    /// Whether this is said of it.
    pub(super) fn is(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }

    /// Says it, or takes it back.
    pub(super) fn set(&mut self, what: Self, yes: bool) {
        self.0 = if yes { self.0 | what.0 } else { self.0 & !what.0 };
    }
}
