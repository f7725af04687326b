//! The states of servers and proxies as lines for the log: what SIGHUP asks for.
//!
//! Source: management manual §4; shapes observed on 2.6.12.

use crate::ir::ProxyIx;
use crate::pool::{Pool, ServerStatus};
use crate::units::Tick;

/// Lines about every proxy that is not disabled, in the order of the configuration: a heading, its servers, itself.
pub fn states(pool: &Pool, now: Tick) -> Vec<(ProxyIx, String)> {
    let mut lines = Vec::new();
    for (ix, proxy) in (0..).map(ProxyIx).zip(&pool.config.proxies).filter(|(_, proxy)| !proxy.disabled) {
        let name = &proxy.name;
        lines.push((ix, format!("SIGHUP received, dumping servers states for proxy {name}.")));
        for (at, server) in pool.servers(ix) {
            let Some(state) = pool.back(ix).and_then(|back| back.servers.get(at.0 as usize)) else { continue };
            let view = pool.server_view(ix, at, now);
            let down = view.is_none_or(|view| matches!(view.status, ServerStatus::Down { .. } | ServerStatus::Maint));
            lines.push((
                ix,
                format!(
                    "SIGHUP: Server {name}/{} is {}. Conn: {} act, {} pend, {} tot.",
                    server.name,
                    if down { "DOWN" } else { "UP" },
                    state.sessions.get(),
                    state.queue.get(),
                    state.sessions_total.get()
                ),
            ));
        }
        let front = pool.front(ix);
        let own = pool.back(ix).map_or(0, |back| back.queue.get());
        let waiting: u32 = pool.back(ix).iter().flat_map(|back| &back.servers).map(|server| server.queue.get()).sum();
        let loads = format!(
            "Conn: act(FE+BE): {}+{}, {} pend ({own} unass), tot(FE+BE): {}+{}.",
            front.map_or(0, |front| front.sessions.get()),
            pool.back(ix).map_or(0, |back| back.sessions.get()),
            own + waiting,
            front.map_or(0, |front| front.sessions_total.get()),
            pool.back(ix).map_or(0, |back| back.sessions_total.get()),
        );
        let view = pool.back_view(ix, now).filter(|_| pool.servers(ix).next().is_some());
        let state = match view {
            None => "has no servers.".into(),
            Some(view) if view.active + view.backup == 0 => "has no server available !".into(),
            Some(view) if view.active == 0 => "is running on backup servers !".into(),
            Some(view) => {
                format!("has {} active servers and {} backup servers available.", view.active, view.backup)
            }
        };
        lines.push((ix, format!("SIGHUP: Proxy {name} {state} {loads}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{ProxyKind, Server};
    use crate::report::testing;
    use std::sync::Arc;

    /// As the original writes them for the same four proxies.
    #[test]
    fn lines() {
        let server = |name: &str, disabled, backup| Server { disabled, backup, ..testing::server(name, 1) };
        let with = |name: &str, servers| {
            let mut proxy = testing::proxy(name, 2, ProxyKind::Listen);
            proxy.backend.as_mut().unwrap().servers = servers;
            proxy
        };
        let mut off = testing::proxy("off", 9, ProxyKind::Frontend);
        off.disabled = true;
        let proxies = vec![
            with("spare", vec![server("s1", true, false), server("s2", false, true)]),
            with("none", vec![server("s1", true, false)]),
            with("mix", vec![server("s1", false, false), server("s2", false, true)]),
            testing::proxy("front", 5, ProxyKind::Frontend),
            off,
        ];
        let pool = Pool::new(Arc::new(testing::config(proxies)), Tick::default());
        let loads = "Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0.";
        let want = [
            "SIGHUP received, dumping servers states for proxy spare.".to_owned(),
            "SIGHUP: Server spare/s1 is DOWN. Conn: 0 act, 0 pend, 0 tot.".into(),
            "SIGHUP: Server spare/s2 is UP. Conn: 0 act, 0 pend, 0 tot.".into(),
            format!("SIGHUP: Proxy spare is running on backup servers ! {loads}"),
            "SIGHUP received, dumping servers states for proxy none.".into(),
            "SIGHUP: Server none/s1 is DOWN. Conn: 0 act, 0 pend, 0 tot.".into(),
            format!("SIGHUP: Proxy none has no server available ! {loads}"),
            "SIGHUP received, dumping servers states for proxy mix.".into(),
            "SIGHUP: Server mix/s1 is UP. Conn: 0 act, 0 pend, 0 tot.".into(),
            "SIGHUP: Server mix/s2 is UP. Conn: 0 act, 0 pend, 0 tot.".into(),
            format!("SIGHUP: Proxy mix has 1 active servers and 1 backup servers available. {loads}"),
            "SIGHUP received, dumping servers states for proxy front.".into(),
            format!("SIGHUP: Proxy front has no servers. {loads}"),
        ];
        let lines: Vec<String> = states(&pool, Tick::default()).into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, want);
    }
}
