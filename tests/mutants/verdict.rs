//! What a program says of a mutant under `-c`: its exit code and whom it blames.

use std::collections::BTreeSet;
use std::path::Path;

use super::mutate::Mutant;
use crate::harness::program::Program;

/// How badly; an alert comes before a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Alert,
    Warning,
}

/// A blamed place: the number of the file in the order of `-f`, and the line. What names no line comes last.
pub(crate) type Place = (usize, u32);

/// Who is blamed, and how badly.
pub(crate) type Blame = (Severity, Place);

/// A message without a place.
pub(crate) const NOWHERE: Place = (usize::MAX, 0);

/// One program's verdict.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// `None`: ended by a signal.
    pub(crate) exit: Option<i32>,
    /// Severities and places.
    pub(crate) blames: BTreeSet<Blame>,
    /// All that was printed as alerts and warnings, with whom it blames.
    pub(crate) messages: Vec<(Blame, String)>,
    /// A Rust panic was printed.
    pub(crate) panicked: bool,
}

impl Verdict {
    /// Asks a program; the mutant's files stand in `folder`.
    pub(crate) fn of(program: &Program, folder: &Path, mutant: &Mutant, options: &[&str]) -> Self {
        let mut command = program.command();
        command.current_dir(folder).arg("-c").args(options);
        for (name, _) in &mutant.files {
            command.args(["-f", name]);
        }
        let output = command.output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let names: Vec<&str> = mutant.files.iter().map(|(name, _)| *name).collect();
        let mut verdict = Self {
            exit: output.status.code(),
            blames: BTreeSet::new(),
            messages: Vec::new(),
            panicked: text.contains("panicked at"),
        };
        for line in text.lines() {
            if let Some(blame) = message(line, &names) {
                verdict.blames.insert(blame);
                verdict.messages.push((blame, line.to_owned()));
            }
        }
        verdict
    }

    /// The first blamed place among the worst.
    pub(crate) fn first(&self) -> Option<Blame> {
        self.blames.first().copied()
    }

    /// What was said of a place.
    pub(crate) fn said(&self, blame: Blame) -> impl Iterator<Item = &str> {
        self.messages.iter().filter(move |(other, _)| *other == blame).map(|(_, text)| text.as_str())
    }
}

/// Reads one line of standard error.
fn message(line: &str, names: &[&str]) -> Option<Blame> {
    let (severity, rest) = [("[ALERT]", Severity::Alert), ("[WARNING]", Severity::Warning)]
        .into_iter()
        .find_map(|(tag, severity)| line.strip_prefix(tag).map(|rest| (severity, rest)))?;
    let (_, text) = rest.split_once(" : ")?;
    // Both programs end with a count or a sum of what was said before.
    if text.to_lowercase().contains("found in configuration") || text.contains("Fatal errors found") {
        return None;
    }
    let place = text.split('[').skip(1).find_map(|rest| {
        let (name, rest) = rest.split_once(':')?;
        let file = names.iter().position(|other| *other == name)?;
        Some((file, rest.split_once(']')?.0.parse().ok()?))
    });
    Some((severity, place.unwrap_or(NOWHERE)))
}

#[test]
fn a_message_is_read_by_its_shape() {
    for (line, want) in [
        ("[ALERT]    (1) : config : parsing [b.cfg:2] : unknown", Some((Severity::Alert, (1, 2)))),
        ("[WARNING]  (1) : config : missing timeouts for backend 'b'.", Some((Severity::Warning, NOWHERE))),
        ("[ALERT]    (1) : config : Error(s) found in configuration file : a.cfg", None),
        ("[NOTICE]   (1) : haproxy version is 2.6.12", None),
    ] {
        assert_eq!(message(line, &["a.cfg", "b.cfg"]), want, "{line}");
    }
}
