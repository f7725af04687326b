//! Valid configurations to begin with: a small skeleton of every kind of section, filled with lines made from the rows
//! of the keyword tables that are built and that haproxy 2.6 knows.

use baton::grammar::{Kind, OptionLine, Row, SectionKind, Support, Version, rows};

use super::prng::Prng;
use super::values;

/// The version of the oracle that the tables are asked for.
const ORACLE: Version = Version(2, 6);

/// A line as its words are written, quotes and all.
pub(crate) type Words = Vec<String>;

/// A section: its opening line and the lines in it.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// Which.
    pub(crate) kind: SectionKind,
    /// The opening line, then the others.
    pub(crate) lines: Vec<Words>,
}

/// A configuration, section by section.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// In the order of the file.
    pub(crate) sections: Vec<Section>,
}

/// Words that exclude each other, or that may be said once in one of two ways.
const RIVALS: &[&[&str]] = &[
    &["user", "uid"],
    &["group", "gid"],
    &["disabled", "enabled"],
    &["track", "check"],
    &["timeout client", "clitimeout", "timeout clitimeout"],
    &["timeout connect", "contimeout", "timeout contimeout"],
    &["timeout server", "srvtimeout", "timeout srvtimeout"],
    &["option tcplog", "option httplog"],
    &["v4v6", "v6only"],
    &["presetenv", "resetenv", "unsetenv"],
    &["stats http-request", "stats auth", "stats realm"],
];

/// Words that would make most seeds the same, or that say what the skeleton says.
const LEFT_OUT: &[&str] = &[
    "server",
    "bind",
    "default_backend",
    "zero-warning",
    "quiet",
    "interface",
    "resetenv",
    // refused by baton on the statistics page that every seed has
    "option httpslog",
    // 2.6 shows the servers beside these as without weight, the balance as `none`: docs/COMPATIBILITY.md
    "dispatch",
    "option transparent",
    "transparent",
    // right only with another option behind or before them
    "agent-check",
    // needs a section of that name
    "resolvers",
    "usesrc",
    // needs a stick table in its section
    "stick match",
    "stick on",
    "stick store-request",
    "stick store-response",
    // right only in their order
    "http-check connect",
    "http-check send",
    "tcp-check connect",
    // their argument stands in parentheses of the keyword
    "http-check set-var",
    "http-check set-var-fmt",
    "http-check unset-var",
    "tcp-check set-var",
    "tcp-check set-var-fmt",
    "tcp-check unset-var",
];

impl Configuration {
    /// The configuration of a seed.
    pub(crate) fn of(prng: &mut Prng) -> Self {
        let mut sections = Vec::new();
        if prng.chance(60) {
            let count = 1 + prng.below(4);
            sections.push(section(SectionKind::Global, "global", &[], count, prng));
        }
        let timeouts = ["timeout connect 5s", "timeout client 50000", "timeout server \"${NOTSET-50000}\""];
        // one for all, or two by name of which the proxies name the second
        let named = prng.chance(25);
        let count = prng.below(4);
        let head = if named { "defaults d1" } else { "defaults" };
        sections.push(section(SectionKind::Defaults, head, &timeouts, count, prng));
        if named {
            let count = prng.below(3);
            sections.push(section(SectionKind::Defaults, "defaults d2 from d1", &[], count, prng));
        }
        let from = if named { " from d2" } else { "" };
        let servers = [server("s1", 9001, prng), server("s2", 9002, prng)];
        let mut parts = vec![
            (SectionKind::Backend, "backend b1".to_owned(), servers.to_vec()),
            (SectionKind::Frontend, "frontend f1".to_owned(), vec![bind(8001, prng), "default_backend b1".to_owned()]),
            (SectionKind::Listen, "listen l1".to_owned(), vec![bind(8002, prng), server("s1", 9003, prng)]),
        ];
        if prng.chance(40) {
            let page = ["bind 127.0.0.1:8003", "mode http", "stats enable", "stats uri /"].map(str::to_owned).to_vec();
            parts.push((SectionKind::Listen, "listen stats".to_owned(), page));
        }
        for (kind, head, lines) in parts {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let count = prng.below(4);
            sections.push(section(kind, &format!("{head}{from}"), &lines, count, prng));
        }
        if prng.chance(15) {
            condition(&mut sections, prng);
        }
        Self { sections }
    }

    /// The text of some sections.
    pub(crate) fn text(sections: &[Section]) -> String {
        let mut text = String::new();
        for section in sections {
            for (at, words) in section.lines.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "    " });
                text.push_str(&words.join(" "));
                text.push('\n');
            }
        }
        text
    }
}

