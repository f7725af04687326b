//! `show peers`. Source: management manual §9.3; the lines and their order are 2.6's, flags as seen on 2.6.12.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::{Command, Console, wrong};
use crate::ir::{self, AdminLevel};
use crate::pool::Reply;
use crate::pool::peers::{Met, PeerState, Resync, Section, SectionState, Shared};
use crate::report::journal::date;
use crate::units::Tick;
use crate::units::peers::Status;
use crate::units::peers::dictionary::SIZE;

pub(super) const COMMANDS: &[Command] = &[Command {
    words: &["show", "peers"],
    usage: "[dict|-] [section]",
    help: "peers and how they are connected",
    level: AdminLevel::User,
    run: |console, args| match args {
        ["dict", rest @ ..] => console.show_peers(rest.first().copied(), true),
        ["-", rest @ ..] => console.show_peers(rest.first().copied(), false),
        args => console.show_peers(args.first().copied(), false),
    },
}];

/// Bits that 2.6 shows of a section: while nobody was asked, while somebody tells, when somebody has told, when nobody
/// was there to be asked.
const WANTED: u32 = 0x11;
const ASKED: u32 = 0x2091;
const TAUGHT: u32 = 0x20b3;
const ALONE: u32 = 0x33;
/// What it shows of a peer that it has a session with.
const TALKS: u32 = 0x2000_0200;

impl Console {
    fn show_peers(&self, wanted: Option<&str>, dictionaries: bool) -> Reply {
        let sections = self.pool.config.global.peers.iter().zip(self.pool.peers.iter());
        let shown: Vec<_> = sections.filter(|(section, _)| wanted.is_none_or(|name| name == section.name)).collect();
        if shown.is_empty() {
            return match wanted {
                Some(_) => wrong("There is no such section of peers."),
                None => Reply::Done,
            };
        }
        let mut out = String::new();
        // the last one of the file first, as haproxy has them
        for (section, state) in shown.into_iter().rev() {
            self.shown_section(&mut out, section, state, dictionaries);
        }
        Reply::Text(out)
    }

    fn shown_section(&self, out: &mut String, said: &ir::Peers, state: &SectionState, dictionaries: bool) {
        let now = (self.identity.clock)();
        let mut section = state.lock();
        section.look(now);
        let Section { resync, started, .. } = *section;
        let begun = SystemTime::now() - Duration::from_millis(now.since(started));
        let begun = date::exact(begun, self.background.local_offset);
        let date = begun.split('.').next().unwrap_or_default();
        let (flags, until) = match resync {
            Resync::Wanted { until } => (WANTED, Some(until)),
            Resync::Asked { .. } => (ASKED, None),
            Resync::Taught => (TAUGHT, Some(Tick::default())),
            Resync::Alone => (ALONE, Some(Tick::default())),
        };
        let (disabled, until) = (u8::from(said.disabled), ahead(until, now));
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{state:p}: [{date}] id={} disabled={disabled} flags={flags:#x} resync_timeout={until} task_calls=0",
            said.name
        );
        for (known, peer) in said.peers.iter().zip(&section.peers).rev() {
            self.shown_peer(out, known, peer, state, now);
            for (place, shared) in peer.tables.iter().enumerate().rev() {
                self.shared_table(out, state, place, shared);
                match dictionaries {
                    true => dictionary(out, peer),
                    false => out.push_str("        Dictionary cache not dumped (use \"show peers dict\")\n"),
                }
            }
        }
    }

