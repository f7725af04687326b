//! The process that gives its sessions away: finds them, takes them out in batches, puts back what was not wanted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::{Detached, Lane, Route, SessionState, Sessions, Stage, clock, into_threads, lane};
use crate::engine::closing::Due;
use crate::engine::control::Order;
use crate::engine::dispatch::Step;
use crate::engine::placing::Placing;
use crate::engine::session::Session;
use crate::engine::shard::Shard;
use crate::engine::shared::Shared;
use crate::engine::splice::Pipe;
use crate::ir::TrackRef;

/// How long a thread may take to answer: it does so between two polls of its sessions.
const ANSWER: Duration = Duration::from_secs(5);

/// Who moves first: those that hold a place on a server before those that wait for one.
const ORDER: [Kind; 3] = [Kind::Relaying, Kind::Connecting, Kind::Queued];

/// Sessions that move together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Relaying,
    Connecting,
    Queued,
}

impl Kind {
    fn of(stage: Stage) -> Self {
        match stage {
            Stage::Relaying => Self::Relaying,
            Stage::Connecting | Stage::Pausing(_) | Stage::Inspecting(..) => Self::Connecting,
            Stage::Queued => Self::Queued,
        }
    }
}

/// The most that one batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Sessions.
    pub sessions: usize,
    /// Descriptors.
    pub descriptors: usize,
    /// Bytes that were read and not written yet.
    pub bytes: usize,
}

/// One passage through all sessions: what is there, who may go, how far it has come.
pub struct Round {
    shared: Arc<Shared>,
    routes: Vec<Route>,
    lanes: Vec<Lane>,
    accepted: Arc<HashMap<Route, u32>>,
    /// Place in [`ORDER`], thread, key in its slab.
    at: (usize, usize, u32),
    /// Sessions that wait for a server, taken out and not offered yet.
    waiting: Option<VecDeque<Detached>>,
}

/// Sessions that are out of their threads, to be sent. Dropped, they go on in this process; [`Batch::release`] lets them go.
pub struct Batch {
    shared: Arc<Shared>,
    detached: Vec<Detached>,
}

/// What a thread is asked for.
pub(in crate::engine) struct Take {
    accepted: Arc<HashMap<Route, u32>>,
    kind: Kind,
    from: u32,
    size: Size,
    reply: mpsc::Sender<Taken>,
}

/// What a thread gave.
struct Taken {
    detached: Vec<Detached>,
    /// Where to go on; `None`: there are no more.
    next: Option<u32>,
}

impl Sessions {
    /// Begins to move sessions: finds what is there, and gives the places on servers that become free to nobody until
    /// the round is over.
    pub fn round(&self) -> Round {
        let (reply, replies) = mpsc::channel();
        for mailbox in &self.0.mailboxes {
            mailbox.post(Order::Routes(reply.clone()));
        }
        drop(reply);
        let mut routes = HashSet::new();
        while let Ok(of_thread) = replies.recv_timeout(ANSWER) {
            routes.extend(of_thread);
        }
        let named = routes.into_iter().filter_map(|route| Some((route, lane(&self.0, route)?)));
        let (routes, lanes) = named.unzip();
        hold(&self.0, true);
        Round { shared: Arc::clone(&self.0), routes, lanes, accepted: Arc::default(), at: (0, 0, 0), waiting: None }
    }

    /// Connections that this process still serves, sessions or not.
    pub fn left(&self) -> u32 {
        self.0.live.load(Ordering::Acquire)
    }

    /// Whether connections are still accepted, or what waited on closed sockets has not come yet.
    pub fn accepts(&self) -> bool {
        self.0.accepting.load(Ordering::Acquire) > 0
    }

    /// Whether this process has been told to stop.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }
}

fn hold(shared: &Shared, hold: bool) {
    let now = clock::now();
    for back in shared.pool.proxies.iter().filter_map(|proxy| proxy.back.as_ref()) {
        if hold { back.hold_queues() } else { back.serve_queues(now) }
    }
}

