//! A table with one entry per unit of weight, in which each server's entries are spread.
//!
//! Shared by `static-rr`, which walks it, and `source`, which looks a hash up. Knows no load.
//! Source: manual §4.2 "hash-type" ("map-based"); the order of entries observed on 2.6.12.

use std::collections::BTreeSet;

use super::WEIGHT_SCALE;

/// The table, rebuilt when it is read after a weight changed.
#[derive(Debug, Default)]
pub(super) struct Map {
    weights: Vec<u32>,
    table: Vec<u32>,
    stale: bool,
}

impl Map {
    pub(super) fn new(servers: usize) -> Self {
        Self { weights: vec![0; servers], table: Vec::new(), stale: false }
    }

    /// One more server, of no weight yet.
    pub(super) fn add(&mut self) {
        self.weights.push(0);
    }

    /// Sets a server's scaled weight; the table holds whole units, at least one for a server that is used.
    pub(super) fn set_weight(&mut self, server: u32, scaled: u32) {
        let weight = scaled.div_ceil(WEIGHT_SCALE);
        let slot = &mut self.weights[server as usize];
        if *slot != weight {
            *slot = weight;
            self.stale = true;
        }
    }

    /// The entries.
    pub(super) fn table(&mut self) -> &[u32] {
        if self.stale {
            self.table = spread(&self.weights);
            self.stale = false;
        }
        &self.table
    }
}

/// Spreads servers over as many entries as the weights sum up to.
///
/// After `k` of `total` entries a server is due `k × weight ÷ total` of them, rounded down. Each entry goes to the
/// server that is furthest behind its due, the first of the list among equals.
fn spread(weights: &[u32]) -> Vec<u32> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    // When each server is next due one more: its j-th falls due at entry ceil(j × total ÷ weight).
    let mut dues: Vec<(u64, u32)> = Vec::with_capacity(total as usize);
    // Furthest behind first: a lower number is further behind.
    let mut order: BTreeSet<(i64, u32)> = BTreeSet::new();
    let mut behind = vec![0_i64; weights.len()];
    for (server, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
        let server = server as u32;
        dues.extend((1..=u64::from(*weight)).map(|j| ((j * total).div_ceil(u64::from(*weight)), server)));
        order.insert((0, server));
    }
    dues.sort_unstable();
    let mut dues = dues.into_iter().peekable();
    let mut table = Vec::with_capacity(total as usize);
    for entry in 1..=total {
        while let Some((_, server)) = dues.next_if(|(at, _)| *at == entry) {
            let lag = &mut behind[server as usize];
            order.remove(&(*lag, server));
            *lag -= 1;
            order.insert((*lag, server));
        }
        if let Some((lag, server)) = order.pop_first() {
            table.push(server);
            behind[server as usize] = lag + 1;
            order.insert((lag + 1, server));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_haproxys() {
        // Observed on 2.6.12 with `balance static-rr`.
        for (weights, want) in [
            (&[1, 1, 1][..], "123"),
            (&[3, 1], "1112"),
            (&[1, 3], "1222"), // the first server first, however light
            (&[5, 3, 1], "112121213"),
            (&[1, 3, 5], "132323233"),
            (&[10, 1, 1], "111111211113"),
            (&[7, 3], "1112112112"),
            (&[4, 4, 4, 1], "1231231231234"),
            (&[0, 2, 0, 1], "224"),
            (&[], ""),
        ] {
            let table: String = spread(weights).iter().map(|server| (server + 1).to_string()).collect();
            assert_eq!(table, want, "weights {weights:?}");
        }
    }

    #[test]
    fn a_huge_backend_is_spread_quickly() {
        let weights = vec![1; 96_000];
        assert!(spread(&weights).iter().copied().eq(0..96_000));
    }
}
