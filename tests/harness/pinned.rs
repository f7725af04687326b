//! Comparing what was seen with a file under `fixtures/`. Knows nothing of what it compares.

use std::path::Path;

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

/// A line about a check without the check's duration.
pub fn without_duration(line: &str) -> String {
    match line.split_once("check duration: ") {
        Some((head, tail)) => {
            format!("{head}check duration: N{}", tail.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    }
}
