//! Statistics as text: CSV, typed lines, JSON.

use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::columns::COLUMNS;
use super::info::{Info, LINES};
use super::meanings::MEANINGS;
use super::subject::{Cursor, Kind, Selection, Subject, some_subjects, subjects};
use super::value::{Tags, Value};
use crate::pool::{Pool, Report};
use crate::units::Tick;

/// How statistics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A header that starts with `# `, a line per object, each ending in a comma. The column `-` after haproxy's own marks
    /// where columns of modules would start; baton has none.
    Csv,
    /// A line per value. `described`: with what it means.
    Typed { described: bool },
    /// An array of objects, each an array of values with their types and tags.
    Json,
}

/// A report in pieces of at least so many bytes, but for the last one.
const PIECE: usize = 16 * 1024;

/// A report that is made as it is sent: it holds no more than a piece, however many servers there are.
pub(crate) fn report(form: Form, pool: Arc<Pool>, now: Tick, selection: Selection<'static>) -> Report {
    let (mut at, mut begun) = (Cursor::default(), false);
    Report::new(move |out| {
        if !begun {
            form.head(out);
        }
        let before = out.len();
        while out.len() - before < PIECE {
            let more = some_subjects(&pool, now, &selection, &mut at, |subject| {
                form.row(std::mem::replace(&mut begun, true), subject, out);
            });
            if !more {
                out.push_str(form.tail());
                if form == Form::Json {
                    out.push('\n');
                }
                return false;
            }
        }
        true
    })
}

/// All of it at once.
pub(crate) fn whole(form: Form, pool: &Pool, now: Tick, selection: &Selection<'_>) -> String {
    let mut out = String::new();
    form.head(&mut out);
    let mut begun = false;
    subjects(pool, now, selection, |subject| form.row(std::mem::replace(&mut begun, true), subject, &mut out));
    out.push_str(form.tail());
    out
}

impl Form {
    fn head(self, out: &mut String) {
        match self {
            Self::Csv => {
                out.push_str("# ");
                for column in &COLUMNS {
                    out.push_str(column.name);
                    out.push(',');
                }
                out.push_str("-,\n");
            }
            Self::Typed { .. } => {}
            Self::Json => out.push('['),
        }
    }

    /// An object; `follows`: there was one before it.
    fn row(self, follows: bool, subject: &Subject<'_>, out: &mut String) {
        match self {
            Self::Csv => csv_row(subject, out),
            Self::Typed { described } => typed_rows(subject, described, out),
            Self::Json => json_row(follows, subject, out),
        }
    }

    const fn tail(self) -> &'static str {
        if matches!(self, Self::Json) { "]" } else { "" }
    }
}

fn csv_row(subject: &Subject<'_>, out: &mut String) {
    for column in &COLUMNS {
        match (column.value)(subject) {
            Some(Value::Text(text)) => quoted(out, &text),
            // Writing to a String cannot fail.
            Some(value) => _ = write!(out, "{value}"),
            None => {}
        }
        out.push(',');
    }
    out.push_str("-,\n");
}

/// A text field; in quotes if it would break the line.
fn quoted(out: &mut String, text: &str) {
    if !text.contains(['"', ',', '\n', '\r']) {
        return out.push_str(text);
    }
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

/// Letter and word of an object's kind, and its ids.
fn kind(subject: &Subject<'_>) -> (char, &'static str, u32) {
    match &subject.kind {
        Kind::Front(_) => ('F', "Frontend", 0),
        Kind::Listener { bind, .. } => ('L', "Listener", bind.id),
        Kind::Server { server, .. } => ('S', "Server", server.id),
        Kind::Back { .. } => ('B', "Backend", 0),
    }
}

/// One line per value: `S.2.1.4.scur.1:MGP:u32:0`; with what it means in quotes behind it, if that is asked for.
fn typed_rows(subject: &Subject<'_>, described: bool, out: &mut String) {
    let (letter, _, id) = kind(subject);
    for (position, column) in COLUMNS.iter().enumerate() {
        let Some(value) = (column.value)(subject) else { continue };
        let tags = if letter == 'B' { column.back_tags } else { column.tags };
        let (proxy, name, kind) = (subject.proxy.id, column.name, value.kind());
        let _ = write!(out, "{letter}.{proxy}.{id}.{position}.{name}.1:{}:{kind}:{value}", tags.0);
        if described {
            let _ = write!(out, ":\"{}\"", MEANINGS[position]);
        }
        out.push('\n');
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    obj_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    field: Field,
    process_num: u32,
    tags: Words,
    value: Typed<'a>,
}

#[derive(Serialize)]
struct Field {
    pos: usize,
    name: &'static str,
}

#[derive(Serialize)]
struct Words {
    origin: &'static str,
    nature: &'static str,
    scope: &'static str,
}

#[derive(Serialize)]
struct Typed<'a> {
    r#type: &'static str,
    value: Plain<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Plain<'a> {
    Number(i64),
    Large(u64),
    Fraction(f64),
    Text(&'a str),
}

fn item<'a>(of: Option<(&'static str, u32, u32)>, field: Field, tags: Tags, value: &'a Value<'a>) -> Item<'a> {
    let [origin, nature, scope] = tags.words();
    let plain = match value {
        Value::U32(n) => Plain::Number(i64::from(*n)),
        Value::S32(n) => Plain::Number(i64::from(*n)),
        Value::U64(n) => Plain::Large(*n),
        Value::F64(n) => Plain::Fraction(*n),
        Value::Text(text) => Plain::Text(text),
    };
    Item {
        obj_type: of.map(|of| of.0),
        proxy_id: of.map(|of| of.1),
        id: of.map(|of| of.2),
        field,
        process_num: 1,
        tags: Words { origin, nature, scope },
        value: Typed { r#type: value.kind(), value: plain },
    }
}

fn push(out: &mut String, item: &Item<'_>) {
    // Plain structs of numbers and text always serialize.
    out.push_str(&serde_json::to_string(item).unwrap_or_default());
}

/// An object as an array of values with their types and tags.
fn json_row(follows: bool, subject: &Subject<'_>, out: &mut String) {
    out.push_str(if follows { ",[" } else { "[" });
    let (letter, word, id) = kind(subject);
    let mut first = true;
    for (pos, column) in COLUMNS.iter().enumerate() {
        let Some(value) = (column.value)(subject) else { continue };
        let tags = if letter == 'B' { column.back_tags } else { column.tags };
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        push(out, &item(Some((word, subject.proxy.id, id)), Field { pos, name: column.name }, tags, &value));
    }
    out.push(']');
}

impl Info<'_> {
    /// The lines of `show info` as an array of values.
    pub(crate) fn json(&self, float: bool) -> String {
        let mut out = String::from("[");
        for line in &LINES {
            let Some(value) = self.value(line, float) else { continue };
            if out.len() > 1 {
                out.push(',');
            }
            push(&mut out, &item(None, Field { pos: line.position, name: line.name }, line.tags(float), &value));
        }
        out.push(']');
        out
    }
}
