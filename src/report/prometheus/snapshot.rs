//! The figures of all objects at one moment, as numbers: what a scrape says is written from it while it is sent.
//!
//! A metric's lines stand together, so all objects are asked before the second line is written. Each server is looked at
//! once; 96,000 of them take about 50 MB until the answer is sent.

use super::metrics::{CHECKS, Form, METRICS, Metric, SERVERS, states};
use super::query::Query;
use crate::ir::{Mode, ProxyIx};
use crate::pool::{Admin, Pool, ServerStatus, ServerView};
use crate::report::stats::{self, Kind, Selection, Subject, Value};
use crate::units::Tick;

/// Stands for `NaN`.
pub(super) const NAN: i64 = i64::MIN;
/// Stands for no line at all.
pub(super) const NOTHING: i64 = i64::MIN + 1;

/// The objects of one scope.
pub(super) struct Table {
    pub(super) scope: char,
    pub(super) objects: Vec<Object>,
    /// Of each object the numbers of all metrics of its scope, one object after the other.
    values: Vec<i64>,
    pub(super) metrics: Vec<Place>,
    /// Numbers of one object.
    width: usize,
}

/// Where a metric's numbers stand among those of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Index in [`METRICS`].
    pub(super) metric: usize,
    /// Index in the columns of `show stat`.
    pub(super) column: usize,
    at: usize,
    numbers: usize,
}

/// What a table's row is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object {
    pub(super) proxy: ProxyIx,
    /// Of a server or listener its index in the proxy.
    pub(super) part: u32,
}

/// How many numbers a metric has of one object.
fn numbers(metric: &Metric) -> usize {
    match metric.form {
        Form::Servers => SERVERS.len(),
        Form::Checks => CHECKS.len(),
        _ => 1,
    }
}

impl Table {
    fn new(scope: char) -> Self {
        let mut metrics = Vec::new();
        let mut width = 0;
        for (ix, metric) in METRICS.iter().enumerate().filter(|(_, metric)| metric.scopes.contains(scope)) {
            let Some(column) = stats::position(metric.column) else { continue };
            let numbers = numbers(metric);
            metrics.push(Place { metric: ix, column, at: width, numbers });
            width += numbers;
        }
        Self { scope, objects: Vec::new(), values: Vec::new(), metrics, width }
    }

    /// The numbers of one metric of one object.
    pub(super) fn numbers(&self, object: usize, place: Place) -> &[i64] {
        let from = object * self.width + place.at;
        self.values.get(from..from + place.numbers).unwrap_or_default()
    }

    fn push(&mut self, object: Object, subject: &Subject<'_>, servers: &Tally) {
        let from = self.values.len();
        for place in &self.metrics {
            let metric = &METRICS[place.metric];
            match metric.form {
                Form::Servers => self.values.extend(servers.shown(&servers.states)),
                Form::Checks => self.values.extend(servers.shown(&servers.checks)),
                _ => self.values.push(number(metric, place.column, subject, self.scope)),
            }
        }
        debug_assert_eq!(self.values.len(), from + self.width);
        self.objects.push(object);
    }
}

/// What the servers of the backend that comes next are doing.
#[derive(Debug, Default)]
struct Tally {
    servers: i64,
    states: [i64; SERVERS.len()],
    checks: [i64; CHECKS.len()],
}

impl Tally {
    fn note(&mut self, view: &ServerView) {
        self.servers += 1;
        self.states[state(view.status) as usize] += 1;
        if let Some(at) = view.last_found.and_then(|found| check_state(found.word())) {
            self.checks[at as usize] += 1;
        }
    }

    /// The counts; nothing of a backend without servers.
    fn shown<'a>(&self, counts: &'a [i64]) -> impl Iterator<Item = i64> + 'a {
        let empty = self.servers == 0;
        counts.iter().map(move |count| if empty { NOTHING } else { *count })
    }
}

