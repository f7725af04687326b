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

use crate::ir::{Backend, Balance, HashKey, Server, ServerAddress};

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

/// By what a balancer tells a server from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    /// Its id.
    pub(super) id: u32,
    /// The number that the first of its points on a ring is made of.
    pub(super) first_point: u32,
}

impl Who {
    /// A server where it is now. Servers without an own IP address go by their ids, whatever their lines say.
    pub(super) fn of(server: &Server) -> Self {
        let address = match &server.address {
            ServerAddress::Inet(address) if !address.ip().is_unspecified() => Some(*address),
            _ => None,
        };
        let first_point = match (server.hash_key, address) {
            (HashKey::Addr, Some(address)) => ring::of_address(address.ip(), None),
            (HashKey::AddrPort, Some(address)) => ring::of_address(address.ip(), Some(address.port())),
            (HashKey::Id, _) | (_, None) => ring::of_id(server.id),
        };
        Self { id: server.id, first_point }
    }
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
    fn add(&mut self, who: Who);
    /// A server's points lie elsewhere from now on.
    fn move_points(&mut self, _server: u32, _first: u32) {}
    /// The server of the next session, or `None` if the backend's queue is to take it. A full server is
    /// returned only by balancers that insist on it: the session then waits for that server.
    fn pick(&mut self, wish: &Wish) -> Option<u32>;
}

/// The balancer of a backend. No server is usable before its first update.
pub(super) fn build(back: &Backend, servers: &[Who]) -> Box<dyn Balancer> {
    let hash = back.hash;
    match back.balance {
        Balance::RoundRobin => Box::new(roundrobin::RoundRobin::new(servers.len())),
        Balance::StaticRr => Box::new(static_rr::StaticRr::new(servers.len())),
        Balance::LeastConn => Box::new(leastconn::LeastConn::new(servers.len())),
        Balance::First => Box::new(first::First::new(servers)),
        Balance::Source | Balance::Hash | Balance::RdpCookie => Box::new(keyed::Keyed::new(servers, hash)),
        Balance::Random(draws) => Box::new(random::Random::new(servers.len(), draws, hash.factor)),
    }
}
