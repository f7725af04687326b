//! `acl` lines, and the conditions of rules: `if`, `unless`, named ACLs and those between braces.
//!
//! Built are the criteria that a page needs (`path…`, `src`) and the ACLs `TRUE`, `FALSE` and `LOCALHOST`; everything else
//! is refused by name. Source: configuration manual §7.1, §7.2, §7.4; what is an error was asked of 2.6.12.

use std::sync::Arc;

use super::args::{Args, Given};
use super::draft::ProxyDraft;
use super::error::{Blame, LowerError, Lowered};
use crate::expr::Regex;
use crate::expr::page_condition::{Condition, How, Network, Patterns, Term, Test};
use crate::grammar::SectionKind;
use crate::text::Diagnostic;

/// The ACLs of a section by name: the lines of each, in order.
pub type Acls = Vec<(String, Vec<Test>)>;

fn not_yet(word: &Given<'_>, what: &str) -> Blame {
    word.blame(LowerError::NotYet { what: format!("{what} '{}' in an ACL", word.text()) })
}

/// `acl <name> <criterion> [flags] [patterns]`: several lines of a name are alternatives.
pub fn acl(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    in_named_defaults(proxy, args)?;
    let word = args.word("the name of an ACL")?;
    let wrong = word.bytes.iter().find(|byte| !byte.is_ascii_alphanumeric() && !b"-_.:".contains(byte));
    if let Some(byte) = wrong {
        return Err(word.blame(LowerError::Name { text: word.text(), byte: *byte }));
    }
    if word.bytes == b"or" {
        return Err(word.blame(LowerError::Misplaced("'or' divides alternatives: an ACL of that name never matches")));
    }
    let criterion = args.word("a criterion, such as 'path'")?;
    let mut words = Vec::new();
    while let Some(word) = args.next_word() {
        words.push(word);
    }
    let test = match test(criterion, &words, args) {
        // Nothing acts in a disabled proxy: told when that is known.
        Err(blame) if matches!(blame.error, LowerError::NotYet { .. }) => {
            proxy.set.unbuilt_acls.push(blame);
            Test::Always(false)
        }
        test => test?,
    };
    let name = word.text();
    match proxy.set.acls.iter_mut().find(|(known, _)| *known == name) {
        Some((_, tests)) => tests.push(test),
        None => proxy.set.acls.push((name, vec![test])),
    }
    Ok(())
}

/// Rules and ACLs may stand in defaults that have a name.
///
/// # Errors
/// These have none.
pub(super) fn in_named_defaults(proxy: &ProxyDraft, args: &Args<'_>) -> Lowered {
    if proxy.kind == SectionKind::Defaults && proxy.name.is_empty() {
        return Err(args.blame_keyword(LowerError::Misplaced("needs a 'defaults' section with a name")));
    }
    Ok(())
}

/// What is left of a rule: nothing, or `if` or `unless` and a condition.
///
/// # Errors
/// Another word, an unknown ACL, a criterion that is not built, braces without an end.
pub(super) fn rest(proxy: &ProxyDraft, args: &mut Args<'_>) -> Lowered<Option<Condition>> {
    let unless = match args.next_word() {
        None => return Ok(None),
        Some(word) => match word.bytes {
            b"" => return Ok(None),
            b"if" => false,
            b"unless" => true,
            _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["if", "unless"] })),
        },
    };
    let mut any = vec![Vec::new()];
    let mut negated = false;
    while let Some(word) = args.next_word() {
        let (bangs, name) = match word.bytes.iter().position(|byte| *byte != b'!') {
            Some(at) => (at, &word.bytes[at..]),
            None => (word.bytes.len(), &word.bytes[..0]),
        };
        negated ^= bangs % 2 == 1;
        let tests = match name {
            b"" if bangs > 0 => continue,
            b"" => break,
            b"or" | b"||" => {
                any.push(Vec::new());
                negated = false;
                continue;
            }
            b"{" => braces(&word, args)?,
            _ => named(proxy, &word, name)?,
        };
        if let Some(terms) = any.last_mut() {
            terms.push(Term { negated: std::mem::take(&mut negated), tests });
        }
    }
    Ok(Some(Condition { unless, any }))
}

/// The ACL between braces.
fn braces(open: &Given<'_>, args: &mut Args<'_>) -> Lowered<Arc<[Test]>> {
    let mut words = Vec::new();
    loop {
        match args.next_word() {
            None | Some(Given { bytes: b"", .. }) => {
                return Err(open.blame(LowerError::Misplaced("this brace has no '}' behind it")));
            }
            Some(Given { bytes: b"}", .. }) => break,
            Some(word) => words.push(word),
        }
    }
    match words.split_first() {
        Some((criterion, words)) => Ok([test(*criterion, words, args)?].into()),
        None => Err(open.blame(LowerError::Misplaced("there is no criterion between these braces"))),
    }
}

