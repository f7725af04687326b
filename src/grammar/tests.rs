//! Lines against the tables: what is found, and what is said of the rest.

use std::borrow::Cow;

use super::*;
use crate::text::{FileId, Span};

fn words(line: &str) -> Vec<Word<'_>> {
    let span = Span::line(FileId(0), 1);
    line.split(' ').map(|word| Word { bytes: Cow::Borrowed(word.as_bytes()), span }).collect()
}

/// The keyword and the index of its first argument.
fn found(section: SectionKind, line: &str) -> Result<(&'static str, usize), String> {
    match statement(section, &words(line)) {
        Ok(statement) => Ok((statement.row.keyword, statement.args)),
        Err(error) => Err(format!("{}: {error}; {}", error.at(), error.hint().unwrap_or_default())),
    }
}

#[test]
fn the_longest_keyword_wins() {
    use SectionKind::*;
    for (section, line, want) in [
        (Global, "daemon", ("daemon", 1)),
        (Listen, "mode tcp", ("mode", 1)),
        (Frontend, "timeout client 5s", ("timeout client", 2)),
        (Defaults, "no option dontlognull", ("option dontlognull", 3)), // the prefix counts as a word
    ] {
        assert_eq!(found(section, line), Ok(want), "{line}");
    }
}

#[test]
fn a_line_that_does_not_fit_blames_a_word() {
    use SectionKind::*;
    for (section, line, want) in [
        (Listen, "mdoe tcp", "0: unknown keyword 'mdoe' in section 'listen'; did you mean 'mode'?"),
        (Listen, "MODE tcp", "0: unknown keyword 'MODE' in section 'listen'; did you mean 'mode'?"),
        (Listen, "xyzzy", "0: unknown keyword 'xyzzy' in section 'listen'; "),
        (Listen, "timeout", "0: 'timeout' is not complete: it must be followed by a word; "),
        (
            Listen,
            "option dontlognul",
            "1: 'option' is not complete: it cannot be followed by 'dontlognul'; did you mean 'option dontlognull'?",
        ),
        (
            Backend,
            "timeout client 5s",
            "0: 'timeout client' has no effect in a 'backend' section; it may stand in 'defaults', 'frontend' and 'listen'",
        ),
        (Listen, "timeout client", "1: 'timeout client' needs one argument; usage: timeout client <time>"),
        (
            Listen,
            "timeout client 5s 6s",
            "3: 'timeout client' takes one argument; '6s' is too many; usage: timeout client <time>",
        ),
        (Listen, "no mode tcp", "0: 'no' cannot stand before 'mode'; "),
        (
            Global,
            "mode tcp",
            "0: 'mode' is not allowed in a 'global' section; it may stand in 'defaults', 'frontend', 'listen' and 'backend'",
        ),
    ] {
        assert_eq!(found(section, line), Err(want.to_owned()), "{line}");
    }
}

#[test]
fn a_word_is_shown_short_and_without_control_characters() {
    for (word, want) in [
        (&b"plain"[..], "plain".to_owned()),
        (b"tab\there", "tab\\there".to_owned()),
        (b"\xff\x00", "\\xff\\u{0}".to_owned()),
        ("，".as_bytes(), "，".to_owned()), // U+FF0C is shown as it is
        (&[b'a'; 100], "a".repeat(80) + "…"),
    ] {
        assert_eq!(shown(word), want);
    }
}
