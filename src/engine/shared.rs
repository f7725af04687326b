//! What all threads of one engine share: state, ports, mailboxes, places for connections.
//!
//! Nothing here is touched per message. [`Shared`] is the engine's [`crate::pool::Control`] (see `control`).

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;

use super::control::Mailbox;
use super::facts::Memory;
use super::proxy_header::{self, Announced, Heads};
use super::splice::Budget;
use super::{Input, Purpose};
use crate::ir::{Bind, Frontend, Proxy, ProxyIx};
use crate::pool::{Commands, Counter, FrontState, Journal, ListenerState, Page, Peer, Pool};
use crate::sys::destination;
use crate::units::Tick;

/// Connections at once on all stats sockets when `stats maxconn` says nothing.
const STATS_MAXCONN: u32 = 10;

/// A report about as many servers takes a millisecond or two.
const FEW_SERVERS: usize = 1000;

/// One whose pieces are many times as long, about as many.
const FEW_FOR_PIECES: usize = 100;

/// Number of no thread.
const NOBODY: u16 = u16::MAX;

/// What all threads of one engine share.
pub(crate) struct Shared {
    /// Configuration and state.
    pub(crate) pool: Arc<Pool>,
    /// Log lines.
    pub(crate) journal: Arc<dyn Journal>,
    /// The statistics page.
    pub(crate) page: Arc<dyn Page>,
    /// The runtime commands.
    pub(crate) commands: Arc<dyn Commands>,
    /// One per listening socket.
    pub(super) places: Box<[Place]>,
    /// One per thread.
    pub(super) mailboxes: Box<[Mailbox]>,
    /// The listening sockets themselves with their places; empty after a soft stop.
    pub(super) sockets: Mutex<Vec<(u32, OwnedFd)>>,
    /// Threads that may still accept: none of them may end before all have stopped, for each may give it a connection.
    pub(super) accepting: AtomicU32,
    /// Connections that hold a [`Seat`].
    pub(super) live: AtomicU32,
    /// Processes that are giving their sessions: until they have, a soft stop is not over.
    pub(super) arriving: AtomicU32,
    /// Woken when a seat is given back or a limit or pause changed, if anyone waits.
    pub(super) room: Notify,
    /// Woken when sessions are to be rebalanced, or no longer.
    pub(super) rebalancing: Notify,
    /// Acceptors that wait for `room`.
    pub(super) waiting: AtomicU32,
    /// Another process accepts on our sockets.
    pub(super) yields: AtomicBool,
    /// No more accepting: the engine ends with the last connection.
    pub(super) stopping: AtomicBool,
    /// The engine ends now.
    pub(super) ended: AtomicBool,
    /// Pipes of all threads.
    pub(super) pipes: Budget,
    /// It ends without a log line for what is left.
    pub(super) silent: AtomicBool,
    /// Seats per frontend, by proxy. Apart from the gauges because these are taken before `accept`.
    fronts: Box<[AtomicU32]>,
    /// Seats taken of the process's limit.
    seats: AtomicU32,
    /// Seats taken on stats sockets.
    command_seats: AtomicU32,
    /// The next session's number.
    next_id: AtomicU64,
    /// Whether another process may hold copies of the listening sockets; not set: it may.
    pub(super) others: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// Places whose sockets do not listen while their frontends are paused.
    pub(super) refusing: Mutex<Vec<u32>>,
    /// The thread that talks with peers, if there is one.
    pub(super) peers: OnceLock<tokio::sync::mpsc::UnboundedSender<super::peers::Order>>,
    /// Addresses that could not be listened on again at the last attempt.
    pub(super) deaf: AtomicU32,
}

/// One listening socket as limits and counters see it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) purpose: Purpose,
    /// What its connections begin with, and the number of its NetScaler headers.
    pub(super) heads: (Heads, u32),
    seats: AtomicU32,
}

/// A connection's place in all limits and gauges, from before its `accept` to its end: dropping it gives them back.
pub(crate) struct Seat {
    shared: Arc<Shared>,
    place: u32,
    /// The thread that serves it; [`NOBODY`]: none yet.
    thread: u16,
    /// Headers that a rule wants.
    heads: Heads,
    /// Its session is counted.
    begun: bool,
}

/// A connection that was just accepted.
pub(crate) struct Accepted {
    /// The socket: non-blocking, close-on-exec.
    pub(crate) socket: OwnedFd,
    /// The other end.
    pub(crate) peer: Peer,
    /// When.
    pub(crate) at: Tick,
    /// When, by the calendar.
    pub(crate) wall: SystemTime,
    /// Its place in the limits; keep it as long as the connection lives.
    pub(crate) seat: Seat,
    /// What its PROXY header said, once it was read.
    pub(crate) announced: Option<Box<Announced>>,
    /// What rules have left.
    pub(super) memory: Option<Box<Memory>>,
}

