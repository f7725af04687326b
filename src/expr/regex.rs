//! Regular expressions over bytes, written as haproxy's users write them: for PCRE.
//!
//! The engine is the crate `regex`, whose time is bounded. What it has not (back references, look-around) goes to
//! `fancy-regex`, which tries at most [`MOST_STEPS`] ways and then says that nothing matches. Where PCRE reads a pattern
//! and means something different it is rewritten: see [`translated`].
//! Source: meanings observed on 2.6.12 (built with PCRE2).

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use regex::bytes::{Regex as Engine, RegexBuilder};
use regex_syntax::ParserBuilder;
use thiserror::Error;

/// How many steps a pattern with look-around or back references may take.
const MOST_STEPS: usize = 200_000;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct Regex {
    pattern: Box<[u8]>,
    any_case: bool,
    engine: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Plain(Plain),
    /// It reads text only: each byte becomes the character of its number.
    Fancy(Arc<fancy_regex::Regex>),
}

/// A pattern that was read, and what it is compiled to when it is first needed. Only one that surely compiles waits for that.
#[derive(Debug, Clone)]
struct Plain {
    text: Box<str>,
    any_case: bool,
    engine: OnceLock<Option<Engine>>,
}

impl Plain {
    fn engine(&self) -> Option<&Engine> {
        self.engine.get_or_init(|| build(&self.text, self.any_case).ok()).as_ref()
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        (&self.pattern, self.any_case) == (&other.pattern, other.any_case)
    }
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum RegexError {
    /// Bytes that are no text.
    #[error("a regular expression must be UTF-8")]
    Bytes,
    /// The engine refuses it.
    #[error("not a regular expression, or one of a kind that is not built: {why}")]
    Syntax {
        /// What the engine says.
        why: String,
    },
}

impl Regex {
    /// Compiles a pattern. A dot is one byte and no line feed.
    ///
    /// # Errors
    /// [`RegexError`].
    pub fn new(pattern: &[u8]) -> Result<Self, RegexError> {
        Self::compile(pattern, false)
    }

    /// The same, and case does not count.
    ///
    /// # Errors
    /// [`RegexError`].
    pub fn any_case(pattern: &[u8]) -> Result<Self, RegexError> {
        Self::compile(pattern, true)
    }

    /// One of many: it is read now, and compiled when it is first needed, which costs about 0.1 ms then. One that may be too large,
    /// because it repeats something by number, is compiled now.
    ///
    /// # Errors
    /// [`RegexError`].
    pub fn one_of_many(pattern: &[u8], any_case: bool) -> Result<Self, RegexError> {
        let read = std::str::from_utf8(pattern).ok().filter(|text| !text.contains('{')).map(translated);
        let mut parser = ParserBuilder::new();
        parser.unicode(false).utf8(false).case_insensitive(any_case);
        match read.filter(|text| parser.build().parse(text).is_ok()) {
            Some(text) => {
                let plain = Plain { text: text.into(), any_case, engine: OnceLock::new() };
                Ok(Self { pattern: pattern.into(), any_case, engine: Kind::Plain(plain) })
            }
            None => Self::compile(pattern, any_case),
        }
    }

    /// Compiles it, if that was not done yet.
    pub(super) fn prepare(&self) {
        if let Kind::Plain(plain) = &self.engine {
            plain.engine();
        }
    }

    fn compile(pattern: &[u8], any_case: bool) -> Result<Self, RegexError> {
        let text = std::str::from_utf8(pattern).map_err(|_| RegexError::Bytes)?;
        let pattern_text = translated(text);
        let engine = match build(&pattern_text, any_case) {
            Ok(engine) => {
                let engine = OnceLock::from(Some(engine));
                Kind::Plain(Plain { text: pattern_text.into(), any_case, engine })
            }
            Err(why) => {
                let why = RegexError::Syntax { why: last_line(&why.to_string()) };
                Kind::Fancy(Arc::new(fancy(&pattern_text, any_case).ok_or(why)?))
            }
        };
        Ok(Self { pattern: pattern.into(), any_case, engine })
    }

    /// Whether it matches anywhere.
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.engine {
            Kind::Plain(plain) => plain.engine().is_some_and(|engine| engine.is_match(text)),
            // Too many steps: no match.
            Kind::Fancy(engine) => engine.is_match(&latin(text)).unwrap_or(false),
        }
    }

    /// The places of the first match from this byte on, and of its groups; `None`: there is none.
    pub fn groups_at(&self, text: &[u8], at: usize) -> Option<Vec<Option<Range<usize>>>> {
        if at > text.len() {
            return None;
        }
        match &self.engine {
            Kind::Plain(plain) => {
                let groups = plain.engine()?.captures_at(text, at)?;
                Some(groups.iter().map(|group| group.map(|group| group.range())).collect())
            }
            Kind::Fancy(engine) => {
                let characters = latin(text);
                // A byte below 128 is one byte of text, another one two.
                let wide = |end: usize| end + text[..end].iter().filter(|byte| !byte.is_ascii()).count();
                let groups = engine.captures_from_pos(&characters, wide(at)).ok()??;
                let back = |place: usize| characters.get(..place).map_or(0, |text| text.chars().count());
                let range = |group: fancy_regex::Match<'_>| back(group.start())..back(group.end());
                Some(groups.iter().map(|group| group.map(range)).collect())
            }
        }
    }

    /// The pattern as the plain engine reads it, if that is the one it needs.
    pub(super) fn plain_pattern(&self) -> Option<&str> {
        match &self.engine {
            Kind::Plain(plain) => Some(&plain.text),
            Kind::Fancy(_) => None,
        }
    }
}

fn build(pattern: &str, any_case: bool) -> Result<Engine, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).case_insensitive(any_case).build()
}

