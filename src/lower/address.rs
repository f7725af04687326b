//! Addresses as `bind`, `server`, `log` and `source` lines write them.
//!
//! Only reads: names are looked up later, and which kind may stand where is the caller's to judge.
//! Source: manual §11 (2.6: "address formats" in §4.2 "bind" and §5.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::AddressFault;

/// Which family a prefix asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// No prefix, or one that leaves it open.
    #[default]
    Any,
    /// `ipv4@`.
    V4,
    /// `ipv6@`.
    V6,
}

/// What stands behind the last colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// Nothing.
    None,
    /// A port, 0 included.
    One(u16),
    /// A range.
    Range(u16, u16),
    /// `+N` or `-N`.
    Offset(i32),
}

/// An address that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// An IP address; `None` for `*` and for nothing before the colon.
    Inet {
        /// The address.
        ip: Option<IpAddr>,
        /// The family asked for.
        family: Family,
        /// The port.
        ports: Ports,
    },
    /// A host name.
    Host {
        /// The name.
        host: String,
        /// The family asked for.
        family: Family,
        /// The port.
        ports: Ports,
    },
    /// A path.
    Unix(String),
    /// A name without its leading NUL.
    Abstract(Vec<u8>),
    /// A descriptor.
    Fd(i32),
}

/// Longest path of a unix socket: the system's 108 bytes less what haproxy needs for a temporary name.
const LONGEST_PATH: usize = 97;

/// Kinds of address that exist and that this version does not build.
const LATER: [&str; 16] = [
    "sockpair@", "udp@", "udp4@", "udp6@", "quic4@", "quic6@", "rhttp@", "rev@", "abnsz@", "mptcp@", "mptcp4@",
    "mptcp6@", "ring@", "uxdg@", "uxst@", "dgram+",
];

/// Reads an address.
///
/// # Errors
/// [`AddressFault`].
pub fn parse(word: &[u8]) -> Result<Parsed, AddressFault> {
    let text = std::str::from_utf8(word).map_err(|_| AddressFault::Host)?;
    let text = text.strip_prefix("stream+").unwrap_or(text);
    if let Some(path) = text.strip_prefix("unix@") {
        return unix(path);
    }
    if text.starts_with('/') {
        return unix(text);
    }
    if let Some(name) = text.strip_prefix("abns@") {
        return if name.len() > 106 { Err(AddressFault::TooLong) } else { Ok(Parsed::Abstract(name.into())) };
    }
    if let Some(fd) = text.strip_prefix("fd@") {
        return fd.parse().ok().filter(|fd| *fd >= 0).map(Parsed::Fd).ok_or(AddressFault::Descriptor);
    }
    if LATER.iter().any(|kind| text.starts_with(kind)) {
        return Err(AddressFault::NotYet);
    }
    let (family, rest) = [("ipv4@", Family::V4), ("ipv6@", Family::V6), ("tcp4@", Family::V4), ("tcp6@", Family::V6)]
        .into_iter()
        .find_map(|(kind, family)| text.strip_prefix(kind).map(|rest| (family, rest)))
        .unwrap_or((Family::Any, text.strip_prefix("tcp@").or(text.strip_prefix("ip@")).unwrap_or(text)));
    inet(rest, family)
}

fn unix(path: &str) -> Result<Parsed, AddressFault> {
    if path.len() > LONGEST_PATH { Err(AddressFault::TooLong) } else { Ok(Parsed::Unix(path.to_owned())) }
}

fn inet(text: &str, family: Family) -> Result<Parsed, AddressFault> {
    // a colon that ends an IPv6 address is no port's: everything behind the last one must look like a port
    let (host, ports) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port_part(port)?),
        _ => (text, Ports::None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if host.is_empty() || host == "*" {
        return Ok(Parsed::Inet { ip: None, family, ports });
    }
    let v4 = if bare.is_none() && family != Family::V6 { host.parse::<Ipv4Addr>().ok() } else { None };
    let v6 = if family == Family::V4 { None } else { bare.unwrap_or(host).parse::<Ipv6Addr>().ok() };
    if let Some(ip) = v4.map(IpAddr::V4).or(v6.map(IpAddr::V6)) {
        return Ok(Parsed::Inet { ip: Some(ip), family, ports });
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if bare.is_some() || !host.bytes().all(known) {
        return Err(AddressFault::Host);
    }
    Ok(Parsed::Host { host: host.to_owned(), family, ports })
}

fn port_part(text: &str) -> Result<Ports, AddressFault> {
    let number = |text: &str| text.parse::<u16>().map_err(|_| AddressFault::Port);
    if text.is_empty() {
        return Ok(Ports::None);
    }
    if text.starts_with(['+', '-']) {
        let offset: i32 = text.parse().map_err(|_| AddressFault::Port)?;
        return if offset.abs() > 65535 { Err(AddressFault::Port) } else { Ok(Ports::Offset(offset)) };
    }
    match text.split_once('-') {
        None => number(text).map(Ports::One),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            if first == 0 || first > last { Err(AddressFault::Port) } else { Ok(Ports::Range(first, last)) }
        }
    }
}

impl Ports {
    /// One port, or none.
    ///
    /// # Errors
    /// A range or an offset.
    pub fn one(self) -> Result<Option<u16>, AddressFault> {
        match self {
            Self::None => Ok(None),
            Self::One(port) => Ok(Some(port)),
            Self::Range(..) => Err(AddressFault::Range),
            Self::Offset(_) => Err(AddressFault::Offset),
        }
    }

    /// The ports to listen on, first and last.
    ///
    /// # Errors
    /// None, 0 or an offset.
    pub fn listen(self) -> Result<(u16, u16), AddressFault> {
        match self {
            Self::None => Err(AddressFault::PortMissing),
            Self::One(0) => Err(AddressFault::Port),
            Self::One(port) => Ok((port, port)),
            Self::Range(first, last) => Ok((first, last)),
            Self::Offset(_) => Err(AddressFault::Offset),
        }
    }

    /// A server's port, and the offset to the client's destination port that stands for it: none at all is offset 0.
    ///
    /// # Errors
    /// A range.
    pub fn server(self) -> Result<(u16, Option<i32>), AddressFault> {
        match self {
            Self::None | Self::One(0) => Ok((0, Some(0))),
            Self::One(port) => Ok((port, None)),
            Self::Range(..) => Err(AddressFault::Range),
            Self::Offset(offset) => Ok((0, Some(offset))),
        }
    }
}
