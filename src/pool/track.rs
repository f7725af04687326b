//! How proxies and servers of a configuration depend on each other: who tracks whom, who feeds whom.

use std::sync::{PoisonError, RwLockReadGuard};

use super::{BackState, Health, Pool};
use crate::ir::{Config, ProxyIx, Server, ServerIx, TrackRef};

fn key(at: TrackRef) -> (ProxyIx, ServerIx) {
    (at.proxy, at.server)
}

/// All pairs of a tracked server and one that tracks it, sorted by the tracked.
pub(super) fn pairs(config: &Config) -> Vec<(TrackRef, TrackRef)> {
    let mut pairs = Vec::new();
    for (proxy, back) in config.proxies.iter().enumerate().filter_map(|(ix, p)| Some((ix, p.backend.as_ref()?))) {
        for (ix, server) in back.servers.iter().enumerate() {
            if let Some(tracked) = server.track {
                let by = TrackRef { proxy: ProxyIx(proxy as u32), server: ServerIx(ix as u32) };
                pairs.push((tracked, by));
            }
        }
    }
    pairs.sort_by_key(|(tracked, by)| (key(*tracked), key(*by)));
    pairs
}

/// The sessions at which a backend's servers take all they may, when it does not say: a tenth of what the frontends
/// that use it and are not disabled may have at once, rounded up, at least one. `maxconn`: of a frontend that says nothing.
pub(super) fn fullconn(config: &Config, back: ProxyIx, maxconn: u32) -> u32 {
    let feeds = |(ix, proxy): (usize, &crate::ir::Proxy)| {
        let front = proxy.frontend.as_ref().filter(|_| !proxy.disabled)?;
        let own = proxy.backend.is_some().then_some(ProxyIx(ix as u32));
        let target = front.default_backend.or(own);
        (target == Some(back)).then(|| u64::from(front.maxconn.unwrap_or(maxconn)))
    };
    let sum: u64 = config.proxies.iter().enumerate().filter_map(feeds).sum();
    u32::try_from(sum.div_ceil(10)).unwrap_or(u32::MAX).max(1)
}

impl Pool {
    /// `proxy/server`.
    pub fn label(&self, at: TrackRef) -> String {
        let proxy = self.config.proxies.get(at.proxy.0 as usize).map_or("?", |proxy| &proxy.name);
        format!("{proxy}/{}", self.known(at).map_or("?", |server| &server.name))
    }

    /// The servers that track a server directly.
    pub(super) fn trackers(&self, tracked: TrackRef) -> impl Iterator<Item = TrackRef> {
        // Copied out: who is told of a change takes locks of his own.
        let pairs = self.tracked();
        let from = pairs.partition_point(|(of, _)| key(*of) < key(tracked));
        let mine: Vec<TrackRef> =
            pairs[from..].iter().take_while(move |(of, _)| *of == tracked).map(|(_, by)| *by).collect();
        mine.into_iter()
    }

    /// All pairs; a thread that panicked left a list that is whole.
    pub(super) fn tracked(&self) -> RwLockReadGuard<'_, Vec<(TrackRef, TrackRef)>> {
        self.trackers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server that was added may track another: it has that one's state from now on.
    pub(super) fn know_tracker(&self, by: TrackRef) {
        let Some(tracked) = self.server(by).and_then(|line| line.track) else { return };
        let mut pairs = self.trackers.write().unwrap_or_else(PoisonError::into_inner);
        let place = pairs.partition_point(|(of, other)| (key(*of), key(*other)) < (key(tracked), key(by)));
        pairs.insert(place, (tracked, by));
        drop(pairs);
        self.inherit_from(tracked, by);
    }

    /// A server that was deleted tracks nobody.
    pub(super) fn forget_tracker(&self, by: TrackRef) {
        self.trackers.write().unwrap_or_else(PoisonError::into_inner).retain(|(_, other)| *other != by);
    }

    /// The first of a chain of trackers: the one that is checked.
    pub(super) fn root(&self, tracked: TrackRef) -> TrackRef {
        let mut root = tracked;
        for _ in 0..self.tracked().len() {
            let Some(next) = self.server(root).and_then(|server| server.track) else { break };
            root = next;
        }
        root
    }

    /// The health of the server that is checked for one that tracks; `None`: it tracks nobody.
    pub(super) fn followed(&self, by: TrackRef) -> Option<Health> {
        self.server(by)?.track?;
        let root = self.root(by);
        let core = self.back(root.proxy).map(BackState::lock)?;
        core.members.get(root.server.0 as usize).map(|member| member.health)
    }

    /// Whether checks say anything of a server: its own, or those of the server it follows. A disabled backend's
    /// servers are not checked.
    pub(super) fn is_watched(&self, server: &Server) -> bool {
        let Some(tracked) = server.track else { return server.check.is_some() };
        let root = self.root(tracked);
        let runs = self.config.proxies.get(root.proxy.0 as usize).is_some_and(|proxy| !proxy.disabled);
        runs && self.server(root).is_some_and(|server| server.check.is_some())
    }

    /// Gives trackers the state that the tracked servers start with.
    pub(super) fn inherit(&self) {
        let pairs = self.tracked().clone();
        pairs.into_iter().for_each(|(tracked, by)| self.inherit_from(tracked, by));
    }

    fn inherit_from(&self, tracked: TrackRef, by: TrackRef) {
        let root = self.root(tracked);
        let read = |back: &BackState| {
            let core = back.lock();
            core.members.get(root.server.0 as usize).map(|member| (member.health, member.ordered()))
        };
        let Some((health, admin)) = self.back(root.proxy).and_then(read) else { return };
        let Some(back) = self.back(by.proxy) else { return };
        let mut core = back.lock();
        if let Some(member) = core.members.get_mut(by.server.0 as usize) {
            member.health = health;
            member.inherited = admin; // drained only if a server state file said so
            core.refresh(by.server.0, 0);
            // Counted as a change, though nobody is told (observed: chkdown 1 of a backend that starts so).
            let now = core.changed;
            core.settle(now);
        }
    }

    /// Sets the limit of the process, of frontends that say nothing, and what follows from it for backends.
    pub fn set_maxconn(&self, maxconn: u32) {
        use std::sync::atomic::Ordering::Relaxed;
        self.process.maxconn.store(maxconn, Relaxed);
        self.process.hard_maxconn.store(maxconn, Relaxed);
        for (ix, (state, proxy)) in self.proxies.iter().zip(&self.config.proxies).enumerate() {
            if let (Some(front), Some(line)) = (&state.front, &proxy.frontend)
                && line.maxconn.is_none()
            {
                front.maxconn.store(maxconn, Relaxed);
            }
            if let (Some(back), Some(line)) = (&state.back, &proxy.backend)
                && line.fullconn.is_none()
            {
                back.lock().set_fullconn(fullconn(&self.config, ProxyIx(ix as u32), maxconn));
            }
        }
    }
}
