//! What the lowering functions fill: a section as far as it was said, names where the IR has ids.
//!
//! [`Settings`] is what a `defaults` section can say; a proxy begins with a copy of its defaults' settings.

use std::sync::Arc;

use super::checks::ChecksDraft;
use super::server::ServerDraft;
use super::stats::StatsDraft;
use super::threads::ThreadsDraft;
use crate::grammar::{Row, SectionKind};
use crate::ir::{self, Balance, Bind, KeepAlive, LogTarget, Mode, Redispatch, Splice, Timeouts};
use crate::text::Span;
use crate::units::address::Family;

/// A name said somewhere, to be looked up when all is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The word.
    pub span: Span,
}

/// An expression that is compiled when all is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDraft {
    /// Its text.
    pub text: Box<[u8]>,
    /// The word.
    pub span: Span,
}

/// A `defaults`, `frontend`, `backend` or `listen` section as far as it was read.
#[derive(Debug, Clone)]
pub struct ProxyDraft {
    /// Which section.
    pub kind: SectionKind,
    /// Its name; empty for unnamed defaults.
    pub name: String,
    /// The section line.
    pub span: Span,
    /// What defaults can say too.
    pub set: Settings,
    /// The `rate-limit sessions` that it began with.
    pub inherited_rate: u32,
    /// Whether a line of this section said something of its statistics page.
    pub own_stats: bool,
    /// The time limits that it began with.
    pub inherited: Timeouts,
    /// `id`.
    pub id: Option<(u32, Span)>,
    /// Whether it was said, and not given in order.
    pub id_given: bool,
    /// `stats http-request` rules, and where they stand.
    pub stats_rules: Vec<(ir::StatsRule, Span)>,
    /// `description`.
    pub description: Option<String>,
    /// `guid`s of it and of its parts.
    pub guids: Vec<(super::guids::Part, String, Span)>,
    /// Backends that a `default_backend` or `use_backend` names which has no effect here: haproxy looks them up.
    pub ignored_references: Vec<(&'static str, Named)>,
    /// `dispatch`, and the words that said it.
    pub dispatch: Option<(ir::ServerAddress, Span)>,
    /// Listeners, with ids and names still to be given: see [`super::bind`].
    pub binds: Vec<Bind>,
    /// The threads that `bind` lines name, in order.
    pub threads: Vec<ThreadsDraft>,
    /// Servers, in order.
    pub servers: Vec<ir::Server>,
    /// Words of `server`, `server-template` and `default-server` lines for which haproxy reserves a descriptor.
    pub reserved: u32,
    /// What is to be looked up for servers: index of the server, and what.
    pub tracks: Vec<(u32, Named)>,
    /// The `resolvers` section of servers: index of the server, and its name.
    pub resolvers: Vec<(u32, Named)>,
    /// Which family servers with a host name ask for, where they ask: index of the server, and what.
    pub families: Vec<(u32, Family)>,
    /// `id`s of servers: index of the server, the id and its word.
    pub server_ids: Vec<(u32, u32, Span)>,
    /// `stick-table`.
    pub table: Option<Box<super::tables::TableDraft>>,
    /// `server-state-file-name <file>`; `None`: by the backend's name.
    pub state_file: Option<String>,
    /// Servers with `tfo`.
    pub fast_open: Vec<Span>,
    /// Words that this version does not act on, where it is not yet known whether they would act.
    pub refused: Vec<RefusedWord>,
}

/// A word that was understood and that this version does not act on.
#[derive(Debug, Clone, Copy)]
pub struct RefusedWord {
    /// Its row.
    pub row: &'static Row,
    /// The words.
    pub span: Span,
}

/// What a `defaults` section can say.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `mode`.
    pub mode: Mode,
    /// Where it was said.
    pub mode_span: Option<Span>,
    /// `disabled`.
    pub disabled: bool,
    /// `timeout …`.
    pub timeouts: Timeouts,
    /// What only lints ask for.
    pub noted: super::lints::Noted,
    /// `log ADDRESS …`, in order.
    pub logs: Vec<LogTarget>,
    /// What `log global` found in the `global` sections above it.
    pub shared_logs: Vec<LogTarget>,
    /// `log global` was just read: its targets are still to be copied.
    pub log_global: bool,
    /// `log-tag`.
    pub log_tag: Option<String>,
    /// `option tcplog`, `option httplog` or `log-format`.
    pub session_log: Option<(SessionLogWord, Span)>,
    /// `log-format`; it holds if it is the `session_log`.
    pub log_format: Option<FormatText>,
    /// `log-format-sd`.
    pub log_format_sd: Option<FormatText>,
    /// `error-log-format`.
    pub error_log_format: Option<FormatText>,
    /// `unique-id-format`.
    pub unique_id_format: Option<FormatText>,
    /// `option dontlognull`.
    pub dont_log_null: bool,
    /// `option dontlog-normal`.
    pub dont_log_normal: bool,
    /// `option log-separate-errors`.
    pub log_separate_errors: bool,
    /// `option logasap`.
    pub log_asap: bool,
    /// `option log-health-checks`.
    pub log_health_checks: bool,
    /// `maxconn`.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `fullconn`.
    pub fullconn: Option<u32>,
    /// `rate-limit sessions`.
    pub rate_limit: u32,
    /// `default_backend`.
    pub default_backend: Option<Named>,
    /// `balance`; `None`: not said.
    pub balance: Option<Balance>,
    /// `hash-type` and `hash-balance-factor`.
    pub hash: ir::HashType,
    /// The key of `balance hash` and `rdp-cookie`.
    pub key: Option<KeyDraft>,
    /// Where `hash-type` chose `wt6`, which is not built.
    pub wt6: Option<Span>,
    /// Where `balance` chose an algorithm that needs `mode http`; in `mode tcp` it is round robin.
    pub hash_balance: Option<Span>,
    /// `retries`; `None`: not said.
    pub retries: Option<u32>,
    /// `option redispatch`.
    pub redispatch: Redispatch,
    /// `option allbackups`.
    pub all_backups: bool,
    /// `option abortonclose`.
    pub abort_on_close: bool,
    /// `option nolinger`.
    pub nolinger: bool,
    /// `option tcpka`.
    pub tcpka: bool,
    /// `option clitcpka` and its numbers.
    pub client_keep_alive: KeepAlive,
    /// `option srvtcpka` and its numbers.
    pub server_keep_alive: KeepAlive,
    /// `option splice-*`.
    pub splice: Splice,
    /// `option socket-stats`.
    pub socket_stats: bool,
    /// `option contstats`.
    pub contstats: bool,
    /// `option tcp-smart-accept`; `None`: by mode.
    pub smart_accept: Option<bool>,
    /// `option tcp-smart-connect`.
    pub smart_connect: bool,
    /// `source`.
    pub source: Option<ir::SourceAddress>,
    /// `option transparent`: where it was said.
    pub transparent: Option<Span>,
    /// `default-server`; shared until a section changes it.
    pub default_server: Arc<ServerDraft>,
    /// `stats …`; `None`: nothing was said.
    pub stats: Option<Box<StatsDraft>>,
    /// `option tcp-check` and its like, and their rules.
    pub checks: ChecksDraft,
    /// `load-server-state-from-file`; it ends what defaults say.
    pub states_from: StatesFrom,
    /// `acl`: by name, the lines of each.
    pub acls: crate::expr::Acls,
    /// What `acl`s and rules ask for that is not built.
    pub unbuilt: Vec<super::error::Blame>,
    /// `option persist`.
    pub option_persist: bool,
    /// `stick`, `use-server` and their neighbours, with names still to be looked up.
    pub persistence: super::persistence::PersistenceDraft,
    /// The captures that are declared, by lines of their own or by rules.
    pub captures: ir::Captures,
    /// Rules, with names still to be looked up.
    pub rules: super::rules::RulesDraft,
    /// `http-request` rules that are built, and where they stand.
    pub http_rules: Vec<(ir::HttpRule, Span)>,
    /// `errorfile`s, the last one of a status wins.
    pub error_files: Vec<ir::ErrorFile>,
    /// Refused words of defaults that act, if at all, only in a proxy that inherits them.
    pub refused: Vec<RefusedWord>,
}

