//! What statistics show of a server or a backend, read at one moment under its lock.

use std::borrow::Cow;

use super::health::{Admin, CheckStatus, Health, ServerStatus};
use super::{BackState, Pool};
use crate::ir::{ProxyIx, ServerIx, TrackRef};
use crate::units::Tick;

/// A server as statistics show it. Fields are `None` where haproxy leaves the column empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerView {
    /// Its state.
    pub status: ServerStatus,
    /// The column `status`: the state, with the reason of a maintenance (`MAINT (via b/s)`).
    pub status_text: String,
    /// Whether it may be given sessions.
    pub usable: bool,
    /// Effective weight, slow start included.
    pub weight: u32,
    /// Weight of the configuration or set at run time.
    pub user_weight: u32,
    /// Whether it is a backup (`bck`), or else active (`act`).
    pub backup: bool,
    /// Its check, while it is checked.
    pub check: Option<CheckView>,
    /// What its last check found, in maintenance too; `None`: it has no check.
    pub last_found: Option<CheckStatus>,
    /// `hanafail`: how often too many connections failed, where that is observed.
    pub observed_failures: Option<u64>,
    /// Its agent, if it has one.
    pub agent: Option<AgentView>,
    /// Failed checks while it was up (`chkfail`), times it went down (`chkdown`), seconds it was down (`downtime`):
    /// only of servers with a check.
    pub failures: Option<Failures>,
    /// Seconds since it last went up or down (`lastchg`).
    pub last_change: u64,
    /// `slim`; `None`: no limit.
    pub session_limit: Option<u32>,
    /// `qlimit`; `None`: no limit.
    pub queue_limit: Option<u32>,
    /// Percent of a slow start; `None`: none is going on.
    pub throttle: Option<u8>,
    /// The server it tracks, as `proxy/server`.
    pub tracked: Option<String>,
    /// What was ordered for it, by itself or by the server it tracks.
    pub admin: Admin,
}

/// The check of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckView {
    /// Columns `check_status` ([`CheckStatus::word`]) and `check_desc` ([`CheckStatus::description`]).
    pub status: CheckStatus,
    /// `check_duration` in ms; `None` before the first.
    pub duration: Option<u32>,
    /// `check_code`.
    pub code: Option<u32>,
    /// `last_chk`: what was told besides.
    pub detail: Option<Cow<'static, str>>,
    /// Whether another check is under way: `check_status` starts with `* ` then.
    pub running: bool,
    /// `check_rise`, `check_fall` and ([`Health::level`]) `check_health`.
    pub health: Health,
}

/// The agent of a server; what it ever says takes effect at once, as if `rise` and `fall` were 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentView {
    /// Columns `agent_status` and `agent_desc`.
    pub status: CheckStatus,
    /// `agent_duration` in ms; 0 before the first answer.
    pub duration: u32,
    /// `agent_code`.
    pub code: Option<u32>,
    /// `last_agt`: what it said, or what went wrong.
    pub detail: Option<Cow<'static, str>>,
    /// Whether it is being asked: `agent_status` starts with `* ` then.
    pub running: bool,
    /// `agent_health`: whether it lets the server be used.
    pub up: bool,
}

/// What checks and orders have counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// `chkfail`.
    pub checks: u64,
    /// `chkdown`.
    pub downs: u32,
    /// `downtime`, in seconds.
    pub downtime: u64,
}

/// A backend as statistics show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackView {
    /// Whether it has a usable server, or no server at all (`UP`, else `DOWN`).
    pub up: bool,
    /// Sum of the effective weights of the servers in use.
    pub weight: u32,
    /// Usable servers that are no backups.
    pub active: u32,
    /// Usable backups.
    pub backup: u32,
    /// Times it went down.
    pub downs: u32,
    /// Seconds it was down.
    pub downtime: u64,
    /// Seconds since it last went up or down.
    pub last_change: u64,
    /// Servers that there are.
    pub servers: u32,
    /// `slim`: `fullconn`.
    pub fullconn: u32,
}

