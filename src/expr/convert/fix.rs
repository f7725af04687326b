//! FIX, the protocol of exchanges: fields `tag=value` that end with a byte 1.
//!
//! Source: manual §7.3.1; FIX 4.4 volume 2; which messages are valid was asked of 2.6 (`fixtures/expr/fix.txt`): empty
//! values are, FIX.5.0 is no version, and a message of less than 26 bytes is not judged.

use std::borrow::Cow;

use super::{Arg, Args, BIN, BOOL, Context, ExprError, Row, Value, int, part, plain, row};

pub(super) const ROWS: &[Row] = &[
    row("fix_is_valid", "", (BIN, BOOL), plain, |_, value, _| valid(&value.into_bytes()).map(Value::Bool)),
    row("fix_tag_value", "s", (BIN, BIN), tag, |args, value, _| {
        let wanted = u64::try_from(int(args, 0)?).ok()?;
        let message = value.into_bytes();
        let (from, to) = Fields { message: &message, at: 0 }.find(|field| field.tag == Some(wanted))?.value;
        if from == to {
            return None;
        }
        Some(Value::Bin(part(message, from, to)))
    }),
];

const END: u8 = 1;
const LEAST: usize = 26;
const VERSIONS: [&[u8]; 6] = [b"FIX.4.0", b"FIX.4.1", b"FIX.4.2", b"FIX.4.3", b"FIX.4.4", b"FIXT.1.1"];
const NAMES: [(&str, i64); 6] = [
    ("BeginString", 8),
    ("BodyLength", 9),
    ("MsgType", 35),
    ("SenderCompID", 49),
    ("TargetCompID", 56),
    ("CheckSum", 10),
];

fn tag(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let text = String::from_utf8_lossy(args.text(0)).into_owned();
    let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text)).map(|(_, tag)| *tag);
    let number = || text.parse::<u32>().ok().map(i64::from).filter(|number| *number > 0);
    let tag = named.or_else(number).ok_or_else(|| args.kind(0, "the number of a tag, or 'BeginString', 'MsgType'…"))?;
    args.set(0, Arg::Int(tag));
    Ok(())
}

/// A field: its tag, where it begins, and where its value stands.
struct Field {
    tag: Option<u64>,
    start: usize,
    value: (usize, usize),
}

struct Fields<'m> {
    message: &'m [u8],
    at: usize,
}

impl Iterator for Fields<'_> {
    type Item = Field;

    fn next(&mut self) -> Option<Field> {
        let start = self.at;
        let rest = self.message.get(start..)?;
        let length = memchr::memchr(END, rest)?;
        self.at = start + length + 1;
        let equals = rest[..length].iter().position(|byte| *byte == b'=');
        let digits = equals.map(|equals| &rest[..equals]).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let tag = digits.and_then(number);
        Some(Field { tag, start, value: (start + equals.map_or(0, |at| at + 1), start + length) })
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| plain)?.parse().ok()
}

/// Whether it is a message; `None`: more must come.
fn valid(message: &[u8]) -> Option<bool> {
    if message.len() < LEAST {
        return None;
    }
    let message: Cow<'_, [u8]> = message.into();
    let (mut body, mut body_length) = (0, 0);
    let mut fields = Fields { message: &message, at: 0 };
    let mut ix = 0;
    while let Some(field) = fields.next() {
        let value = &message[field.value.0..field.value.1];
        let Some(tag) = field.tag else { return Some(false) };
        match (ix, tag) {
            (0, 8) if VERSIONS.contains(&value) => {}
            (1, 9) => match number(value) {
                Some(length) => (body, body_length) = (fields.at, length),
                None => return Some(false),
            },
            (2, 35) => {}
            (0..=2, _) => return Some(false),
            (_, 10) => {
                let sum = message[..field.start].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
                let length = (field.start - body) as u64;
                return Some(length == body_length && value.len() == 3 && number(value) == Some(u64::from(sum)));
            }
            _ => {}
        }
        ix += 1;
    }
    None
}
