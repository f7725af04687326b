//! Figures that haproxy has not: what a reload brought, what is left of source ports, memory, lost log lines.
//!
//! They stand apart from its lists, which tools know by heart: `show baton`, and the exporter's scope `baton`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use crate::ir::{ProxyIx, ServerAddress};
use crate::pool::Pool;
use crate::units::Tick;

/// How much memory the process has, in bytes; `None`: the system does not say.
pub type Memory = dyn Fn() -> Option<u64> + Send + Sync;

/// What the figures are made of.
pub(super) struct Source<'a> {
    pub(super) pool: &'a Pool,
    pub(super) now: Tick,
    /// Log lines that could not be sent.
    pub(super) lost_logs: u64,
    pub(super) memory: Option<u64>,
}

/// One figure.
pub(super) struct Figure {
    /// Its name in `show baton`.
    pub(super) name: &'static str,
    /// Its name for Prometheus; one that ends in `_total` only grows.
    pub(super) metric: &'static str,
    pub(super) meaning: &'static str,
    /// Its values, each with what it is about: a label's name and value.
    pub(super) values: Vec<(Option<(&'static str, String)>, u64)>,
}

/// All of them. One that is not known is left out.
pub(super) fn figures(source: &Source<'_>) -> Vec<Figure> {
    let process = &source.pool.process;
    let sessions = u64::from(process.connections.get());
    let reload = match process.reloaded.load(Relaxed) {
        0 => None,
        at => Some(source.now.since(Tick::from_millis(at)) / 1000),
    };
    let one = |value: Option<u64>| value.map(|value| (None, value)).into_iter().collect();
    let figures = vec![
        Figure {
            name: "Since_reload_sec",
            metric: "baton_since_reload_seconds",
            meaning: "Seconds since this process took over from another",
            values: one(reload),
        },
        Figure {
            name: "Sessions_taken",
            metric: "baton_sessions_taken_total",
            meaning: "Sessions that came from another process",
            values: one(Some(process.sessions_taken.get())),
        },
        Figure {
            name: "Lost_log_lines",
            metric: "baton_log_lines_lost_total",
            meaning: "Log lines that could not be sent",
            values: one(Some(source.lost_logs)),
        },
        Figure {
            name: "Memory_bytes",
            metric: "baton_memory_bytes",
            meaning: "Memory of the process that is in use, code and configuration included",
            values: one(source.memory),
        },
        Figure {
            name: "Memory_per_session_bytes",
            metric: "baton_memory_per_session_bytes",
            meaning: "All memory of the process divided by its client connections: an upper bound, close with many of them",
            values: one(source.memory.and_then(|bytes| bytes.checked_div(sessions))),
        },
        Figure {
            name: "Source_ports_left",
            metric: "baton_source_ports_left",
            meaning: "Local ports that connections may still take: those of a server's 'source', or of the system for a \
                destination, as far as this process uses them",
            values: ports(source.pool),
        },
    ];
    figures.into_iter().filter(|figure| !figure.values.is_empty()).collect()
}

/// Local ports that are left, for each server with its own and for each other destination.
fn ports(pool: &Pool) -> Vec<(Option<(&'static str, String)>, u64)> {
    let [first, last] = [&pool.process.first_local_port, &pool.process.last_local_port].map(|port| port.load(Relaxed));
    let mut out = Vec::new();
    let mut used: BTreeMap<std::net::SocketAddr, u64> = BTreeMap::new();
    for (proxy, ix) in pool.config.proxies.iter().zip((0..).map(ProxyIx)) {
        let Some(back) = pool.back(ix) else { continue };
        for (at, server) in pool.servers(ix) {
            // Its address may have been changed at run time.
            let (Some(state), Some(line)) = (back.servers.get(at.0 as usize), pool.server_now(ix, at)) else {
                continue;
            };
            match (&state.source_ports, &line.address) {
                (Some(own), _) => {
                    let name = format!("{}/{}", proxy.name, server.name);
                    out.push((Some(("server", name)), own.left() as u64));
                }
                (None, ServerAddress::Inet(address)) => {
                    *used.entry(*address).or_default() += u64::from(state.sessions.get());
                }
                _ => {}
            }
        }
    }
    let all = u64::from(last.saturating_sub(first)) + 1;
    if last > 0 {
        out.extend(
            used.into_iter()
                .map(|(address, used)| (Some(("destination", address.to_string())), all.saturating_sub(used))),
        );
    }
    out
}

/// The lines of `show baton`: `name: value`, or `name address: value`.
pub(super) fn lines(source: &Source<'_>) -> String {
    let mut out = String::new();
    for figure in figures(source) {
        for (about, value) in figure.values {
            // Writing to a String cannot fail.
            let _ = match about {
                Some((_, about)) => writeln!(out, "{} {about}: {value}", figure.name),
                None => writeln!(out, "{}: {value}", figure.name),
            };
        }
    }
    out
}
