//! Reads one keyword table and says what is wrong with it.
//!
//! Knows the columns (`grammar/README.md`), no Rust that is made of them.

use std::fmt;

use crate::kinds::Kind;

/// One row as it was read.
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) keyword: String,
    pub(crate) negatable: bool,
    pub(crate) resettable: bool,
    pub(crate) places: Places,
    pub(crate) usage: String,
    pub(crate) min: u16,
    pub(crate) max: Option<u16>,
    pub(crate) since: (u8, u8),
    pub(crate) deprecated: Option<(u8, u8)>,
    pub(crate) removed: Option<(u8, u8)>,
    pub(crate) advice: Option<String>,
    pub(crate) manual: String,
    pub(crate) support: Support,
    pub(crate) lower: Option<String>,
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// The `where` column: one bit per place and mark.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub(crate) allowed: u8,
    pub(crate) warned: u8,
    pub(crate) silent: u8,
}

/// The `support` column.
#[derive(PartialEq)]
pub(crate) enum Support {
    Full,
    Noop(String),
    Refused { acts: Acts, missing: String },
}

/// `when …` in the `support` column.
#[derive(PartialEq)]
pub(crate) enum Acts {
    Always,
    InHttp,
    InModeHttp,
    OnQuic,
    Through(Vec<String>),
}

