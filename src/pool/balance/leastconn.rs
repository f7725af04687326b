//! `balance leastconn`: the server with the fewest sessions for its weight; equals take turns.
//!
//! Source: manual §4.2 "balance leastconn"; order among equals observed on 2.6.12.

use std::collections::BTreeSet;

use super::{Balancer, Standing, WEIGHT_SCALE, Who, Wish};

/// The servers with room, least loaded first, and among equals the one that has waited longest.
#[derive(Debug)]
pub(super) struct LeastConn {
    order: BTreeSet<(u64, u64, u32)>,
    places: Vec<Option<Place>>,
    /// Counts placements: who was placed first is chosen first.
    clock: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    key: u64,
    since: u64,
    roomy: bool,
}

impl LeastConn {
    pub(super) fn new(servers: usize) -> Self {
        Self { order: BTreeSet::new(), places: vec![None; servers], clock: 0 }
    }
}

/// Load for the weight, in whole steps: what is equal here takes turns.
fn key(standing: Standing) -> u64 {
    const HEAVIEST: u64 = 256 * WEIGHT_SCALE as u64;
    match standing.load {
        0 => 0,
        load => (u64::from(load) + 1) * HEAVIEST / u64::from(standing.weight),
    }
}

impl Balancer for LeastConn {
    fn add(&mut self, _: Who) {
        self.places.push(None);
    }

    fn update(&mut self, server: u32, standing: Standing) {
        let old = self.places[server as usize].take();
        if let Some(place) = old.filter(|place| place.roomy) {
            self.order.remove(&(place.key, place.since, server));
        }
        if standing.weight == 0 {
            return;
        }
        let (key, roomy) = (key(standing), !standing.full);
        let since = match old {
            Some(place) if place.key == key => place.since,
            _ => {
                self.clock += 1;
                self.clock
            }
        };
        if roomy {
            self.order.insert((key, since, server));
        }
        self.places[server as usize] = Some(Place { key, since, roomy });
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        let mut servers = self.order.iter().map(|(_, _, server)| *server);
        let best = servers.next()?;
        if Some(best) == wish.avoid { servers.next().or(Some(best)) } else { Some(best) }
    }
}
