//! What the word of an agent changes: a server's state, what is ordered for it, its weight and its limit.
//!
//! Knows no socket; the words were read by `engine`. Source: manual §5.2 "agent-check"; order, texts and what is left
//! alone observed on 2.6.12 (`tests/agents.rs`).

use std::fmt::Write as _;

use super::health::{Admin, CheckResult, CheckStatus, LastCheck};
use super::notice::Why;
use super::verdicts::{Events, Site};
use super::{BackState, Pool};
use crate::ir::{Balance, ProxyIx, ServerIx, TrackRef};
use crate::units::{Tick, Weight};

/// The longest text that is told of an answer, in bytes.
const LONGEST: usize = 127;

/// What an agent said in its line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentAnswer {
    /// Whether the server is up, and the word for it as it was written.
    pub health: Option<(bool, String)>,
    /// `ready`, `drain` or `maint`.
    pub admin: Option<Admin>,
    /// Percent of the weight of the configuration.
    pub weight: Option<u64>,
    /// `maxconn:`; 0: no limit.
    pub maxconn: Option<u32>,
    /// The first word that says nothing.
    pub unknown: Option<String>,
    /// Why a weight or else a limit could not be read.
    pub fault: Option<&'static str>,
    /// What stands behind `#`.
    pub comment: Option<String>,
}

/// How asking an agent ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentReport {
    /// It said a whole line.
    Answer(Box<AgentAnswer>),
    /// It said something that is no whole line.
    Incomplete,
    /// It said nothing: what went wrong, with [`CheckResult::duration`].
    Failed(CheckStatus, Option<String>),
}

/// What is known of a server's agent.
#[derive(Debug)]
pub(super) struct AgentState {
    /// Whether it lets the server be used.
    pub(super) up: bool,
    /// Not asked and not shown for the time being.
    pub(super) paused: bool,
    pub(super) last: LastCheck,
}

impl AgentState {
    /// Nothing was said yet.
    pub(super) fn new() -> Self {
        Self { up: true, paused: false, last: LastCheck::default() }
    }
}

impl AgentAnswer {
    /// What statistics and logs tell of it.
    fn told(&self, fault: Option<&str>) -> String {
        let note = self.unknown.as_deref().or(fault).or(self.comment.as_deref()).filter(|note| !note.is_empty());
        let mut text = match (&self.health, &self.unknown, fault) {
            (Some((_, word)), ..) => format!("via agent : {word}"),
            (None, Some(word), _) => return format!("agent reports an error : {word}"),
            (None, None, Some(fault)) => return format!("agent warns : {fault}"),
            (None, None, None) => return String::new(),
        };
        if let Some(note) = note {
            // Writing to a String cannot fail.
            let _ = write!(text, " ({note})");
        }
        text
    }
}

impl Pool {
    /// An administrator has a server's agent asked or not; `false`: it has none.
    pub fn enable_agent(&self, proxy: ProxyIx, server: ServerIx, asked: bool) -> bool {
        let Some(mut core) = self.back(proxy).map(BackState::lock) else { return false };
        let agent = core.members.get_mut(server.0 as usize).and_then(|member| member.agent.as_mut());
        agent.is_some_and(|agent| {
            agent.paused = !asked;
            true
        })
    }

    /// An administrator says what an agent that is asked would: the server is up or down. `None`: nobody asks one.
    pub fn set_agent(&self, proxy: ProxyIx, server: ServerIx, up: bool, now: Tick) -> Option<Events> {
        let at = TrackRef { proxy, server };
        let mut site = Site::open(self, at, None, now)?;
        let (was, maintained) = (site.member().service(), site.member().ordered() == Admin::Maint);
        let agent = site.member().agent.as_mut().filter(|agent| !agent.paused)?;
        agent.up = up;
        if !maintained {
            site.turn_if_changed(was, Why::Order);
        }
        let (health, agent_up) = (site.member().health, site.member().agent_up());
        let mut events = site.close();
        self.follow(at, health, agent_up, now, &mut events);
        Some(events)
    }

    /// An agent is asked; `false`: not now.
    pub fn start_agent(&self, proxy: ProxyIx, server: ServerIx) -> bool {
        let Some(mut core) = self.back(proxy).map(BackState::lock) else { return false };
        let agent = core.members.get_mut(server.0 as usize).and_then(|member| member.agent.as_mut());
        agent.is_some_and(|agent| {
            if agent.paused {
                return false;
            }
            agent.last.running = true;
            // haproxy shows nothing of the last answer while it asks again
            agent.last.detail = None;
            true
        })
    }

