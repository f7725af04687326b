//! Command lines made of the options that `haproxy -h` lists, valid and not: the same exit code from both programs.
//!
//! Every line holds `-c` first, so that nothing is started. Left out is what baton refuses by name and an empty
//! word for pids (docs/COMPATIBILITY.md), and `-v` and `-cc`, at which haproxy stops reading: tests/cli.rs has them.

use std::path::Path;

use super::prng::Prng;
use crate::harness::program::Program;

/// Options with what may follow them; the last words of some are mistakes.
const OPTIONS: &[(&str, &[&str])] = &[
    ("-c", &[]),
    ("-d", &[]),
    ("-db", &[]),
    ("-dM", &[]),
    ("-V", &[]),
    ("-D", &[]),
    ("-q", &[]),
    ("-C", &[".", "d", "nowhere"]),
    ("-n", &["100", "0", "x", "-5"]),
    ("-m", &["4000", "x"]),
    ("-N", &["10", "0", "x"]),
    ("-L", &["here", "-f", ""]),
    ("-p", &["a.pid", "-c"]),
    ("-de", &[]),
    ("-dp", &[]),
    ("-dS", &[]),
    ("-dG", &[]),
    ("-dR", &[]),
    ("-dL", &[]),
    ("-dKcfg", &[]),
    ("-dKhelp", &[]),
    ("-dr", &[]),
    ("-dV", &[]),
    ("-dW", &[]),
    ("-dD", &[]),
    ("-sf", &["1", "999999", "abc", "-1"]),
    ("-st", &["1", "999999", "1x"]),
    ("-x", &["nowhere.sock", "-f"]),
    ("-f", &["a.cfg", "b.cfg", "d", "empty", "nowhere.cfg", "bad.cfg", "warns.cfg", "-"]),
    ("--", &["a.cfg", "d", "nowhere.cfg", "-f"]),
    ("-z", &[]),
    ("a.cfg", &[]),
    ("-", &[]),
    ("-h", &[]),
];

/// Files of the lines.
fn files(folder: &Path) {
    let valid = "timeout connect 1s\ntimeout client 1s\ntimeout server 1s\n";
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    for name in ["d", "empty"] {
        std::fs::create_dir(folder.join(name)).expect("a folder");
    }
    write("a.cfg", &format!("listen a\nbind 127.0.0.1:8001\n{valid}"));
    write("b.cfg", &format!("listen b\nbind 127.0.0.1:8002\n{valid}"));
    write("d/1.cfg", &format!("listen d\nbind 127.0.0.1:8003\n{valid}"));
    write("d/.2.cfg", "wrong");
    write("d/3.txt", "wrong");
    write("bad.cfg", "listen bad\nwrong\n");
    write("warns.cfg", "listen warns\nbind 127.0.0.1:8004\n");
}

/// The words of a seed's line.
fn words(seed: u64) -> Vec<&'static str> {
    let mut prng = Prng::new(seed);
    let mut words = vec!["-c"];
    let file = prng.below(5);
    for at in 0..5 {
        if at == file && prng.chance(90) {
            words.extend(["-f", "a.cfg"]);
        } else if prng.chance(40) {
            let (option, values) = OPTIONS[prng.below(OPTIONS.len())];
            words.push(option);
            if !values.is_empty() && prng.chance(95) {
                words.push(prng.pick(values));
            }
        }
    }
    words
}

#[test]
fn both_programs_take_command_lines_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    files(folder.path());
    let programs = [Program::ours(), Program::theirs()];
    let count = super::number("MUTANTS").unwrap_or(super::COUNT) / 3;
    let mut different = Vec::new();
    for seed in 1..=count {
        let words = words(seed);
        let exits = programs.each_ref().map(|program| {
            let output = program.command().args(&words).current_dir(folder.path()).output().expect("the program runs");
            output.status.code()
        });
        if exits[0] != exits[1] {
            different.push(format!("{words:?}: ours {:?}, theirs {:?}", exits[0], exits[1]));
        }
    }
    assert!(different.is_empty(), "{} of {count} lines differ:\n{}", different.len(), different.join("\n"));
}
