//! Parts of texts, and texts put together.

use super::{Arg, Args, BIN, Context, ExprError, Facts, INT, Row, STR, Value, int, part, plain, row, text, variable};
use crate::expr::args;
use crate::expr::error::{ArgError, Wrong};
use crate::expr::{Side, VarName};

pub(super) const ROWS: &[Row] = &[
    row("add_item", "ss|s", (STR, STR), item, add_item),
    row("bytes", "s|s", (BIN, BIN), numbers, bytes),
    row("capture-req", "i", (STR, STR), plain, |args, value, facts| capture(Side::Request, args, value, facts))
        .of_sessions(),
    row("capture-res", "i", (STR, STR), plain, |args, value, facts| capture(Side::Response, args, value, facts))
        .of_sessions(),
    row("concat", "s|ss", (STR, STR), |args, _| args.variable(1), concat),
    row("cut_crlf", "", (STR, STR), plain, |_, value, _| {
        let text = value.into_text();
        let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(text.len());
        Some(Value::Str(part(text, 0, end)))
    }),
    row("length", "", (STR, INT), plain, |_, value, _| {
        Some(Value::Int(i64::try_from(value.into_text().len()).unwrap_or(i64::MAX)))
    }),
    row("lower", "", (STR, STR), plain, |_, value, _| Some(Value::owned(value.into_text().to_ascii_lowercase()))),
    row("ltrim", "s", (STR, STR), plain, |args, value, _| {
        let whole = value.into_text();
        let start = whole.iter().position(|byte| !text(args, 0).contains(byte)).unwrap_or(whole.len());
        let end = whole.len();
        Some(Value::Str(part(whole, start, end)))
    }),
    row("reverse", "", (STR, STR), plain, |_, value, _| {
        let mut text = value.into_text().into_owned();
        text.reverse();
        Some(Value::owned(text))
    }),
    row("reverse_dom", "", (STR, STR), plain, |_, value, _| {
        let text = value.into_text();
        let labels: Vec<&[u8]> = text.split(|byte| *byte == b'.').rev().collect();
        Some(Value::owned(labels.join(&b'.')))
    }),
    row("rtrim", "s", (STR, STR), plain, |args, value, _| {
        let whole = value.into_text();
        let end = whole.iter().rposition(|byte| !text(args, 0).contains(byte)).map_or(0, |last| last + 1);
        Some(Value::Str(part(whole, 0, end)))
    }),
    row("upper", "", (STR, STR), plain, |_, value, _| Some(Value::owned(value.into_text().to_ascii_uppercase()))),
];

/// Keeps the text for the log and lets it pass; without the place there is none.
fn capture<'a>(side: Side, args: &[Arg], value: Value<'a>, facts: &dyn Facts) -> Option<Value<'a>> {
    let text = value.into_text();
    facts.capture(side, int(args, 0)?, &text)?;
    Some(Value::Str(text))
}

/// Numbers or variables.
fn numbers(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    for ix in 0..args.list.len() {
        let given = args.text(ix);
        let arg = match args::int(given) {
            Some(number) => Arg::Int(number),
            None if given.is_empty() && ix > 0 => Arg::Int(0),
            None => Arg::Var(
                VarName::parse(given).ok_or_else(|| args.kind(ix, "a whole number or the name of a variable"))?,
            ),
        };
        args.set(ix, arg);
    }
    Ok(())
}

fn number(args: &[Arg], ix: usize, facts: &dyn Facts) -> Option<i64> {
    match args.get(ix)? {
        Arg::Var(name) => facts.variable(name)?.int(),
        _ => int(args, ix),
    }
}

/// `bytes(2,3)`: an offset beyond the end gives nothing, empty; a negative length is none at all.
fn bytes<'a>(args: &'a [Arg], value: Value<'a>, facts: &'a dyn Facts) -> Option<Value<'a>> {
    let whole = value.into_bytes();
    let from = usize::try_from(number(args, 0, facts)?).unwrap_or(usize::MAX);
    let to = match args.get(1) {
        None => usize::MAX,
        Some(_) => usize::try_from(number(args, 1, facts)?).map_or(usize::MAX, |length| from.saturating_add(length)),
    };
    Some(Value::Bin(part(whole, from, to)))
}

fn concat<'a>(args: &'a [Arg], value: Value<'a>, facts: &'a dyn Facts) -> Option<Value<'a>> {
    let mut out = value.into_text().into_owned();
    out.extend_from_slice(text(args, 0));
    if let Some(value) = variable(args, 1, facts) {
        value.write(&mut out);
    }
    out.extend_from_slice(text(args, 2));
    Some(Value::owned(out))
}

fn item(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    if args.text(1).is_empty() && args.text(2).is_empty() {
        let why = ArgError::Few { want: 2, got: 1 };
        return Err(ExprError::new(args.word, args.at.clone(), Wrong::Argument { name: args.name, why }));
    }
    args.variable(1)
}

/// `add_item(",",txn.x,y)`: the delimiter comes only between texts that are there.
fn add_item<'a>(args: &'a [Arg], value: Value<'a>, facts: &'a dyn Facts) -> Option<Value<'a>> {
    let mut added = variable(args, 1, facts).map(|value| value.to_text()).unwrap_or_default();
    added.extend_from_slice(text(args, 2));
    let mut out = value.into_text().into_owned();
    if !added.is_empty() {
        if !out.is_empty() {
            out.extend_from_slice(text(args, 0));
        }
        out.append(&mut added);
    }
    Some(Value::owned(out))
}
