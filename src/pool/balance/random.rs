//! `balance random(n)`: draws n servers by weight and takes the least loaded of them.
//!
//! Randomness comes with each wish, so picks can be replayed. Source: manual §4.2 "balance random".

use super::bound::Bound;
use super::{Balancer, Standing, Who, Wish};

/// Weights as a tree of partial sums, so that a draw takes log(n) steps.
#[derive(Debug)]
pub(super) struct Random {
    draws: u32,
    standings: Vec<Standing>,
    /// A Fenwick tree over the weights, from 1.
    sums: Vec<u64>,
    total: u64,
    /// `hash-balance-factor` counts here, too.
    bound: Bound,
}

impl Random {
    pub(super) fn new(servers: usize, draws: u32, factor: u32) -> Self {
        Self {
            draws: draws.max(1),
            standings: vec![Standing::default(); servers],
            sums: vec![0; servers + 1],
            total: 0,
            bound: Bound::new(servers, factor),
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

    /// The server itself, or if its bound is reached the next one in the list with room, all around.
    fn roomy(&self, server: u32) -> u32 {
        let may = |other: &u32| self.standings[*other as usize].weight > 0 && self.bound.room(*other);
        (server..self.standings.len() as u32).chain(0..server).find(may).unwrap_or(server)
    }
}

impl Balancer for Random {
    fn add(&mut self, _: Who) {
        self.bound.add();
        self.standings.push(Standing::default());
        // What the new sum covers: itself, of no weight yet, and what its lower neighbours have.
        let place = self.sums.len();
        let (mut sum, mut below, stop) = (0, place - 1, place - (place & place.wrapping_neg()));
        while below > stop {
            sum += self.sums[below];
            below -= below & below.wrapping_neg();
        }
        self.sums.push(sum);
    }

    fn update(&mut self, server: u32, standing: Standing) {
        self.bound.update(server, standing);
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
            let drawn = self.roomy(self.at((mixed ^ (mixed >> 31)) % self.total));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(weight: u32, load: u32) -> Standing {
        Standing { weight: weight * 16, load, served: load, ..Standing::default() }
    }

    /// How often each of the servers is picked in 8,000 sessions that end at once.
    fn shares(draws: u32, standings: &[Standing]) -> Vec<u32> {
        let mut random = Random::new(standings.len(), draws, 0);
        (0..).zip(standings).for_each(|(server, standing)| random.update(server, *standing));
        let mut counts = vec![0; standings.len()];
        for random_number in 0..8_000_u64 {
            let wish = Wish { random: random_number.wrapping_mul(0x2545_f491_4f6c_dd1d), ..Wish::default() };
            counts[random.pick(&wish).expect("a server") as usize] += 1;
        }
        counts
    }

    #[test]
    fn one_draw_follows_the_weights() {
        let counts = shares(1, &[standing(1, 0), standing(0, 0), standing(5, 0), standing(2, 0)]);
        for (count, want) in counts.iter().zip([1_000_u32, 0, 5_000, 2_000]) {
            assert!(count.abs_diff(want) <= want / 10, "{counts:?}");
        }
    }

    #[test]
    fn of_several_draws_the_least_loaded_for_its_weight_wins() {
        let counts = shares(2, &[standing(1, 9), standing(1, 1), standing(1, 5)]);
        // The busiest wins only against itself: 1 of 9 pairs; the idlest whenever it is drawn: 5 of 9.
        for (count, want) in counts.iter().zip([889_u32, 4_444, 2_667]) {
            assert!(count.abs_diff(want) <= want / 8, "{counts:?}");
        }
        let weighed = shares(64, &[standing(10, 9), standing(1, 2)]);
        assert!(weighed[0] > 7_900, "nine sessions weigh less on ten than two on one: {weighed:?}");
    }

    #[test]
    fn a_full_choice_sends_the_session_to_the_queue() {
        let mut random = Random::new(2, 1, 0);
        random.update(0, Standing { full: true, ..standing(1, 1) });
        assert_eq!(random.pick(&Wish::default()), None);
        assert_eq!(Random::new(2, 2, 0).pick(&Wish::default()), None, "nobody is usable");
    }

    #[test]
    fn the_same_number_picks_the_same() {
        let standings = [standing(3, 2), standing(7, 4), standing(1, 0)];
        assert_eq!(shares(2, &standings), shares(2, &standings));
    }
}
