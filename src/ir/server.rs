//! Servers and their health checks.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::{Agent, Observe, ProxyIx, Resolve};
use crate::text::Span;
use crate::units::server_state::ServerState;
use crate::units::{Millis, Weight};

/// Index of a server in its backend's [`super::Backend::servers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerIx(pub u32);

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServerAddress {
    /// TCP over IPv4 or IPv6.
    Inet(SocketAddr),
    /// A unix stream socket's path.
    Unix(PathBuf),
    /// An abstract unix stream socket.
    Abstract(Vec<u8>),
    /// The inherited unix socket of that number: one end of a new pair is sent over it.
    SockPair(i32),
    /// The address is not known yet (`init-addr none`): the server starts in maintenance.
    Unresolved {
        /// The name that did not resolve.
        host: String,
        /// The port.
        port: u16,
    },
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix@{}", path.display()),
            Self::Abstract(name) => write!(f, "abns@{}", name.escape_ascii()),
            Self::SockPair(number) => write!(f, "sockpair@{number}"),
            Self::Unresolved { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl ServerAddress {
    /// The address with the rule for its port, as one word: the same for the same place in every process.
    pub fn spell(&self, port_offset: Option<i32>) -> String {
        port_offset.map_or_else(|| self.to_string(), |offset| format!("{self}{offset:+}"))
    }
}

/// One `server` line with `default-server` folded in.
#[derive(Debug, Clone)]
pub struct Server {
    /// Name, ASCII.
    pub name: String,
    /// Id, explicit or given in order from 1.
    pub id: u32,
    /// Whether the id is explicit.
    pub id_given: bool,
    /// The host name that its address was looked up by.
    pub host: Option<String>,
    /// Where it is. An unspecified IP stands for the client's destination address.
    pub address: ServerAddress,
    /// `None`: the address has its port. `Some(n)`: the client's destination port plus n.
    pub port_offset: Option<i32>,
    /// Share of the traffic.
    pub weight: Weight,
    /// What its points on a ring are made of.
    pub hash_key: HashKey,
    /// Used only when no other server is usable.
    pub backup: bool,
    /// `non-stick`: no table learns that it served someone.
    pub non_stick: bool,
    /// `disabled`: starts in maintenance.
    pub disabled: bool,
    /// Sessions at once; 0: no limit.
    pub maxconn: u32,
    /// `minconn`; 0: no dynamic limit.
    pub minconn: u32,
    /// Sessions that may wait for it; 0: no limit.
    pub maxqueue: u32,
    /// `slowstart`.
    pub slowstart: Option<Millis>,
    /// `check` and its companions; `None`: no check.
    pub check: Option<Check>,
    /// `agent-check` and its companions; `None`: no agent.
    pub agent: Option<Box<Agent>>,
    /// `observe` and its companions, where a check is there to act on.
    pub observe: Option<Observe>,
    /// `track [backend/]server`.
    pub track: Option<TrackRef>,
    /// `on-marked-down`.
    pub on_marked_down: MarkedDown,
    /// `on-marked-up`.
    pub on_marked_up: MarkedUp,
    /// `source`: the local address to connect from.
    pub source: Option<SourceAddress>,
    /// `tcp-ut`: how long data to it may stay without acknowledgment.
    pub user_timeout: Option<Millis>,
    /// The PROXY header that connections to it begin with.
    pub send_proxy: SendProxy,
    /// `init-addr`, in order.
    pub init_addr: Vec<InitAddr>,
    /// How its address is looked up at run time; `None`: it is not.
    pub resolve: Option<Box<Resolve>>,
    /// What a server state file says of it, if it says anything.
    pub recorded: Option<Box<ServerState>>,
    /// The line to blame.
    pub span: Span,
}

/// A server whose state another one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackRef {
    /// The backend.
    pub proxy: ProxyIx,
    /// The server in it.
    pub server: ServerIx,
}

/// A plain TCP health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Time between checks; default 2 s.
    pub inter: Millis,
    /// Time between checks while the state is changing.
    pub fastinter: Option<Millis>,
    /// Time between checks while the server is down.
    pub downinter: Option<Millis>,
    /// Passed checks until the server is up; default 2.
    pub rise: u32,
    /// Failed checks until the server is down; default 3.
    pub fall: u32,
    /// `addr`: checked instead of the server's own address.
    pub addr: Option<IpAddr>,
    /// `port`: checked instead of the server's own port.
    pub port: Option<u16>,
    /// The PROXY header that a check begins with, if it begins with one.
    pub send_proxy: Option<SendProxy>,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            inter: Millis::seconds(2),
            fastinter: None,
            downinter: None,
            rise: 2,
            fall: 3,
            addr: None,
            port: None,
            send_proxy: None,
        }
    }
}