impl Shared {
    pub(super) fn new(input: Input) -> (Arc<Self>, Vec<OwnedFd>) {
        let mut places = Vec::new();
        let mut sockets = Vec::new();
        for listening in input.listeners {
            let heads = proxy_header::heads(&input.pool, listening.purpose);
            places.push(Place { purpose: listening.purpose, heads, seats: AtomicU32::new(0) });
            sockets.push(listening.socket);
        }
        let proxies = input.pool.config.proxies.len();
        input.pool.process.threads.store(input.threads as u32, Ordering::Relaxed);
        let shared = Self {
            pipes: Budget::new(input.pool.config.global.max_pipes),
            pool: input.pool,
            journal: input.journal,
            page: input.page,
            commands: input.commands,
            places: places.into(),
            mailboxes: (0..input.threads.max(1)).map(|_| Mailbox::default()).collect(),
            sockets: Mutex::new(Vec::new()),
            accepting: AtomicU32::new(input.threads.max(1) as u32),
            live: AtomicU32::new(0),
            arriving: AtomicU32::new(0),
            room: Notify::new(),
            rebalancing: Notify::new(),
            waiting: AtomicU32::new(0),
            yields: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            fronts: (0..proxies).map(|_| AtomicU32::new(0)).collect(),
            seats: AtomicU32::new(0),
            command_seats: AtomicU32::new(0),
            next_id: AtomicU64::new(1),
            others: OnceLock::new(),
            refusing: Mutex::default(),
            peers: OnceLock::new(),
            deaf: AtomicU32::new(0),
        };
        (Arc::new(shared), sockets)
    }

    /// Whether a listening socket's connections are acknowledged late (`option tcp-smart-accept`).
    pub(super) fn accepts_smartly(&self, place: usize) -> bool {
        let Purpose::Frontend(proxy, _) = self.places[place].purpose else { return false };
        self.pool.config.proxies[proxy.0 as usize].frontend.as_ref().is_some_and(|front| front.smart_accept)
    }

    /// A new session's number.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The number that the next session gets.
    pub(super) fn ids_given(&self) -> u64 {
        self.next_id.load(Ordering::Relaxed)
    }

    /// Whether even the pieces of a long report are not to be made on a serving thread.
    pub(super) fn is_large(&self) -> bool {
        self.pool.server_count() > FEW_FOR_PIECES
    }

