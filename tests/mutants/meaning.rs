//! Valid seeds, started by both programs: what their statistics say of limits, ids, modes and algorithms is the same.
//!
//! A verdict tells whether a configuration is taken, not what it is taken for: this test asks `show stat` and `show
//! info` of running processes. Columns that count traffic or wait for checks are left out.

use std::collections::BTreeMap;
use std::path::Path;

use super::prng::Prng;
use super::seed::Configuration;
use crate::harness::process::Running;
use crate::harness::program::Program;
use crate::harness::{ports, stats, wait};

/// Columns of `show stat` that say what the configuration says.
const COLUMNS: &[&str] =
    &["slim", "pid", "iid", "sid", "type", "rate_lim", "mode", "algo", "qlimit", "check_rise", "check_fall", "addr"];

/// The same, of servers that no check has touched.
const UNCHECKED: &[&str] = &["status", "weight", "act", "bck"];

/// Lines of `show info`.
const INFO: &[&str] = &["Nbthread", "Maxconn", "Hard_maxconn", "node", "description", "Stopping"];

/// What a program makes of a configuration: every value by its name; none when it does not start.
fn meaning(program: &Program, folder: &Path, checked: bool) -> BTreeMap<String, String> {
    let socket = folder.join("socket");
    let _ = std::fs::remove_file(&socket);
    let mut command = program.command();
    command.args(["-db", "-f", "a.cfg"]).current_dir(folder);
    let _ = std::fs::remove_file(folder.join("mutant.out"));
    let mut running = Running::start("mutant", folder, command);
    let mut values = BTreeMap::new();
    let started = wait::until("the program to listen or to end", || {
        if running.ended().is_some() {
            return Some(false);
        }
        std::os::unix::net::UnixStream::connect(&socket).is_ok().then_some(true)
    });
    if !started {
        // Seen only should the other one start.
        println!("{} does not start:\n{}", program.path.display(), running.output());
        return values;
    }
    let statistics = stats::Stats::from_socket(&socket);
    for (proxy, server) in statistics.names() {
        for column in COLUMNS.iter().chain(UNCHECKED.iter().filter(|_| !checked)) {
            let value = statistics.text(&proxy, &server, column).to_owned();
            values.insert(format!("{proxy}/{server} {column}"), value);
        }
    }
    for line in stats::command(&socket, "show info").lines() {
        if let Some((name, value)) = line.split_once(": ").filter(|(name, _)| INFO.contains(name)) {
            values.insert(name.to_owned(), value.to_owned());
        }
    }
    values
}

#[test]
fn both_programs_mean_the_same_by_seeds() {
    let (ours, theirs) = (Program::ours(), Program::theirs());
    let folder = tempfile::tempdir().expect("a folder");
    let first = super::number("MUTANTS_FROM").unwrap_or(1);
    let count = super::number("MUTANTS").unwrap_or(super::COUNT) / 15;
    let mut different = Vec::new();
    let mut compared = 0;
    for seed in first..first + count {
        let text = Configuration::text(&Configuration::of(&mut Prng::new(seed)).sections);
        // an address of this process's own: other tests have theirs
        let text = text
            .replace("127.0.0.1:", &format!("{}:", ports::address()))
            .replace("/tmp/m", &format!("{}/m", folder.path().display()));
        // a maxconn that no sum of descriptors decides: fixtures/plan has those
        let socket = folder.path().join("socket");
        let text = format!("{text}global\n    maxconn 1000\n    stats socket {}\n", socket.display());
        std::fs::write(folder.path().join("a.cfg"), &text).expect("the seed's file");
        if std::env::var_os("MUTANT").is_some() {
            println!("{text}");
        }
        // servers that get nothing there are shown with weight 0 by 2.6 (docs/COMPATIBILITY.md)
        let text = text.replace("    option transparent\n", "");
        let text: String =
            text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("dispatch ")).collect();
        std::fs::write(folder.path().join("a.cfg"), &text).expect("the seed's file");
        let checked = text.contains(" check");
        let [mine, their] = [&ours, &theirs].map(|program| meaning(program, folder.path(), checked));
        // what only one of them starts is for the comparison of verdicts
        if mine.is_empty() || their.is_empty() {
            continue;
        }
        compared += 1;
        let names: std::collections::BTreeSet<&String> = mine.keys().chain(their.keys()).collect();
        // 2.6 has no name for 'balance random'
        let differ = |name: &&&String| {
            mine.get(**name) != their.get(**name) && their.get(**name).is_none_or(|value| value != "unknown")
        };
        for name in names.iter().filter(differ).take(6) {
            different.push(format!("seed {seed}: {name}: ours {:?}, theirs {:?}", mine.get(*name), their.get(*name)));
        }
    }
    assert!(compared * 2 > count, "only {compared} of {count} seeds start");
    assert!(different.is_empty(), "{} values differ in {count} seeds:\n{}", different.len(), different.join("\n"));
}
