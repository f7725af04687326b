//! Writes a header.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::{Ends, FIXED, SIGNATURE, TCP4, TCP6, TLV_AUTHORITY, TLV_CRC32C, TLV_SSL, TLV_UNIQUE_ID, crc32c};
use crate::units::PlainIp;

/// What a version 2 header is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The sender's own connection: a health check.
    Local,
    /// A connection on behalf of a client.
    Proxy,
}

/// What a version 2 header says besides the addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extras<'a> {
    /// A checksum of the header.
    pub crc32c: bool,
    /// The host name that the client asked for.
    pub authority: Option<&'a [u8]>,
    /// The name of the connection.
    pub unique_id: Option<&'a [u8]>,
    /// That the client came without TLS.
    pub no_tls: bool,
}

/// A header of version 1. `ends`: `None` where they are no TCP addresses.
pub fn v1(ends: Option<Ends>) -> Vec<u8> {
    let mut line = Vec::with_capacity(64);
    let Some(Ends { source, destination }) = ends.map(one_family) else { return b"PROXY UNKNOWN\r\n".to_vec() };
    let kind = if source.is_ipv4() { 4 } else { 6 };
    let (from, to) = (PlainIp(source.ip()), PlainIp(destination.ip()));
    let _ = write!(line, "PROXY TCP{kind} {from} {to} {} {}\r\n", source.port(), destination.port());
    line
}

/// A header of version 2. Without `ends`, and for [`Command::Local`], it names no address and says LOCAL.
pub fn v2(command: Command, ends: Option<Ends>, extras: Extras<'_>) -> Vec<u8> {
    let mut header = Vec::with_capacity(64);
    header.extend_from_slice(&SIGNATURE);
    match ends.filter(|_| command == Command::Proxy).map(one_family) {
        None => header.extend_from_slice(&[0x20, 0, 0, 0]),
        Some(Ends { source, destination }) => {
            header.extend_from_slice(&[0x21, if source.is_ipv4() { TCP4 } else { TCP6 }, 0, 0]);
            for address in [source, destination] {
                match address.ip() {
                    IpAddr::V4(ip) => header.extend_from_slice(&ip.octets()),
                    IpAddr::V6(ip) => header.extend_from_slice(&ip.octets()),
                }
            }
            header.extend_from_slice(&source.port().to_be_bytes());
            header.extend_from_slice(&destination.port().to_be_bytes());
        }
    }
    let sum_at = header.len() + 3;
    if extras.crc32c {
        tlv(&mut header, TLV_CRC32C, &[0; 4]);
    }
    if let Some(name) = extras.authority {
        tlv(&mut header, TLV_AUTHORITY, name);
    }
    if let Some(id) = extras.unique_id {
        tlv(&mut header, TLV_UNIQUE_ID, id);
    }
    if extras.no_tls {
        tlv(&mut header, TLV_SSL, &[0; 5]);
    }
    // Names are far shorter than what would not fit.
    let length = u16::try_from(header.len() - FIXED).unwrap_or(u16::MAX);
    header[14..FIXED].copy_from_slice(&length.to_be_bytes());
    if extras.crc32c {
        let sum = crc32c::of(&[&header]);
        header[sum_at..sum_at + 4].copy_from_slice(&sum.to_be_bytes());
    }
    header
}

fn tlv(header: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let value = &value[..value.len().min(1 << 14)];
    let [high, low] = (value.len() as u16).to_be_bytes();
    header.extend_from_slice(&[kind, high, low]);
    header.extend_from_slice(value);
}

/// A header has one family: where the two differ, the IPv4 address is written as an IPv6 one.
fn one_family(ends: Ends) -> Ends {
    let mapped = |address: SocketAddr| match address {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        SocketAddr::V6(_) => address,
    };
    if ends.source.is_ipv4() == ends.destination.is_ipv4() {
        return ends;
    }
    Ends { source: mapped(ends.source), destination: mapped(ends.destination) }
}
