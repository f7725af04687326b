//! Reads a header.
//!
//! Version 1 is read as leniently as haproxy reads it: an octet counts by its last three digits and may carry, missing
//! octets are zero, ports are cut to 16 bits. A header that haproxy takes is not refused here, and the other way round.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    Ends, FIXED, Header, HeaderError, SIGNATURE, TCP4, TCP6, TLV_AUTHORITY, TLV_CRC32C, TLV_UNIQUE_ID, crc32c,
};

/// Bytes after which a version 1 header must have said which protocol it is about.
const V1_SHORTEST: usize = 9;
/// Most bytes of a host name.
const LONGEST_AUTHORITY: usize = 255;
/// Most bytes of a connection's name.
const LONGEST_UNIQUE_ID: usize = 128;

/// Reads the header at the beginning of `bytes`: all that has come, or as much as one buffer holds.
///
/// # Errors
/// [`HeaderError`]: it is not there, not whole, or not one that haproxy takes.
pub fn decode(bytes: &[u8]) -> Result<Header, HeaderError> {
    match bytes.strip_prefix(b"PROXY ") {
        Some(_) if bytes.len() < V1_SHORTEST => Err(HeaderError::Truncated),
        Some(line) => v1(line, bytes.len()),
        None => v2(bytes),
    }
}

fn v1(line: &[u8], all: usize) -> Result<Header, HeaderError> {
    if let Some(words) = line.strip_prefix(b"TCP4 ") {
        let mut words = Words(words);
        let (source, destination) = (words.ipv4()?, words.ipv4()?);
        let source = SocketAddr::new(source, words.port(b' ')?);
        let destination = SocketAddr::new(destination, words.port(b'\r')?);
        words.expect(b'\n')?;
        return Ok(plain(all - words.0.len(), Some(Ends { source, destination })));
    }
    if let Some(words) = line.strip_prefix(b"TCP6 ") {
        let end = memchr::memchr2(b'\r', b'\n', words).ok_or(HeaderError::Truncated)?;
        match words.get(end..end + 2) {
            Some(b"\r\n") => {}
            None if words.get(end) == Some(&b'\r') => return Err(HeaderError::Truncated),
            _ => return Err(HeaderError::INVALID),
        }
        let ends = v6_words(&words[..end]).ok_or(HeaderError::INVALID)?;
        return Ok(plain(all - (words.len() - end - 2), Some(ends)));
    }
    match line.strip_prefix(b"UNKNOWN\r\n") {
        Some(rest) => Ok(plain(all - rest.len(), None)),
        None => Err(HeaderError::Unhandled),
    }
}

fn plain(length: usize, ends: Option<Ends>) -> Header {
    Header { length, ends, authority: None, unique_id: None, tlvs: 0..0 }
}

/// Four words, each ended by a blank, the line's end or a NUL; more are ignored.
fn v6_words(line: &[u8]) -> Option<Ends> {
    let mut words = line.split(|byte| *byte == b' ').map(|word| word.split(|byte| *byte == 0).next().unwrap_or(word));
    let mut address = || -> Option<IpAddr> {
        let text = std::str::from_utf8(words.next()?).ok()?;
        Some(IpAddr::V6(text.parse::<Ipv6Addr>().ok()?))
    };
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        word.iter().all(u8::is_ascii_digit).then(|| number(word))
    };
    Some(Ends { source: SocketAddr::new(source, port()?), destination: SocketAddr::new(destination, port()?) })
}

/// The last 16 bits of a number.
fn number(digits: &[u8]) -> u16 {
    digits.iter().fold(0_u16, |sum, digit| sum.wrapping_mul(10).wrapping_add(u16::from(digit - b'0')))
}

