//! The listening sockets of a configuration, in the order in which they are opened.

use crate::ir::{Bind, Config, Endpoint, FilePermissions, ProxyIx, StatsSocket};

/// What a listening socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A `bind` of a proxy: its place in [`crate::ir::Frontend::binds`].
    Frontend(ProxyIx, usize),
    /// A `stats socket`: its place in [`crate::ir::Global::stats_sockets`].
    Commands(usize),
    /// The local peer of a section in [`crate::ir::Global::peers`]: its place in [`crate::ir::Peers::binds`].
    Peers(usize, usize),
}

/// One socket to listen on.
#[derive(Debug, Clone, Copy)]
pub struct Socket<'a> {
    /// What for.
    pub purpose: Purpose,
    /// The line that asks for it.
    pub line: Line<'a>,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// The proxy's name, or `GLOBAL`.
    pub owner: &'a str,
}

/// A line that asks for a socket.
#[derive(Debug, Clone, Copy)]
pub enum Line<'a> {
    /// One address of a `bind` line.
    Bind(&'a Bind),
    /// A `stats socket` line.
    Stats(&'a StatsSocket),
}

impl<'a> Socket<'a> {
    /// Where it listens.
    pub fn endpoint(&self) -> &'a Endpoint {
        match self.line {
            Line::Bind(bind) => &bind.endpoint,
            Line::Stats(stats) => &stats.endpoint,
        }
    }

    /// Owner and mode of a unix socket's file.
    pub fn file(&self) -> &'a FilePermissions {
        match self.line {
            Line::Bind(bind) => &bind.options.file,
            Line::Stats(stats) => &stats.file,
        }
    }
}

/// Connections that may wait on a stats socket.
const STATS_BACKLOG: u32 = 10;

/// The sockets that `config` asks for when it serves at most `maxconn` connections; a disabled proxy asks for none.
///
/// The same address twice is asked for twice: the system spreads connections over both, as with haproxy.
pub fn sockets(config: &Config, maxconn: u32) -> Vec<Socket<'_>> {
    let mut all = Vec::new();
    for (ix, proxy) in (0..).map(ProxyIx).zip(&config.proxies) {
        let Some(front) = proxy.frontend.as_ref().filter(|_| !proxy.disabled) else { continue };
        all.extend(front.binds.iter().enumerate().map(|(at, bind)| Socket {
            purpose: Purpose::Frontend(ix, at),
            line: Line::Bind(bind),
            backlog: bind.options.backlog.or(front.backlog).or(front.maxconn).filter(|n| *n > 0).unwrap_or(maxconn),
            owner: &proxy.name,
        }));
    }
    all.extend(config.global.stats_sockets.iter().enumerate().map(|(at, stats)| Socket {
        purpose: Purpose::Commands(at),
        line: Line::Stats(stats),
        backlog: STATS_BACKLOG,
        owner: "GLOBAL",
    }));
    for (ix, section) in config.global.peers.iter().enumerate().filter(|(_, section)| section.is_active()) {
        all.extend(section.binds.iter().enumerate().map(|(at, bind)| Socket {
            purpose: Purpose::Peers(ix, at),
            line: Line::Bind(bind),
            backlog: bind.options.backlog.unwrap_or(maxconn),
            owner: &section.name,
        }));
    }
    all
}
