//! What the page's template is filled with.

use std::sync::atomic::Ordering::Relaxed;

use askama::Template;

use super::admin::{self, Outcome};
use super::request::Wanted;
use super::show;
use crate::ir::{Endpoint, Mode, Proxy, ProxyIx, StatsPage};
use crate::pool::{Pool, ServerStatus};
use crate::report::Identity;
use crate::report::stats::{self, Kind, Selection, Subject};
use crate::units::Tick;

/// Seconds between two looks of the page's script when `stats refresh` says nothing.
const LIVE: u32 = 5;

/// What is asked for, and by whom.
pub(super) struct Asked<'a> {
    /// The proxy that shows the page.
    pub(super) proxy: &'a Proxy,
    pub(super) page: &'a StatsPage,
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) selection: Selection<'a>,
    /// Whether this client may give orders.
    pub(super) admin: bool,
}

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct View {
    title: String,
    node: Option<String>,
    description: Option<String>,
    /// Version and date, unless they are to be hidden.
    version: Option<(String, String)>,
    facts: Vec<(&'static str, String)>,
    uptime: String,
    uri: String,
    /// Where a filter without script is sent, and what must go with it so that it arrives here.
    filter_to: String,
    filter_with: Option<String>,
    filter: String,
    message: Option<(&'static str, &'static str)>,
    tally: Tally,
    groups: Vec<Group>,
    legends: bool,
    /// Whether this client may give orders.
    admin: bool,
    refresh: Option<u32>,
    live: u32,
    /// Changes when style sheet or script change.
    stamp: String,
}

/// Servers by state.
#[derive(Default)]
struct Tally {
    up: usize,
    warning: usize,
    down: usize,
    idle: usize,
}

/// One proxy.
struct Group {
    name: String,
    id: u32,
    mode: &'static str,
    description: Option<String>,
    algorithm: Option<String>,
    rows: Vec<Row>,
    /// Whether orders may be given to its servers.
    orders: bool,
}

/// One object.
struct Row {
    kind: &'static str,
    name: String,
    /// `proxy/name`, as the script finds it.
    key: String,
    status: String,
    /// Colour of the state: `up`, `warning`, `down`, `maint`, `idle`.
    tone: &'static str,
    /// How long it has been in its state.
    since: Option<String>,
    /// Weight, check and history: the text under a state.
    role: String,
    /// Address and id, shown with `stats show-legends`.
    legend: Option<String>,
    cells: Vec<Cell>,
}

/// One number.
struct Cell {
    label: &'static str,
    /// The CSV's column, for the script.
    column: &'static str,
    /// What it sorts by.
    raw: u64,
    text: String,
    /// Further figures: limits, peaks.
    note: String,
    /// Whether it deserves a look.
    alarming: bool,
    /// Whether this kind of object has no such number.
    void: bool,
}

/// Colour of a state.
fn tone(subject: &Subject<'_>) -> &'static str {
    match &subject.kind {
        Kind::Front(state) if state.stopped.load(Relaxed) || state.paused.load(Relaxed) => "maint",
        Kind::Front(_) | Kind::Listener { .. } => "up",
        Kind::Back { view, .. } => {
            if view.up {
                "up"
            } else {
                "down"
            }
        }
        Kind::Server { view, .. } => match view.status {
            ServerStatus::Up { failing: None } => "up",
            ServerStatus::Up { failing: Some(_) } | ServerStatus::Down { rising: Some(_) } => "warning",
            ServerStatus::Down { rising: None } => "down",
            ServerStatus::Drain | ServerStatus::Maint | ServerStatus::Stopping { .. } => "maint",
            ServerStatus::Unchecked => "idle",
        },
    }
}

fn cell(label: &'static str, column: &'static str, raw: u64) -> Cell {
    Cell { label, column, raw, text: show::count(raw), note: String::new(), alarming: false, void: false }
}

impl Cell {
    fn note(self, note: String) -> Self {
        Self { note, ..self }
    }

    fn text(self, text: String) -> Self {
        Self { text, ..self }
    }

    fn void(self) -> Self {
        Self { text: "–".into(), void: true, ..self }
    }

    fn alarming(self) -> Self {
        Self { alarming: self.raw > 0, ..self }
    }
}

/// `max 7 of 100`; nothing where there is nothing to say.
fn peak(max: u32, limit: Option<u32>) -> String {
    match limit {
        None if max == 0 => String::new(),
        Some(limit) => format!("max {} of {}", show::count(max.into()), show::count(limit.into())),
        None => format!("max {}", show::count(max.into())),
    }
}

fn cells(subject: &Subject<'_>) -> Vec<Cell> {
    let now = subject.now;
    let limit = subject.session_limit();
    let bytes = |label, column, n| cell(label, column, n).text(show::bytes(n));
    let sessions = |gauge: &crate::pool::counters::Gauge| {
        cell("Sessions", "scur", gauge.get().into()).note(peak(gauge.max(), limit))
    };
    let rate =
        |rate: &crate::pool::counters::Rate| cell("Rate", "rate", rate.get(now).into()).note(peak(rate.max(), None));
    match &subject.kind {
        Kind::Front(state) => vec![
            sessions(&state.sessions),
            rate(&state.session_rate),
            cell("Queue", "qcur", 0).void(),
            cell("Total", "stot", state.sessions_total.get()),
            bytes("In", "bin", state.bytes_in.get()),
            bytes("Out", "bout", state.bytes_out.get()),
            cell("Errors", "ereq", state.request_errors.get()).alarming(),
            cell("Retries", "wretr", 0).void(),
        ],
        Kind::Listener { state, .. } => vec![
            sessions(&state.sessions),
            cell("Rate", "rate", 0).void(),
            cell("Queue", "qcur", 0).void(),
            cell("Total", "stot", state.sessions_total.get()),
            bytes("In", "bin", state.bytes_in.get()),
            bytes("Out", "bout", state.bytes_out.get()),
            cell("Errors", "ereq", 0),
            cell("Retries", "wretr", 0).void(),
        ],
        Kind::Server { state, view, .. } => vec![
            sessions(&state.sessions),
            rate(&state.session_rate),
            cell("Queue", "qcur", state.queue.get().into()).note(peak(state.queue.max(), view.queue_limit)),
            cell("Total", "stot", state.sessions_total.get())
                .note(subject.last_session().map(|ago| format!("last {} ago", show::ago(ago))).unwrap_or_default()),
            bytes("In", "bin", state.bytes_in.get()),
            bytes("Out", "bout", state.bytes_out.get()),
            cell("Errors", "econ", state.connect_errors.get() + state.response_errors.get()).alarming(),
            cell("Retries", "wretr", state.retries.get()).note(redispatched(state.redispatches.get())),
        ],
        Kind::Back { state, .. } => vec![
            sessions(&state.sessions),
            rate(&state.session_rate),
            cell("Queue", "qcur", state.queue.get().into()).note(peak(state.queue.max(), None)),
            cell("Total", "stot", state.sessions_total.get())
                .note(subject.last_session().map(|ago| format!("last {} ago", show::ago(ago))).unwrap_or_default()),
            bytes("In", "bin", state.bytes_in.get()),
            bytes("Out", "bout", state.bytes_out.get()),
            cell("Errors", "econ", state.connect_errors.get() + state.response_errors.get()).alarming(),
            cell("Retries", "wretr", state.retries.get()).note(redispatched(state.redispatches.get())),
        ],
    }
}

fn redispatched(n: u64) -> String {
    if n == 0 { String::new() } else { format!("{} elsewhere", show::count(n)) }
}

/// Weight, check and what went wrong so far: the text under a state.
fn role(subject: &Subject<'_>) -> String {
    match &subject.kind {
        Kind::Front(_) | Kind::Listener { .. } => String::new(),
        Kind::Back { view, .. } => {
            let mut text = format!("weight {}, {} active", view.weight, view.active);
            if view.backup > 0 {
                text += &format!(", {} backup", view.backup);
            }
            text
        }
        Kind::Server { view, .. } => {
            let mut parts = vec![format!("weight {}", view.weight)];
            if view.backup {
                parts.push("backup".into());
            }
            if let Some(check) = &view.check {
                let took = check.duration.map(|ms| format!(" in {ms}\u{a0}ms")).unwrap_or_default();
                parts.push(format!("{}{took}", check.detail.as_deref().unwrap_or(check.status.word())));
            }
            if let Some(failures) = view.failures.as_ref().filter(|failures| failures.downs > 0) {
                parts.push(format!("down {}× ({})", failures.downs, show::ago(failures.downtime)));
            }
            if let Some(tracked) = &view.tracked {
                parts.push(format!("follows {tracked}"));
            }
            if let Some(percent) = view.throttle {
                parts.push(format!("slow start {percent} %"));
            }
            parts.join(", ")
        }
    }
}

fn endpoint(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Inet(address) => address.to_string(),
        Endpoint::Unix(path) => path.display().to_string(),
        Endpoint::Abstract(name) => format!("abns@{}", String::from_utf8_lossy(name)),
        Endpoint::Fd(fd) => format!("fd@{fd}"),
        Endpoint::SockPair(fd) => format!("sockpair@{fd}"),
    }
}

fn row(subject: &Subject<'_>, legends: bool) -> Row {
    let (kind, legend) = match &subject.kind {
        Kind::Front(_) => {
            let binds = subject.proxy.frontend.iter().flat_map(|front| &front.binds);
            ("frontend", binds.map(|bind| endpoint(&bind.endpoint)).collect::<Vec<_>>().join(" "))
        }
        Kind::Listener { bind, .. } => ("socket", format!("id {}, {}", bind.id, endpoint(&bind.endpoint))),
        Kind::Server { server, .. } => {
            let address = stats::address(server).unwrap_or_else(|| "no address".into());
            ("server", format!("id {}, {address}", server.id))
        }
        Kind::Back { .. } => ("backend", String::new()),
    };
    Row {
        kind,
        name: subject.name().into(),
        key: format!("{}/{}", subject.proxy.name, subject.name()),
        status: subject.status(),
        tone: tone(subject),
        since: match &subject.kind {
            Kind::Front(_) | Kind::Listener { .. } => None,
            Kind::Server { view, .. } => Some(show::ago(view.last_change)),
            Kind::Back { view, .. } => Some(show::ago(view.last_change)),
        },
        role: role(subject),
        legend: Some(legend).filter(|text| legends && !text.is_empty()),
        cells: cells(subject),
    }
}

/// A number that differs when the text does (FNV-1a).
fn stamp(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Fills the page.
pub(super) fn build(pool: &Pool, identity: &Identity, now: Tick, asked: &Asked<'_>) -> View {
    let Asked { proxy, page, wanted, selection, admin } = asked;
    let filter = admin::decode(wanted.filter.as_bytes());
    let mut tally = Tally::default();
    let mut groups: Vec<Group> = Vec::new();
    stats::subjects(pool, now, selection, |subject| {
        if !filter.is_empty() && !subject.proxy.name.contains(&filter) && !subject.name().contains(&filter) {
            return;
        }
        if groups.last().is_none_or(|group| group.id != subject.proxy.id) {
            let servers = pool.config.proxies.iter().position(|proxy| std::ptr::eq(proxy, subject.proxy));
            let servers = servers.is_some_and(|ix| pool.servers(ProxyIx(ix as u32)).next().is_some());
            groups.push(group(subject.proxy, servers, page, *admin));
        }
        let row = row(subject, page.show_legends);
        if row.kind == "server" {
            match row.tone {
                "up" => tally.up += 1,
                "warning" => tally.warning += 1,
                "down" => tally.down += 1,
                _ => tally.idle += 1,
            }
        }
        if let Some(group) = groups.last_mut() {
            group.rows.push(row);
        }
    });
    let global = &pool.config.global;
    let process = &pool.process;
    let named = |shown: &Option<Option<String>>, own: Option<&str>| -> Option<String> {
        shown.as_ref().and_then(|text| text.clone().or_else(|| own.map(Into::into)))
    };
    let node = named(&page.show_node, Some(global.node.as_deref().unwrap_or(&identity.hostname)));
    let facts = vec![
        ("Process", std::process::id().to_string()),
        ("Threads", process.threads.load(Relaxed).to_string()),
        (
            "Connections",
            format!(
                "{} of {}",
                show::count(process.connections.get().into()),
                show::count(process.maxconn.load(Relaxed).into())
            ),
        ),
        ("Connections per second", show::count(process.connection_rate.get(now).into())),
        ("Sent", show::bytes(process.bytes_out.get())),
    ];
    let (path, query) = page.uri.split_once('?').map_or((page.uri.as_str(), None), |(path, query)| (path, Some(query)));
    let message = wanted.outcome.and_then(|code| Outcome::ALL.into_iter().find(|outcome| outcome.code() == code));
    View {
        title: node.clone().unwrap_or_else(|| proxy.name.clone()),
        node,
        description: named(&page.show_desc, global.description.as_deref()),
        version: (!page.hide_version).then(|| (identity.version.clone(), identity.released.clone())),
        facts,
        uptime: stats::uptime(now.since(process.started) / 1000),
        uri: page.uri.clone(),
        filter_to: path.into(),
        filter_with: query.map(Into::into),
        filter,
        message: message.map(|outcome| (if outcome == Outcome::Done { "good" } else { "bad" }, outcome.sentence())),
        tally,
        groups,
        legends: page.show_legends,
        admin: *admin,
        refresh: page.refresh.filter(|seconds| *seconds > 0 && !wanted.still),
        live: if wanted.still { 0 } else { page.refresh.filter(|seconds| *seconds > 0).unwrap_or(LIVE) },
        stamp: format!("{:x}", stamp(super::STYLE) ^ stamp(super::SCRIPT).rotate_left(1)),
    }
}

/// `servers`: whether it has any.
fn group(proxy: &Proxy, servers: bool, page: &StatsPage, admin: bool) -> Group {
    Group {
        name: proxy.name.clone(),
        id: proxy.id,
        mode: if proxy.mode == Mode::Http { "http" } else { "tcp" },
        description: page.show_desc.as_ref().and(proxy.description.clone()),
        algorithm: proxy.backend.as_ref().filter(|_| servers).map(|back| stats::algorithm(back.balance).into()),
        rows: Vec::new(),
        orders: admin && servers,
    }
}
