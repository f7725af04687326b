//! What a check's verdict or an administrator's order changes, here and in the servers that track the server.
//!
//! Holds one backend's lock at a time. The words of the lines stand in [`super::notice`].

use std::sync::MutexGuard;
use std::sync::atomic::Ordering::Relaxed;

use super::core::{Core, Grants};
use super::health::{Admin, CheckResult, Event, Health, HealthOrder};
use super::member::{Member, Service};
use super::notice::{self, Change, Motive, Subject, Tally, Why};
use super::{BackState, Cause, Closing, Control, Journal, Pool};
use crate::ir::{MarkedDown, MarkedUp, ProxyIx, Server, ServerIx, TrackRef};
use crate::units::{Millis, Tick, Weight};

/// Lines to be told, each of its proxy.
pub type Events = Vec<(ProxyIx, Event)>;

impl Pool {
    /// A check begins; `false`: it must not, the server is in maintenance.
    pub fn start_check(&self, proxy: ProxyIx, server: ServerIx) -> bool {
        let Some(mut core) = self.back(proxy).map(BackState::lock) else { return false };
        let Some(member) = core.members.get_mut(server.0 as usize) else { return false };
        let wanted = member.checked && member.ordered() != Admin::Maint;
        member.last.running = wanted;
        if wanted {
            member.last.detail = None; // as haproxy: while a check runs nothing is shown of the one before
        }
        wanted
    }

    /// Time from the end of a server's check to its next.
    pub fn check_interval(&self, proxy: ProxyIx, server: ServerIx) -> Millis {
        let Some(check) = self.server(TrackRef { proxy, server }).and_then(|server| server.check.as_ref()) else {
            return Millis::MAX;
        };
        let core = self.back(proxy).map(BackState::lock);
        let health = core.and_then(|core| core.members.get(server.0 as usize).map(|member| member.health));
        health.map_or(check.inter, |health| health.interval(check))
    }

    /// Tells what changed, and ends the sessions that are to end with it.
    pub fn announce(&self, events: &[(ProxyIx, Event)], journal: &dyn Journal, control: &dyn Control) {
        for (proxy, event) in events {
            journal.event(Some(*proxy), event.level, &event.message);
            if event.returns {
                control.rebalance();
            }
            let Some(ix) = event.server else { continue };
            let Some(server) = self.server(TrackRef { proxy: *proxy, server: ix }) else { continue };
            if event.marked_down && server.on_marked_down == MarkedDown::ShutdownSessions {
                control.close(Closing::Server(*proxy, ix), Cause::Down);
            }
            if event.marked_up && server.on_marked_up == MarkedUp::ShutdownBackupSessions {
                control.close(Closing::Backups(*proxy), Cause::Up);
            }
        }
    }

    /// A check ended: returns what changed, in the order in which it is to be told. Servers that track this one
    /// change with it.
    pub fn report_check(&self, proxy: ProxyIx, server: ServerIx, result: &CheckResult, now: Tick) -> Events {
        let status = result.status;
        self.conclude(TrackRef { proxy, server }, result, |health| health.after_check(status), now)
    }

    /// What a check, or the traffic, found makes of a server's health what `decide` says.
    pub(super) fn conclude(
        &self,
        at: TrackRef,
        result: &CheckResult,
        decide: impl FnOnce(Health) -> Health,
        now: Tick,
    ) -> Events {
        let proxy = at.proxy;
        let Some(mut site) = Site::open(self, at, None, now) else { return Events::new() };
        let member = site.member();
        if member.ordered() == Admin::Maint {
            return Events::new(); // it ended too late: nobody asks any more
        }
        let (before, was) = (member.health, member.service());
        let health = decide(before);
        member.failed_checks += u64::from((before.is_up() || !before.is_settled()) && !result.status.passed());
        if result.status.passed() {
            member.errors = 0;
        }
        let news = member.last.status != result.status || before != health;
        member.last.note(result, now);
        let logged = self.config.proxies[proxy.0 as usize].backend.as_ref().is_some_and(|b| b.log_health_checks);
        if logged && news {
            let event = site.subject().checked(result, health);
            site.events.push((proxy, event));
        }
        site.member().health = health;
        let why = if logged { Why::Told } else { Why::Check(result) };
        site.turn_if_changed(was, why);
        let agent_up = site.member().agent_up();
        let mut events = site.close();
        if before != health {
            self.follow(at, health, agent_up, now, &mut events);
        }
        events
    }

