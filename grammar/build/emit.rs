//! Writes the rows as Rust: `grammar_table.rs` for `src/grammar`, `lower_table.rs` for `src/lower`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::kinds::{HASH_SEED, Kind, hash};
use crate::table::{Acts, LOWERED, Row, Support};

/// The rows, the beginnings of keywords, and one hash table per kind.
pub(crate) fn rows(rows: &[Row]) -> String {
    let mut entries = String::new();
    let mut tables = String::new();
    let mut count = 0;
    for kind in Kind::ALL {
        let first = rows.partition_point(|row| row.kind < kind);
        let end = rows.partition_point(|row| row.kind <= kind);
        let slots = table(&rows[first..end], first, &mut count, &mut entries);
        let _ = writeln!(tables, "    Table {{ slots: &{slots:?}, rows: ({first}, {end}) }},");
    }
    let mut text = format!("static ROWS: [Row; {}] = [\n", rows.len());
    let mut index = 0;
    for (at, row) in rows.iter().enumerate() {
        index = if at > 0 && rows[at - 1].kind == row.kind { index + 1 } else { 0 };
        write_row(&mut text, row, index);
    }
    let _ = write!(
        text,
        "];\n\nstatic ENTRIES: [Entry; {count}] = [\n{entries}];\n\nstatic TABLES: [Table; {}] = [\n{tables}];\n",
        Kind::ALL.len()
    );
    text
}

/// Writes the entries of one kind and returns its slots: at most half of them are taken.
fn table(rows: &[Row], first: usize, count: &mut usize, entries: &mut String) -> Vec<u16> {
    // Beginning of keywords -> its row, and whether a longer keyword begins with it.
    let mut heads: BTreeMap<&str, (Option<usize>, bool)> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        for (blank, _) in row.keyword.match_indices(' ') {
            heads.entry(&row.keyword[..blank]).or_default().1 = true;
        }
        heads.entry(&row.keyword).or_default().0 = Some(first + at);
    }
    if heads.is_empty() {
        return Vec::new();
    }
    let mut slots = vec![u16::MAX; (heads.len() * 2).next_power_of_two()];
    for (text, (row, longer)) in heads {
        let sum = text.split(' ').fold(HASH_SEED, |sum, word| hash(sum, word.as_bytes()));
        let mut slot = sum as usize & (slots.len() - 1);
        while slots[slot] != u16::MAX {
            slot = (slot + 1) & (slots.len() - 1);
        }
        slots[slot] = u16::try_from(*count).expect("fewer than 65535 beginnings of keywords");
        let row = row.map_or("NO_ROW".to_owned(), |row| row.to_string());
        let _ = writeln!(entries, "    Entry {{ text: {text:?}, row: {row}, longer: {longer} }},");
        *count += 1;
    }
    slots
}

fn write_row(text: &mut String, row: &Row, index: usize) {
    let version = |version: Option<(u8, u8)>| {
        version.map_or("None".to_owned(), |(major, minor)| format!("Some(super::Version({major}, {minor}))"))
    };
    let support = match &row.support {
        Support::Full => "Full".to_owned(),
        Support::Noop(reason) => format!("Noop {{ reason: {reason:?} }}"),
        Support::Refused { acts, missing } => {
            let acts = match acts {
                Acts::Always => "Always".to_owned(),
                Acts::InHttp => "InHttp".to_owned(),
                Acts::InModeHttp => "InModeHttp".to_owned(),
                Acts::OnQuic => "OnQuic".to_owned(),
                Acts::Through(others) => format!("Through(&{others:?})"),
            };
            format!("Refused {{ acts: super::Acts::{acts}, missing: {missing:?} }}")
        }
    };
    let _ = writeln!(
        text,
        "    Row {{ kind: Kind::{:?}, keyword: {:?}, negatable: {}, resettable: {}, places: super::Places {{ allowed: {}, warned: {}, silent: {} }}, usage: {:?}, \
         arity: super::Arity {{ min: {}, max: {:?} }}, era: super::Era {{ since: super::Version({}, {}), \
         deprecated: {}, removed: {}, advice: {:?} }}, manual: {:?}, support: super::Support::{support}, index: {index} }},",
        row.kind,
        row.keyword,
        row.negatable,
        row.resettable,
        row.places.allowed,
        row.places.warned,
        row.places.silent,
        row.usage,
        row.min,
        row.max,
        row.since.0,
        row.since.1,
        version(row.deprecated),
        version(row.removed),
        row.advice,
        row.manual,
    );
}

/// One table of functions per kind that `lower` knows, by [`Row`] index; a row that names a function which does not
/// exist does not compile.
pub(crate) fn functions(rows: &[Row]) -> String {
    let mut text = String::new();
    for kind in LOWERED {
        let name = kind.name();
        let kind_rows: Vec<&Row> = rows.iter().filter(|row| row.kind == kind).collect();
        let _ = writeln!(
            text,
            "/// What each full row of `grammar/{name}.kw` is lowered by, by the row's index.\n\
             pub(crate) static {}: [Option<crate::lower::{}{}Fn>; {}] = [",
            name.to_uppercase(),
            name[..1].to_uppercase(),
            &name[1..],
            kind_rows.len()
        );
        for row in kind_rows {
            let function = row.lower.as_ref().map_or("None".to_owned(), |path| format!("Some(crate::lower::{path})"));
            let _ = writeln!(text, "    {function}, // {}:{} {}", row.file, row.line, row.keyword);
        }
        text.push_str("];\n\n");
    }
    text
}
