//! One server as its backend's lock guards it: limits, load, health, weight, queue.

use super::agent::AgentState;
use super::balance::{Standing, WEIGHT_SCALE};
use super::health::{Admin, Health, LastCheck};
use super::queue::Line;
use crate::ir::{Server, ServerAddress};
use crate::units::{Millis, Tick};

/// Steps of a slow start.
const STEPS: u64 = 16;

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Nothing.
    Down,
    /// The sessions that it has.
    Stopping,
    /// All sessions.
    Up,
}

/// A server's state.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) backup: bool,
    pub(super) maxconn: u32,
    pub(super) minconn: u32,
    pub(super) maxqueue: u32,
    pub(super) slowstart: Option<Millis>,
    ramps: bool,
    /// Whether it is checked itself.
    pub(super) checked: bool,
    /// Weight of the configuration or set at run time, 0 to 256.
    pub(super) weight: u16,
    /// When it came up, while its slow start lasts.
    pub(super) warming_since: Option<Tick>,
    /// Percent of weight and limit in force: 100 but during a slow start.
    pub(super) throttle: u8,
    /// Effective weight times [`WEIGHT_SCALE`], slow start included; health is not.
    pub(super) scaled_weight: u32,
    /// What was ordered for this server itself.
    pub(super) admin: Admin,
    /// What it inherits from the server it tracks.
    pub(super) inherited: Admin,
    /// Its name has not resolved: in maintenance until it does.
    pub(super) unresolved: bool,
    pub(super) health: Health,
    /// Sessions on it.
    pub(super) load: u32,
    pub(super) line: Line,
    /// When it last went up or down.
    pub(super) changed: Tick,
    /// Times it went down.
    pub(super) downs: u32,
    /// Milliseconds down before the last change.
    pub(super) downtime: u64,
    /// Failed checks while it was up.
    pub(super) failed_checks: u64,
    pub(super) last: LastCheck,
    /// Connections in a row that failed, where that is observed.
    pub(super) errors: u32,
    /// How often too many of them failed.
    pub(super) observed_failures: u64,
    /// What its agent says.
    pub(super) agent: Option<Box<AgentState>>,
    /// What the agent of the server it tracks says.
    pub(super) tracked_agent_up: bool,
}

impl Member {
    /// `ramps`: whether balancing follows the weight of a slow start.
    pub(super) fn new(server: &Server, ramps: bool, now: Tick) -> Self {
        let unresolved = matches!(server.address, ServerAddress::Unresolved { .. });
        let (rise, fall) = server.check.as_ref().map_or((2, 3), |check| (check.rise, check.fall));
        Self {
            backup: server.backup,
            maxconn: server.maxconn,
            minconn: server.minconn,
            maxqueue: server.maxqueue,
            slowstart: server.slowstart,
            ramps,
            checked: server.check.is_some(),
            weight: server.weight.get(),
            warming_since: None,
            throttle: 100,
            scaled_weight: u32::from(server.weight.get()) * WEIGHT_SCALE,
            admin: if server.disabled { Admin::Maint } else { Admin::Ready },
            inherited: Admin::Ready,
            unresolved,
            health: Health::starting(rise, fall),
            load: 0,
            line: Line::default(),
            changed: now,
            downs: 0,
            downtime: 0,
            failed_checks: 0,
            last: LastCheck::default(),
            errors: 0,
            observed_failures: 0,
            agent: server.agent.is_some().then(|| Box::new(AgentState::new())),
            tracked_agent_up: true,
        }
    }

    /// The administrative state in force.
    pub(super) fn ordered(&self) -> Admin {
        if self.unresolved { Admin::Maint } else { self.admin.max(self.inherited) }
    }

    /// Whether its agent, and that of the server it tracks, let it be used.
    pub(super) fn agent_up(&self) -> bool {
        self.tracked_agent_up && self.agent.as_ref().is_none_or(|agent| agent.up)
    }

    /// What checks and agents let it be used for.
    pub(super) fn service(&self) -> Service {
        match (self.is_up(), self.health.is_stopping()) {
            (false, _) => Service::Down,
            (true, true) => Service::Stopping,
            (true, false) => Service::Up,
        }
    }

    /// Whether checks and agents let it be used.
    pub(super) fn is_up(&self) -> bool {
        self.health.is_up() && self.agent_up()
    }

    /// Whether new sessions may be balanced to it.
    pub(super) fn usable(&self) -> bool {
        self.ordered() == Admin::Ready && self.service() == Service::Up && self.scaled_weight > 0
    }

    /// Whether statistics would call it up: its checks pass and it is not in maintenance.
    pub(super) fn running(&self) -> bool {
        self.ordered() != Admin::Maint && self.is_up()
    }

    /// Notes that it goes up or down at `now`; time down counts only for servers that were down.
    pub(super) fn turn(&mut self, up: bool, now: Tick) {
        if up {
            self.downtime += now.since(self.changed);
        } else {
            self.downs += 1;
        }
        self.changed = now;
    }

    /// Starts the slow start of a server that came up.
    pub(super) fn start_warming(&mut self, now: Tick) {
        if self.slowstart.is_some() {
            self.warming_since = Some(now);
            self.warm(now);
        }
    }

    /// Sets weight and limit for this moment of a slow start; returns whether it goes on.
    pub(super) fn warm(&mut self, now: Tick) -> bool {
        let (elapsed, span) = match (self.warming_since, self.slowstart) {
            // Counted in whole seconds.
            (Some(since), Some(span)) => (now.since(since) / 1000 * 1000, u64::from(span.get())),
            _ => (0, 0),
        };
        // haproxy's steps: sixteenths, one from the start and one more for each sixteenth of the time.
        let share = if elapsed >= span { STEPS } else { (elapsed * STEPS / span + 1).min(STEPS) };
        self.throttle = (100 * share / STEPS) as u8;
        let share = if self.ramps { share } else { STEPS };
        self.scaled_weight = (u64::from(self.weight) * u64::from(WEIGHT_SCALE) * share / STEPS) as u32;
        if elapsed >= span {
            self.warming_since = None;
        }
        self.warming_since.is_some()
    }

    /// The sessions it may have now; 0: no limit. `backend`, `fullconn`: sessions of the
    /// backend now, and how many make its servers take all they may.
    pub(super) fn limit(&self, backend: u32, fullconn: u32) -> u32 {
        let whole = if self.minconn == 0 || self.minconn >= self.maxconn || backend >= fullconn {
            self.maxconn
        } else {
            let share = u64::from(self.maxconn) * u64::from(backend) / u64::from(fullconn);
            (share as u32).max(self.minconn)
        };
        match self.throttle {
            100 => whole,
            _ if whole == 0 => 0,
            percent => ((u64::from(whole) * u64::from(percent) / 100) as u32).max(1),
        }
    }

    /// Whether its limit follows the backend's load.
    pub(super) fn follows_load(&self) -> bool {
        self.minconn > 0 && self.minconn < self.maxconn
    }

    /// What a balancer is told.
    pub(super) fn standing(&self, backend: u32, fullconn: u32) -> Standing {
        let limit = self.limit(backend, fullconn);
        Standing {
            weight: if self.usable() { self.scaled_weight } else { 0 },
            load: self.load + self.line.len(),
            served: self.load,
            full: limit > 0 && (self.load >= limit || self.line.len() > 0),
            queue_full: limit > 0 && self.load >= limit && self.maxqueue > 0 && self.line.len() >= self.maxqueue,
        }
    }
}
