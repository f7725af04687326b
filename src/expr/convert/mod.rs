//! Converters: what is made of a value behind a comma.
//!
//! One family per file, one row per converter: what it takes and gives, how its arguments are checked when the
//! configuration is read, and the function that runs. A function gives nothing where it cannot: it never panics. Source:
//! manual §7.3.1; arguments and types as `haproxy -dKcnv` of 2.6 lists them, answers as in `fixtures/expr/`.

mod addresses;
mod ciphers;
mod compare;
mod dates;
mod debugging;
mod digests;
mod encodings;
mod fields;
mod fix;
mod forwarded;
mod hashes;
mod hosts;
mod integers;
mod json;
mod json_query;
mod jwt;
mod language;
mod maps;
mod mqtt;
mod occasions;
mod packets;
mod protobuf;
mod strftime;
mod strings;
mod substitute;
mod tables;
mod variables;
mod verification;

pub use variables::VarConditions;

pub use self::maps::Map;

use std::borrow::Cow;

use super::args::{self, Args};
use super::context::Context;
use super::error::{ExprError, Wrong, shown};
use super::{Arg, Facts, Fetched, Type, Value};
use crate::grammar::{self, Kind};

/// What a converter does.
type Run = for<'a> fn(&'a [Arg], Value<'a>, &'a dyn Facts) -> Option<Value<'a>>;
/// What is checked of its arguments, and made of them.
type Check = fn(&mut Args, &Context<'_>) -> Result<(), ExprError>;

/// A converter.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// Its arguments (see [`crate::expr::args`]).
    spec: &'static str,
    pub(super) takes: Type,
    pub(super) gives: Type,
    check: Check,
    run: Run,
    /// Whether only a session can answer it.
    needs_session: bool,
    /// Whether it says itself if more bytes can change its answer.
    settles: bool,
}

impl Row {
    /// One that only a session can answer: no check has what it looks at, or changes.
    const fn of_sessions(self) -> Self {
        Self { needs_session: true, ..self }
    }

    /// One that says itself if more bytes can change its answer.
    const fn settling(self) -> Self {
        Self { settles: true, ..self }
    }

    pub(super) fn spec(&self) -> &'static str {
        self.spec
    }
}

const fn row(name: &'static str, spec: &'static str, types: (Type, Type), check: Check, run: Run) -> Row {
    Row { name, spec, takes: types.0, gives: types.1, check, run, needs_session: false, settles: false }
}

/// Nothing more to check.
fn plain(_: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    Ok(())
}

const FAMILIES: &[&[Row]] = &[
    addresses::ROWS,
    ciphers::ROWS,
    compare::ROWS,
    dates::ROWS,
    debugging::ROWS,
    digests::ROWS,
    encodings::ROWS,
    fields::ROWS,
    fix::ROWS,
    forwarded::ROWS,
    hashes::ROWS,
    hosts::ROWS,
    integers::ROWS,
    json::ROWS,
    json_query::ROWS,
    jwt::ROWS,
    language::ROWS,
    maps::ROWS,
    mqtt::ROWS,
    occasions::ROWS,
    packets::ROWS,
    protobuf::ROWS,
    strings::ROWS,
    substitute::ROWS,
    tables::ROWS,
    variables::ROWS,
    verification::ROWS,
];

/// A converter with its arguments.
#[derive(Clone)]
pub struct Converter {
    row: &'static Row,
    args: Box<[Arg]>,
}

