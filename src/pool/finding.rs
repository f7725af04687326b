//! Finds a backend's servers by name, id or address: for what sticks to them.
//!
//! What is configured stands in maps that are made when they are first asked for; servers that were added are few, and looked
//! at one by one.

use std::collections::HashMap;

use super::Pool;
use crate::ir::{ProxyIx, Server, ServerIx, TrackRef};

/// The configured servers of a backend.
#[derive(Debug, Default)]
pub(super) struct Index {
    names: HashMap<Box<str>, u32>,
    ids: HashMap<u32, u32>,
}

impl Index {
    fn of(servers: &[Server]) -> Self {
        let mut index = Self::default();
        for (at, server) in (0..).zip(servers) {
            index.names.entry(server.name.as_str().into()).or_insert(at);
            index.ids.entry(server.id).or_insert(at);
        }
        index
    }
}

impl Pool {
    /// The server of that name; of equal names the first.
    pub fn server_named(&self, proxy: ProxyIx, name: &str) -> Option<ServerIx> {
        let configured = self.index(proxy)?.names.get(name).copied();
        self.found(proxy, configured, |server| server.name == name)
    }

    /// The server with that id.
    pub fn server_with_id(&self, proxy: ProxyIx, id: u32) -> Option<ServerIx> {
        let configured = self.index(proxy)?.ids.get(&id).copied();
        self.found(proxy, configured, |server| server.id == id)
    }

    /// The first server that a test is true of, as it is now.
    pub fn server_that(&self, proxy: ProxyIx, test: impl Fn(&Server) -> bool) -> Option<ServerIx> {
        let at = |(ix, _): (ServerIx, &Server)| ix;
        self.servers(proxy).map(at).find(|ix| self.server_now(proxy, *ix).is_some_and(|server| test(&server)))
    }

    fn index(&self, proxy: ProxyIx) -> Option<&Index> {
        let servers = &self.config.proxies.get(proxy.0 as usize)?.backend.as_ref()?.servers;
        Some(self.back(proxy)?.index.get_or_init(|| Index::of(servers)))
    }

    fn found(&self, proxy: ProxyIx, configured: Option<u32>, test: impl Fn(&Server) -> bool) -> Option<ServerIx> {
        let there = |server: &ServerIx| self.server(TrackRef { proxy, server: *server }).is_some();
        configured.map(ServerIx).filter(there).or_else(|| {
            let first = self.config.proxies.get(proxy.0 as usize)?.backend.as_ref()?.servers.len() as u32;
            let last = self.back(proxy)?.servers.len() as u32;
            let added = |ix: &ServerIx| self.server(TrackRef { proxy, server: *ix }).is_some_and(&test);
            (first..last).map(ServerIx).find(added)
        })
    }
}
