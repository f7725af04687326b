//! Finds proxies and servers by their names: for what comes from another process.

use std::collections::HashMap;

use super::{Config, ProxyIx, ServerIx, TrackRef};

/// Who has which name.
pub struct Names<'c> {
    /// Frontends.
    pub fronts: HashMap<&'c str, ProxyIx>,
    /// Backends.
    pub backs: HashMap<&'c str, ProxyIx>,
    /// Servers by their backend.
    pub servers: HashMap<(ProxyIx, &'c str), ServerIx>,
}

impl<'c> Names<'c> {
    /// Those of a configuration; of equal names the first counts.
    pub fn of(config: &'c Config) -> Self {
        let mut names = Self { fronts: HashMap::new(), backs: HashMap::new(), servers: HashMap::new() };
        for (ix, proxy) in (0..).map(ProxyIx).zip(&config.proxies) {
            if proxy.frontend.is_some() {
                names.fronts.entry(&proxy.name).or_insert(ix);
            }
            let Some(back) = &proxy.backend else { continue };
            names.backs.entry(&proxy.name).or_insert(ix);
            for (at, server) in (0..).map(ServerIx).zip(&back.servers) {
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