    /// Makes a report: here, or on a thread of its own if there is so much to tell that sessions would have to wait.
    /// `None` if it panicked there.
    pub(super) async fn aside<T: Send + 'static>(&self, report: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        if self.pool.server_count() <= FEW_SERVERS {
            return Some(report());
        }
        tokio::task::spawn_blocking(report).await.ok()
    }

    /// The listening sockets; a thread that panicked while it held them has not hurt them.
    pub(super) fn sockets(&self) -> MutexGuard<'_, Vec<(u32, OwnedFd)>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the master's commands come over a socket.
    pub(super) fn is_masters(&self, place: u32) -> bool {
        let Some(Purpose::Commands(at)) = self.places.get(place as usize).map(|place| place.purpose) else {
            return false;
        };
        self.pool.config.global.stats_sockets.get(at).is_some_and(|socket| socket.masters)
    }

    /// A seat for the next connection on a listening socket, if every limit has room for it.
    pub(super) fn take_seat(self: &Arc<Self>, place: u32) -> Option<Seat> {
        // While it stops, what waits on sockets that nobody has taken is served.
        if self.yields.load(Ordering::Acquire) && !self.stopping.load(Ordering::Acquire) {
            return None;
        }
        let here = &self.places[place as usize];
        match here.purpose {
            Purpose::Commands(_) => {
                let limit = self.pool.config.global.stats_maxconn.unwrap_or(STATS_MAXCONN);
                take_below(&self.command_seats, limit).then_some(())?;
            }
            Purpose::Peers(..) => {} // the thread for peers has a limit
            Purpose::Frontend(proxy, bind) => {
                let front = self.pool.front(proxy)?;
                if [&front.paused, &front.stopped, &front.barred].iter().any(|closed| closed.load(Ordering::Relaxed)) {
                    return None;
                }
                let most = self.pool.process.maxconn.load(Ordering::Relaxed);
                take_below(&self.seats, most).then_some(())?;
                if most > 0 && self.seats.load(Ordering::Relaxed) >= most {
                    self.pool.process.limit_reached.add(1);
                }
                if !take_below(&self.fronts[proxy.0 as usize], front.maxconn.load(Ordering::Relaxed)) {
                    self.seats.fetch_sub(1, Ordering::AcqRel);
                    return None;
                }
                let limit = self.bind(proxy, bind).map_or(0, |bind| bind.options.maxconn);
                if !take_below(&here.seats, limit) {
                    self.fronts[proxy.0 as usize].fetch_sub(1, Ordering::AcqRel);
                    self.seats.fetch_sub(1, Ordering::AcqRel);
                    return None;
                }
            }
        }
        self.live.fetch_add(1, Ordering::AcqRel);
        Some(Seat { shared: Arc::clone(self), place, thread: NOBODY, heads: Heads::default(), begun: false })
    }

    /// A seat for a connection that is there already, whatever the limits say: it came from another process.
    pub(super) fn take_seat_anyway(self: &Arc<Self>, place: u32) -> Seat {
        let here = &self.places[place as usize];
        match here.purpose {
            Purpose::Commands(_) => {
                self.command_seats.fetch_add(1, Ordering::AcqRel);
            }
            Purpose::Peers(..) => {}
            Purpose::Frontend(proxy, _) => {
                self.seats.fetch_add(1, Ordering::AcqRel);
                self.fronts[proxy.0 as usize].fetch_add(1, Ordering::AcqRel);
                here.seats.fetch_add(1, Ordering::AcqRel);
            }
        }
        self.live.fetch_add(1, Ordering::AcqRel);
        Seat { shared: Arc::clone(self), place, thread: NOBODY, heads: Heads::default(), begun: false }
    }

    /// The thread with the fewest connections; `home` among equals.
    pub(super) fn least_loaded(&self, home: u32) -> u32 {
        let load = |thread: usize| self.mailboxes[thread].load.load(Ordering::Relaxed);
        let mut best = home as usize;
        for thread in 0..self.mailboxes.len() {
            if load(thread) < load(best) {
                best = thread;
            }
        }
        best as u32
    }

    /// Wakes the acceptors that wait for room.
    pub(super) fn make_room(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.room.notify_waiters();
        }
    }

    fn bind(&self, proxy: ProxyIx, bind: usize) -> Option<&Bind> {
        self.pool.config.proxies.get(proxy.0 as usize)?.frontend.as_ref()?.binds.get(bind)
    }
}

/// Takes one of `limit` (0: no limit), unless all are taken.
fn take_below(taken: &AtomicU32, limit: u32) -> bool {
    let room = |now: u32| (limit == 0 || now < limit).then_some(now + 1);
    taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok()
}

impl Accepted {
    /// The address that its client connected to; `None` on a unix socket.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        let announced = self.announced.as_ref().and_then(|announced| announced.destination);
        announced.or_else(|| destination::wanted(&self.socket))
    }
}

impl Accepted {
    /// Takes over the addresses that rules have set.
    pub(super) fn settle_addresses(&mut self) {
        let Some((source, destination)) = self.memory.as_mut().and_then(|memory| memory.take_addresses()) else {
            return;
        };
        if let Some(source) = source {
            self.peer = Peer::Inet(source);
        }
        if destination.is_some() {
            Announced::change(&mut self.announced, destination, self.at);
        }
    }
}

impl Seat {
    /// Counts the connection in the gauges and totals, on the thread that will serve it.
    pub(super) fn occupy(&mut self, thread: u32, now: Tick) {
        self.occupy_again(thread);
        let process = &self.shared.pool.process;
        process.connections_total.add(1);
        if let Some((front, listener)) = self.counters() {
            // Connections of stats sockets are in no rate, as with haproxy.
            process.connection_rate.hit(now);
            front.connections_total.add(1);
            front.connection_rate.hit(now);
            if let Some(listener) = listener {
                listener.sessions_total.add(1);
            }
        }
        let ruled = |proxy: &Proxy| !proxy.rules.connection.is_empty() || !proxy.rules.session.is_empty();
        if !self.announces() && !self.proxy().is_some_and(|(_, proxy, _)| ruled(proxy)) {
            self.begin(now);
        }
    }

    /// Counts the connection in the gauges alone: in the totals it is counted already.
    pub(super) fn occupy_again(&mut self, thread: u32) {
        self.thread = u16::try_from(thread).unwrap_or(NOBODY);
        self.shared.mailboxes[thread as usize].load.fetch_add(1, Ordering::Relaxed);
        self.shared.pool.process.connections.up();
        if let Some((front, listener)) = self.counters() {
            front.sessions.up();
            if let Some(listener) = listener {
                listener.sessions.up();
            }
        }
    }

    /// The listening socket it came in on.
    pub(super) fn place(&self) -> u32 {
        self.place
    }

