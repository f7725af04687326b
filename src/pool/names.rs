//! Finds proxies and servers by their names: for what comes from another process.

use std::collections::HashMap;

use super::Pool;
use crate::ir::{ProxyIx, ServerIx, TrackRef};

/// Who has which name.
pub struct Names<'p> {
    /// Frontends.
    pub fronts: HashMap<&'p str, ProxyIx>,
    /// Backends.
    pub backs: HashMap<&'p str, ProxyIx>,
    /// Servers by their backend.
    pub servers: HashMap<(ProxyIx, &'p str), ServerIx>,
}

impl<'p> Names<'p> {
    /// Those of a process; of equal names the first counts.
    pub fn of(pool: &'p Pool) -> Self {
        let mut names = Self { fronts: HashMap::new(), backs: HashMap::new(), servers: HashMap::new() };
        for (ix, proxy) in (0..).map(ProxyIx).zip(&pool.config.proxies) {
            if proxy.frontend.is_some() {
                names.fronts.entry(&proxy.name).or_insert(ix);
            }
            if proxy.backend.is_none() {
                continue;
            }
            names.backs.entry(&proxy.name).or_insert(ix);
            for (at, server) in pool.servers(ix) {
                names.servers.entry((ix, &server.name)).or_insert(at);
            }
        }
        names
    }

    /// The server of this name of the backend of that name.
    pub fn server(&self, proxy: &str, server: &str) -> Option<TrackRef> {
        let proxy = *self.backs.get(proxy)?;
        let server = *self.servers.get(&(proxy, server))?;
        Some(TrackRef { proxy, server })
    }
}
