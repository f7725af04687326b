//! The columns of `show stat`, in order: 2.6's 103, then those that were added up to 3.4.
//!
//! What baton does not have yet (compression, cache, agent checks, idle connections) is zero or empty where
//! haproxy's value would be when it is not used. Order is part of the contract: tools go by position.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;

use super::subject::{Kind, Subject};
use super::value::{Cell, Tags, Value, large, small, text};
use std::net::SocketAddr;

use crate::ir::{Balance, Endpoint, Mode, Proxy, Server, ServerAddress};
use crate::pool::{
    AgentView, BackState, BackView, CheckStatus, FrontState, ListenerState, ServerState, ServerView, Times,
};

/// One column.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) tags: Tags,
    /// The tags of a backend's value where they differ.
    pub(super) back_tags: Tags,
    /// Its value for an object.
    pub(super) value: for<'a> fn(&'a Subject<'a>) -> Cell<'a>,
}

const fn col(name: &'static str, tags: &'static str, value: for<'a> fn(&'a Subject<'a>) -> Cell<'a>) -> Column {
    Column { name, tags: Tags(tags), back_tags: Tags(tags), value }
}

const fn but_backends(column: Column, tags: &'static str) -> Column {
    Column { back_tags: Tags(tags), ..column }
}

fn nothing<'a>(_: &'a Subject<'a>) -> Cell<'a> {
    None
}

/// Zero for frontends and backends.
fn zero_fb<'a>(s: &'a Subject<'a>) -> Cell<'a> {
    if matches!(s.kind, Kind::Front(_) | Kind::Back { .. }) { large(0u32) } else { None }
}

/// A counter of a listener, or of another kind of object.
fn listener<'a>(
    s: &'a Subject<'a>,
    own: fn(&ListenerState) -> Cell<'a>,
    other: fn(&'a Subject<'a>) -> Cell<'a>,
) -> Cell<'a> {
    if let Kind::Listener { state, .. } = &s.kind { own(state) } else { other(s) }
}

/// Zero for frontends.
fn zero_f<'a>(s: &'a Subject<'a>) -> Cell<'a> {
    if matches!(s.kind, Kind::Front(_)) { large(0u32) } else { None }
}

/// Zero for frontends and backends in `mode http`.
fn zero_http<'a>(s: &'a Subject<'a>) -> Cell<'a> {
    if s.proxy.mode == Mode::Http { zero_fb(s) } else { None }
}

/// Zero for servers and backends.
fn zero_sb<'a>(s: &'a Subject<'a>) -> Cell<'a> {
    if matches!(s.kind, Kind::Server { .. } | Kind::Back { .. }) { large(0u32) } else { None }
}

/// Zero for servers.
fn gauge_s<'a>(s: &'a Subject<'a>) -> Cell<'a> {
    if matches!(s.kind, Kind::Server { .. }) { small(0u32) } else { None }
}

/// Zero for backends.
fn gauge_b<'a>(s: &'a Subject<'a>) -> Cell<'a> {
    if matches!(s.kind, Kind::Back { .. }) { small(0u32) } else { None }
}

/// Answers of a class, in `mode http`.
fn answers<'a>(s: &Subject<'a>, class: usize) -> Cell<'a> {
    match &s.kind {
        _ if s.proxy.mode != Mode::Http => None,
        Kind::Front(state) => large(state.answers[class].get()),
        Kind::Back { state, .. } => large(state.answers[class].get()),
        Kind::Server { .. } | Kind::Listener { .. } => None,
    }
}

fn times<'a>(s: &'a Subject<'a>) -> Option<&'a Times> {
    match &s.kind {
        Kind::Front(_) | Kind::Listener { .. } => None,
        Kind::Server { state, .. } => Some(&state.times),
        Kind::Back { state, .. } => Some(&state.times),
    }
}

fn is_http(proxy: &Proxy) -> bool {
    proxy.mode == Mode::Http
}

/// Requests of a frontend that it answered itself. The only other answers there are today say that nobody is there
/// (503) or that the request was none.
fn intercepted(state: &FrontState) -> u64 {
    let others = state.answers[4].get() + state.request_errors.get();
    state.requests_total.get().saturating_sub(others)
}

/// The name of an algorithm.
pub(crate) fn algorithm(balance: Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "roundrobin",
        Balance::StaticRr => "static-rr",
        Balance::LeastConn => "leastconn",
        Balance::First => "first",
        Balance::Source => "source",
        Balance::Hash => "hash",
        Balance::RdpCookie => "rdp-cookie",
        Balance::Random(_) => "random",
    }
}

