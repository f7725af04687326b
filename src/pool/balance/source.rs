//! `balance source`: the same client address gets the same server.
//!
//! Source: manual §4.2 "balance source", "hash-type"; the hash observed on 2.6.12.

use std::net::IpAddr;

use super::bound::Bound;
use super::map::Map;
use super::ring::{Ring, mix};
use super::{Balancer, Standing, Wish};
use crate::ir::HashType;

/// Where the client's hash is looked up.
#[derive(Debug)]
pub(super) struct Source {
    avalanche: bool,
    places: Places,
}

#[derive(Debug)]
enum Places {
    /// A table, and the turn of clients without an address (of a unix socket).
    Map(Map, usize),
    Ring(Ring, Bound),
}

impl Source {
    pub(super) fn new(ids: &[u32], hash: HashType) -> Self {
        let places = if hash.consistent {
            Places::Ring(Ring::new(ids), Bound::new(ids.len(), hash.factor))
        } else {
            Places::Map(Map::new(ids.len()), 0)
        };
        Self { avalanche: hash.avalanche, places }
    }
}

impl Balancer for Source {
    fn add(&mut self, id: u32) {
        match &mut self.places {
            Places::Map(map, _) => map.add(),
            Places::Ring(ring, bound) => {
                ring.add(id);
                bound.add();
            }
        }
    }

    fn update(&mut self, server: u32, standing: Standing) {
        match &mut self.places {
            Places::Map(map, _) => map.set_weight(server, standing.weight),
            Places::Ring(ring, bound) => {
                ring.set_weight(server, standing.weight);
                bound.update(server, standing);
            }
        }
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        let key = wish.hash.map(|hash| if self.avalanche { mix(hash) } else { hash });
        match &mut self.places {
            Places::Map(map, next) => {
                let table = map.table();
                let len = table.len();
                if len == 0 {
                    return None;
                }
                let place = key.map_or(*next, |key| key as usize) % len;
                if key.is_none() {
                    *next = place + 1;
                }
                Some(table[place])
            }
            Places::Ring(ring, bound) => {
                let other = |server| Some(server) != wish.avoid;
                match key {
                    Some(key) => ring.pick(key, |server| other(server) && bound.room(server)),
                    None => ring.next(other), // shares are for keys alone, in haproxy too
                }
            }
        }
    }
}

/// The address as big-endian 32-bit words, combined by exclusive or.
pub(in crate::pool) fn address_hash(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            (0..4).fold(0, |hash, word| hash ^ (bits >> (32 * word)) as u32)
        }
    }
}
