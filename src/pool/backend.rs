//! The server side of a proxy: who gets the next session.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use super::balance::Wish;
use super::core::{Core, Grants, Left, Placed, Redistributed};
use super::counters::{Counter, Gauge, Rate, Times};
use super::finding::Index;
use super::member::Member;
use super::queue::Priority;
use super::rebalance::Rebalance;
use super::{ServerState, Servers, SourcePorts};
use crate::ir::{Backend, ServerIx};
use crate::units::Tick;

/// The server side of a proxy.
#[derive(Debug, Default)]
pub struct BackState {
    /// Sessions at once (scur, smax).
    pub sessions: Gauge,
    /// Sessions in its own queue (qcur, qmax).
    pub queue: Gauge,
    /// Sessions ever (stot).
    pub sessions_total: Counter,
    /// Sessions per second.
    pub session_rate: Rate,
    /// Sessions given by balancing (lbtot).
    pub picked_total: Counter,
    /// Bytes from clients (bin).
    pub bytes_in: Counter,
    /// Bytes to clients (bout).
    pub bytes_out: Counter,
    /// Sessions whose connection failed (econ).
    pub connect_errors: Counter,
    /// Sessions that rules about what their servers sent have ended (dresp).
    pub denied_responses: Counter,
    /// Sessions that were ended in silence (dreq).
    pub denied_requests: Counter,
    /// Answers that failed (eresp).
    pub response_errors: Counter,
    /// Connection attempts that were repeated (wretr).
    pub retries: Counter,
    /// Sessions that went elsewhere instead (wredis).
    pub redispatches: Counter,
    /// Transfers aborted by the client (cli_abrt).
    pub client_aborts: Counter,
    /// Transfers aborted by the server (srv_abrt).
    pub server_aborts: Counter,
    /// HTTP requests ever and answers by class, for the statistics page.
    pub requests_total: Counter,
    /// HTTP answers by class: 1xx to 5xx, other.
    pub answers: [Counter; 6],
    /// Tick of the last session, in milliseconds; 0: none yet.
    pub last_session: Counter,
    /// Averages.
    pub times: Times,
    /// By [`ServerIx`].
    pub servers: Servers,
    /// Its configured servers by name and id.
    pub(super) index: OnceLock<Index>,
    /// Whether a slow start is going on.
    pub(super) warming: AtomicBool,
    /// What was ordered for its long sessions. Who holds it does not ask for `core`.
    pub(super) rebalance: Mutex<Option<Rebalance>>,
    /// Everything that must be decided exactly, over all threads.
    pub(super) core: Mutex<Core>,
}

/// What a session brings when it asks for a server.
#[derive(Debug)]
pub struct Demand<'a> {
    /// The number of its key ([`super::address_hash`], [`super::key_hash`]), where balancing goes by a key.
    pub hash: Option<u32>,
    /// The server that rules chose; with `option redispatch` another one if its queue is full, too.
    pub wanted: Option<ServerIx>,
    /// No other server than that will do.
    pub forced: bool,
    /// A server to avoid (a redispatch after it failed).
    pub avoid: Option<ServerIx>,
    /// A random number, for `balance random`.
    pub random: u64,
    /// Woken when a queued session gets its server.
    pub waker: &'a Waker,
    /// It waited in the queue of the process before: balancing has counted it there.
    pub again: bool,
    /// What it has in queues before others.
    pub priority: Priority,
}

impl<'a> Demand<'a> {
    /// One that any server satisfies.
    pub fn any(waker: &'a Waker) -> Self {
        Self {
            hash: None,
            wanted: None,
            forced: false,
            avoid: None,
            random: 0,
            waker,
            again: false,
            priority: Priority::default(),
        }
    }
}

/// The answer.
#[derive(Debug)]
pub enum Assignment {
    /// This server; its session count includes the session now.
    Server(ServerIx),
    /// All usable servers are full: wait. Poll [`BackState::queued`] when woken.
    Queued(QueueTicket),
    /// No server is usable.
    Unavailable,
    /// The queue of this server is full, and balancing insists on it.
    QueueFull(ServerIx),
}

