//! What a server state file says of a server, taken over at the start, and what is said of one for such a file.
//!
//! Source: management manual §9.3 "show servers state"; which fields act, and how, observed on 2.6.12 (docs/OBSERVED.md).

use std::sync::atomic::Ordering::Relaxed;

use super::health::Health;
use super::member::{Member, Service};
use super::{Admin, BackState, CheckStatus, Pool};
use crate::ir::{ProxyIx, Server, ServerAddress, ServerIx, TrackRef};
use crate::units::server_state::{Operation, ServerState, admin, check};
use crate::units::{Tick, Weight};

impl Pool {
    /// Gives servers the state that is recorded of them. What a file says of a tracker's health does not count: it has
    /// that of the server it tracks.
    pub(super) fn recall(&self, now: Tick) {
        for (proxy, back) in self.config.proxies.iter().zip(&self.proxies) {
            let (Some(line), Some(back)) = (&proxy.backend, &back.back) else { continue };
            if line.servers.iter().all(|server| server.recorded.is_none()) {
                continue;
            }
            let mut core = back.lock();
            for (ix, server) in (0..).zip(&line.servers) {
                if let (Some(state), Some(member)) = (&server.recorded, core.members.get_mut(ix as usize)) {
                    member.recall(state, server, now);
                    if member.warming_since.is_some() {
                        back.warming.store(true, Relaxed);
                    }
                    core.refresh(ix, 0);
                }
            }
            core.settle(now); // counted, though nobody is told
        }
    }

    /// What `show servers state` says of a server.
    pub fn server_state(&self, proxy: ProxyIx, server: ServerIx, now: Tick) -> Option<ServerState> {
        let line = &*self.server_now(proxy, server)?;
        let configured = self.server(TrackRef { proxy, server })?;
        let service = line.resolve.as_ref().is_some_and(|resolve| resolve.service.is_some());
        let renamed = if service { self.is_changed(proxy, server) } else { line.host != configured.host };
        let core = self.back(proxy).map(BackState::lock)?;
        let member = core.members.get(server.0 as usize)?;
        let maintained = member.ordered() == Admin::Maint;
        let (address, port) = place(line);
        let of_check = line.check.as_ref();
        let agent = line.agent.as_deref();
        Some(ServerState {
            address,
            operation: match member.service() {
                _ if maintained => Operation::Stopped,
                Service::Down => Operation::Stopped,
                Service::Stopping => Operation::Stopping,
                Service::Up if member.warming_since.is_some() => Operation::Starting,
                Service::Up => Operation::Running,
            },
            admin: member.orders(line) | if renamed { admin::OTHER_HOST } else { 0 },
            weight: member.weight,
            initial_weight: line.weight.get(),
            since: now.since(member.changed) / 1000,
            check_status: member.last.status.number(),
            check_result: result(member.last.status),
            check_health: member.recorded_level(line),
            check: member.check_state(line),
            agent: member.agent.as_ref().map_or(0, |agent| {
                let enabled = if agent.paused { 0 } else { check::ENABLED };
                let running = if agent.last.running { check::RUNNING } else { 0 };
                check::AGENT | check::CONFIGURED | enabled | running | if maintained { check::PAUSED } else { 0 }
            }),
            host: line.host.clone(),
            service: line.resolve.as_ref().and_then(|resolve| resolve.service.clone()),
            port,
            check_port: of_check.and_then(|check| check.port).unwrap_or(0),
            check_address: of_check.and_then(|check| check.addr),
            // What is said of the check holds for the agent that says nothing, whether or not there is one.
            agent_address: agent.and_then(|agent| agent.addr).or_else(|| of_check.and_then(|check| check.addr)),
            agent_port: agent.map_or_else(|| of_check.and_then(|check| check.port).unwrap_or(0), |agent| agent.port),
        })
    }
}