impl Round {
    /// The lanes on which sessions are.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Says which of [`Self::lanes`] the other process has.
    pub fn accept(&mut self, yes: &[bool]) {
        let routes = self.routes.iter().zip(0..).zip(yes);
        self.accepted = Arc::new(routes.filter(|(_, yes)| **yes).map(|((route, lane), _)| (*route, lane)).collect());
    }

    /// Takes out the next sessions; `None` when all were seen.
    pub fn next(&mut self, size: Size) -> Option<Batch> {
        while !self.accepted.is_empty()
            && let Some(kind) = ORDER.get(self.at.0)
        {
            if *kind == Kind::Queued {
                let sessions = self.waiting(*kind)?;
                let mut bytes = 0;
                let fits = |one: &&Detached| {
                    bytes += one.held.len();
                    bytes <= size.bytes
                };
                // Each has its client's socket, and nothing else.
                let few = sessions.iter().take(size.sessions.min(size.descriptors)).take_while(fits).count();
                let detached = sessions.drain(..few).collect::<Vec<_>>();
                return (!detached.is_empty()).then(|| Batch { shared: Arc::clone(&self.shared), detached });
            }
            let (_, thread, from) = self.at;
            if thread == self.shared.mailboxes.len() {
                self.at = (self.at.0 + 1, 0, 0);
                continue;
            }
            let taken = self.take(thread, *kind, from, size);
            self.at = match taken.next {
                Some(next) => (self.at.0, thread, next),
                None => (self.at.0, thread + 1, 0),
            };
            if !taken.detached.is_empty() {
                return Some(Batch { shared: Arc::clone(&self.shared), detached: taken.detached });
            }
        }
        None
    }

    /// All sessions that wait, of all threads, in the order in which they came: no byte of theirs moves meanwhile.
    fn waiting(&mut self, kind: Kind) -> Option<&mut VecDeque<Detached>> {
        if self.waiting.is_none() {
            let all = Size { sessions: usize::MAX, descriptors: usize::MAX, bytes: usize::MAX };
            let threads = 0..self.shared.mailboxes.len();
            let mut waiting: Vec<_> = threads.flat_map(|thread| self.take(thread, kind, 0, all).detached).collect();
            waiting.sort_by_key(|detached| detached.order);
            self.waiting = Some(waiting.into());
        }
        self.waiting.as_mut()
    }

    fn take(&self, thread: usize, kind: Kind, from: u32, size: Size) -> Taken {
        let (reply, replies) = mpsc::channel();
        self.shared.mailboxes[thread].post(Order::Take(Take {
            accepted: Arc::clone(&self.accepted),
            kind,
            from,
            size,
            reply,
        }));
        // A thread that answers too late puts its sessions back: its answer finds nobody.
        replies.recv_timeout(ANSWER).unwrap_or(Taken { detached: Vec::new(), next: None })
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        into_threads(&self.shared, self.waiting.take().into_iter().flatten());
        hold(&self.shared, false);
    }
}

impl Batch {
    /// Its sessions, in the order of their descriptors and bytes.
    pub fn states(&self) -> impl Iterator<Item = &SessionState> {
        self.detached.iter().map(|detached| &detached.state)
    }

    /// How many sessions it has: never none.
    pub fn count(&self) -> usize {
        self.detached.len()
    }

    /// Their descriptors.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.detached.iter().flat_map(|detached| &detached.descriptors).map(AsFd::as_fd).collect()
    }

    /// Lets its sessions go: they are another process's.
    pub fn release(mut self) {
        for detached in self.detached.drain(..) {
            detached.forget(&self.shared);
        }
    }

    /// The bytes that they hold.
    pub fn held(&self) -> Vec<u8> {
        self.detached.iter().flat_map(|detached| &detached.held).copied().collect()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        into_threads(&self.shared, self.detached.drain(..));
    }
}

impl Shard {
    /// The routes on which sessions of this thread are.
    pub(in crate::engine) fn routes(&self) -> HashSet<Route> {
        self.sessions.borrow().iter().map(|(_, session)| session.route()).collect()
    }

    /// Takes sessions out for another process.
    pub(in crate::engine) fn take_out(self: &Rc<Self>, order: Take) {
        let (keys, next) = self.choose(&order);
        let dues = self.closings.dues();
        let detached = keys.into_iter().filter_map(|key| self.take_one(key, &order.accepted, &dues)).collect();
        if let Err(mpsc::SendError(taken)) = order.reply.send(Taken { detached, next }) {
            self.resume(taken.detached);
        }
    }

