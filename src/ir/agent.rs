//! How a server is watched otherwise than by asking it: by an agent beside it, by the traffic itself, by a program.
//!
//! Source: manual §5.2 "agent-check", "observe", "error-limit", "on-error", §4.2 "external-check command".

use std::ffi::OsString;
use std::net::IpAddr;

use crate::units::Millis;

/// `agent-check` and its companions: a program beside the server that says how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// `agent-inter`: time between two questions; default 2 s.
    pub inter: Millis,
    /// `agent-addr`: asked instead of the server's own address.
    pub addr: Option<IpAddr>,
    /// `agent-port`, or else the `port` of the check.
    pub port: u16,
    /// `agent-send`: said to the agent first; empty: nothing.
    pub send: Vec<u8>,
}

/// `observe layer4` and its companions: failed connections of sessions count against the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observe {
    /// `error-limit`: failures in a row that are too many; default 10.
    pub limit: u32,
    /// `on-error`.
    pub on_error: OnError,
}

/// What too many failures mean. Whichever it is, the next check comes after `fastinter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Nothing else.
    FastInter,
    /// A failed check.
    #[default]
    FailCheck,
    /// So many failed checks that the next one takes the server down.
    SuddenDeath,
    /// The server is down.
    MarkDown,
}

/// `external-check command` and `external-check path`: the program that checks the servers of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Its path, or a name that is looked up in `path`.
    pub command: OsString,
    /// Its variable `PATH`; `None`: not given, and the variable is empty.
    pub path: Option<OsString>,
}