/// An ACL by its name: one of the section's above this line, or one that is always there.
fn named(proxy: &ProxyDraft, word: &Given<'_>, name: &[u8]) -> Lowered<Arc<[Test]>> {
    let text = String::from_utf8_lossy(name);
    if let Some((_, tests)) = proxy.set.acls.iter().find(|(known, _)| *known == text) {
        return Ok(tests.clone().into());
    }
    let loopback = || ["127.0.0.0/8", "::1"].iter().filter_map(|text| Network::parse(text)).collect();
    match name {
        b"TRUE" => Ok([Test::Always(true)].into()),
        b"FALSE" => Ok([Test::Always(false)].into()),
        b"LOCALHOST" => Ok([Test::Source(loopback())].into()),
        b"HTTP" | b"HTTP_1.0" | b"HTTP_1.1" | b"HTTP_2.0" | b"HTTP_3.0" | b"HTTP_CONTENT" | b"HTTP_URL_ABS"
        | b"HTTP_URL_SLASH" | b"HTTP_URL_STAR" | b"RDP_COOKIE" | b"REQ_CONTENT" | b"WAIT_END" => {
            Err(not_yet(word, "the predefined ACL"))
        }
        _ if name.starts_with(b"METH_") => Err(not_yet(word, "the predefined ACL")),
        _ => Err(word.blame(LowerError::UnknownAcl { name: text.into_owned() })),
    }
}

/// A criterion with its flags and patterns.
fn test(criterion: Given<'_>, words: &[Given<'_>], args: &mut Args<'_>) -> Lowered<Test> {
    let path = match criterion.bytes {
        b"path" | b"path_str" => Some("str"),
        b"path_beg" => Some("beg"),
        b"path_end" => Some("end"),
        b"path_sub" => Some("sub"),
        b"path_dir" => Some("dir"),
        b"path_reg" => Some("reg"),
        b"src" => None,
        _ => return Err(not_yet(&criterion, "the criterion")),
    };
    let mut any_case = false;
    let mut how = path.unwrap_or("ip").to_owned();
    let mut words = words.iter().take_while(|word| !word.bytes.is_empty()).peekable();
    while let Some(flag) = words.next_if(|word| word.bytes.starts_with(b"-")) {
        match flag.bytes {
            b"--" => break,
            b"-i" => any_case = true,
            b"-n" => {} // no name is ever looked up
            b"-m" => match words.next() {
                Some(word) => match word.bytes {
                    b"str" | b"beg" | b"end" | b"sub" | b"dir" | b"reg" | b"found" if path.is_some() => {
                        how = word.text();
                    }
                    b"ip" if path.is_none() => {}
                    _ => return Err(not_yet(word, "the way to match")),
                },
                None => return Err(flag.blame(LowerError::Misplaced("'-m' needs the way to match behind it"))),
            },
            _ => return Err(not_yet(flag, "the flag")),
        }
    }
    let words: Vec<&Given<'_>> = words.collect();
    if words.is_empty() && how != "found" {
        let message = "an ACL without a pattern never matches";
        args.say(
            Diagnostic::warning(criterion.span, message).resolved().hint("say what it is to match, or '-m found'"),
        );
    }
    if path.is_none() {
        let network = |word: &&Given<'_>| {
            Network::parse(&word.text()).ok_or_else(|| not_yet(word, "what is no address and no network,"))
        };
        return Ok(Test::Source(words.iter().map(network).collect::<Lowered<_>>()?));
    }
    let bytes = || words.iter().map(|word| word.bytes.to_vec()).collect();
    let how = match how.as_str() {
        "found" => How::Found,
        "beg" => How::Begin(bytes()),
        "end" => How::End(bytes()),
        "sub" => How::Sub(bytes()),
        "dir" => How::Dir(bytes()),
        "reg" => {
            let regex = |word: &&Given<'_>| {
                let compiled = if any_case { Regex::any_case(word.bytes) } else { Regex::new(word.bytes) };
                compiled.map_err(|why| word.blame(LowerError::Regex { text: word.text(), why }))
            };
            How::Regex(words.iter().map(regex).collect::<Lowered<_>>()?)
        }
        _ => How::Whole(bytes()),
    };
    Ok(Test::Path(Patterns { any_case, how }))
}