impl Pool {
    /// A server as statistics show it.
    pub fn server_view(&self, proxy: ProxyIx, server: ServerIx, now: Tick) -> Option<ServerView> {
        let at = TrackRef { proxy, server };
        let line = self.server(at)?;
        let back = self.back(proxy)?;
        let core = back.lock();
        let member = core.members.get(server.0 as usize)?;
        let (admin, checked) = (member.ordered(), member.checked);
        let status = match admin {
            Admin::Maint => ServerStatus::Maint,
            // No check counts: what is known comes from an order, or from a server state file.
            _ if !self.is_watched(line) => match admin {
                Admin::Drain if member.health.is_up() => ServerStatus::Drain,
                _ if !member.health.is_up() => ServerStatus::Down { rising: None },
                _ if member.health.is_stopping() => ServerStatus::Stopping { failing: None },
                _ => ServerStatus::Unchecked,
            },
            Admin::Drain if member.health.is_up() => ServerStatus::Drain,
            // Its checks are off for the time being.
            _ if line.check.is_some() && !checked && member.health.is_up() => ServerStatus::Unchecked,
            _ => member.health.status(),
        };
        let agent_down = admin != Admin::Maint && !member.agent_up();
        let status = if agent_down { ServerStatus::Down { rising: None } } else { status };
        let asked = line.agent.is_some() || self.server(self.root(at)).is_some_and(|root| root.agent.is_some());
        let tracked = line.track.map(|track| self.label(track));
        let status_text = match (&tracked, admin) {
            (_, Admin::Maint) if member.unresolved => "MAINT (resolution)".to_owned(),
            (Some(tracked), Admin::Maint) if member.admin != Admin::Maint => format!("MAINT (via {tracked})"),
            _ if agent_down => "DOWN (agent)".to_owned(),
            _ if asked && status == ServerStatus::Drain => "DRAIN (agent)".to_owned(),
            _ if status == ServerStatus::Drain && self.is_watched(line) => match member.health.failing_of() {
                Some((left, fall)) => format!("DRAIN {left}/{fall}"),
                None => status.to_string(),
            },
            _ => status.to_string(),
        };
        let down_since = if member.running() { 0 } else { now.since(member.changed) };
        let last = &member.last;
        Some(ServerView {
            status,
            status_text,
            usable: member.usable(),
            weight: member.scaled_weight.div_ceil(super::balance::WEIGHT_SCALE),
            user_weight: u32::from(member.weight),
            backup: member.backup,
            check: (checked && admin != Admin::Maint).then_some(CheckView {
                status: last.status,
                duration: last.duration,
                code: last.status.has_code().then(|| last.status.shown_code(last.code) as u32),
                detail: last.detail.clone(),
                running: last.running,
                health: member.health,
            }),
            last_found: checked.then_some(last.status),
            observed_failures: line.observe.map(|_| member.observed_failures),
            agent: member.agent.as_ref().filter(|agent| !agent.paused).map(|agent| AgentView {
                status: agent.last.status,
                duration: agent.last.duration.unwrap_or(0),
                code: agent.last.status.has_code().then(|| agent.last.status.shown_code(agent.last.code) as u32),
                detail: agent.last.detail.clone(),
                running: agent.last.running,
                up: agent.up,
            }),
            failures: checked.then_some(Failures {
                checks: member.failed_checks,
                downs: member.downs,
                downtime: (member.downtime + down_since) / 1000,
            }),
            last_change: now.since(member.changed) / 1000,
            session_limit: (member.maxconn > 0).then_some(member.maxconn),
            queue_limit: (member.maxqueue > 0).then_some(member.maxqueue),
            throttle: member.warming_since.is_some().then_some(member.throttle),
            tracked,
            admin,
        })
    }

    /// A backend as statistics show it.
    pub fn back_view(&self, proxy: ProxyIx, now: Tick) -> Option<BackView> {
        self.back(proxy).map(|back| back.view(now))
    }
}

impl BackState {
    fn view(&self, now: Tick) -> BackView {
        let core = self.lock();
        let (active, backup) = core.usable();
        let up = active + backup > 0 || core.members.is_empty();
        let down_since = if up { 0 } else { now.since(core.changed) };
        BackView {
            up,
            weight: core.weight(),
            active,
            backup,
            downs: core.downs,
            downtime: (core.downtime + down_since) / 1000,
            last_change: now.since(core.changed) / 1000,
            servers: self.servers.iter().filter(|server| !server.is_deleted()).count() as u32,
            fullconn: core.fullconn(),
        }
    }
}