/// `addr:port`, `[addr]:port` or `unix`; nothing while it is unknown. A port that follows the client's is its offset, as
/// in 16 bits.
pub(crate) fn address(server: &Server) -> Option<String> {
    match &server.address {
        ServerAddress::Inet(address) => {
            let port = server.port_offset.map_or(address.port(), |offset| offset as u16);
            Some(SocketAddr::new(address.ip(), port).to_string())
        }
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) => Some("unix".into()),
        ServerAddress::SockPair(_) | ServerAddress::Unresolved { .. } => None,
    }
}

/// Where a listener is, as [`address`]. Of an inherited one it is not known here.
fn endpoint(endpoint: &Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Inet(address) => Some(address.to_string()),
        Endpoint::Unix(_) | Endpoint::Abstract(_) => Some("unix".into()),
        Endpoint::Fd(_) | Endpoint::SockPair(_) => None,
    }
}

/// What the last check found; a star in front while the next one runs.
fn star(status: CheckStatus, running: bool) -> Cow<'static, str> {
    let word = status.word();
    if running { format!("* {word}").into() } else { word.into() }
}

/// Nothing for this kind of object.
fn none<'a, T>(_: &T) -> Cell<'a> {
    None
}

/// A counter of each kind of object: frontend, server, backend.
fn by<'a>(
    s: &Subject<'_>,
    front: fn(&FrontState) -> Cell<'a>,
    server: fn(&ServerState) -> Cell<'a>,
    back: fn(&BackState) -> Cell<'a>,
) -> Cell<'a> {
    match &s.kind {
        Kind::Front(state) => front(state),
        Kind::Listener { .. } => None,
        Kind::Server { state, .. } => server(state),
        Kind::Back { state, .. } => back(state),
    }
}

/// What checks and orders made of a server, or of a backend.
fn seen<'a>(
    s: &'a Subject<'a>,
    server: fn(&'a ServerView) -> Cell<'a>,
    back: fn(&'a BackView) -> Cell<'a>,
) -> Cell<'a> {
    match &s.kind {
        Kind::Front(_) | Kind::Listener { .. } => None,
        Kind::Server { view, .. } => server(view),
        Kind::Back { view, .. } => back(view),
    }
}

/// What checks and orders made of a server.
fn server<'a>(s: &'a Subject<'a>, value: fn(&'a ServerView) -> Cell<'a>) -> Cell<'a> {
    seen(s, value, |_| None)
}

/// What its agent made of a server.
fn agent<'a>(s: &'a Subject<'a>, value: fn(&'a AgentView) -> Cell<'a>) -> Cell<'a> {
    if let Kind::Server { view, .. } = &s.kind { view.agent.as_ref().and_then(value) } else { None }
}

/// Where a column stands.
pub(crate) fn position(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| column.name == name)
}

/// What the column at this place holds for an object.
pub(crate) fn cell<'a>(position: usize, subject: &'a Subject<'a>) -> Cell<'a> {
    COLUMNS.get(position).and_then(|column| (column.value)(subject))
}

