//! The peers protocol as bytes: hellos, statuses, messages, in and out.
//!
//! Pure and bounded: nothing here knows a socket, a table or a clock, and no input makes it panic. [`hello`] is what a
//! connection begins with, [`frame`] divides what follows into messages, [`Definition`] says of a table how the bytes of an
//! [`Update`] are to be read, and [`dictionary`] holds the texts that both sides have numbered. Source: `peers.txt` and
//! `peers-v2.0.txt` of haproxy-doc; what they leave out was seen on the wire of 2.6 (docs/OBSERVED.md).

mod definition;
pub mod dictionary;
mod frame;
pub mod hello;
#[cfg(test)]
mod tests;
mod update;
mod varint;

pub use definition::{DATA_KINDS, Definition, Described, Form, KeyType};
pub use frame::{Control, Frame, MOST_BODY, control, fault, frame};
pub use hello::{Hello, Status};
pub use update::{Ack, Key, Numbered, Update, Value, read_value, write_value};

use thiserror::Error;

/// Why a message ends a session, as the other side is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// Bytes that are no message, or a message that ends too early.
    #[error("no message of the peers protocol")]
    Protocol,
    /// A message that is longer than any may be.
    #[error("a message that is too long")]
    Size,
}

/// Reads a body from its front; every read that goes beyond its end is a [`Fault`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Fault::Protocol)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        varint::read(&mut self.0)
    }

    /// A number that must be a `u32`.
    pub(super) fn small(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.number()?).map_err(|_| Fault::Protocol)
    }

    /// Four bytes in network order.
    pub(super) fn word(&mut self) -> Result<u32, Fault> {
        let (word, rest) = self.0.split_first_chunk().ok_or(Fault::Protocol)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*word))
    }

    /// A length and as many bytes.
    pub(super) fn text(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.number()?).map_err(|_| Fault::Protocol)?;
        self.bytes(length)
    }
}
