//! The cookie of an RDP request: `Cookie: mstshash=user`, behind a TPKT and an X.224 header.
//!
//! Source: manual §7.3.5 "req.rdp_cookie"; MS-RDPBCGR §2.2.1.1.

use crate::expr::{Buffer, Fetched, Value};

/// What the bytes say so far.
enum Found<'a> {
    Cookie(&'a [u8]),
    No,
    More,
}

/// The value of the cookie, or with `count` whether there is one.
pub(super) fn cookie<'a>(buffer: Buffer<'a>, name: &[u8], count: bool) -> Fetched<'a> {
    match (look(buffer.bytes, name), count) {
        (Found::Cookie(value), false) => Fetched::Value(Value::text(value)),
        (Found::Cookie(_), true) => Fetched::Value(Value::Int(1)),
        (Found::More, _) if buffer.more => Fetched::NotYet,
        (_, true) => Fetched::Value(Value::Int(0)),
        _ => Fetched::Missing,
    }
}

fn look<'a>(bytes: &'a [u8], name: &[u8]) -> Found<'a> {
    const HEADERS: usize = 11;
    let text = match bytes {
        [3, _, high, low, _, 0xE0, _, _, _, _, _, ..] => {
            let whole = usize::from(u16::from_be_bytes([*high, *low]));
            match bytes.get(HEADERS..whole) {
                Some(text) => text,
                None if whole > HEADERS => return Found::More,
                None => return Found::No,
            }
        }
        _ if bytes.len() < HEADERS => return Found::More,
        _ => return Found::No,
    };
    let Some((word, rest)) = text.split_at_checked(8).filter(|(word, _)| word.eq_ignore_ascii_case(b"cookie: ")) else {
        return Found::No;
    };
    debug_assert_eq!(word.len(), 8);
    let Some(equals) = rest.iter().position(|byte| *byte == b'=') else { return Found::No };
    let (found, value) = (&rest[..equals], &rest[equals + 1..]);
    if !name.is_empty() && !found.eq_ignore_ascii_case(name) {
        return Found::No;
    }
    match value.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        Some(end) => Found::Cookie(&value[..end]),
        None => Found::No,
    }
}