/// What `send-proxy` and its companions say of the PROXY header, each word by itself: none of them, no header.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SendProxy(u16);

impl SendProxy {
    /// `send-proxy`.
    pub const V1: Self = Self(1);
    /// `send-proxy-v2`: version 2, whatever else is said.
    pub const V2: Self = Self(1 << 1);
    /// What is known of the client's TLS.
    pub const SSL: Self = Self(1 << 2);
    /// The name in the client's certificate.
    pub const CERT_CN: Self = Self(1 << 3);
    /// The cipher of the client's connection.
    pub const SSL_CIPHER: Self = Self(1 << 4);
    /// How our certificate is signed.
    pub const CERT_SIG: Self = Self(1 << 5);
    /// The algorithm of our certificate's key.
    pub const CERT_KEY: Self = Self(1 << 6);
    /// The host name that the client asked for.
    pub const AUTHORITY: Self = Self(1 << 7);
    /// A checksum.
    pub const CRC32C: Self = Self(1 << 8);
    /// The name of the connection.
    pub const UNIQUE_ID: Self = Self(1 << 9);
    /// All that is about TLS: with any of them the header says whether there is TLS at all.
    pub const TLS: Self =
        Self(Self::SSL.0 | Self::CERT_CN.0 | Self::SSL_CIPHER.0 | Self::CERT_SIG.0 | Self::CERT_KEY.0);

    /// Whether nothing is said.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any of these is said.
    pub const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// These too.
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// All but these.
    pub const fn without(self, less: Self) -> Self {
        Self(self.0 & !less.0)
    }
}

impl std::fmt::Debug for SendProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [&str; 10] =
            ["v1", "v2", "ssl", "cert-cn", "ssl-cipher", "cert-sig", "cert-key", "authority", "crc32c", "unique-id"];
        f.debug_list()
            .entries((0..).zip(NAMES).filter(|(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| name))
            .finish()
    }
}

/// What happens to sessions when their server goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MarkedDown {
    /// They go on.
    #[default]
    Keep,
    /// They are shut down.
    ShutdownSessions,
}

/// `hash-key`: what a server's points on a ring are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashKey {
    /// Its id.
    #[default]
    Id,
    /// Its IP address; its id as long as it has none.
    Addr,
    /// Its IP address and its port; its id as long as it has none.
    AddrPort,
}

/// What happens to a backup server's sessions when a server comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MarkedUp {
    /// They go on.
    #[default]
    Keep,
    /// Sessions of backup servers are shut down.
    ShutdownBackupSessions,
}

/// `source`: the local address of connections to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAddress {
    /// Address; port 0 lets the system choose. An unspecified one is not bound to, whatever its port.
    pub address: SocketAddr,
    /// First and last of the ports to connect from, each for one connection at a time; the port of `address` is 0 then.
    pub ports: Option<(u16, u16)>,
    /// Network device to bind to.
    pub interface: Option<String>,
    /// `usesrc`: an address that need not be ours, for sessions only.
    pub usesrc: Option<UseSource>,
}

/// `usesrc`: what a server is to take for the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseSource {
    /// This one; port 0 lets the system choose.
    Address(SocketAddr),
    /// The client's address and port.
    Client,
    /// The client's address.
    ClientIp,
    /// An address in an HTTP header (`hdr_ip`): nothing in `mode tcp`.
    Header,
}

/// Where sessions go that are not balanced: `dispatch`, `option transparent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The address. An unspecified IP stands for the client's destination address.
    pub address: ServerAddress,
    /// As [`Server::port_offset`].
    pub port_offset: Option<i32>,
    /// `source` of the proxy.
    pub source: Option<SourceAddress>,
}

/// One way to find a server's first address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitAddr {
    /// From the server state file.
    Last,
    /// From libc's resolver.
    Libc,
    /// Start without one, in maintenance.
    None,
    /// This address.
    Ip(IpAddr),
}
