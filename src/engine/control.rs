//! What other threads ask of a serving thread, and the [`Control`] of a running engine.
//!
//! One mailbox per thread; an order is a push under a short lock and one wake-up. No lock is taken per message.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::closing::Spread;
use super::listing::Question;
use super::migrate::{Detached, Route, Take};
use super::rebalance::{Ending, Listing};
use super::shared::{Accepted, Shared};
use super::{Purpose, clock};
use crate::ir::{CloseSpread, Level, ProxyIx, TrackRef};
use crate::pool::{Cause, Closing, Control};
use crate::units::Millis;

/// What a thread is asked to do.
pub(super) enum Order {
    /// Serve these connections.
    Serve(Vec<Accepted>),
    /// End sessions.
    Close(Closing, Cause),
    /// End sessions one after the other.
    Spread(Arc<Spread>),
    /// Tell the live sessions.
    List(Question),
    /// End one session; who has it says so.
    EndSession(u64, mpsc::Sender<()>),
    /// Tell which sessions may be ended.
    Candidates(Listing),
    /// End these sessions.
    End(Ending),
    /// Check a server soon.
    Hurry(TrackRef),
    /// Look for servers that were added.
    Newcomers,
    /// Close the listening sockets; these are the last copies of those that the thread accepts on, with their places.
    StopListening(Vec<(u32, OwnedFd)>),
    /// Tell where sessions belong.
    Routes(std::sync::mpsc::Sender<HashSet<Route>>),
    /// Take sessions out.
    Take(Take),
    /// Put sessions in.
    Resume(Vec<Detached>),
    /// The same for some of them and for good: what waits there is not served.
    CloseListeners(Vec<(u32, OwnedFd)>),
}

/// A thread's mailbox and load.
#[derive(Default)]
pub(super) struct Mailbox {
    orders: Mutex<Vec<Order>>,
    arrived: Notify,
    /// Connections that the thread serves.
    pub(super) load: AtomicU32,
}

impl Mailbox {
    /// Leaves an order; wakes the thread if the box was empty.
    pub(super) fn post(&self, order: Order) {
        let mut orders = self.orders();
        orders.push(order);
        if orders.len() == 1 {
            self.arrived.notify_one();
        }
    }

    /// Wakes the thread to look at the engine's state.
    pub(super) fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Waits until the thread was woken.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// All orders so far.
    pub(super) fn take(&self) -> Vec<Order> {
        std::mem::take(&mut *self.orders())
    }

    fn orders(&self) -> MutexGuard<'_, Vec<Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Wakes every thread to look at the engine's state.
    pub(super) fn wake_all(&self) {
        self.mailboxes.iter().for_each(Mailbox::wake);
    }

    /// Has a server checked soon, whichever thread checks it.
    pub(super) fn hurry_check(&self, server: TrackRef) {
        for mailbox in &self.mailboxes {
            mailbox.post(Order::Hurry(server));
        }
    }

    /// Listening sockets by the threads that accept on them.
    fn by_thread(&self, sockets: Vec<(u32, OwnedFd)>) -> Vec<Vec<(u32, OwnedFd)>> {
        let mut shares: Vec<Vec<(u32, OwnedFd)>> = self.mailboxes.iter().map(|_| Vec::new()).collect();
        for (place, socket) in sockets {
            shares[place as usize % self.mailboxes.len()].push((place, socket));
        }
        shares
    }

    fn spread(&self, which: Closing, cause: Cause, time: Millis) {
        let spread = Arc::new(Spread::new(self, which, cause, clock::now(), time));
        for mailbox in &self.mailboxes {
            mailbox.post(Order::Spread(Arc::clone(&spread)));
        }
    }
}

impl Shared {
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.soft_stop();
        if let Some(peers) = self.peers.get() {
            let _ = peers.send(super::peers::Order::Stop);
        }
        self.wake_all();
    }

    fn tell_what_is_cut(&self) {
        for (ix, proxy) in self.pool.config.proxies.iter().enumerate() {
            let ix = ProxyIx(ix as u32);
            let left = self.pool.front(ix).map_or(0, |front| front.sessions.get());
            if left > 0 {
                let message = format!("Proxy {} hard-stopped ({left} remaining conns will be closed).", proxy.name);
                self.journal.event(Some(ix), Level::Warning, &message);
            }
        }
    }
}

impl Control for Shared {
    fn close(&self, which: Closing, cause: Cause) {
        if let Some(CloseSpread::Over(time)) = self.pool.config.global.close_spread
            && matches!(which, Closing::Server(..) | Closing::Backups(_))
        {
            return self.spread(which, cause, time);
        }
        for mailbox in &self.mailboxes {
            mailbox.post(Order::Close(which, cause));
        }
    }

    fn pause(&self, frontend: Option<ProxyIx>) {
        self.pause_frontends(frontend);
    }

    fn resume(&self, frontend: Option<ProxyIx>) {
        self.resume_frontends(frontend);
    }

    fn deaf(&self) -> u32 {
        self.deaf.load(Ordering::Relaxed)
    }

    fn yield_listeners(&self, yields: bool) {
        self.yields.store(yields, Ordering::Release);
        Self::make_room(self);
        self.rebalancing.notify_one();
    }

    fn stop(&self, frontend: ProxyIx) {
        if let Some(front) = self.pool.front(frontend) {
            front.stopped.store(true, Ordering::Relaxed);
        }
        let of_it = |place: u32| match self.places[place as usize].purpose {
            Purpose::Frontend(proxy, _) => proxy == frontend,
            Purpose::Commands(_) | Purpose::Peers(..) => false,
        };
        let sockets = self.sockets().extract_if(.., |(place, _)| of_it(*place)).collect();
        for (mailbox, share) in self.mailboxes.iter().zip(self.by_thread(sockets)) {
            mailbox.post(Order::CloseListeners(share));
        }
    }

    fn rebalance(&self) {
        self.rebalancing.notify_one();
    }

    fn servers_changed(&self) {
        for mailbox in &self.mailboxes {
            mailbox.post(Order::Newcomers);
        }
    }

    fn make_room(&self) {
        Self::make_room(self);
    }

    fn soft_stop(&self) {
        self.pool.process.stopping.store(true, Ordering::Relaxed);
        self.stopping.store(true, Ordering::SeqCst); // see migrate::Expecting
        let (stay, sockets) =
            std::mem::take(&mut *self.sockets()).into_iter().partition(|(place, _)| self.is_masters(*place));
        *self.sockets() = stay;
        for (mailbox, share) in self.mailboxes.iter().zip(self.by_thread(sockets)) {
            mailbox.post(Order::StopListening(share));
        }
        if let Some(peers) = self.peers.get() {
            let _ = peers.send(super::peers::Order::Leave);
        }
    }

    fn hard_stop(&self) {
        self.silent.store(true, Ordering::Release);
        self.end();
    }

    fn thin_out(&self, time: Millis) {
        self.spread(Closing::All, Cause::Killed, time);
    }

    fn cut(&self) {
        self.tell_what_is_cut();
        self.end();
    }

    fn loads(&self) -> Vec<u32> {
        self.mailboxes.iter().map(|mailbox| mailbox.load.load(Ordering::Relaxed)).collect()
    }

    fn listeners(&self) -> std::io::Result<Vec<OwnedFd>> {
        self.sockets().iter().map(|(_, socket)| socket.try_clone()).collect()
    }
}
