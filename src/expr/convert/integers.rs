//! Arithmetic and bits. Overflow gives the largest number, or the least one; it never wraps.

use super::{Arg, Args, BIN, BOOL, Context, ExprError, Facts, INT, Row, STR, Value, int, plain, row, text};
use crate::expr::VarName;

pub(super) const ROWS: &[Row] = &[
    row("add", "s", (INT, INT), operand, |args, value, facts| binary(args, value, facts, i64::saturating_add)),
    row("and", "s", (INT, INT), operand, |args, value, facts| binary(args, value, facts, |a, b| a & b)),
    row("bool", "", (INT, BOOL), plain, |_, value, _| truth(value, |number| number != 0)),
    row("cpl", "", (INT, INT), plain, |_, value, _| unary(value, |number| !number)),
    row("div", "s", (INT, INT), operand, |args, value, facts| binary(args, value, facts, divide)),
    row("even", "", (INT, BOOL), plain, |_, value, _| truth(value, |number| number & 1 == 0)),
    row("hex2i", "", (STR, INT), plain, |_, value, _| hex(&value.into_text()).map(Value::Int)),
    row("htonl", "", (INT, BIN), plain, |_, value, _| Some(Value::bytes((value.int()? as u32).to_be_bytes().to_vec()))),
    row("iif", "ss", (BOOL, STR), plain, |args, value, _| {
        Some(Value::text(text(args, usize::from(value != Value::Bool(true)))))
    }),
    row("mod", "s", (INT, INT), operand, |args, value, facts| binary(args, value, facts, remainder)),
    row("mul", "s", (INT, INT), operand, |args, value, facts| binary(args, value, facts, i64::saturating_mul)),
    row("neg", "", (INT, INT), plain, |_, value, _| unary(value, i64::saturating_neg)),
    row("not", "", (INT, BOOL), plain, |_, value, _| truth(value, |number| number == 0)),
    row("odd", "", (INT, BOOL), plain, |_, value, _| truth(value, |number| number & 1 == 1)),
    row("or", "s", (INT, INT), operand, |args, value, facts| binary(args, value, facts, |a, b| a | b)),
    row("sub", "s", (INT, INT), operand, |args, value, facts| binary(args, value, facts, subtract)),
    row("xor", "s", (INT, INT), operand, |args, value, facts| binary(args, value, facts, |a, b| a ^ b)),
];

/// The operand is a number or a variable; nothing is 0.
pub(super) fn operand(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let given = args.text(0);
    let arg = match crate::expr::args::int(given) {
        Some(number) => Arg::Int(number),
        None if given.is_empty() => Arg::Int(0),
        None => {
            Arg::Var(VarName::parse(given).ok_or_else(|| args.kind(0, "a whole number or the name of a variable"))?)
        }
    };
    args.set(0, arg);
    Ok(())
}

fn binary<'a>(args: &[Arg], value: Value<'a>, facts: &dyn Facts, run: impl Fn(i64, i64) -> i64) -> Option<Value<'a>> {
    let operand = match args.first()? {
        Arg::Var(name) => facts.variable(name)?.int()?,
        _ => int(args, 0)?,
    };
    Some(Value::Int(run(value.int()?, operand)))
}

fn unary<'a>(value: Value<'a>, run: impl Fn(i64) -> i64) -> Option<Value<'a>> {
    Some(Value::Int(run(value.int()?)))
}

fn truth<'a>(value: Value<'a>, run: impl Fn(i64) -> bool) -> Option<Value<'a>> {
    Some(Value::Bool(run(value.int()?)))
}

fn subtract(a: i64, b: i64) -> i64 {
    a.saturating_sub(b)
}

fn divide(a: i64, b: i64) -> i64 {
    match b {
        0 => i64::MAX,
        _ => a.saturating_div(b),
    }
}

fn remainder(a: i64, b: i64) -> i64 {
    a.checked_rem(b).unwrap_or(0)
}

/// The number that hexadecimal digits stand for; of more than 16 the last ones count.
fn hex(text: &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for byte in text {
        value = value << 4 | u64::from(char::from(*byte).to_digit(16)?);
    }
    Some(value.cast_signed())
}
