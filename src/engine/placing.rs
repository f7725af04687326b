//! What has been decided and done about a session, in two bytes, and times that are not known yet, in four: an idle session
//! pays for each of its fields.

/// What has been decided and done about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Placing(u16);

impl Placing {
    /// A retry went to another server.
    pub(super) const REDISPATCHED: Self = Self(1);
    /// Rules gave it the server, and not balancing.
    pub(super) const DIRECT: Self = Self(2);
    /// No other server than that will do.
    pub(super) const FORCED: Self = Self(4);
    /// Its backend counts it.
    pub(super) const ENTERED: Self = Self(8);
    /// Rules about what its client sends have decided, or there are none.
    pub(super) const RULED: Self = Self(16);
    /// Rules about what its server sends have not decided yet.
    pub(super) const ANSWERING: Self = Self(32);
    /// Its server counts it.
    pub(super) const HELD: Self = Self(64);

    /// Its line is written.
    pub(super) const LOGGED: Self = Self(128);
    /// Its memory has limits of bandwidth.
    pub(super) const LIMITED: Self = Self(256);
    /// Of a session to which nothing has happened: its backend counts it, and no rules look at it.
    pub(super) const AT_REST: Self = Self(8 | 16);

    /// Whether this is said of it.
    pub(super) fn is(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }

    /// Says it, or takes it back.
    pub(super) fn set(&mut self, what: Self, yes: bool) {
        self.0 = if yes { self.0 | what.0 } else { self.0 & !what.0 };
    }

    /// Takes it back, and says whether it was said.
    pub(super) fn take(&mut self, what: Self) -> bool {
        let said = self.is(what);
        self.set(what, false);
        said
    }
}

/// Milliseconds, or not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elapsed(u32);

impl Elapsed {
    /// Not known yet.
    pub(super) const NOT_YET: Self = Self(u32::MAX);

    /// The same, or these.
    pub(super) fn or(self, millis: u32) -> Self {
        if self == Self::NOT_YET { millis.into() } else { self }
    }

    /// The milliseconds, if they are known.
    pub(super) fn get(self) -> Option<u32> {
        (self != Self::NOT_YET).then_some(self.0)
    }
}

impl From<u32> for Elapsed {
    fn from(millis: u32) -> Self {
        Self(millis.min(u32::MAX - 1))
    }
}

impl From<Option<u32>> for Elapsed {
    fn from(millis: Option<u32>) -> Self {
        millis.map_or(Self::NOT_YET, Self::from)
    }
}
