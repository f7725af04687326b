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
        (Backend, "http-check set-var(check.a) int(1)", ("http-check set-var", 2)), // its argument is part of the word
        (Backend, "tcp-request content accept if x", ("tcp-request content accept", 3)),
        (Frontend, "tcp-request content set-var(sess.a) src", ("tcp-request content", 2)),
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
        (Listen, "daemon", "0: 'daemon' is not allowed in a 'listen' section; it may stand in 'global'"),
        (Listen, "nameserver a", "0: 'nameserver' is not allowed in a 'listen' section; it may stand in 'resolvers'"),
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

#[test]
fn an_option_is_found_within_its_line() {
    for (line, text, at, want) in [
        (OptionLine::Server, "server a 1.1.1.1 weight 5", 3, Ok("weight")),
        (OptionLine::Bind, "bind :80 v4v6", 2, Ok("v4v6")),
        (
            OptionLine::Server,
            "server a 1.1.1.1 wieght 5",
            3,
            Err("3: 'server' knows no option 'wieght'; did you mean 'weight'?"),
        ),
        (OptionLine::Bind, "bind :80 check", 2, Err("2: 'bind' knows no option 'check'; ")),
        (OptionLine::Server, "server a 1.1.1.1 inter", 3, Err("3: 'inter' needs one argument; usage: inter <time>")),
        (
            OptionLine::DefaultServer,
            "default-server id 5",
            1,
            Err("1: 'id' is not an option of 'default-server'; it is an option of 'server' and 'server-template'"),
        ),
    ] {
        let got = option(line, &words(text), at).map(|row| row.keyword);
        let got = got.map_err(|error| format!("{}: {error}; {}", error.at(), error.hint().unwrap_or_default()));
        assert_eq!(got, want.map_err(str::to_owned), "{text}");
    }
}

#[test]
fn a_line_outside_of_a_section_and_a_section_line_are_judged() {
    let error = outside(&words("lisen a"));
    assert_eq!(error.to_string(), "'lisen' stands outside of any section");
    assert_eq!(error.hint().as_deref(), Some("did you mean 'listen'?"));
    for (line, want) in [
        ("global", Ok("global")),
        ("global x", Err("'global' takes no argument; 'x' is too many")),
        ("listen", Err("'listen' needs at least one argument")),
        ("peers", Err("'peers' needs one argument")),
        ("defaults a from b", Ok("defaults")),
    ] {
        let words = words(line);
        let kind = section(&words).expect(line);
        let got = section_line(kind, &words).map(|row| row.keyword).map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned), "{line}");
    }
}

#[test]
fn what_has_no_effect_is_said_as_haproxy_says_it() {
    use crate::text::Severity;
    for (line, section, want) in [
        ("maxconn 5", SectionKind::Backend, Severity::Warning),
        ("unique-id-header x", SectionKind::Backend, Severity::Diag),
        ("server a 1.1.1.1", SectionKind::Frontend, Severity::Alert),
        ("maxconn", SectionKind::Backend, Severity::Alert), // what is wrong with it comes first
    ] {
        let words = words(line);
        let said = statement(section, &words).expect_err(line).diagnostic(&words);
        assert_eq!((said.severity, said.counts), (want, true), "{line}");
        assert!(said.span.is_some(), "{line}");
    }
}

#[test]
fn a_word_of_the_past_says_what_to_write() {
    for (keyword, want) in [
        ("clitimeout", Some("use 'timeout client'")),
        ("timeout client", None), // of today
        ("reqadd", None),         // of the past, and not built: not translated
    ] {
        assert_eq!(row(Kind::Proxy, keyword).and_then(Row::translated), want, "{keyword}");
    }
}

#[test]
fn every_row_takes_as_many_words_as_it_says() {
    for section in SectionKind::ALL {
        for row in rows(section.kind()).iter().filter(|row| row.places.has(section.bit())) {
            for given in 0..6 {
                let line = row.keyword.to_owned() + &" x".repeat(given);
                let fits = given >= usize::from(row.arity.min) && row.arity.max.is_none_or(|max| given <= max.into());
                let words = words(&line);
                match statement(section, &words) {
                    Ok(found) => {
                        assert!(fits && std::ptr::eq(found.row, row) && found.args + given == words.len(), "{line}")
                    }
                    Err(GrammarError::TooFew { .. } | GrammarError::TooMany { .. }) => assert!(!fits, "{line}"),
                    Err(error) => panic!("{line}: {error}"),
                }
            }
        }
    }
}

#[test]
fn no_line_is_too_strange() {
    bolero::check!().with_type::<(u8, Vec<Vec<u8>>)>().for_each(|(pick, bytes)| {
        let span = Span::line(FileId(0), 1);
        let words: Vec<_> = bytes.iter().map(|word| Word { bytes: Cow::Borrowed(word), span }).collect();
        let section = SectionKind::ALL[usize::from(*pick) % SectionKind::ALL.len()];
        if let Err(error) = statement(section, &words) {
            assert!(error.at() <= words.len());
            assert!(!error.to_string().is_empty());
            let _ = error.diagnostic(&words);
        }
        let _ = section_line(section, &words).map_err(|error| error.diagnostic(&words));
        let _ = outside(&words).hint();
        for at in 0..=words.len() {
            let _ = option(OptionLine::Server, &words, at).map_err(|error| error.diagnostic(&words));
        }
    });
}
