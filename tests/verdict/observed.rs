//! Runs `-c` on a fixture and reads places and severities from what was printed.

use std::collections::BTreeSet;
use std::path::Path;

use super::fixture::Fixture;
use super::{Blame, Severity};
use crate::harness::program::Program;

/// What a program said of a fixture.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Places and severities.
    pub(crate) blames: BTreeSet<Blame>,
    /// The exit code; `None` when a signal ended it.
    pub(crate) exit: Option<i32>,
    /// A Rust panic was printed.
    pub(crate) panicked: bool,
    messages: Vec<(Blame, String)>,
}

impl Observed {
    /// Runs `program -c -f NAME` in the fixture's folder.
    pub(crate) fn run(program: &Program, path: &Path, fixture: &Fixture) -> Self {
        let folder = path.parent().expect("a fixture has a folder");
        let name = path.file_name().expect("a fixture has a name").to_string_lossy().into_owned();
        let mut command = program.command();
        command.current_dir(folder).arg("-c").args(&fixture.args).arg("-f").arg(&name);
        command.envs(fixture.env.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let messages: Vec<(Blame, String)> = text.lines().filter_map(|line| message(line, &name)).collect();
        Self {
            blames: messages.iter().map(|(blame, _)| *blame).collect(),
            exit: output.status.code(),
            panicked: text.contains("panicked at"),
            messages,
        }
    }

    /// The messages behind a blame, for the failure's text.
    pub(crate) fn said(&self, blame: &Blame) -> String {
        let said: Vec<&str> =
            self.messages.iter().filter(|(other, _)| other == blame).map(|(_, text)| text.as_str()).collect();
        said.join(" / ")
    }
}

/// Reads one line of standard error: `[ALERT]    (pid) : config : parsing [NAME:LINE] : …`.
fn message(line: &str, name: &str) -> Option<(Blame, String)> {
    let (severity, rest) = [("[ALERT]", Severity::Alert), ("[WARNING]", Severity::Warning)]
        .into_iter()
        .find_map(|(tag, severity)| line.strip_prefix(tag).map(|rest| (severity, rest)))?;
    let (_, text) = rest.split_once(" : ")?;
    // Both programs end with a count or a sum of the alerts before; it blames nothing by itself.
    if text.to_lowercase().contains("found in configuration") {
        return None;
    }
    let place = text.split('[').skip(1).find_map(|rest| {
        let inside = rest.strip_prefix(name)?.strip_prefix(':')?;
        inside.split_once(']')?.0.parse().ok()
    });
    Some((Blame { line: place, severity }, text.to_owned()))
}

#[test]
fn a_message_is_read_by_its_shape() {
    let blame = |line, severity| Some(Blame { line, severity });
    for (line, want) in [
        ("[ALERT]    (1) : config : parsing [a.cfg:2] : unknown", blame(Some(2), Severity::Alert)),
        ("[ALERT]    (1) : config : Parsing [a.cfg:4]: frontend", blame(Some(4), Severity::Alert)),
        ("[WARNING]  (1) : config : missing timeouts for backend 'b'.", blame(None, Severity::Warning)),
        ("[ALERT]    (1) : config : Error(s) found in configuration file : a.cfg", None), // the sum
        ("[NOTICE]   (1) : haproxy version is 2.6.12", None),
        ("   | a line of a longer message", None),
    ] {
        assert_eq!(message(line, "a.cfg").map(|(blame, _)| blame), want, "{line}");
    }
}
