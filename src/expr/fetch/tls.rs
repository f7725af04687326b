//! What the first bytes of a TLS stream say: the names, versions and lists of a hello, which nothing hides.
//!
//! Knows records and handshake messages only as far as 2.6 looks at them; when a value can still come was asked of it byte by byte
//! (`fixtures/expr/buffers.txt`, docs/OBSERVED.md §7.3.5). A hello in more than one record is not put together, as there. What
//! lies outside of its extension is never read, unlike there. Source: manual §7.3.5; RFC 8446 §4.1.2, §4.2, §5.1; RFC 6066 §3;
//! RFC 7301 §3.1; RFC 5246 appendix E.2 (hellos in the form of SSLv2).

use std::borrow::Cow;

use super::Found;
use crate::expr::Value;

/// What is asked of a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hello {
    /// The type of the first message.
    Type,
    /// The version that the client names, 65536 times the major one and the minor one.
    Version,
    /// The name of the server.
    Name,
    /// The first protocol of ALPN.
    Protocol,
    /// Whether there are groups at all.
    Curves,
    /// Whether a session ticket is asked for (1), or presented (2).
    Ticket,
    /// The cipher suites.
    Ciphers,
    /// The signature algorithms.
    Signatures,
    /// The groups for the key exchange.
    Groups,
    /// The groups that a key is sent for.
    KeyShares,
}

/// The header of a record, and of the message in it.
const RECORD: usize = 5;
const MESSAGE: usize = 4;
/// The most that 2.6 takes for a record.
const LONGEST_RECORD: usize = 16_384 + 2_048;
/// The least that it takes for a record with a ClientHello.
const SHORTEST_HELLO: usize = 49;

/// What the bytes say so far.
pub(super) fn look(bytes: &[u8], what: Hello) -> Found<'_> {
    match what {
        Hello::Type => message_type(bytes),
        Hello::Version => version(bytes),
        what => client_hello(bytes, what).unwrap_or_else(|lack| match lack {
            Lack::More => Found::More,
            Lack::Wrong => Found::No,
        }),
    }
}

/// Whether the first byte can be the type of a record.
fn is_record(kind: u8) -> bool {
    matches!(kind, 0x14..=0x17 | 0xff)
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The type of the first message, once it is there as a whole.
fn message_type(bytes: &[u8]) -> Found<'_> {
    match bytes {
        [kind, ..] if !is_record(*kind) => Found::No,
        [_, major, _, high, low, message, size @ ..] if size.len() >= 3 => {
            let (size, rest) = size.split_at(3);
            if *major < 3 || number(&[*high, *low]) < MESSAGE {
                Found::No
            } else if rest.len() < number(size) {
                Found::More
            } else {
                Found::Value(Value::Int(i64::from(*message)))
            }
        }
        _ => Found::More,
    }
}

/// The version of the first message, once its record is there as a whole.
fn version(bytes: &[u8]) -> Found<'_> {
    match bytes {
        [kind, ..] if !is_record(*kind) => old_version(bytes),
        [_, major, _, high, low, _, _, _, _, first, second, ..] => {
            let length = number(&[*high, *low]);
            if *major < 3 || !(6..=LONGEST_RECORD).contains(&length) {
                Found::No
            } else if bytes.len() < RECORD + length {
                Found::More
            } else {
                Found::Value(Value::Int(i64::from(*first) << 16 | i64::from(*second)))
            }
        }
        _ => Found::More,
    }
}

/// The version in a hello of SSLv2: its header has two bytes, or three with padding behind the message.
fn old_version(bytes: &[u8]) -> Found<'_> {
    let header = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 2 } else { 3 };
    match bytes.get(header) {
        None => return Found::More,
        Some(1) => {}
        Some(_) => return Found::No,
    }
    let (head, Some([_, major, minor, c1, c2, s1, s2, r1, r2, ..])) =
        (&bytes[..header], bytes.get(header..).filter(|rest| rest.len() >= 9))
    else {
        return Found::More;
    };
    let (length, padding) = match head {
        [first, second] => (number(&[first & 0x7f, *second]), 0),
        [first, second, padding] => (number(&[first & 0x3f, *second]), usize::from(*padding)),
        _ => return Found::No,
    };
    let (ciphers, session, challenge) = (number(&[*c1, *c2]), number(&[*s1, *s2]), number(&[*r1, *r2]));
    let good = ciphers.is_multiple_of(3) && matches!(session, 0 | 16) && (16..=32).contains(&challenge);
    if !good || length != 9 + ciphers + session + challenge {
        return Found::No;
    }
    if bytes.len() < header + length + padding {
        return Found::More;
    }
    Found::Value(Value::Int(i64::from(*major) << 16 | i64::from(*minor)))
}