impl Converter {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.row.name
    }

    /// Whether only a session can answer it.
    pub(super) fn needs_session(&self) -> bool {
        self.row.needs_session
    }

    /// What it gives.
    pub fn gives(&self) -> Type {
        self.row.gives
    }

    /// Its arguments.
    pub fn args(&self) -> &[Arg] {
        &self.args
    }

    /// Its arguments, to resolve the names among them.
    pub(super) fn args_mut(&mut self) -> &mut [Arg] {
        &mut self.args
    }

    /// What it makes of what stands before it. A value that may still change makes one that may, but for a packet that is
    /// whole, or is none and never will be.
    pub(super) fn apply<'a>(&'a self, before: Fetched<'a>, facts: &'a dyn Facts) -> Fetched<'a> {
        let run = |value: Value<'a>| (self.row.run)(&self.args, value.cast(self.row.takes)?, facts);
        match before {
            Fetched::Growing(Value::Bin(Cow::Borrowed(bytes))) if self.row.settles => {
                match run(Value::Bin(Cow::Borrowed(bytes))) {
                    Some(value) => Fetched::Value(value),
                    None if mqtt::incomplete(bytes) => Fetched::NotYet,
                    None => Fetched::Missing,
                }
            }
            before => before.and_then(run),
        }
    }
}

/// The converter of that name.
pub(super) fn named(name: &[u8]) -> Option<&'static Row> {
    FAMILIES.iter().flat_map(|rows| rows.iter()).find(|row| row.name.as_bytes() == name)
}

/// All converters.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    FAMILIES.iter().flat_map(|rows| rows.iter())
}

/// Reads the converter that stands at `*at` of a word; `before`: the type of what stands before it.
///
/// # Errors
/// [`ExprError`].
pub(super) fn read(
    word: (usize, &[u8]),
    at: &mut usize,
    before: Type,
    context: &Context<'_>,
) -> Result<Converter, ExprError> {
    let text = word.1;
    let start = *at;
    let end = text[start..].iter().position(|byte| b"(,".contains(byte)).map_or(text.len(), |length| start + length);
    let name = &text[start..end];
    let fail = |why| ExprError::new(word.0, start..end, why);
    let Some(row) = named(name) else { return Err(unknown(name, fail)) };
    *at = end;
    let mut args = args::read(row.name, word, start..end, at, row.spec)?;
    if !before.casts_to(row.takes) {
        return Err(fail(Wrong::Cast { name: row.name, want: row.takes.name(), got: before.name() }));
    }
    (row.check)(&mut args, context)?;
    Ok(Converter { row, args: args.into_list() })
}

fn unknown(name: &[u8], fail: impl Fn(Wrong) -> ExprError) -> ExprError {
    let text = shown(name);
    match grammar::row(Kind::Converter, &text) {
        Some(_) => fail(Wrong::NotBuilt { what: format!("the converter '{text}'") }),
        None => {
            let blank = name.first().is_some_and(u8::is_ascii_whitespace);
            let hint = match blank {
                true => Some("no blank may stand behind the comma within one word".to_owned()),
                false => grammar::nearest_to(Kind::Converter, name).map(|near| format!("did you mean '{near}'?")),
            };
            fail(Wrong::UnknownConverter { name: text }).hint(hint)
        }
    }
}

/// A part of a text, borrowed if the whole is.
fn part(text: Cow<'_, [u8]>, from: usize, to: usize) -> Cow<'_, [u8]> {
    let to = to.min(text.len());
    let from = from.min(to);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[from..to]),
        Cow::Owned(mut text) => {
            text.truncate(to);
            text.drain(..from);
            Cow::Owned(text)
        }
    }
}

/// An argument that is a number.
fn int(args: &[Arg], ix: usize) -> Option<i64> {
    args.get(ix).and_then(Arg::int)
}

/// An argument that is a text.
fn text(args: &[Arg], ix: usize) -> &[u8] {
    args.get(ix).and_then(Arg::text).unwrap_or_default()
}

/// The value of an argument that is a variable.
fn variable<'a>(args: &'a [Arg], ix: usize, facts: &'a dyn Facts) -> Option<Value<'a>> {
    match args.get(ix) {
        Some(Arg::Var(name)) => facts.variable(name),
        _ => None,
    }
}

const BOOL: Type = Type::Bool;
const INT: Type = Type::Int;
const STR: Type = Type::Str;
const BIN: Type = Type::Bin;
const ANY: Type = Type::Any;
const ADDR: Type = Type::Addr;
