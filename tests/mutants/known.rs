//! Differences that are meant: `fixtures/mutants/known.txt`.
//!
//! One per line: what haproxy says of the place it blames first, what baton says of the place that it blames first, and
//! the reason, with ` | ` between them. `-`: nothing is said of the place that the other program blames; `*`: anything.
//! The texts are only looked for, never shown as baton's own.

use super::Case;
use super::verdict::Verdict;

struct Difference {
    theirs: String,
    ours: String,
    reason: String,
}

/// All of them.
pub(crate) struct Known(Vec<Difference>);

impl Known {
    /// Reads the file.
    pub(crate) fn read() -> Self {
        let text = include_str!("../../fixtures/mutants/known.txt");
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(
            lines
                .map(|line| {
                    let mut columns = line.splitn(3, " | ").map(|column| column.trim().to_owned());
                    let mut column = || columns.next().unwrap_or_else(|| panic!("three columns are wanted: {line}"));
                    Difference { theirs: column(), ours: column(), reason: column() }
                })
                .collect(),
        )
    }

    /// Why this difference is meant, if it is.
    pub(crate) fn reason(&self, case: &Case) -> Option<&str> {
        if case.theirs.exit.is_none() {
            return Some("2.6 itself crashed");
        }
        let fits = |verdict: &Verdict, other: &Verdict, wanted: &str| match wanted {
            "*" => true,
            "-" => other.first().is_none_or(|blame| !verdict.blames.contains(&blame)),
            _ => verdict.first().is_some_and(|blame| verdict.said(blame).any(|text| text.contains(wanted))),
        };
        let (ours, theirs) = (&case.ours, &case.theirs);
        let found = self.0.iter().find(|one| fits(theirs, ours, &one.theirs) && fits(ours, theirs, &one.ours));
        found.map(|one| one.reason.as_str()).filter(|_| !case.ours.panicked)
    }
}
