//! Headers of Ethernet, IP and TCP as bytes: what the kernel keeps of a client's first packet.
//!
//! Each type is made of bytes that begin with its header and are at least as long as that says; nothing is found in others.
//! Source: IEEE 802.3 and 802.1Q, RFC 791, RFC 8200, RFC 9293, RFC 7323; Linux tcp(7) TCP_SAVE_SYN.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Types of 802.1Q and 802.1ad tags.
const TAGS: [u16; 2] = [0x8100, 0x88a8];
/// Most tags that are looked at.
const MOST_TAGS: usize = 8;
/// Both addresses and the type.
const ETHERNET: usize = 14;
/// Protocols of IPv6 that are headers of its own: hop-by-hop, routing, destination options, mobility, HIP, shim6.
const EXTENSIONS: [u8; 6] = [0, 43, 60, 135, 139, 140];
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// An Ethernet frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ethernet<'b> {
    /// The header, tags included.
    pub header: &'b [u8],
    /// What follows.
    pub data: &'b [u8],
    /// The receiver.
    pub destination: [u8; 6],
    /// The sender.
    pub source: [u8; 6],
    /// The type of what follows.
    pub protocol: u16,
    /// The network's number of the innermost tag.
    pub vlan: Option<u16>,
}

impl<'b> Ethernet<'b> {
    /// Reads one.
    pub fn read(bytes: &'b [u8]) -> Option<Self> {
        let (destination, source) = (*bytes.first_chunk()?, *bytes.get(6..)?.first_chunk()?);
        let (mut length, mut vlan) = (ETHERNET, None);
        let mut protocol = short(bytes, length - 2)?;
        for _ in 0..MOST_TAGS {
            if !TAGS.contains(&protocol) {
                break;
            }
            vlan = Some(short(bytes, length)? & 0x0fff);
            length += 4;
            protocol = short(bytes, length - 2)?;
        }
        let (header, data) = bytes.split_at_checked(length)?;
        Some(Self { header, data, destination, source, protocol, vlan })
    }
}

/// An IP packet of either version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip<'b> {
    /// The header, with options or extensions.
    pub header: &'b [u8],
    /// What follows.
    pub data: &'b [u8],
    /// 4 or 6.
    pub version: u8,
    /// The type of service, or the traffic class.
    pub service: u8,
    /// How many routers it may still pass.
    pub hops: u8,
    /// Whether routers may not divide it: never with IPv6.
    pub whole: bool,
    /// The protocol of what follows.
    pub protocol: u8,
    /// How many bytes follow, as the header says: fewer may be here.
    pub length: usize,
    /// The sender.
    pub source: IpAddr,
    /// The receiver.
    pub destination: IpAddr,
}

impl<'b> Ip<'b> {
    /// Reads one.
    pub fn read(bytes: &'b [u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::version4(bytes),
            6 => Self::version6(bytes),
            _ => None,
        }
    }

    fn version4(bytes: &'b [u8]) -> Option<Self> {
        let head: &[u8; 20] = bytes.first_chunk()?;
        let length = usize::from(head[0] & 0x0f) * 4;
        let (header, data) = bytes.split_at_checked(length).filter(|_| length >= head.len())?;
        let address = |at| Some(Ipv4Addr::from(long(bytes, at)?).into());
        Some(Self {
            header,
            data,
            version: 4,
            service: head[1],
            hops: head[8],
            whole: head[6] & 0x40 != 0,
            protocol: head[9],
            length: usize::from(short(bytes, 2)?).saturating_sub(length),
            source: address(12)?,
            destination: address(16)?,
        })
    }

    fn version6(bytes: &'b [u8]) -> Option<Self> {
        let head: &[u8; 40] = bytes.first_chunk()?;
        let address = |at: usize| Some(Ipv6Addr::from(*bytes.get(at..)?.first_chunk::<16>()?).into());
        let (mut protocol, mut length) = (head[6], head.len());
        loop {
            let size = match protocol {
                FRAGMENT => 8,
                AUTHENTICATION => (usize::from(*bytes.get(length + 1)?) + 2) * 4,
                protocol if EXTENSIONS.contains(&protocol) => (usize::from(*bytes.get(length + 1)?) + 1) * 8,
                _ => break,
            };
            protocol = *bytes.get(length)?;
            length += size;
        }
        let (header, data) = bytes.split_at_checked(length)?;
        Some(Self {
            header,
            data,
            version: 6,
            service: head[0] << 4 | head[1] >> 4,
            hops: head[7],
            whole: true,
            protocol,
            length: (head.len() + usize::from(short(bytes, 4)?)).saturating_sub(length),
            source: address(8)?,
            destination: address(24)?,
        })
    }
}

/// A TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp<'b> {
    /// The sender's port.
    pub source: u16,
    /// The receiver's.
    pub destination: u16,
    /// The number of its first byte.
    pub sequence: u32,
    /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
    pub flags: u8,
    /// The window, not scaled.
    pub window: u16,
    options: &'b [u8],
}

impl<'b> Tcp<'b> {
    const MSS: u8 = 2;
    const SCALE: u8 = 3;
    const SACK: u8 = 4;
    const TIMESTAMPS: u8 = 8;

