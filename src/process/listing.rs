//! `-dK` and `-dL`: lists on standard output, also when quiet.

use std::collections::BTreeSet;
use std::io::Write as _;

use crate::expr::listing;
use crate::grammar::{self, Class};

/// Lists the keywords of these classes, separated by commas: those that this version has.
pub(crate) fn keywords(classes: &str) {
    let mut out = String::new();
    for wanted in classes.split(',') {
        let found = Class::ALL.into_iter().filter(|(name, _)| *name == wanted || wanted == "all");
        let before = out.len();
        out.extend(found.map(|(_, class)| match class {
            Class::Converters => listing::converters(),
            Class::Fetches => listing::fetches(),
            Class::Config => grammar::list(class),
        }));
        if out.len() == before {
            out.push_str(
                "# List of supported keyword classes:\nall: every class\ncfg: keywords of the configuration\n\
                 cnv: converters\nsmp: sample fetches\n# The other classes of haproxy cannot be listed by this version.\n",
            );
        }
    }
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
}

/// Lists the object files that this process has loaded.
pub(crate) fn objects() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let files: BTreeSet<&str> = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])).collect();
    let text: String = files.into_iter().map(|file| format!("{file}\n")).collect();
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
