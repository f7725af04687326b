//! Addresses as `bind`, `server`, `log`, `source` and `peer` lines write them.
//!
//! [`ParsedAddress::parse`] takes one address apart and asks nobody: names are not resolved, descriptors not looked at.
//! What a port may be depends on the line, so each kind of line has its own question: [`ParsedAddress::listen_ports`],
//! [`ParsedAddress::server_port`], [`ParsedAddress::source_ports`], [`ParsedAddress::plain_port`].
//! Source: manual §4.2 "bind" and "server", §11 of 3.x; all else observed on 2.6.12.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use thiserror::Error;

/// The longest path of a unix socket: a temporary name must fit too (observed on 2.6.12).
pub const LONGEST_PATH: usize = 97;
/// The longest name of an abstract unix socket.
pub const LONGEST_ABSTRACT: usize = 107;

/// An address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedAddress {
    /// How bytes travel, as far as the prefix says.
    pub transport: Transport,
    /// Where to.
    pub place: Place,
    /// What stands behind the digits of a port: haproxy ignores it without a word; warn.
    pub surplus: Option<String>,
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Whatever the line uses: TCP for `bind` and `server`, UDP for `log`.
    Any,
    /// A stream: `tcp@ tcp4@ tcp6@ uxst@ stream+…`.
    Stream,
    /// Datagrams: `udp@ udp4@ udp6@ uxdg@ dgram+…`.
    Datagram,
    /// QUIC: `quic4@ quic6@`.
    Quic,
    /// Multipath TCP: `mptcp@ mptcp4@ mptcp6@`, since 3.1.
    Mptcp,
}

/// Where an address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// IPv4 or IPv6.
    Inet {
        /// What the prefix demands of the host.
        family: Family,
        /// The host.
        host: Host,
        /// The port as written.
        port: PortSpec,
    },
    /// A unix socket in the file system; at most [`LONGEST_PATH`] bytes, may be empty or relative.
    Unix(Vec<u8>),
    /// A unix socket in the abstract name space, without its leading NUL; at most [`LONGEST_ABSTRACT`] bytes.
    Abstract(Vec<u8>),
    /// The same with a name that ends at a NUL (`abnsz@`, since 3.1).
    AbstractZero(Vec<u8>),
    /// An inherited descriptor (`fd@3`).
    Fd(i32),
    /// An inherited socket pair (`sockpair@3`).
    SockPair(i32),
    /// A reverse connection of that name (`rhttp@name`, since 2.9).
    Reverse(Vec<u8>),
}

/// Which kinds of IP address a prefix allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Family {
    /// Both; a host that is left out means IPv4's.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only; a host that is left out means IPv6's.
    V6,
}

/// A host as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// `*` or nothing: all addresses of the family; for a server, the address that the client connected to.
    Wildcard,
    /// An address, of a family that the prefix allows.
    Ip(IpAddr),
    /// A name, or a short IPv4 such as `127.1`, for the system to resolve.
    Name(String),
}

/// A port as written; numbers are not checked against 65535 yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortSpec {
    /// No colon, or nothing behind it.
    Missing,
    /// `80`.
    One(u32),
    /// `80-90`, in any order; `None` when no number follows the dash.
    Range(u32, Option<u32>),
    /// `+8000` or `-8000`: added to the port that the client connected to; a sign alone adds nothing.
    Offset(i32),
}

/// The port of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerPort {
    /// This port; 0 only if it was written so.
    Fixed(u16),
    /// The port that the client connected to plus this: no port, `+n` or `-n`.
    Mapped(i32),
}

