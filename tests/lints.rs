//! Remarks that `-dD` prints on valid configurations: `fixtures/lints/*.cfg` and what is said of each, carets included. And what is said
//! of expressions that were copied from a document (`fixtures/lints/wrong`), and of rules that haproxy blames too (`fixtures/lints/blamed`).
//!
//! `BLESS=1` rewrites the `*.txt`. A remark is no warning: nothing is said without `-dD`, and no exit code changes.

mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::daemon::text;
use harness::pinned::pinned;
use harness::program::Program;

/// The fixture with `option mqtt-check`, which haproxy does not know.
const OURS_ALONE: &str = "timeouts.cfg";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// `haproxy -c ARGS -f NAME` in the folder of all fixtures: exit code and output without the process id and what names this build.
fn said(name: &str, args: &[&str]) -> (Option<i32>, String) {
    let program = Program::ours();
    let mut command: Command = program.command();
    command.current_dir(root());
    let mut child = command.arg("-c").args(args).args(["-f", name]);
    child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let running = child.spawn().expect("the program starts");
    let pid = running.id();
    let out = running.wait_with_output().expect("it ends");
    let shown = text(&out).replace(&format!("({pid})"), "(PID)");
    let lines = shown.lines().filter(|line| !line.starts_with("[NOTICE]")).map(|line| format!("{line}\n"));
    (out.status.code(), lines.collect())
}

/// The fixtures of a folder below `fixtures/`.
fn fixtures(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join(folder))
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".cfg"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no fixture in {folder}");
    names
}

#[test]
fn remarks() {
    for name in fixtures("lints") {
        let (code, shown) = said(&format!("lints/{name}"), &["-dD", "-dW"]);
        assert_eq!(code, Some(0), "{name}: {shown}");
        pinned(&format!("lints/{}", name.replace(".cfg", ".txt")), &shown);
        let quiet = said(&format!("lints/{name}"), &["-dW"]);
        assert_eq!(quiet, (Some(0), "Configuration file is valid\n".to_owned()), "{name}");
        if name != OURS_ALONE {
            let mut theirs = Program::theirs().command();
            let theirs = theirs.current_dir(root()).args(["-c", "-dW", "-dD", "-f", &format!("lints/{name}")]).output();
            let theirs = theirs.expect("haproxy runs");
            assert!(theirs.status.success() && !text(&theirs).contains("[DIAG]"), "{name}: {}", text(&theirs));
        }
    }
}

/// What rules say wrongly, or to no purpose: both programs blame the same lines, equally hard, and here each has a caret.
#[test]
fn lines_that_both_programs_blame() {
    for name in fixtures("lints/blamed") {
        let path = format!("lints/blamed/{name}");
        let (code, shown) = said(&path, &[]);
        pinned(&path.replace(".cfg", ".txt"), &shown);
        let theirs = Program::theirs().command().current_dir(root()).args(["-c", "-f", &path]).output();
        let theirs = theirs.expect("haproxy runs");
        assert_eq!((code, blamed(&shown, &path)), (theirs.status.code(), blamed(&text(&theirs), &path)), "{name}");
    }
}

/// Severity and line of each remark on a place of the file; of one without a place the severity.
fn blamed(said: &str, path: &str) -> Vec<String> {
    let remarks = said.lines().filter(|line| line.starts_with('[') && !line.starts_with("[NOTICE]"));
    let places = remarks.filter(|line| !line.contains("rror(s) found") && !line.contains("Fatal errors"));
    let mut places: Vec<String> = places
        .map(|line| {
            let severity = line.split(']').next().unwrap_or_default();
            let place = line.split_once(path).and_then(|(_, rest)| rest.split(']').next());
            format!("{severity}]{}", place.unwrap_or_default())
        })
        .collect();
    places.sort();
    assert!(!places.is_empty(), "nothing is blamed: {said}");
    places
}

/// Characters of documents and chat programs in rules of MQTT, and blanks where none may be: both programs refuse the file, and
/// here each line has a caret under the part that is wrong and a hint.
#[test]
fn expressions_that_were_copied_from_a_document() {
    for name in fixtures("lints/wrong") {
        let path = format!("lints/wrong/{name}");
        let (code, shown) = said(&path, &[]);
        assert_eq!(code, Some(1), "{name}: {shown}");
        pinned(&path.replace(".cfg", ".txt"), &shown);
        let theirs = Program::theirs().command().current_dir(root()).args(["-c", "-f", &path]).output();
        assert_eq!(theirs.expect("haproxy runs").status.code(), Some(1), "{name}");
    }
}
