//! The lines that tell people what became of a server; tools search logs for them.
//!
//! Content and order of fields are haproxy's, observed on 2.6.12. Knows no state: all numbers come in.

use std::fmt::Write;

use super::health::{CheckResult, CheckStatus, Event, Health};
use crate::ir::{Level, Proxy, ProxyKind, Server, ServerIx};

/// Whom a line is about.
pub(super) struct Subject<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) server: &'a Server,
    pub(super) ix: ServerIx,
    /// The server it tracks, as `proxy/server`, when that is why it changes.
    pub(super) via: Option<String>,
}

/// The figures at the end of a line.
pub(super) struct Tally {
    /// Usable servers, and usable backups.
    pub(super) usable: (u32, u32),
    /// Sessions on the server.
    pub(super) sessions: u32,
    /// Sessions that went from its queue elsewhere, or came to it from the backend's.
    pub(super) moved: u32,
    /// Sessions in its queue.
    pub(super) queued: u32,
}

/// Why a server's health turned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Why<'a> {
    /// A check.
    Check(&'a CheckResult),
    /// A check that was told already, or that of the server it tracks.
    Told,
    /// An order.
    Order,
}

/// Why a server enters or leaves maintenance.
#[derive(Debug, Clone, Copy)]
pub(super) enum Motive<'a> {
    /// An order.
    Order,
    /// Its name does not resolve, and what is said of that.
    Unresolved(&'a str),
    /// It has an address again, and by which host name.
    Resolves(&'a str),
}

/// What an order or a check made of a server.
pub(super) enum Change<'a> {
    /// Its health turned, and why.
    Turned { up: bool, why: Why<'a> },
    /// It enters maintenance.
    Maintained { was_up: bool, was_drained: bool, motive: Motive<'a> },
    /// It leaves maintenance.
    Restored { drained: bool, up: bool, motive: Motive<'a> },
    /// It is to get no more sessions, and whether it is up.
    Drained { up: bool },
    /// It may get sessions again.
    Undrained { up: bool },
    /// It is drained still, whatever changed besides.
    RemainsDrained,
    /// Its checks say that it is to get no new sessions, and why.
    Stopping { why: Why<'a> },
}

impl Subject<'_> {
    fn label(&self) -> String {
        let backup = if self.server.backup { "Backup " } else { "" };
        format!("{backup}Server {}/{}", self.proxy.name, self.server.name)
    }

    fn event(&self, level: Level, message: String) -> Event {
        Event { server: Some(self.ix), message, ..Event::of_backend(level) }
    }

    /// A line of `option log-health-checks`.
    pub(super) fn checked(&self, result: &CheckResult, health: Health) -> Event {
        let backup = if self.server.backup { "backup " } else { "" };
        let verdict = match result.status {
            CheckStatus::L7OkC => "conditionally succeeded",
            status if status.passed() => "succeeded",
            _ => "failed",
        };
        let mut line = format!("Health check for {backup}server {}/{} {verdict}", self.proxy.name, self.server.name);
        reason(&mut line, result);
        let (count, of, state) = match health.is_up() {
            true => (health.level() + 1 - health.rise(), health.fall(), "UP"),
            false => (health.level(), health.rise(), "DOWN"),
        };
        let _ = write!(line, ", status: {count}/{of} {state}.");
        self.event(Level::Notice, line)
    }

    /// The same for what an agent said.
    pub(super) fn agent_checked(&self, result: &CheckResult, up: bool) -> Event {
        let backup = if self.server.backup { "backup " } else { "" };
        let verdict = if result.status.passed() { "succeeded" } else { "failed" };
        let mut line = format!("Agent check for {backup}server {}/{} {verdict}", self.proxy.name, self.server.name);
        reason(&mut line, result);
        line.push_str(if up { ", status: 1/1 UP." } else { ", status: 0/1 DOWN." });
        self.event(Level::Notice, line)
    }

    fn say_via(&self, line: &mut String) {
        if let Some(via) = &self.via {
            let _ = write!(line, " via {via}");
        }
    }

    /// A line about a change of state.
    pub(super) fn changed(&self, change: &Change<'_>, tally: &Tally) -> Event {
        let mut line = self.label();
        let own = self.via.is_none();
        let forced = if own { "forced " } else { "" };
        let mut level = Level::Notice;
        match change {
            Change::Turned { up, why } => {
                line.push_str(if *up { " is UP" } else { " is DOWN" });
                self.say_via(&mut line);
                because(&mut line, *why, own);
                line.push('.');
                level = if *up { Level::Notice } else { Level::Alert };
                figures(&mut line, tally, *up);
            }
            Change::Stopping { why } => {
                line.push_str(" is stopping");
                self.say_via(&mut line);
                because(&mut line, *why, own);
                line.push('.');
                figures(&mut line, tally, true);
            }
            Change::Maintained { was_up: true, was_drained, motive } => {
                line.push_str(" is going DOWN for maintenance");
                self.say_via(&mut line);
                say_motive(&mut line, *motive);
                line.push('.');
                level = if *was_drained { Level::Notice } else { Level::Alert };
                figures(&mut line, tally, false);
            }
            Change::Maintained { was_up: false, motive, .. } => {
                line.push_str(" was DOWN and now enters maintenance");
                say_motive(&mut line, *motive);
                line.push('.');
            }
            Change::Restored { drained, up, motive } => {
                let (up, mode) = (word(*up), if *drained { "DRAIN" } else { "READY" });
                let _ = match motive {
                    Motive::Resolves(host) if own && !host.is_empty() => {
                        write!(line, " ('{host}') is {up}/{mode} (resolves again).")
                    }
                    _ => write!(line, " is {up}/{mode} (leaving {forced}maintenance)."),
                };
            }
            Change::Drained { up } => {
                line.push_str(" enters drain state");
                self.say_via(&mut line);
                line.push('.');
                figures(&mut line, tally, *up);
            }
            Change::Undrained { up } => {
                let _ = write!(line, " is {} (leaving forced drain).", word(*up));
            }
            Change::RemainsDrained => match &self.via {
                None => line.push_str(" remains in forced drain mode."),
                Some(via) => {
                    let _ = write!(line, " is leaving forced drain but remains in drain mode via {via}.");
                }
            },
        }
        self.event(level, line)
    }
}

/// A backend has lost its last usable server.
pub(super) fn nobody_left(proxy: &Proxy) -> Event {
    let kind = if proxy.kind == ProxyKind::Backend { "backend" } else { "proxy" };
    let message = format!("{kind} {} has no server available!", proxy.name);
    Event { message, ..Event::of_backend(Level::Emerg) }
}

fn say_motive(line: &mut String, motive: Motive<'_>) {
    if let Motive::Unresolved(why) = motive {
        let _ = write!(line, " ({why})");
    }
}

fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

/// Why a server's health changed; `own`: not because of one that it tracks.
fn because(line: &mut String, why: Why<'_>, own: bool) {
    match why {
        Why::Check(check) => reason(line, check),
        Why::Order if own => line.push_str(", changed from CLI"),
        Why::Told | Why::Order => {}
    }
}

fn reason(line: &mut String, check: &CheckResult) {
    let _ = write!(line, ", reason: {}", check.status.description());
    if check.status.has_code() {
        let _ = write!(line, ", code: {}", check.status.shown_code(check.code));
    }
    if let Some(detail) = check.detail.as_deref().filter(|detail| !detail.is_empty()) {
        line.push_str(", info: \"");
        escape(line, detail);
        line.push('"');
    }
    if check.status != CheckStatus::Hana {
        let _ = write!(line, ", check duration: {}ms", check.duration);
    }
}

/// Adds what a server may have said: what could not be read, or ends the quotes, is shown as `<hex>`.
fn escape(line: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | 0..=31 | 127.. => _ = write!(line, "<{byte:02X}>"),
            _ => line.push(char::from(byte)),
        }
    }
}

fn figures(line: &mut String, tally: &Tally, up: bool) {
    let (active, backup) = tally.usable;
    let _ = write!(line, " {active} active and {backup} backup servers {}.", if up { "online" } else { "left" });
    if active == 0 && backup > 0 {
        line.push_str(" Running on backup.");
    }
    let (sessions, moved, queued) = (tally.sessions, tally.moved, tally.queued);
    let _ = match up {
        true => write!(line, " {moved} sessions requeued, {queued} total in queue."),
        false => write!(line, " {sessions} sessions active, {moved} requeued, {queued} remaining in queue."),
    };
}
