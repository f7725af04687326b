//! Frontends that are paused, and what becomes of their addresses.
//!
//! A paused frontend accepts nothing. Where no other process holds its TCP sockets they stop listening too, as with
//! haproxy: who connects is refused. To shut a socket down acts on all its copies, so otherwise connections wait in the
//! backlog, or for whoever shares it.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use super::Purpose;
use super::shared::Shared;
use crate::ir::ProxyIx;
use crate::sys::socket::{self, Local};

impl Shared {
    /// Pauses a frontend; or all, and then the TCP addresses of stats sockets are freed too.
    pub(super) fn pause_frontends(&self, frontend: Option<ProxyIx>) {
        for proxy in self.frontends(frontend) {
            self.set_paused(proxy, true);
        }
        self.make_room();
        if self.others.get().is_none_or(|others| others()) {
            return;
        }
        let mut refusing = self.refusing();
        for (place, socket) in self.sockets().iter() {
            let tcp = matches!(socket::local(socket), Some(Local::Inet(_)));
            let meant = frontend.is_none() || frontend == self.frontend(*place);
            if tcp && meant && !refusing.contains(place) && socket::stop_listening(socket).is_ok() {
                refusing.push(*place);
            }
        }
    }

    /// Resumes a frontend, or all; one that cannot listen on all its addresses stays paused.
    pub(super) fn resume_frontends(&self, frontend: Option<ProxyIx>) {
        let backlog = self.pool.process.hard_maxconn.load(Ordering::Relaxed);
        let mut deaf = 0;
        let mut refusing = self.refusing();
        for proxy in self.frontends(frontend) {
            let sockets = self.sockets();
            let of_it = |place: &u32| self.frontend(*place) == Some(proxy);
            let own: Vec<_> = sockets.iter().filter(|(place, _)| of_it(place) && refusing.contains(place)).collect();
            let failed = own.iter().filter(|(_, socket)| socket::listen(socket, backlog).is_err()).count();
            if failed > 0 {
                deaf += failed as u32;
                own.iter().for_each(|(_, socket)| drop(socket::stop_listening(socket)));
                continue;
            }
            refusing.retain(|place| !of_it(place));
            self.set_paused(proxy, false);
        }
        if frontend.is_none() {
            let sockets = self.sockets();
            let own = sockets.iter().filter(|(place, _)| self.frontend(*place).is_none());
            for (place, socket) in own {
                if refusing.contains(place) {
                    match socket::listen(socket, backlog) {
                        Ok(()) => refusing.retain(|known| known != place),
                        Err(_) => deaf += 1,
                    }
                }
            }
        }
        self.deaf.store(deaf, Ordering::Relaxed);
        drop(refusing);
        self.make_room();
    }

    fn refusing(&self) -> MutexGuard<'_, Vec<u32>> {
        self.refusing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frontend that a listening socket belongs to.
    fn frontend(&self, place: u32) -> Option<ProxyIx> {
        match self.places.get(place as usize)?.purpose {
            Purpose::Frontend(proxy, _) => Some(proxy),
            Purpose::Commands(_) | Purpose::Peers(..) => None,
        }
    }

    /// The frontends that have sockets, or the one that is meant.
    fn frontends(&self, wanted: Option<ProxyIx>) -> Vec<ProxyIx> {
        let mut all: Vec<ProxyIx> = (0..self.places.len()).filter_map(|place| self.frontend(place as u32)).collect();
        all.dedup();
        all.retain(|proxy| wanted.is_none_or(|wanted| wanted == *proxy));
        all
    }

    fn set_paused(&self, proxy: ProxyIx, paused: bool) {
        if let Some(front) = self.pool.front(proxy) {
            front.paused.store(paused, Ordering::Relaxed);
        }
    }
}
