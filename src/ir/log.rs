//! Where log lines go and how they look.

use std::net::SocketAddr;
use std::path::PathBuf;

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
}