    fn take_one(
        self: &Rc<Self>,
        key: u32,
        accepted: &HashMap<Route, u32>,
        dues: &HashMap<u64, Due>,
    ) -> Option<Detached> {
        let (route, state) = {
            let sessions = self.sessions.borrow();
            let session = sessions.get(key as usize)?;
            let route = session.route();
            let frozen = clock::now().millis();
            let due = dues.get(&session.id()).map(|due| (due.at.millis(), due.cause as u8));
            (route, SessionState { lane: *accepted.get(&route)?, frozen, due, ..SessionState::of(session)? })
        };
        Some(self.extract(key)?.detach(self, route, state))
    }

    /// The sessions that an order asks for, and where the next one is to begin.
    fn choose(&self, order: &Take) -> (Vec<u32>, Option<u32>) {
        let sessions = self.sessions.borrow();
        let wanted = |(key, session): (usize, &Session)| {
            let state = order.accepted.contains_key(&session.route()).then(|| session.movable()).flatten()?;
            (Kind::of(state.stage) == order.kind).then_some((key, state))
        };
        let from = order.from as usize;
        let (mut keys, mut descriptors, mut bytes) = (Vec::new(), 0, 0);
        for (key, state) in sessions.iter().skip_while(|(key, _)| *key < from).filter_map(wanted) {
            let (fds, held) = (state.descriptors(), state.held());
            let full = keys.len() >= order.size.sessions
                || descriptors + fds > order.size.descriptors
                || bytes + held > order.size.bytes;
            if full && !keys.is_empty() {
                return (keys, Some(key as u32));
            }
            descriptors += fds;
            bytes += held;
            keys.push(key as u32);
        }
        (keys, None)
    }
}

impl Session {
    fn route(&self) -> Route {
        let forwarded = self.target.is_none() && self.server.is_some();
        let queued = matches!(self.step, Step::Queued(_));
        let target = self.target.filter(|_| !queued);
        Route { place: self.seat.place(), front: self.front, back: self.back, target, forwarded }
    }

    /// What it is, if it may move now.
    fn movable(&self) -> Option<SessionState> {
        let state = SessionState::of(self).filter(|_| !self.is_killed())?;
        // One that waits to reach `dispatch` again has nothing yet that says so.
        let nowhere = matches!(state.stage, Stage::Pausing(_)) && self.target.is_none();
        (!nowhere).then_some(state)
    }

    /// Makes it a session of no thread: its sockets are watched no more.
    fn detach(mut self, shard: &Rc<Shard>, route: Route, mut state: SessionState) -> Detached {
        self.tell_noted(shard); // who takes it over does not know what its client had sent
        let mut order = 0;
        if let Step::Queued(ticket) = std::mem::replace(&mut self.step, Step::Start)
            && let Some(back) = shard.shared.pool.back(self.back)
        {
            order = back.arrival(&ticket);
            state.hash = back.hash_of(&ticket);
            let pool = &shard.shared.pool;
            let wants = ticket.server.and_then(|server| pool.known(TrackRef { proxy: self.back, server }));
            state.wants = wants.map(|line| line.name.clone());
            let place = back.place(&ticket);
            state.places = if ticket.server.is_some() { (place, 0) } else { (0, place) };
            back.leave_queue(*ticket, clock::now());
        }
        self.up.release_pipe(shard);
        self.down.release_pipe(shard);
        let (up, up_pipe) = self.up.take_held();
        let (down, down_pipe) = self.down.take_held();
        let mut descriptors = vec![self.client.into_inner()];
        descriptors.extend(self.server.map(|server| server.into_inner()));
        for pipe in [up_pipe, down_pipe].into_iter().flatten() {
            descriptors.extend(Pipe::into_ends(*pipe));
        }
        let held = [up, down].concat();
        let (seat, held_server) = (self.seat, self.placing.is(Placing::HELD));
        Detached { seat, route, held_server, order, waits: None, state, descriptors, held }
    }
}
