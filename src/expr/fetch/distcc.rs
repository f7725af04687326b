//! A message of distcc: tokens of four bytes, each with a number in eight hexadecimal digits, and bytes behind most of them.
//!
//! Bytes are found once they are all there; 2.6 gives what its buffer held before for those that are still to come, and ends itself
//! at a large number. Source: manual §7.3.5 "distcc_param"; distcc's protocol 1; which tokens have no bytes was asked of 2.6.

use std::borrow::Cow;

use super::Found;
use crate::expr::{Buffer, Value};

/// Tokens whose number is all they say.
const ALONE: [&[u8; 4]; 5] = [b"ARGC", b"DIST", b"DONE", b"NFIL", b"STAT"];

/// A token and its number.
const HEADER: usize = 12;

/// The number of a token, or with `body` the bytes behind it; `occurrence` counts from 1, 0 is the first.
pub(super) fn look<'a>(buffer: Buffer<'a>, token: &[u8; 4], occurrence: u64, body: bool) -> Found<'a> {
    let (mut at, mut seen) = (0_usize, 0);
    loop {
        let Some((name, digits)) = buffer.bytes.get(at..at + HEADER).and_then(|header| header.split_first_chunk::<4>())
        else {
            return Found::More;
        };
        let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(number) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else { return Found::No };
        let (start, size) = (at + HEADER, if ALONE.contains(&name) { 0 } else { number as usize });
        if name == token {
            seen += 1;
            if seen == occurrence.max(1) {
                return match body {
                    false => Found::Value(Value::Int(i64::from(number))),
                    true => bytes(buffer, start, size),
                };
            }
        }
        match start.checked_add(size).filter(|end| *end <= buffer.room) {
            Some(end) => at = end,
            None => return Found::No,
        }
    }
}

fn bytes(buffer: Buffer<'_>, start: usize, size: usize) -> Found<'_> {
    match start.checked_add(size).filter(|end| *end <= buffer.room) {
        None => Found::No,
        Some(end) => match buffer.bytes.get(start..end) {
            Some(found) => Found::Value(Value::Bin(Cow::Borrowed(found))),
            None => Found::More,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(bytes: &'a [u8], token: &[u8; 4], occurrence: u64, body: bool) -> Found<'a> {
        look(Buffer { bytes, more: true, room: 100 }, token, occurrence, body)
    }

    #[test]
    fn bytes_come_as_a_whole_or_not_at_all() {
        let message = b"DIST00000001ARGV00000003gccDOTI00000064";
        for (length, want) in [(26, Found::More), (27, Found::Value(Value::Bin(Cow::Borrowed(b"gcc"))))] {
            assert_eq!(of(&message[..length], b"ARGV", 0, true), want, "{length}");
        }
        assert_eq!(of(message, b"DOTI", 1, false), Found::Value(Value::Int(100)));
        assert_eq!(of(message, b"DOTI", 1, true), Found::No, "more than a buffer holds");
        assert_eq!(of(b"DOTIfffffff0ARGV", b"ARGV", 1, true), Found::No);
    }

    #[test]
    fn no_bytes_are_too_strange() {
        bolero::check!().with_type::<(Vec<u8>, u8)>().for_each(|(bytes, occurrence)| {
            for body in [false, true] {
                let _ = of(bytes, b"ARGV", u64::from(*occurrence), body);
                let _ = of(&[b"ARGV0000000", &bytes[..]].concat(), b"ARGV", u64::from(*occurrence), body);
            }
        });
    }
}
