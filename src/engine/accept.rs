//! Accepts connections on one listening socket and hands each to the least loaded thread.
//!
//! Each listening socket has one accepting thread (place modulo threads). A connection is counted against every limit
//! before `accept` is called, so limits are exact and what is over them waits in the backlog. A listening socket
//! may be shared with another process: it is never shut down, only our copy is closed.
//!
//! One thread accepts, and not all: a connection then wakes one thread and goes to the least loaded one for sure.
//! Accepting on all was tried with two threads on two cores; what it won for short connections was within the noise of
//! the machine, and sessions that live long are placed once. Knows no session.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};

use super::control::Order;
use super::relay::{Socket, register};
use super::shard::Shard;
use super::shared::{Accepted, Seat};
use super::{Purpose, clock};
use crate::ir::{Endpoint, Level};
use crate::pool::{Limited, Peer, Rate};
use crate::sys::channel::{self, Arrival};
use crate::sys::fault;
use crate::units::Tick;

/// Connections accepted before other tasks get their turn, unless `tune.maxaccept` says another number.
const BATCH: usize = 64;
/// Most connections that are taken out of the backlog before a socket is closed: a successor may share it and serve them.
const LAST_BATCH: usize = 1024;
/// Pause after the system had no descriptor or memory for a connection.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// Milliseconds without a shortage after which the next one is told: one line for each, not for each attempt.
const SHORTAGE_OVER: u64 = 10_000;

/// Why accepting stopped for now.
enum Pause {
    /// No connection waits.
    Empty,
    /// A batch is done; there may be more.
    More,
    /// A limit is reached, or the listener is paused.
    Full,
    /// The socket does not listen: whoever holds it too has shut it, and may let it listen again.
    Shut,
    /// The frontend had as many sessions within the last second as it may have: look again after so long.
    TooFast(Duration),
    /// The system is short of something.
    Shortage(Errno),
    /// The other side of an inherited socket has closed it: no connection will come.
    Over,
}

/// How connections come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// The socket listens.
    Listens,
    /// They are sent over it: `sockpair@N`.
    Channel,
}

impl Manner {
    fn of(shard: &Shard, place: u32) -> Self {
        let config = &shard.shared.pool.config;
        let endpoint = match shard.shared.places[place as usize].purpose {
            Purpose::Frontend(proxy, bind) => {
                let front = config.proxies.get(proxy.0 as usize).and_then(|proxy| proxy.frontend.as_ref());
                front.and_then(|front| front.binds.get(bind)).map(|bind| &bind.endpoint)
            }
            Purpose::Commands(at) => config.global.stats_sockets.get(at).map(|socket| &socket.endpoint),
            Purpose::Peers(section, bind) => {
                config.global.peers.get(section).and_then(|section| section.binds.get(bind)).map(|bind| &bind.endpoint)
            }
        };
        if matches!(endpoint, Some(Endpoint::SockPair(_))) { Self::Channel } else { Self::Listens }
    }

