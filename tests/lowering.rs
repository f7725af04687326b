//! Golden files of lowering and planning: `fixtures/lower/*.cfg` and what each means, messages included, and
//! `fixtures/plan/*.cfg` and what each needs of the system.
//!
//! `BLESS=1` rewrites the `*.txt` beside each file; the diff is reviewed. `fixtures/lower/old/NAME.old.cfg` must mean
//! what `NAME.new.cfg` means, line numbers aside. The outside is a table: no file, name or user of this host counts.

#[path = "lowering/outside.rs"]
mod outside;

use std::fs;
use std::path::{Path, PathBuf};

use baton::ir::{Config, Judged};
use baton::lower::{Choices, configuration};
use baton::plan::{self, Ceiling, Limits, Needs};
use baton::text::{Severity, SourceMap};

use outside::Outside;

/// The `*.cfg` of a folder under `fixtures/`, sorted.
fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let entries = fs::read_dir(&folder).expect("the folder of fixtures");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "cfg"));
    paths.sort();
    assert!(!paths.is_empty(), "no fixture in {}", folder.display());
    paths
}

fn lower(path: &Path) -> Judged<Config> {
    let mut outside = Outside::new(path);
    configuration(&[PathBuf::from("test.cfg")], Choices::default(), &mut outside, &mut SourceMap::default())
}

/// Messages and meaning as text. What a configuration leaves at its default (`None`, `false`, nothing) is left out, and
/// so are places in the source.
fn written(judged: &Judged<Config>) -> String {
    let mut text = String::new();
    for said in &judged.diagnostics {
        let line = said.span.map_or(String::new(), |span| format!(" {}", span.line));
        let counts = if said.severity == Severity::Warning && !said.counts { " (ours)" } else { "" };
        text += &format!("# {:?}{line}{counts}: {}\n", said.severity, said.message);
    }
    if let Some(config) = &judged.value {
        text += &meaning(config);
    }
    text
}

fn meaning(config: &Config) -> String {
    let pretty = format!("{config:#?}");
    let mut lines: Vec<String> = Vec::new();
    let mut skipping = None;
    for line in pretty.lines() {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        if let Some(outer) = skipping {
            skipping = (depth > outer).then_some(outer);
            continue;
        }
        if bare.starts_with("span: Span {") {
            skipping = Some(depth);
        } else if ![": None,", ": false,", ": [],", ": 0,"].iter().any(|end| bare.ends_with(end)) {
            lines.push(line.to_owned());
            while fold(&mut lines) {}
        }
    }
    lines.join("\n") + "\n"
}

/// Writes what is closed by the last line on one line if it holds one value, and nowhere if it holds none.
fn fold(lines: &mut Vec<String>) -> bool {
    let Some(last) = lines.last().map(|line| line.trim_start().to_owned()) else { return false };
    let closed = last.trim_end_matches(',');
    let opened = |line: &str| ["(", "[", "{"].iter().any(|open| line.ends_with(open));
    let count = lines.len();
    if ![")", "]", "}"].contains(&closed) || count < 3 {
        return false;
    }
    if opened(&lines[count - 2]) {
        lines.truncate(count - 2);
        return true;
    }
    if closed == ")" && lines[count - 3].ends_with('(') {
        let value = lines[count - 2].trim().trim_end_matches(',').to_owned();
        let whole = format!("{}{value}{last}", lines[count - 3]);
        lines.truncate(count - 3);
        lines.push(whole);
    }
    false
}

/// Sockets in order, and limits for some threads and hard limits.
fn planned(config: &Config) -> String {
    let mut text = String::new();
    for socket in plan::sockets(config, 5000) {
        text +=
            &format!("{:?} {:?} backlog {} of {}\n", socket.purpose, socket.endpoint(), socket.backlog, socket.owner);
    }
    for (threads, hard) in [(1, Some(20_000)), (2, Some(1024)), (4, None)] {
        let needs = Needs::of(config, None, threads);
        let limits = Limits::of(&needs, Ceiling(hard));
        let Limits { maxconn, maxsock, nofile, pipes } = limits;
        text += &format!(
            "threads {threads}, hard limit {hard:?}: maxconn {maxconn} maxsock {maxsock} nofile {nofile} pipes {pipes}\n"
        );
    }
    text
}

