//! Rules about the tree that no compiler checks: who imports whom, file sizes, `unsafe`, tokio, clocks, paths.
//!
//! Reads the files that git tracks or would track. The import table is docs/ARCHITECTURE.md's; here it is law.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Module and what it may import from the crate.
const IMPORTS: [(&str, &[&str]); 13] = [
    ("text", &[]),
    ("units", &[]),
    ("syntax", &["text"]),
    ("grammar", &["text", "units", "syntax"]),
    ("expr", &["text", "units", "grammar"]),
    ("ir", &["text", "units", "expr"]),
    ("lower", &["text", "units", "syntax", "grammar", "expr", "ir"]),
    ("plan", &["units", "expr", "ir"]),
    ("pool", &["units", "expr", "ir", "plan"]),
    ("engine", &["units", "expr", "ir", "plan", "pool", "sys"]),
    ("report", &["units", "expr", "ir", "plan", "pool"]),
    ("sys", &[]),
    (
        "process",
        &["text", "units", "syntax", "grammar", "expr", "ir", "lower", "plan", "pool", "engine", "report", "sys"],
    ),
];

/// A file does one job; what outgrows this is split.
const MAX_LINES: usize = 500;

/// The files that may say `unsafe`, each with SAFETY comments. A new one is a decision: add it here.
const UNSAFE: [&str; 7] = [
    "src/sys/clock.rs",
    "src/sys/fd.rs",
    "src/sys/fork.rs",
    "src/sys/image.rs",
    "src/sys/signals.rs",
    "src/sys/socket.rs",
    "src/sys/tcp.rs",
];

/// Modules that may name tokio.
const TOKIO: [&str; 2] = ["engine", "process"];

/// Modules that get the time passed in.
const CLOCKLESS: [&str; 2] = ["pool", "expr"];

struct File {
    path: String,
    text: String,
}

impl File {
    /// The module of a source file: `pool` for src/pool/queue.rs; `None` outside of src and for lib.rs and main.rs.
    fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let (module, _) = rest.split_once('/')?;
        Some(module)
    }

    /// Lines with their numbers, without those that are comment only and without trailing comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(ix, line)| (ix + 1, line.split(" // ").next().unwrap_or(line))).filter(
            |(_, line)| {
                let start = line.trim_start();
                !start.starts_with("//")
            },
        )
    }
}

/// Text files of the tree; others (pictures, fuzz corpora) are left out.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git lists the tree");
    assert!(listing.status.success(), "{}", String::from_utf8_lossy(&listing.stderr));
    let names = String::from_utf8(listing.stdout).expect("names are UTF-8");
    let files: Vec<File> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .filter_map(|name| Some(File { path: name.to_owned(), text: std::fs::read_to_string(root.join(name)).ok()? }))
        .collect();
    assert!(files.len() > 50, "git lists only {} files", files.len());
    files
}

fn sources() -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// The first path segments after `crate::` in a line: `crate::pool::X` and `crate::{ir, units::Millis}`.
fn imported(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in line.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut word = String::new();
            let mut fresh = true; // at the start of an item of the outermost braces
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    c if depth == 1 && fresh && (c.is_alphanumeric() || c == '_') => {
                        word.push(c);
                        continue;
                    }
                    _ => {}
                }
                if !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                    fresh = false;
                }
                if c == ',' && depth == 1 {
                    fresh = true;
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

/// A test file may also name what the types that it builds are made of: the table's closure.
fn may(module: &str, allowed: &[&str], name: &str, path: &str) -> bool {
    let is_test = ["tests.rs", "testing.rs"].iter().any(|end| path.ends_with(end)) || path.contains("/tests/");
    allowed.contains(&name)
        || is_test
            && allowed.iter().any(|via| {
                let (_, further) =
                    IMPORTS.iter().find(|(other, _)| other == via).expect("the table names its own modules");
                *via != module && may(via, further, name, path)
            })
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for file in sources() {
        let Some(module) = file.module() else { continue };
        let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == module) else {
            problems.push(format!("{}: module '{module}' is not in the table", file.path));
            continue;
        };
        seen.insert(module.to_owned());
        // A group may span lines: what follows `crate::{` is joined up to its end.
        let code: Vec<(usize, &str)> = file.code().collect();
        for (ix, (number, line)) in code.iter().enumerate() {
            let mut whole = (*line).to_owned();
            if line.contains("crate::{") && !line.contains(';') {
                for (_, more) in &code[ix + 1..] {
                    whole.push_str(more);
                    if more.contains(';') {
                        break;
                    }
                }
            }
            for name in imported(&whole) {
                let known = IMPORTS.iter().any(|(other, _)| *other == name);
                if known && name != module && !may(module, allowed, &name, &file.path) {
                    problems.push(format!("{}:{number}: {module} imports {name}", file.path));
                }
            }
        }
    }
    none(&problems);
    assert_eq!(seen.len(), IMPORTS.len(), "a module of the table has no files: {seen:?}");
}

