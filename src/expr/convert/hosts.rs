//! The two parts of a `Host` header.

use super::{INT, Row, STR, Value, part, plain, row};

pub(super) const ROWS: &[Row] = &[
    row("host_only", "", (STR, STR), plain, |_, value, _| {
        let whole = value.into_text();
        let end = colon(&whole).unwrap_or(whole.len());
        let mut host = part(whole, 0, end);
        if host.iter().any(u8::is_ascii_uppercase) {
            host.to_mut().make_ascii_lowercase();
        }
        Some(Value::Str(host))
    }),
    row("port_only", "", (STR, INT), plain, |_, value, _| {
        let whole = value.into_text();
        let digits = colon(&whole).and_then(|at| whole.get(at + 1..)).unwrap_or_default();
        // haproxy takes every byte for a digit.
        let step = |port: u32, byte: &u8| port.wrapping_mul(10).wrapping_add(u32::from(*byte).wrapping_sub(48));
        Some(Value::Int(i64::from(digits.iter().fold(0, step))))
    }),
];

/// The last colon, unless a bracket closes behind it.
fn colon(text: &[u8]) -> Option<usize> {
    let at = text.iter().rposition(|byte| matches!(byte, b':' | b']'))?;
    (text[at] == b':').then_some(at)
}
