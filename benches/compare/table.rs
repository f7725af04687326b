//! Rounds as a table, with the median of the paired ratios.

use std::fmt;

/// One figure over all rounds.
#[derive(Debug)]
pub(crate) struct Table {
    name: String,
    rounds: Vec<(f64, f64)>,
}

impl Table {
    /// An empty table of this figure.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rounds: Vec::new() }
    }

    /// A round: ours and theirs.
    pub(crate) fn add(&mut self, pair: (f64, f64)) {
        self.rounds.push(pair);
    }
}

/// The middle one; the mean of the middle two for an even count.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.name)?;
        writeln!(out, "  round        ours      theirs   ratio")?;
        for (round, (ours, theirs)) in self.rounds.iter().enumerate() {
            writeln!(out, "  {:>5} {ours:>11.3} {theirs:>11.3} {:>7.3}", round + 1, ours / theirs)?;
        }
        let ours = median(self.rounds.iter().map(|(ours, _)| *ours));
        let theirs = median(self.rounds.iter().map(|(_, theirs)| *theirs));
        let ratio = median(self.rounds.iter().map(|(ours, theirs)| ours / theirs));
        write!(out, " median {ours:>11.3} {theirs:>11.3} {ratio:>7.3}")
    }
}
