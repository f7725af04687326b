//! What is read out of the bytes of a buffer. Source: manual §7.3.5; when a value may still change was asked of 2.6
//! (docs/OBSERVED.md).

use std::borrow::Cow;

use crate::expr::{Buffer, Fetched, Value};

/// Where the bytes behind a length begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// At that byte of the buffer.
    At(usize),
    /// That many bytes behind the length.
    Behind(i64),
}

/// `req.len`.
pub(super) fn length(buffer: Buffer<'_>) -> Fetched<'_> {
    let value = Value::Int(i64::try_from(buffer.bytes.len()).unwrap_or(i64::MAX));
    if buffer.more { Fetched::Growing(value) } else { Fetched::Value(value) }
}

/// `req.payload`: with a length of 0 whatever is there, be it nothing, and more as it comes.
pub(super) fn bytes(buffer: Buffer<'_>, offset: usize, length: usize) -> Fetched<'_> {
    let Some(end) = offset.checked_add(length).filter(|end| *end <= buffer.room) else { return Fetched::Missing };
    let lacking = || if buffer.more { Fetched::NotYet } else { Fetched::Missing };
    match length {
        0 => match buffer.bytes.get(offset..) {
            Some(rest) => {
                let value = Value::Bin(Cow::Borrowed(rest));
                if buffer.more { Fetched::Growing(value) } else { Fetched::Value(value) }
            }
            None => lacking(),
        },
        _ => match buffer.bytes.get(offset..end) {
            Some(found) => Fetched::Value(Value::Bin(Cow::Borrowed(found))),
            None => lacking(),
        },
    }
}

/// `req.payload_lv`.
pub(super) fn behind_length(buffer: Buffer<'_>, at: usize, size: usize, then: Then) -> Fetched<'_> {
    let Some(end) = at.checked_add(size).filter(|end| *end <= buffer.room) else { return Fetched::Missing };
    let lacking = || if buffer.more { Fetched::NotYet } else { Fetched::Missing };
    let Some(number) = buffer.bytes.get(at..end) else { return lacking() };
    // Only the last 8 bytes of a longer number can matter.
    let length = number.iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
    let start = match then {
        Then::At(start) => Some(start),
        Then::Behind(offset) => i64::try_from(end).ok().and_then(|end| usize::try_from(end + offset).ok()),
    };
    let Some((start, length)) = start.zip(usize::try_from(length).ok()).filter(|(_, length)| *length > 0) else {
        return Fetched::Missing;
    };
    let Some(last) = start.checked_add(length).filter(|last| *last <= buffer.room) else { return Fetched::Missing };
    match buffer.bytes.get(start..last) {
        Some(found) => Fetched::Value(Value::Bin(Cow::Borrowed(found))),
        None => lacking(),
    }
}
