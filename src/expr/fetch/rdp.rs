//! The cookie of an RDP request: `Cookie: mstshash=user`, behind a TPKT and an X.224 header.
//!
//! 2.6 looks at no byte of the headers, and neither do we. Source: manual §7.3.5 "req.rdp_cookie"; MS-RDPBCGR §2.2.1.1;
//! asked of 2.6 (`fixtures/expr/buffers.txt`).

use super::Found;
use crate::expr::Value;

/// The bytes of both headers.
const HEADERS: usize = 11;
const COOKIE: &[u8] = b"cookie: ";

/// The value of the cookie, or with `count` whether there is one.
pub(super) fn look<'a>(bytes: &'a [u8], name: &[u8], count: bool) -> Found<'a> {
    let number = |number| if count { Found::Value(Value::Int(number)) } else { Found::No };
    let Some(word) = bytes.get(HEADERS..HEADERS + COOKIE.len()) else { return Found::More };
    if !word.eq_ignore_ascii_case(COOKIE) {
        return number(0);
    }
    let rest = &bytes[HEADERS + COOKIE.len()..];
    let length = match name {
        // Any cookie: its name ends at the sign, or there is none before the line ends.
        b"" => match rest.iter().position(|byte| b"=\r\n".contains(byte)) {
            Some(length) => length,
            None => return Found::More,
        },
        name => name.len(),
    };
    let Some((found, value)) = rest.split_at_checked(length).filter(|(_, value)| !value.is_empty()) else {
        return Found::More;
    };
    let Some(value) = value.strip_prefix(b"=").filter(|_| name.is_empty() || found.eq_ignore_ascii_case(name)) else {
        return number(0);
    };
    let Some(end) = memchr::memchr(b'\r', value) else { return Found::More };
    match (value.get(end + 1), count) {
        (None, _) => Found::More,
        (Some(b'\n'), true) => number(1),
        (Some(b'\n'), false) => Found::Value(Value::text(&value[..end])),
        _ => number(0),
    }
}
