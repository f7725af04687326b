//! Fields of protocol buffers and of gRPC messages, by their numbers.
//!
//! Source: manual §7.3.1; the encoding's public description. What each type makes of which bytes was asked of 2.6.

use std::borrow::Cow;

use super::{Arg, Args, BIN, Context, ExprError, Row, Value, part, row};

pub(super) const ROWS: &[Row] = &[
    row("protobuf", "p|s", (BIN, BIN), kind, |args, value, _| extract(args, value.into_bytes(), 0)),
    row("ungrpc", "p|s", (BIN, BIN), kind, |args, value, _| {
        const HEADER: usize = 5;
        let bytes = value.into_bytes();
        let length = u32::from_be_bytes(bytes.get(1..HEADER)?.try_into().ok()?);
        let end = usize::try_from(length).ok()?.checked_add(HEADER).filter(|end| *end <= bytes.len())?;
        extract(args, part(bytes, 0, end), HEADER)
    }),
];

/// The types and the wire type of each.
const TYPES: [(&str, u64); 14] = [
    ("int32", 0),
    ("uint32", 0),
    ("sint32", 0),
    ("int64", 0),
    ("uint64", 0),
    ("sint64", 0),
    ("bool", 0),
    ("enum", 0),
    ("fixed64", 1),
    ("sfixed64", 1),
    ("double", 1),
    ("fixed32", 5),
    ("sfixed32", 5),
    ("float", 5),
];

fn kind(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let given = args.text(1);
    match given.is_empty() || TYPES.iter().any(|(name, _)| name.as_bytes() == given) {
        true => Ok(()),
        false => Err(args.kind(1, "a type of protocol buffers with a fixed meaning, like 'int32' or 'fixed64'")),
    }
}

fn extract<'a>(args: &[Arg], bytes: Cow<'a, [u8]>, skip: usize) -> Option<Value<'a>> {
    let Some(Arg::Path(path)) = args.first() else { return None };
    let name = super::text(args, 1);
    let kind = TYPES.iter().find(|(known, _)| known.as_bytes() == name).copied();
    let (mut from, mut to) = (skip, bytes.len());
    for (ix, number) in path.iter().enumerate() {
        let field = find(&bytes, from, to, *number)?;
        if ix + 1 < path.len() {
            if field.wire != 2 {
                return None;
            }
            (from, to) = (field.from, field.to);
            continue;
        }
        return match kind {
            None => Some(Value::Bin(part(bytes, field.from, field.to))),
            Some((name, wire)) if wire == field.wire => number_of(name, &bytes[field.from..field.to]).map(Value::Int),
            Some(_) => None,
        };
    }
    None
}

/// Where the value of a field stands.
struct Field {
    wire: u64,
    from: usize,
    to: usize,
}

/// The first field of that number.
fn find(bytes: &[u8], from: usize, to: usize, number: u64) -> Option<Field> {
    let bytes = bytes.get(..to)?;
    let mut at = from;
    while at < to {
        let key = varint(bytes, &mut at)?;
        let wire = key & 7;
        let (start, end) = match wire {
            0 => {
                let start = at;
                varint(bytes, &mut at)?;
                (start, at)
            }
            1 => (at, at.checked_add(8)?),
            2 => {
                let length = usize::try_from(varint(bytes, &mut at)?).ok()?;
                (at, at.checked_add(length)?)
            }
            5 => (at, at.checked_add(4)?),
            _ => return None,
        };
        if end > to {
            return None;
        }
        if key >> 3 == number && number > 0 {
            return Some(Field { wire, from: start, to: end });
        }
        at = end;
    }
    None
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in 0..10 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(7 * shift).unwrap_or(0);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn number_of(name: &str, bytes: &[u8]) -> Option<i64> {
    let eight = || bytes.try_into().ok().map(u64::from_le_bytes);
    let four = || bytes.try_into().ok().map(u32::from_le_bytes);
    Some(match name {
        "fixed64" | "sfixed64" => eight()?.cast_signed(),
        "double" => f64::from_bits(eight()?) as i64,
        "fixed32" => i64::from(four()?),
        "sfixed32" => i64::from(four()?.cast_signed()),
        "float" => f32::from_bits(four()?) as i64,
        "sint32" | "sint64" => {
            let number = varint(bytes, &mut 0)?;
            (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
        }
        _ => varint(bytes, &mut 0)?.cast_signed(),
    })
}