/// Why a text is no address, or not one for this line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// An empty word, or nothing between two commas.
    #[error("the address is empty (an environment variable that is not set?)")]
    Empty,
    /// The line needs a port.
    #[error("a port is missing: write '{host}:<port>'")]
    PortMissing {
        /// What stands where the host does.
        host: String,
    },
    /// What stands behind the colon is no number.
    #[error("'{0}' is not a port")]
    PortText(String),
    /// Port 0 where it has no meaning.
    #[error("port 0 is no port to listen on")]
    PortZero,
    /// Above 65535.
    #[error("port {0} is larger than 65535")]
    PortLarge(u32),
    /// A range that ends before it begins.
    #[error("the port range {0}-{1} ends before it begins")]
    RangeOrder(u32, u32),
    /// A range where one port is wanted.
    #[error("a port range has no meaning here")]
    RangeHere,
    /// `+n` or `-n` where the port must be known.
    #[error("a port relative to the client's has no meaning here")]
    OffsetHere,
    /// An IPv6 address without brackets whose last group was taken for the port.
    #[error("'{0}' is no address: an IPv6 address needs brackets or a port behind it, as in '[::1]:80'")]
    BareIpv6(String),
    /// An address of the other family than the prefix says.
    #[error("'{host}' is no {} address", if *.family == Family::V6 { "IPv6" } else { "IPv4" })]
    OtherFamily {
        /// The host.
        host: String,
        /// The family that the prefix demands.
        family: Family,
    },
    /// Neither an address nor a name.
    #[error("'{0}' is neither an address nor a host name")]
    Host(String),
    /// A descriptor that is no number.
    #[error("'{0}' is not a file descriptor")]
    Descriptor(String),
    /// A path or name that does not fit into a socket address.
    #[error("the name of the socket is {length} bytes long, {longest} fit")]
    TooLong {
        /// Its length.
        length: usize,
        /// What fits.
        longest: usize,
    },
    /// A datagram address on a line that needs a stream, or the other way round.
    #[error("this line needs a {} address", if *.stream { "stream" } else { "datagram" })]
    Transport {
        /// Whether the line needs a stream.
        stream: bool,
    },
}

/// The addresses of a comma-separated list (`bind`, `source`…); a comma at the end adds nothing.
///
/// Each part still has to be parsed; an empty one is [`AddressError::Empty`] there.
pub fn split_list(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_suffix(b",").unwrap_or(text).split(|byte| *byte == b',')
}

