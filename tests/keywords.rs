//! The keyword tables against the lists of what haproxy knows, and the files that are made from the tables.
//!
//! Knows names, no meaning. Sources: `fixtures/keywords/README.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use baton::grammar::{self, Class, Kind, SectionKind, Support};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keywords").join(name)
}

/// The lines of a fixture, cut at tabs.
fn lines(name: &str) -> Vec<Vec<String>> {
    let path = fixture(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Compares a file with what it should hold, or writes it under `BLESS=1`.
fn pinned(path: &Path, want: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, want).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        return;
    }
    let got = fs::read_to_string(path).unwrap_or_default();
    if got != want {
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (got.lines().collect(), want.lines().collect());
        let gone: Vec<_> = old.difference(&new).take(10).collect();
        let come: Vec<_> = new.difference(&old).take(10).collect();
        panic!("{} is stale (BLESS=1 rewrites it)\nonly there: {gone:#?}\nmissing there: {come:#?}", path.display());
    }
}

/// The kind that a list calls so.
fn kind(name: &str) -> Kind {
    let name = if name == "userlists" { "userlist" } else { name };
    Kind::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or_else(|| panic!("no kind '{name}'"))
}

/// Whether a row is this keyword, or begins with it as a word of its own (`stats` for `stats socket`), or is the
/// section that the list keeps among its lines.
fn has_row(kind: Kind, keyword: &str) -> bool {
    grammar::row(kind, keyword).is_some()
        || grammar::rows(kind)
            .iter()
            .any(|row| row.keyword.strip_prefix(keyword).is_some_and(|rest| rest.starts_with(' ')))
        || (kind.name() == keyword && grammar::row(Kind::Section, keyword).is_some())
}

#[test]
fn every_keyword_of_a_manual_has_a_row() {
    let names = lines("names.tsv");
    assert_eq!(names.len(), 1620, "the list of names is complete");
    let artefacts: BTreeSet<_> =
        lines("artefacts.tsv").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut lost = Vec::new();
    for row in &names {
        let [kind_name, keyword] = row.as_slice() else { panic!("two columns: {row:?}") };
        let artefact = artefacts.contains(&(kind_name.clone(), keyword.clone()));
        if has_row(kind(kind_name), keyword) == artefact {
            lost.push(format!("{kind_name} {keyword}"));
        }
    }
    assert!(lost.is_empty(), "no row, or an artefact with a row: {lost:#?}");
    // A remark of a manual behind the keyword does not lose the keyword.
    assert!(grammar::row(Kind::Proxy, "option forceclose").is_some());
}

#[test]
fn every_keyword_that_haproxy_3_4_registers_has_a_row() {
    let names = lines("registered-3.4.tsv");
    assert!(names.len() > 1300, "{} names only", names.len());
    let lost: Vec<_> = names.iter().filter(|row| !has_row(kind(&row[0]), &row[1])).collect();
    // `track-sc*` stands for `track-sc0`, `track-sc1`, `track-sc2`.
    let lost: Vec<_> = lost.into_iter().filter(|row| row[1] != "track-sc").collect();
    assert!(lost.is_empty(), "no row: {lost:#?}");
    assert!(grammar::row(Kind::Action, "track-sc0").is_some());
}

/// `kind keyword` of the rows that a test picks, one a line.
fn picked(pick: impl Fn(&Support) -> bool) -> String {
    let rows = Kind::ALL.into_iter().flat_map(grammar::rows).filter(|row| pick(&row.support));
    rows.map(|row| format!("{} {}\n", row.kind.name(), row.keyword)).collect()
}

#[test]
fn the_words_without_effect_are_pinned() {
    let noop = picked(|support| matches!(support, Support::Noop { .. }));
    pinned(&fixture("noop.txt"), &format!("{noop}# {} rows\n", noop.lines().count()));
    for row in Kind::ALL.into_iter().flat_map(grammar::rows) {
        if let Support::Noop { reason } = row.support {
            assert!(reason.len() > 10, "{}: '{reason}' is no reason", row.keyword);
        }
    }
}

#[test]
fn the_words_that_act_are_pinned() {
    pinned(&fixture("built.txt"), &picked(|support| *support == Support::Full));
}

#[test]
fn the_support_matrix_is_fresh() {
    pinned(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/KEYWORDS.md"), &grammar::document());
}

#[test]
fn the_listing_has_haproxys_shape() {
    let text = grammar::list(Class::Config);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("# List of registered configuration keywords:"));
    assert_eq!(lines.next(), Some("global"));
    for line in [
        "\tdaemon",
        "\ttimeout client",
        "\toption nolinger [ FE BE ]",
        "\toption dontlognull [ FE ]",
        "\tbind <addr> maxconn +1",
        "\tbind <addr> v4v6",
        "\tserver <name> <addr> weight +1",
        "\tserver <name> <addr> check",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not listed");
    }
    // What is refused is not listed, and nothing is listed twice.
    assert!(!text.contains("email-alert mailers"));
    let mut seen = BTreeSet::new();
    let mut section = "";
    for line in text.lines() {
        if !line.starts_with('\t') {
            section = line;
        }
        assert!(seen.insert((section, line)), "{line:?} twice in {section}");
    }
}

#[test]
fn every_row_is_found_by_its_own_words() {
    let mut count = 0;
    for kind in Kind::ALL {
        for (at, row) in grammar::rows(kind).iter().enumerate() {
            assert_eq!(usize::from(row.index), at, "{}", row.keyword);
            let found = grammar::row(kind, row.keyword).unwrap_or_else(|| panic!("{} is lost", row.keyword));
            assert!(std::ptr::eq(found, row), "{} finds {}", row.keyword, found.keyword);
            count += 1;
        }
    }
    assert!(count > 1700, "{count} rows");
}

#[test]
fn a_word_of_the_past_has_advice() {
    let lost: Vec<_> = Kind::ALL
        .into_iter()
        .flat_map(grammar::rows)
        .filter(|row| row.support == Support::Full && row.era.removed.is_some() && row.translated().is_none())
        .map(|row| row.keyword)
        .collect();
    assert!(lost.is_empty(), "translated without saying what to write today: {lost:?}");
}

/// The grammar for people knows every section, and defines every name it uses.
#[test]
fn the_grammar_for_people_is_whole() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/haproxy.ebnf");
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    for section in SectionKind::ALL {
        assert!(text.contains(&format!("\"{}\"", section.keyword())), "section {} is not in it", section.keyword());
    }
    let bare = without(&without(&text, "(*", "*)"), "?", "?");
    let defined: BTreeSet<_> =
        bare.split(';').filter_map(|rule| rule.split_once('=')).map(|(name, _)| name.trim()).collect();
    let mut used = BTreeSet::new();
    for rule in bare.split(';').filter_map(|rule| rule.split_once('=')).map(|(_, body)| body) {
        let body = without(&without(rule, "\"", "\""), "'", "'");
        let names = body.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|name| *name != "-");
        used.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
    }
    let lost: Vec<_> = used.iter().filter(|name| !defined.contains(name.as_str())).collect();
    assert!(lost.is_empty(), "used, and defined nowhere: {lost:?}");
    assert!(defined.len() > 40, "{} rules", defined.len());
}

/// The text without what stands between two marks.
fn without(text: &str, open: &str, close: &str) -> String {
    let mut left = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        left.push_str(before);
        rest = after.split_once(close).map_or("", |(_, behind)| behind);
    }
    left + rest
}
