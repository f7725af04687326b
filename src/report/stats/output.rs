//! Statistics as text: CSV, typed lines, JSON.

use std::fmt::Write;

use serde::Serialize;

use super::columns::COLUMNS;
use super::info::{Info, LINES};
use super::meanings::MEANINGS;
use super::subject::{Kind, Selection, Subject, subjects};
use super::value::{Tags, Value};
use crate::pool::Pool;
use crate::units::Tick;

/// The CSV: a header that starts with `# `, a line per object, each ending in a comma.
///
/// The column `-` after haproxy's own marks where columns of modules would start; baton has none.
pub(crate) fn csv(pool: &Pool, now: Tick, selection: &Selection<'_>) -> String {
    let mut out = String::from("# ");
    for column in &COLUMNS {
        out.push_str(column.name);
        out.push(',');
    }
    out.push_str("-,\n");
    subjects(pool, now, selection, |subject| {
        for column in &COLUMNS {
            match (column.value)(subject) {
                Some(Value::Text(text)) => quoted(&mut out, &text),
                // Writing to a String cannot fail.
                Some(value) => _ = write!(out, "{value}"),
                None => {}
            }
            out.push(',');
        }
        out.push_str("-,\n");
    });
    out
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
pub(crate) fn typed(pool: &Pool, now: Tick, selection: &Selection<'_>, described: bool) -> String {
    let mut out = String::new();
    subjects(pool, now, selection, |subject| {
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
    });
    out
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

/// An array of objects, each an array of values with their types and tags.
pub(crate) fn json(pool: &Pool, now: Tick, selection: &Selection<'_>) -> String {
    let mut out = String::from("[");
    subjects(pool, now, selection, |subject| {
        out.push_str(if out.len() > 1 { ",[" } else { "[" });
        let (letter, word, id) = kind(subject);
        let mut first = true;
        for (pos, column) in COLUMNS.iter().enumerate() {
            let Some(value) = (column.value)(subject) else { continue };
            let tags = if letter == 'B' { column.back_tags } else { column.tags };
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            push(&mut out, &item(Some((word, subject.proxy.id, id)), Field { pos, name: column.name }, tags, &value));
        }
        out.push(']');
    });
    out.push(']');
    out
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
