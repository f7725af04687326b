//! A server's line: what was ordered for it, what its checks and its agent found.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::health::LastCheck;
use super::super::member::Member;
use super::super::{Admin, BackState, CheckStatus, Pool};
use super::place::Watch;
use super::settle::Kept;
use super::{Tally, identity, place};
use crate::ir::{Server, TrackRef};
use crate::units::{Tick, Weight};

/// The most bytes that are kept of what a check told.
const DETAIL_MAX: usize = 1024;
/// The highest count that is believed: there is room for more to come.
const COUNT_MAX: u64 = 1 << 60;

/// What is known of a server; a field that is left out is as the configuration has it, or nothing.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ServerLine<'a> {
    #[serde(borrow)]
    pub(super) proxy: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) server: Cow<'a, str>,
    /// The words behind its name, if it was added at run time, and its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) added: Option<(Vec<String>, u32)>,
    /// As the configuration has it: [`place::written`].
    #[serde(borrow)]
    pub(super) address: Cow<'a, str>,
    /// In use, where that is spelled otherwise.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) address_now: Option<Cow<'a, str>>,
    /// Whether that was set at run time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) moved: bool,
    /// The name that its address is looked up by, if that was set at run time.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) host_now: Option<Cow<'a, str>>,
    /// Where its check and its agent are: of the configuration, and in force where that is elsewhere.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) watch: Watch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) watch_now: Option<Watch>,
    /// In maintenance for want of an address.
    #[serde(default, skip_serializing_if = "is_default")]
    unresolved: bool,
    /// What its checks ask; 0: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    checks: u64,
    /// The server it tracks, `proxy/server`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    tracks: Option<Cow<'a, str>>,
    /// Weight of the configuration, and in force.
    weight: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight_now: Option<u16>,
    /// Limit of the configuration, and in force; 0: none.
    #[serde(default, skip_serializing_if = "is_default")]
    maxconn: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maxconn_now: Option<u32>,
    /// `disabled` in the configuration.
    #[serde(default, skip_serializing_if = "is_default")]
    disabled: bool,
    /// What was ordered for it itself, by the configuration or at run time.
    #[serde(default, skip_serializing_if = "is_default")]
    admin: Admin,
    /// What it had from the server it tracks.
    #[serde(default, skip_serializing_if = "is_default")]
    inherited: Admin,
    /// What was in force of all that.
    #[serde(default, skip_serializing_if = "is_default")]
    ordered: Admin,
    /// Its checks were stopped by an order.
    #[serde(default, skip_serializing_if = "is_default")]
    unchecked: bool,
    /// Statistics called it up.
    running: bool,
    /// [`crate::pool::Health::level`].
    level: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    stopping: bool,
    /// Moments and times in milliseconds.
    changed: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    downtime: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    downs: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    failed_checks: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    errors: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    observed_failures: u64,
    /// When its slow start began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warming_since: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    last: Option<CheckLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    agent: Option<AgentLine<'a>>,
}

/// The last check.
#[derive(Debug, Serialize, Deserialize)]
struct CheckLine<'a> {
    /// [`CheckStatus::word`].
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
}

/// What is known of an agent.
#[derive(Debug, Serialize, Deserialize)]
struct AgentLine<'a> {
    up: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    paused: bool,
    #[serde(borrow)]
    last: CheckLine<'a>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl CheckLine<'static> {
    fn of(last: &LastCheck) -> Self {
        let LastCheck { status, duration, code, detail, ended, running: _ } = last;
        let short = |text: &Cow<'static, str>| text[..text.floor_char_boundary(DETAIL_MAX)].to_owned().into();
        Self {
            status: status.word().into(),
            duration: *duration,
            code: *code,
            detail: detail.as_ref().map(short),
            ended: ended.map(Tick::millis),
        }
    }
}

impl CheckLine<'_> {
    /// `None`: the line names a status that there is not.
    fn read(&self, now: Tick) -> Option<LastCheck> {
        let short = |text: &Cow<'_, str>| text[..text.floor_char_boundary(DETAIL_MAX)].to_owned().into();
        Some(LastCheck {
            status: CheckStatus::named(&self.status)?,
            duration: self.duration,
            code: self.code,
            detail: self.detail.as_ref().map(short),
            ended: self.ended.map(|at| Tick::from_millis(at).min(now)),
            running: false,
        })
    }
}

