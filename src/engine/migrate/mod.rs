//! Sessions that go on in another process: taken out of their threads here, put into threads there.
//!
//! The process that gives ([`leave`]) takes a session out between two polls; its sockets are watched no more, and nobody
//! touches them until it is either let go ([`Batch::release`]: the counters and limits of this process forget it) or
//! put back. The process that takes ([`arrive`]) checks everything that came before it says that it has it, and puts it
//! into a thread when it may. Putting back and taking are the same code. Knows no protocol: `process::handover` speaks it.

mod arrive;
mod leave;
mod left;
mod limits;
mod state;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Waker;

pub use self::arrive::{Arrivals, ArriveError, Expecting, Routes};
pub(super) use self::leave::Take;
pub use self::leave::{Batch, Round, Size};
pub use self::left::{LeftState, ValueState};
pub use self::state::{FlowState, Lane, PeerState, SessionState, Stage};
use super::clock;
use super::control::Order;
use super::shared::{Seat, Shared};
use crate::ir::{ProxyIx, ServerIx};
use crate::pool::{Assignment, Demand, Pool, Priority};

/// The sessions of a running engine, as another process may give or take them.
#[derive(Clone)]
pub struct Sessions(pub(super) Arc<Shared>);

/// Where a session belongs in this process's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Route {
    place: u32,
    front: ProxyIx,
    back: ProxyIx,
    target: Option<ServerIx>,
    /// It has a connection that no server of its backend has: `dispatch`.
    forwarded: bool,
}

/// A session that is in no thread, with its place in this process's counters and limits: it is put into one
/// ([`Shard::resume`](super::shard::Shard::resume)), or forgotten.
pub(super) struct Detached {
    seat: Seat,
    route: Route,
    /// Its server counts it.
    held_server: bool,
    /// Its place among those that wait for its backend: lower is earlier.
    order: u64,
    /// What it got in this process's queue, if it waits.
    waits: Option<Assignment>,
    state: SessionState,
    /// The client's socket, the server's, both ends of each pipe.
    descriptors: Vec<OwnedFd>,
    /// Bytes of both directions, one after the other.
    held: Vec<u8>,
}

impl Detached {
    /// This process has nothing to do with it any more: its counters let it go, and its copies of the sockets are closed.
    fn forget(self, shared: &Shared) {
        let Some(back) = shared.pool.back(self.route.back) else { return };
        match self.waits {
            Some(Assignment::Queued(ticket)) => back.leave_queue(ticket, clock::now()),
            Some(Assignment::Server(server)) => back.release(server, clock::now()),
            Some(Assignment::Unavailable | Assignment::QueueFull(_)) | None => {}
        }
        drop(self.descriptors); // first: who gets its place connects at once
        if self.held_server
            && let Some(server) = self.route.target
        {
            back.release(server, clock::now());
        }
        if self.state.is_entered() {
            back.sessions.down();
        }
    }
}

/// Puts sessions into the threads that their seats name. Those that wait go into their queues in this order.
fn into_threads(shared: &Shared, detached: impl IntoIterator<Item = Detached>) {
    let mut by_thread: Vec<Vec<Detached>> = shared.mailboxes.iter().map(|_| Vec::new()).collect();
    for mut one in detached {
        if one.state.stage == Stage::Queued
            && let Some(back) = shared.pool.back(one.route.back)
        {
            let priority = one.state.left.as_ref().map_or_else(Priority::default, LeftState::priority);
            let hash = one.state.hash;
            let wanted = one.state.wants.as_deref().and_then(|name| shared.pool.server_named(one.route.back, name));
            let random = one.state.number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            // Its thread says whom to wake when it has it.
            let demand = Demand {
                hash,
                wanted,
                forced: one.state.kept.1,
                avoid: None,
                random,
                waker: Waker::noop(),
                again: true,
                priority,
            };
            one.waits = Some(back.assign(&demand, clock::now()));
        }
        by_thread[one.seat.thread() as usize].push(one);
    }
    for (mailbox, detached) in shared.mailboxes.iter().zip(by_thread) {
        if !detached.is_empty() {
            mailbox.post(Order::Resume(detached));
        }
    }
}

/// What a session of this process is called elsewhere.
fn lane(shared: &Shared, route: Route) -> Option<Lane> {
    let proxies = &shared.pool.config.proxies;
    let front = &proxies[route.front.0 as usize];
    let back = &proxies[route.back.0 as usize];
    // Rules still look at what it says: it has no backend yet.
    let nowhere = route.back == route.front && back.backend.is_none();
    let (server, address) = if nowhere { (None, None) } else { destination(&shared.pool, route)? };
    Some(Lane {
        frontend: front.name.clone(),
        listener: listener(shared, route.place)?,
        backend: if nowhere { String::new() } else { back.name.clone() },
        server,
        address,
    })
}

/// Name of the server and address of a route.
fn destination(pool: &Pool, route: Route) -> Option<(Option<String>, Option<String>)> {
    let side = pool.config.proxies.get(route.back.0 as usize)?.backend.as_ref()?;
    Some(match route.target {
        Some(ix) => {
            let server = pool.server_now(route.back, ix)?;
            (Some(server.name.clone()), Some(server.address.spell(server.port_offset)))
        }
        None if route.forwarded => {
            let to = side.forward.as_ref()?;
            (None, Some(to.address.spell(to.port_offset)))
        }
        None => (None, None),
    })
}

/// Where a listening socket listens, as one word.
fn listener(shared: &Shared, place: u32) -> Option<String> {
    let super::Purpose::Frontend(proxy, bind) = shared.places.get(place as usize)?.purpose else { return None };
    let front = shared.pool.config.proxies[proxy.0 as usize].frontend.as_ref()?;
    Some(front.binds.get(bind)?.endpoint.to_string())
}
