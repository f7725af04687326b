//! The text of session lines, without their frame. Field order and separators are what halog parses.
//!
//! Source: configuration manual §8.2; details observed on 2.6.12 (docs/OBSERVED.md).

use std::io::Write;
use std::net::SocketAddr;

use super::{Surroundings, date};
use crate::ir::{Config, Mode, Proxy, TrackRef};
use crate::pool::{Cause, HttpRecord, Peer, SessionRecord, Timers};
use crate::units::PlainIp;

/// `[addr]:port` without the brackets, as haproxy writes it.
fn address(out: &mut Vec<u8>, address: SocketAddr) {
    let _ = write!(out, "{}:{}", PlainIp(address.ip()), address.port());
}

fn peer(out: &mut Vec<u8>, client: Peer) {
    match client {
        Peer::Inet(client) => address(out, client),
        Peer::Unix(id) => {
            let _ = write!(out, "unix:{id}");
        }
    }
}

/// A duration, or -1 where the session did not come so far.
fn millis(value: Option<u32>) -> i64 {
    value.map_or(-1, i64::from)
}

/// The default line: `Connect from 127.0.0.1:53914 to 127.0.0.1:21082 (b/TCP)`.
pub(super) fn connect(out: &mut Vec<u8>, config: &Config, record: &SessionRecord) {
    let Some(front) = config.proxies.get(record.frontend.0 as usize) else { return };
    match (record.client, record.local) {
        (Peer::Inet(client), Some(local)) => {
            out.extend_from_slice(b"Connect from ");
            address(out, client);
            out.extend_from_slice(b" to ");
            address(out, local);
        }
        (Peer::Inet(client), None) => {
            out.extend_from_slice(b"Connect from ");
            address(out, client);
        }
        (Peer::Unix(id), _) => {
            let _ = write!(out, "Connect to unix:{id}");
        }
    }
    let mode = if front.mode == Mode::Http { "HTTP" } else { "TCP" };
    let _ = write!(out, " ({}/{mode})", front.name);
}

/// The server's name, or what stands for it.
pub(super) fn server<'a>(back: &'a Proxy, env: &'a Surroundings, record: &SessionRecord) -> &'a str {
    let server = match (record.server, record.termination.cause) {
        (Some(ix), _) => {
            let configured = back.backend.as_ref().and_then(|side| side.servers.get(ix.0 as usize));
            let added = || env.state.get()?.known(TrackRef { proxy: record.backend, server: ix });
            configured.or_else(added).map(|server| server.name.as_str())
        }
        (None, Cause::Local) => Some("<STATS>"),
        (None, _) => None,
    };
    server.unwrap_or("<NOSRV>")
}

/// The time until the answer's headers: there is nobody to wait for when we answer ourselves.
pub(super) fn response_time(session: &SessionRecord) -> i64 {
    if session.termination.cause == Cause::Local { 0 } else { -1 }
}

/// `client [date] frontend backend/server `.
fn head(out: &mut Vec<u8>, config: &Config, env: &Surroundings, record: &SessionRecord, front: &Proxy) {
    let back = config.proxies.get(record.backend.0 as usize).unwrap_or(front);
    peer(out, record.client);
    out.extend_from_slice(b" [");
    date::accept(out, record.accepted, env);
    let _ = write!(out, "] {} {}/{} ", front.name, back.name, server(back, env, record));
}

/// ` actconn/feconn/beconn/srv_conn/retries srv_queue/backend_queue`.
fn loads(out: &mut Vec<u8>, record: &SessionRecord) {
    let plus = if record.redispatched { "+" } else { "" };
    let _ = write!(
        out,
        " {}/{}/{}/{}/{plus}{} {}/{}",
        record.process_sessions,
        record.frontend_sessions,
        record.backend_sessions,
        record.server_sessions,
        record.retries,
        record.server_queue,
        record.backend_queue,
    );
}

/// `option tcplog`.
pub(super) fn tcp(out: &mut Vec<u8>, config: &Config, env: &Surroundings, record: &SessionRecord) {
    let Some(front) = config.proxies.get(record.frontend.0 as usize) else { return };
    let Timers { queue, connect, total, .. } = record.timers;
    // With logasap the line is written before the end: what is still growing has a plus.
    let plus = if front.log_asap { "+" } else { "" };
    let (cause, phase) = (char::from(record.termination.cause as u8), char::from(record.termination.phase as u8));
    head(out, config, env, record, front);
    let _ =
        write!(out, "{}/{}/{plus}{total} {plus}{} {cause}{phase}", millis(queue), millis(connect), record.bytes_out);
    loads(out, record);
}

/// `option httplog`, for requests that the proxy answers itself.
pub(super) fn http(out: &mut Vec<u8>, config: &Config, env: &Surroundings, record: &HttpRecord) {
    let session = &record.session;
    let Some(front) = config.proxies.get(session.frontend.0 as usize) else { return };
    let Timers { queue, connect, total, .. } = session.timers;
    let (cause, phase) = (char::from(session.termination.cause as u8), char::from(session.termination.phase as u8));
    let response = response_time(session);
    head(out, config, env, session, front);
    let _ = write!(
        out,
        "{}/{}/{}/{response}/{total} {} {} - - {cause}{phase}--",
        millis(record.request_time),
        millis(queue),
        millis(connect),
        record.status,
        session.bytes_out,
    );
    loads(out, session);
    out.extend_from_slice(b" \"");
    escape(out, record.request.as_bytes());
    out.push(b'"');
}

/// A connection that failed before its session: `127.0.0.1:56059 [date] frontend/listener: why`.
pub(super) fn refused(
    out: &mut Vec<u8>,
    config: &Config,
    env: &Surroundings,
    record: &SessionRecord,
    (listener, why): (&str, &str),
) {
    let Some(front) = config.proxies.get(record.frontend.0 as usize) else { return };
    peer(out, record.client);
    out.extend_from_slice(b" [");
    date::accept(out, record.accepted, env);
    let _ = write!(out, "] {}/{listener}: {why}", front.name);
}

/// Writes text so that it can neither end a quoted field nor a line: `#` and two hex digits for quotes, controls,
/// non-ASCII bytes and `#` itself.
pub(super) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if matches!(byte, b'"' | b'#' | 0..=31 | 127..) {
            let _ = write!(out, "#{byte:02X}");
        } else {
            out.push(byte);
        }
    }
}
