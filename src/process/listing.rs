//! `-dK` and `-dL`: lists on standard output, also when quiet.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use crate::grammar::{self, Kind, Support};

/// Lists the keywords of these classes, separated by commas: those that this version has.
pub(crate) fn keywords(classes: &str) {
    let mut out = String::new();
    for class in classes.split(',') {
        match class {
            "cfg" | "all" => configuration(&mut out),
            _ => out.push_str(
                "# Classes of keywords:\nall: every class\ncfg: keywords of the configuration, by section\n\
                 # The other classes of haproxy have no keyword in this version.\n",
            ),
        }
    }
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
}

fn configuration(out: &mut String) {
    out.push_str("# Keywords of the configuration:\n");
    for kind in Kind::ALL {
        let built = grammar::rows(kind).iter().filter(|row| !matches!(row.support, Support::Refused { .. }));
        let lines: Vec<String> = built
            .map(|row| {
                let places: Vec<&str> = row.places.names(kind).collect();
                let places = if places.is_empty() { String::new() } else { format!(" [ {} ]", places.join(" ")) };
                format!("\t{} {}{places}\n", row.keyword, row.usage)
            })
            .collect();
        if !lines.is_empty() {
            let _ = write!(out, "{}\n{}", kind.name(), lines.concat());
        }
    }
}

/// Lists the object files that this process has loaded.
pub(crate) fn objects() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let files: BTreeSet<&str> = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])).collect();
    let text: String = files.into_iter().map(|file| format!("{file}\n")).collect();
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
