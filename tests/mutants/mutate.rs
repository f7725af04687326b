//! One mistake in a valid configuration: the kinds of mistakes people make.

use baton::grammar::SectionKind;

use super::prng::Prng;
use super::seed::{Configuration, Section, Words, statement, words};
use super::values::{ADDRESSES, NUMBERS, WORDS};

/// A configuration with a mistake (or none), as files in the order of their `-f`.
#[derive(Debug)]
pub(crate) struct Mutant {
    /// What was done to it.
    pub(crate) how: &'static str,
    /// Names and contents.
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
}

type Mutation = fn(&mut Configuration, &mut Prng);

const MUTATIONS: &[(&str, Mutation)] = &[
    ("a word less", word_less),
    ("a word less at the end", word_less_at_end),
    ("a word more", word_more),
    ("a word more at the end", word_more_at_end),
    ("another section", another_section),
    ("a bad number", bad_number),
    ("a bad number", bad_number),
    ("a bad address", bad_address),
    ("'no' or 'default' before it", negated),
    ("a line twice", line_twice),
    ("a section twice", section_twice),
    ("a name that exists", name_again),
    ("a name that nobody has", unknown_name),
    ("a misspelt word", misspelt),
    ("a misspelt keyword", misspelt_keyword),
    ("an empty word", empty_word),
    ("quotes", quoted),
    ("a line less", line_less),
    ("a section less", section_less),
    ("lines in another order", swapped),
    ("a keyword of another table", foreign),
    ("another word", another_word),
    ("a section line", section_line),
];

/// The mutant of a seed.
pub(crate) fn mutant(seed: u64) -> Mutant {
    let mut prng = Prng::new(seed);
    let mut configuration = Configuration::of(&mut prng);
    match prng.below(100) {
        0..3 => Mutant { how: "nothing", files: vec![("a.cfg", whole(&configuration))] },
        3..8 => in_bytes(&configuration, &mut prng),
        8..12 => in_files(configuration, &mut prng),
        _ => {
            let (how, mutation) = MUTATIONS[prng.below(MUTATIONS.len())];
            mutation(&mut configuration, &mut prng);
            Mutant { how, files: vec![("a.cfg", whole(&configuration))] }
        }
    }
}

fn whole(configuration: &Configuration) -> Vec<u8> {
    Configuration::text(&configuration.sections).into_bytes()
}

/// A mistake of the file, not of its words.
fn in_bytes(configuration: &Configuration, prng: &mut Prng) -> Mutant {
    let mut bytes = whole(configuration);
    let at = prng.below(bytes.len());
    let how = match prng.below(5) {
        0 => {
            bytes.truncate(at);
            "cut off"
        }
        1 => {
            let byte = u8::try_from(prng.below(256)).unwrap_or_default();
            bytes[at] = byte;
            "another byte"
        }
        2 => {
            bytes.remove(at);
            "a byte less"
        }
        3 => {
            let byte = u8::try_from(prng.below(256)).unwrap_or_default();
            bytes.insert(at, byte);
            "a byte more"
        }
        _ => {
            bytes =
                bytes.iter().flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] }).collect();
            "CRLF"
        }
    };
    Mutant { how, files: vec![("a.cfg", bytes)] }
}

/// The sections spread over two files, in one order or the other.
fn in_files(mut configuration: Configuration, prng: &mut Prng) -> Mutant {
    let cut = prng.below(configuration.sections.len());
    let second: Vec<Section> = configuration.sections.split_off(cut);
    let texts = [configuration.sections, second].map(|half| Configuration::text(&half).into_bytes());
    let mut files: Vec<_> = ["a.cfg", "b.cfg"].into_iter().zip(texts).collect();
    if prng.chance(60) {
        files.reverse();
    }
    Mutant { how: "two files", files }
}

/// Any section.
fn section<'c>(configuration: &'c mut Configuration, prng: &mut Prng) -> &'c mut Section {
    let at = prng.below(configuration.sections.len());
    &mut configuration.sections[at]
}

/// Any line but one that opens a section, unless the section has no other.
fn line<'c>(configuration: &'c mut Configuration, prng: &mut Prng) -> &'c mut Words {
    let lines = &mut section(configuration, prng).lines;
    let at = if lines.len() > 1 { 1 + prng.below(lines.len() - 1) } else { 0 };
    &mut lines[at]
}

