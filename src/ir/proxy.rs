//! Frontends, backends and both in one.

use std::sync::Arc;

use super::check::Script;
use super::{
    Bind, Captures, External, Formats, Forward, HttpRule, LogMoment, LogTarget, Persistence, Rules, Server, SessionLog,
    StatsPage,
};
use crate::expr::Expr;
use crate::text::Span;
use crate::units::Millis;

/// Index of a proxy in [`super::Config::proxies`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxyIx(pub u32);

/// What a proxy forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Bytes.
    #[default]
    Tcp,
    /// HTTP: in this version only the statistics page.
    Http,
}

/// Which section a proxy came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyKind {
    /// `frontend`.
    Frontend,
    /// `backend`.
    Backend,
    /// `listen`: both.
    Listen,
}

/// One `frontend`, `backend` or `listen` section with its defaults folded in.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Name, ASCII.
    pub name: String,
    /// Id, explicit or given in order (as haproxy's: see `show stat`, column iid).
    pub id: u32,
    /// Whether the id is explicit.
    pub id_given: bool,
    /// Which section.
    pub kind: ProxyKind,
    /// TCP or HTTP.
    pub mode: Mode,
    /// `disabled`.
    pub disabled: bool,
    /// `description`.
    pub description: Option<String>,
    /// Time limits; each `None` means none.
    pub timeouts: Timeouts,
    /// `log` lines, with `log global` replaced by the process's.
    pub logs: Vec<LogTarget>,
    /// `log-tag`.
    pub log_tag: Option<String>,
    /// Which line a session gets.
    pub session_log: SessionLog,
    /// When that line is written.
    pub log_moment: LogMoment,
    /// `log-format` and its kin.
    pub formats: Option<Box<Formats>>,
    /// `option dontlognull`.
    pub dont_log_null: bool,
    /// `option dontlog-normal`.
    pub dont_log_normal: bool,
    /// `option log-separate-errors`.
    pub log_separate_errors: bool,
    /// `option logasap`.
    pub log_asap: bool,
    /// The client side, for `frontend` and `listen`.
    pub frontend: Option<Frontend>,
    /// The server side, for `backend` and `listen`.
    pub backend: Option<Backend>,
    /// `stats enable` and its companions.
    pub stats: Option<StatsPage>,
    /// Rules about connections and what they say.
    pub rules: Rules,
    /// `http-request` rules: only of `mode http`.
    pub http_rules: Vec<HttpRule>,
    /// `errorfile`s, one a status: what the statistics page answers instead of its own.
    pub error_files: Vec<ErrorFile>,
    /// The section line.
    pub span: Span,
}

/// One `errorfile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorFile {
    /// The HTTP status that it stands for.
    pub status: u16,
    /// The whole answer as it goes to the client, status line included.
    pub answer: Arc<[u8]>,
}

/// Time limits of a proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub struct Timeouts {
    pub client: Option<Millis>,
    pub client_fin: Option<Millis>,
    /// `timeout client-hs`: until a PROXY header has come; default `timeout client`.
    pub client_hs: Option<Millis>,
    pub connect: Option<Millis>,
    pub server: Option<Millis>,
    pub server_fin: Option<Millis>,
    pub queue: Option<Millis>,
    pub check: Option<Millis>,
    pub tunnel: Option<Millis>,
    pub http_request: Option<Millis>,
    pub http_keep_alive: Option<Millis>,
}

/// The client side of a proxy.
#[derive(Debug, Clone, Default)]
pub struct Frontend {
    /// All addresses.
    pub binds: Vec<Bind>,
    /// Connections at once.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// The captures that its sessions can have.
    pub captures: Captures,
    /// `default_backend`; a `listen` without one is its own backend.
    pub default_backend: Option<ProxyIx>,
    /// Keep-alive probes on the client side.
    pub keep_alive: KeepAlive,
    /// `option nolinger` as it acts on the client side.
    pub nolinger: bool,
    /// `rate-limit sessions`; 0: none.
    pub rate_limit: u32,
    /// `option splice-*`: pipes are reserved for them.
    pub splice: Splice,
    /// `option socket-stats`: each listener has a row of its own.
    pub socket_stats: bool,
    /// `option contstats`: bytes count when they move, not when the session ends.
    pub contstats: bool,
    /// `option tcp-smart-accept`, by itself on in `mode http`: the handshake is not acknowledged before there is something to say.
    pub smart_accept: bool,
}

