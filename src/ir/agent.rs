//! How a server is watched beside its checks: by an agent beside it, and by the traffic itself.
//!
//! Source: manual §5.2 "agent-check", "observe", "error-limit", "on-error".

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