/// Where the states of a backend's servers are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatesFrom {
    /// `none`.
    #[default]
    Nowhere,
    /// `global`: from `server-state-file`.
    Global,
    /// `local`: from a file of the backend's own.
    Local,
}

/// Which session log line a proxy asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionLogWord {
    /// `option tcplog`.
    Tcp,
    /// `option httplog`.
    Http,
    /// `option httplog clf`.
    HttpClf,
    /// `option httpslog`.
    Https,
    /// `log-format`.
    Custom,
}

/// The text of a log format: it is read when the mode of the proxy is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatText {
    /// The keyword.
    pub keyword: &'static str,
    /// The word as it is after quotes and escapes.
    pub text: Arc<[u8]>,
    /// The word.
    pub span: Span,
}

/// Whether clients connect to such a section.
pub(super) fn is_frontend(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::Frontend | SectionKind::Listen)
}

/// Whether such a section has servers.
pub(super) fn is_backend(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::Backend | SectionKind::Listen)
}

impl ProxyDraft {
    /// A section that begins with these settings.
    pub fn new(kind: SectionKind, name: String, span: Span, mut set: Settings) -> Self {
        set.checks.inherited();
        Self {
            kind,
            name,
            span,
            own_stats: false,
            inherited_rate: set.rate_limit,
            inherited: set.timeouts,
            set,
            id: None,
            id_given: false,
            guids: Vec::new(),
            stats_rules: Vec::new(),
            description: None,
            ignored_references: Vec::new(),
            dispatch: None,
            binds: Vec::new(),
            threads: Vec::new(),
            reserved: 0,
            servers: Vec::new(),
            tracks: Vec::new(),
            resolvers: Vec::new(),
            families: Vec::new(),
            server_ids: Vec::new(),
            table: None,
            state_file: None,
            fast_open: Vec::new(),
            refused: Vec::new(),
        }
    }
}
