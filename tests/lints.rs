//! Remarks that `-dD` prints on valid configurations: `fixtures/lints/*.cfg` and what is said of each, carets included.
//!
//! `BLESS=1` rewrites the `*.txt`. A remark is no warning: nothing is said without `-dD`, and no exit code changes.

mod harness;

use std::path::Path;
use std::process::Command;

use harness::daemon::text;
use harness::pinned::pinned;
use harness::program::Program;

/// `haproxy -c ARGS -f NAME` in the folder of the fixtures: exit code and output without the process id.
fn said(name: &str, args: &[&str]) -> (Option<i32>, String) {
    let program = Program::ours();
    let mut command: Command = program.command();
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lints"));
    let mut child = command.arg("-c").args(args).args(["-f", name]);
    child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let running = child.spawn().expect("the program starts");
    let pid = running.id();
    let out = running.wait_with_output().expect("it ends");
    (out.status.code(), text(&out).replace(&format!("({pid})"), "(PID)"))
}

#[test]
fn remarks() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lints");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".cfg"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no fixture");
    for name in &names {
        let (code, shown) = said(name, &["-dD", "-dW"]);
        assert_eq!(code, Some(0), "{name}: {shown}");
        pinned(&format!("lints/{}", name.replace(".cfg", ".txt")), &shown);
        let quiet = said(name, &["-dW"]);
        assert_eq!(quiet, (Some(0), "Configuration file is valid\n".to_owned()), "{name}");
    }
}
