//! How a live session is shown: in one line, or with all that is known.
//!
//! Names and order of haproxy's fields where there is something to tell; what only its developers read (pointers, flags
//! of its streams) is left out.

use std::fmt::Write;

use crate::ir::{Mode, Proxy, ProxyIx, TrackRef};
use crate::pool::{Peer, Phase, Pool, SessionInfo};
use crate::report::journal::date;

/// Adds the line of a session.
pub(super) fn one(pool: &Pool, session: &SessionInfo, out: &mut String) {
    let record = &session.record;
    let proxies = &pool.config.proxies;
    let name = |ix: crate::ir::ProxyIx| proxies.get(ix.0 as usize).map_or("?", |proxy| proxy.name.as_str());
    let back = proxies.get(record.backend.0 as usize).and_then(|proxy| proxy.backend.as_ref());
    let server = record.server.and_then(|server| pool.known(TrackRef { proxy: record.backend, server }));
    // Writing to a String cannot fail.
    let (protocol, source) = client(record.client);
    let _ = write!(out, "{:#x}: proto={protocol} src={source}", session.id);
    let _ = write!(
        out,
        " fe={} be={} srv={} state={} thread={} age=",
        name(record.frontend),
        if back.is_some() { name(record.backend) } else { "<NONE>" },
        server.map_or("<none>", |server| &server.name),
        state(session.phase),
        session.thread,
    );
    duration(u64::from(record.timers.total), out);
    let (up, down) = session.bytes;
    let (client, server) = (session.descriptors.0, session.descriptors.1.unwrap_or(-1));
    let _ = write!(out, " rq[total={up}] rp[total={down}] scf=[fd={client}] scb=[fd={server}] exp=");
    if let Some(expires) = session.expires {
        duration(expires, out);
    }
    let _ = writeln!(out, " rc={}", record.retries);
}

/// Adds a time as people read it: its two largest units, in whole seconds.
fn duration(millis: u64, out: &mut String) {
    let seconds = millis / 1000;
    let _ = match seconds {
        0..60 => write!(out, "{seconds}s"),
        60..3600 => write!(out, "{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => write!(out, "{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => write!(out, "{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    };
}

/// What a session does.
fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Queue => "queued",
        Phase::Connect => "connecting",
        _ => "relaying",
    }
}

/// Protocol and address of a client.
fn client(peer: Peer) -> (&'static str, String) {
    match peer {
        Peer::Inet(address) if address.is_ipv4() => ("tcpv4", address.to_string()),
        Peer::Inet(address) => ("tcpv6", address.to_string()),
        Peer::Unix(listener) => ("unix_stream", format!("unix:{listener}")),
    }
}

fn place(peer: Peer) -> String {
    match peer {
        Peer::Inet(address) => address.to_string(),
        Peer::Unix(_) => "unix".into(),
    }
}

fn mode(proxy: &Proxy) -> &'static str {
    match proxy.mode {
        Mode::Tcp => "tcp",
        Mode::Http => "http",
    }
}

/// Adds all that is known of a session: haproxy's paragraph, with the keys that mean something here.
pub(super) fn all(pool: &Pool, session: &SessionInfo, local_offset: fn(i64) -> i32, out: &mut String) {
    let record = &session.record;
    let proxy = |ix: ProxyIx| pool.config.proxies.get(ix.0 as usize);
    let limit = |out: &mut String| match session.expires {
        Some(expires) => duration(expires, out),
        None => out.push_str("<NEVER>"),
    };
    let (protocol, source) = client(record.client);
    let accepted = date::exact(record.accepted, local_offset);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{:#x}: [{accepted}] id={} proto={protocol} source={source}", session.id, record.number);
    let (retries, phase) = (record.retries, session.phase);
    let _ = write!(out, "  conn_retries={retries}, conn_exp=");
    if phase == Phase::Connect {
        limit(out)
    } else {
        out.push_str("<NEVER>")
    }
    let _ = writeln!(out, " waiting={} state={}", u8::from(phase == Phase::Queue), state(phase));
    if let Some(front) = proxy(record.frontend) {
        let bind = session.bind.and_then(|at| front.frontend.as_ref()?.binds.get(at));
        let (name, id) = bind.map_or(("?", 0), |bind| (bind.name.as_str(), bind.id));
        let address =
            record.local.map_or_else(|| bind.map_or("?".into(), |bind| bind.endpoint.to_string()), |at| at.to_string());
        let _ = write!(out, "  frontend={} (id={} mode={}), ", front.name, front.id, mode(front));
        let _ = writeln!(out, "listener={name} (id={id}) addr={address}");
    }
    let back = proxy(record.backend).filter(|proxy| proxy.backend.is_some());
    match back {
        Some(back) => {
            let _ = write!(out, "  backend={} (id={} mode={})", back.name, back.id, mode(back));
            let _ = match record.source {
                Some(source) => writeln!(out, " addr={}", place(source)),
                None => writeln!(out),
            };
        }
        None => out.push_str("  backend=<NONE> (id=-1 mode=-)\n"),
    }
    let server = record.server.and_then(|server| pool.known(TrackRef { proxy: record.backend, server }));
    let _ = match (server, record.destination) {
        (Some(server), Some(at)) => writeln!(out, "  server={} (id={}) addr={}", server.name, server.id, place(at)),
        (Some(server), None) => writeln!(out, "  server={} (id={})", server.name, server.id),
        (None, _) => writeln!(out, "  server=<NONE> (id=-1)"),
    };
    out.push_str("  task=(exp=");
    limit(out);
    let _ = write!(out, " tmask={:#x} age=", 1_u64.checked_shl(session.thread).unwrap_or(0));
    duration(u64::from(record.timers.total), out);
    let (client, server) = session.descriptors;
    let _ = writeln!(out, ")\n  scf=(state=EST fd={client})");
    let end = match (phase, server) {
        (Phase::Queue, _) => "QUE",
        (Phase::Connect, Some(_)) => "CON",
        (Phase::Connect, None) => "TAR",
        _ => "EST",
    };
    let _ = writeln!(out, "  scb=(state={end} fd={})", server.unwrap_or(-1));
    let _ = writeln!(out, "  req=(total={})\n  res=(total={})", session.bytes.0, session.bytes.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units() {
        for (millis, want) in [
            (0, "0s"),
            (59_999, "59s"),
            (60_000, "1m0s"),
            (3_599_000, "59m59s"),
            (3_661_000, "1h1m"),
            (90_000_000, "1d1h"),
        ] {
            let mut out = String::new();
            duration(millis, &mut out);
            assert_eq!(out, want, "{millis}");
        }
    }
}