/// Why something is not found.
enum Lack {
    /// It may still come.
    More,
    /// It will not.
    Wrong,
}

/// Bytes of a known size, of which the last ones may be still to come.
#[derive(Clone, Copy)]
struct Part<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl<'a> Part<'a> {
    /// Takes off its first bytes.
    fn take(&mut self, size: usize) -> Result<Part<'a>, Lack> {
        self.size = self.size.checked_sub(size).ok_or(Lack::Wrong)?;
        let (bytes, rest) = self.bytes.split_at(size.min(self.bytes.len()));
        self.bytes = rest;
        Ok(Part { bytes, size })
    }

    /// Takes off a number of that many bytes.
    fn number(&mut self, size: usize) -> Result<usize, Lack> {
        Ok(number(self.take(size)?.whole()?))
    }

    /// Its bytes, if they are all there.
    fn whole(self) -> Result<&'a [u8], Lack> {
        if self.bytes.len() == self.size { Ok(self.bytes) } else { Err(Lack::More) }
    }
}

/// What a ClientHello says of one thing.
fn client_hello(bytes: &[u8], what: Hello) -> Result<Found<'_>, Lack> {
    let mut left = Part { bytes, size: usize::MAX };
    let wrong = |wrong: bool| if wrong { Err(Lack::Wrong) } else { Ok(()) };
    wrong(left.number(1)? != 0x16)?;
    wrong(left.number(2)? >> 8 < 3)?;
    wrong(left.number(2)? < SHORTEST_HELLO)?;
    wrong(left.number(1)? != 1)?;
    let size = left.number(3)?;
    wrong(size < SHORTEST_HELLO - MESSAGE)?;
    // 2.6 looks when all but four of its bytes are there.
    if left.bytes.len() + MESSAGE < size {
        return Err(Lack::More);
    }
    let mut left = left.take(size)?;
    let version = left.number(2)?;
    wrong(version >> 8 < 3 || version & 0xff == 0)?;
    left.take(32)?;
    let session = left.number(1)?;
    wrong(session > 32)?;
    left.take(session)?;
    let ciphers = left.number(2)?;
    wrong(ciphers < 2)?;
    let ciphers = left.take(ciphers)?;
    if what == Hello::Ciphers {
        return Ok(Found::Value(Value::Bin(Cow::Borrowed(ciphers.whole()?))));
    }
    let compressions = left.number(1)?;
    wrong(compressions == 0)?;
    left.take(compressions)?;
    let extensions = left.number(2)?;
    let mut left = left.take(extensions)?;
    let wanted = extension(what);
    while left.size >= 4 {
        let kind = left.number(2)?;
        let size = left.number(2)?;
        let data = left.take(size)?;
        if kind == wanted {
            return read(data, what).map(Found::Value);
        }
    }
    Ok(if what == Hello::Ticket { Found::Value(Value::Int(0)) } else { Found::No })
}

/// The number of the extension that says it.
fn extension(what: Hello) -> usize {
    match what {
        Hello::Name => 0,
        Hello::Curves | Hello::Groups => 10,
        Hello::Signatures => 13,
        Hello::Protocol => 16,
        Hello::Ticket => 35,
        Hello::KeyShares => 51,
        // No extension has it.
        Hello::Type | Hello::Version | Hello::Ciphers => usize::MAX,
    }
}