    /// An administrator's order: returns what changed.
    pub fn set_admin(&self, proxy: ProxyIx, server: ServerIx, admin: Admin, now: Tick) -> Events {
        let mut events = Events::new();
        self.order(TrackRef { proxy, server }, admin, None, now, &mut events);
        events
    }

    /// An administrator has a server checked or not; `false`: its configuration has no check.
    pub fn enable_check(&self, proxy: ProxyIx, server: ServerIx, checked: bool) -> bool {
        let has_one = self.server(TrackRef { proxy, server }).is_some_and(|server| server.check.is_some());
        let Some(mut core) = self.back(proxy).map(BackState::lock).filter(|_| has_one) else { return false };
        if let Some(member) = core.members.get_mut(server.0 as usize) {
            member.checked = checked;
        }
        has_one
    }

    /// An administrator says how a server is, whatever its checks say; the next of them count from there.
    pub fn set_health(&self, proxy: ProxyIx, server: ServerIx, order: HealthOrder, now: Tick) -> Events {
        let at = TrackRef { proxy, server };
        let Some(mut site) = Site::open(self, at, None, now) else { return Events::new() };
        let member = site.member();
        let (before, was) = (member.health, member.service());
        let health = before.ordered(order);
        if member.ordered() == Admin::Maint || before == health {
            return Events::new();
        }
        member.health = health;
        site.turn_if_changed(was, Why::Order);
        let agent_up = site.member().agent_up();
        let mut events = site.close();
        self.follow(at, health, agent_up, now, &mut events);
        events
    }

    /// Changes a server's weight at run time; a slow start goes on with it.
    pub fn set_weight(&self, proxy: ProxyIx, server: ServerIx, weight: Weight, now: Tick) -> Events {
        let Some(mut site) = Site::open(self, TrackRef { proxy, server }, None, now) else { return Events::new() };
        let member = site.member();
        member.weight = weight.get();
        member.warm(now);
        let drained = member.ordered() == Admin::Drain;
        site.refresh();
        site.fill();
        if drained {
            site.tell(&Change::RemainsDrained, 0);
        }
        site.settle();
        site.close()
    }

    /// Changes the sessions that a server may have at once; 0: no limit.
    pub fn set_server_maxconn(&self, proxy: ProxyIx, server: ServerIx, maxconn: u32, now: Tick) -> Events {
        let Some(mut site) = Site::open(self, TrackRef { proxy, server }, None, now) else { return Events::new() };
        site.member().maxconn = maxconn;
        site.refresh();
        site.fill();
        site.close()
    }

    /// Moves slow starts on to `now`; returns whether any goes on. To be called several times a second.
    pub fn warm_up(&self, now: Tick) -> bool {
        let mut goes_on = false;
        for back in self.proxies.iter().filter_map(|proxy| proxy.back.as_ref()) {
            if back.warming.load(Relaxed) {
                let mut core = back.lock();
                let (woken, more) = core.warm_up(back.sessions.get(), now);
                back.warming.store(more, Relaxed);
                drop(core);
                back.wake(woken, now);
                goes_on |= more;
            }
        }
        goes_on
    }

    /// Lets the trackers of a server follow its health.
    pub(super) fn follow(&self, tracked: TrackRef, health: Health, agent_up: bool, now: Tick, events: &mut Events) {
        for at in self.trackers(tracked) {
            let Some(mut site) = Site::open(self, at, Some(tracked), now) else { continue };
            let member = site.member();
            let (was, maintained) = (member.service(), member.ordered() == Admin::Maint);
            (member.health, member.tracked_agent_up) = (health, agent_up);
            let agent_up = member.agent_up();
            if !maintained {
                site.turn_if_changed(was, Why::Told);
            }
            events.append(&mut site.close());
            self.follow(at, health, agent_up, now, events);
        }
    }

