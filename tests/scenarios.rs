//! Our own scenarios of `tests/vtc/`, run by varnishtest (Debian's package `varnish`), which drives a haproxy binary.
//!
//! Format: varnishtest's own (`man vtc`). Runs on the program that `BATON_UNDER_TEST` names.

mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::program::Program;

/// Seconds for one scenario.
const LIMIT: &str = "30";

#[test]
fn every_vtc_scenario_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vtc");
    let mut scenarios: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the scenarios")
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "vtc"))
        .collect();
    scenarios.sort();
    assert!(!scenarios.is_empty(), "no scenario in {}", folder.display());

    let program = Program::under_test();
    let mut failures = Vec::new();
    for scenario in &scenarios {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let out = Command::new("varnishtest")
            .args(["-t", LIMIT])
            .arg(scenario)
            .env("HAPROXY_PROGRAM", &program.path)
            .env("TMPDIR", scratch.path())
            .output()
            .expect("varnishtest is installed (tests/run does it)");
        if !out.status.success() {
            let said = String::from_utf8_lossy(&out.stdout).into_owned();
            failures.push(format!("{}: {}\n{said}", scenario.display(), out.status));
        }
    }
    let names: Vec<_> = scenarios.iter().filter_map(|path| path.file_name()).collect();
    assert!(failures.is_empty(), "{} of {names:?} failed:\n{}", failures.len(), failures.join("\n"));
}