/// Index of any word of a line.
fn place(words: &Words, prng: &mut Prng) -> usize {
    prng.below(words.len())
}

fn word_less(configuration: &mut Configuration, prng: &mut Prng) {
    let line = line(configuration, prng);
    line.remove(place(line, prng));
}

fn word_less_at_end(configuration: &mut Configuration, prng: &mut Prng) {
    line(configuration, prng).pop();
}

fn word_more(configuration: &mut Configuration, prng: &mut Prng) {
    let line = line(configuration, prng);
    line.insert(place(line, prng) + 1, prng.pick(WORDS).to_owned());
}

fn word_more_at_end(configuration: &mut Configuration, prng: &mut Prng) {
    line(configuration, prng).push(prng.pick(WORDS).to_owned());
}

fn another_section(configuration: &mut Configuration, prng: &mut Prng) {
    let moved = line(configuration, prng).clone();
    section(configuration, prng).lines.push(moved);
}

/// Puts a word in the place of one that looks like a number or time; else at the end of a line.
fn bad_number(configuration: &mut Configuration, prng: &mut Prng) {
    let bad = prng.pick(NUMBERS).to_owned();
    let numeric = |word: &String| word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains(':');
    // twenty tries: nearly every configuration has a time at least
    for _ in 0..20 {
        let line = line(configuration, prng);
        let places: Vec<usize> = (1..line.len()).filter(|at| numeric(&line[*at])).collect();
        if !places.is_empty() {
            let at = places[prng.below(places.len())];
            line[at] = bad;
            return;
        }
    }
    line(configuration, prng).push(bad);
}

/// Puts a word in the place of an address.
fn bad_address(configuration: &mut Configuration, prng: &mut Prng) {
    let bad = prng.pick(ADDRESSES).to_owned();
    for _ in 0..20 {
        let line = line(configuration, prng);
        let places: Vec<usize> = (1..line.len()).filter(|at| line[*at].contains("127.0.0")).collect();
        if !places.is_empty() {
            let at = places[prng.below(places.len())];
            line[at] = bad;
            return;
        }
    }
    line(configuration, prng).push(bad);
}

fn negated(configuration: &mut Configuration, prng: &mut Prng) {
    let section = section(configuration, prng);
    let (_, text) = statement(section.kind, prng);
    let mut line = words(&text);
    if prng.chance(60) && section.kind != SectionKind::Global {
        // most lines that may be negated are options
        while line[0] != "option" {
            line = words(&statement(section.kind, prng).1);
        }
    }
    line.insert(0, prng.pick(&["no", "no", "default"]).to_owned());
    section.lines.push(line);
}

fn line_twice(configuration: &mut Configuration, prng: &mut Prng) {
    let lines = &mut section(configuration, prng).lines;
    let at = prng.below(lines.len());
    let copy = lines[at].clone();
    lines.push(copy);
}

fn section_twice(configuration: &mut Configuration, prng: &mut Prng) {
    let copy = section(configuration, prng).clone();
    configuration.sections.push(copy);
}

fn name_again(configuration: &mut Configuration, prng: &mut Prng) {
    match prng.below(4) {
        0 => {
            let name = prng.pick(&["b1", "f1", "l1", "stats"]);
            for section in configuration.sections.iter_mut().rev().take(1 + prng.below(2)) {
                section.lines[0] = words(&format!("{} {name}", section.kind.keyword()));
            }
        }
        1 => section(configuration, prng).lines.push(words("server s1 127.0.0.1:9009")),
        2 => section(configuration, prng).lines.push(words("bind 127.0.0.1:8001 name listener-1 id 3")),
        _ => {
            let copy = words(prng.pick(&["id 7", "server s7 127.0.0.1:9007 id 7", "bind 127.0.0.1:8077 id 7"]));
            section(configuration, prng).lines.push(copy.clone());
            section(configuration, prng).lines.push(copy);
        }
    }
}

