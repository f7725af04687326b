//! The first packets of MQTT: CONNECT and CONNACK of 3.1, 3.1.1 and 5.0, read as bytes.
//!
//! Nothing is copied: a field is a place in the bytes or a number. A packet is read as far as its own length, whatever
//! follows, and is one only if every part of it is. Source: OASIS MQTT 3.1.1 and 5.0; what is accepted besides (names in
//! small letters, a password without a user) was asked of haproxy 2.6 (`fixtures/expr/mqtt.txt`).

mod connack;
mod connect;
mod field;
mod properties;
#[cfg(test)]
mod tests;

pub use field::{Field, PacketType};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A number.
    Number(u32),
    /// The bytes between two places.
    Bytes(usize, usize),
}

/// What the bytes are so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// A packet.
    Valid,
    /// The beginning of one, as far as it goes.
    Incomplete,
    /// Something else.
    Invalid,
}

/// Why no packet can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Incomplete,
    Invalid,
}

type Read<T = ()> = Result<T, Fault>;

/// Whether the bytes begin with a CONNECT or a CONNACK.
pub fn packet(bytes: &[u8]) -> Packet {
    match read(bytes, None) {
        Ok(_) => Packet::Valid,
        Err(Fault::Incomplete) => Packet::Incomplete,
        Err(Fault::Invalid) => Packet::Invalid,
    }
}

/// A field of a packet that is valid and of that type; `None` for one that it has not.
pub fn field(bytes: &[u8], kind: PacketType, wanted: Field) -> Option<Found> {
    read(bytes, Some((kind, wanted))).ok().flatten()
}

fn read(bytes: &[u8], wanted: Option<(PacketType, Field)>) -> Read<Option<Found>> {
    const LEAST: usize = 2;
    let (&first, _) = bytes.split_first().filter(|_| bytes.len() >= LEAST).ok_or(Fault::Incomplete)?;
    let kind = match first {
        0x10 => PacketType::Connect,
        0x20 => PacketType::Connack,
        _ => return Err(Fault::Invalid),
    };
    let mut whole = Cursor { bytes, at: 1 };
    let length = match whole.varint() {
        Ok(length) => length as usize,
        // only the length's own end can be missing here
        Err(fault) => return Err(if bytes.len() > 4 { Fault::Invalid } else { fault }),
    };
    let end = whole.at + length;
    let Some(own) = bytes.get(..end) else { return Err(Fault::Incomplete) };
    let mut body = Cursor { bytes: own, at: whole.at };
    // Within a packet that is all there nothing more can come.
    let wanted = wanted.map(|(of, field)| if of == kind { field } else { Field::None });
    let found = match kind {
        PacketType::Connect => connect::read(&mut body, wanted),
        PacketType::Connack => connack::read(&mut body, wanted),
    };
    let found = found.map_err(|_| Fault::Invalid)?;
    if body.at == end { Ok(found) } else { Err(Fault::Invalid) }
}

/// Bytes and how far they are read.
struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, length: usize) -> Read<(usize, usize)> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or(Fault::Incomplete)?;
        let start = std::mem::replace(&mut self.at, end);
        Ok((start, end))
    }

    fn number(&mut self, size: usize) -> Read<u32> {
        let (from, to) = self.take(size)?;
        Ok(self.bytes[from..to].iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// A text or bytes behind their length.
    fn string(&mut self) -> Read<(usize, usize)> {
        let length = self.number(2)?;
        self.take(length as usize)
    }

    /// A number of one to four bytes, seven bits each.
    fn varint(&mut self) -> Read<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.number(1)?;
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::Invalid)
    }
}
