//! Whole files through the reader; what the manual leaves open was asked of haproxy 2.6.12 (fixtures/verdict/reader).

use std::time::{Duration, Instant};

use super::*;
use crate::text::testing::TestWorld;
use crate::text::{Severity, SourceMap};

/// What a file says: its lines as words, and `severity line message` for each diagnostic.
struct Read {
    lines: Vec<String>,
    said: Vec<(Severity, u32)>,
    ends_run: bool,
}

fn read_in(world: &mut TestWorld, source: &[u8]) -> Read {
    let mut sources = SourceMap::default();
    let file = sources.add(String::from("t.cfg"), source);
    let mut reader = Reader::new(file, sources.get(file).expect("just added"));
    let (mut lines, mut diagnostics, mut section) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(line) = reader.next_line(world, &section, &mut diagnostics) {
        let words: Vec<String> = line.words.iter().map(|word| String::from_utf8_lossy(&word.bytes).into()).collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["setenv", name, value] => world.set_env(name, Some(value.as_bytes())),
            ["section", name] => section = name.as_bytes().to_vec(),
            _ => {}
        }
        lines.push(format!("{} {}", line.span.line, words.join("|")));
    }
    assert_eq!(reader.next_line(world, &section, &mut diagnostics), None, "the end stays the end");
    let said = diagnostics.iter().map(|said| (said.severity, said.span.map_or(0, |span| span.line))).collect();
    Read { lines, said, ends_run: reader.ends_run() }
}

fn read(source: &[u8]) -> Read {
    read_in(&mut TestWorld::default(), source)
}

#[test]
fn lines_come_one_after_another() {
    let found = read(b"# c\n\nglobal # c\n\tmaxconn 10\r\n  \n listen \"a b\"\n");
    assert_eq!(found.lines, ["3 global", "4 maxconn|10", "6 listen|a b"]);
    assert_eq!(found.said, []);
    assert!(read(b"").lines.is_empty());
}

#[test]
fn what_a_line_sets_is_there_for_the_next() {
    let source = b"word \"$A\"\nsetenv A 1\nword \"$A\"\n.if defined(A)\nsection s\nword \"$.SECTION$.LINE\"\n.endif\n";
    let found = read(source);
    assert_eq!(found.lines, ["1 word|", "2 setenv|A|1", "3 word|1", "5 section|s", "6 word|s6"]);
}

#[test]
fn words_know_their_columns() {
    let mut sources = SourceMap::default();
    let file = sources.add(String::from("t.cfg"), &b"\n\tbind 'a b'\\ c \"\" # x\n"[..]);
    let mut reader = Reader::new(file, sources.get(file).expect("just added"));
    let line = reader.next_line(&TestWorld::default(), b"", &mut Vec::new()).expect("a line");
    let at = |start, end| Span { file, line: 2, start, end };
    assert_eq!(line.span, at(1, 17));
    assert_eq!(line.words.iter().map(|word| word.span).collect::<Vec<_>>(), [at(1, 5), at(6, 14), at(15, 17)]);
    assert!(matches!(line.words[0].bytes, std::borrow::Cow::Borrowed(b"bind")));
}

#[test]
fn conditions_choose_lines() {
    for (source, want) in [
        (".if 1\na\n.else\nb\n.endif\nc\n", &["2 a", "6 c"][..]),
        (".if 0\na\n.else\nb\n.endif\nc\n", &["4 b", "6 c"]),
        (".if 0\n.elif 1\na\n.elif 1\nb\n.else\nc\n.endif\n", &["3 a"]),
        (".if 0\n.elif\na\n.endif\n", &[]),
        (".if 0\n.if 1\na\n.else\nb\n.endif\n.else\nc\n.endif\n", &["8 c"]), // an inner branch of a dead one
        (".if 1\na\n.elif nonsense(\nb\n.endif\n", &["2 a"]),                // never evaluated
        (".if 0\n.if nonsense\n.foo\n.alert x\n.endif\n.endif\na\n", &["7 a"]),
        ("'.if' \"1\" && \"0\"\na\n.endif\n", &[]), // quoted, it is a directive all the same
        (".if streq(\"a b\",a b) # c\na\n.endif # c\n", &["2 a"]),
        (".if 1\n.else \"\" x\n.endif \"\"\na\n", &["4 a"]), // an empty word ends the arguments
    ] {
        let found = read(source.as_bytes());
        assert_eq!(found.lines, want, "{source:?}");
        assert_eq!(found.said, [], "{source:?}");
    }
}

