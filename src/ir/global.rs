//! What holds for the whole process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::{Endpoint, FilePermissions, Guid, LogTarget, Preloaded, VariableSizes};
use crate::expr::{Value, VarName};
use crate::text::Span;
use crate::units::Millis;

/// The `global` section, complete.
#[derive(Debug, Clone, Default)]
pub struct Global {
    /// `daemon`.
    pub daemon: bool,
    /// `debug`, an old word for `-d`.
    pub debug: bool,
    /// `maxconn`; `None`: derived from the descriptor limit.
    pub maxconn: Option<u32>,
    /// `nbthread`; `None`: the processors.
    pub nbthread: Option<u16>,
    /// `pidfile`; `-p` wins.
    pub pidfile: Option<PathBuf>,
    /// What to become before the first byte from outside.
    pub drop_to: DropTo,
    /// Descriptor limits.
    pub rlimits: Rlimits,
    /// Descriptors that haproxy reserves for words of lines that are about servers, besides those of checks.
    pub reserved: u32,
    /// `log` lines of the process, taken by `log global`.
    pub logs: Vec<LogTarget>,
    /// `ring` sections.
    pub rings: Vec<super::Ring>,
    /// `resolvers` sections, in order.
    pub resolvers: Vec<super::Resolvers>,
    /// `peers` sections, in order.
    pub peers: Vec<super::Peers>,
    /// `log-tag`.
    pub log_tag: Option<String>,
    /// `log-send-hostname`: `Some(None)` takes this host's name.
    pub log_send_hostname: Option<Option<String>>,
    /// `stats socket` lines.
    pub stats_sockets: Vec<StatsSocket>,
    /// `stats timeout`; default 10 s.
    pub stats_timeout: Option<Millis>,
    /// `stats maxconn`; default 10.
    pub stats_maxconn: Option<u32>,
    /// `hard-stop-after`.
    pub hard_stop_after: Option<Millis>,
    /// `close-spread-time`: over how long sessions that are to be cut are cut; `None`: at once.
    pub close_spread: Option<CloseSpread>,
    /// `grace`: the time between the order to stop and the stop.
    pub grace: Option<Millis>,
    /// `spread-checks`, in percent.
    pub spread_checks: u8,
    /// `max-spread-checks`.
    pub max_spread_checks: Option<Millis>,
    /// `node` name.
    pub node: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `quiet`.
    pub quiet: bool,
    /// `zero-warning`.
    pub zero_warning: bool,
    /// `nosplice` or `-dS`.
    pub no_splice: bool,
    /// `noreuseport` or `-dR`.
    pub no_reuseport: bool,
    /// `pp2-never-send-local`: checks send PROXY where they are to send LOCAL.
    pub never_send_local: bool,
    /// `tune.stick-counters`: how many entries of stick tables a session can track.
    pub stick_counters: Option<u32>,
    /// `tune.bufsize`, in bytes.
    pub bufsize: Option<u32>,
    /// `tune.maxrewrite`, in bytes: what is kept free of a buffer that rules look at.
    pub maxrewrite: Option<u32>,
    /// `cpu-map`: the processors of each thread, counted from 0, that is bound.
    pub cpu_map: BTreeMap<u16, Vec<u16>>,
    /// `set-dumpable`.
    pub dumpable: bool,
    /// `insecure-setuid-wanted`: programs that are started may gain rights by their set-user-id bit.
    pub allow_setuid: bool,
    /// `external-check`: programs may check servers; `Some(true)`: they get the variables of this process, too.
    pub external_checks: Option<bool>,
    /// `insecure-fork-wanted`: haproxy may start programs.
    pub fork_wanted: bool,
    /// `maxconnrate`: connections of all frontends per second; 0: no limit.
    pub max_connection_rate: u32,
    /// `maxsessrate`: sessions of all frontends per second; 0: no limit.
    pub max_session_rate: u32,
    /// `tune.rcvbuf.client`, `tune.sndbuf.client`.
    pub client_buffers: SocketBuffers,
    /// `tune.rcvbuf.server`, `tune.sndbuf.server`.
    pub server_buffers: SocketBuffers,
    /// `maxpipes`; `None`: what connections may need.
    pub max_pipes: Option<u32>,
    /// `master-worker`, and `program` sections.
    pub master: MasterWorker,
    /// `tune.maxaccept`.
    pub maxaccept: Option<u32>,
    /// All that has a guid, in the order of the file.
    pub guids: Vec<Guid>,
    /// `userlist` sections.
    pub userlists: Vec<super::Userlist>,
    /// `set-var`, `set-var-fmt`: variables of the process, and what they are at the start.
    pub variables: Vec<(VarName, Value<'static>)>,
    /// `tune.vars.…-max-size`.
    pub variable_sizes: VariableSizes,
    /// What `stats-file` says of them.
    pub preloaded: Vec<Preloaded>,
}

/// What the master process is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MasterWorker {
    /// `master-worker`: there is one, as with `-W`.
    pub wanted: bool,
    /// `no-exit-on-failure`: a worker or program that fails takes nobody with it.
    pub survives_failure: bool,
    /// `mworker-max-reloads`: an old worker that has seen more reloads is ended; `None`: never.
    pub max_reloads: Option<u32>,
    /// `program` sections.
    pub programs: Vec<Program>,
}