/// Each byte as the character of its number.
fn latin(text: &[u8]) -> String {
    text.iter().map(|byte| char::from(*byte)).collect()
}

fn fancy(pattern: &str, any_case: bool) -> Option<fancy_regex::Regex> {
    let mut builder = fancy_regex::RegexBuilder::new(&latin(pattern.as_bytes()));
    builder.case_insensitive(any_case).backtrack_limit(MOST_STEPS).build().ok()
}

/// The engine's reason without its picture of the pattern.
fn last_line(why: &str) -> String {
    let line = why.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// The pattern as the engine must read it to mean what PCRE means.
///
/// A `$` matches before a last line feed, too; a `{` that begins no repetition is itself; so are `[`, `&&`, `--` and
/// `~~` within a class, and `\<` and `\>` anywhere.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.char_indices().peekable();
    let mut class: Option<usize> = None;
    while let Some((at, c)) = chars.next() {
        let rest = &pattern[at + c.len_utf8()..];
        match c {
            '\\' => match chars.next() {
                Some((_, c @ ('<' | '>'))) => out.push(c),
                Some((_, escaped)) => out.extend(['\\', escaped]),
                None => out.push('\\'),
            },
            '[' if class.is_none() => {
                class = Some(at);
                out.push('[');
                if rest.starts_with('^') {
                    out.push('^');
                    chars.next();
                }
                if let Some((_, ']')) = chars.peek() {
                    out.push_str("\\]");
                    chars.next();
                }
            }
            '[' if rest.starts_with(':') => match rest.find(":]") {
                Some(end) => {
                    out.push('[');
                    out.push_str(&rest[..end + 2]);
                    while chars.peek().is_some_and(|(next, _)| *next < at + 1 + end + 2) {
                        chars.next();
                    }
                }
                None => out.push_str("\\["),
            },
            '[' => out.push_str("\\["),
            ']' if class.is_some() => {
                class = None;
                out.push(']');
            }
            '&' | '~' if class.is_some() => out.extend(['\\', c]),
            '-' if class.is_some() && rest.starts_with('-') => out.push_str("\\-"),
            '$' if class.is_none() => out.push_str("(?:\\n?\\z)"),
            '{' if class.is_none() && !repeats(rest) => out.push_str("\\{"),
            '}' if class.is_none() && !closes(&pattern[..at]) => out.push_str("\\}"),
            _ => out.push(c),
        }
    }
    out
}

/// Whether a `{` before this text begins a repetition.
fn repeats(rest: &str) -> bool {
    let Some((inner, _)) = rest.split_once('}') else { return false };
    let (from, to) = inner.split_once(',').unwrap_or((inner, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !from.is_empty() && digits(from) && digits(to)
}

/// Whether a `}` behind this text ends a repetition.
fn closes(before: &str) -> bool {
    before.rfind('{').is_some_and(|open| repeats(&format!("{}}}", &before[open + 1..])))
        // `\x{41}` and its like
        || before.rfind('{').is_some_and(|open| before[..open].ends_with("\\x") || before[..open].ends_with("\\p"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_pcre_means() {
        for (pattern, text, want) in [
            ("^a.c$", &b"abc"[..], true),
            ("^a.c$", b"abc\n", true), // before the last line feed
            ("^a.c$", b"abc\n\n", false),
            ("a.c", b"a\nc", false),
            ("a.c", b"a\xe9c", true),
            ("^b", b"a\nb", false), // one line
            ("{\"status\":\"UP\"}", b"{\"status\":\"UP\"}", true),
            ("^x{2}$", b"xx", true),
            ("x{2,}", b"x", false),
            ("a{,2}b", b"a{,2}b", true),
            ("^[[]$", b"[", true),
            ("^[]a]+$", b"]a", true),
            ("^[^]]$", b"]", false),
            ("^[[:digit:]&&x]+$", b"5&x", true),
            ("\\<a\\>", b"<a>", true),
            ("\\d+\\.\\d", b"12.5", true),
            ("(2..|3..)", b"HTTP/1.1 302", true),
            ("(?i)ok", b"OK", true),
            ("[$]", b"$", true),
            ("\\$", b"$", true),
        ] {
            let regex = Regex::new(pattern.as_bytes()).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            assert_eq!(regex.matches(text), want, "{pattern:?} on {text:?} as {:?}", translated(pattern));
        }
    }

    #[test]
    fn look_around_and_back_references() {
        for (pattern, text, want) in [
            ("foo(?=bar)", &b"foobar"[..], true),
            ("foo(?!bar)", b"foobar", false),
            ("(?<=a)x", b"\xe9ax", true),
            ("(ab)\\1", b"abab", true),
            ("(ab)\\1", b"abac", false),
            ("^(?!.*secret).*$", b"a secret", false),
            ("^(a+)+\\1$", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false), // cut off, and no match
        ] {
            let regex = Regex::new(pattern.as_bytes()).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            assert_eq!(regex.matches(text), want, "{pattern:?} on {:?}", text.escape_ascii().to_string());
        }
        let regex = Regex::new(b"(.)(?=b)").expect("a pattern");
        assert_eq!(regex.groups_at(b"\xe9\xe9b", 1), Some(vec![Some(1..2), Some(1..2)]));
    }

    #[test]
    fn what_no_engine_can_do_is_an_error() {
        for pattern in ["a(b", "[", "*a", "\\", "(?<=a", "(a)\\2"] {
            assert!(matches!(Regex::new(pattern.as_bytes()), Err(RegexError::Syntax { .. })), "{pattern}");
        }
        assert!(matches!(Regex::new(b"\xff"), Err(RegexError::Bytes)));
    }
}