/// A server's address and port as far as it has them; a port that follows the client's is its offset.
fn place(server: &Server) -> (Option<std::net::IpAddr>, u16) {
    let offset = server.port_offset.map(|offset| u16::try_from(offset).unwrap_or(0));
    match &server.address {
        ServerAddress::Inet(address) => (Some(address.ip()), offset.unwrap_or(address.port())),
        ServerAddress::Unresolved { port, .. } => (None, offset.unwrap_or(*port)),
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) | ServerAddress::SockPair(_) => (None, 0),
    }
}

/// What a finding means, as a number.
fn result(status: CheckStatus) -> u8 {
    match status {
        CheckStatus::Unknown | CheckStatus::Ini => 0,
        CheckStatus::Checked => 1,
        CheckStatus::L7OkC => 4,
        status if status.passed() => 3,
        _ => 2,
    }
}

impl Member {
    fn orders(&self, server: &Server) -> u8 {
        let mut bits = 0;
        for (bit, holds) in [
            (admin::MAINT, self.admin == Admin::Maint),
            (admin::INHERITED_MAINT, self.inherited == Admin::Maint),
            (admin::CONFIGURED_MAINT, server.disabled),
            (admin::DRAIN, self.admin == Admin::Drain),
            (admin::INHERITED_DRAIN, self.inherited == Admin::Drain),
            (admin::UNRESOLVED, self.unresolved),
        ] {
            bits |= if holds { bit } else { 0 };
        }
        bits
    }

    fn check_state(&self, server: &Server) -> u8 {
        match &server.check {
            None if server.disabled => check::PAUSED,
            None => 0,
            Some(_) => {
                let enabled = if self.checked { check::ENABLED } else { 0 };
                let running = if self.last.running { check::RUNNING } else { 0 };
                let paused = if self.ordered() == Admin::Maint { check::PAUSED } else { 0 };
                check::CONFIGURED | enabled | running | paused
            }
        }
    }

    /// The level of its own health; a tracker has none of its own, and one in maintenance begins anew.
    fn recorded_level(&self, server: &Server) -> u32 {
        let own = self.admin == Admin::Maint || self.unresolved;
        match &server.check {
            Some(_) if self.ordered() == Admin::Maint => 0,
            Some(_) => self.health.level(),
            None if own || server.disabled || server.track.is_none() && self.downs > 0 => 0,
            None if server.track.is_some() => self.health.rise(),
            None => self.health.level(),
        }
    }

    /// Takes over what is recorded, as far as the configuration does not say otherwise.
    fn recall(&mut self, state: &ServerState, server: &Server, now: Tick) {
        let since = |seconds: u64| Tick::from_millis(now.millis().saturating_sub(seconds.saturating_mul(1000)));
        let has = |bit: u8| state.admin & bit != 0;
        let left = has(admin::CONFIGURED_MAINT) && !has(admin::MAINT);
        self.admin = match () {
            () if server.disabled && !left => Admin::Maint,
            // The maintenance of an old configuration ends with it.
            () if has(admin::MAINT) && !has(admin::CONFIGURED_MAINT) => Admin::Maint,
            () if has(admin::DRAIN) => Admin::Drain,
            () => Admin::Ready,
        };
        let starts = Health::starting(self.health.rise(), self.health.fall());
        self.health = match state.operation {
            _ if server.disabled && left => starts,
            Operation::Stopped => self.health.down(),
            Operation::Starting => starts,
            Operation::Running => self.health.up(),
            Operation::Stopping => self.health.at_level(self.health.rise(), true),
        };
        self.changed = since(state.since);
        self.downs = u32::from(state.operation == Operation::Stopped && !server.disabled);
        self.last.status = CheckStatus::numbered(state.check_status);
        if server.check.is_some() && state.check & check::CONFIGURED != 0 {
            self.checked = state.check & check::ENABLED != 0;
        }
        if let Some(agent) = &mut self.agent
            && state.agent & check::CONFIGURED != 0
        {
            agent.paused = state.agent & check::ENABLED == 0;
        }
        if state.initial_weight == server.weight.get() {
            self.weight = state.weight.min(Weight::MAX.get());
        }
        if state.operation == Operation::Starting && self.slowstart.is_some() {
            self.changed = now;
            self.start_warming(now);
        }
        self.warm(now);
    }
}