    /// An agent was asked, which took `duration` ms: returns what changed, in the order in which it is to be told.
    pub fn report_agent(
        &self,
        proxy: ProxyIx,
        server: ServerIx,
        report: AgentReport,
        duration: u32,
        now: Tick,
    ) -> Events {
        let at = TrackRef { proxy, server };
        let mut events = Events::new();
        match report {
            AgentReport::Answer(answer) => self.obey_agent(at, &answer, duration, now, &mut events),
            AgentReport::Incomplete => {
                if let Some(mut site) = Site::open(self, at, None, now)
                    && let Some(agent) = &mut site.member().agent
                {
                    agent.last.detail = Some("Ignoring incomplete line from agent".into());
                    (agent.last.duration, agent.last.ended) = (Some(duration), Some(now));
                    agent.last.running = false;
                }
            }
            AgentReport::Failed(status, detail) => {
                let result = CheckResult { status, duration, code: None, detail: detail.map(Into::into) };
                self.note_agent(at, &result, None, now, &mut events);
            }
        }
        events
    }

    fn obey_agent(&self, at: TrackRef, answer: &AgentAnswer, duration: u32, now: Tick, events: &mut Events) {
        let Some(line) = self.server(at) else { return };
        // A server in maintenance hears first how it is, so that it leaves in that state.
        let in_maintenance = {
            let Some(mut site) = Site::open(self, at, None, now) else { return };
            let up = answer.health.as_ref().map(|(up, _)| *up);
            let member = site.member();
            let maintained = member.ordered() == Admin::Maint;
            if let (true, Some(agent), Some(up)) = (maintained, &mut member.agent, up) {
                agent.up = up;
            }
            maintained
        };
        if let Some(admin) = answer.admin {
            self.order(at, admin, None, now, events);
        }
        let mut fault = answer.fault;
        if let Some(percent) = answer.weight {
            if self.has_fixed_weights(at.proxy) && percent != 0 && percent != 100 {
                fault = Some("the backend's weights are fixed: only 0% and 100% are taken");
            } else {
                let weight = u64::from(line.weight.get()).saturating_mul(percent) / 100;
                let weight = u16::try_from(weight).unwrap_or(u16::MAX).min(Weight::MAX.get());
                let weight = Weight::new(weight).unwrap_or(Weight::MAX);
                events.append(&mut self.set_weight(at.proxy, at.server, weight, now));
            }
        }
        if let Some(maxconn) = answer.maxconn {
            events.append(&mut self.set_server_maxconn(at.proxy, at.server, maxconn, now));
        }
        let (status, code) = match answer.health {
            Some((true, _)) => (CheckStatus::L7Ok, Some(0)),
            Some((false, _)) => (CheckStatus::L7Sts, Some(0)),
            None => (CheckStatus::Checked, None),
        };
        let mut told = answer.told(fault);
        told.truncate(told.floor_char_boundary(LONGEST));
        let result = CheckResult { status, duration, code, detail: Some(told.into()) };
        let health = answer.health.as_ref().map(|(up, _)| *up).filter(|_| !in_maintenance);
        self.note_agent(at, &result, health, now, events);
    }

    /// Keeps what was found, tells it, and lets the server and its trackers turn.
    fn note_agent(&self, at: TrackRef, result: &CheckResult, health: Option<bool>, now: Tick, events: &mut Events) {
        let Some(mut site) = Site::open(self, at, None, now) else { return };
        let was = site.member().service();
        let maintained = site.member().ordered() == Admin::Maint;
        let Some(agent) = &mut site.member().agent else { return };
        let turned = health.is_some_and(|up| agent.up != up);
        agent.up = health.unwrap_or(agent.up);
        let (up, news) = (agent.up, turned || agent.last.status != result.status);
        agent.last.note(result, now);
        let logged = self.config.proxies[at.proxy.0 as usize].backend.as_ref().is_some_and(|b| b.log_health_checks);
        if logged && news && result.status != CheckStatus::Checked {
            site.tell_agent(result, up);
        }
        if !maintained {
            site.turn_if_changed(was, if logged { Why::Told } else { Why::Check(result) });
        }
        let (health, agent_up) = (site.member().health, site.member().agent_up());
        events.append(&mut site.close());
        if turned {
            self.follow(at, health, agent_up, now, events);
        }
    }

    /// Whether balancing cannot follow weights that change, but for servers that come and go.
    pub fn has_fixed_weights(&self, proxy: ProxyIx) -> bool {
        let back = self.config.proxies.get(proxy.0 as usize).and_then(|proxy| proxy.backend.as_ref());
        back.is_some_and(|back| match back.balance {
            Balance::StaticRr => true,
            balance if balance.is_keyed() => !back.hash.consistent,
            _ => false,
        })
    }
}
