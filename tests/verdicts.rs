//! Every configuration under `fixtures/verdict/` on both programs: which lines are blamed, how badly, exit code.
//!
//! Knows marks in comments and haproxy's message shape; knows no wording: each program says it in its own words.
//! The format of a fixture is told in `fixtures/verdict/README.md`. A fixture that the original fails is a wrong
//! fixture, so one test runs both.

mod harness;
#[path = "verdict/mod.rs"]
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::program::Program;
use verdict::fixture::{Expected, Fixture};
use verdict::observed::Observed;

/// Where the fixtures are, from the package's root.
const FOLDER: &str = "fixtures/verdict";

#[test]
fn every_fixture_gets_its_verdict_from_both_programs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    if let Ok(part) = std::env::var("VERDICT") {
        paths.retain(|path| path.to_string_lossy().contains(&part));
    }
    assert!(!paths.is_empty(), "no fixture under {}", root.display());

    // One of the two alone: for somebody who writes a fixture before the code, or reads a long list of differences.
    let wanted = match std::env::var("BATON_UNDER_TEST").as_deref() {
        Ok("ours") => vec![Program::ours()],
        Ok("theirs") => vec![Program::theirs()],
        _ => vec![Program::theirs(), Program::ours()],
    };
    let programs: Vec<(Program, (u32, u32))> = wanted
        .into_iter()
        .map(|program| {
            let version = program.version();
            (program, version)
        })
        .collect();
    let failures = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let differences = judge(path, &programs);
                    failures.lock().expect("the list").extend(differences);
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("the list");
    failures.sort();
    let total = paths.len();
    assert!(failures.is_empty(), "{} differences in {total} fixtures:\n{}", failures.len(), failures.join("\n"));
    println!("{total} fixtures, {} programs", programs.len());
}

/// What differs from the fixture's marks, one line each.
fn judge(path: &Path, programs: &[(Program, (u32, u32))]) -> Vec<String> {
    let name =
        path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER)).unwrap_or(path).display().to_string();
    let text = std::fs::read(path).expect("the fixture is read");
    let fixture = match Fixture::parse(&text) {
        Ok(fixture) => fixture,
        Err(why) => return vec![format!("{name}: {why}")],
    };
    let mut differences = Vec::new();
    for (program, version) in programs {
        let Some(expected) = fixture.expected(program.is_ours(), *version) else { continue };
        let observed = Observed::run(program, path, &fixture);
        let who = if program.is_ours() { "baton" } else { "haproxy" };
        differences.extend(compare(&expected, &observed).into_iter().map(|text| format!("{name}: {who} {text}")));
    }
    differences
}

fn compare(expected: &Expected, observed: &Observed) -> Vec<String> {
    let mut out = Vec::new();
    if observed.exit != Some(expected.exit) {
        let how = observed.exit.map_or("ends by a signal".to_owned(), |code| format!("exits {code}"));
        out.push(format!("{how}, {} is marked", expected.exit));
    }
    for missing in expected.blames.difference(&observed.blames) {
        out.push(format!("is silent: {missing} is marked"));
    }
    for extra in observed.blames.difference(&expected.blames) {
        out.push(format!("says {extra}, not marked: {}", observed.said(extra)));
    }
    if observed.panicked {
        out.push("panicked".to_owned());
    }
    out
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "cfg") {
            into.push(path);
        }
    }
}
