//! What a configuration means: plain types, ids instead of names, spans kept only to blame.
//!
//! Built by [`crate::lower`], read by everything behind it. A value here is complete: defaults are folded
//! in and every reference is checked. Nothing here acts.

mod agent;
mod bandwidth;
mod bind;
pub mod check;
mod global;
mod guid;
mod log;
mod peers;
mod persistence;
mod proxy;
mod resolvers;
mod rules;
mod server;
mod stats;
pub mod table;
mod users;
mod variables;

pub use agent::{Agent, External, Observe, OnError};
pub use bandwidth::{BandwidthLimit, BandwidthRate, SetBandwidth};
pub use bind::{Bind, BindOptions, Endpoint, FilePermissions};
pub use global::{
    AdminLevel, CloseSpread, DropTo, Global, MasterWorker, Program, Rlimits, SeverityOutput, SocketBuffers, StatsSocket,
};
pub use guid::{Counted, Guid, GuidOf, Preloaded};
pub use log::{
    Facility, Formats, Level, LogFormat, LogMoment, LogProtocol, LogTarget, Ring, RingServer, Sample, SessionLog,
    StreamAddress,
};
pub use peers::{Peer, Peers};
pub use persistence::{Choice, Force, Persistence, Stick, UseServer};
pub use proxy::{
    Affinity, Backend, Balance, ErrorFile, Frontend, HashFunction, HashType, KeepAlive, Mode, Proxy, ProxyIx,
    ProxyKind, Redispatch, Splice, Timeouts,
};
pub use resolvers::{Hold, Nameserver, Resolve, Resolvers, ResolversIx};
pub use rules::{
    Action, Amount, Capture, Captures, Count, Destination, End, HttpRule, MOST_RETRIES, NameLookup, Rule, Rules,
    Service, Switch, Track,
};
pub use server::{
    Check, Forward, HashKey, InitAddr, MarkedDown, MarkedUp, SendProxy, Server, ServerAddress, ServerIx, SourceAddress,
    TrackRef, UseSource,
};
pub use stats::{StatsAdmin, StatsAuth, StatsPage, StatsRule, StatsScope, StatsVerdict};
pub use users::{Password, User, Userlist};
pub use variables::VariableSizes;

use std::sync::Arc;

use crate::expr::pattern::List;
use crate::text::Diagnostic;

/// A whole configuration.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What holds for the process.
    pub global: Global,
    /// All proxies in the order of the files; [`ProxyIx`] counts here.
    pub proxies: Vec<Proxy>,
    /// All stick tables in the order of the files; [`table::TableIx`] counts here.
    pub tables: Vec<table::Table>,
    /// The file names as given, for `show info` and `HAPROXY_CFGFILES`.
    pub files: Vec<String>,
    /// All lists of patterns and maps, in the order in which they are named.
    pub lists: Vec<Arc<List>>,
    /// Whether an expression asks for what PROXY headers say besides addresses (`fc_pp_tlv`).
    pub keeps_headers: bool,
}

impl Config {
    /// Whether anything would listen: without, a valid configuration does not start (exit code 2).
    pub fn listens(&self) -> bool {
        let binds = |proxy: &Proxy| proxy.frontend.as_ref().is_some_and(|front| !front.binds.is_empty());
        let peers = self.global.peers.iter().any(Peers::is_active);
        peers
            || !self.global.stats_sockets.is_empty()
            || self.proxies.iter().any(|proxy| !proxy.disabled && binds(proxy))
    }
}

/// A stage's value with everything that is to be said of it; the value is absent if an alert is among them.
#[derive(Debug)]
pub struct Judged<T> {
    /// The value, or `None` after an alert that left none.
    pub value: Option<T>,
    /// All messages, in the order in which they are shown.
    pub diagnostics: Vec<Diagnostic>,
}
