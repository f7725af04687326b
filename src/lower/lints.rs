//! Remarks on what is valid and may not be what was meant: `-dD` shows them, nothing else depends on them.
//!
//! One function for each, from the drafts of a configuration without alerts to the lines that it blames. A line is blamed
//! once, whoever inherits it. Source: what users of MQTT brokers ran into; MQTT 3.1.1 §3.1.2.10 of keepalives.

use std::collections::BTreeMap;

use super::draft::{ProxyDraft, is_backend, is_frontend};
use super::section::Sections;
use crate::ir::check::{Act, Script};
use crate::ir::table::KeyKind;
use crate::ir::{Endpoint, Global, Server, ServerAddress};
use crate::syntax::Word;
use crate::text::{Diagnostic, Span};
use crate::units::Millis;
use crate::units::mqtt::{Packet, packet};

/// Ports of MQTT: plain, over TLS.
const PORTS: [u16; 2] = [1883, 8883];

/// What most clients and their libraries ask for, in seconds.
const KEEPALIVE: u32 = 60;

/// Bytes of a key that are enough for most identifiers.
const LONG: u32 = 64;

/// What lints want of a section and nobody else does: where lines stand that lead nowhere in the IR.
#[derive(Debug, Clone, Copy, Default)]
pub struct Noted {
    /// `timeout client`.
    pub timeout_client: Option<Span>,
    /// `timeout server`.
    pub timeout_server: Option<Span>,
    /// `maxconn`.
    pub maxconn: Option<Span>,
    /// Whether a line reads packets of MQTT.
    pub mqtt: bool,
}

impl Noted {
    /// Notes what a line of the section says besides.
    pub fn line(&mut self, words: &[Word<'_>]) {
        self.mqtt |= words.iter().any(|word| memchr::memmem::find(&word.bytes, b"mqtt_").is_some());
    }
}

/// What every lint looks at.
struct Looked<'d> {
    global: &'d Global,
    sections: &'d Sections,
    /// Which proxies balance MQTT, as far as can be told.
    mqtt: Vec<bool>,
}

impl<'d> Looked<'d> {
    /// The proxies that serve, and their numbers.
    fn proxies(&self) -> impl Iterator<Item = (usize, &'d ProxyDraft)> {
        self.sections.proxies.iter().enumerate().filter(|(_, proxy)| !proxy.set.disabled)
    }
}

/// All remarks on a configuration, in the order of its lines. `leads`: the backends that each proxy sends sessions to.
pub(super) fn judge(global: &Global, sections: &Sections, leads: &[Vec<usize>], said: &mut Vec<Diagnostic>) {
    let looked = Looked { global, sections, mqtt: balancing_mqtt(sections, leads) };
    let mut remarks = Vec::new();
    for lint in [short_timeouts, low_maxconn, short_keys, unchecked_servers, unused_acls] {
        lint(&looked, &mut remarks);
    }
    remarks.sort_by_key(|remark| remark.span.map(|span| (span.file, span.line, span.start)));
    said.append(&mut remarks);
}

/// Which proxies balance MQTT: by a port, by a line that reads its packets, by a check that speaks it; and who sends
/// clients to such a backend, and whom such a frontend sends them to.
fn balancing_mqtt(sections: &Sections, leads: &[Vec<usize>]) -> Vec<bool> {
    let own: Vec<bool> = sections.proxies.iter().map(speaks_mqtt).collect();
    let mut all = own.clone();
    let pairs = leads.iter().enumerate().flat_map(|(from, to)| to.iter().map(move |to| (from, *to)));
    for (from, to) in pairs {
        let either = own.get(from) == Some(&true) || own.get(to) == Some(&true);
        for at in [from, to] {
            if let Some(mqtt) = all.get_mut(at) {
                *mqtt |= either;
            }
        }
    }
    all
}

fn speaks_mqtt(proxy: &ProxyDraft) -> bool {
    let checked = || proxy.set.checks.script().is_some_and(|script| connects(&script));
    proxy.set.noted.mqtt
        || proxy.binds.iter().any(|bind| matches!(bind.endpoint, Endpoint::Inet(to) if PORTS.contains(&to.port())))
        || proxy.servers.iter().any(|server| port(server).is_some_and(|port| PORTS.contains(&port)))
        || checked()
}

fn port(server: &Server) -> Option<u16> {
    match &server.address {
        ServerAddress::Inet(address) => Some(address.port()),
        ServerAddress::Unresolved { port, .. } => Some(*port),
        _ => None,
    }
}

/// Whether a check begins as a client of MQTT does.
fn connects(script: &Script) -> bool {
    let sent = script.steps.iter().find_map(|step| if let Act::Send(bytes) = &step.act { Some(bytes) } else { None });
    sent.is_some_and(|bytes| bytes.first() == Some(&0x10) && packet(bytes) == Packet::Valid)
}

/// Lines, what each says, and the proxies that it holds for.
type Blamed<'d, T> = BTreeMap<(u16, u32, u32), (Span, T, Vec<&'d ProxyDraft>)>;

fn blame<'d, T>(blamed: &mut Blamed<'d, T>, span: Span, says: T, proxy: &'d ProxyDraft) {
    let place = (span.file.0, span.line, span.start);
    blamed.entry(place).or_insert_with(|| (span, says, Vec::new())).2.push(proxy);
}

