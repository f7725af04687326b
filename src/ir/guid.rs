//! Global unique ids of proxies, listeners and servers, and what a stats-file says of those that have one.

use super::{ProxyIx, ServerIx};

/// One `guid`, or one listener's of a `guid-prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guid {
    /// The id: letters, digits and `.:-_`, at most 127 of them.
    pub guid: String,
    /// Whose it is.
    pub of: GuidOf,
}

/// Who has an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuidOf {
    /// A proxy: its client side and its server side.
    Proxy(ProxyIx),
    /// A listener, by its index among the proxy's.
    Listener(ProxyIx, u32),
    /// A server.
    Server(ProxyIx, ServerIx),
}

/// Whose counters a line of a stats-file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// The client side of a proxy.
    Front(ProxyIx),
    /// The server side.
    Back(ProxyIx),
    /// A listener.
    Listener(ProxyIx, u32),
    /// A server.
    Server(ProxyIx, ServerIx),
}

/// Counters that an object begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preloaded {
    /// Whose they are.
    pub of: Counted,
    /// By the names of `show stat`.
    pub counters: Vec<(String, u64)>,
}
