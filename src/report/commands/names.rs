//! The frontends and servers that commands name: by name, or by `#` and the id. Source: management manual §9.3.

use super::{Console, wrong};
use crate::ir::{Backend, Proxy, ProxyIx, Server, ServerIx};
use crate::pool::{FrontState, Reply};

/// A frontend that a command names.
pub(super) struct Front<'a> {
    pub(super) ix: ProxyIx,
    pub(super) proxy: &'a Proxy,
    pub(super) state: &'a FrontState,
}

/// A server that a command names.
pub(super) struct Named<'a> {
    pub(super) proxy: ProxyIx,
    pub(super) ix: ServerIx,
    pub(super) line: &'a Server,
}

/// Whether `word` means what has this name and id.
pub(super) fn means(word: &str, name: &str, id: u32) -> bool {
    match word.strip_prefix('#') {
        Some(number) => number.parse() == Ok(id),
        None => word == name,
    }
}

impl Console {
    /// The frontend that the first word names.
    ///
    /// # Errors
    /// What to answer: no word, no such frontend.
    pub(super) fn front(&self, word: Option<&&str>) -> Result<Front<'_>, Reply> {
        let word = word.ok_or_else(|| wrong("The name of a frontend is needed."))?;
        let proxies = self.pool.config.proxies.iter().enumerate();
        let mut fronts = proxies.filter_map(|(ix, proxy)| {
            let ix = ProxyIx(ix as u32);
            Some(Front { ix, proxy, state: self.pool.front(ix)? })
        });
        let found = fronts.find(|front| means(word, &front.proxy.name, front.proxy.id));
        found.ok_or_else(|| wrong(&format!("There is no frontend '{word}'.")))
    }

    /// The backend that a word names.
    ///
    /// # Errors
    /// What to answer: no word, no such backend.
    pub(super) fn back(&self, word: Option<&&str>) -> Result<(ProxyIx, &Backend), Reply> {
        let word = word.ok_or_else(|| wrong("The name of a backend is needed."))?;
        let proxies = (0..).map(ProxyIx).zip(&self.pool.config.proxies);
        let mut backs = proxies.filter_map(|(ix, proxy)| Some((ix, proxy, proxy.backend.as_ref()?)));
        let found = backs.find(|(_, proxy, _)| means(word, &proxy.name, proxy.id));
        found.map(|(ix, _, back)| (ix, back)).ok_or_else(|| wrong(&format!("There is no backend '{word}'.")))
    }

    /// The server that the first word names as `backend/server`.
    ///
    /// # Errors
    /// What to answer: no such word, backend or server.
    pub(super) fn server(&self, word: Option<&&str>) -> Result<Named<'_>, Reply> {
        let parts = word.and_then(|word| word.split_once('/'));
        let Some((backend, server)) = parts.filter(|(backend, server)| !backend.is_empty() && !server.is_empty())
        else {
            return Err(wrong("A server is named as 'backend/server'."));
        };
        let (proxy, _) = self.back(Some(&backend))?;
        let at = self.pool.servers(proxy).find(|(_, line)| means(server, &line.name, line.id));
        let (ix, line) = at.ok_or_else(|| wrong(&format!("Backend '{backend}' has no server '{server}'.")))?;
        Ok(Named { proxy, ix, line })
    }
}