/// One thing that is wrong with a table.
pub(crate) struct Mistake {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Reads a table; each row that cannot be read is a mistake of its own.
pub(crate) fn parse(kind: Kind, file: &str, text: &str, rows: &mut Vec<Row>, mistakes: &mut Vec<Mistake>) {
    for (at, line) in text.lines().enumerate() {
        let line = line.split_once("  # ").map_or(line, |(row, _)| row).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match row(kind, line) {
            Ok(row) => rows.push(Row { file: file.to_owned(), line: at + 1, ..row }),
            Err(what) => mistakes.push(Mistake { file: file.to_owned(), line: at + 1, what }),
        }
    }
}

fn row(kind: Kind, line: &str) -> Result<Row, String> {
    let columns: Vec<&str> = format_columns(line);
    let (fixed, lower) = match columns.as_slice() {
        [keyword, places, args, era, manual, support] => ([*keyword, *places, *args, *era, *manual, *support], ""),
        [keyword, places, args, era, manual, support, lower] => {
            ([*keyword, *places, *args, *era, *manual, *support], *lower)
        }
        other => return Err(format!("7 columns expected, or 6 without a function; there are {}", other.len())),
    };
    let [keyword, where_, args, era, manual, support] = fixed;
    let (negatable, resettable, keyword) = match (keyword.strip_prefix("[no] "), keyword.strip_prefix("[no|default] "))
    {
        (Some(rest), _) => (true, false, rest),
        (_, Some(rest)) => (true, true, rest),
        (None, None) => (false, false, keyword),
    };
    if keyword.is_empty() || keyword.split(' ').any(str::is_empty) {
        return Err("the keyword's words must be divided by one blank".to_owned());
    }
    let (min, max) = arity(args)?;
    let args = args.trim_end_matches('~').trim_end();
    let era = parse_era(era)?;
    if manual != "–" && (manual.is_empty() || manual.split('.').any(|part| part.parse::<u8>().is_err())) {
        return Err(format!("'{manual}' is no section of the manual; write '–' if there is none"));
    }
    let support = parse_support(support)?;
    let lower = (!lower.is_empty()).then(|| lower.to_owned());
    check_lower(kind, &support, lower.as_deref())?;
    Ok(Row {
        kind,
        keyword: keyword.to_owned(),
        negatable,
        resettable,
        places: places(kind, where_)?,
        usage: args.to_owned(),
        min,
        max,
        since: era.since,
        deprecated: era.deprecated,
        removed: era.removed,
        advice: era.advice,
        manual: manual.to_owned(),
        support,
        lower,
        file: String::new(),
        line: 0,
    })
}

/// Columns end at a `|` with a blank on both sides (or at the ends of the line): `a|b` is an alternative.
fn format_columns(line: &str) -> Vec<&str> {
    let mut columns = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(" |").filter(|at| matches!(rest.as_bytes().get(at + 2), None | Some(b' '))) {
        columns.push(rest[..at].trim());
        rest = &rest[at + 2..];
    }
    columns.push(rest.trim());
    columns
}

/// The kinds whose lines `lower` has functions for.
pub(crate) const LOWERED: [Kind; 5] = [Kind::Global, Kind::Proxy, Kind::Bind, Kind::Server, Kind::Action];

fn check_lower(kind: Kind, support: &Support, lower: Option<&str>) -> Result<(), String> {
    let wanted = *support == Support::Full && LOWERED.contains(&kind);
    match lower {
        None if wanted => Err("a full row must name its lowering function".to_owned()),
        Some(_) if !wanted => {
            Err("only a full row of global, proxy, bind, server or action has a lowering function".to_owned())
        }
        Some(path) if path.split("::").any(|part| !is_identifier(part)) => Err(format!("'{path}' is no path")),
        _ => Ok(()),
    }
}

fn is_identifier(part: &str) -> bool {
    let part = part.strip_prefix("r#").unwrap_or(part);
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Reads the `where` column: each letter at its own position, or a mark where the keyword may not stand.
fn places(kind: Kind, text: &str) -> Result<Places, String> {
    let letters = kind.places();
    let mut places = Places { allowed: 0, warned: 0, silent: 0 };
    if letters.is_empty() {
        places.allowed = u8::MAX;
        return if text == "–" { Ok(places) } else { Err(format!("'where' must be '–', not '{text}'")) };
    }
    let all: String = letters.iter().map(|(letter, _)| letter).collect();
    let mistake = || format!("'where' is '{text}'; it must be '{all}' with '.', '~' or '-' for a letter, not for all");
    if text.chars().count() != letters.len() {
        return Err(mistake());
    }
    for (at, (given, (letter, _))) in text.chars().zip(letters).enumerate() {
        match given {
            '.' => {}
            '~' => places.warned |= 1 << at,
            '-' => places.silent |= 1 << at,
            c if c == *letter => places.allowed |= 1 << at,
            _ => return Err(mistake()),
        }
    }
    if places.allowed == 0 { Err(mistake()) } else { Ok(places) }
}

/// Counts the words that the `args` column allows.
fn arity(text: &str) -> Result<(u16, Option<u16>), String> {
    let (mut min, mut max) = (0_u16, Some(0_u16));
    let mut depth = 0_u16;
    for token in text.split_whitespace() {
        let open = token.chars().filter(|c| *c == '[').count();
        let close = token.chars().filter(|c| *c == ']').count();
        depth += u16::try_from(open).unwrap_or(u16::MAX);
        let word = token.trim_matches(['[', ']']);
        match word {
            // "~": haproxy ignores what follows, and so does baton.
            "..." | "~" => max = None,
            "" => return Err(format!("'{token}' in 'args' holds nothing")),
            _ => {
                min += u16::from(depth == 0);
                max = if word.ends_with("...") { None } else { max.map(|max| max + 1) };
            }
        }
        depth = depth.checked_sub(u16::try_from(close).unwrap_or(u16::MAX)).ok_or("unbalanced ']' in 'args'")?;
    }
    if depth == 0 { Ok((min, max)) } else { Err("unbalanced '[' in 'args'".to_owned()) }
}

struct Era {
    since: (u8, u8),
    deprecated: Option<(u8, u8)>,
    removed: Option<(u8, u8)>,
    advice: Option<String>,
}

/// Reads `SINCE [~DEPRECATED] [-REMOVED] ["advice"]`; `baton` is 0.0, a word of its own.
fn parse_era(text: &str) -> Result<Era, String> {
    let (versions, advice) = quoted(text)?;
    let mut words = versions.split_whitespace();
    let since = words.next().and_then(version).ok_or_else(|| format!("'era' must begin with a version: '{text}'"))?;
    let mut era = Era { since, deprecated: None, removed: None, advice };
    for word in words {
        let slot = match word.as_bytes()[0] {
            b'~' => &mut era.deprecated,
            b'-' => &mut era.removed,
            _ => return Err(format!("'{word}' in 'era' is neither ~VERSION nor -VERSION")),
        };
        let found = version(&word[1..]).ok_or_else(|| format!("'{word}' in 'era' holds no version"))?;
        if found < since || slot.replace(found).is_some() {
            return Err(format!("'{word}' in 'era' is said twice or lies before {}.{}", since.0, since.1));
        }
    }
    if era.advice.is_some() && era.removed.is_none() && era.deprecated.is_none() {
        return Err("'era' has advice for a word that is neither deprecated nor removed".to_owned());
    }
    Ok(era)
}

fn version(text: &str) -> Option<(u8, u8)> {
    if text == "baton" {
        return Some((0, 0));
    }
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Takes a text in double quotes off the end.
fn quoted(text: &str) -> Result<(&str, Option<String>), String> {
    match text.split_once('"') {
        None => Ok((text, None)),
        Some((before, rest)) => match rest.strip_suffix('"') {
            Some(inner) if !inner.is_empty() && !inner.contains('"') => Ok((before, Some(inner.to_owned()))),
            _ => Err(format!("the quotes of '{text}' do not match")),
        },
    }
}

/// Reads `full`, `noop "reason"` or `refused [when CONDITION] ["what is missing"]`.
fn parse_support(text: &str) -> Result<Support, String> {
    let (words, note) = quoted(text)?;
    let words = words.trim();
    match (words, note) {
        ("full", None) => return Ok(Support::Full),
        ("noop", Some(reason)) => return Ok(Support::Noop(reason)),
        ("noop", None) => return Err("noop needs its reason in quotes".to_owned()),
        ("refused", note) => return Ok(Support::Refused { acts: Acts::Always, missing: note.unwrap_or_default() }),
        (_, note) => {
            if let Some(when) = words.strip_prefix("refused when ") {
                let acts = match when.trim() {
                    "http" => Acts::InHttp,
                    "mode http" => Acts::InModeHttp,
                    "quic" => Acts::OnQuic,
                    others => Acts::Through(others.split(',').map(|other| other.trim().to_owned()).collect()),
                };
                return Ok(Support::Refused { acts, missing: note.unwrap_or_default() });
            }
        }
    }
    Err(format!("'{text}' is no support: full, noop \"reason\" or refused [when CONDITION] [\"missing\"]"))
}

/// Checks what only the whole set of rows can show; they are sorted by kind and keyword.
pub(crate) fn check(rows: &[Row], mistakes: &mut Vec<Mistake>) {
    let mut blame = |row: &Row, what: String| {
        mistakes.push(Mistake { file: row.file.clone(), line: row.line, what });
    };
    for pair in rows.windows(2) {
        if let [a, b] = pair
            && (a.kind, &a.keyword) == (b.kind, &b.keyword)
        {
            blame(b, format!("'{}' stands in line {} already", b.keyword, a.line));
        }
    }
    for row in rows {
        let Support::Refused { acts: Acts::Through(others), .. } = &row.support else { continue };
        for other in others {
            let found = other
                .split_once('/')
                .and_then(|(kind, keyword)| rows.iter().find(|row| row.kind.name() == kind && row.keyword == keyword));
            match found.map(|other| &other.support) {
                Some(Support::Refused { .. }) => {}
                Some(_) => {
                    blame(row, format!("'{other}' is no longer refused: '{}' would act through it", row.keyword))
                }
                None => blame(row, format!("there is no row '{other}' (KIND/KEYWORD)")),
            }
        }
    }
}
