//! `show sess` and the orders that end sessions.
//!
//! A session is named by its number, in hexadecimal behind `0x` as `show sess` shows it. Shape of the lines: names
//! and order of haproxy's fields where there is something to tell; what only its developers read is left out.

use std::fmt::Write;

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, Level, TrackRef};
use crate::pool::{Cause, Closing, Peer, Phase, Pool, Reply, SessionInfo};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["show", "sess"],
        usage: "[<id>]",
        help: "live sessions, or one of them",
        level: AdminLevel::Operator,
        run: |_, args| Reply::Sessions(args.first().and_then(|word| id(word))),
    },
    Command {
        words: &["shutdown", "session"],
        usage: "<id>",
        help: "end one session",
        level: AdminLevel::Admin,
        run: |_, args| match args.first().and_then(|word| id(word)) {
            Some(id) => Reply::EndSession(id),
            None => Reply::Remark(Level::Err, "A session is named as in 'show sess'.\n".into()),
        },
    },
    Command {
        words: &["shutdown", "sessions", "server"],
        usage: "<backend>/<server>",
        help: "end all sessions of a server",
        level: AdminLevel::Admin,
        run: |console, args| console.end_sessions(args).unwrap_or_else(|reply| reply),
    },
];

/// The number that a word says; `None` for 0 and what is no number.
fn id(word: &str) -> Option<u64> {
    let number = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    number.ok().filter(|id| *id > 0)
}

impl Console {
    fn end_sessions(&self, args: &[&str]) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        let control = self.control.get().ok_or_else(|| wrong("The process does not serve yet."))?;
        control.close(Closing::Server(server.proxy, server.ix), Cause::Killed);
        Ok(Reply::Done)
    }
}

/// Adds the line of a session.
pub(super) fn line(pool: &Pool, session: &SessionInfo, out: &mut String) {
    let record = &session.record;
    let proxies = &pool.config.proxies;
    let name = |ix: crate::ir::ProxyIx| proxies.get(ix.0 as usize).map_or("?", |proxy| proxy.name.as_str());
    let back = proxies.get(record.backend.0 as usize).and_then(|proxy| proxy.backend.as_ref());
    let server = record.server.and_then(|server| pool.known(TrackRef { proxy: record.backend, server }));
    // Writing to a String cannot fail.
    let _ = match record.client {
        Peer::Inet(address) if address.is_ipv4() => write!(out, "{:#x}: proto=tcpv4 src={address}", session.id),
        Peer::Inet(address) => write!(out, "{:#x}: proto=tcpv6 src={address}", session.id),
        Peer::Unix(listener) => write!(out, "{:#x}: proto=unix_stream src=unix:{listener}", session.id),
    };
    let _ = write!(
        out,
        " fe={} be={} srv={} state={} thread={} age=",
        name(record.frontend),
        if back.is_some() { name(record.backend) } else { "<NONE>" },
        server.map_or("<none>", |server| &server.name),
        match session.phase {
            Phase::Queue => "queued",
            Phase::Connect => "connecting",
            _ => "relaying",
        },
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

    #[test]
    fn sessions_have_numbers() {
        for (word, want) in
            [("0x1f", Some(31)), ("31", Some(31)), ("0", None), ("0x", None), ("1f", None), ("all", None), ("-1", None)]
        {
            assert_eq!(id(word), want, "{word}");
        }
    }
}