fn unknown_name(configuration: &mut Configuration, prng: &mut Prng) {
    let text = prng.pick(&[
        "default_backend nobody",
        "default_backend f1",
        "default_backend l1",
        "default_backend b1",
        "use_backend nobody",
        "server s8 127.0.0.1:9008 track nobody",
        "server s8 127.0.0.1:9008 track nobody/s1",
        "server s8 127.0.0.1:9008 track b1/nobody",
        "server s8 127.0.0.1:9008 track b1/s1",
        "server s8 127.0.0.1:9008 track s8",
        "server s8 nowhere.invalid:80",
        "server s8 nowhere.invalid:80 init-addr none",
        "server s8 nowhere.invalid:80 init-addr libc,none",
        "log nowhere.invalid local0",
        "source nowhere.invalid",
        "stats scope nobody",
        "user nobody-at-all",
        "group nobody-at-all",
        "errorfile 503 /nonexistent",
        "errorfile 999 /dev/null",
        "bind 127.0.0.1:8044 user nobody-at-all",
        "bind 127.0.0.1:8044 interface nolink0",
    ]);
    section(configuration, prng).lines.push(words(text));
}

fn misspell(word: &str, prng: &mut Prng) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let at = prng.below(letters.len());
    match prng.below(4) {
        0 => {
            letters.remove(at);
        }
        1 => letters.insert(at, letters[at]),
        2 if at > 0 => letters.swap(at, at - 1),
        2 => letters[at] = letters[at].to_ascii_uppercase(),
        _ => letters[at] = char::from(b'a' + u8::try_from(prng.below(26)).unwrap_or_default()),
    }
    letters.into_iter().collect()
}

fn misspelt(configuration: &mut Configuration, prng: &mut Prng) {
    let line = line(configuration, prng);
    let at = place(line, prng);
    line[at] = misspell(&line[at], prng);
}

fn misspelt_keyword(configuration: &mut Configuration, prng: &mut Prng) {
    let section = section(configuration, prng);
    let at = prng.below(section.lines.len());
    let first = &mut section.lines[at][0];
    *first = misspell(first, prng);
}

fn empty_word(configuration: &mut Configuration, prng: &mut Prng) {
    let line = line(configuration, prng);
    let at = place(line, prng);
    line[at] = "\"\"".to_owned();
}

fn quoted(configuration: &mut Configuration, prng: &mut Prng) {
    let line = line(configuration, prng);
    let at = place(line, prng);
    let word = &line[at];
    line[at] = match prng.below(8) {
        0 => format!("\"{word}\""),
        1 => format!("'{word}'"),
        2 => format!("\"{word}"),
        3 => format!("{word}'"),
        4 => format!("\\{word}"),
        5 => format!("{word}\\"),
        6 => format!("{word}#"),
        _ => format!("{word}\"\""),
    };
}

fn line_less(configuration: &mut Configuration, prng: &mut Prng) {
    let lines = &mut section(configuration, prng).lines;
    lines.remove(prng.below(lines.len()));
}

fn section_less(configuration: &mut Configuration, prng: &mut Prng) {
    let at = prng.below(configuration.sections.len());
    configuration.sections.remove(at);
}

fn swapped(configuration: &mut Configuration, prng: &mut Prng) {
    if prng.chance(50) {
        let (a, b) = (prng.below(configuration.sections.len()), prng.below(configuration.sections.len()));
        configuration.sections.swap(a, b);
    } else {
        let lines = &mut section(configuration, prng).lines;
        let (a, b) = (prng.below(lines.len()), prng.below(lines.len()));
        lines.swap(a, b);
    }
}

/// A valid line of another section, or an option of another line.
fn foreign(configuration: &mut Configuration, prng: &mut Prng) {
    let kinds =
        [SectionKind::Global, SectionKind::Defaults, SectionKind::Frontend, SectionKind::Listen, SectionKind::Backend];
    let (_, text) = statement(kinds[prng.below(kinds.len())], prng);
    if prng.chance(30) {
        line(configuration, prng).extend(words(&text));
    } else {
        section(configuration, prng).lines.push(words(&text));
    }
}

fn another_word(configuration: &mut Configuration, prng: &mut Prng) {
    let line = line(configuration, prng);
    let at = place(line, prng);
    line[at] = prng.pick(WORDS).to_owned();
}

fn section_line(configuration: &mut Configuration, prng: &mut Prng) {
    let more = prng.pick(&[
        "extra",
        "\"\"",
        "from",
        "from nobody",
        "from b1",
        "from \"\"",
        "b/1",
        ":8055",
        "127.0.0.1:8055",
        "name extra",
    ]);
    let section = section(configuration, prng);
    let head = &mut section.lines[0];
    match prng.below(4) {
        0 => {
            head.pop();
        }
        1 => {
            head[0] =
                prng.pick(&["defaults", "global", "backend", "frontend", "listen", "peers", "userlist"]).to_owned()
        }
        _ => head.extend(words(more)),
    }
}
