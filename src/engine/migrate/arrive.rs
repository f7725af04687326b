//! The process that takes sessions over: finds where they belong, checks what came, puts them into its threads.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::net::getsockname;
use thiserror::Error;

use super::{Detached, Lane, Route, SessionState, Sessions, clock, destination, into_threads, listener};
use crate::engine::Purpose;
use crate::engine::dispatch::Step;
use crate::engine::facts::Memory;
use crate::engine::placing::Placing;
use crate::engine::proxy_header::Announced;
use crate::engine::relay::{Flow, Socket, register};
use crate::engine::session::Session;
use crate::engine::shard::Shard;
use crate::engine::shared::{Place, Shared};
use crate::engine::splice::Pipe;
use crate::ir::{Level, Mode, ProxyIx};
use crate::pool::{Names, Peer};
use crate::units::Tick;

/// Where the sessions of another process belong here, by its lanes.
#[derive(Default)]
pub struct Routes(Vec<Option<Route>>);

/// Sessions that came, checked, and not touched yet. Dropped, their descriptors are closed unused.
pub struct Arrivals(Vec<Arrival>);

struct Arrival {
    route: Route,
    state: SessionState,
    descriptors: Vec<OwnedFd>,
    held: Vec<u8>,
}

/// What is wrong with sessions that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ArriveError {
    /// A lane that was not named or not accepted.
    #[error("a session belongs to lane {0}, which is not ours")]
    Lane(u32),
    /// More or fewer descriptors or bytes than the sessions say.
    #[error("the sessions do not account for all descriptors and bytes that came")]
    Count,
    /// A session at a step that its lane does not lead to.
    #[error("a session is at a step that its lane does not lead to")]
    Stage,
    /// A descriptor that is not a non-blocking socket or pipe.
    #[error("a descriptor is not what it should be")]
    Descriptor,
}

/// Sessions are about to come: while it lives, a soft stop does not end this process, for whoever gives them has them no more.
pub struct Expecting(Arc<Shared>);

impl Drop for Expecting {
    fn drop(&mut self) {
        let last = self.0.arriving.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.0.stopping.load(Ordering::SeqCst) {
            self.0.wake_all();
        }
    }
}

impl Sessions {
    /// Keeps this process for sessions that come; `None` when it has been told to stop, and its threads may have ended.
    pub fn expect(&self) -> Option<Expecting> {
        // First the one, then the other: a thread that sees the order to stop sees this too, or we see the order.
        self.0.arriving.fetch_add(1, Ordering::SeqCst);
        let expecting = Expecting(Arc::clone(&self.0));
        (!self.0.stopping.load(Ordering::SeqCst)).then_some(expecting)
    }

    /// Adds lanes of the other process, which it counts from the first that was ever added; says which of them are here too.
    /// `strict`: only those whose listening address is here too.
    pub fn add(&self, routes: &mut Routes, lanes: &[Lane], strict: bool) -> Vec<bool> {
        let names = Names::of(&self.0.pool);
        let found: Vec<Option<Route>> = lanes.iter().map(|lane| self.find(&names, lane, strict)).collect();
        let yes = found.iter().map(Option::is_some).collect();
        routes.0.extend(found);
        yes
    }

    fn find(&self, names: &Names<'_>, lane: &Lane, strict: bool) -> Option<Route> {
        let proxy = |ix: ProxyIx| &self.0.pool.config.proxies[ix.0 as usize];
        let front = *names.fronts.get(&*lane.frontend)?;
        let back = if lane.backend.is_empty() { front } else { *names.backs.get(&*lane.backend)? };
        if proxy(front).mode != Mode::Tcp || proxy(front).disabled || proxy(back).disabled {
            return None;
        }
        let target = match &lane.server {
            Some(name) => Some(*names.servers.get(&(back, &**name))?),
            None => None,
        };
        let place = self.place(front, &lane.listener, strict)?;
        let route = Route { place, front, back, target, forwarded: target.is_none() && lane.address.is_some() };
        let nowhere = lane.backend.is_empty() && target.is_none();
        let (server, address) = if nowhere { (None, None) } else { destination(&self.0.pool, route)? };
        (server == lane.server && address == lane.address).then_some(route)
    }

    /// The listening socket of a frontend that has this address, or else its first.
    fn place(&self, front: ProxyIx, address: &str, strict: bool) -> Option<u32> {
        let of_it = |place: &Place| matches!(place.purpose, Purpose::Frontend(proxy, _) if proxy == front);
        let mut places = (0..).zip(&self.0.places).filter(|(_, place)| of_it(place)).map(|(place, _)| place);
        let first = places.clone().next().filter(|_| !strict);
        places.find(|place| listener(&self.0, *place).is_some_and(|name| name == address)).or(first)
    }

    /// Checks what came. Nothing is read from or written to a descriptor.
    ///
    /// # Errors
    /// [`ArriveError`]: none of them can be taken.
    pub fn check(
        &self,
        routes: &Routes,
        states: Vec<SessionState>,
        descriptors: Vec<OwnedFd>,
        held: &[u8],
    ) -> Result<Arrivals, ArriveError> {
        let (mut descriptors, mut held) = (descriptors.into_iter(), held);
        let mut arrivals = Vec::with_capacity(states.len());
        for state in states {
            let route = routes.0.get(state.lane as usize).copied().flatten();
            let route = route.ok_or(ArriveError::Lane(state.lane))?;
            let homeless = state.is_entered() && self.0.pool.back(route.back).is_none();
            if homeless || state.has_target() != (route.target.is_some() || route.forwarded) {
                return Err(ArriveError::Stage);
            }
            let own: Vec<OwnedFd> = descriptors.by_ref().take(state.descriptors()).collect();
            let (bytes, rest) = held.split_at_checked(state.held()).ok_or(ArriveError::Count)?;
            if own.len() != state.descriptors() {
                return Err(ArriveError::Count);
            }
            let sockets = 1 + usize::from(state.has_server());
            if !own.iter().enumerate().all(|(at, fd)| is_usable(fd, at < sockets)) {
                return Err(ArriveError::Descriptor);
            }
            held = rest;
            arrivals.push(Arrival { route, state: state.bounded(), descriptors: own, held: bytes.to_vec() });
        }
        if !held.is_empty() || descriptors.next().is_some() {
            return Err(ArriveError::Count);
        }
        Ok(Arrivals(arrivals))
    }

