//! Changes of entries, and what says that they were learned.

use super::definition::{Described, Form, KeyType};
use super::dictionary::{Heard, Told};
use super::frame::write as message;
use super::{Body, Fault, MOST_BODY, varint};

/// A key as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// A number.
    Integer(u32),
    /// All others: an address in network order, a text, as many bytes as the definition says.
    Bytes(&'a [u8]),
}

/// How the change before and the one to send are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbered {
    /// With its number.
    As(u32),
    /// It is the one after that of the change before.
    Next,
}

/// A change of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update<'a> {
    /// Its number.
    pub number: Numbered,
    /// How long the entry stays, in milliseconds, if it is told.
    pub left: Option<u32>,
    /// The key.
    pub key: Key<'a>,
    /// The data, to be read by [`read_value`] in the order of the definition.
    pub data: &'a [u8],
}

/// A datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number.
    Number(u64),
    /// Events per period.
    Rate {
        /// How long ago the current period began, in milliseconds.
        age: u32,
        /// Events in it.
        current: u32,
        /// Events in the one before.
        previous: u32,
    },
    /// A text of the dictionary.
    Word(Option<&'a [u8]>),
}

impl<'a> Update<'a> {
    /// Reads the body of a change of a table with such keys.
    ///
    /// # Errors
    /// [`Fault::Protocol`]: it ends too early.
    pub fn read(body: &'a [u8], numbered: bool, timed: bool, keys: KeyType, width: u32) -> Result<Self, Fault> {
        let mut body = Body(body);
        let number = if numbered { Numbered::As(body.word()?) } else { Numbered::Next };
        let left = if timed { Some(body.word()?) } else { None };
        let key = match keys {
            KeyType::Integer => Key::Integer(body.word()?),
            KeyType::Text => Key::Bytes(body.text()?),
            KeyType::Ipv4 | KeyType::Ipv6 | KeyType::Binary => Key::Bytes(body.bytes(width as usize)?),
        };
        Ok(Self { number, left, key, data: body.0 })
    }

    /// Adds the message to `out`; `false`: it is too long for a message. `text`: the keys are texts.
    pub fn write(&self, out: &mut Vec<u8>, text: bool) -> bool {
        let mut body = Vec::with_capacity(self.data.len() + 32);
        let kind = match (self.number, self.left) {
            (Numbered::As(_), None) => 0x80,
            (Numbered::Next, None) => 0x81,
            (Numbered::As(_), Some(_)) => 0x85,
            (Numbered::Next, Some(_)) => 0x86,
        };
        if let Numbered::As(number) = self.number {
            body.extend(number.to_be_bytes());
        }
        if let Some(left) = self.left {
            body.extend(left.to_be_bytes());
        }
        match self.key {
            Key::Integer(number) => body.extend(number.to_be_bytes()),
            Key::Bytes(bytes) => {
                if text {
                    varint::write(&mut body, bytes.len() as u64);
                }
                body.extend_from_slice(bytes);
            }
        }
        body.extend_from_slice(self.data);
        let fits = body.len() <= MOST_BODY;
        if fits {
            message(out, kind, &body);
        }
        fits
    }
}

/// Takes a datum from the front of `data`.
///
/// # Errors
/// [`Fault::Protocol`]: it ends too early, or a text has a number that there is not.
pub fn read_value<'a>(data: &mut &[u8], of: &Described, heard: &'a mut Heard) -> Result<Value<'a>, Fault> {
    let mut body = Body(data);
    let value = match of.form {
        Form::Number => Value::Number(body.number()?),
        Form::Rate => {
            // ages are differences of clocks that wrap
            let age = body.number()? as u32;
            Value::Rate { age, current: body.small()?, previous: body.small()? }
        }
        Form::Word => {
            let mut word = Body(body.text()?);
            if word.0.is_empty() {
                Value::Word(None)
            } else {
                let number = word.number()?;
                if !(1..=super::dictionary::SIZE as u64).contains(&number) {
                    return Err(Fault::Protocol);
                }
                if !word.0.is_empty() && !heard.put(number, word.text()?) {
                    return Err(Fault::Protocol);
                }
                Value::Word(heard.get(number))
            }
        }
    };
    *data = body.0;
    Ok(value)
}

/// Adds a datum to `out`.
pub fn write_value(out: &mut Vec<u8>, value: Value<'_>, told: &mut Told) {
    match value {
        Value::Number(number) => varint::write(out, number),
        Value::Rate { age, current, previous } => {
            [age, current, previous].into_iter().for_each(|number| varint::write(out, number.into()));
        }
        Value::Word(None) => varint::write(out, 0),
        Value::Word(Some(text)) => {
            let (number, new) = told.number(text);
            let mut word = Vec::with_capacity(text.len() + 8);
            varint::write(&mut word, number);
            if new {
                varint::write(&mut word, text.len() as u64);
                word.extend_from_slice(text);
            }
            varint::write(out, word.len() as u64);
            out.extend_from_slice(&word);
        }
    }
}

/// Which changes of a table were learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The number that the sender of the changes gave the table.
    pub table: u32,
    /// The last change.
    pub number: u32,
}

impl Ack {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Fault::Protocol`]: it ends too early.
    pub fn read(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Body(body);
        Ok(Self { table: body.small()?, number: body.word()? })
    }

    /// Adds the message to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(8);
        varint::write(&mut body, self.table.into());
        body.extend(self.number.to_be_bytes());
        message(out, 0x84, &body);
    }

    /// The table that a switch names.
    ///
    /// # Errors
    /// [`Fault::Protocol`]: there is no number.
    pub fn switched(body: &[u8]) -> Result<u32, Fault> {
        Body(body).small()
    }
}