    /// Gives an order to a server, or (with `via`) to one that tracks another.
    pub(super) fn order(&self, at: TrackRef, admin: Admin, via: Option<TrackRef>, now: Tick, events: &mut Events) {
        let followed = self.followed(at);
        let Some(mut site) = Site::open(self, at, via, now) else { return };
        let member = site.member();
        let before = member.ordered();
        if via.is_some() {
            member.inherited = admin;
        } else {
            member.admin = admin;
        }
        let after = member.ordered();
        if before == after {
            return;
        }
        site.followed = followed;
        site.reorder(before, after, Motive::Order);
        self.hand_on(site, before, after, events);
    }

    /// Ends what an order changed, and hands it on to those that track the server.
    pub(super) fn hand_on(&self, mut site: Site<'_>, before: Admin, after: Admin, events: &mut Events) {
        let (at, now) = (site.at, site.now);
        let (health, agent_up) = (site.member().health, site.member().agent_up());
        events.append(&mut site.close());
        for tracker in self.trackers(at) {
            if before == Admin::Maint
                && let Some(mut site) = Site::open(self, tracker, Some(at), now)
            {
                let member = site.member();
                (member.health, member.tracked_agent_up) = (health, agent_up);
            }
            self.order(tracker, after, Some(at), now, events);
        }
    }
}

/// One server under its backend's lock, and what is to be told when the lock is given back.
pub(super) struct Site<'p> {
    pool: &'p Pool,
    at: TrackRef,
    via: Option<TrackRef>,
    server: &'p Server,
    back: &'p BackState,
    core: MutexGuard<'p, Core>,
    now: Tick,
    woken: Grants,
    events: Events,
    /// The health of the server that it tracks, if it tracks one.
    pub(super) followed: Option<Health>,
}

impl<'p> Site<'p> {
    pub(super) fn open(pool: &'p Pool, at: TrackRef, via: Option<TrackRef>, now: Tick) -> Option<Self> {
        let server = pool.server(at)?;
        let back = pool.back(at.proxy)?;
        let core = back.lock();
        Some(Self {
            pool,
            at,
            via,
            server,
            back,
            core,
            now,
            woken: Grants::new(),
            events: Events::new(),
            followed: None,
        })
    }

    pub(super) fn close(self) -> Events {
        let Self { back, core, woken, events, now, .. } = self;
        drop(core);
        back.wake(woken, now);
        events
    }

    pub(super) fn member(&mut self) -> &mut Member {
        &mut self.core.members[self.at.server.0 as usize]
    }

    fn refresh(&mut self) {
        self.core.refresh(self.at.server.0, self.back.sessions.get());
    }

