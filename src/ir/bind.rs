//! Where a frontend listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::text::Span;
use crate::units::Millis;

/// A local address as a configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// TCP over IPv4 or IPv6.
    Inet(SocketAddr),
    /// A unix stream socket in the file system.
    Unix(PathBuf),
    /// A unix stream socket in the abstract name space, without its leading NUL.
    Abstract(Vec<u8>),
    /// A listening socket that the process inherited.
    Fd(i32),
    /// An inherited unix socket over which connections come as descriptors.
    SockPair(i32),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix@{}", path.display()),
            Self::Abstract(name) => write!(f, "abns@{}", name.escape_ascii()),
            Self::Fd(number) => write!(f, "fd@{number}"),
            Self::SockPair(number) => write!(f, "sockpair@{number}"),
        }
    }
}

impl Endpoint {
    /// Its address with its family in front, as haproxy lists stats sockets; `None` of an inherited one.
    pub fn with_family(&self) -> Option<String> {
        match self {
            Self::Inet(address) if address.is_ipv4() => Some(format!("ipv4@{address}")),
            Self::Inet(address) => Some(format!("ipv6@{address}")),
            Self::Unix(_) | Self::Abstract(_) => Some(self.to_string()),
            Self::Fd(_) | Self::SockPair(_) => None,
        }
    }
}

/// One address of a `bind` line. A line with several addresses or a port range gives one of these each.
#[derive(Debug, Clone)]
pub struct Bind {
    /// The address.
    pub endpoint: Endpoint,
    /// The listener's name as statistics show it: `name`, or its `sock-N`.
    pub name: String,
    /// The listener's id, explicit or given in order from 1.
    pub id: u32,
    /// What the line says besides.
    pub options: BindOptions,
    /// The line to blame.
    pub span: Span,
}

/// The options of a `bind` line that a TCP listener knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// Connections at once; 0: no limit of its own.
    pub maxconn: u32,
    /// Accept backlog; `None`: the proxy's `backlog`, then its `maxconn`.
    pub backlog: Option<u32>,
    /// Network device to bind to.
    pub interface: Option<String>,
    /// `Some(true)` for `v6only`, `Some(false)` for `v4v6`.
    pub v6only: Option<bool>,
    /// Maximum segment size; a negative value asks for the default minus it.
    pub mss: Option<i32>,
    /// TCP Fast Open.
    pub tfo: bool,
    /// Owner and mode of a unix socket's file.
    pub file: FilePermissions,
    /// `defer-accept`: TCP connections come with their first bytes.
    pub defer_accept: bool,
    /// `tcp-ut`: how long data to a client may stay without acknowledgment.
    pub user_timeout: Option<Millis>,
    /// `transparent`: the address need not be this host's.
    pub transparent: bool,
    /// `tcp-ss`: what the kernel keeps of a client's first packet: 0 nothing, 1 the headers of IP and TCP, 2 that of Ethernet, too.
    pub save_syn: u8,
    /// `accept-proxy`: each connection begins with a PROXY header.
    pub accept_proxy: bool,
    /// `accept-netscaler-cip`: each connection begins with a NetScaler header that begins with this number.
    pub netscaler: Option<u32>,
}

/// Owner and mode of a unix socket's file; `None` leaves what the system gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilePermissions {
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
    /// Mode bits.
    pub mode: Option<u32>,
}
