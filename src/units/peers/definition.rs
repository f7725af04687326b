//! What is said of a table before its entries: its name, its keys, and what is stored with them.

use super::frame::write as message;
use super::{Body, Fault, varint};

/// What the keys of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// Numbers of 32 bits.
    Integer,
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Texts.
    Text,
    /// Bytes.
    Binary,
}

impl KeyType {
    const NUMBERS: [(u64, Self); 5] =
        [(2, Self::Integer), (4, Self::Ipv4), (5, Self::Ipv6), (6, Self::Text), (7, Self::Binary)];

    fn numbered(number: u64) -> Option<Self> {
        Self::NUMBERS.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
    }

    fn number(self) -> u64 {
        Self::NUMBERS.iter().find(|(_, kind)| *kind == self).map_or(0, |(number, _)| *number)
    }
}

/// How a datum is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number.
    Number,
    /// Events per period: how old the period is, events in it and in the one before.
    Rate,
    /// A text of the dictionary.
    Word,
}

/// By number of the data type: its form, and whether it is an array. Types 25 and 26 came with 3.0 (`glitch_cnt`, `glitch_rate`).
pub const DATA_KINDS: [(Form, bool); 27] = {
    const N: (Form, bool) = (Form::Number, false);
    const R: (Form, bool) = (Form::Rate, false);
    const W: (Form, bool) = (Form::Word, false);
    const NN: (Form, bool) = (Form::Number, true);
    const RR: (Form, bool) = (Form::Rate, true);
    [N, N, N, R, N, R, N, N, R, N, R, N, R, N, R, N, R, N, R, W, N, R, NN, NN, RR, N, R]
};

/// A data type of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// Its number.
    pub kind: u8,
    /// How it is told.
    pub form: Form,
    /// How many there are of it.
    pub elements: u32,
    /// The period of a rate in milliseconds.
    pub period: u32,
}

/// A table, as it is told to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The sender's number of it.
    pub id: u32,
    /// Its name.
    pub name: Vec<u8>,
    /// Its keys; `None`: of a type that is not known here.
    pub keys: Option<KeyType>,
    /// The most bytes of a key; one more for texts.
    pub width: u32,
    /// What is told with each key, by number, as far as the numbers are known.
    pub data: Vec<Described>,
    /// All numbers as bits, also those not known.
    pub bits: u64,
    /// How long its entries stay, in milliseconds; 0: as long as there is room.
    pub expire: u32,
}

impl Definition {
    /// Reads the body of a definition.
    ///
    /// # Errors
    /// [`Fault::Protocol`]: it ends too early. Old versions say nothing behind the bits: that is no fault.
    pub fn read(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Body(body);
        let id = body.small()?;
        let name = body.text()?.to_vec();
        let keys = KeyType::numbered(body.number()?);
        let width = body.small()?;
        let bits = body.number()?;
        let expire = if body.0.is_empty() { 0 } else { body.small()? };
        let mut definition = Self { id, name, keys, width, data: Vec::new(), bits, expire };
        for kind in (0..64).filter(|kind| bits & (1 << kind) != 0) {
            // what an unknown type is made of cannot be known, nor what follows it
            let Some((form, array)) = DATA_KINDS.get(usize::from(kind)) else { break };
            let mut datum = Described { kind, form: *form, elements: 1, period: 0 };
            if (*array || *form == Form::Rate) && !body.0.is_empty() {
                if body.number()? != u64::from(kind) {
                    return Err(Fault::Protocol);
                }
                if *array {
                    datum.elements = body.small()?;
                }
                if *form == Form::Rate {
                    datum.period = body.small()?;
                }
            }
            definition.data.push(datum);
        }
        Ok(definition)
    }

    /// Adds the message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(self.name.len() + 32);
        varint::write(&mut body, self.id.into());
        varint::write(&mut body, self.name.len() as u64);
        body.extend_from_slice(&self.name);
        varint::write(&mut body, self.keys.map_or(0, KeyType::number));
        varint::write(&mut body, self.width.into());
        varint::write(&mut body, self.data.iter().fold(0, |bits, datum| bits | 1 << datum.kind));
        varint::write(&mut body, self.expire.into());
        for datum in &self.data {
            let array = DATA_KINDS.get(usize::from(datum.kind)).is_some_and(|(_, array)| *array);
            if !array && datum.form != Form::Rate {
                continue;
            }
            varint::write(&mut body, datum.kind.into());
            if array {
                varint::write(&mut body, datum.elements.into());
            }
            if datum.form == Form::Rate {
                varint::write(&mut body, datum.period.into());
            }
        }
        message(out, 0x82, &body);
    }
}
