//! What continues over a reload: states and counters as lines of text that an old process writes and its successor reads.
//!
//! One JSON object per line, at most [`LINE_MAX`] bytes. Things are found by name: a server by its backend's name and its
//! own, a listener by its frontend's name and its address. Moments are [`crate::units::Tick`]s of the system's monotonic
//! clock, which both processes share. What is read is not trusted: numbers are bounded, and a line that says nothing is
//! counted in a [`Notice`].
//!
//! Entry points: [`Pool::export_states`], [`Pool::import_states`], [`Pool::export_counters`], [`Pool::import_counters`].

mod counters;
mod identity;
mod place;
mod proxy;
mod server;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use self::proxy::{BackLine, FrontLine, ProcessLine};
use self::server::ServerLine;
use self::settle::Kept;
use super::{AddRefusal, Names, Pool};
use crate::ir::{ProxyIx, ServerIx, TrackRef};
use crate::units::Tick;

/// The longest line that is written or read, in bytes.
pub const LINE_MAX: usize = 32 * 1024;

/// Something to be told about what did not simply continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Lines that could not be read.
    Unreadable {
        /// How many.
        lines: usize,
    },
    /// Lines about proxies, listeners and servers that the new configuration does not have.
    Gone {
        /// How many.
        lines: usize,
    },
    /// Servers whose health starts afresh, for their address or what checks ask of them is another now.
    Afresh {
        /// How many.
        servers: usize,
    },
    /// A server that was added at run time is not taken over.
    NotAdded {
        /// `proxy/server`.
        of: String,
        /// Why not.
        why: AddRefusal,
    },
    /// An order given at run time ends: the new configuration says something else than the old one did.
    FileWins {
        /// `proxy/server`, or the proxy's name.
        of: String,
        /// Which value, by its keyword.
        what: &'static str,
        /// As it was at run time.
        was: String,
        /// As the configuration has it now.
        now: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { lines } => write!(f, "{lines} line(s) of the old process's state could not be read"),
            Self::Gone { lines } => write!(f, "the old process knew {lines} server(s) or proxies that are gone"),
            Self::Afresh { servers } => {
                write!(f, "{servers} server(s) have another address or check now: their health starts afresh")
            }
            Self::NotAdded { of, why } => {
                let why = why.to_string();
                let why = why.trim_end_matches('.');
                write!(f, "server {of}, which was added at run time, is not here: {why}")
            }
            Self::FileWins { of, what, was, now } => {
                write!(f, "{of}: {what} was {was} by order, and is {now} now as the configuration changed")
            }
        }
    }
}

