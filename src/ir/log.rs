//! Where log lines go and how they look.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::expr::{Format, Stage};

/// Syslog severity, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are syslog's")]
pub enum Level {
    Emerg,
    Alert,
    Crit,
    Err,
    Warning,
    Notice,
    Info,
    Debug,
}

/// Syslog facility, 0 (`kern`) to 23 (`local7`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Facility(pub u8);

/// The frame around a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are haproxy's")]
pub enum LogFormat {
    /// No `format`: rfc3164 if the process has a `log-send-hostname`, else `local`.
    Unset,
    Rfc3164,
    Rfc5424,
    Local,
    Priority,
    Short,
    Timed,
    Iso,
    Raw,
}

/// How a datagram or line leaves the process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogProtocol {
    /// UDP to an address.
    Udp(SocketAddr),
    /// A unix datagram socket's path.
    Unix(PathBuf),
    /// An abstract unix datagram socket.
    Abstract(Vec<u8>),
    /// A descriptor of the process; 1 is stdout, 2 is stderr.
    Fd(i32),
}

/// One `log` line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogTarget {
    /// Where to.
    pub to: LogProtocol,
    /// `format`; [`LogFormat::Unset`] without one, for a descriptor too.
    pub format: LogFormat,
    /// `len`: longest line in bytes; default 1024.
    pub max_len: u32,
    /// Facility.
    pub facility: Facility,
    /// The least urgent level that is sent.
    pub max_level: Level,
    /// Messages more urgent than this are sent at this level.
    pub min_level: Level,
}

/// What a session's line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SessionLog {
    /// No `option *log`: the short default line, sent when the connection is accepted.
    #[default]
    Default,
    /// `option tcplog`.
    Tcp,
    /// `option httplog` on a proxy that serves HTTP (the statistics page).
    Http,
    /// `log-format`.
    Custom,
}

/// When the line of a session is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum LogMoment {
    /// When it is accepted.
    #[default]
    Accepted,
    /// When its server is connected, or when it ends without one.
    Connected,
    /// When it ends.
    Ended,
}

/// The formats that a proxy has of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Formats {
    /// `log-format`, if it is the session log that was chosen.
    pub session: Option<Format>,
    /// `log-format-sd`: the structured data of targets in `format rfc5424`.
    pub structured: Option<Format>,
    /// `error-log-format`: connections that fail before there is a session.
    pub error: Option<Format>,
    /// `unique-id-format`.
    pub unique_id: Option<Format>,
    /// Whether one of them shows the address that the client connected to.
    pub local_address: bool,
    /// Whether one of them shows an address of the server's connection.
    pub server_addresses: bool,
}

impl Formats {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The moment from which all is known that a session's line shows.
    pub fn stage(&self) -> Stage {
        let stages = [&self.session, &self.structured].into_iter().flatten().map(Format::stage);
        stages.max().unwrap_or(Stage::Connected)
    }
}
