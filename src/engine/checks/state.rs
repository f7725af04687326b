//! What a request of `http-check send-state` says of its server. Source: manual §4.2; order observed on 2.6.12.

use crate::ir::{ServerAddress, TrackRef};
use crate::pool::Pool;
use crate::sys::identity;
use crate::units::Tick;

/// The value of the header field `x-haproxy-server-state`.
pub(super) fn header(pool: &Pool, at: TrackRef, now: Tick) -> String {
    let view = pool.server_view(at.proxy, at.server, now);
    let proxy = pool.config.proxies.get(at.proxy.0 as usize);
    let back = pool.back(at.proxy);
    let line = pool.server_now(at.proxy, at.server);
    let (Some(view), Some(proxy), Some(back), Some(server)) = (view, proxy, back, line) else {
        return String::new();
    };
    let (address, port) = match &server.address {
        ServerAddress::Inet(address) => (address.ip().to_string(), address.port().to_string()),
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) => ("unix".to_owned(), "unix".to_owned()),
        ServerAddress::SockPair(_) | ServerAddress::Unresolved { .. } => ("?".to_owned(), "?".to_owned()),
    };
    let node = pool.config.global.node.clone().unwrap_or_else(identity::host_name);
    let all = pool.back_view(at.proxy, now).map_or(0, |back| back.weight);
    let own = back.servers.get(at.server.0 as usize);
    let (sessions, queued) = own.map_or((0, 0), |own| (own.sessions.get(), own.queue.get()));
    format!(
        "{}; address={address}; port={port}; name={}/{}; node={node}; weight={}/{all}; scur={sessions}/{}; qcur={queued}",
        view.status_text,
        proxy.name,
        server.name,
        view.weight,
        back.sessions.get(),
    )
}
