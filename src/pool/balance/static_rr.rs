//! `balance static-rr`: walks a fixed table of servers.

use super::map::Map;
use super::{Balancer, Standing, Who, Wish};

/// The table and the place in it.
#[derive(Debug)]
pub(super) struct StaticRr {
    map: Map,
    full: Vec<bool>,
    /// Servers in the table that have room; none: nothing to walk for.
    roomy: usize,
    weights: Vec<u32>,
    next: usize,
}

impl StaticRr {
    pub(super) fn new(servers: usize) -> Self {
        Self { map: Map::new(servers), full: vec![false; servers], roomy: 0, weights: vec![0; servers], next: 0 }
    }
}

impl Balancer for StaticRr {
    fn add(&mut self, _: Who) {
        self.full.push(false);
        self.weights.push(0);
        self.map.add();
    }

    fn update(&mut self, server: u32, standing: Standing) {
        let ix = server as usize;
        self.roomy -= usize::from(self.weights[ix] > 0 && !self.full[ix]);
        self.weights[ix] = standing.weight;
        self.full[ix] = standing.full;
        self.roomy += usize::from(standing.weight > 0 && !standing.full);
        self.map.set_weight(server, standing.weight);
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        if self.roomy == 0 {
            return None;
        }
        let table = self.map.table();
        let len = table.len();
        let start = if self.next < len { self.next } else { 0 };
        let mut avoided = None;
        for place in (start..len).chain(0..start) {
            let server = table[place];
            if self.full[server as usize] {
                continue;
            }
            if wish.avoid == Some(server) {
                avoided = avoided.or(Some((place, server)));
                continue;
            }
            self.next = place + 1;
            return Some(server);
        }
        let (place, server) = avoided?;
        self.next = place + 1;
        Some(server)
    }
}