/// A place in a queue. Give it back by [`BackState::leave_queue`], or it is left for ever.
#[derive(Debug)]
#[must_use]
pub struct QueueTicket {
    /// Number in the queue's slab.
    pub(super) key: usize,
    /// The server whose queue it is, or the backend's own.
    pub server: Option<ServerIx>,
    /// Sessions that were before it when it came.
    pub ahead: u32,
    /// Sessions that were served before it in the process it waited in first.
    pub passed: u32,
}

impl BackState {
    /// The state of a backend in which nothing has happened yet. `fullconn`: sessions of the backend that make its
    /// servers take all they may, if it says nothing itself.
    pub fn new(back: &Backend, fullconn: u32, now: Tick) -> Self {
        Self {
            servers: back
                .servers
                .iter()
                .map(|server| ServerState {
                    source_ports: SourcePorts::of(server.source.as_ref()).map(Arc::new),
                    ..ServerState::default()
                })
                .collect(),
            core: Mutex::new(Core::new(back, back.fullconn.unwrap_or(fullconn), now)),
            ..Self::default()
        }
    }

    /// The lock. A thread that panicked while it held it left nothing half done that matters more than serving on.
    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses a server for a session and counts it there.
    pub fn assign(&self, demand: &Demand<'_>, now: Tick) -> Assignment {
        let Demand { hash, random, forced, .. } = *demand;
        let Priority { class, offset } = demand.priority;
        let moment = (now.millis() as i64).saturating_add(offset.into());
        let avoid = demand.avoid.map(|server| server.0);
        let wish = Wish { hash, avoid, random, forced, class, moment };
        let sessions = self.sessions.get();
        let mut core = self.lock();
        let kept = demand.wanted.and_then(|wanted| core.place_on(wanted.0, &wish, sessions, demand.waker));
        let leaves = core.leaves_full && !forced;
        let kept = kept.filter(|placed| !(leaves && matches!(placed, Placed::Full(_))));
        let (stuck, left) = (kept.is_some(), demand.wanted.filter(|_| kept.is_none()));
        let placed = kept.unwrap_or_else(|| core.assign(&wish, sessions, demand.waker));
        drop(core);
        if let Some(left) = left {
            self.count_redispatch(left);
        }
        let picked = |server| {
            if !demand.again && !stuck {
                self.count_pick(server);
            }
        };
        match placed {
            Placed::On(server) => {
                picked(server);
                self.count(server, now);
                Assignment::Server(ServerIx(server))
            }
            Placed::Waits { key, server, ahead } => {
                self.line(server).up();
                server.inspect(|server| picked(*server));
                Assignment::Queued(QueueTicket { key, server: server.map(ServerIx), ahead, passed: 0 })
            }
            Placed::Unavailable => Assignment::Unavailable,
            Placed::Full(server) => {
                picked(server);
                Assignment::QueueFull(ServerIx(server))
            }
        }
    }

    /// Active servers (backups are none) that take sessions now.
    pub fn active(&self) -> u32 {
        self.lock().usable().0
    }

    /// The server that a queued session was given meanwhile (counted there already), if any, and its
    /// [`Self::place`]; the ticket is spent then.
    pub fn queued(&self, ticket: &QueueTicket) -> Option<(ServerIx, u32)> {
        self.lock().given(ticket.key).map(|(server, place)| (ServerIx(server), place + ticket.passed))
    }

    /// The number that a session which waits goes by.
    pub fn hash_of(&self, ticket: &QueueTicket) -> Option<u32> {
        self.lock().hash(ticket.key)
    }

    /// Which came first to this backend's queues: lower is earlier.
    pub fn arrival(&self, ticket: &QueueTicket) -> u64 {
        self.lock().arrival(ticket.key)
    }

    /// Sets who is to be woken when a session that waits gets its server; whether it waits still.
    pub fn watch(&self, ticket: &QueueTicket, waker: &Waker) -> bool {
        self.lock().watch(ticket.key, waker)
    }

    /// The place of a session that waits, as it is logged: the sessions that its queue has served since it came,
    /// itself included.
    pub fn place(&self, ticket: &QueueTicket) -> u32 {
        self.lock().place(ticket.key) + ticket.passed
    }

