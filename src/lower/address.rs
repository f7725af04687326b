//! Addresses of a line: parsed by [`crate::units::address`], names looked up, kinds judged.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::args::{Args, Given};
use super::error::{LowerError, Lowered};
use crate::text::Diagnostic;
use crate::units::AddressError;
use crate::units::address::{Family, Host, ParsedAddress, Transport};

/// Parses one address; what haproxy ignores behind a port gets a warning of ours.
///
/// # Errors
/// [`LowerError::Address`].
pub(super) fn parse(word: &Given<'_>, args: &mut Args<'_>) -> Lowered<ParsedAddress> {
    let parsed = ParsedAddress::parse(word.bytes).map_err(|why| fault(word, why))?;
    if let Some(surplus) = &parsed.surplus {
        let message = format!("'{surplus}' behind the port is ignored, as haproxy ignores it");
        args.say(Diagnostic::our_warning(word.span, message));
    }
    Ok(parsed)
}

/// A name that could be a host's: haproxy refuses others while it reads.
///
/// # Errors
/// [`LowerError::Host`].
pub(super) fn check_name(word: &Given<'_>, name: &str, args: &Args<'_>) -> Lowered {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let good = name.bytes().all(known);
    // a short IPv4 such as 127.1 is for libc to read; what it cannot read is no name either
    let digits = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !good || digits && args.world.resolve(name).map_or(true, |found| found.is_empty()) {
        return Err(word.blame(LowerError::Host { host: name.to_owned() }));
    }
    Ok(())
}

/// The error of an address that is none.
pub(super) fn fault(word: &Given<'_>, why: AddressError) -> super::error::Blame {
    word.blame(LowerError::Address { text: word.text(), why })
}

/// The error of a kind of address that makes no sense on this line.
pub(super) fn wrong_kind(word: &Given<'_>) -> super::error::Blame {
    word.blame(LowerError::AddressKind { text: word.text() })
}

/// The error of a kind of address that this version does not build.
pub(super) fn not_yet(word: &Given<'_>) -> super::error::Blame {
    word.blame(LowerError::NotYet { what: format!("the address '{}'", word.text()) })
}

/// An address that TCP or a unix stream can reach.
///
/// # Errors
/// Datagrams are wrong; QUIC and multipath TCP are not built.
pub(super) fn want_stream(word: &Given<'_>, parsed: &ParsedAddress) -> Lowered {
    parsed.want_stream().map_err(|why| fault(word, why))?;
    match parsed.transport {
        Transport::Quic | Transport::Mptcp => Err(not_yet(word)),
        Transport::Any | Transport::Stream | Transport::Datagram => Ok(()),
    }
}

/// The IP address of a host; a wildcard is the unspecified address of the family.
///
/// # Errors
/// [`LowerError::Host`]: the name does not resolve to an address of the family.
pub(super) fn ip(word: &Given<'_>, host: &Host, family: Family, args: &mut Args<'_>) -> Lowered<IpAddr> {
    match host {
        Host::Wildcard => Ok(any(family)),
        Host::Ip(ip) => Ok(*ip),
        Host::Name(name) => {
            let found = args.world.resolve(name).unwrap_or_default();
            first(&found, family).ok_or_else(|| word.blame(LowerError::Host { host: name.clone() }))
        }
    }
}

/// What `*` and nothing stand for.
pub(super) fn any(family: Family) -> IpAddr {
    match family {
        Family::Any | Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// The first address of the family asked for.
pub(super) fn first(found: &[IpAddr], family: Family) -> Option<IpAddr> {
    found.iter().copied().find(|ip| match family {
        Family::Any => true,
        Family::V4 => ip.is_ipv4(),
        Family::V6 => ip.is_ipv6(),
    })
}

/// A path from its bytes.
pub(super) fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}
