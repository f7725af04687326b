//! `balance random(n)`: draws n servers by weight and takes the least loaded of them.
//!
//! Randomness comes with each wish, so picks can be replayed. Source: manual §4.2 "balance random".

use super::{Balancer, Standing, Wish};

/// Weights as a tree of partial sums, so that a draw takes log(n) steps.
#[derive(Debug)]
pub(super) struct Random {
    draws: u32,
    standings: Vec<Standing>,
    /// A Fenwick tree over the weights, from 1.
    sums: Vec<u64>,
    total: u64,
}

impl Random {
    pub(super) fn new(servers: usize, draws: u32) -> Self {
        Self {
            draws: draws.max(1),
            standings: vec![Standing::default(); servers],
            sums: vec![0; servers + 1],
            total: 0,
        }
    }

    /// The server at a point of the summed weights.
    fn at(&self, mut point: u64) -> u32 {
        let mut place = 0;
        let mut step = self.sums.len().next_power_of_two();
        while step > 0 {
            if let Some(sum) = self.sums.get(place + step)
                && *sum <= point
            {
                place += step;
                point -= sum;
            }
            step /= 2;
        }
        place as u32
    }
}

impl Balancer for Random {
    fn update(&mut self, server: u32, standing: Standing) {
        let slot = &mut self.standings[server as usize];
        let (old, new) = (u64::from(slot.weight), u64::from(standing.weight));
        *slot = standing;
        if old == new {
            return;
        }
        self.total = self.total + new - old;
        let mut place = server as usize + 1;
        while let Some(sum) = self.sums.get_mut(place) {
            *sum = *sum + new - old;
            place += place & place.wrapping_neg();
        }
    }

    fn pick(&mut self, wish: &Wish) -> Option<u32> {
        let mut seed = wish.random;
        let mut best: Option<u32> = None;
        for _ in 0..if self.total == 0 { 0 } else { self.draws } {
            // One step of the Weyl sequence and mix of SplitMix64: independent draws from one number.
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let drawn = self.at((mixed ^ (mixed >> 31)) % self.total);
            let heavier = |a: Standing, b: Standing| u64::from(a.load) * u64::from(b.weight);
            best = Some(match best {
                Some(held) => {
                    let (a, b) = (self.standings[drawn as usize], self.standings[held as usize]);
                    if wish.avoid == Some(held) || (wish.avoid != Some(drawn) && heavier(a, b) <= heavier(b, a)) {
                        drawn
                    } else {
                        held
                    }
                }
                None => drawn,
            });
        }
        best.filter(|server| !self.standings[*server as usize].full)
    }
}
