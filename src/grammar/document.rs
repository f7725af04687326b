//! The tables written out for people: `docs/KEYWORDS.md`, the support matrix.
//!
//! Knows the rows and nothing else; a test compares the file with [`document`] and rewrites it under `BLESS=1`.

use std::fmt::Write as _;

use super::{Acts, Kind, Row, Support, rows};

/// The whole of `docs/KEYWORDS.md`.
pub fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n| | rows | act | without effect | not built |\n|---|---|---|---|---|\n");
    let line = |text: &mut String, name: &str, rows: &mut dyn Iterator<Item = &'static Row>| {
        let (mut full, mut noop, mut refused) = (0, 0, 0);
        for row in rows {
            match row.support {
                Support::Full => full += 1,
                Support::Noop { .. } => noop += 1,
                Support::Refused { .. } => refused += 1,
            }
        }
        let _ = writeln!(text, "| {name} | {} | {full} | {noop} | {refused} |", full + noop + refused);
    };
    for kind in Kind::ALL {
        let name = format!("[{}](#{})", title(kind), anchor(&title(kind)));
        line(&mut text, &name, &mut rows(kind).iter());
    }
    line(&mut text, "all", &mut Kind::ALL.into_iter().flat_map(|kind| rows(kind).iter()));
    for kind in Kind::ALL {
        let _ = write!(text, "\n## {}\n\n", title(kind));
        let places = !kind.places().is_empty();
        let (head, rule) = if places { ("| where ", "|---") } else { ("", "") };
        let _ = writeln!(text, "| keyword {head}| haproxy | manual | baton |\n|---{rule}|---|---|---|");
        for row in rows(kind) {
            text.push_str(&entry(row, places));
        }
    }
    text
}

const INTRODUCTION: &str = "\
# Keywords

Every keyword that a manual of haproxy 1.4 to 3.4 names, and what baton does with it; and baton's own. Generated from `grammar/*.kw`;
do not edit (`BLESS=1 cargo test keywords`).

- **acts**: as in haproxy. *Translated*: a word of the past that is read as its modern form, with a warning.
- **no effect**: accepted, and nothing is done: nobody could see a difference. The reason is given.
- **not built**: an alert where the word would act. Some words act only in certain proxies or through other words; they
  are accepted in silence where they would do nothing.

*haproxy*: the first manual that names the word (1.4 is the oldest that was looked at), since when it is deprecated, and
the version after the last manual that names it; `baton` is a word of baton's own, which haproxy refuses. *manual*: the section of the configuration manual of 2.6 (for a later
word that of its kind). `no` may stand before a keyword that is shown with `[no]`.
";

/// The heading of a kind's table.
fn title(kind: Kind) -> String {
    match kind {
        Kind::Section => "Sections".to_owned(),
        Kind::Global => "Section global".to_owned(),
        Kind::Proxy => "Sections defaults, frontend, listen and backend".to_owned(),
        Kind::Bind => "Options of bind and stats socket".to_owned(),
        Kind::Server => "Options of server, default-server and server-template".to_owned(),
        Kind::CrtList => "Options in a crt-list file".to_owned(),
        Kind::Action => "Actions of rules".to_owned(),
        Kind::Converter => "Converters".to_owned(),
        Kind::Fetch => "Sample fetches".to_owned(),
        other => format!("Section {}", other.name()),
    }
}

/// What a forge makes of a heading.
fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-").replace(',', "")
}

fn entry(row: &Row, places: bool) -> String {
    let negatable = match (row.negatable, row.resettable) {
        (_, true) => "[no\\|default] ",
        (true, false) => "[no] ",
        (false, false) => "",
    };
    // A refused row's arguments are not written down: `...` would say nothing.
    let synopsis = if row.usage == "..." { row.keyword.to_owned() } else { row.synopsis() };
    let mut line = format!("| `{negatable}{}` ", escaped(&synopsis));
    if places {
        let names: Vec<_> = row.places.names(row.kind).collect();
        let all = names.len() == row.kind.places().len();
        let _ = write!(line, "| {} ", if all { "everywhere".to_owned() } else { names.join(", ") });
    }
    let _ = writeln!(line, "| {} | {} | {} |", era(row), row.manual, escaped(&support(row)));
    line
}

fn era(row: &Row) -> String {
    let mut text = row.era.since.to_string();
    if let Some(version) = row.era.deprecated {
        let _ = write!(text, ", deprecated {version}");
    }
    if let Some(version) = row.era.removed {
        let _ = write!(text, ", gone {version}");
    }
    text
}

fn support(row: &Row) -> String {
    let advice = row.era.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
    match row.support {
        Support::Full if row.translated().is_some() => format!("**acts**, translated{advice}"),
        Support::Full => "**acts**".to_owned(),
        Support::Noop { reason } => format!("no effect: {reason}"),
        Support::Refused { acts, .. } => {
            let place = match acts {
                Acts::Always => String::new(),
                Acts::InHttp => " (acts when HTTP is forwarded)".to_owned(),
                Acts::InModeHttp => " (acts in `mode http`)".to_owned(),
                Acts::OnQuic => " (acts on QUIC)".to_owned(),
                Acts::Through(others) => {
                    let others: Vec<_> = others.iter().map(|other| format!("`{}`", other.replace('/', ": "))).collect();
                    format!(" (acts through {})", others.join(", "))
                }
            };
            format!("not built{place}{advice}")
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
