//! Text escaped for JSON.

use super::{Args, Context, ExprError, Row, STR, Value, row, text};

pub(super) const ROWS: &[Row] = &[row("json", "s", (STR, STR), mode, |args, value, _| {
    escaped(&value.into_text(), text(args, 0)).map(Value::owned)
})];

fn mode(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    match args.text(0) {
        b"" | b"ascii" | b"utf8" | b"utf8s" | b"utf8p" | b"utf8ps" => Ok(()),
        _ => Err(args.kind(0, "'ascii', 'utf8', 'utf8s', 'utf8p' or 'utf8ps'")),
    }
}

/// `None`: what is no UTF-8 in a mode that minds.
fn escaped(text: &[u8], mode: &[u8]) -> Option<Vec<u8>> {
    let (permissive, silent) = (mode.contains(&b'p'), mode.ends_with(b"s"));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        let (code, length) = match mode {
            b"" | b"ascii" => (Ok(u32::from(byte)), 1),
            _ => decode(rest, permissive),
        };
        rest = &rest[length..];
        match code.ok().and_then(|code| u16::try_from(code).ok()) {
            Some(code) => escape(code, &mut out),
            None if silent => {}
            None => return None,
        }
    }
    Some(out)
}

fn escape(code: u16, out: &mut Vec<u8>) {
    let short = match code {
        0x22 | 0x2f | 0x5c => code as u8,
        0x08 => b'b',
        0x0c => b'f',
        0x0a => b'n',
        0x0d => b'r',
        0x09 => b't',
        0x20..0x7f => return out.push(code as u8),
        _ => return out.extend_from_slice(format!("\\u{code:04x}").as_bytes()),
    };
    out.extend([b'\\', short]);
}

/// One character and how many bytes it takes; those of a wrong one are left out together.
fn decode(text: &[u8], permissive: bool) -> (Result<u32, ()>, usize) {
    let first = text.first().copied().unwrap_or_default();
    let (bits, more, least) = match first {
        0..0x80 => return (Ok(u32::from(first)), 1),
        0xc0..0xe0 => (first & 0x1f, 1, 0x80),
        0xe0..0xf0 => (first & 0x0f, 2, 0x800),
        0xf0..0xf8 => (first & 0x07, 3, 0x1_0000),
        0xf8..0xfc => (first & 0x03, 4, 0x20_0000),
        0xfc..0xfe => (first & 0x01, 5, 0x400_0000),
        _ => return (Err(()), 1),
    };
    let mut code = u32::from(bits);
    for ix in 1..=more {
        match text.get(ix) {
            Some(byte @ 0x80..0xc0) => code = code << 6 | u32::from(byte & 0x3f),
            _ => return (Err(()), ix),
        }
    }
    let overlong = code < least && !permissive;
    let forbidden = matches!(code, 0xd800..0xe000 | 0xfffe..0x1_0000);
    if overlong || forbidden { (Err(()), more + 1) } else { (Ok(code), more + 1) }
}
