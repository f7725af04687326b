//! What follows from imported lines for servers that track others, and for backends: settled at once, told to nobody.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use super::super::{Admin, BackState, Health, Pool};
use super::proxy::BackLine;
use crate::ir::{ProxyIx, ServerIx, TrackRef};
use crate::units::Tick;

/// What a server's line said of the old process, to be compared with what is now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) running: bool,
    pub(super) ordered: Admin,
    pub(super) inherited: Admin,
    pub(super) changed: Tick,
    pub(super) warming_since: Option<Tick>,
    /// Its health goes on.
    pub(super) health: bool,
    /// What is ordered for it itself is what was.
    pub(super) order: bool,
}

type Keeps = HashMap<(ProxyIx, ServerIx), Kept>;

/// What a server has from those that it tracks, the root's health among it.
struct Inherited {
    admin: Admin,
    agent_up: bool,
    health: Option<Health>,
    /// Orders of all of them are what they were.
    same_orders: bool,
    /// The health of the root went on.
    same_health: bool,
}

impl Pool {
    /// Settles what lines said one by one: trackers inherit, moments of change go on where nothing changed.
    pub(super) fn settle_imported(&self, kept: &Keeps, backs: &[(ProxyIx, BackLine<'_>)], now: Tick) {
        let pairs = self.tracked().clone();
        for (_, by) in pairs {
            self.inherit_imported(by, kept);
        }
        for ((proxy, server), keeps) in kept {
            let Some(back) = self.back(*proxy) else { continue };
            let mut core = back.lock();
            let Some(member) = core.members.get_mut(server.0 as usize) else { continue };
            if member.running() == keeps.running && member.ordered() == keeps.ordered {
                member.changed = keeps.changed;
                member.warming_since = keeps.warming_since.filter(|_| member.running() && member.slowstart.is_some());
            } else {
                if !keeps.running {
                    member.downtime = member.downtime.saturating_add(now.since(keeps.changed));
                }
                member.changed = now;
            }
            if member.warm(now) {
                back.warming.store(true, Relaxed);
            }
        }
        for back in self.proxies.iter().filter_map(|proxy| proxy.back.as_ref()) {
            let mut core = back.lock();
            for server in 0..core.members.len() as u32 {
                core.refresh(server, back.sessions.get());
            }
            let was = core.is_up();
            core.start();
            if core.is_up() != was {
                core.changed = now;
            }
        }
        for (ix, line) in backs {
            let Some(mut core) = self.back(*ix).map(BackState::lock) else { continue };
            let changed = Tick::from_millis(line.changed).min(now);
            core.downs = line.downs.min(u32::MAX / 2);
            core.downtime = line.downtime.min(now.millis());
            if core.is_up() == line.up {
                core.changed = changed;
            } else {
                if !line.up && line.downs > 0 {
                    core.downtime = core.downtime.saturating_add(now.since(changed));
                }
                core.changed = now;
            }
        }
    }

    /// Gives a tracker what it has from the servers it tracks.
    fn inherit_imported(&self, by: TrackRef, kept: &Keeps) {
        let keeps = kept.get(&(by.proxy, by.server));
        let from = self.ancestry(by, kept);
        let Some(mut core) = self.back(by.proxy).map(BackState::lock) else { return };
        let Some(member) = core.members.get_mut(by.server.0 as usize) else { return };
        member.inherited = match keeps {
            Some(keeps) if keeps.health && from.same_orders => keeps.inherited,
            _ => from.admin,
        };
        member.tracked_agent_up = from.agent_up;
        let own = keeps.is_some_and(|keeps| keeps.health) && from.same_health;
        if let Some(health) = from.health.filter(|_| !own) {
            member.health = health;
        }
    }

    fn ancestry(&self, by: TrackRef, kept: &Keeps) -> Inherited {
        let mut all =
            Inherited { admin: Admin::Ready, agent_up: true, health: None, same_orders: true, same_health: true };
        let mut at = by;
        for _ in 0..self.tracked().len() {
            let Some(next) = self.server(at).and_then(|server| server.track) else { break };
            at = next;
            let keeps = kept.get(&(at.proxy, at.server));
            let Some(core) = self.back(at.proxy).map(BackState::lock) else { break };
            let Some(member) = core.members.get(at.server.0 as usize) else { break };
            all.admin = all.admin.max(if member.unresolved { Admin::Maint } else { member.admin });
            all.agent_up &= member.agent.as_ref().is_none_or(|agent| agent.up);
            all.health = Some(member.health);
            all.same_orders &= keeps.is_some_and(|keeps| keeps.order);
            all.same_health &= keeps.is_some_and(|keeps| keeps.health);
        }
        all
    }
}
