//! A message of distcc: tokens of four bytes, each with a number in eight hexadecimal digits, and bytes behind most of them.
//!
//! Source: manual §7.3.5 "distcc_param"; distcc's protocol 1; which tokens have no bytes was asked of 2.6.

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
    match start.checked_add(size).filter(|end| *end <= buffer.room && size > 0) {
        None => Found::No,
        Some(end) => match buffer.bytes.get(start..end) {
            Some(found) => Found::Value(Value::Bin(Cow::Borrowed(found))),
            None => Found::More,
        },
    }
}