    /// Takes a session out of its queue: it gave up, or its time ran out. Frees a server it was given meanwhile.
    pub fn leave_queue(&self, ticket: QueueTicket, now: Tick) {
        let left = self.lock().leave(ticket.key, self.sessions.get());
        match left {
            Some(Left::Given(server)) => self.release(ServerIx(server), now),
            Some(Left::Line(line)) => drop(self.line(line).down()),
            None => {}
        }
    }

    /// A session has left its server; the next in a queue gets the place and is woken.
    pub fn release(&self, server: ServerIx, now: Tick) {
        if let Some(state) = self.servers.get(server.0 as usize) {
            state.sessions.down();
            let woken = self.lock().release(server.0, self.sessions.get());
            self.wake(woken, now);
        }
    }

    /// Counts a session on a server that it has already: it comes from another process, whose totals count it.
    pub fn adopt(&self, server: ServerIx) {
        if let Some(state) = self.servers.get(server.0 as usize) {
            state.sessions.up();
            self.lock().adopt(server.0, self.sessions.get());
        }
    }

    /// Gives no place to anyone who waits, until [`Self::serve_queues`]: the sessions that leave now go on in another
    /// process, and so does the room they take on their servers.
    pub fn hold_queues(&self) {
        self.lock().held = true;
    }

    /// Gives the places that have become free since [`Self::hold_queues`].
    pub fn serve_queues(&self, now: Tick) {
        let woken = self.lock().serve_queues(self.sessions.get());
        self.wake(woken, now);
    }

    /// A session connects once more to the server it has: haproxy counts the attempt as a session of the server.
    pub fn repeat(&self, server: ServerIx, now: Tick) {
        if let Some(state) = self.servers.get(server.0 as usize) {
            state.sessions_total.add(1);
            state.session_rate.hit(now);
            state.last_session.set(now.millis().max(1));
        }
    }

    /// Counts sessions on the servers they were given from a queue, and wakes them.
    pub(super) fn wake(&self, grants: Grants, now: Tick) {
        for grant in grants {
            self.line(grant.from).down();
            self.count(grant.server, now);
            if let Some(waker) = grant.waker {
                waker.wake();
            }
        }
    }

    /// Counts sessions that left the queue of `server` because it went away; how many there were.
    pub(super) fn count_moves(&self, server: u32, moves: &Redistributed) -> u32 {
        for to in &moves.rejoined {
            self.line(Some(server)).down();
            self.line(*to).up();
        }
        let picks = moves.grants.iter().map(|grant| grant.server).chain(moves.rejoined.iter().flatten().copied());
        picks.for_each(|server| self.count_pick(server));
        let count = moves.grants.len() + moves.rejoined.len();
        self.redispatches.add(count as u64);
        if let Some(state) = self.servers.get(server as usize) {
            state.redispatches.add(count as u64);
        }
        count as u32
    }

    /// Counts that a session could not have the server that it wanted.
    fn count_redispatch(&self, left: ServerIx) {
        self.redispatches.add(1);
        if let Some(state) = self.servers.get(left.0 as usize) {
            state.redispatches.add(1);
        }
    }

    /// Whether a session that belongs to a server may still have it: not if it is in maintenance or down.
    pub fn keeps(&self, server: ServerIx) -> bool {
        self.lock().members.get(server.0 as usize).is_some_and(Member::running)
    }

    /// The gauge of a queue: a server's, or the backend's own.
    fn line(&self, server: Option<u32>) -> &Gauge {
        server.and_then(|server| self.servers.get(server as usize)).map_or(&self.queue, |server| &server.queue)
    }

    /// Counts a choice of balancing; a session that comes from the backend's queue was not chosen for its server.
    fn count_pick(&self, server: u32) {
        if let Some(state) = self.servers.get(server as usize) {
            state.picked_total.add(1);
            state.times.picked.add(1);
        }
        self.picked_total.add(1);
        self.times.picked.add(1);
    }

    fn count(&self, server: u32, now: Tick) {
        if let Some(state) = self.servers.get(server as usize) {
            state.sessions.up();
            state.sessions_total.add(1);
            state.session_rate.hit(now);
            state.last_session.set(now.millis().max(1));
        }
        self.last_session.set(now.millis().max(1));
    }
}