#[test]
fn imports_are_found_in_every_form() {
    for (line, want) in [
        ("use crate::pool::Server;", &["pool"][..]),
        ("use crate::{ir, units::{Millis, Bytes}, text};", &["ir", "units", "text"]),
        ("fn f(x: crate::engine::X, y: crate::report::Y) {}", &["engine", "report"]),
        ("pub(crate) struct X;", &[]),
    ] {
        assert_eq!(imported(line), want, "{line}");
    }
}

#[test]
fn files_are_short_and_say_their_job() {
    let mut problems = Vec::new();
    for file in files() {
        let lines = file.text.lines().count();
        let rust = file.path.ends_with(".rs");
        let hand_written =
            rust || file.path.ends_with(".ebnf") || file.path.ends_with(".html") || file.path.ends_with(".css");
        if hand_written && lines > MAX_LINES {
            problems.push(format!("{}: {lines} lines, {MAX_LINES} are allowed", file.path));
        }
        if rust && !file.text.starts_with("//!") {
            problems.push(format!("{}: no //! header", file.path));
        }
    }
    none(&problems);
}

#[test]
fn unsafe_stands_in_named_files_with_a_reason() {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for file in sources() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in file.code() {
            // Every other part between quotes is text; a declaration of foreign functions calls nothing yet.
            let code: String = line.split('"').step_by(2).collect();
            let says = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe");
            if !says || code.contains("unsafe extern") {
                continue;
            }
            used.insert(file.path.clone());
            if !UNSAFE.contains(&file.path.as_str()) {
                problems.push(format!("{}:{number}: unsafe in a file that is not named for it", file.path));
            }
            let above = &lines[number.saturating_sub(7)..number];
            if !above.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety")) {
                problems.push(format!("{}:{number}: unsafe without a SAFETY comment", file.path));
            }
        }
    }
    problems.extend(UNSAFE.iter().filter(|name| !used.contains(**name)).map(|name| format!("{name}: says no unsafe")));
    none(&problems);
}

#[test]
fn tokio_and_clocks_stay_where_they_belong() {
    let mut problems = Vec::new();
    for file in sources() {
        let Some(module) = file.module() else { continue };
        for (number, line) in file.code() {
            if line.contains("tokio::") && !TOKIO.contains(&module) {
                problems.push(format!("{}:{number}: tokio in {module}", file.path));
            }
            let clock = ["Instant::now", "SystemTime::now", "clock_gettime", ".elapsed()"]
                .iter()
                .any(|word| line.contains(word));
            if clock && CLOCKLESS.contains(&module) {
                problems.push(format!("{}:{number}: {module} reads a clock", file.path));
            }
        }
    }
    none(&problems);
}

#[test]
fn the_tree_names_no_machine() {
    // Put together at run time, so that this file does not name them itself.
    let words: Vec<String> = [
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["/ho", "me/"],
        ["deb.", "debian.org"],
        ["static.", "crates.io"],
        ["index.", "crates.io"],
    ]
    .iter()
    .map(|parts| parts.concat())
    .collect();
    let mut problems = Vec::new();
    for file in files() {
        for (ix, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                problems.push(format!("{}:{}: {word}", file.path, ix + 1));
            }
        }
    }
    none(&problems);
}
