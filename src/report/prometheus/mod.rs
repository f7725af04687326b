//! The service `prometheus-exporter`: statistics as Prometheus scrapes them.
//!
//! Names, types, labels and their order are those of haproxy 2.6's exporter ([`metrics`]); what a metric means is told in
//! words of our own. An answer is made piece by piece from a [`snapshot`] while it is sent. Knows no connection and no rule:
//! who is answered is decided before. Source: what 2.6.12 answers (docs/OBSERVED.md).

mod metrics;
mod query;
mod snapshot;
#[cfg(test)]
mod tests;
mod write;

use std::fmt::Write;
use std::sync::Arc;

use super::figures::Source;
use super::stats::{Info, Value};
use crate::pool::tables::Table;
use crate::pool::{PageReply, Pool, Report};
use metrics::{Kind, PROCESS};
use query::Query;

/// The answer to a scrape of this target.
pub(super) fn answer(pool: &Arc<Pool>, info: &Info<'_>, own: &Source<'_>, target: &str) -> PageReply {
    let Some(query) = Query::parse(target) else {
        let body = b"<html><body><h1>400 Bad Request</h1>\nThe query asks for what there is not.\n</body></html>\n";
        let headers = vec![("cache-control", "no-cache".into()), ("content-type", "text/html".into())];
        return PageReply { status: 400, headers, body: body.to_vec(), report: None };
    };
    let baton = if query.baton { figures(own) } else { String::new() };
    let mut scrape = write::Scrape {
        pool: Arc::clone(pool),
        head: if query.global { process(info) } else { String::new() },
        tables: snapshot::take(pool, info.now, query),
        tail: [if query.sticktable { stick_tables(pool) } else { String::new() }, baton].concat(),
        next: (0, 0, 0),
        family: String::new(),
    };
    PageReply {
        status: 200,
        headers: vec![
            ("cache-control", "no-cache".into()),
            ("content-type", "text/plain; version=0.0.4".into()),
            ("x-content-type-options", "nosniff".into()),
        ],
        body: Vec::new(),
        report: Some(Report::new(move |out| scrape.next(out))),
    }
}

/// Sizes of stick tables.
fn stick_tables(pool: &Pool) -> String {
    let mut out = String::new();
    // the last first, as haproxy
    let tables: Vec<_> = pool.tables.iter().rev().collect();
    for (name, meaning, value) in [
        ("haproxy_sticktable_size", "Entries that a stick table can hold", Table::size as fn(&Table) -> u32),
        ("haproxy_sticktable_used", "Entries that a stick table holds", Table::used),
    ] {
        if !tables.is_empty() {
            write::announce(&mut out, name, Kind::Gauge, meaning);
        }
        for table in &tables {
            let mut labels = String::new();
            write::label(&mut labels, "name", &table.ir.name);
            labels.push(',');
            write::label(&mut labels, "type", table.ir.kind.name());
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{name}{{{labels}}} {}", value(table));
        }
    }
    out
}

/// The figures that haproxy has not.
fn figures(own: &Source<'_>) -> String {
    let mut out = String::new();
    for figure in super::figures::figures(own) {
        let kind = if figure.metric.ends_with("_total") { Kind::Counter } else { Kind::Gauge };
        write::announce(&mut out, figure.metric, kind, figure.meaning);
        for (about, value) in &figure.values {
            let mut labels = String::new();
            if let Some((name, about)) = about {
                labels.push('{');
                write::label(&mut labels, name, about);
                labels.push('}');
            }
            let _ = writeln!(out, "{}{labels} {value}", figure.metric);
        }
    }
    out
}

/// The figures of the process.
fn process(info: &Info<'_>) -> String {
    let mut out = String::new();
    for (line, name, kind) in PROCESS {
        let name = format!("haproxy_process_{name}");
        let (value, meaning) = match info.named(line) {
            Some((value, meaning)) => (value, meaning),
            None => (None, "Memory of a kind of compression that is not built"),
        };
        write::announce(&mut out, &name, kind, meaning);
        // Writing to a String cannot fail.
        let _ = match value {
            None => writeln!(out, "{name} NaN"),
            Some(Value::Text(text)) => {
                let mut labels = String::new();
                write::label(&mut labels, "version", &text);
                writeln!(out, "{name}{{{labels}}} 1")
            }
            Some(value) => writeln!(out, "{name} {value}"),
        };
    }
    out
}
