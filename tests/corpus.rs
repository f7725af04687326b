//! Configurations of strangers: what haproxy 2.6 and baton say of each, with what this machine lacks stubbed.
//!
//! The files are data beside the project and no part of it: `BATON_CORPUS` names their folder, else `../shared/corpus`
//! is looked for. What was learnt of them stands in `fixtures/corpus/*.cfg` and is played always. All files with
//! `mode tcp` only that haproxy accepts, or that baton accepts as an older era's, start in baton, in a network of their
//! own; `fixtures/corpus/known.txt` names the words behind those that do not.

#[path = "corpora/prepare.rs"]
mod prepare;

mod harness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::program::Program;

/// What a program says of a file under `-c`.
#[derive(Debug)]
struct Verdict {
    exit: Option<i32>,
    /// The first alert, else the first line.
    first: String,
}

impl Verdict {
    fn of(program: &Program, file: &Path) -> Self {
        let out = program.command().arg("-c").arg("-f").arg(file).output().expect("the program runs");
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        let alert = text.lines().find(|line| line.starts_with("[ALERT]"));
        let first = alert.and_then(|line| line.split_once(" : ")).map_or("", |(_, rest)| rest);
        let folder = file.parent().expect("a folder").display().to_string();
        Self { exit: out.status.code(), first: first.replace(&format!("{folder}/"), "") }
    }

    fn accepts(&self) -> bool {
        self.exit == Some(0)
    }
}

/// One file's outcome.
struct Outcome {
    tcp_only: bool,
    ours: Verdict,
    theirs: Verdict,
    /// Whether it starts, where that was tried.
    starts: Option<Result<(), String>>,
}

/// Whether every proxy is in `mode tcp`: the file says it, and never another mode.
fn tcp_only(text: &str) -> bool {
    let modes: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("mode")).then(|| words.next().unwrap_or_default())
        })
        .collect();
    !modes.is_empty() && modes.iter().all(|mode| *mode == "tcp")
}

/// Starts baton as a daemon in a network where every address may be bound, and ends it.
fn start(program: &Program, file: &Path, folder: &Path) -> Result<(), String> {
    let pidfile = folder.join("started.pid");
    let _ = std::fs::remove_file(&pidfile);
    let script = "ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind && \
                  echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind && exec \"$@\"";
    let output = folder.join("started.out");
    let out = std::fs::File::create(&output).expect("an output file");
    let twin = out.try_clone().expect("a second handle");
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", script, "sh"]).arg(&program.path).arg("-D").arg("-p").arg(&pidfile);
    let status = command.arg("-f").arg(file).stdout(out).stderr(twin).status().expect("unshare runs");
    let text = std::fs::read_to_string(&pidfile).unwrap_or_default();
    let pids = text.split_whitespace().filter_map(|pid| pid.parse().ok());
    for pid in pids.filter(|pid| harness::process::is(*pid, file)) {
        harness::process::send(pid, nix::sys::signal::Signal::SIGKILL);
    }
    let said = std::fs::read_to_string(&output).unwrap_or_default();
    if status.success() && !text.is_empty() { Ok(()) } else { Err(format!("{status}: {said}")) }
}

/// Prepares, judges and perhaps starts one file.
fn judge(path: &Path, ours: &Program, theirs: &Program) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(path).expect("a file");
    let text = prepare::prepare(&bytes, folder.path());
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, &text).expect("the prepared file");
    let (mine, their) = (Verdict::of(ours, &file), Verdict::of(theirs, &file));
    let tcp_only = tcp_only(&text);
    let starts = (tcp_only && mine.accepts()).then(|| {
        start(ours, &file, folder.path()).or_else(|why| match start(theirs, &file, folder.path()) {
            // What this machine's limits forbid to both is no difference.
            Err(_) if their.accepts() => {
                println!("neither starts {}: {why}", path.display());
                Ok(())
            }
            _ => Err(why),
        })
    });
    Outcome { tcp_only, ours: mine, theirs: their, starts }
}

fn configurations(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "cfg"));
    paths.sort();
    paths
}

fn judge_all(paths: &[PathBuf]) -> BTreeMap<String, Outcome> {
    let (ours, theirs) = (Program::ours(), Program::theirs());
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = judge(path, &ours, &theirs);
                    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                    outcomes.lock().expect("no thread panics").insert(name, outcome);
                }
            });
        }
    });
    outcomes.into_inner().expect("no thread panics")
}

/// What baton must start and does not, with why.
fn missing(outcomes: &BTreeMap<String, Outcome>) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, outcome) in outcomes {
        let exit = |verdict: &Verdict| verdict.exit.map_or("signal".to_owned(), |code| code.to_string());
        let (theirs, ours) = (exit(&outcome.theirs), exit(&outcome.ours));
        let kind = if outcome.tcp_only { "tcp" } else { "   " };
        println!("{kind} haproxy {theirs} baton {ours} {name}: {} / {}", outcome.theirs.first, outcome.ours.first);
        if !outcome.tcp_only {
            continue;
        }
        match &outcome.starts {
            Some(Ok(())) => {}
            Some(Err(why)) => missing.push(format!("{name}: does not start: {why}")),
            None if outcome.theirs.accepts() => missing.push(format!("{name}: {}", outcome.ours.first)),
            None => println!("    both refuse it: haproxy at {}", outcome.theirs.first),
        }
    }
    let count = |wanted: fn(&Outcome) -> bool| outcomes.values().filter(|one| wanted(one)).count();
    println!(
        "of {} files haproxy accepts {}, baton {}; of {} with 'mode tcp' only haproxy accepts {}, baton starts {}",
        outcomes.len(),
        count(|one| one.theirs.accepts()),
        count(|one| one.ours.accepts()),
        count(|one| one.tcp_only),
        count(|one| one.tcp_only && one.theirs.accepts()),
        count(|one| matches!(one.starts, Some(Ok(())))),
    );
    missing
}

/// Words that keep a file from starting: `TEXT | REASON`.
fn known() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/known.txt");
    let text = std::fs::read_to_string(path).expect("the known reasons");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| line.split_once(" | ").map(|(a, b)| (a.to_owned(), b.to_owned()));
    lines.map(|line| pair(line).unwrap_or_else(|| panic!("two columns are wanted: {line}"))).collect()
}

#[test]
fn configurations_of_strangers_start() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("BATON_CORPUS").map_or_else(|| root.join("../shared/corpus"), PathBuf::from);
    let paths = configurations(&folder);
    println!("{} files in {}", paths.len(), folder.display());
    let missing = missing(&judge_all(&paths));
    let known = known();
    let mut unknown = Vec::new();
    for one in missing {
        match known.iter().find(|(text, _)| one.contains(text)) {
            Some((_, reason)) => println!("does not start: {one} ({reason})"),
            None => unknown.push(one),
        }
    }
    assert!(unknown.is_empty(), "{} files do not start:\n{}", unknown.len(), unknown.join("\n"));
}

#[test]
fn what_was_learnt_of_them_starts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = configurations(&root.join("fixtures/corpus"));
    assert!(!paths.is_empty(), "no fixtures");
    let missing = missing(&judge_all(&paths));
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
