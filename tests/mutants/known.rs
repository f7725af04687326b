//! Differences that are meant: `fixtures/mutants/known.txt`.
//!
//! One per line: what haproxy's first message holds (`-`: it says nothing), what baton's first message holds (`-`
//! again), and the reason, with ` | ` between them. The texts are only looked for, never shown as baton's own.

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
        let fits = |verdict: &Verdict, wanted: &str| match wanted {
            "-" => verdict.messages.is_empty(),
            _ => verdict.messages.iter().any(|message| message.contains(wanted)),
        };
        let found = self.0.iter().find(|one| fits(&case.theirs, &one.theirs) && fits(&case.ours, &one.ours));
        found.map(|one| one.reason.as_str()).filter(|_| !case.ours.panicked)
    }
}