/// TCP keep-alive of one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// `option tcpka`, `clitcpka` or `srvtcpka`.
    pub on: bool,
    /// Probes before giving up.
    pub count: Option<u32>,
    /// Idle time before the first probe, in seconds.
    pub idle: Option<u32>,
    /// Time between probes, in seconds.
    pub interval: Option<u32>,
}

/// When the kernel may move bytes without showing them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Splice {
    /// `option splice-request` (or automatic choice).
    pub request: bool,
    /// `option splice-response` (or automatic choice).
    pub response: bool,
    /// `option splice-auto`.
    pub auto: bool,
}

/// `option redispatch [N]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Redispatch {
    /// Off.
    #[default]
    Never,
    /// At the last retry (the plain option, and -1).
    Last,
    /// At every N-th retry.
    Every(u32),
    /// At the N-th retry counted from the last.
    FromLast(u32),
}

/// How a backend chooses a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub enum Balance {
    #[default]
    RoundRobin,
    StaticRr,
    LeastConn,
    First,
    Source,
    /// `hash`: by [`Backend::key`].
    Hash,
    /// By [`Backend::key`], which finds the cookie.
    RdpCookie,
    /// `random(n)`: the best of n draws; default 2.
    Random(u32),
}

impl Balance {
    /// Whether it goes by a key of the session.
    pub fn is_keyed(self) -> bool {
        matches!(self, Self::Source | Self::Hash | Self::RdpCookie)
    }
}

/// How a key becomes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names are the keyword's")]
pub enum HashFunction {
    #[default]
    Sdbm,
    Djb2,
    /// Not built: where it would act it is an alert.
    Wt6,
    Crc32,
    /// The key is a number (3.0).
    None,
}

/// `hash-preserve-affinity` (3.2): when a key leaves the server that it chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Affinity {
    /// Never.
    #[default]
    Always,
    /// When the server has as many sessions as it may have.
    Maxconn,
    /// When its queue is full, too.
    Maxqueue,
}

/// How a key becomes a server: `hash-type`, `hash-balance-factor` and `hash-preserve-affinity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HashType {
    /// A ring of points instead of a table of servers.
    pub consistent: bool,
    /// What makes a number of a key that is no address.
    pub function: HashFunction,
    /// Whether the number is mixed before it is looked up.
    pub avalanche: bool,
    /// The most sessions of a server of a ring, in percent of the average; 0: no limit.
    pub factor: u32,
    /// What a full server means.
    pub affinity: Affinity,
}

/// The server side of a proxy.
#[derive(Debug, Clone, Default)]
pub struct Backend {
    /// How a server is chosen.
    pub balance: Balance,
    /// How a key becomes a server.
    pub hash: HashType,
    /// What the key is, for `balance hash` and `rdp-cookie`.
    pub key: Option<Arc<Expr>>,
    /// `option persist`: a server that rules chose is tried though it is down, and nobody leaves its queue.
    pub persist: bool,
    /// What brings a session back to its server; `None`: nothing.
    pub persistence: Option<Arc<Persistence>>,
    /// All servers; [`super::ServerIx`] counts here.
    pub servers: Vec<Server>,
    /// `dispatch` or `option transparent` where nothing balances: no server gets a session then.
    pub forward: Option<Forward>,
    /// `fullconn`.
    pub fullconn: Option<u32>,
    /// `retries`; default 3.
    pub retries: u32,
    /// `option redispatch`.
    pub redispatch: Redispatch,
    /// `option allbackups`.
    pub all_backups: bool,
    /// `option abortonclose`.
    pub abort_on_close: bool,
    /// `option tcp-smart-connect`: a PROXY header goes out with the acknowledgment of the handshake.
    pub smart_connect: bool,
    /// `option nolinger` as it acts on the server side.
    pub nolinger: bool,
    /// Keep-alive probes on the server side.
    pub keep_alive: KeepAlive,
    /// `option splice-*`.
    pub splice: Splice,
    /// `option log-health-checks`.
    pub log_health_checks: bool,
    /// What checks of its servers do beyond connecting; `None`: nothing, and connecting is told as such.
    pub check: Option<Arc<Script>>,
    /// The program that checks its servers, for `option external-check`.
    pub external: Option<Arc<External>>,
}
