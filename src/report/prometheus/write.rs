//! A scrape's answer, piece by piece: the text format of Prometheus 0.0.4.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use super::metrics::{CHECKS, Form, Kind, METRICS, SERVERS, states};
use super::snapshot::{NAN, NOTHING, Object, Place, Table};
use crate::ir::{ServerIx, TrackRef};
use crate::pool::Pool;
use crate::report::stats::MEANINGS;

/// A piece has about as many bytes.
const PIECE: usize = 48 * 1024;

/// What is still to be said.
pub(super) struct Scrape {
    pub(super) pool: Arc<Pool>,
    /// Of the process: said first.
    pub(super) head: String,
    pub(super) tables: Vec<Table>,
    /// Said last.
    pub(super) tail: String,
    /// Table, metric and object that come next.
    pub(super) next: (usize, usize, usize),
    /// The name that was said last, with its type.
    pub(super) family: String,
}

impl Scrape {
    /// Adds the next piece; whether there is more.
    pub(super) fn next(&mut self, out: &mut String) -> bool {
        out.push_str(&std::mem::take(&mut self.head));
        let full = out.len() + PIECE;
        while out.len() < full {
            let (at, metric, object) = self.next;
            let Some(table) = self.tables.get(at) else {
                out.push_str(&std::mem::take(&mut self.tail));
                return false;
            };
            let Some(place) = table.metrics.get(metric) else {
                self.next = (at + 1, 0, 0);
                continue;
            };
            let Some(of) = table.objects.get(object) else {
                self.next = (at, metric + 1, 0);
                continue;
            };
            self.next.2 += 1;
            lines(out, &mut self.family, &self.pool, table, *place, object, *of);
        }
        true
    }
}

/// HELP and TYPE, when a name comes for the first time.
pub(super) fn announce(out: &mut String, name: &str, kind: Kind, meaning: &str) {
    let kind = match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
    };
    // Writing to a String cannot fail.
    let _ = write!(out, "# HELP {name} {meaning}\n# TYPE {name} {kind}\n");
}

fn scope_name(scope: char) -> &'static str {
    match scope {
        'f' => "frontend",
        'l' => "listener",
        'b' => "backend",
        _ => "server",
    }
}

/// What a metric means: a column counts milliseconds where a metric tells seconds.
fn meaning(form: Form, column: usize) -> Cow<'static, str> {
    let meaning = MEANINGS.get(column).copied().unwrap_or_default();
    match form {
        Form::Class(_) => "Responses of a class since the start".into(),
        Form::Millis | Form::Duration => {
            meaning.replace("Milliseconds", "Seconds").replace("milliseconds", "seconds").into()
        }
        _ => meaning.into(),
    }
}

/// The lines of one metric of one object.
fn lines(out: &mut String, family: &mut String, pool: &Pool, table: &Table, place: Place, object: usize, of: Object) {
    let numbers = table.numbers(object, place);
    if numbers.iter().all(|number| *number == NOTHING) {
        return;
    }
    let metric = &METRICS[place.metric];
    let name = format!("haproxy_{}_{}", scope_name(table.scope), metric.name);
    if *family != name {
        announce(out, &name, metric.kind, &meaning(metric.form, place.column));
        family.clone_from(&name);
    }
    let labels = labels(pool, table.scope, of);
    let mut line = |label: Option<(&str, &str)>, number: i64| {
        let _ = match label {
            Some((label, value)) => write!(out, "{name}{{{labels},{label}=\"{value}\"}} "),
            None => write!(out, "{name}{{{labels}}} "),
        };
        let seconds = matches!(metric.form, Form::Millis | Form::Duration);
        let _ = match number {
            NAN => writeln!(out, "NaN"),
            number if seconds => writeln!(out, "{}.{:03}000", number / 1000, number % 1000),
            number => writeln!(out, "{number}"),
        };
    };
    match metric.form {
        Form::State | Form::Check => {
            let known = if metric.form == Form::Check { &CHECKS } else { states(table.scope) };
            for (at, state) in known.iter().enumerate() {
                line(Some(("state", state)), i64::from(numbers.first() == Some(&(at as i64))));
            }
        }
        Form::Servers | Form::Checks => {
            let known: &[&str] = if metric.form == Form::Checks { &CHECKS } else { &SERVERS };
            for (state, number) in known.iter().zip(numbers) {
                line(Some(("state", state)), *number);
            }
        }
        Form::Class(class) => line(Some(("code", class)), numbers.first().copied().unwrap_or(NAN)),
        _ => line(None, numbers.first().copied().unwrap_or(NAN)),
    }
}

/// The labels that name an object.
fn labels(pool: &Pool, scope: char, of: Object) -> String {
    let Some(proxy) = pool.config.proxies.get(of.proxy.0 as usize) else { return String::new() };
    let mut out = String::new();
    label(&mut out, "proxy", &proxy.name);
    let part = match scope {
        'l' => {
            let bind = proxy.frontend.as_ref().and_then(|front| front.binds.get(of.part as usize));
            bind.map(|bind| ("listener", bind.name.as_str()))
        }
        's' => {
            let server = pool.known(TrackRef { proxy: of.proxy, server: ServerIx(of.part) });
            server.map(|server| ("server", server.name.as_str()))
        }
        _ => None,
    };
    if let Some((name, value)) = part {
        out.push(',');
        label(&mut out, name, value);
    }
    out
}

/// A label; what would end its quotes is escaped.
pub(super) fn label(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}
