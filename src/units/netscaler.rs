//! NetScaler's Client IP insertion: the IP and TCP headers of the client's own connection, before its bytes. Read as bytes.
//!
//! Knows no socket: whoever reads it peeks once and gives all that was there, as with the PROXY header. Two forms exist: eight
//! bytes before the headers (magic number, length), or twelve (magic number, length of all, type, length of the headers); the
//! first byte of an IP header is never 0, so the ninth byte tells them apart. Source: haproxy's
//! netscaler-client-ip-insertion-protocol.txt; which fields count and what is refused was observed on 2.6.12
//! (docs/OBSERVED.md; tests/netscaler.rs).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

use super::proxy_header::Ends;

/// Fewer bytes are no header, of whatever form.
const SHORTEST: usize = 12;
/// Bytes before the IP header in the older form.
const OLD: usize = 8;
/// The number of TCP among protocols.
const TCP: u8 = 6;
/// Fewer bytes hold no IPv4 header with ports behind it, to haproxy: all are counted.
const SHORTEST_V4: usize = 40;
/// Fewer bytes hold no IPv6 header with ports behind it.
const SHORTEST_V6: usize = 60;

/// A header that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insert {
    /// Its bytes by its own words; what follows is the client's. It may say more than have come.
    pub length: usize,
    /// The ends that it names.
    pub ends: Ends,
}

/// Why bytes are not a header that is accepted. The texts are haproxy's, to be found in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NetscalerError {
    /// It has not come whole.
    #[error("Truncated NetScaler Client IP header received")]
    Truncated,
    /// It begins with another number.
    #[error("Received an invalid NetScaler Client IP magic number")]
    Magic,
    /// It is about another protocol than TCP over IPv4 or IPv6.
    #[error("Received an unhandled protocol in the NetScaler Client IP header")]
    Unhandled,
}

/// Reads the header at the beginning of `bytes`: all that has come, or as much as one buffer holds.
///
/// # Errors
/// [`NetscalerError`]: it is not there, not whole, or not one that haproxy takes.
pub fn decode(bytes: &[u8], magic: u32) -> Result<Insert, NetscalerError> {
    let head = bytes.first_chunk::<SHORTEST>().ok_or(NetscalerError::Truncated)?;
    let [a, b, c, d, e, f, g, h, form, _, high, low] = *head;
    if u32::from_be_bytes([a, b, c, d]) != magic {
        return Err(NetscalerError::Magic);
    }
    let (begin, length) = match form {
        0 => (SHORTEST, usize::from(u16::from_be_bytes([high, low]))),
        _ => (OLD, usize::try_from(u32::from_be_bytes([e, f, g, h])).unwrap_or(usize::MAX)),
    };
    if bytes.len() < length {
        return Err(NetscalerError::Truncated);
    }
    let ends = ends(bytes.get(begin..).unwrap_or_default(), bytes.len())?;
    Ok(Insert { length: begin.saturating_add(length), ends })
}

/// The ends that the IP header at the beginning of `packet` names, with the ports behind it. `all`: how many bytes have come.
fn ends(packet: &[u8], all: usize) -> Result<Ends, NetscalerError> {
    let first = *packet.first().ok_or(NetscalerError::Truncated)?;
    let (shortest, protocol) = match first >> 4 {
        4 => (SHORTEST_V4, 9),
        6 => (SHORTEST_V6, 6),
        _ => return Err(NetscalerError::Unhandled),
    };
    let protocol = packet.get(protocol).filter(|_| all >= shortest).ok_or(NetscalerError::Truncated)?;
    if *protocol != TCP {
        return Err(NetscalerError::Unhandled);
    }
    let found = if first >> 4 == 4 { v4(packet, usize::from(first & 0x0f) * 4) } else { v6(packet) };
    found.ok_or(NetscalerError::Truncated)
}

fn v4(packet: &[u8], length: usize) -> Option<Ends> {
    let (source, rest) = packet.get(12..)?.split_first_chunk::<4>()?;
    let destination = rest.first_chunk::<4>()?;
    pair(Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into(), packet.get(length..)?)
}

fn v6(packet: &[u8]) -> Option<Ends> {
    let (source, rest) = packet.get(8..)?.split_first_chunk::<16>()?;
    let (destination, tcp) = rest.split_first_chunk::<16>()?;
    pair(Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), tcp)
}

fn pair(source: IpAddr, destination: IpAddr, tcp: &[u8]) -> Option<Ends> {
    let [a, b, c, d] = *tcp.first_chunk::<4>()?;
    let (from, to) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Some(Ends { source: SocketAddr::new(source, from), destination: SocketAddr::new(destination, to) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: u32 = 0x1234;

    /// An IPv4 and a TCP header: 192.0.2.1:1111 to 192.0.2.2:2222.
    fn packet() -> Vec<u8> {
        let ip = b"\x45\0\0\x28\0\0\0\0\x40\x06\0\0\xc0\0\x02\x01\xc0\0\x02\x02";
        [&ip[..], b"\x04\x57\x08\xae\0\0\0\0\0\0\0\0\x50\x02\0\x64\0\0\0\0"].concat()
    }

    fn new_form(length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        [&[0, 0, 0x12, 0x34, 0, 0, 0, 52, 0, 1, high, low][..], &packet()].concat()
    }

    #[test]
    fn both_forms_are_read() {
        let ends = Ends {
            source: "192.0.2.1:1111".parse().expect("an address"),
            destination: "192.0.2.2:2222".parse().expect("an address"),
        };
        assert_eq!(decode(&new_form(40), MAGIC), Ok(Insert { length: 52, ends }));
        let old = [&[0, 0, 0x12, 0x34, 0, 0, 0, 40][..], &packet()].concat();
        assert_eq!(decode(&old, MAGIC), Ok(Insert { length: 48, ends }));
        assert_eq!(decode(&old, 1), Err(NetscalerError::Magic));
        // what its own words say counts, as far as so many bytes have come in all
        assert_eq!(decode(&new_form(0), MAGIC), Ok(Insert { length: 12, ends }));
        assert_eq!(decode(&new_form(52), MAGIC), Ok(Insert { length: 64, ends }));
        assert_eq!(decode(&new_form(53), MAGIC), Err(NetscalerError::Truncated));
    }

    /// Each beginning, each byte changed to each value, each length: an answer, and never more than the bytes say.
    #[test]
    fn hostile_bytes_get_an_answer() {
        let whole = new_form(40);
        for end in 0..whole.len() {
            let want = if end < 40 { Err(NetscalerError::Truncated) } else { decode(&whole, MAGIC) };
            assert_eq!(decode(&whole[..end], MAGIC), want, "{end} bytes");
        }
        for at in 0..whole.len() {
            for value in 0..=u8::MAX {
                let mut odd = whole.clone();
                odd[at] = value;
                for end in [12, 13, 20, 32, 40, 44, odd.len()] {
                    if let Ok(insert) = decode(&odd[..end], MAGIC) {
                        assert!(insert.length >= OLD, "{at} {value} {end}");
                    }
                }
            }
        }
    }
}