/// A line that is read from its beginning, byte by byte.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn expect(&mut self, wanted: u8) -> Result<(), HeaderError> {
        let (byte, rest) = self.0.split_first().ok_or(HeaderError::Truncated)?;
        self.0 = rest;
        if *byte == wanted { Ok(()) } else { Err(HeaderError::INVALID) }
    }

    fn digits(&mut self) -> &'a [u8] {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        digits
    }

    fn port(&mut self, end: u8) -> Result<u16, HeaderError> {
        let port = number(self.digits());
        self.expect(end)?;
        Ok(port)
    }

    /// Up to four octets and the blank behind them.
    fn ipv4(&mut self) -> Result<IpAddr, HeaderError> {
        let mut address = 0_u32;
        for shift in [24, 16, 8, 0] {
            let digits = self.digits();
            let last = &digits[digits.len().saturating_sub(3)..];
            address = address.wrapping_add(u32::from(number(last)) << shift);
            if self.0.first() != Some(&b'.') || shift == 0 {
                break;
            }
            self.0 = &self.0[1..];
        }
        self.expect(b' ')?;
        Ok(IpAddr::V4(Ipv4Addr::from(address)))
    }
}

fn v2(bytes: &[u8]) -> Result<Header, HeaderError> {
    let (fixed, rest) = bytes.split_at_checked(FIXED).ok_or(HeaderError::Truncated)?;
    if fixed[..12] != SIGNATURE || fixed[12] >> 4 != 2 {
        return Err(HeaderError::Foreign);
    }
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let body = rest.get(..length).ok_or(HeaderError::Truncated)?;
    let mut header = plain(FIXED + length, None);
    match fixed[12] & 0x0f {
        // LOCAL: the sender's own connection, whatever else the header says.
        0 => return Ok(header),
        1 => {}
        _ => return Err(HeaderError::INVALID),
    }
    let (ends, tlvs) = addresses(fixed[13], body).ok_or(HeaderError::INVALID)?;
    header.ends = Some(ends);
    header.tlvs = header.length - tlvs.len()..header.length;
    let whole = &bytes[..header.length];
    let good = read_tlvs(whole, header.length - tlvs.len(), &mut header);
    if good { Ok(header) } else { Err(HeaderError::Invalid { ends: Some(ends) }) }
}

/// The addresses, and what follows them; haproxy 2.6 takes TCP only, no UNSPEC and no unix sockets.
fn addresses(family: u8, body: &[u8]) -> Option<(Ends, &[u8])> {
    let port = |at: &[u8]| u16::from_be_bytes([at[0], at[1]]);
    match family {
        TCP4 => {
            let (at, rest) = body.split_first_chunk::<12>()?;
            let [a, b, c, d, e, f, g, h, ..] = *at;
            let source = SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port(&at[8..]));
            let destination = SocketAddr::new(Ipv4Addr::new(e, f, g, h).into(), port(&at[10..]));
            Some((Ends { source, destination }, rest))
        }
        TCP6 => {
            let (source, rest) = body.split_first_chunk::<16>()?;
            let (destination, rest) = rest.split_first_chunk::<16>()?;
            let (ports, rest) = rest.split_first_chunk::<4>()?;
            let source = SocketAddr::new(Ipv6Addr::from(*source).into(), port(ports));
            let destination = SocketAddr::new(Ipv6Addr::from(*destination).into(), port(&ports[2..]));
            Some((Ends { source, destination }, rest))
        }
        _ => None,
    }
}

/// Reads what stands from `at` to the header's end; `false` if it breaks a rule.
fn read_tlvs(whole: &[u8], mut at: usize, header: &mut Header) -> bool {
    while at < whole.len() {
        let Some(&[kind, high, low]) = whole[at..].first_chunk::<3>() else { return false };
        let (start, end) = (at + 3, at + 3 + usize::from(u16::from_be_bytes([high, low])));
        let Some(value) = whole.get(start..end) else { return false };
        match kind {
            TLV_CRC32C => {
                let Ok(told) = <[u8; 4]>::try_from(value) else { return false };
                if crc32c::of(&[&whole[..start], &[0; 4], &whole[end..]]) != u32::from_be_bytes(told) {
                    return false;
                }
            }
            TLV_AUTHORITY if value.len() > LONGEST_AUTHORITY => return false,
            TLV_AUTHORITY => header.authority = Some(value.into()),
            TLV_UNIQUE_ID if value.len() > LONGEST_UNIQUE_ID => return false,
            TLV_UNIQUE_ID => header.unique_id = Some(value.into()),
            _ => {}
        }
        at = end;
    }
    true
}