/// `timeout client` and `timeout server` shorter than one and a half keepalives, after which a broker itself gives a client
/// up. With `timeout tunnel` they do not hold for a session that is established.
fn short_timeouts(looked: &Looked<'_>, remarks: &mut Vec<Diagnostic>) {
    let least = KEEPALIVE * 1_000 * 3 / 2;
    let mut blamed = Blamed::new();
    for (_, proxy) in looked.proxies().filter(|(at, _)| looked.mqtt.get(*at) == Some(&true)) {
        let (times, noted) = (&proxy.set.timeouts, &proxy.set.noted);
        for (word, side, time, span) in [
            ("timeout client", is_frontend(proxy.kind), times.client, noted.timeout_client),
            ("timeout server", is_backend(proxy.kind), times.server, noted.timeout_server),
        ] {
            let short = time.filter(|time| side && time.get() < least && times.tunnel.is_none());
            if let (Some(time), Some(span)) = (short, span) {
                blame(&mut blamed, span, (word, time), proxy);
            }
        }
    }
    for (span, (word, time), proxies) in blamed.into_values() {
        let message = format!(
            "'{word}' of {} is less than one and a half keepalives of MQTT ({KEEPALIVE} s is usual): it cuts off idle \
             clients of {}",
            shown(time),
            names(&proxies),
        );
        remarks.push(Diagnostic::diag(span, message).hint(format!("write '{word} {}s' or more", least / 1_000)));
    }
}

/// `maxconn` of defaults below that of `global`: each frontend that takes it stops there, whatever the process could serve.
fn low_maxconn(looked: &Looked<'_>, remarks: &mut Vec<Diagnostic>) {
    let Some(whole) = looked.global.maxconn else { return };
    let defaults = looked.sections.defaults.iter();
    let of_defaults: Vec<Span> = defaults.filter_map(|defaults| defaults.draft.set.noted.maxconn).collect();
    let mut blamed = Blamed::new();
    for (_, proxy) in looked.proxies().filter(|(_, proxy)| is_frontend(proxy.kind)) {
        let low = proxy.set.maxconn.filter(|maxconn| *maxconn < whole);
        let span = proxy.set.noted.maxconn.filter(|span| of_defaults.contains(span));
        if let (Some(low), Some(span)) = (low, span) {
            blame(&mut blamed, span, low, proxy);
        }
    }
    for (span, low, proxies) in blamed.into_values() {
        let who = names(&proxies);
        let message = format!(
            "'maxconn {low}' of defaults is less than the {whole} of 'global': {who} can take no more than that"
        );
        remarks.push(Diagnostic::diag(span, message).hint("write it into the frontends that are to stop there"));
    }
}

/// A table of texts that may be too short for clients' identifiers: those that begin alike share an entry, and so a broker. MQTT 3.1
/// allows 23 bytes, 3.1.1 and 5.0 leave it to the broker, which commonly takes up to 65,535; a UUID behind a prefix fits into [`LONG`].
fn short_keys(looked: &Looked<'_>, remarks: &mut Vec<Diagnostic>) {
    for (_, proxy) in looked.proxies().filter(|(at, _)| looked.mqtt.get(*at) == Some(&true)) {
        let Some(table) = proxy.table.as_ref().map(|draft| &draft.table) else { continue };
        if let KeyKind::String(length @ ..LONG) = table.kind {
            let message = format!(
                "{length} bytes of a key are kept: MQTT clients of {} whose identifiers begin with the same {length} bytes share \
                 an entry",
                names(&[proxy])
            );
            remarks.push(Diagnostic::diag(table.span, message).hint(format!("write 'len {LONG}' or more")));
        }
    }
}

/// Servers of a backend with several that nothing checks: those that are gone get their share of sessions all the same.
fn unchecked_servers(looked: &Looked<'_>, remarks: &mut Vec<Diagnostic>) {
    for (_, proxy) in looked.proxies().filter(|(_, proxy)| is_backend(proxy.kind)) {
        let serving = |server: &&Server| !server.disabled;
        if proxy.servers.iter().filter(serving).count() < 2 {
            continue;
        }
        let mut last = None;
        for (at, server) in proxy.servers.iter().enumerate().filter(|(_, server)| serving(server)) {
            let tracks = proxy.tracks.iter().any(|(of, _)| usize::try_from(*of) == Ok(at));
            // a template's servers have one line
            if server.check.is_some() || server.agent.is_some() || tracks || last == Some(server.span) {
                continue;
            }
            last = Some(server.span);
            let message = format!(
                "server '{}' has no 'check': {} goes on sending it clients when it is gone",
                server.name,
                names(&[proxy])
            );
            remarks.push(Diagnostic::diag(server.span, message).hint("add 'check'"));
        }
    }
}

/// ACLs that no condition of their section names: what they were to decide is decided without them.
fn unused_acls(looked: &Looked<'_>, remarks: &mut Vec<Diagnostic>) {
    let defaults = looked.sections.defaults.iter().map(|defaults| &defaults.draft);
    for proxy in looked.proxies().map(|(_, proxy)| proxy).chain(defaults) {
        for (name, span) in proxy.set.acls.unused() {
            let message =
                format!("no condition of {} names the ACL '{}'", names(&[proxy]), String::from_utf8_lossy(name));
            remarks.push(Diagnostic::diag(span, message).hint("name it behind 'if' or 'unless', or remove the line"));
        }
    }
}

/// The first of some proxies by name, and how many others there are.
fn names(proxies: &[&ProxyDraft]) -> String {
    let first = proxies.first().map(|proxy| format!("{} '{}'", proxy.kind.keyword(), proxy.name)).unwrap_or_default();
    match proxies.len() {
        0 | 1 => first,
        count => format!("{first} and {} more", count - 1),
    }
}

fn shown(time: Millis) -> String {
    let time = time.get();
    if time.is_multiple_of(1_000) { format!("{} s", time / 1_000) } else { format!("{time} ms") }
}
