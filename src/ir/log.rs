//! Where log lines go and how they look.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::expr::{Format, Stage};
use crate::units::Millis;

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

impl Level {
    /// Its name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Err => "err",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
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
    /// A `ring` section; a name that none has takes lines and forgets them.
    Ring(String),
    /// A stream: lines go through a ring of their own.
    Stream(StreamAddress),
}

/// Where a stream of messages goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StreamAddress {
    /// TCP.
    Inet(SocketAddr),
    /// A unix stream socket's path.
    Unix(PathBuf),
    /// An abstract unix stream socket.
    Abstract(Vec<u8>),
}

/// A server that gets the messages of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingServer {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: StreamAddress,
    /// `log-proto octet-count`: a length before each message instead of a line feed behind it.
    pub octet_count: bool,
}

/// A `ring` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Its name.
    pub name: String,
    /// `description`; without, tools show the name.
    pub description: Option<String>,
    /// `format`; without, messages have no frame. What a `log` line says does not count.
    pub format: LogFormat,
    /// `maxlen`: longest message in bytes; never above `size`.
    pub max_len: u32,
    /// `size` in bytes.
    pub size: u32,
    /// `timeout connect`.
    pub timeout_connect: Option<Millis>,
    /// `timeout server`: how long a server may refuse to take a message.
    pub timeout_server: Option<Millis>,
    /// Its servers: each gets every message.
    pub servers: Vec<RingServer>,
}

impl Ring {
    /// The size without `size`, and the least that can be asked for.
    pub const SIZE: u32 = 16_384;
    /// No `maxlen`.
    pub const UNLIMITED: u32 = u32::MAX;

    /// A ring of which nothing else was said.
    pub fn named(name: String) -> Self {
        Self {
            name,
            description: None,
            format: LogFormat::Raw,
            max_len: Self::UNLIMITED,
            size: Self::SIZE,
            timeout_connect: None,
            timeout_server: None,
            servers: Vec::new(),
        }
    }
}

/// `sample`: which lines of each so many are sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sample {
    /// First and last line of each range, counted from 1.
    pub ranges: Box<[(u32, u32)]>,
    /// Lines until it begins again.
    pub size: u32,
}

impl Sample {
    /// Whether the line with that number, counted from 0, is sent.
    pub fn takes(&self, number: u64) -> bool {
        let place = (number % u64::from(self.size.max(1))) as u32 + 1;
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&place))
    }
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
    /// `sample`.
    pub sample: Option<Sample>,
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