/// Whether a row is built and 2.6 knows it.
pub(crate) fn usable(row: &Row) -> bool {
    row.support == Support::Full && row.era.since <= ORACLE && row.era.removed.is_none_or(|gone| gone > ORACLE)
}

/// The words of a line.
pub(crate) fn words(line: &str) -> Words {
    line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A row that may stand in a section, with arguments.
pub(crate) fn statement(kind: SectionKind, prng: &mut Prng) -> (&'static Row, String) {
    let fit: Vec<&'static Row> = rows(kind.kind())
        .iter()
        .filter(|row| usable(row) && row.places.has(kind.bit()) && !LEFT_OUT.contains(&row.keyword))
        .filter(|row| kind != SectionKind::Defaults || !needs_named_defaults(row.keyword))
        .collect();
    let row = prng.pick(&fit);
    let more = match row.keyword {
        "default-server" => options(Kind::Server, OptionLine::DefaultServer, prng),
        "stats socket" => options(Kind::Bind, OptionLine::StatsSocket, prng),
        _ => String::new(),
    };
    (row, format!("{} {}{more}", row.keyword, values::arguments(row, prng)))
}

/// Rules and ACLs may stand in defaults only if these have a name.
fn needs_named_defaults(keyword: &str) -> bool {
    keyword == "acl" || ["tcp-request ", "tcp-response ", "http-request "].iter().any(|head| keyword.starts_with(head))
}

fn section(kind: SectionKind, head: &str, lines: &[&str], more: usize, prng: &mut Prng) -> Section {
    let mut all = vec![words(head)];
    all.extend(lines.iter().map(|line| words(line)));
    let mut taken: Vec<&str> = Vec::new();
    for _ in 0..more {
        let (row, line) = statement(kind, prng);
        let rival = |other: &&str| RIVALS.iter().any(|few| few.contains(&row.keyword) && few.contains(other));
        // an HTTP proxy that forwards is not built: no seed may have one
        if taken.contains(&row.keyword) || taken.iter().any(rival) || line == "mode http" || known(&all, row.keyword) {
            continue;
        }
        taken.push(row.keyword);
        all.push(words(&line));
    }
    Section { kind, lines: all }
}

/// Conditions, true and false.
const CONDITIONS: &[&str] = &[
    "defined(PATH)",
    "!defined(NOTSET)",
    "streq(a,a) && !strneq(a,a)",
    "version_atleast(2.4)",
    "version_before(2.4)",
    "defined(NOTSET) || 1",
    "feature(NOSUCH)",
    "0",
];

/// Puts a line of some section under a condition.
fn condition(sections: &mut [Section], prng: &mut Prng) {
    let at = prng.below(sections.len());
    let lines = &mut sections[at].lines;
    let at = 1 + prng.below(lines.len());
    let condition = prng.pick(CONDITIONS);
    lines.insert(at.min(lines.len()), words(&format!(".if {condition}")));
    if prng.chance(50) {
        lines.push(words(".else"));
        lines.push(words(prng.pick(&["# nothing", ".notice \"else\"", "log global"])));
    }
    lines.push(words(".endif"));
}

/// Whether a section has a line of that keyword, or of one that says the same.
fn known(lines: &[Words], keyword: &str) -> bool {
    lines.iter().skip(1).map(|line| line.join(" ")).any(|line| {
        let same = |other: &str| line.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        same(keyword) || RIVALS.iter().filter(|few| few.contains(&keyword)).flat_map(|few| few.iter()).any(|o| same(o))
    })
}

fn bind(port: u16, prng: &mut Prng) -> String {
    format!("bind 127.0.0.1:{port}{}", options(Kind::Bind, OptionLine::Bind, prng))
}

fn server(name: &str, port: u16, prng: &mut Prng) -> String {
    format!("server {name} 127.0.0.1:{port}{}", options(Kind::Server, OptionLine::Server, prng))
}

/// Some options of a line, with their arguments.
fn options(kind: Kind, line: OptionLine, prng: &mut Prng) -> String {
    let fit: Vec<&'static Row> = rows(kind)
        .iter()
        .filter(|row| usable(row) && row.places.has(line.bit()) && !LEFT_OUT.contains(&row.keyword))
        .filter(|row| !matches!(row.keyword, "track" | "id" | "expose-fd"))
        .collect();
    let mut text = String::new();
    let mut taken = Vec::new();
    for _ in 0..prng.below(4) {
        let row = prng.pick(&fit);
        if !taken.contains(&row.keyword) {
            taken.push(row.keyword);
            text = format!("{text} {} {}", row.keyword, values::arguments(row, prng));
        }
    }
    text
}
