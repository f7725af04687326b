//! `balance source`, `hash` and `rdp-cookie`: the same key gets the same server.
//!
//! Knows no key but its number ([`super::hashes`]). Source: manual §4.2 "balance source", "hash-type", "hash-preserve-affinity" (3.2).

use super::bound::Bound;
use super::map::Map;
use super::ring::Ring;
use super::{Balancer, Standing, Who, Wish};
use crate::ir::{Affinity, HashType};

/// Where the number of a key is looked up.
#[derive(Debug)]
pub(super) struct Keyed {
    affinity: Affinity,
    standings: Vec<Standing>,
    places: Places,
}

#[derive(Debug)]
enum Places {
    /// A table, and the turn of sessions without a key.
    Map(Map, usize),
    Ring(Ring, Bound),
}

impl Keyed {
    pub(super) fn new(servers: &[Who], hash: HashType) -> Self {
        let places = if hash.consistent {
            let points: Vec<u32> = servers.iter().map(|who| who.first_point).collect();
            Places::Ring(Ring::new(&points), Bound::new(servers.len(), hash.factor))
        } else {
            Places::Map(Map::new(servers.len()), 0)
        };
        Self { affinity: hash.affinity, standings: vec![Standing::default(); servers.len()], places }
    }
}

impl Balancer for Keyed {
    fn add(&mut self, who: Who) {
        self.standings.push(Standing::default());
        match &mut self.places {
            Places::Map(map, _) => map.add(),
            Places::Ring(ring, bound) => {
                ring.add(who.first_point);
                bound.add();
            }
        }
    }

    fn move_points(&mut self, server: u32, first: u32) {
        if let Places::Ring(ring, _) = &mut self.places {
            ring.move_points(server, first);
        }
    }

    fn update(&mut self, server: u32, standing: Standing) {
        self.standings[server as usize] = standing;
        match &mut self.places {
            Places::Map(map, _) => map.set_weight(server, standing.weight),
            Places::Ring(ring, bound) => {
                ring.set_weight(server, standing.weight);
                bound.update(server, standing);
            }
        }
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        let free = |server: &u32| self.affinity.keeps(self.standings[*server as usize]);
        match &mut self.places {
            Places::Map(map, next) => {
                let table = map.table();
                let len = table.len();
                if len == 0 {
                    return None;
                }
                let Some(key) = wish.hash else {
                    let place = *next % len;
                    *next = place + 1;
                    return Some(table[place]);
                };
                let (before, behind) = table.split_at(key as usize % len);
                // If none is free, the one that the key chose after all.
                behind.iter().chain(before).copied().find(free).or_else(|| behind.first().copied())
            }
            Places::Ring(ring, bound) => {
                let other = |server| Some(server) != wish.avoid;
                match wish.hash {
                    Some(key) => ring.pick(key, |server| other(server) && bound.room(server) && free(&server)),
                    None => ring.next(other), // shares are for keys alone, in haproxy too
                }
            }
        }
    }
}

impl Affinity {
    /// Whether a key stays with a server of this standing.
    fn keeps(self, standing: Standing) -> bool {
        match self {
            Self::Always => true,
            Self::Maxconn => !standing.full,
            Self::Maxqueue => !standing.queue_full,
        }
    }
}
