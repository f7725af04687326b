//! Ids of proxies, listeners and servers, and the names of listeners.
//!
//! Every one without an id gets the next free number; a given id takes the place of a number all the same. So the
//! third of three is 3 even if the first is 100. Tried on 2.6 (`show stat`, columns iid and sid).

use std::collections::{HashMap, HashSet};

use crate::lower::draft::{ProxyDraft, is_frontend};
use crate::lower::error::{Blame, LowerError};
use crate::lower::section::Sections;
use crate::text::Diagnostic;

/// Counts as haproxy does.
struct Counter {
    next: u32,
    used: HashSet<u32>,
}

impl Counter {
    fn new(first: u32, used: impl Iterator<Item = u32>) -> Self {
        Self { next: first, used: used.filter(|id| *id > 0).collect() }
    }

    /// The id of the next one: its own, or the next free number.
    fn take(&mut self, own: u32) -> u32 {
        let mut id = own;
        if own == 0 {
            while self.used.contains(&self.next) {
                self.next = self.next.saturating_add(1);
            }
            id = self.next;
        }
        self.next = self.next.saturating_add(1);
        id
    }
}

/// Gives ids and listener names to all that have none. What is disabled keeps 0, but for the proxy itself.
///
/// The process's own statistics frontend takes a number where the first `stats` line of `global` stands among the proxies.
pub(super) fn give(proxies: &mut [ProxyDraft], statistics: Option<usize>) {
    let mut ids = Counter::new(1, proxies.iter().filter_map(|proxy| proxy.id).map(|(id, _)| id));
    for (at, proxy) in proxies.iter_mut().enumerate() {
        ids.next += u32::from(statistics == Some(at));
        let own = proxy.id.map_or(0, |(id, _)| id);
        let id = ids.take(own);
        (proxy.id_given, proxy.id) = (own > 0, Some((id, proxy.span)));
        if !proxy.set.disabled {
            let mut ids = Counter::new(1, proxy.binds.iter().map(|bind| bind.id));
            for bind in &mut proxy.binds {
                bind.id = ids.take(bind.id);
            }
            let mut ids = Counter::new(1, proxy.servers.iter().map(|server| server.id));
            for server in &mut proxy.servers {
                server.id = ids.take(server.id);
            }
        }
        for bind in proxy.binds.iter_mut().filter(|bind| bind.name.is_empty()) {
            bind.name = format!("sock-{}", bind.id);
        }
        debug_assert!(is_frontend(proxy.kind) || proxy.binds.is_empty());
    }
}

/// Says which given ids are given twice: haproxy says so while it reads.
pub(crate) fn check(sections: &Sections, said: &mut Vec<Diagnostic>) {
    let mut proxies = HashMap::new();
    for proxy in &sections.proxies {
        let mut servers = HashMap::new();
        if let Some((id, span)) = proxy.id
            && proxies.insert(id, span).is_some()
        {
            said.push(Blame { span, error: LowerError::IdTaken { id }, hint: None }.alert());
        }
        for (_, id, span) in &proxy.server_ids {
            if servers.insert(*id, *span).is_some() {
                said.push(Blame { span: *span, error: LowerError::IdTaken { id: *id }, hint: None }.alert());
            }
        }
    }
}
