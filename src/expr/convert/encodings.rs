//! Base64, hexadecimal digits, percent signs.

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Args, BIN, Context, ExprError, Row, STR, Value, int, plain, row, text};
use crate::expr::error::ArgError;
use crate::expr::hex;

pub(super) const ROWS: &[Row] = &[
    row("b64dec", "", (STR, BIN), plain, |_, value, _| base64(&value.into_text()).map(Value::bytes)),
    row("base2", "", (BIN, STR), plain, |_, value, _| {
        let mut out = Vec::new();
        value.into_bytes().iter().for_each(|byte| drop(write!(out, "{byte:08b}")));
        Some(Value::owned(out))
    }),
    row("base64", "", (BIN, STR), plain, |_, value, _| Some(Value::owned(STANDARD.encode(value.into_bytes()).into()))),
    row("be2dec", "s|ii", (BIN, STR), decimal_chunks, |args, value, _| {
        Some(decimals(args, &value.into_bytes(), false))
    }),
    row("be2hex", "|sii", (BIN, STR), hex_chunks, |args, value, _| Some(hexadecimals(args, &value.into_bytes()))),
    row("hex", "", (BIN, STR), plain, |_, value, _| {
        let mut out = Vec::new();
        hex::encode(&value.into_bytes(), &mut out);
        Some(Value::owned(out))
    }),
    row("le2dec", "s|ii", (BIN, STR), decimal_chunks, |args, value, _| Some(decimals(args, &value.into_bytes(), true))),
    row("ub64dec", "", (STR, BIN), plain, |_, value, _| URL.decode(value.into_text()).ok().map(Value::bytes)),
    row("ub64enc", "", (BIN, STR), plain, |_, value, _| Some(Value::owned(URL.encode(value.into_bytes()).into()))),
    row("url_dec", "|i", (STR, STR), plain, |args, value, _| {
        url_decoded(value.into_text(), int(args, 0).unwrap_or(0) != 0).map(Value::Str)
    }),
    row("url_enc", "s", (STR, STR), only_query, |_, value, _| Some(Value::owned(url_encoded(&value.into_text())))),
];

/// With padding, as it must be; bits behind the last byte are passed over.
const STANDARD: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

const URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Bytes as base64.
pub(super) fn to_base64(bytes: &[u8]) -> Vec<u8> {
    STANDARD.encode(bytes).into_bytes()
}

/// Without padding, as in tokens.
const BARE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes that a part of a token stands for.
pub(super) fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    BARE.decode(text).ok()
}

/// The bytes that base64 stands for; padding may stand at the end of every group.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.chunks(4) {
        STANDARD.decode_vec(group, &mut out).ok()?;
    }
    Some(out)
}

fn decimal_chunks(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    match args.int(1).unwrap_or(0) {
        1..=8 => Ok(()),
        number => Err(args.blame(1, ArgError::Range { number, least: 1, most: 8 })),
    }
}

fn hex_chunks(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    match args.int(1).unwrap_or(0) {
        number if number < 1 && !args.list.is_empty() => {
            Err(args.blame(1, ArgError::Range { number, least: 1, most: i64::from(i32::MAX) }))
        }
        _ => Ok(()),
    }
}

/// Chunks of bytes, without a last one that is too short if the third argument says so.
fn chunks<'b>(args: &[super::Arg], bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'b> {
    let size = int(args, 1).and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0).unwrap_or(usize::MAX);
    let cut = int(args, 2).is_some_and(|cut| cut != 0);
    bytes.chunks(size).filter(move |chunk| !cut || chunk.len() == size)
}

fn decimals(args: &[super::Arg], bytes: &[u8], little: bool) -> Value<'static> {
    let mut out = Vec::new();
    for (ix, chunk) in chunks(args, bytes).enumerate() {
        if ix > 0 {
            out.extend_from_slice(text(args, 0));
        }
        let step = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        let number = if little { chunk.iter().rev().fold(0, step) } else { chunk.iter().fold(0, step) };
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{number}");
    }
    Value::owned(out)
}

fn hexadecimals(args: &[super::Arg], bytes: &[u8]) -> Value<'static> {
    let mut out = Vec::new();
    for (ix, chunk) in chunks(args, bytes).enumerate() {
        if ix > 0 {
            out.extend_from_slice(text(args, 0));
        }
        hex::encode(chunk, &mut out);
    }
    Value::owned(out)
}

fn only_query(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    match args.text(0) {
        b"" | b"query" => Ok(()),
        _ => Err(args.kind(0, "'query'")),
    }
}

/// `%41` and, in a query, `+`. A percent sign without two digits behind it spoils the whole.
fn url_decoded(text: Cow<'_, [u8]>, form: bool) -> Option<Cow<'_, [u8]>> {
    let mut query = form;
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'%' => {
                let pair = [*rest.next()?, *rest.next()?];
                *hex::decode(&pair)?.first()?
            }
            b'+' if query => b' ',
            byte => {
                query |= *byte == b'?';
                *byte
            }
        });
    }
    Some(Cow::Owned(out))
}

fn url_encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            byte if byte.is_ascii_alphanumeric() => out.push(*byte),
            byte => {
                out.push(b'%');
                hex::encode(&[*byte], &mut out);
            }
        }
    }
    out
}
