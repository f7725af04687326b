//! `balance source`: the same client address gets the same server.
//!
//! Source: manual §4.2 "balance source", "hash-type map-based"; the hash observed on 2.6.12.

use std::net::IpAddr;

use super::map::Map;
use super::{Balancer, Standing, Wish};

/// A table in which the client's hash is looked up.
#[derive(Debug)]
pub(super) struct Source {
    map: Map,
    next: usize,
}

impl Source {
    pub(super) fn new(servers: usize) -> Self {
        Self { map: Map::new(servers), next: 0 }
    }
}

impl Balancer for Source {
    fn update(&mut self, server: u32, standing: Standing) {
        self.map.set_weight(server, standing.weight);
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        let table = self.map.table();
        let len = table.len();
        if len == 0 {
            return None;
        }
        let place = match wish.hash {
            Some(hash) => hash as usize % len,
            // A client without an address (a unix socket) takes its turn.
            None => {
                let turn = self.next % len;
                self.next = turn + 1;
                turn
            }
        };
        Some(table[place])
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
