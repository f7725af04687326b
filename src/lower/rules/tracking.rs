//! `track-sc*`, and what is done to the entries that are tracked: `sc-inc-gpc*`, `sc-add-gpc`, `sc-set-gpt*`.
//!
//! Source: configuration manual §4.2; numbers that are missing were asked of 2.6.12, which reads them as 0.

use super::Ruleset;
use crate::expr::NameRef;
use crate::ir::table::Datum;
use crate::ir::{Action, Amount, Count, Track};
use crate::lower::args::{Args, Given};
use crate::lower::conditions;
use crate::lower::error::{LowerError, Lowered};

/// `track-sc<n> <key> [table <table>]`.
pub fn track(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let number = word.bytes.strip_prefix(b"track-sc").unwrap_or_default();
    let counter = if number.is_empty() { 0 } else { counter(&word, number, args)? };
    let key = conditions::expr(args, ruleset.place)?;
    let mut table = NameRef::default();
    if args.take("table") {
        table.name = args.string("the name of a proxy with a stick table")?.into();
    }
    Ok(Action::Track(Box::new(Track { counter, key, table })))
}

/// `sc-inc-gpc(<index>,<counter>)`.
pub fn increment(_: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let (index, counter) = element(&word, args)?;
    Ok(Action::Count(Count { counter, what: Datum::Gpc, index, by: Amount::Number(1) }))
}

/// `sc-inc-gpc0(<counter>)`.
pub fn increment_0(_: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let counter = single(&word, args)?;
    Ok(Action::Count(Count { counter, what: Datum::Gpc0, index: 0, by: Amount::Number(1) }))
}

/// `sc-inc-gpc1(<counter>)`.
pub fn increment_1(_: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let counter = single(&word, args)?;
    Ok(Action::Count(Count { counter, what: Datum::Gpc1, index: 0, by: Amount::Number(1) }))
}

/// `sc-add-gpc(<index>,<counter>) <number>|<expression>` (2.8).
pub fn add(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let (index, counter) = element(&word, args)?;
    let by = amount(ruleset, args)?;
    Ok(Action::Count(Count { counter, what: Datum::Gpc, index, by }))
}

/// `sc-set-gpt(<index>,<counter>) <number>|<expression>`.
pub fn set(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let (index, counter) = element(&word, args)?;
    let by = amount(ruleset, args)?;
    Ok(Action::SetTag(Count { counter, what: Datum::Gpt, index, by }))
}

/// `sc-set-gpt0(<counter>) <number>|<expression>`.
pub fn set_0(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let counter = single(&word, args)?;
    let by = amount(ruleset, args)?;
    Ok(Action::SetTag(Count { counter, what: Datum::Gpt0, index: 0, by }))
}

/// A number or an expression; nothing is 0, as in haproxy.
fn amount(ruleset: Ruleset, args: &mut Args<'_>) -> Lowered<Amount> {
    let Some(text) = args.peek() else { return Ok(Amount::Number(0)) };
    match std::str::from_utf8(text).ok().and_then(|text| text.parse::<u32>().ok()) {
        Some(number) => {
            args.skip(1);
            Ok(Amount::Number(number))
        }
        None => Ok(Amount::Expr(conditions::expr(args, ruleset.place)?)),
    }
}

/// The number of a tracked entry between the parentheses; no parentheses are 0, as in haproxy.
fn single(word: &Given<'_>, args: &Args<'_>) -> Lowered<u32> {
    if !word.bytes.contains(&b'(') {
        return Ok(0);
    }
    let inner = super::inner(word)?;
    counter(word, inner.bytes, args)
}

/// The place in an array and the number of a tracked entry.
fn element(word: &Given<'_>, args: &Args<'_>) -> Lowered<(u32, u32)> {
    let inner = super::inner(word)?;
    let wrong = || word.blame(LowerError::Misplaced("two numbers are needed: the place in the array, and whose it is"));
    let comma = inner.bytes.iter().position(|byte| *byte == b',').ok_or_else(wrong)?;
    let index = number(&inner.bytes[..comma]).ok_or_else(wrong)?;
    Ok((index, counter(word, &inner.bytes[comma + 1..], args)?))
}

fn counter(word: &Given<'_>, text: &[u8], args: &Args<'_>) -> Lowered<u32> {
    let number = number(text).ok_or_else(|| word.blame(LowerError::Number { text: shown(text) }))?;
    if number >= args.stick_counters {
        let max = i64::from(args.stick_counters) - 1;
        return Err(word.blame(LowerError::Range { text: number.to_string(), min: 0, max }));
    }
    Ok(number)
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
