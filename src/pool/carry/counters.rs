//! Counters as lines: what one process counted is added to what its successor counted meanwhile.
//!
//! Of a gauge only the most there has been is carried: sessions that are there are counted where they are. Times a server
//! or backend went down and failed checks are states ([`Pool::export_states`]), for decisions hang on them.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::super::counters::Counter;
use super::super::parts::Parts;
use super::super::{ListenerState, Names, Notice, Pool};
use super::{Tally, read, write};
use crate::ir::ProxyIx;
use crate::units::Tick;

/// One line of counters.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'a> {
    of: Kind,
    /// Empty for the process.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    proxy: Cow<'a, str>,
    /// A server's name or a listener's address.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    name: Cow<'a, str>,
    /// Which of a frontend's listeners with the same address.
    #[serde(default, skip_serializing_if = "is_zero")]
    nth: u32,
    /// In the order of the object's [`Parts`]; zeros at the end are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    counters: Vec<u64>,
    /// The most of each gauge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    most: Vec<u32>,
    /// [`Rate::parts`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rates: Vec<[u32; 4]>,
    /// Sessions that balancing gave, and [`Times::parts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<(u64, [u64; 6])>,
    /// Moment of the last session; 0: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    last_session: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Process,
    Front,
    Listener,
    Server,
    Back,
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Without what says nothing at the end.
fn trimmed<T: Default + PartialEq>(mut values: Vec<T>) -> Vec<T> {
    while values.last().is_some_and(is_zero) {
        values.pop();
    }
    values
}

impl Parts<'_> {
    fn line<'a>(&self, of: Kind, proxy: &'a str, name: impl Into<Cow<'a, str>>, nth: u32) -> Line<'a> {
        Line {
            of,
            proxy: proxy.into(),
            name: name.into(),
            nth,
            counters: trimmed(self.counters.iter().map(|counter| counter.get()).collect()),
            most: trimmed(self.gauges.iter().map(|gauge| gauge.max()).collect()),
            rates: trimmed(self.rates.iter().map(|rate| rate.parts()).collect()),
            times: self.times.map(|times| (times.picked.get(), times.parts())).filter(|times| !is_zero(times)),
            last_session: self.last_session.map_or(0, Counter::get),
        }
    }

    fn take(&self, line: &Line<'_>, now: Tick) {
        self.counters.iter().zip(&line.counters).for_each(|(counter, n)| counter.join(*n));
        self.gauges.iter().zip(&line.most).for_each(|(gauge, n)| gauge.join(*n));
        self.rates.iter().zip(&line.rates).for_each(|(rate, parts)| rate.join(*parts, now));
        if let (Some(times), Some((picked, parts))) = (self.times, line.times) {
            times.join(picked, parts);
        }
        if let Some(last) = self.last_session {
            last.set(last.get().max(line.last_session.min(now.millis())));
        }
    }
}

/// A frontend's listeners with their addresses, and which of the same address each is.
fn listeners(pool: &Pool, ix: ProxyIx) -> Vec<(String, u32, &ListenerState)> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let front = pool.config.proxies.get(ix.0 as usize).and_then(|proxy| proxy.frontend.as_ref());
    let pairs = front.iter().zip(pool.front(ix)).flat_map(|(line, state)| line.binds.iter().zip(&state.listeners));
    pairs
        .map(|(bind, state)| {
            let address = bind.endpoint.to_string();
            let count = seen.entry(address.clone()).or_default();
            *count += 1;
            (address, *count - 1, state)
        })
        .collect()
}

impl Pool {
    /// What was counted, one line for the process and for each frontend, listener, server and backend.
    pub fn export_counters(&self) -> Vec<String> {
        let mut lines = Vec::new();
        write(&mut lines, &Parts::of_process(&self.process).line(Kind::Process, "", "", 0));
        for (ix, proxy) in (0..).map(ProxyIx).zip(&self.config.proxies) {
            let name = proxy.name.as_str();
            if let Some(front) = self.front(ix) {
                write(&mut lines, &Parts::of_front(front).line(Kind::Front, name, "", 0));
            }
            for (address, nth, state) in listeners(self, ix) {
                write(&mut lines, &Parts::of_listener(state).line(Kind::Listener, name, address, nth));
            }
            let Some(back) = self.back(ix) else { continue };
            for (at, server) in self.servers(ix) {
                let Some(state) = back.servers.get(at.0 as usize) else { continue };
                write(&mut lines, &Parts::of_server(state).line(Kind::Server, name, server.name.as_str(), 0));
            }
            write(&mut lines, &Parts::of_back(back).line(Kind::Back, name, "", 0));
        }
        lines
    }

    /// Adds what another process's [`Self::export_counters`] says; each line is to be imported once.
    pub fn import_counters(&self, lines: &[String], now: Tick) -> Vec<Notice> {
        let names = Names::of(self);
        let mut all: HashMap<(ProxyIx, String, u32), &ListenerState> = HashMap::new();
        for ix in (0..self.proxies.len() as u32).map(ProxyIx) {
            all.extend(listeners(self, ix).into_iter().map(|(address, nth, state)| ((ix, address, nth), state)));
        }
        let mut tally = Tally::default();
        for line in lines {
            let Some(line) = read::<Line<'_>>(line) else {
                tally.unreadable += 1;
                continue;
            };
            let front = || names.fronts.get(&*line.proxy).copied();
            let parts = match line.of {
                Kind::Process => Some(Parts::of_process(&self.process)),
                Kind::Front => front().and_then(|ix| self.front(ix)).map(Parts::of_front),
                Kind::Listener => front()
                    .and_then(|ix| all.get(&(ix, line.name.to_string(), line.nth)))
                    .map(|s| Parts::of_listener(s)),
                Kind::Server => names
                    .server(&line.proxy, &line.name)
                    .and_then(|at| self.back(at.proxy)?.servers.get(at.server.0 as usize).map(Parts::of_server)),
                Kind::Back => names.backs.get(&*line.proxy).and_then(|ix| self.back(*ix)).map(Parts::of_back),
            };
            match parts {
                Some(parts) => parts.take(&line, now),
                None => tally.gone += 1,
            }
        }
        tally.close()
    }
}