/// One line of states.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateLine<'a> {
    Process(ProcessLine),
    #[serde(borrow)]
    Front(FrontLine<'a>),
    #[serde(borrow)]
    Server(Box<ServerLine<'a>>),
    #[serde(borrow)]
    Back(BackLine<'a>),
}

/// What could not be taken over, while lines are read.
#[derive(Debug, Default)]
struct Tally {
    unreadable: usize,
    gone: usize,
    afresh: usize,
    notices: Vec<Notice>,
}

impl Tally {
    /// Tells that the file wins, where an order was in force at all.
    fn file_wins(&mut self, of: String, what: &'static str, was: impl fmt::Display, now: impl fmt::Display) {
        let (was, now) = (was.to_string(), now.to_string());
        self.notices.push(Notice::FileWins { of, what, was, now });
    }

    fn close(mut self) -> Vec<Notice> {
        let (lines, gone, servers) = (self.unreadable, self.gone, self.afresh);
        self.notices.extend((lines > 0).then_some(Notice::Unreadable { lines }));
        self.notices.extend((gone > 0).then_some(Notice::Gone { lines: gone }));
        self.notices.extend((servers > 0).then_some(Notice::Afresh { servers }));
        self.notices
    }
}

/// Reads a line; `None`: it is too long or says nothing.
fn read<'a, T: Deserialize<'a>>(line: &'a str) -> Option<T> {
    if line.len() > LINE_MAX { None } else { serde_json::from_str(line).ok() }
}

/// Writes a line, unless it is too long.
fn write(lines: &mut Vec<String>, line: &impl Serialize) {
    lines.extend(serde_json::to_string(line).ok().filter(|line| line.len() <= LINE_MAX));
}

impl Pool {
    /// What was ordered at run time and what checks found, one line for the process and for each proxy and server.
    ///
    /// An order to pause that was given only for the sake of a reload must be taken back before, or it continues.
    pub fn export_states(&self, now: Tick) -> Vec<String> {
        let mut lines = Vec::new();
        write(&mut lines, &StateLine::Process(self.process_line()));
        for (ix, proxy) in (0..).map(ProxyIx).zip(&self.config.proxies) {
            if let Some(line) = self.front_line(ix) {
                write(&mut lines, &StateLine::Front(line));
            }
            let Some(back) = &proxy.backend else { continue };
            let script = identity::script(back);
            for (server, _) in self.servers(ix) {
                if let Some(line) = self.server_line(TrackRef { proxy: ix, server }, script) {
                    write(&mut lines, &StateLine::Server(Box::new(line)));
                }
            }
            if let Some(line) = self.back_line(ix, now) {
                write(&mut lines, &StateLine::Back(line));
            }
        }
        lines
    }

    /// Continues what another process's [`Self::export_states`] says: to be called once, after
    /// [`Self::set_maxconn`], and before anything is served or checked.
    ///
    /// An order given at run time goes on unless the new configuration says something else than the old one did. Health
    /// goes on unless the server's address or its check changed. No event comes of it, and nothing is counted.
    pub fn import_states(&self, lines: &[String], now: Tick) -> Vec<Notice> {
        let names = Names::of(self);
        let scripts: Vec<u64> =
            self.config.proxies.iter().map(|proxy| proxy.backend.as_ref().map_or(0, identity::script)).collect();
        let mut tally = Tally::default();
        let mut kept: HashMap<(ProxyIx, ServerIx), Kept> = HashMap::new();
        let mut backs = Vec::new();
        for line in lines {
            match read(line) {
                None => tally.unreadable += 1,
                Some(StateLine::Process(line)) => self.take_process(&line, &mut tally),
                Some(StateLine::Front(line)) => match names.fronts.get(&*line.proxy) {
                    Some(ix) => self.take_front(*ix, &line, &mut tally),
                    None => tally.gone += 1,
                },
                Some(StateLine::Back(line)) => match names.backs.get(&*line.proxy) {
                    Some(ix) => {
                        if let Some(rebalance) = &line.rebalance
                            && !self.take_rebalance(*ix, rebalance, now)
                        {
                            tally.file_wins(line.proxy.to_string(), "rebalance", "on", "off");
                        }
                        backs.push((*ix, line));
                    }
                    None => tally.gone += 1,
                },
                Some(StateLine::Server(line)) => match self.server_of(&names, &line, now, &mut tally) {
                    // That was told already.
                    None if line.added.is_some() && names.backs.contains_key(&*line.proxy) => {}
                    None => tally.gone += 1,
                    Some(at) if kept.contains_key(&(at.proxy, at.server)) => tally.unreadable += 1,
                    Some(at) => {
                        let script = scripts.get(at.proxy.0 as usize).copied().unwrap_or_default();
                        if let Some(keeps) = self.take_server(at, &line, script, now, &mut tally) {
                            kept.insert((at.proxy, at.server), keeps);
                        }
                    }
                },
            }
        }
        self.settle_imported(&kept, &backs, now);
        tally.close()
    }

    /// The server that a line is about. One that was added at run time is added again.
    fn server_of(&self, names: &Names<'_>, line: &ServerLine<'_>, now: Tick, tally: &mut Tally) -> Option<TrackRef> {
        let known = names.server(&line.proxy, &line.server);
        let (Some((words, id)), None) = (&line.added, known) else { return known };
        let proxy = *names.backs.get(&*line.proxy)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match self.add_as(proxy, &line.server, &words, *id, now) {
            Ok(server) => Some(TrackRef { proxy, server }),
            Err(why) => {
                tally.notices.push(Notice::NotAdded { of: format!("{}/{}", line.proxy, line.server), why });
                None
            }
        }
    }
}
