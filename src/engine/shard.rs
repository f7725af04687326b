//! One serving thread: its runtime, its sessions in a slab, its scratch buffer, pipes and deadlines.
//!
//! Each session is a struct in the slab and has one small task whose `poll` borrows it there; so anything on this
//! thread can list it, end it, or between two polls take it out whole ([`Shard::extract`]).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};

use super::closing::Closings;
use super::control::Order;
use super::session::Session;
use super::shared::{Accepted, Shared};
use super::splice::Pipes;
use super::timers::Timers;
use super::{Purpose, accept, aging, checks, clock, commands, page, proxy_header, rebalance, rules};
use crate::ir::Mode;
use crate::pool::{Cause, Closing};
use crate::units::Tick;

/// Bytes of the buffer that all sessions of a thread read into.
pub(super) const SCRATCH: usize = 64 * 1024;

/// One serving thread.
pub(super) struct Shard {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: u32,
    pub(super) scratch: RefCell<Box<[u8]>>,
    pub(super) pipes: RefCell<Pipes>,
    pub(super) sessions: RefCell<Slab<Session>>,
    timers: RefCell<Timers>,
    /// When the thread next looks at its deadlines; left where it is when the session behind it ends.
    alarm_at: Cell<Option<Tick>>,
    /// Woken when it must look earlier.
    alarm: Notify,
    acceptors: RefCell<Vec<(u32, AbortHandle)>>,
    /// Whether this thread is counted among those that may accept.
    listens: Cell<bool>,
    random: Cell<u64>,
    /// Sessions that are to be ended one after the other.
    pub(super) closings: Closings,
    /// Servers that are to be checked soon.
    hurry: Rc<checks::Hurry>,
    /// Servers that were added and whose agents this thread asks.
    asked: RefCell<HashMap<(u32, u32), u32>>,
}

/// The task of one session.
struct Run {
    shard: Rc<Shard>,
    key: u32,
    id: u64,
}

