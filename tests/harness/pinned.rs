//! Comparing what was seen with a file under `fixtures/`. Knows nothing of what it compares.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Compares with `fixtures/FILE`; `BLESS=1` writes the file instead.
///
/// # Panics
/// When they differ, or there is no such file.
#[track_caller]
pub fn pinned(file: &str, got: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, got).expect("the fixture is written");
        return;
    }
    let want = std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    assert_eq!(got, want, "{}", file.display());
}

/// Replays every file of `fixtures/FOLDER`, of which there are at least so many, and compares what each gives with the file itself;
/// `BLESS=1` writes the files instead. All that differ are told.
///
/// # Panics
/// When one differs, or files are missing.
#[track_caller]
pub fn replayed(folder: &str, least: usize, replay: impl Fn(&str) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let entries = std::fs::read_dir(folder).expect("the fixtures");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= least, "only {} fixtures", files.len());
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a fixture");
        let got = replay(&text);
        if got == text {
            continue;
        }
        if bless {
            std::fs::write(&file, got).expect("the fixture is written");
        } else {
            let _ = writeln!(wrong, "{}\n--- pinned\n{text}--- got\n{got}", file.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A line about a check without the check's duration.
pub fn without_duration(line: &str) -> String {
    match line.split_once("check duration: ") {
        Some((head, tail)) => {
            format!("{head}check duration: N{}", tail.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    }
}