    fn shown_peer(&self, out: &mut String, known: &ir::Peer, peer: &PeerState, state: &SectionState, now: Tick) {
        let kind = if known.local { "local" } else { "remote" };
        let activity = if peer.active { "active" } else { "inactive" };
        let address = match &known.address {
            Some(ir::StreamAddress::Inet(address)) => address.to_string(),
            Some(ir::StreamAddress::Unix(path)) => format!("unix:{}", path.display()),
            Some(ir::StreamAddress::Abstract(name)) => format!("abns@{}", name.escape_ascii()),
            None => "-".to_owned(),
        };
        let met_at = peer.met_at.map_or_else(|| "<NEVER>".to_owned(), |at| time(now.since(at)));
        let _ = writeln!(
            out,
            "  {peer:p}: id={}({kind},{activity}) addr={address} last_status={} last_hdshk={met_at}",
            known.name,
            status(peer.met)
        );
        let _ = writeln!(
            out,
            "        reconnect={} heartbeat={} confirm={} tx_hbt={} rx_hbt={} no_hbt={} new_conn={} proto_err={} coll={}",
            ahead(peer.reconnect, now),
            ahead(peer.heartbeat, now),
            peer.unconfirmed,
            peer.heartbeats_sent,
            peer.heartbeats_heard,
            peer.heartbeats_missed,
            peer.connections,
            peer.faults,
            peer.collisions
        );
        let _ = match (peer.talks, peer.active) {
            (true, _) => {
                writeln!(out, "        flags={TALKS:#x} appctx:{:p} st0=7 st1=0 task_calls=0 state=EST", &peer.talks)
            }
            (false, true) => {
                writeln!(out, "        flags=0x0 appctx:{:p} st0=5 st1=0 task_calls=0 state=CON", &peer.talks)
            }
            (false, false) => writeln!(out, "        flags=0x0"),
        };
        for (title, place) in [("remote_table", peer.hears), ("last_local_table", peer.tells)] {
            let Some((place, shared)) = place.filter(|_| peer.talks).and_then(|at| Some((at, peer.tables.get(at)?)))
            else {
                continue;
            };
            let (name, local) = (self.name_of(state, place), place + 1);
            let _ = writeln!(out, "        {title}:{shared:p} id={name} local_id={local} remote_id={}", shared.remote);
        }
        out.push_str("        shared tables:\n");
    }

    fn shared_table(&self, out: &mut String, state: &SectionState, place: usize, shared: &Shared) {
        let table = state.tables.get(place).and_then(|(_, table)| self.pool.tables.get(*table));
        let (local, name) = (place + 1, self.name_of(state, place));
        let last = table.map_or(0, |table| table.last_change());
        let Shared { remote, remote_data, acked, pushed, learned, .. } = shared;
        let _ = writeln!(
            out,
            "          {shared:p} local_id={local} remote_id={remote} flags=0x0 remote_data={remote_data:#x}\n              \
             last_acked={acked} last_pushed={pushed} last_get={learned} teaching_origin=0 update={pushed}"
        );
        let _ = writeln!(
            out,
            "              table:{:p} id={name} update={last} localupdate={last} commitupdate={pushed} refcnt=1",
            table.map_or(std::ptr::null(), std::sync::Arc::as_ptr)
        );
    }

    fn name_of(&self, state: &SectionState, place: usize) -> &str {
        let table = state.tables.get(place).and_then(|(_, table)| self.pool.tables.get(*table));
        table.map_or("-", |table| &table.ir.name)
    }
}

/// What was numbered for a peer and by it.
fn dictionary(out: &mut String, peer: &PeerState) {
    out.push_str("        TX dictionary cache:\n");
    let told: Vec<_> = peer.told.texts().map(Some).collect();
    rows(out, &told);
    out.push_str("        RX dictionary cache:\n");
    let mut heard: Vec<_> = peer.heard.texts().collect();
    heard.resize(SIZE, None);
    rows(out, &heard);
}

/// Four texts in a row.
fn rows(out: &mut String, texts: &[Option<&[u8]>]) {
    for (row, texts) in texts.chunks(4).enumerate() {
        out.push_str("         ");
        for (column, text) in texts.iter().enumerate() {
            let text = text.map_or_else(|| "-".to_owned(), |text| String::from_utf8_lossy(text).into_owned());
            let _ = write!(out, "  {:>2} -> {text:<2}", row * 4 + column);
        }
        out.push('\n');
    }
}

/// How the last attempt to talk to a peer went, in four letters.
fn status(met: Met) -> &'static str {
    match met {
        Met::Never => "NONE",
        Met::Connecting => "CONN",
        Met::Handshake => "HSHK",
        Met::Answered(Status::Succeeded) => "ESTA",
        Met::Answered(Status::TryAgain) => "RETR",
        Met::Answered(Status::Protocol) => "PROT",
        Met::Answered(Status::Version) => "VERS",
        Met::Answered(Status::LocalName) => "NAME",
        Met::Answered(Status::RemoteName) => "UNKN",
    }
}

/// How long it is to a moment.
fn ahead(moment: Option<Tick>, now: Tick) -> String {
    match moment {
        None => "<NEVER>".to_owned(),
        Some(at) if at <= now => "<PAST>".to_owned(),
        Some(at) => time(at.since(now)),
    }
}

/// A time in its two largest units.
fn time(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86400, seconds / 3600 % 24),
    }
}
