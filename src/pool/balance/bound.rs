//! `hash-balance-factor`: how many sessions a server may have, measured by the average of all.
//!
//! Knows loads and weights, not who is asked. Source: manual §4.2 "hash-balance-factor"; rounding measured on 2.6.12.

use super::Standing;

/// The shares of the servers of one balancer.
#[derive(Debug)]
pub(super) struct Bound {
    /// In percent of the average; 0: no bound.
    factor: u64,
    places: Vec<Place>,
    /// Sessions on all servers, unusable ones too.
    served: u64,
    /// Weight of the usable ones.
    total: u64,
    /// Weights of the servers that were told of, summed up.
    told: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    weight: u64,
    served: u64,
    /// Sum of the weights before it when it was first told of; it stays, as haproxy's does.
    start: Option<u64>,
}

impl Bound {
    pub(super) fn new(servers: usize, factor: u32) -> Self {
        Self { factor: factor.into(), places: vec![Place::default(); servers], served: 0, total: 0, told: 0 }
    }

    /// One more server, of no weight yet.
    pub(super) fn add(&mut self) {
        self.places.push(Place::default());
    }

    pub(super) fn update(&mut self, server: u32, standing: Standing) {
        let place = &mut self.places[server as usize];
        let new = Place { weight: standing.weight.into(), served: standing.served.into(), ..*place };
        self.total = self.total + new.weight - place.weight;
        self.served = self.served + new.served - place.served;
        *place = new;
        if place.start.is_none() {
            place.start = Some(self.told);
            self.told += new.weight;
        }
    }

    /// Whether a server may take one more session: the sessions that all may have together with it, rounded up, are
    /// dealt out by weight, each server's share being the difference of two sums rounded down, and at least 1.
    pub(super) fn room(&self, server: u32) -> bool {
        if self.factor == 0 || self.total == 0 {
            return true;
        }
        let slots = ((self.served + 1) * self.factor).div_ceil(100);
        let place = self.places[server as usize];
        let start = place.start.unwrap_or_default();
        let share = (start + place.weight) * slots / self.total - start * slots / self.total;
        place.served < share.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_dealt_out_by_weight() {
        let mut bound = Bound::new(4, 150);
        let standing = |served| Standing { weight: 16, load: served, served, ..Standing::default() };
        // Three sessions and the next one: six slots, 1 2 1 2 of them for four equal servers.
        for (server, served) in [(0, 1), (1, 1), (2, 1), (3, 0)] {
            bound.update(server, standing(served));
        }
        let room: Vec<bool> = (0..4).map(|server| bound.room(server)).collect();
        assert_eq!(room, [false, true, false, true]);
        let free = Bound::new(4, 0);
        assert!(free.room(2), "no factor, no bound");
    }
}