#[test]
fn faults_are_told_and_some_end_the_file_or_the_run() {
    use Severity::{Alert, Diag, Notice, Warning};
    /// How far reading goes on.
    #[derive(Debug, PartialEq)]
    enum Goes {
        On,
        ToNextFile,
        Nowhere,
    }
    use Goes::{Nowhere, On, ToNextFile};
    let deep = ".if 1\n".repeat(100);
    for (source, said, goes) in [
        ("\"\n", &[(Alert, 1)][..], On),
        (".if 0\n\"\n.endif\n", &[(Alert, 2)], On), // also where lines do not count
        (".diag d\n.notice n\n.warning w\n", &[(Diag, 1), (Notice, 2), (Warning, 3)], On),
        (".notice\n.notice a \"\" b\n", &[(Notice, 1), (Notice, 2)], On),
        (".notice a b\n", &[(Alert, 1)], On),
        (".alert a\n", &[(Alert, 1)], Nowhere),
        (".foo\n", &[(Alert, 1)], ToNextFile),
        (".if 1\n.foo\n", &[(Alert, 2), (Alert, 2)], Nowhere), // the block is open still
        ("a\0b\n", &[(Alert, 1)], ToNextFile),
        (".endif\n", &[(Alert, 1)], Nowhere),
        (".else\n", &[(Alert, 1)], Nowhere),
        (".elif 1\n", &[(Alert, 1)], Nowhere),
        (".if 1\n.if a(\n", &[(Alert, 2)], Nowhere),
        (".if 1\n.else\n.else\n", &[(Alert, 3)], Nowhere),
        (".if 1\n.else\n.elif 1\n", &[(Alert, 3)], Nowhere),
        (".if 1\n.else x\n", &[(Alert, 2), (Alert, 2)], Nowhere),
        (".if 0\n.endif x\n", &[(Alert, 2), (Alert, 2)], Nowhere),
        (&deep, &[(Alert, 100)], Nowhere),
    ] {
        let found = read(format!("{source}end\n").as_bytes());
        assert_eq!(found.said, said, "{source:?}");
        let ended = found.lines.last().is_none_or(|line| !line.ends_with("end"));
        let went = if found.ends_run {
            Nowhere
        } else if ended {
            ToNextFile
        } else {
            On
        };
        assert_eq!(went, goes, "{source:?}");
    }
    assert_eq!(read(b".if 1\na\n").said, [(Alert, 2)], "an open block is told on the last line");
}

#[test]
fn damaged_files_are_told() {
    use Severity::{Alert, Warning};
    for (source, lines, said) in [
        (&b"a\nb"[..], &["1 a", "2 b"][..], &[(Alert, 2)][..]), // may have been cut off; read all the same
        (b" ", &[], &[(Alert, 1)]),
        (b"\0", &[], &[(Alert, 1)]),
        (b"a\0b\nc\n", &["1 a"], &[(Alert, 1)]),
        (b"a b\rc\nd\r\n", &["1 a|b", "2 d"], &[(Warning, 1)]), // haproxy is silent about what is lost
        (b"a\r\r \n", &["1 a"], &[]),
        (b"\"a\r\n", &[], &[(Alert, 1)]),
        (b"a \\x00b\n", &["1 a|"], &[(Warning, 1)]),
        (b"\"$UNSET\"\n\"\" a\n", &[], &[(Warning, 2)]),
    ] {
        let found = read(source);
        assert_eq!(
            (found.lines, found.said),
            (lines.iter().map(|l| String::from(*l)).collect(), said.to_vec()),
            "{}",
            source.escape_ascii()
        );
    }
}

#[test]
fn any_bytes_are_read() {
    bolero::check!().for_each(|source| {
        let mut sources = SourceMap::default();
        let file = sources.add(String::from("t.cfg"), source);
        let world = TestWorld::with_env(&[("L", "v1 v2 "), ("E", "")]);
        let mut reader = Reader::new(file, sources.get(file).expect("just added"));
        let mut diagnostics = Vec::new();
        let lines = source.iter().filter(|byte| **byte == b'\n').count() + 1;
        while let Some(line) = reader.next_line(&world, b"s", &mut diagnostics) {
            assert!((1..=words::MOST_WORDS).contains(&line.words.len()));
            let text = sources.line(line.span).expect("a line that exists");
            for word in &line.words {
                assert!(word.span.start < word.span.end && word.span.end as usize <= text.len());
                assert!(!word.bytes.contains(&0));
            }
        }
        for said in diagnostics {
            assert!(said.span.is_some_and(|span| (1..=lines).contains(&(span.line as usize))));
        }
    });
}

/// Ten times the bytes may take ten times as long, and what the machine adds; not a hundred times.
#[test]
fn reading_takes_time_in_proportion() {
    /// A source of so many bytes.
    type Shape = fn(usize) -> Vec<u8>;
    let shapes: &[(&str, Shape)] = &[
        ("word", |n| vec![b'x'; n]),
        ("escapes", |n| b"\\ ".repeat(n / 2)),
        ("quotes", |n| b"''\"\"".repeat(n / 4)),
        ("variables", |n| [&b"\""[..], &b"${L[*]}".repeat(n / 7), b"\""].concat()),
        ("words", |n| b"a ".repeat(n / 2)),
        ("open", |n| [&b"\""[..], &vec![b'\\'; n]].concat()),
        ("condition", |n| [&b".if "[..], &b"!".repeat(n)].concat()),
        ("lines", |n| b".if 1\na\n.endif\n".repeat(n / 15)),
    ];
    for (name, shape) in shapes {
        let time = |size: usize| {
            let mut source = shape(size);
            source.push(b'\n');
            // The fastest of three: other processes only ever add.
            (0..3).map(|_| clock(&source)).min().unwrap_or_default()
        };
        let (small, large) = (time(20_000), time(200_000));
        let allowed = small * 40 + Duration::from_millis(200);
        assert!(large < allowed, "{name}: {small:?} for 20 kB, {large:?} for 200 kB");
    }
}

fn clock(source: &[u8]) -> Duration {
    let before = Instant::now();
    drop(read_in(&mut TestWorld::with_env(&[("L", "a b c")]), source));
    before.elapsed()
}