    /// The next connection, with the address of its client if it is one of TCP's; `None`: what came was no connection.
    fn take(self, socket: impl AsFd) -> Result<Option<(OwnedFd, Option<SocketAddr>)>, Errno> {
        match self {
            Self::Listens => {
                let (socket, address) = acceptfrom_with(socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
                Ok(Some((socket, address.and_then(|address| address.try_into().ok()))))
            }
            Self::Channel => match channel::receive(socket)? {
                // haproxy does not ask who the client is, and shows it as one of a unix socket
                Arrival::Connection(socket) => Ok(Some((socket, None))),
                Arrival::Nothing => Ok(None),
                Arrival::Empty => Err(Errno::PIPE),
            },
        }
    }
}

/// Accepts for ever; ends when the socket cannot be used any more.
pub(super) async fn accept(shard: Rc<Shard>, place: u32, socket: OwnedFd) -> io::Result<()> {
    let mut socket = register(socket)?;
    let manner = Manner::of(&shard, place);
    let mut last_shortage: Option<Tick> = None;
    loop {
        let mut ready = socket.readable().await?;
        let mut fresh = Vec::new();
        let pause = accept_some(&shard, place, manner, &socket, &mut fresh);
        distribute(&shard, fresh);
        // What says that a socket was shut stays said, also when it listens again: only a new registration forgets it.
        let shut = ready.ready().is_read_closed();
        if !shut && matches!(pause, Pause::Empty) {
            ready.clear_ready();
        }
        drop(ready);
        match pause {
            // haproxy turns round and round from here on; nobody is served by that
            Pause::Over if shut => return Ok(()),
            Pause::Over => tokio::task::yield_now().await,
            Pause::Empty if shut => socket = register(socket.into_inner())?,
            Pause::Empty => {}
            Pause::Shut => tokio::time::sleep(SHORTAGE_PAUSE).await,
            Pause::More => tokio::task::yield_now().await,
            Pause::Full => wait_for_room(&shard, place).await,
            Pause::TooFast(delay) => tokio::time::sleep(delay).await,
            Pause::Shortage(errno) => {
                let now = clock::now();
                let previous = last_shortage.replace(now);
                if previous.is_none_or(|previous| now.since(previous) > SHORTAGE_OVER) {
                    complain(&shard, place, errno);
                }
                tokio::time::sleep(SHORTAGE_PAUSE).await;
            }
        }
    }
}

fn accept_some(shard: &Rc<Shard>, place: u32, manner: Manner, socket: &Socket, fresh: &mut Vec<Accepted>) -> Pause {
    let batch = shard.shared.pool.config.global.maxaccept.map_or(BATCH, |most| most.max(1) as usize);
    for _ in 0..batch {
        if let Some(delay) = too_fast(shard, place, fresh.len()) {
            return Pause::TooFast(delay);
        }
        let Some(seat) = shard.shared.take_seat(place) else { return Pause::Full };
        match manner.take(socket.get_ref()) {
            Ok(Some((socket, peer))) => fresh.push(welcome(socket, peer, seat)),
            Ok(None) => {}
            Err(Errno::AGAIN) => return Pause::Empty,
            Err(Errno::PIPE) if manner == Manner::Channel => return Pause::Over,
            Err(Errno::INVAL) => return Pause::Shut,
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => return Pause::Shortage(errno),
            // The connection died in the backlog, or a signal came: neither says anything about the next one.
            Err(_) => {}
        }
    }
    Pause::More
}

/// `rate-limit sessions`, `maxconnrate`, `maxsessrate`: how long to wait before the next session may come, if it may not
/// come now.
fn too_fast(shard: &Rc<Shard>, place: u32, fresh: usize) -> Option<Duration> {
    let Purpose::Frontend(proxy, _) = shard.shared.places[place as usize].purpose else { return None };
    let pool = &shard.shared.pool;
    let own = pool.config.proxies[proxy.0 as usize].frontend.as_ref()?.rate_limit;
    let rates = &pool.process.rates;
    let reached = |limit: u32, rate: &Rate| limit > 0 && rate.get(clock::now()) as usize + fresh >= limit as usize;
    let limits = [
        (own, &pool.front(proxy)?.session_rate),
        (rates.get(Limited::Connections), &pool.process.connection_rate),
        (rates.get(Limited::Sessions), &pool.process.session_rate),
    ];
    let (limit, _) = limits.into_iter().find(|(limit, rate)| reached(*limit, rate))?;
    Some(Duration::from_millis(u64::from(1000 / limit.min(1000))))
}

/// Accepts what waits on a socket that is about to be closed, and closes it.
pub(super) fn accept_the_rest(shard: &Rc<Shard>, place: u32, socket: OwnedFd) {
    let mut fresh = Vec::new();
    let manner = Manner::of(shard, place);
    // The fault that tests/reload.rs must notice: what waits is lost.
    let most = if fault::is("early-close") { 0 } else { LAST_BATCH };
    for _ in 0..most {
        let Some(seat) = shard.shared.take_seat(place) else { break };
        match manner.take(&socket) {
            Ok(Some((socket, peer))) => fresh.push(welcome(socket, peer, seat)),
            Ok(None) => {}
            Err(
                Errno::PIPE | Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::INVAL,
            ) => break,
            Err(_) => {}
        }
    }
    drop(socket);
    distribute(shard, fresh);
}

fn welcome(socket: OwnedFd, peer: Option<SocketAddr>, seat: Seat) -> Accepted {
    let peer = match peer {
        Some(address) => Peer::Inet(address),
        None => Peer::Unix(seat.bind().map_or(0, |bind| bind.id)),
    };
    Accepted { socket, peer, at: clock::now(), wall: SystemTime::now(), seat, announced: None, memory: None }
}

/// Gives each connection to the thread that has the fewest.
fn distribute(shard: &Rc<Shard>, fresh: Vec<Accepted>) {
    let shared = &shard.shared;
    if shared.mailboxes.len() == 1 {
        for mut accepted in fresh {
            accepted.seat.occupy(shard.thread, accepted.at);
            shard.serve(accepted);
        }
        return;
    }
    let mut parcels: Vec<Vec<Accepted>> = shared.mailboxes.iter().map(|_| Vec::new()).collect();
    for mut accepted in fresh {
        let thread = shared.least_loaded(shard.thread);
        accepted.seat.occupy(thread, accepted.at);
        if thread == shard.thread {
            shard.serve(accepted);
        } else {
            parcels[thread as usize].push(accepted);
        }
    }
    for (mailbox, parcel) in shared.mailboxes.iter().zip(parcels) {
        if !parcel.is_empty() {
            mailbox.post(Order::Serve(parcel));
        }
    }
}

/// An acceptor that waits is counted, also when its task is aborted.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn wait_for_room(shard: &Rc<Shard>, place: u32) {
    let shared = &shard.shared;
    let mut room = std::pin::pin!(shared.room.notified());
    shared.waiting.fetch_add(1, Ordering::SeqCst);
    let _waiting = Waiting(&shared.waiting);
    room.as_mut().enable();
    // Only now is a seat that is given back sure to wake us: look once more before waiting.
    if shared.take_seat(place).is_none() {
        room.await;
    }
}

fn complain(shard: &Rc<Shard>, place: u32, errno: Errno) {
    let (proxy, name) = match shard.shared.places[place as usize].purpose {
        Purpose::Frontend(proxy, _) => (Some(proxy), shard.shared.pool.config.proxies[proxy.0 as usize].name.as_str()),
        Purpose::Commands(_) => (None, "GLOBAL"),
        Purpose::Peers(section, _) => {
            (None, shard.shared.pool.config.global.peers.get(section).map_or("", |section| section.name.as_str()))
        }
    };
    let lack = match errno {
        Errno::MFILE => "the process has no file descriptor left",
        Errno::NFILE => "the system has no file descriptor left",
        _ => "the system has no memory left for sockets",
    };
    let sessions = shard.shared.pool.process.connections.get();
    let message = format!("Proxy {name} cannot accept: {lack} ({sessions} connections); retrying.");
    shard.shared.journal.event(proxy, Level::Emerg, &message);
}