impl ParsedAddress {
    /// Takes one address apart.
    ///
    /// `*:80 :80 1.2.3.4:80 [::1]:80 ::1:80 host:80 host 80 /path` and the prefixes `ipv4@ ipv6@ tcp@ tcp4@ tcp6@ udp@
    /// udp4@ udp6@ quic4@ quic6@ mptcp@ mptcp4@ mptcp6@ unix@ uxst@ uxdg@ abns@ abnsz@ fd@ sockpair@ rhttp@`, each also
    /// behind `stream+` or `dgram+`. The last colon outside brackets begins the port.
    ///
    /// # Errors
    /// [`AddressError`] for what is wrong on any line. A name that looks wrong is left to the resolver.
    pub fn parse(text: &[u8]) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let (wanted, text) = match text {
            [b's', b't', b'r', b'e', b'a', b'm', b'+', rest @ ..] => (Transport::Stream, rest),
            [b'd', b'g', b'r', b'a', b'm', b'+', rest @ ..] => (Transport::Datagram, rest),
            _ => (Transport::Any, text),
        };
        let prefix = PREFIXES.iter().find_map(|row| Some((row, text.strip_prefix(row.0.as_bytes())?)));
        let (kind, transport, rest) = match prefix {
            Some((&(_, kind, transport), rest)) => (kind, transport, rest),
            None if text.first() == Some(&b'/') => (Kind::Unix, Transport::Any, text),
            None => (Kind::Inet(Family::Any), Transport::Any, text),
        };
        let transport = if transport == Transport::Any { wanted } else { transport };
        let (place, surplus) = match kind {
            Kind::Inet(family) => inet(rest, family)?,
            Kind::Unix => (Place::Unix(fitting(rest, LONGEST_PATH)?), None),
            Kind::Abstract => (Place::Abstract(fitting(rest, LONGEST_ABSTRACT)?), None),
            Kind::AbstractZero => (Place::AbstractZero(fitting(rest, LONGEST_ABSTRACT)?), None),
            Kind::Fd => (Place::Fd(descriptor(rest)?), None),
            Kind::SockPair => (Place::SockPair(descriptor(rest)?), None),
            Kind::Reverse => (Place::Reverse(rest.to_vec()), None),
        };
        Ok(Self { transport, place, surplus })
    }

    /// The ports to listen on, from the first to the last; `None` for a place that has no port (a unix socket…).
    ///
    /// # Errors
    /// A missing port, an offset, port 0, one above 65535, a range that ends before it begins.
    pub fn listen_ports(&self) -> Result<Option<RangeInclusive<u16>>, AddressError> {
        let Place::Inet { port, host, .. } = &self.place else { return Ok(None) };
        match *port {
            PortSpec::Missing => Err(AddressError::PortMissing { host: host.to_string() }),
            PortSpec::Offset(_) => Err(AddressError::OffsetHere),
            PortSpec::One(port) => real_port(port).map(|port| Some(port..=port)),
            PortSpec::Range(first, last) => {
                let last = last.ok_or_else(|| AddressError::PortText(format!("{first}-")))?;
                let (low, high) = (real_port(first)?, real_port(last)?);
                if low > high { Err(AddressError::RangeOrder(first, last)) } else { Ok(Some(low..=high)) }
            }
        }
    }

    /// The port of a server; `Fixed(0)` for a place that has no port.
    ///
    /// # Errors
    /// A range, a port above 65535.
    pub fn server_port(&self) -> Result<ServerPort, AddressError> {
        let Place::Inet { port, .. } = &self.place else { return Ok(ServerPort::Fixed(0)) };
        match *port {
            PortSpec::Missing => Ok(ServerPort::Mapped(0)),
            PortSpec::Offset(offset) => Ok(ServerPort::Mapped(offset)),
            PortSpec::One(port) => small_port(port).map(ServerPort::Fixed),
            PortSpec::Range(..) => Err(AddressError::RangeHere),
        }
    }

    /// The one port of a line that takes neither ranges nor offsets (`log`, `peer`, `addr`, `source` of a proxy); `None` if there
    /// is none.
    ///
    /// # Errors
    /// A range, an offset, a port above 65535.
    pub fn plain_port(&self) -> Result<Option<u16>, AddressError> {
        let Place::Inet { port, .. } = &self.place else { return Ok(None) };
        match *port {
            PortSpec::Missing => Ok(None),
            PortSpec::One(port) => small_port(port).map(Some),
            PortSpec::Range(..) => Err(AddressError::RangeHere),
            PortSpec::Offset(_) => Err(AddressError::OffsetHere),
        }
    }

    /// The first and the last port to connect from; `None` if there is none. One port is both.
    ///
    /// # Errors
    /// An offset, a range that ends before it begins, a port above 65535.
    pub fn source_ports(&self) -> Result<Option<(u16, u16)>, AddressError> {
        let Place::Inet { port, .. } = &self.place else { return Ok(None) };
        match *port {
            PortSpec::Missing => Ok(None),
            PortSpec::Offset(_) => Err(AddressError::OffsetHere),
            PortSpec::One(port) => small_port(port).map(|port| Some((port, port))),
            PortSpec::Range(first, last) => {
                let last = last.ok_or_else(|| AddressError::PortText(format!("{first}-")))?;
                let (low, high) = (small_port(first)?, small_port(last)?);
                if low > high { Err(AddressError::RangeOrder(first, last)) } else { Ok(Some((low, high))) }
            }
        }
    }

    /// Checks that the prefix does not ask for datagrams (`bind`, `server`); QUIC and the like are the caller's to judge.
    ///
    /// # Errors
    /// [`AddressError::Transport`].
    pub fn want_stream(&self) -> Result<(), AddressError> {
        match self.transport {
            Transport::Datagram => Err(AddressError::Transport { stream: true }),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wildcard => f.write_str("*"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Inet(Family),
    Unix,
    Abstract,
    AbstractZero,
    Fd,
    SockPair,
    Reverse,
}

/// Every prefix, what follows it and how bytes travel then.
const PREFIXES: &[(&str, Kind, Transport)] = &[
    ("ipv4@", Kind::Inet(Family::V4), Transport::Any),
    ("ipv6@", Kind::Inet(Family::V6), Transport::Any),
    ("tcp@", Kind::Inet(Family::Any), Transport::Stream),
    ("tcp4@", Kind::Inet(Family::V4), Transport::Stream),
    ("tcp6@", Kind::Inet(Family::V6), Transport::Stream),
    ("udp@", Kind::Inet(Family::Any), Transport::Datagram),
    ("udp4@", Kind::Inet(Family::V4), Transport::Datagram),
    ("udp6@", Kind::Inet(Family::V6), Transport::Datagram),
    ("quic4@", Kind::Inet(Family::V4), Transport::Quic),
    ("quic6@", Kind::Inet(Family::V6), Transport::Quic),
    ("mptcp@", Kind::Inet(Family::Any), Transport::Mptcp),
    ("mptcp4@", Kind::Inet(Family::V4), Transport::Mptcp),
    ("mptcp6@", Kind::Inet(Family::V6), Transport::Mptcp),
    ("unix@", Kind::Unix, Transport::Any),
    ("uxst@", Kind::Unix, Transport::Stream),
    ("uxdg@", Kind::Unix, Transport::Datagram),
    ("abns@", Kind::Abstract, Transport::Any),
    ("abnsz@", Kind::AbstractZero, Transport::Any),
    ("fd@", Kind::Fd, Transport::Any),
    ("sockpair@", Kind::SockPair, Transport::Any),
    ("rhttp@", Kind::Reverse, Transport::Any),
];

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn fitting(name: &[u8], longest: usize) -> Result<Vec<u8>, AddressError> {
    match name.len() {
        length if length > longest => Err(AddressError::TooLong { length, longest }),
        _ => Ok(name.to_vec()),
    }
}

fn descriptor(text: &[u8]) -> Result<i32, AddressError> {
    let number = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.and_then(|number| number.parse().ok()).ok_or_else(|| AddressError::Descriptor(lossy(text)))
}

fn small_port(port: u32) -> Result<u16, AddressError> {
    u16::try_from(port).map_err(|_| AddressError::PortLarge(port))
}

fn real_port(port: u32) -> Result<u16, AddressError> {
    match small_port(port)? {
        0 => Err(AddressError::PortZero),
        port => Ok(port),
    }
}

fn inet(text: &[u8], family: Family) -> Result<(Place, Option<String>), AddressError> {
    let colon = memchr::memrchr(b':', text).filter(|colon| !text[*colon..].contains(&b']'));
    let (host, port) = match colon {
        Some(colon) => (&text[..colon], &text[colon + 1..]),
        None => (text, &[][..]),
    };
    let (port, surplus) = port_spec(port)?;
    Ok((Place::Inet { family, host: parse_host(host, family)?, port }, surplus))
}

fn parse_host(text: &[u8], family: Family) -> Result<Host, AddressError> {
    let name = std::str::from_utf8(text).map_err(|_| AddressError::Host(lossy(text)))?;
    if matches!(name, "" | "*") {
        return Ok(Host::Wildcard);
    }
    let inner = name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(name);
    match inner.parse::<IpAddr>() {
        Ok(address) => {
            let fits = match family {
                Family::Any => true,
                Family::V4 => address.is_ipv4(),
                Family::V6 => address.is_ipv6(),
            };
            let other = || AddressError::OtherFamily { host: String::from(name), family };
            if fits { Ok(Host::Ip(address)) } else { Err(other()) }
        }
        Err(_) if inner.bytes().all(|byte| byte == b':') && !inner.is_empty() => {
            Err(AddressError::BareIpv6(String::from(name)))
        }
        Err(_) if inner.is_empty() || inner.contains([':', '[', ']', '%', '/', ' ', ',']) => {
            Err(AddressError::Host(String::from(name)))
        }
        Err(_) => Ok(Host::Name(String::from(inner))),
    }
}

/// Reads a port as `atol` would: what stands behind the digits is surplus.
fn port_spec(text: &[u8]) -> Result<(PortSpec, Option<String>), AddressError> {
    let (first, rest) = number(text);
    match (text.first(), first, rest) {
        (None, ..) => Ok((PortSpec::Missing, None)),
        (Some(sign @ (b'+' | b'-')), ..) => {
            let (offset, rest) = number(&text[1..]);
            let offset = i32::try_from(offset.unwrap_or(0)).unwrap_or(i32::MAX);
            let offset = if *sign == b'-' { -offset } else { offset };
            Ok((PortSpec::Offset(offset), surplus(rest)))
        }
        (_, None, _) => Err(AddressError::PortText(lossy(text))),
        (_, Some(first), [b'-', end @ ..]) => {
            let (last, rest) = number(end);
            if last.is_none() && !rest.is_empty() {
                return Err(AddressError::PortText(lossy(rest)));
            }
            Ok((PortSpec::Range(first, last), surplus(rest)))
        }
        (_, Some(port), rest) => Ok((PortSpec::One(port), surplus(rest))),
    }
}

fn surplus(rest: &[u8]) -> Option<String> {
    Some(lossy(rest)).filter(|rest| !rest.is_empty())
}

/// The number at the beginning and what follows it; too large a number is the largest.
fn number(text: &[u8]) -> (Option<u32>, &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let value = digits.iter().fold(0_u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
    (Some(value).filter(|_| length > 0), rest)
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