impl Shard {
    pub(super) fn new(shared: Arc<Shared>, thread: u32) -> Self {
        let seed = clock::now().millis() ^ (u64::from(thread) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let splice = !shared.pool.config.global.no_splice;
        let budget = shared.pipes.clone();
        Self {
            shared,
            thread,
            scratch: RefCell::new(vec![0; SCRATCH].into()),
            pipes: RefCell::new(Pipes::new(splice, budget)),
            sessions: RefCell::default(),
            timers: RefCell::default(),
            alarm_at: Cell::new(None),
            alarm: Notify::new(),
            acceptors: RefCell::default(),
            listens: Cell::new(true),
            random: Cell::new(seed | 1),
            closings: Closings::default(),
            hurry: Rc::default(),
            asked: RefCell::default(),
        }
    }

    /// Runs until the engine ends. `started` is told when everything listens.
    pub(super) async fn run(self: Rc<Self>, listeners: Vec<(u32, OwnedFd)>, started: impl FnOnce(io::Result<()>)) {
        for (place, socket) in listeners {
            let task = spawn_local(accept::accept(Rc::clone(&self), place, socket));
            self.acceptors.borrow_mut().push((place, task.abort_handle()));
        }
        spawn_local(Rc::clone(&self).watch_deadlines());
        spawn_local(Rc::clone(&self).close_in_time());
        if self.thread == 0 {
            spawn_local(rebalance::run(Arc::clone(&self.shared)));
            spawn_local(aging::run(Arc::clone(&self.shared)));
        }
        let (pool, journal) = (Arc::clone(&self.shared.pool), Arc::clone(&self.shared.journal));
        let control = Arc::clone(&self.shared) as Arc<dyn crate::pool::Control>;
        let threads = self.shared.mailboxes.len();
        checks::start_agents(&pool, &journal, &control, self.thread as usize, threads);
        self.ask_agents();
        let share = (self.thread as usize, threads);
        spawn_local(checks::run(pool, journal, control, Rc::clone(&self.hurry), share));
        started(Ok(()));
        loop {
            for order in self.shared.mailboxes[self.thread as usize].take() {
                self.obey(order);
            }
            self.closings.look();
            let shared = &self.shared;
            let stopping = shared.stopping.load(Ordering::Acquire);
            if shared.ended.load(Ordering::Acquire) || (stopping && self.idle()) {
                break;
            }
            shared.mailboxes[self.thread as usize].arrived().await;
        }
        self.end_all();
    }

    /// Serves a connection that has its seat on this thread.
    pub(super) fn serve(self: &Rc<Self>, accepted: Accepted) {
        let ruled = accepted.seat.proxy().is_some_and(|(_, proxy, _)| !proxy.rules.connection.is_empty());
        let admitted = if ruled { rules::admit(self, accepted) } else { Some(accepted) };
        let Some(accepted) = admitted else { return };
        if accepted.seat.announces() {
            drop(spawn_local(proxy_header::greet(accepted, Rc::clone(self))));
        } else {
            self.serve_now(accepted);
        }
    }

    /// Serves a connection whose PROXY header, if it is to have one, was read.
    pub(super) fn serve_now(self: &Rc<Self>, accepted: Accepted) {
        let ruled = accepted.seat.proxy().is_some_and(|(_, proxy, _)| !proxy.rules.session.is_empty());
        let admitted = if ruled { rules::admit_session(self, accepted) } else { Some(accepted) };
        let Some(mut accepted) = admitted else { return };
        accepted.seat.begin(accepted.announced.as_ref().map_or(accepted.at, |announced| announced.begun));
        match accepted.seat.purpose() {
            Purpose::Frontend(proxy, _) if self.shared.pool.config.proxies[proxy.0 as usize].mode == Mode::Tcp => {
                self.begin(accepted);
            }
            Purpose::Peers(section, _) => {
                if let Some(peers) = self.shared.peers.get() {
                    let _ = peers.send(super::peers::Order::Came(section, accepted.socket));
                }
            }
            Purpose::Commands(_) => drop(spawn_local(commands::serve(accepted, Arc::clone(&self.shared)))),
            Purpose::Frontend(..) => drop(spawn_local(page::serve(accepted, Rc::clone(self)))),
        }
    }

    fn begin(self: &Rc<Self>, accepted: Accepted) {
        let Some(session) = Session::new(self, accepted) else { return };
        tracing::debug!(id = session.id(), "session begins");
        self.insert(session);
    }

    /// Has a session polled by this thread; its key.
    pub(super) fn insert(self: &Rc<Self>, session: Session) -> u32 {
        let id = session.id();
        let mut sessions = self.sessions.borrow_mut();
        let entry = sessions.vacant_entry();
        let key = entry.key() as u32;
        session.arm(self, key);
        entry.insert(session);
        drop(sessions);
        drop(spawn_local(Run { shard: Rc::clone(self), key, id }));
        key
    }

    /// Takes a session out whole, between two polls; its task ends by itself when it is woken next.
    pub(super) fn extract(&self, key: u32) -> Option<Session> {
        let session = self.sessions.borrow_mut().try_remove(key as usize)?;
        self.timers.borrow_mut().disarm(key);
        session.wake();
        Some(session)
    }

    /// Makes a session be polled at `at` or earlier.
    pub(super) fn arm(&self, key: u32, at: Tick) {
        let first = self.timers.borrow_mut().arm(key, at);
        if first && self.alarm_at.get().is_none_or(|alarm| at < alarm) {
            self.alarm.notify_one();
        }
    }

    /// A pseudo-random number (xorshift64*): for balancing, not for secrets.
    pub(super) fn random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    async fn watch_deadlines(self: Rc<Self>) {
        loop {
            let now = clock::now();
            let next = self.timers.borrow().next();
            self.alarm_at.set(next);
            match next {
                None => self.alarm.notified().await,
                Some(at) if at > now => {
                    let wait = Duration::from_millis(at.since(now));
                    let _ = tokio::time::timeout(wait, self.alarm.notified()).await;
                }
                Some(_) => {
                    let mut sessions = self.sessions.borrow_mut();
                    let mut timers = self.timers.borrow_mut();
                    while let Some(key) = timers.due(now) {
                        if let Some(session) = sessions.get_mut(key as usize) {
                            session.look_at_the_clock();
                        }
                    }
                }
            }
        }
    }

    /// Asks the agents of servers that were added.
    fn ask_agents(&self) {
        let (pool, journal) = (&self.shared.pool, &self.shared.journal);
        let control = Arc::clone(&self.shared) as Arc<dyn crate::pool::Control>;
        let share = (self.thread as usize, self.shared.mailboxes.len());
        checks::ask_agents(pool, journal, &control, &mut self.asked.borrow_mut(), share);
    }

    fn obey(self: &Rc<Self>, order: Order) {
        match order {
            Order::Serve(fresh) => fresh.into_iter().for_each(|accepted| self.serve(accepted)),
            Order::Close(which, cause) => self.close(which, cause),
            Order::Spread(spread) => self.spread(spread),
            Order::List(question) => self.list(question),
            Order::EndSession(id, found) => self.end_session(id, &found),
            Order::Candidates(listing) => self.candidates(listing),
            Order::End(ending) => self.end_sessions(ending),
            Order::Hurry(server) => self.hurry.add(server),
            Order::Newcomers => {
                self.hurry.announce();
                self.ask_agents();
            }
            Order::StopListening(share) => self.stop_listening(share),
            Order::Routes(reply) => drop(reply.send(self.routes())),
            Order::Take(order) => self.take_out(order),
            Order::Resume(detached) => self.resume(detached),
            Order::CloseListeners(share) => self.close_listeners(&share),
        }
    }

    /// Stops accepting, but for what waits in the backlog: it would be reset when the last copy of a socket closes.
    fn stop_listening(self: &Rc<Self>, share: Vec<(u32, OwnedFd)>) {
        self.acceptors.borrow_mut().retain(|(place, task)| {
            let stays = self.shared.is_masters(*place);
            if !stays {
                task.abort();
            }
            stays
        });
        if !self.listens.replace(false) {
            return;
        }
        let shard = Rc::clone(self);
        drop(spawn_local(async move {
            tokio::task::yield_now().await; // the aborted tasks close their copies
            for (place, socket) in share {
                accept::accept_the_rest(&shard, place, socket);
            }
            if shard.shared.accepting.fetch_sub(1, Ordering::AcqRel) == 1 {
                shard.shared.wake_all();
            }
        }));
    }

    /// Stops accepting on these sockets and closes them.
    fn close_listeners(&self, share: &[(u32, OwnedFd)]) {
        self.acceptors.borrow_mut().retain(|(place, task)| {
            let meant = share.iter().any(|(closed, _)| closed == place);
            if meant {
                task.abort();
            }
            !meant
        });
    }

    /// Whether nothing is left to do after a soft stop: nobody accepts any more, nobody gives sessions, and then nobody holds a
    /// connection.
    fn idle(&self) -> bool {
        self.shared.arriving.load(Ordering::SeqCst) == 0
            && self.shared.accepting.load(Ordering::Acquire) == 0
            && self.shared.live.load(Ordering::Acquire) == 0
    }

    fn close(&self, which: Closing, cause: Cause) {
        for (_, session) in self.sessions.borrow_mut().iter_mut() {
            if session.is(which, &self.shared) {
                session.kill(cause);
            }
        }
    }

    /// What is left at a hard stop is logged as killed, or not at all.
    fn end_all(&self) {
        let sessions = std::mem::take(&mut *self.sessions.borrow_mut());
        if self.shared.silent.load(Ordering::Acquire) {
            return;
        }
        for (_, mut session) in sessions {
            let _ = session.ended(Cause::Killed, session.step.phase());
            session.finish(self);
        }
    }
}

impl Future for Run {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { shard, key, id } = &*self;
        let mut sessions = shard.sessions.borrow_mut();
        let Some(session) = sessions.get_mut(*key as usize).filter(|session| session.id() == *id) else {
            return Poll::Ready(());
        };
        if session.poll(cx, shard, *key).is_pending() {
            return Poll::Pending;
        }
        let session = sessions.remove(*key as usize);
        drop(sessions);
        shard.timers.borrow_mut().disarm(*key);
        session.finish(shard);
        Poll::Ready(())
    }
}