    /// Takes them: from now on they are sessions of this process. Says for each how long nobody has served it, in ms.
    pub fn take(&self, arrivals: Arrivals) -> Vec<u32> {
        let shared = &self.0;
        let now = clock::now();
        let pause = |arrival: &Arrival| now.since(Tick::from_millis(arrival.state.frozen)) as u32;
        let pauses = arrivals.0.iter().map(pause).collect();
        let detached = arrivals.0.into_iter().map(|Arrival { route, state, descriptors, held }| {
            let mut seat = shared.take_seat_anyway(route.place);
            seat.occupy_again(shared.least_loaded(0));
            if let Some(back) = shared.pool.back(route.back) {
                if state.is_entered() {
                    back.sessions.up();
                }
                if let Some(server) = route.target {
                    back.adopt(server);
                    let ports = back.servers.get(server.0 as usize).and_then(|server| server.source_ports.as_ref());
                    let local = descriptors.get(1).filter(|_| state.has_server() && ports.is_some());
                    let local = local.and_then(|socket| SocketAddr::try_from(getsockname(socket).ok()?).ok());
                    if let (Some(ports), Some(local)) = (ports, local) {
                        ports.take_this(local.port());
                    }
                }
            }
            let held_server = route.target.is_some();
            Detached { seat, route, held_server, order: 0, waits: None, state, descriptors, held }
        });
        into_threads(shared, detached);
        pauses
    }
}

impl Arrivals {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Whether a descriptor is a socket or pipe that never blocks.
fn is_usable(fd: &OwnedFd, socket: bool) -> bool {
    let kind = if socket { FileType::Socket } else { FileType::Fifo };
    fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == kind)
        && fcntl_getfl(fd).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK))
}

impl Shard {
    /// Puts sessions into this thread.
    pub(in crate::engine) fn resume(self: &Rc<Self>, detached: Vec<Detached>) {
        for mut one in detached {
            let descriptors = std::mem::take(&mut one.descriptors);
            match one.watch(descriptors, self) {
                Some(sockets) => {
                    let due = one.state.due();
                    let session = one.into_session(sockets, self);
                    let id = session.id();
                    let key = self.insert(session);
                    if let Some(due) = due {
                        self.closings.bring(due, key, id);
                    }
                }
                None => {
                    let message = "A session is lost: the system has no memory left to watch its sockets.";
                    self.shared.journal.event(None, Level::Alert, message);
                    one.forget(&self.shared);
                }
            }
        }
    }
}

/// The sockets of a session, watched, and its pipes.
struct Sockets {
    client: Socket,
    server: Option<Socket>,
    up: Option<Box<Pipe>>,
    down: Option<Box<Pipe>>,
}

impl Detached {
    fn watch(&self, descriptors: Vec<OwnedFd>, shard: &Shard) -> Option<Sockets> {
        let mut descriptors = descriptors.into_iter();
        let client = register(descriptors.next()?).ok()?;
        let server = match self.state.has_server() {
            true => Some(register(descriptors.next()?).ok()?),
            false => None,
        };
        let mut pipe = |there: bool| -> Option<Option<Box<Pipe>>> {
            if !there {
                return Some(None);
            }
            let (output, input) = (descriptors.next()?, descriptors.next()?);
            Some(Some(Box::new(Pipe::resumed(output, input, &shard.shared.pipes).ok()?)))
        };
        let (up, down) = (pipe(self.state.up.pipe)?, pipe(self.state.down.pipe)?);
        Some(Sockets { client, server, up, down })
    }

    fn into_session(self, sockets: Sockets, shard: &Shard) -> Session {
        let Self { seat, route, held_server, waits, state, held, .. } = self;
        let now = clock::now();
        let peer = Peer::from(state.peer);
        let mut session = Session::at_rest(shard, sockets.client, seat, (route.front, route.back), peer, now);
        state.restore(&mut session, &shard.shared.pool, now);
        if let Some(id) = &state.unique_id {
            let memory = || Box::new(Memory::new(Arc::clone(&shard.shared.pool.variables)));
            session.memory.get_or_insert_with(memory).keep_id(id);
        }
        if let Some(assignment) = waits {
            session.step = Step::Requeue(Box::new((session.since, assignment)));
        }
        let (up, down) = held.split_at(held.len().min(state.up.held as usize));
        session.up = Flow::resumed(state.up.bytes, state.up.ended, state.up.told, up.to_vec(), sockets.up);
        session.down = Flow::resumed(state.down.bytes, state.down.ended, state.down.told, down.to_vec(), sockets.down);
        session.server = sockets.server;
        session.target = route.target;
        session.placing.set(Placing::HELD, held_server);
        if let Some(left) = &state.left {
            session.take_up_limits(&left.limits, &shard.shared, now);
        }
        session.announced = state.announced.map(|announced| Box::new(Announced::from(announced)));
        session
    }
}
