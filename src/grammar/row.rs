//! One row of a keyword table.
//!
//! Everything baton says about a keyword comes from its row: arity, era, manual section and whether it is built.
//! The rows themselves are made by `build.rs` from `grammar/*.kw`; `grammar/README.md` explains the columns.

use std::fmt;

use super::Kind;

/// A version of haproxy, as `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u8, pub u8);

impl Version {
    /// The version that baton answers for.
    pub const NEWEST: Self = Self(3, 4);
    /// No version of haproxy's: a word of baton's own.
    pub const OWN: Self = Self(0, 0);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OWN => f.write_str("baton"),
            Self(major, minor) => write!(f, "{major}.{minor}"),
        }
    }
}

/// When haproxy knew a keyword, as far as its manuals tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era {
    /// The first manual that names it (1.4 is the oldest that was looked at), or [`Version::OWN`].
    pub since: Version,
    /// The first manual that calls it deprecated.
    pub deprecated: Option<Version>,
    /// The version after the last manual that names it.
    pub removed: Option<Version>,
    /// What to write today.
    pub advice: Option<&'static str>,
}

/// How many words may follow a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arity {
    /// At least.
    pub min: u16,
    /// At most; `None`: any number.
    pub max: Option<u16>,
}

/// The places of a keyword: one bit per letter of [`Kind::places`], the first letter lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Where it may stand.
    pub allowed: u8,
    /// Where haproxy warns that it has no effect, and goes on.
    pub warned: u8,
    /// Where haproxy takes it without a remark, and it has no effect.
    pub silent: u8,
}

impl Places {
    /// Whether it may stand at the place of that bit.
    pub const fn has(self, bit: u8) -> bool {
        self.allowed & bit != 0
    }

    /// The names of the places where it may stand, in the order of the table.
    pub fn names(self, kind: Kind) -> impl Iterator<Item = &'static str> {
        kind.places().iter().enumerate().filter(move |(at, _)| self.has(1 << at)).map(|(_, (_, name))| *name)
    }
}

/// What baton does with a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It acts as in haproxy.
    Full,
    /// Nothing is done, and nothing can be seen of that.
    Noop {
        /// Why nothing can be seen of it.
        reason: &'static str,
    },
    /// It is not built: an alert where it would act.
    Refused {
        /// Where it would act.
        acts: Acts,
        /// What baton lacks, as the subject of a sentence; empty when the keyword says it.
        missing: &'static str,
    },
}

/// Where a refused keyword would act, which is where it must be an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// Wherever it stands: an alert at its line.
    Always,
    /// In a proxy that serves HTTP (the statistics page alone does not count): an alert once it is known that such a
    /// proxy has it or inherits it.
    InHttp,
    /// In any proxy of `mode http`, one with nothing but a statistics page included: an alert once it is known that
    /// such a proxy has it or inherits it.
    InModeHttp,
    /// On a QUIC address, which is an alert of its own: nothing is to be said of this keyword.
    OnQuic,
    /// Only through one of these other keywords (`kind/keyword`), each refused itself: nothing is to be said of this
    /// one. The build fails when one of them is built, so that this row is looked at again.
    Through(&'static [&'static str]),
}

/// One keyword.
#[derive(Debug)]
pub struct Row {
    /// What it is.
    pub kind: Kind,
    /// The keyword, its words divided by one blank.
    pub keyword: &'static str,
    /// Whether `no` may stand before it.
    pub negatable: bool,
    /// Whether `default` may: 2.6 refuses it nearly everywhere, whatever its manual says.
    pub resettable: bool,
    /// Where it may stand; all bits are set for a kind that has one place only.
    pub places: Places,
    /// Its arguments as shown to people.
    pub usage: &'static str,
    /// Its arguments counted.
    pub arity: Arity,
    /// When haproxy knew it.
    pub era: Era,
    /// The section of the configuration manual of 2.6 that has it, or `–`.
    pub manual: &'static str,
    /// What baton does with it.
    pub support: Support,
    /// The row's number within its kind: the index into the table of lowering functions of that kind.
    pub index: u16,
}

impl Row {
    /// What to write today, when the keyword is one of the past that baton translates.
    pub fn translated(&self) -> Option<&'static str> {
        let old = self.era.removed.is_some_and(|removed| removed <= Version::NEWEST);
        self.era.advice.filter(|_| old && self.support == Support::Full)
    }

    /// The keyword with its arguments.
    pub fn synopsis(&self) -> String {
        if self.usage.is_empty() { self.keyword.to_owned() } else { format!("{} {}", self.keyword, self.usage) }
    }
}