fn state(status: ServerStatus) -> i64 {
    match status {
        ServerStatus::Down { .. } => 0,
        ServerStatus::Up { .. } | ServerStatus::Unchecked => 1,
        ServerStatus::Maint => 2,
        ServerStatus::Drain => 3,
        ServerStatus::Stopping { .. } => 4,
    }
}

fn check_state(word: &str) -> Option<i64> {
    CHECKS.iter().position(|known| *known == word).map(|at| at as i64)
}

/// The number of a metric: a value, or the index of a state.
fn number(metric: &Metric, column: usize, subject: &Subject<'_>, scope: char) -> i64 {
    let http = subject.proxy.mode == Mode::Http;
    let checked = match &subject.kind {
        Kind::Server { view, .. } => view.check.as_ref(),
        _ => None,
    };
    let plain = || match stats::cell(column, subject) {
        Some(Value::U32(n)) => Some(n.into()),
        Some(Value::S32(n)) => Some(n.into()),
        Some(Value::U64(n)) => Some(i64::try_from(n).unwrap_or(i64::MAX)),
        Some(Value::F64(_) | Value::Text(_)) | None => None,
    };
    match metric.form {
        Form::Http if !http => NOTHING,
        Form::Plain | Form::Http | Form::Millis => plain().unwrap_or(NAN),
        // The answers of servers are none of a page's; those of HTTP come with HTTP.
        Form::Class(_) if http => plain().unwrap_or(0),
        Form::Class(_) => NOTHING,
        Form::Code if checked.is_some() => plain().unwrap_or(0),
        Form::Duration if checked.is_some() => plain().unwrap_or(NOTHING),
        Form::Check => checked.map_or(NOTHING, |check| check_state(check.status.word()).unwrap_or(NAN)),
        Form::State => match &subject.kind {
            Kind::Server { view, .. } => state(view.status),
            Kind::Back { view, .. } => i64::from(view.up),
            Kind::Front(_) => i64::from(subject.status() != "STOP"),
            Kind::Listener { .. } => {
                let status = subject.status();
                states(scope).iter().position(|known| *known == status).map_or(NAN, |at| at as i64)
            }
        },
        Form::Code | Form::Duration | Form::Servers | Form::Checks => NOTHING,
    }
}

/// Asks all objects.
pub(super) fn take(pool: &Pool, now: Tick, query: Query) -> Vec<Table> {
    let asked = [query.frontend, query.listener, query.backend, query.server];
    let mut tables: Vec<Table> = "flbs".chars().map(Table::new).collect();
    // A backend tells of its servers.
    let kinds = [(0, 1), (1, 8), (2, 2 | 4), (3, 4)];
    let kinds = kinds.iter().filter(|(at, _)| asked[*at]).fold(0, |kinds, (_, bits)| kinds | bits);
    let selection = Selection { kinds, ..Selection::default() };
    let mut tally = Tally::default();
    // Of the proxy, and of the next listener in it.
    let (mut proxy, mut listener) = (0, 0);
    stats::subjects(pool, now, &selection, |subject| {
        while pool.config.proxies.get(proxy).is_some_and(|known| !std::ptr::eq(known, subject.proxy)) {
            (proxy, listener, tally) = (proxy + 1, 0, Tally::default());
        }
        let (at, part) = match &subject.kind {
            Kind::Front(_) => (0, 0),
            Kind::Listener { .. } => {
                listener += 1;
                (1, listener - 1)
            }
            Kind::Back { .. } => (2, 0),
            Kind::Server { at, view, .. } => {
                tally.note(view);
                if query.no_maint && view.admin == Admin::Maint {
                    return;
                }
                (3, at.0)
            }
        };
        if asked[at] {
            tables[at].push(Object { proxy: ProxyIx(proxy as u32), part }, subject, &tally);
        }
    });
    tables.retain(|table| !table.objects.is_empty());
    tables
}