    /// The thread that serves it.
    pub(super) fn thread(&self) -> u32 {
        self.thread.into()
    }

    /// `option contstats`: its bytes are counted as they move.
    pub(super) fn counts_at_once(&self) -> bool {
        self.proxy().is_some_and(|(_, _, front)| front.contstats)
    }

    /// Counts its session: at once, or when its PROXY header has come and rules let it in.
    pub(super) fn begin(&mut self, now: Tick) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        if let Some((front, _)) = self.counters() {
            self.shared.pool.process.session_rate.hit(now);
            front.sessions_total.add(1);
            front.session_rate.hit(now);
        }
    }

    /// Whether the connection begins with a header.
    pub(super) fn announces(&self) -> bool {
        self.heads().0 != Heads::default()
    }

    /// Headers that the connection begins with, and the number that one of NetScaler begins with.
    pub(super) fn heads(&self) -> (Heads, u32) {
        let (heads, magic) = self.shared.places[self.place as usize].heads;
        (heads.and(self.heads), magic)
    }

    /// The connection is to begin with these headers, too.
    pub(super) fn announce(&mut self, heads: Heads) {
        self.heads = self.heads.and(heads);
    }

    /// Counts a connection that `tcp-request connection` refuses.
    pub(super) fn denied_connection(&self) {
        self.count(|front| &front.denied_connections, |listener| &listener.denied_connections);
    }

    /// Counts a connection that `tcp-request session` refuses.
    pub(super) fn denied_session(&self) {
        self.count(|front| &front.denied_sessions, |listener| &listener.denied_sessions);
    }

    /// Counts something that is ended for what its client has sent, or in silence.
    pub(super) fn denied_request(&self) {
        self.count(|front| &front.denied_requests, |listener| &listener.denied_requests);
    }

    /// Counts a session that is ended for what its server has sent.
    pub(super) fn denied_response(&self) {
        self.count(|front| &front.denied_responses, |listener| &listener.denied_responses);
    }

    /// Counts a request that its client gave up.
    pub(super) fn failed_request(&self) {
        self.counters().inspect(|(front, _)| front.request_errors.add(1));
    }

    fn count(&self, front: impl Fn(&FrontState) -> &Counter, listener: impl Fn(&ListenerState) -> &Counter) {
        if let Some((of_front, of_listener)) = self.counters() {
            front(of_front).add(1);
            of_listener.inspect(|of_listener| listener(of_listener).add(1));
        }
    }

    /// What the connection came in for.
    pub(crate) fn purpose(&self) -> Purpose {
        self.shared.places[self.place as usize].purpose
    }

    /// The proxy it came in on, and its client side.
    pub(crate) fn proxy(&self) -> Option<(ProxyIx, &Proxy, &Frontend)> {
        let Purpose::Frontend(ix, _) = self.purpose() else { return None };
        let proxy = self.shared.pool.config.proxies.get(ix.0 as usize)?;
        Some((ix, proxy, proxy.frontend.as_ref()?))
    }

    /// The address it came in on.
    pub(crate) fn bind(&self) -> Option<&Bind> {
        let Purpose::Frontend(proxy, bind) = self.purpose() else { return None };
        self.shared.bind(proxy, bind)
    }

    /// The counters of its frontend and of its listener.
    pub(crate) fn counters(&self) -> Option<(&FrontState, Option<&ListenerState>)> {
        let Purpose::Frontend(proxy, bind) = self.purpose() else { return None };
        let front = self.shared.pool.front(proxy)?;
        Some((front, front.listeners.get(bind)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let shared = &self.shared;
        let place = &shared.places[self.place as usize];
        if self.thread != NOBODY {
            shared.mailboxes[self.thread as usize].load.fetch_sub(1, Ordering::Relaxed);
            shared.pool.process.connections.down();
            if let Some((front, listener)) = self.counters() {
                front.sessions.down();
                if let Some(listener) = listener {
                    listener.sessions.down();
                }
            }
        }
        match place.purpose {
            Purpose::Commands(_) => {
                shared.command_seats.fetch_sub(1, Ordering::AcqRel);
            }
            Purpose::Peers(..) => {}
            Purpose::Frontend(proxy, _) => {
                place.seats.fetch_sub(1, Ordering::AcqRel);
                shared.fronts[proxy.0 as usize].fetch_sub(1, Ordering::AcqRel);
                shared.seats.fetch_sub(1, Ordering::AcqRel);
            }
        }
        let left = shared.live.fetch_sub(1, Ordering::AcqRel) - 1;
        shared.make_room();
        if left == 0 && shared.stopping.load(Ordering::Acquire) {
            shared.wake_all();
        }
    }
}