    fn subject(&self) -> Subject<'p> {
        let proxy = &self.pool.config.proxies[self.at.proxy.0 as usize];
        let via = self.via.map(|via| self.pool.label(via));
        Subject { proxy, server: self.server, ix: self.at.server, via }
    }

    fn tell(&mut self, change: &Change<'_>, moved: u32) {
        let state = &self.back.servers[self.at.server.0 as usize];
        let tally = Tally {
            usable: self.core.usable(),
            sessions: state.sessions.get(),
            moved,
            queued: self.core.members[self.at.server.0 as usize].line.len(),
        };
        let mut event = self.subject().changed(change, &tally);
        match change {
            Change::Turned { up, .. } => (event.marked_up, event.marked_down) = (*up, !*up),
            Change::Maintained { was_up, .. } => event.marked_down = *was_up,
            Change::Restored { drained, up, .. } => event.marked_up = *up && !*drained,
            _ => {}
        }
        event.returns = match change {
            Change::Turned { up, .. } | Change::Undrained { up } => *up,
            Change::Restored { drained, up, .. } => *up && !*drained,
            _ => false,
        };
        if event.returns {
            self.back.begin_rebalance(self.now);
        }
        self.events.push((self.at.proxy, event));
    }

    /// Takes waiting sessions to this server while it has room; returns how many.
    fn fill(&mut self) -> u32 {
        let woken = self.core.fill(self.at.server.0, self.back.sessions.get());
        let moved = woken.len() as u32;
        self.woken.extend(woken);
        moved
    }

    /// Sends the sessions of this server's queue elsewhere; returns how many.
    fn redistribute(&mut self) -> u32 {
        let moves = self.core.redistribute(self.at.server.0, self.back.sessions.get());
        let moved = self.back.count_moves(self.at.server.0, &moves);
        self.woken.extend(moves.grants);
        moved
    }

    /// Tells when the backend has lost its last server.
    fn settle(&mut self) {
        if self.core.settle(self.now) {
            let event = notice::nobody_left(&self.pool.config.proxies[self.at.proxy.0 as usize]);
            self.events.push((self.at.proxy, event));
        }
    }

    /// Tells what an agent said, where `option log-health-checks` asks for it.
    pub(super) fn tell_agent(&mut self, result: &CheckResult, up: bool) {
        let event = self.subject().agent_checked(result, up);
        self.events.push((self.at.proxy, event));
    }

    /// What the server is for may have changed: it was for `was`.
    pub(super) fn turn_if_changed(&mut self, was: Service, why: Why<'_>) {
        match self.member().service() {
            is if is == was => {}
            Service::Stopping => self.stop(why),
            is => self.turn(is == Service::Up, was, why),
        }
    }

    /// The server is up, and gets no new sessions from now on.
    fn stop(&mut self, why: Why<'_>) {
        self.member().changed = self.now;
        let moved = self.put_in_force(false);
        self.tell(&Change::Stopping { why }, moved);
        self.settle();
    }

    /// The server's health has turned.
    fn turn(&mut self, up: bool, was: Service, why: Why<'_>) {
        let now = self.now;
        let member = self.member();
        if up && was == Service::Stopping {
            member.changed = now; // it was stopping, and is not any more: it was never down
        } else {
            member.turn(up, now);
        }
        let drained = member.ordered() == Admin::Drain;
        let moved = self.put_in_force(up);
        self.tell(&Change::Turned { up, why }, moved);
        if drained || was == Service::Stopping {
            // Nobody is to be alarmed by a server that takes no sessions anyway.
            if let Some((_, event)) = self.events.last_mut() {
                event.level = event.level.max(crate::ir::Level::Notice);
            }
        }
        if drained {
            self.tell(&Change::RemainsDrained, 0);
        }
        self.settle();
    }

    /// Lets balancing and queues see that the server may be used, or not; returns the sessions that moved.
    fn put_in_force(&mut self, up: bool) -> u32 {
        let now = self.now;
        let member = self.member();
        if up {
            member.start_warming(now);
            if member.warming_since.is_some() {
                self.back.warming.store(true, Relaxed);
            }
        } else {
            member.warming_since = None;
            member.warm(now);
        }
        self.refresh();
        if up { self.fill() } else { self.redistribute() }
    }

    /// The administrative state in force has changed.
    pub(super) fn reorder(&mut self, before: Admin, after: Admin, motive: Motive<'_>) {
        let (now, followed) = (self.now, self.followed);
        let member = self.member();
        let up = member.is_up();
        match (before, after) {
            (_, Admin::Maint) => {
                if up {
                    member.turn(false, now);
                } else {
                    member.downtime += now.since(member.changed);
                    member.changed = now;
                }
                member.last.running = false;
                let moved = self.put_in_force(false);
                self.tell(&Change::Maintained { was_up: up, was_drained: before == Admin::Drain, motive }, moved);
            }
            (Admin::Maint, _) => {
                // Whatever its checks said before: it is believed up until the next one, if its agent lets it. One that
                // tracks another is as that one is.
                let starts = Health::starting(member.health.rise(), member.health.fall());
                member.health = followed.unwrap_or(starts);
                let (drained, up) = (after == Admin::Drain, member.is_up());
                if up {
                    member.turn(true, now);
                }
                let moved = self.put_in_force(up);
                self.tell(&Change::Restored { drained, up, motive }, moved);
                if drained {
                    self.tell(&Change::RemainsDrained, 0);
                }
            }
            (_, Admin::Drain) => {
                member.changed = now;
                self.refresh();
                let moved = self.redistribute();
                self.tell(&Change::Drained { up }, moved);
            }
            (_, Admin::Ready) => {
                member.changed = now;
                let moved = if up { self.put_in_force(true) } else { 0 };
                self.tell(&Change::Undrained { up }, moved);
            }
        }
        self.settle();
    }
}