/// A program that the master process starts and ends like a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name in `show proc`.
    pub name: String,
    /// `command`: what is started, and its arguments.
    pub command: Vec<OsString>,
    /// `user`.
    pub uid: Option<u32>,
    /// `group`.
    pub gid: Option<u32>,
    /// `option start-on-reload`: a reload starts it anew.
    pub starts_on_reload: bool,
    /// The line to blame.
    pub span: Span,
}

/// `close-spread-time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseSpread {
    /// Evenly over this time.
    Over(Millis),
    /// `infinite`: nothing is cut before it must be, and then at once.
    Never,
}

/// Sizes asked for a socket's buffers in the kernel, in bytes; the kernel doubles them. 0: left to the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketBuffers {
    /// SO_RCVBUF.
    pub receive: u32,
    /// SO_SNDBUF.
    pub send: u32,
}

/// User, group and root directory of the serving process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DropTo {
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
    /// `chroot`, with the line to blame when it cannot be entered.
    pub chroot: Option<(PathBuf, Span)>,
}

/// What is asked of the descriptor limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rlimits {
    /// `ulimit-n`.
    pub nofile: Option<u32>,
    /// `fd-hard-limit`.
    pub fd_hard_limit: Option<u32>,
    /// Whether a limit that cannot be had stops the start; `no strict-limits` clears it.
    pub strict: bool,
}

impl Default for Rlimits {
    fn default() -> Self {
        Self { nofile: None, fd_hard_limit: None, strict: true }
    }
}

/// What a command on a stats socket may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminLevel {
    /// Sees what is not sensitive.
    User,
    /// Sees all, changes what is harmless. The default.
    Operator,
    /// May do everything.
    Admin,
}

impl AdminLevel {
    /// Its name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// `severity-output`: how replies say how grave they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeverityOutput {
    /// Not at all.
    #[default]
    None,
    /// `[3]: `.
    Number,
    /// `[err]: `.
    Text,
}

/// One `stats socket` line.
#[derive(Debug, Clone)]
pub struct StatsSocket {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What its commands may do.
    pub level: AdminLevel,
    /// `expose-fd listeners`: answers `_getsocks`.
    pub expose_listeners: bool,
    /// `severity-output`.
    pub severity_output: SeverityOutput,
    /// Owner and mode of its file.
    pub file: FilePermissions,
    /// Its name in statistics, if it has one.
    pub name: Option<String>,
    /// Connections at once; 0: `stats maxconn` alone.
    pub maxconn: u32,
    /// The line to blame.
    pub span: Span,
    /// `accept-proxy`: each connection begins with a PROXY header.
    pub accept_proxy: bool,
    /// `accept-netscaler-cip`: each connection begins with a NetScaler header that begins with this number.
    pub netscaler: Option<u32>,
    /// Of no line: the master's commands come over it, also while the process finishes its sessions.
    pub masters: bool,
}
