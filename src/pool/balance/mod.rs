//! Chooses a server for each new session.
//!
//! Knows weights, load and room; knows no clock, socket, health or queue. One algorithm per file, each a
//! [`Balancer`]; [`build`] maps [`crate::ir::Balance`] to one. Pick order is pinned by `fixtures/output/picks/`.
//! Source: configuration manual §4.2 "balance"; orders observed on 2.6.12.

mod bound;
mod first;
mod hashes;
mod keyed;
mod leastconn;
mod map;
mod random;
mod ring;
mod roundrobin;
mod static_rr;

use std::fmt::Debug;

pub use hashes::{address_hash, key_hash};

use crate::ir::{Backend, Balance};

/// Weights inside are 16 times those of the configuration, so that a slow start has steps.
pub(super) const WEIGHT_SCALE: u32 = 16;

/// What a balancer knows of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// Effective weight times [`WEIGHT_SCALE`]; 0: not to be chosen.
    pub(super) weight: u32,
    /// Sessions on it and waiting for it.
    pub(super) load: u32,
    /// Sessions on it alone.
    pub(super) served: u32,
    /// Whether it has as many sessions as it may have.
    pub(super) full: bool,
    /// Whether its queue is as long as it may be, too.
    pub(super) queue_full: bool,
}

/// What a session brings to the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wish {
    /// The number of its key, if it has one.
    pub(super) hash: Option<u32>,
    /// A server to be avoided if there is another.
    pub(super) avoid: Option<u32>,
    /// A random number.
    pub(super) random: u64,
    /// It waits for no other server than the one it waits for.
    pub(super) forced: bool,
    /// Its class in queues: lower ones are served first.
    pub(super) class: i16,
    /// When it came, as far as that counts in queues, in milliseconds.
    pub(super) moment: i64,
}

/// A way of choosing. Replayable: the same calls give the same picks.
pub(super) trait Balancer: Debug + Send {
    /// Tells what is true of a server from now on.
    fn update(&mut self, server: u32, standing: Standing);
    /// One more server, behind the others; it is not in use before it is updated.
    fn add(&mut self, id: u32);
    /// The server of the next session, or `None` if the backend's queue is to take it. A full server is
    /// returned only by balancers that insist on it: the session then waits for that server.
    fn pick(&mut self, wish: &Wish) -> Option<u32>;
}

/// The balancer of a backend. `ids` are the servers' ids; no server is usable before its first update.
pub(super) fn build(back: &Backend, ids: &[u32]) -> Box<dyn Balancer> {
    let hash = back.hash;
    match back.balance {
        Balance::RoundRobin => Box::new(roundrobin::RoundRobin::new(ids.len())),
        Balance::StaticRr => Box::new(static_rr::StaticRr::new(ids.len())),
        Balance::LeastConn => Box::new(leastconn::LeastConn::new(ids.len())),
        Balance::First => Box::new(first::First::new(ids)),
        Balance::Source | Balance::Hash | Balance::RdpCookie => Box::new(keyed::Keyed::new(ids, hash)),
        Balance::Random(draws) => Box::new(random::Random::new(ids.len(), draws, hash.factor)),
    }
}
