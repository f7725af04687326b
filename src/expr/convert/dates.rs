//! Seconds since 1970 as text, and dates of HTTP as seconds. Source: manual §7.3.1, strftime(3); RFC 9110 §5.6.7, of which the
//! crate `httpdate` reads all three forms.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use super::strftime::{Moment, format};
use super::{Arg, Args, Context, ExprError, Facts, INT, Row, STR, Value, int, plain, row, text};

pub(super) const ROWS: &[Row] = &[
    row("date", "", (STR, INT), plain, |_, value, _| {
        let text = value.into_text();
        let at = httpdate::parse_http_date(std::str::from_utf8(&text).ok()?).ok()?;
        let seconds = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
        i64::try_from(seconds).ok().map(Value::Int)
    }),
    row("http_date", "|is", (INT, STR), unit, http_date),
    row("ltime", "s|i", (INT, STR), plain, |args, value, facts| local(args, value, facts, 1)),
    row("ms_ltime", "s|i", (INT, STR), plain, |args, value, facts| local(args, value, facts, 1_000)),
    row("ms_utime", "s|i", (INT, STR), plain, |args, value, _| utc(args, value, 1_000)),
    row("us_ltime", "s|i", (INT, STR), plain, |args, value, facts| local(args, value, facts, 1_000_000)),
    row("us_utime", "s|i", (INT, STR), plain, |args, value, _| utc(args, value, 1_000_000)),
    row("utime", "s|i", (INT, STR), plain, |args, value, _| utc(args, value, 1)),
];

/// haproxy looks at these bits of a date only.
const BITS: i64 = (1 << 55) - 1;

fn unit(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    match args.get(1).map(|_| args.text(1)) {
        None | Some(b"s" | b"ms" | b"us") => Ok(()),
        Some(_) => Err(args.kind(1, "'s', 'ms' or 'us'")),
    }
}

/// `Fri, 13 Feb 2009 23:31:30.123 GMT`: with milliseconds or microseconds if those are the unit.
fn http_date<'a>(args: &'a [Arg], value: Value<'a>, _: &'a dyn Facts) -> Option<Value<'a>> {
    let (per_second, digits) = match text(args, 1) {
        b"ms" => (1_000, 3),
        b"us" => (1_000_000, 6),
        _ => (1, 0),
    };
    let at = value.int()?.wrapping_add(int(args, 0).unwrap_or(0));
    let (seconds, rest) = (at.div_euclid(per_second) & BITS, at.rem_euclid(per_second));
    let moment = Moment { at: seconds, ahead: 0, zone: "GMT" };
    let mut out = Vec::new();
    format(b"%a, %d %b %Y %H:%M:%S", &moment, &mut out);
    if digits > 0 {
        out.extend_from_slice(format!(".{rest:0digits$}").as_bytes());
    }
    out.extend_from_slice(b" GMT");
    Some(Value::Str(Cow::Owned(out)))
}

/// The second that a date with an offset means, in units of that many to a second.
fn second(args: &[Arg], value: &Value<'_>, per_second: i64) -> Option<i64> {
    let at = value.int()?.div_euclid(per_second);
    Some(at.wrapping_add(int(args, 1).unwrap_or(0)) & BITS)
}

fn utc<'a>(args: &[Arg], value: Value<'a>, per_second: i64) -> Option<Value<'a>> {
    let moment = Moment { at: second(args, &value, per_second)?, ahead: 0, zone: "GMT" };
    let mut out = Vec::new();
    format(text(args, 0), &moment, &mut out);
    Some(Value::owned(out))
}

fn local<'a>(args: &[Arg], value: Value<'a>, facts: &dyn Facts, per_second: i64) -> Option<Value<'a>> {
    let at = second(args, &value, per_second)?;
    let (ahead, zone) = facts.local(at);
    let mut out = Vec::new();
    format(text(args, 0), &Moment { at, ahead, zone }, &mut out);
    Some(Value::owned(out))
}