#[rustfmt::skip]
pub(super) const COLUMNS: [Column; 118] = [
    col("pxname", "KNS", |s| text(s.proxy.name.as_str())),
    col("svname", "KNS", |s| text(s.name())),
    col("qcur", "MGP", |s| by(s, none, |v| small(v.queue.get()), |b| small(b.queue.get()))),
    col("qmax", "MMP", |s| by(s, none, |v| small(v.queue.max()), |b| small(b.queue.max()))),
    col("scur", "MGP", |s| listener(s, |l| small(l.sessions.get()), |s| by(s, |f| small(f.sessions.get()), |v| small(v.sessions.get()), |b| small(b.sessions.get())))),
    col("smax", "MMP", |s| listener(s, |l| small(l.sessions.max()), |s| by(s, |f| small(f.sessions.max()), |v| small(v.sessions.max()), |b| small(b.sessions.max())))),
    col("slim", "CLP", |s| s.session_limit().map(Value::U32)),
    col("stot", "MCP", |s| listener(s, |l| large(l.sessions_total.get()), |s| by(s, |f| large(f.sessions_total.get()), |v| large(v.sessions_total.get()), |b| large(b.sessions_total.get())))),
    col("bin", "MCP", |s| listener(s, |l| large(l.bytes_in.get()), |s| by(s, |f| large(f.bytes_in.get()), |v| large(v.bytes_in.get()), |b| large(b.bytes_in.get())))),
    col("bout", "MCP", |s| listener(s, |l| large(l.bytes_out.get()), |s| by(s, |f| large(f.bytes_out.get()), |v| large(v.bytes_out.get()), |b| large(b.bytes_out.get())))),
    col("dreq", "MCP", |s| listener(s, |l| large(l.denied_requests.get()), |s| by(s, |f| large(f.denied_requests.get()), none, |b| large(b.denied_requests.get())))),
    col("dresp", "MCP", |s| listener(s, |l| large(l.denied_responses.get()), |s| by(s, |f| large(f.denied_responses.get()), |v| large(v.denied_responses.get()), |b| large(b.denied_responses.get())))),
    col("ereq", "MCP", |s| listener(s, |_| large(0u32), |s| by(s, |f| large(f.request_errors.get()), none, none))),
    col("econ", "MCP", |s| by(s, none, |v| large(v.connect_errors.get()), |b| large(b.connect_errors.get()))),
    col("eresp", "MCP", |s| by(s, none, |v| large(v.response_errors.get()), |b| large(b.response_errors.get()))),
    col("wretr", "MCP", |s| by(s, none, |v| large(v.retries.get()), |b| large(b.retries.get()))),
    col("wredis", "MCP", |s| by(s, none, |v| large(v.redispatches.get()), |b| large(b.redispatches.get()))),
    col("status", "SGP", |s| text(s.status())),
    col("weight", "MaP", |s| seen(s, |v| small(v.weight), |b| small(b.weight))),
    but_backends(col("act", "SGP", |s| seen(s, |v| small(u32::from(!v.backup)), |b| small(b.active))), "MGP"),
    but_backends(col("bck", "SGP", |s| seen(s, |v| small(u32::from(v.backup)), |b| small(b.backup))), "MGP"),
    col("chkfail", "MCP", |s| server(s, |v| v.failures.as_ref().map(|f| Value::U64(f.checks)))),
    col("chkdown", "MCP", |s| seen(s, |v| v.failures.as_ref().map(|f| Value::U64(f.downs.into())), |b| large(b.downs))),
    col("lastchg", "MAP", |s| seen(s, |v| small(v.last_change), |b| small(b.last_change))),
    col("downtime", "MCP", |s| match &s.kind {
        Kind::Front(_) | Kind::Listener { .. } => None,
        Kind::Server { view, .. } => view.failures.as_ref().and_then(|f| small(f.downtime)),
        // A backend that has no server cannot be down.
        Kind::Back { view, .. } => if view.servers == 0 { None } else { small(view.downtime) },
    }),
    col("qlimit", "CGS", |s| server(s, |v| v.queue_limit.map(Value::U32))),
    col("pid", "KGP", |_| small(1u32)), // the number of the process, not its pid: there is one
    col("iid", "KGS", |s| small(s.proxy.id)),
    col("sid", "KGS", |s| small(match &s.kind { Kind::Server { server, .. } => server.id, Kind::Listener { bind, .. } => bind.id, _ => 0 })),
    col("throttle", "MaP", |s| server(s, |v| v.throttle.map(|percent| Value::U32(percent.into())))),
    col("lbtot", "MCP", |s| by(s, none, |v| large(v.picked_total.get()), |b| large(b.picked_total.get()))),
    col("tracked", "CNS", |s| if let Kind::Server { view, .. } = &s.kind { view.tracked.as_deref().and_then(text) } else { None }),
    col("type", "CGS", |s| small(match &s.kind { Kind::Front(_) => 0u32, Kind::Back { .. } => 1, Kind::Server { .. } => 2, Kind::Listener { .. } => 3 })),
    but_backends(col("rate", "MRP", |s| match &s.kind {
        Kind::Listener { .. } => None,
        Kind::Front(state) => small(state.session_rate.get(s.now)),
        Kind::Server { state, .. } => small(state.session_rate.get(s.now)),
        Kind::Back { state, .. } => small(state.session_rate.get(s.now)),
    }), "MGP"),
    col("rate_lim", "CLP", |s| match &s.kind {
        Kind::Front(_) => small(s.proxy.frontend.as_ref().map_or(0, |front| front.rate_limit)),
        _ => None,
    }),
    but_backends(col("rate_max", "MMP", |s| by(s, |f| small(f.session_rate.max()), |v| small(v.session_rate.max()), |b| small(b.session_rate.max()))), "MGP"),
    col("check_status", "MOP", |s| server(s, |v| v.check.as_ref().and_then(|c| text(star(c.status, c.running))))),
    col("check_code", "MOP", |s| server(s, |v| v.check.as_ref().and_then(|c| c.code).and_then(small))),
    col("check_duration", "MDP", |s| server(s, |v| v.check.as_ref().and_then(|c| c.duration).and_then(large))),
    col("hrsp_1xx", "MCP", |s| answers(s, 0)),
    col("hrsp_2xx", "MCP", |s| answers(s, 1)),
    col("hrsp_3xx", "MCP", |s| answers(s, 2)),
    col("hrsp_4xx", "MCP", |s| answers(s, 3)),
    col("hrsp_5xx", "MCP", |s| answers(s, 4)),
    col("hrsp_other", "MCP", |s| answers(s, 5)),
    col("hanafail", "MCP", |s| server(s, |v| v.observed_failures.and_then(large))),
    col("req_rate", "MRP", |s| if let Kind::Front(state) = &s.kind { small(state.request_rate.get(s.now)) } else { None }),
    col("req_rate_max", "MMP", |s| by(s, |f| small(f.request_rate.max()), none, none)),
    col("req_tot", "MCP", |s| match &s.kind {
        Kind::Front(state) => large(state.requests_total.get()),
        Kind::Back { state, .. } if is_http(s.proxy) => large(state.requests_total.get()),
        _ => None,
    }),
    col("cli_abrt", "MCP", |s| by(s, none, |v| large(v.client_aborts.get()), |b| large(b.client_aborts.get()))),
    col("srv_abrt", "MCP", |s| by(s, none, |v| large(v.server_aborts.get()), |b| large(b.server_aborts.get()))),
    col("comp_in", "MCP", zero_fb),
    col("comp_out", "MCP", zero_fb),
    col("comp_byp", "MCP", zero_fb),
    col("comp_rsp", "MCP", zero_fb),
    col("lastsess", "MAP", |s| match s.kind {
        Kind::Front(_) | Kind::Listener { .. } => None,
        _ => Some(Value::S32(s.last_session().map_or(-1, |ago| i32::try_from(ago).unwrap_or(i32::MAX)))),
    }),
    col("last_chk", "MOP", |s| server(s, |v| v.check.as_ref().and_then(|c| text(c.detail.as_deref().unwrap_or_default())))),
    col("last_agt", "MOP", |s| agent(s, |a| text(a.detail.as_deref().unwrap_or_default()))),
    col("qtime", "MaP", |s| times(s).and_then(|t| small(t.averages()[0]))),
    col("ctime", "MaP", |s| times(s).and_then(|t| small(t.averages()[1]))),
    col("rtime", "MaP", |s| times(s).and_then(|_| small(0u32))),
    col("ttime", "MaP", |s| times(s).and_then(|t| small(t.averages()[2]))),
    col("agent_status", "MOP", |s| agent(s, |a| text(star(a.status, a.running)))),
    col("agent_code", "MOP", |s| agent(s, |a| a.code.and_then(small))),
    col("agent_duration", "MDP", |s| agent(s, |a| large(a.duration))),
    col("check_desc", "MOP", |s| server(s, |v| v.check.as_ref().and_then(|c| text(c.status.description())))),
    col("agent_desc", "MOP", |s| agent(s, |a| text(a.status.description()))),
    col("check_rise", "CGS", |s| server(s, |v| v.check.as_ref().and_then(|c| small(c.health.rise())))),
    col("check_fall", "CGS", |s| server(s, |v| v.check.as_ref().and_then(|c| small(c.health.fall())))),
    col("check_health", "CGS", |s| server(s, |v| v.check.as_ref().and_then(|c| small(c.health.level())))),
    col("agent_rise", "CGS", |s| agent(s, |_| small(1u32))),
    col("agent_fall", "CGS", |s| agent(s, |_| small(1u32))),
    col("agent_health", "CGS", |s| agent(s, |a| small(u32::from(a.up)))),
    col("addr", "CGS", |s| match &s.kind {
        _ if !s.legends => None,
        Kind::Server { server, .. } => address(server).and_then(text),
        Kind::Listener { bind, .. } => endpoint(&bind.endpoint).and_then(text),
        _ => None,
    }),
    col("cookie", "CNS", nothing),
    col("mode", "CGS", |s| text(if is_http(s.proxy) { "http" } else { "tcp" })),
    col("algo", "CGS", |s| if let Kind::Back { back, .. } = &s.kind && s.legends { text(algorithm(back.balance)) } else { None }),
    col("conn_rate", "MRP", |s| if let Kind::Front(state) = &s.kind { small(state.connection_rate.get(s.now)) } else { None }),
    col("conn_rate_max", "MMP", |s| by(s, |f| small(f.connection_rate.max()), none, none)),
    col("conn_tot", "MCP", |s| by(s, |f| large(f.connections_total.get()), none, none)),
    col("intercepted", "MCP", |s| match &s.kind {
        Kind::Front(state) if is_http(s.proxy) => large(intercepted(state)),
        _ => None,
    }),
    col("dcon", "MCP", |s| listener(s, |l| large(l.denied_connections.get()), |s| by(s, |f| large(f.denied_connections.get()), none, none))),
    col("dses", "MCP", |s| listener(s, |l| large(l.denied_sessions.get()), |s| by(s, |f| large(f.denied_sessions.get()), none, none))),
    col("wrew", "MCP", |_| large(0u32)),
    col("connect", "MCP", |s| match &s.kind {
        Kind::Front(_) | Kind::Listener { .. } => None,
        Kind::Server { state, .. } => large(state.picked_total.get() + state.retries.get()),
        Kind::Back { state, .. } => large(state.picked_total.get() + state.retries.get()),
    }),
    col("reuse", "MCP", zero_sb),
    col("cache_lookups", "MCP", zero_http),
    col("cache_hits", "MCP", zero_http),
    col("srv_icur", "MGP", gauge_s),
    col("src_ilim", "CLP", nothing),
    col("qtime_max", "MMP", |s| times(s).and_then(|t| small(t.queue_max.load(Relaxed)))),
    col("ctime_max", "MMP", |s| times(s).and_then(|t| small(t.connect_max.load(Relaxed)))),
    col("rtime_max", "MMP", |s| times(s).and_then(|_| small(0u32))),
    col("ttime_max", "MMP", |s| times(s).and_then(|t| small(t.total_max.load(Relaxed)))),
    col("eint", "MCP", |_| large(0u32)),
    col("idle_conn_cur", "MGP", gauge_s),
    col("safe_conn_cur", "MGP", gauge_s),
    col("used_conn_cur", "MGP", gauge_s),
    col("need_conn_est", "MGP", gauge_s),
    col("uweight", "MaP", |s| match &s.kind {
        Kind::Front(_) | Kind::Listener { .. } => None,
        Kind::Server { view, .. } => small(view.user_weight),
        Kind::Back { view, .. } => small(view.weight),
    }),
    col("agg_server_status", "MGP", gauge_b),
    col("agg_server_check_status", "MGP", gauge_b),
    col("agg_check_status", "MGP", gauge_b),
    // From here on: 2.7 to 3.4.
    col("srid", "KGS", |s| if let Kind::Server { .. } = &s.kind { small(0u32) } else { None }),
    col("sess_other", "MCP", |s| sessions_of(s, Mode::Tcp)),
    col("h1sess", "MCP", |s| sessions_of(s, Mode::Http)),
    col("h2sess", "MCP", zero_f),
    col("h3sess", "MCP", zero_f),
    col("req_other", "MCP", zero_f),
    col("h1req", "MCP", |s| match &s.kind {
        Kind::Front(state) => large(if is_http(s.proxy) { state.requests_total.get() } else { 0 }),
        _ => None,
    }),
    col("h2req", "MCP", zero_f),
    col("h3req", "MCP", zero_f),
    col("proto", "CGS", nothing),
    col("priv_idle_cur", "MGP", gauge_s),
    col("reqbin", "MCP", |s| by(s, |f| large(f.bytes_in.get()), |v| large(v.bytes_in.get()), |b| large(b.bytes_in.get()))),
    col("reqbout", "MCP", |s| by(s, |f| large(f.bytes_in.get()), |v| large(v.bytes_in.get()), |b| large(b.bytes_in.get()))),
    col("resbin", "MCP", |s| by(s, |f| large(f.bytes_out.get()), |v| large(v.bytes_out.get()), |b| large(b.bytes_out.get()))),
    col("resbout", "MCP", |s| by(s, |f| large(f.bytes_out.get()), |v| large(v.bytes_out.get()), |b| large(b.bytes_out.get()))),
];

fn sessions_of<'a>(s: &Subject<'a>, mode: Mode) -> Cell<'a> {
    match &s.kind {
        Kind::Front(state) => large(if s.proxy.mode == mode { state.sessions_total.get() } else { 0 }),
        _ => None,
    }
}
