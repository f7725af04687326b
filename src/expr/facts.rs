//! What an expression looks at: the traits by which sessions, checks and commands answer it.
//!
//! Everything has a default that knows nothing, so an implementation says only what it has.

use std::time::Duration;

use super::fetch::{Counter, Known};
use super::{Arg, TableRef, Value, VarName};

/// What a fetch found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched<'a> {
    /// A value for good.
    Value(Value<'a>),
    /// The value so far: more bytes may change it. A pattern that fits it fits; one that does not may do so later.
    Growing(Value<'a>),
    /// There is none, and there will be none.
    Missing,
    /// There is none yet.
    NotYet,
}

impl<'a> Fetched<'a> {
    /// A value for good, or none.
    pub fn known(value: Option<Value<'a>>) -> Self {
        value.map_or(Self::Missing, Self::Value)
    }

    /// The value as of now.
    pub fn value(self) -> Option<Value<'a>> {
        match self {
            Self::Value(value) | Self::Growing(value) => Some(value),
            Self::Missing | Self::NotYet => None,
        }
    }

    /// Whether it may be another one later.
    pub fn may_change(&self) -> bool {
        matches!(self, Self::Growing(_) | Self::NotYet)
    }

    /// The same with another value; what gives none is missing, or not there yet.
    pub fn and_then<'b>(self, next: impl FnOnce(Value<'a>) -> Option<Value<'b>>) -> Fetched<'b> {
        match self {
            Self::Value(value) => Fetched::known(next(value)),
            Self::Growing(value) => next(value).map_or(Fetched::NotYet, Fetched::Growing),
            Self::Missing => Fetched::Missing,
            Self::NotYet => Fetched::NotYet,
        }
    }
}

/// One of the two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// From the client.
    Request,
    /// From the server.
    Response,
}

/// The bytes of one direction that are not forwarded yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer<'a> {
    /// What is there.
    pub bytes: &'a [u8],
    /// Whether more may come, as far as the rules are concerned: the sender has not ended, there is room, and the
    /// inspection is not over.
    pub more: bool,
    /// The most that it can ever hold.
    pub room: usize,
}

/// What is asked of a stick table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What is done with the datum.
    pub deed: super::fetch::Deed,
    /// Which datum.
    pub what: super::fetch::Datum,
    /// Which element of an array.
    pub index: u32,
}

/// What may have happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Something went wrong; what `option dontlog-normal` leaves out is what did not.
    Error,
    /// A server has got it.
    Forwarded,
    /// A server or a page has got it.
    Processed,
    /// The process ends.
    Stopping,
    /// A page has answered it.
    Applet,
}

/// What an expression may look at.
pub trait Facts {
    /// Whether something has happened.
    fn is(&self, _occasion: Occasion) -> bool {
        false
    }

    /// What a fetch that only the engine knows gives now.
    fn known(&self, _fetch: Known, _args: &[Arg]) -> Fetched<'_> {
        Fetched::Missing
    }

    /// The bytes of a direction; `None` where there are none to look at.
    fn buffer(&self, _side: Side) -> Option<Buffer<'_>> {
        None
    }

    /// What a counter of a tracked entry, or of the client's address, says; it may count, too.
    fn counter(&self, _counter: &Counter) -> Option<i64> {
        None
    }

    /// What a table says of a key; `None` without such an entry. Who counts or clears makes one.
    fn table(&self, _table: &TableRef, _key: &Value<'_>, _asked: Asked) -> Option<i64> {
        None
    }

    /// The value of a variable; `None` if it is not set.
    fn variable(&self, _name: &VarName) -> Option<Value<'_>> {
        None
    }

    /// Tells a sink of something.
    fn tell(&self, _sink: &str, _message: &[u8]) {}

    /// Keeps a text for the log in a place of the frontend; `None`: there is no such place.
    fn capture(&self, _side: Side, _slot: i64, _text: &[u8]) -> Option<()> {
        None
    }

    /// Sets a variable, or forgets it.
    fn set_variable(&self, _name: &VarName, _value: Option<Value<'_>>) {}

    /// Whether a variable was ever set, even if it is not now.
    fn variable_exists(&self, name: &VarName) -> bool {
        self.variable(name).is_some()
    }

    /// The time since 1970.
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    /// What local time is ahead of UTC at that second of 1970, in seconds, and the name of the zone.
    fn local(&self, _at: i64) -> (i32, &str) {
        (0, "UTC")
    }

    /// A random number.
    fn random(&self) -> u64 {
        0
    }

    /// Whether rules may still wait for more: `wait_end` is not there yet then.
    fn waiting(&self) -> bool {
        false
    }

    /// The number of usable servers of a backend that is named at run time.
    fn usable_servers(&self, _backend: &[u8]) -> Option<i64> {
        None
    }

    /// The queue of a server that is named at run time, `backend/server` or one of the own backend.
    fn server_queue(&self, _server: &[u8]) -> Option<i64> {
        None
    }

    /// Whether a server that is named at run time is up.
    fn server_is_up(&self, _server: &[u8]) -> Option<bool> {
        None
    }

    /// Whether there is a frontend of that name.
    fn frontend_exists(&self, _frontend: &[u8]) -> Option<bool> {
        None
    }
}

/// Nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Facts for Nothing {}