#[test]
fn every_fixture_needs_what_its_golden_file_says() {
    compare("plan", |path| planned(&lower(path).value.expect("a configuration without alerts")));
}

#[test]
fn every_fixture_means_what_its_golden_file_says() {
    compare("lower", |path| written(&lower(path)));
}

/// Holds what a folder's fixtures give against their golden files.
fn compare(folder: &str, get: impl Fn(&Path) -> String) {
    let mut failures = Vec::new();
    for path in fixtures(folder) {
        let got = get(&path);
        let golden = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &got).expect("write a golden file");
            continue;
        }
        let want = fs::read_to_string(&golden).unwrap_or_default();
        if let Some((line, (got, want))) =
            got.lines().zip(want.lines().chain(std::iter::repeat(""))).enumerate().find(|(_, (got, want))| got != want)
        {
            failures.push(format!("{} line {}:\n  got  {got}\n  want {want}", golden.display(), line + 1));
        } else if got.len() != want.len() {
            failures.push(format!("{}: the golden file is longer or shorter", golden.display()));
        }
    }
    assert!(failures.is_empty(), "BLESS=1 rewrites them:\n{}", failures.join("\n"));
}

/// Numbers that look like chance and are the same in each run.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

/// Lines of all fixtures shuffled, words dropped, doubled, swapped and damaged: always an answer, never a panic, and a
/// value exactly when no alert was given.
#[test]
fn no_mixture_of_lines_and_words_is_too_much() {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for folder in ["lower", "lower/old", "plan", "verdict/server", "verdict/bind", "verdict/proxies", "verdict/global"]
    {
        for path in fixtures(folder) {
            lines.extend(fs::read(&path).expect("a fixture").split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        }
    }
    let mut dice = Dice(2026);
    let mut values = 0;
    for round in 0..1_000 {
        let mut text = b"listen first\n".to_vec();
        for _ in 0..dice.roll(40) {
            let mut words: Vec<&[u8]> = lines[dice.roll(lines.len())].split(|byte| *byte == b' ').collect();
            match dice.roll(12) {
                0 => drop(words.remove(dice.roll(words.len()))),
                1 => words.insert(dice.roll(words.len()), b"65536"),
                2 => words.push(b"-1"),
                3 => words.insert(dice.roll(words.len()), b"\xff\xfe"),
                4 => words.push(b"\"\""),
                _ => {}
            }
            text.extend(words.join(&b' '));
            text.push(b'\n');
        }
        let mut outside = Outside::with(text.clone());
        let files = [PathBuf::from("test.cfg")];
        let mut sources = SourceMap::default();
        let judged = configuration(
            &files,
            Choices { ignore_resolution: round % 2 == 0, master: round % 3 == 0, remarks: round % 2 == 1 },
            &mut outside,
            &mut sources,
        );
        let alerts = judged.diagnostics.iter().any(|said| said.severity == Severity::Alert);
        assert_eq!(judged.value.is_none(), alerts, "{}", String::from_utf8_lossy(&text));
        if let Some(config) = judged.value {
            values += 1;
            assert!(!planned(&config).is_empty());
        }
    }
    assert!(values > 50, "only {values} mixtures were valid: nothing behind reading was tried");
}

#[test]
fn old_words_mean_what_their_modern_lines_mean() {
    let all = fixtures("lower/old");
    let old: Vec<&PathBuf> = all.iter().filter(|path| path.to_string_lossy().ends_with(".old.cfg")).collect();
    assert_eq!(old.len() * 2, all.len(), "each .old.cfg has its .new.cfg");
    for path in old {
        let modern = PathBuf::from(path.to_string_lossy().replace(".old.cfg", ".new.cfg"));
        let (old, new) = (lower(path), lower(&modern));
        let ours = old.diagnostics.iter().filter(|said| said.severity == Severity::Warning && said.hint.is_some());
        assert!(ours.count() > 0, "{}: no warning shows a modern line", path.display());
        let (Some(old), Some(new)) = (old.value, new.value) else {
            panic!("{}: an alert: {:?} {:?}", path.display(), old.diagnostics, new.diagnostics);
        };
        assert_eq!(meaning(&old), meaning(&new), "{}", path.display());
    }
}
