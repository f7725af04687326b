//! What the expressions of a check look at: its variables, its server, its connection.
//!
//! Source: manual §7.3.3 ("can also be used in a tcp-check or an http-check ruleset"); asked of 2.6.12.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::expr::{Arg, Facts, Fetched, Known, Scope, Value, VarName};
use crate::ir::{Proxy, Server};
use crate::pool::{Spent, Variables, variable_size};

/// Who is checked, as expressions may ask.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    backend: (u32, String),
    server: (u32, String),
    /// `timeout server` and `timeout tunnel` in milliseconds; 0: none.
    limits: (u32, u32),
}

impl Checked {
    pub(super) fn of(proxy: &Proxy, server: &Server) -> Self {
        let (silence, tunnel) = (proxy.timeouts.server, proxy.timeouts.tunnel);
        Self {
            backend: (proxy.id, proxy.name.clone()),
            server: (server.id, server.name.clone()),
            limits: (silence.map_or(0, |limit| limit.get()), tunnel.map_or(0, |limit| limit.get())),
        }
    }
}

/// What the expressions of one check look at.
pub(super) struct CheckFacts<'t> {
    checked: Option<&'t Checked>,
    own: HashMap<VarName, Value<'static>>,
    spent: Spent,
    /// The variables of the process.
    process: &'t Variables,
    /// Both ends of its connection, ours first, once there is one.
    pub(super) ends: Option<(SocketAddr, SocketAddr)>,
    /// Whether it has a connection.
    pub(super) connected: bool,
}

impl<'t> CheckFacts<'t> {
    pub(super) fn new(checked: Option<&'t Checked>, process: &'t Variables) -> Self {
        let (own, spent) = (HashMap::new(), Spent::default());
        Self { checked, own, spent, process, ends: None, connected: false }
    }

    /// Sets a variable, or forgets it; one for which there is no room stays as it was.
    pub(super) fn set(&mut self, name: &VarName, value: Option<Value<'_>>) {
        if name.scope() == Scope::Process {
            self.process.set(name.name(), value);
            return;
        }
        let old = self.own.get(name).map_or(0, variable_size);
        let new = value.as_ref().map_or(0, variable_size);
        if !self.process.budget.resize(&mut self.spent, name.scope(), old, new) {
            return;
        }
        match value {
            Some(value) => drop(self.own.insert(name.clone(), value.into_owned())),
            None => drop(self.own.remove(name)),
        }
    }
}

impl Drop for CheckFacts<'_> {
    fn drop(&mut self) {
        self.process.budget.give_back(&mut self.spent);
    }
}

impl Facts for CheckFacts<'_> {
    fn known(&self, fetch: Known, _: &[Arg]) -> Fetched<'_> {
        let Some(checked) = self.checked else { return Fetched::Missing };
        let port = |address: SocketAddr| Value::Int(address.port().into());
        let ip = |address: SocketAddr| Value::ip(address.ip());
        Fetched::known(match fetch {
            Known::BeId => Some(Value::Int(checked.backend.0.into())),
            Known::BeName => Some(Value::text(checked.backend.1.as_bytes())),
            Known::SrvId => Some(Value::Int(checked.server.0.into())),
            Known::SrvName => Some(Value::text(checked.server.1.as_bytes())),
            Known::BeServerTimeout => Some(Value::Int(checked.limits.0.into())),
            Known::BeTunnelTimeout => Some(Value::Int(checked.limits.1.into())),
            Known::BcSrc => self.ends.map(|ends| ip(ends.0)),
            Known::BcSrcPort => self.ends.map(|ends| port(ends.0)),
            Known::BcDst => self.ends.map(|ends| ip(ends.1)),
            Known::BcDstPort => self.ends.map(|ends| port(ends.1)),
            Known::BcErr => self.connected.then_some(Value::Int(0)),
            Known::BcErrStr => self.connected.then(|| Value::text(b"Success")),
            _ => None,
        })
    }

    fn variable(&self, name: &VarName) -> Option<Value<'_>> {
        if name.scope() == Scope::Process {
            return Some(self.process.get(name.name())?.borrowed().into_owned());
        }
        self.own.get(name).map(Value::borrowed)
    }

    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn local(&self, at: i64) -> (i32, &str) {
        crate::sys::local_time(at)
    }

    fn random(&self) -> u64 {
        RandomState::new().hash_one(0)
    }
}