/// What an extension says.
fn read(mut data: Part<'_>, what: Hello) -> Result<Value<'_>, Lack> {
    let full = |bytes: &[u8]| if bytes.is_empty() { Err(Lack::Wrong) } else { Ok(()) };
    match what {
        Hello::Curves => Ok(Value::Bool(true)),
        Hello::Ticket => Ok(Value::Int(if data.size == 0 { 1 } else { 2 })),
        Hello::Name => {
            let list = data.number(2)?;
            // The first name must be that of a host.
            if !(4..=data.size).contains(&list) || data.number(1)? != 0 {
                return Err(Lack::Wrong);
            }
            let size = data.number(2)?;
            let name = data.take(size)?.whole()?;
            full(name)?;
            Ok(Value::text(name))
        }
        Hello::Protocol => {
            data.take(2)?;
            let size = data.number(1)?;
            Ok(Value::text(data.take(size)?.whole()?))
        }
        Hello::KeyShares => {
            let size = data.number(2)?;
            let mut shares = data.take(size)?;
            let mut groups = Vec::new();
            while shares.size >= 4 {
                groups.extend_from_slice(shares.take(2)?.whole()?);
                let key = shares.number(2)?;
                shares.take(key)?.whole()?;
            }
            full(&groups)?;
            Ok(Value::bytes(groups))
        }
        _ => {
            let size = data.number(2)?;
            let list = data.take(size)?.whole()?;
            full(list)?;
            Ok(Value::Bin(Cow::Borrowed(list)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Hello; 10] = [
        Hello::Type,
        Hello::Version,
        Hello::Name,
        Hello::Protocol,
        Hello::Curves,
        Hello::Ticket,
        Hello::Ciphers,
        Hello::Signatures,
        Hello::Groups,
        Hello::KeyShares,
    ];

    /// A hello with every extension that is read, then changed at will: no panic, and what is found lies in the hello.
    #[test]
    fn no_bytes_are_too_strange() {
        let whole = hello();
        bolero::check!().with_type::<(Vec<(u8, u8)>, u8, Vec<u8>)>().for_each(|(bends, keep, tail)| {
            let mut bytes = whole.clone();
            for (at, byte) in bends {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *byte;
            }
            bytes.truncate(usize::from(*keep));
            bytes.extend_from_slice(tail);
            for what in ALL {
                if let Found::Value(Value::Str(Cow::Borrowed(text)) | Value::Bin(Cow::Borrowed(text))) =
                    look(&bytes, what)
                {
                    assert!(bytes.as_ptr_range().contains(&text.as_ptr()), "{what:?}");
                }
            }
        });
    }

    #[test]
    fn a_value_never_changes_as_bytes_come() {
        let whole = hello();
        for what in ALL {
            let last = look(&whole, what);
            assert!(matches!(last, Found::Value(_)), "{what:?}");
            for length in 0..whole.len() {
                let now = look(&whole[..length], what);
                assert!(now == last || now == Found::More, "{what:?} of {length} bytes: {now:?}");
            }
        }
        assert_eq!(look(&whole, Hello::KeyShares), Found::Value(Value::bytes(vec![0x4a, 0x4a, 0, 0x1d])));
        assert_eq!(look(&whole, Hello::Groups), Found::Value(Value::bytes(vec![0x4a, 0x4a, 0, 0x1d, 0, 0x17])));
        assert_eq!(look(&whole, Hello::Signatures), Found::Value(Value::bytes(vec![4, 3, 8, 4])));
        assert_eq!(look(&whole, Hello::Ciphers), Found::Value(Value::bytes(vec![0x13, 1, 0xc0, 0x2f])));
    }

    fn hello() -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([1, 9, 0, 4, 0x13, 1, 0xc0, 0x2f, 1, 0]);
        let extensions: &[(u8, &[u8])] = &[
            (10, &[0, 6, 0x4a, 0x4a, 0, 0x1d, 0, 0x17]),
            (13, &[0, 4, 4, 3, 8, 4]),
            (16, b"\0\x03\x02h2"),
            (35, b""),
            (51, &[0, 10, 0x4a, 0x4a, 0, 1, 0, 0, 0x1d, 0, 1, 5]),
            (0, b"\0\x06\0\0\x03a.b"),
        ];
        let mut list = Vec::new();
        for (kind, data) in extensions {
            list.extend([0, *kind, 0, data.len() as u8]);
            list.extend_from_slice(data);
        }
        body.extend((list.len() as u16).to_be_bytes());
        body.extend(list);
        let mut bytes = vec![0x16, 3, 1];
        bytes.extend((body.len() as u16 + 4).to_be_bytes());
        bytes.extend([1, 0, 0, body.len() as u8]);
        bytes.extend(body);
        bytes
    }
}
