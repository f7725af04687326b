//! Which rows of the keyword tables are probed, by a file here or by a test that `tests.txt` names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use baton::grammar::{self, Kind, Support};

use super::file::{ProbeFile, root};

/// What is covered how.
pub(crate) struct Report {
    rows: usize,
    by_file: usize,
    by_test: BTreeMap<String, String>,
    /// Full rows that nothing proves.
    pub(crate) missing: Vec<String>,
    /// Probes of rows that there are not, or of rows that are not full; tests that there are not.
    pub(crate) mistakes: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} full rows: {} with a probe, {} with a test of their own:",
            self.rows,
            self.by_file,
            self.by_test.len()
        )?;
        for (row, test) in &self.by_test {
            writeln!(out, "  {row}: {test}")?;
        }
        write!(out, "rows without a probe: {}", self.missing.len())?;
        self.missing.iter().try_for_each(|row| write!(out, "\n  {row}"))
    }
}

/// Compares the tables with the probes.
pub(crate) fn report(files: &[ProbeFile]) -> Report {
    let mut full = BTreeSet::new();
    for kind in Kind::ALL {
        let rows = grammar::rows(kind).iter().filter(|row| row.support == Support::Full);
        full.extend(rows.map(|row| format!("{}/{}", kind.name(), row.keyword)));
    }
    let mut mistakes = Vec::new();
    let mut known = |row: &str, place: &str| {
        let there = full.contains(row);
        if !there {
            mistakes.push(format!("{place}: {row} is no full row"));
        }
        there
    };
    let mut probed = BTreeSet::new();
    for file in files {
        probed.extend(file.cuts.iter().map(|cut| cut.row.clone()).filter(|row| known(row, &file.name)));
    }
    probed.extend(expressions().into_iter().filter(|row| full.contains(row)));
    let mut by_test = BTreeMap::new();
    for (row, test) in tests() {
        if known(&row, "tests.txt") {
            by_test.insert(row, test);
        }
    }
    mistakes.extend(by_test.values().filter(|test| !exists(test)).map(|test| format!("there is no test {test}")));
    mistakes.extend(by_test.keys().filter(|row| probed.contains(*row)).map(|row| format!("{row} has both")));
    let missing = full.iter().filter(|row| !probed.contains(*row) && !by_test.contains_key(*row)).cloned().collect();
    Report { rows: full.len(), by_file: probed.len(), by_test, missing, mistakes }
}

/// `fixtures/probe/tests.txt`: `KIND/keyword | FILE::test`.
fn tests() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("tests.txt")).expect("the list of tests");
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (row, test) = line.split_once(" | ").unwrap_or_else(|| panic!("two columns are wanted: {line}"));
            (row.trim().to_owned(), test.trim().to_owned())
        })
        .collect()
}

/// Fetches and converters that a line of `fixtures/expr` asks for: `tests/expressions.rs` and `tests/buffers.rs` play each on both
/// programs, and without the word it is no expression.
fn expressions() -> BTreeSet<String> {
    let folder = root().with_file_name("expr");
    let files = std::fs::read_dir(folder).expect("the expressions").map(|entry| entry.expect("an entry").path());
    let mut rows = BTreeSet::new();
    for file in files.filter(|path| path.extension().is_some_and(|end| end == "txt")) {
        let text = std::fs::read_to_string(&file).expect("expressions");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let asked = line.split(" ⇒ ").next().unwrap_or_default();
            let words = asked.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
            rows.extend(words.flat_map(|word| [format!("fetch/{word}"), format!("converter/{word}")]));
        }
    }
    rows
}

fn exists(test: &str) -> bool {
    test.split_once("::").is_some_and(|(file, name)| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.contains(&format!("fn {name}()"))
    })
}