impl Pool {
    /// `script`: [`identity::script`] of its backend.
    pub(super) fn server_line(&self, at: TrackRef, script: u64) -> Option<ServerLine<'_>> {
        let server = self.server(at)?;
        let line = self.server_now(at.proxy, at.server)?;
        let core = self.back(at.proxy)?.lock();
        let member = core.members.get(at.server.0 as usize)?;
        let weight = server.weight.get();
        Some(ServerLine {
            proxy: self.config.proxies[at.proxy.0 as usize].name.as_str().into(),
            server: server.name.as_str().into(),
            added: self.words(at).map(|words| (words.to_vec(), server.id)),
            address: place::written(server).into(),
            address_now: Some(place::spell(&line)).filter(|now| *now != place::written(server)).map(Into::into),
            moved: place::spell(&line) != place::spell(server),
            host_now: line.host.clone().filter(|_| line.host != server.host).map(Into::into),
            watch: Watch::of(server),
            watch_now: Some(Watch::of(&line)).filter(|now| *now != Watch::of(server)),
            unresolved: member.unresolved,
            checks: identity::checks(server, script),
            tracks: server.track.map(|tracked| self.label(tracked).into()),
            weight,
            weight_now: Some(member.weight).filter(|now| *now != weight),
            maxconn: server.maxconn,
            maxconn_now: Some(member.maxconn).filter(|now| *now != server.maxconn),
            disabled: server.disabled,
            admin: member.admin,
            inherited: member.inherited,
            ordered: member.ordered(),
            unchecked: server.check.is_some() && !member.checked,
            running: member.running(),
            level: member.health.level(),
            stopping: member.health.is_stopping(),
            changed: member.changed.millis(),
            downtime: member.downtime,
            downs: member.downs,
            failed_checks: member.failed_checks,
            errors: member.errors,
            observed_failures: member.observed_failures,
            warming_since: member.warming_since.map(Tick::millis),
            last: (member.last != LastCheck::default()).then(|| CheckLine::of(&member.last)),
            agent: member.agent.as_ref().map(|agent| AgentLine {
                up: agent.up,
                paused: agent.paused,
                last: CheckLine::of(&agent.last),
            }),
        })
    }

    /// Continues what a line says of a server; what depends on other servers is left to [`Pool::settle_imported`].
    pub(super) fn take_server(
        &self,
        at: TrackRef,
        line: &ServerLine<'_>,
        script: u64,
        now: Tick,
        tally: &mut Tally,
    ) -> Option<Kept> {
        let server = self.server(at)?;
        let tracks = server.track.map(|tracked| self.label(tracked));
        self.take_place(at, line, tally);
        self.take_watch(at, line, tally);
        let here = self.server_now(at.proxy, at.server)?;
        let mut core = self.back(at.proxy).map(BackState::lock)?;
        let member = core.members.get_mut(at.server.0 as usize)?;
        let of = || self.label(at);
        if line.weight == server.weight.get() {
            member.weight = line.weight_now.unwrap_or(line.weight).min(Weight::MAX.get());
        } else if let Some(was) = line.weight_now {
            tally.file_wins(of(), "weight", was, server.weight.get());
        }
        if line.maxconn == server.maxconn {
            member.maxconn = line.maxconn_now.unwrap_or(line.maxconn);
        } else if let Some(was) = line.maxconn_now {
            tally.file_wins(of(), "maxconn", was, server.maxconn);
        }
        let by_file = if line.disabled { Admin::Maint } else { Admin::Ready };
        if line.disabled == server.disabled {
            member.admin = line.admin;
        } else if line.admin != by_file && line.admin != member.admin {
            tally.file_wins(of(), "state", word(line.admin), word(member.admin));
        }
        let same_place = line.place() == place::spell(&here);
        member.unresolved = here.has_no_address() || line.unresolved && same_place;
        let same = same_place
            && line.checks == identity::checks(server, script)
            && line.watch_now.as_ref().unwrap_or(&line.watch) == &Watch::of(&here)
            && line.tracks.as_deref() == tracks.as_deref();
        // Who leaves maintenance is believed up until the next check, whatever was found before.
        let left = line.ordered == Admin::Maint && line.inherited < Admin::Maint && member.admin < Admin::Maint;
        if !same {
            tally.afresh += 1;
        } else if !left {
            member.continue_health(line, server, now);
        }
        if line.added.is_some() {
            // Whoever added it says when it is asked.
            member.checked = server.check.is_some() && !line.unchecked;
            if let (Some(agent), Some(line)) = (&mut member.agent, &line.agent) {
                agent.paused = line.paused;
            }
        }
        member.downs = line.downs.min(u32::MAX / 2);
        member.downtime = line.downtime.min(now.millis());
        member.failed_checks = line.failed_checks.min(COUNT_MAX);
        member.observed_failures = line.observed_failures.min(COUNT_MAX);
        Some(Kept {
            running: line.running,
            ordered: line.ordered,
            inherited: line.inherited,
            changed: Tick::from_millis(line.changed).min(now),
            warming_since: line.warming_since.map(|since| Tick::from_millis(since).min(now)),
            health: same,
            order: member.admin == line.admin,
        })
    }
}

impl Member {
    /// Goes on where the checks of a server that is asked the same were.
    fn continue_health(&mut self, line: &ServerLine<'_>, server: &Server, now: Tick) {
        self.health = self.health.at_level(line.level, line.stopping);
        self.checked = server.check.is_some() && !line.unchecked;
        self.errors = server.observe.map_or(0, |observe| line.errors.min(observe.limit.saturating_sub(1)));
        if let Some(last) = line.last.as_ref().and_then(|last| last.read(now)) {
            self.last = last;
        }
        if let (Some(agent), Some(line)) = (&mut self.agent, &line.agent) {
            (agent.up, agent.paused) = (line.up, line.paused);
            if let Some(last) = line.last.read(now) {
                agent.last = last;
            }
        }
    }
}

fn word(admin: Admin) -> &'static str {
    match admin {
        Admin::Ready => "ready",
        Admin::Drain => "drain",
        Admin::Maint => "maint",
    }
}
