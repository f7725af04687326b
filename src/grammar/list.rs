//! The listings of `-dK`: which keywords baton takes.
//!
//! The shape is haproxy's (one heading per class, a tab before what belongs to a section), so that editors and scripts
//! that read it go on working; refused rows are not listed. Source: seen on 2.6 and 3.4.

use std::fmt::Write as _;

use super::{Kind, OptionLine, Row, SectionKind, Support, rows};

/// A class of `-dK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `cfg`: keywords of the configuration.
    Config,
    /// `cnv`: converters.
    Converters,
    /// `smp`: sample fetches.
    Fetches,
}

impl Class {
    /// The classes that the tables can list, by haproxy's names.
    pub const ALL: [(&'static str, Self); 3] =
        [("cfg", Self::Config), ("cnv", Self::Converters), ("smp", Self::Fetches)];
}

/// What baton takes of a class, as `-dK` prints it, heading included.
pub fn list(class: Class) -> String {
    match class {
        Class::Config => config(),
        Class::Converters => samples("# List of registered sample converter functions:\n", Kind::Converter),
        Class::Fetches => samples("# List of registered sample fetch functions:\n", Kind::Fetch),
    }
}

/// The rows of a kind that are not refused.
fn taken(kind: Kind) -> impl Iterator<Item = &'static Row> {
    rows(kind).iter().filter(|row| !matches!(row.support, Support::Refused { .. }))
}

fn samples(heading: &str, kind: Kind) -> String {
    let mut text = heading.to_owned();
    for row in taken(kind) {
        let _ = writeln!(text, "{}", row.keyword);
    }
    text
}

fn config() -> String {
    let mut text = String::from("# List of registered configuration keywords:\nglobal\n");
    for row in taken(Kind::Global) {
        let _ = writeln!(text, "\t{}", row.keyword);
    }
    text.push_str("listen\n");
    for row in taken(Kind::Proxy) {
        let _ = writeln!(text, "\t{}{}", row.keyword, sides(row));
    }
    for (line, head) in [(OptionLine::Bind, "bind <addr>"), (OptionLine::Server, "server <name> <addr>")] {
        for row in taken(line.kind()) {
            let count = match row.arity.min {
                0 => String::new(),
                count => format!(" +{count}"),
            };
            let _ = writeln!(text, "\t{head} {}{count}", row.keyword);
        }
    }
    for section in SectionKind::ALL {
        if section.kind() != Kind::Proxy && section != SectionKind::Global && taken(section.kind()).next().is_some() {
            let _ = writeln!(text, "{}", section.keyword());
            for row in taken(section.kind()) {
                let _ = writeln!(text, "\t{}", row.keyword);
            }
        }
    }
    text
}

/// ` [ FE BE ]` for an option: the sides of a proxy that it acts on.
fn sides(row: &Row) -> &'static str {
    if !row.keyword.starts_with("option ") {
        return "";
    }
    match (row.places.has(SectionKind::Frontend.bit()), row.places.has(SectionKind::Backend.bit())) {
        (true, true) => " [ FE BE ]",
        (true, false) => " [ FE ]",
        (false, true) => " [ BE ]",
        (false, false) => "",
    }
}