    /// Reads one.
    pub fn read(bytes: &'b [u8]) -> Option<Self> {
        let head: &[u8; 20] = bytes.first_chunk()?;
        let length = usize::from(head[12] >> 4) * 4;
        Some(Self {
            source: short(bytes, 0)?,
            destination: short(bytes, 2)?,
            sequence: long(bytes, 4)?,
            flags: head[13],
            window: short(bytes, 14)?,
            options: bytes.get(head.len()..length)?,
        })
    }

    /// How long the header is, with options.
    pub fn length(&self) -> usize {
        20 + self.options.len()
    }

    /// Kinds and values of its options, as far as they are whole, up to the end of the list.
    pub fn options(&self) -> impl Iterator<Item = (u8, &'b [u8])> + use<'b> {
        let mut rest = self.options;
        std::iter::from_fn(move || {
            let (kind, behind) = rest.split_first()?;
            let value: &[u8] = match kind {
                0 => return None,
                1 => {
                    rest = behind;
                    &[]
                }
                _ => {
                    let length = usize::from(*behind.first()?);
                    let value = rest.get(2..length)?;
                    rest = rest.get(length..)?;
                    value
                }
            };
            Some((*kind, value))
        })
    }

    fn option(&self, wanted: u8) -> Option<&'b [u8]> {
        self.options().find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
    }

    /// The largest segment that the sender takes.
    pub fn largest_segment(&self) -> Option<u16> {
        short(self.option(Self::MSS)?, 0)
    }

    /// By how many bits its windows are shifted.
    pub fn scale(&self) -> Option<u8> {
        self.option(Self::SCALE)?.first().copied()
    }

    /// Whether the sender takes selective acknowledgments.
    pub fn selective(&self) -> bool {
        self.option(Self::SACK).is_some()
    }

    /// The sender's clock.
    pub fn clock(&self) -> Option<u32> {
        long(self.option(Self::TIMESTAMPS)?, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_end_too_early_are_none() {
        let four = [&[0x45_u8; 1][..], &[0; 19]].concat();
        assert!(Ip::read(&four).is_some());
        for (bytes, why) in [
            (vec![], "nothing"),
            (four[..19].to_vec(), "a byte is missing"),
            ([&[0x46_u8; 1][..], &[0; 19]].concat(), "its options are missing"),
            ([&[0x44_u8; 1][..], &[0; 40]].concat(), "shorter than any"),
            (vec![0x60; 39], "a byte is missing"),
            (vec![0x30; 99], "version 3"),
        ] {
            assert_eq!(Ip::read(&bytes), None, "{why}");
        }
        // hop-by-hop options that say they are longer than all there is
        let mut six = [[0_u8; 40].as_slice(), &[6, 200, 0, 0, 0, 0, 0, 0]].concat();
        six[0] = 0x60;
        assert_eq!(Ip::read(&six), None);
        six[41] = 0;
        let read = Ip::read(&six).expect("a packet");
        assert_eq!((read.protocol, read.header.len(), read.data.len()), (6, 48, 0));
        let tagged = [[0_u8; 12].as_slice(), &[0x81, 0, 0x20, 5, 0x88, 0xa8, 0, 7, 8, 0, 9]].concat();
        let frame = Ethernet::read(&tagged).expect("a frame");
        assert_eq!((frame.vlan, frame.protocol, frame.header.len(), frame.data), (Some(7), 0x800, 22, &[9_u8][..]));
        assert_eq!(Ethernet::read(&tagged[..21]), None);
    }

    #[test]
    fn options_end_where_they_are_wrong() {
        let with = |options: &[u8]| {
            let mut bytes = [[0_u8; 20].as_slice(), options].concat();
            bytes.resize(20 + options.len().next_multiple_of(4), 0);
            bytes[12] = (bytes.len() as u8 / 4) << 4;
            bytes
        };
        for (options, kinds) in [
            (&[2_u8, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7][..], &[2_u8, 4, 8, 1, 3][..]),
            (&[1, 0, 4, 2], &[1]),        // the list ends
            (&[1, 2, 0, 0], &[1]),        // no room for its own length
            (&[4, 2, 8, 10, 0, 0], &[4]), // longer than the header
            (&[5], &[]),
            (&[], &[]),
        ] {
            let bytes = with(options);
            let tcp = Tcp::read(&bytes).expect("a header");
            assert_eq!(tcp.options().map(|(kind, _)| kind).collect::<Vec<_>>(), kinds, "{options:?}");
        }
        let bytes = with(&[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7]);
        let tcp = Tcp::read(&bytes).expect("a header");
        assert_eq!(
            (tcp.largest_segment(), tcp.scale(), tcp.selective(), tcp.clock()),
            (Some(1460), Some(7), true, Some(9))
        );
        assert!(Tcp::read(&bytes[..39]).is_none() && Tcp::read(&[0; 20]).is_none(), "shorter than it says");
    }

    #[test]
    fn any_bytes() {
        bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
            if let Some(tcp) = Tcp::read(bytes) {
                assert!(tcp.options().count() <= 40);
                let _ = (tcp.largest_segment(), tcp.scale(), tcp.clock());
            }
            if let Some(ip) = Ip::read(bytes) {
                assert_eq!(ip.header.len() + ip.data.len(), bytes.len());
            }
            if let Some(frame) = Ethernet::read(bytes) {
                assert_eq!(frame.header.len() + frame.data.len(), bytes.len());
            }
        });
    }
}
