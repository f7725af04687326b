//! `option httpchk` and `http-check …`. Source: manual §4.2; what is an error asked of 2.6.12.

use super::rules::Talk;
use super::{CheckKind, RequestDraft, Rule, connect, expect, format, variables};
use crate::lower::args::{Args, Given};
use crate::lower::draft::ProxyDraft;
use crate::lower::error::{LowerError, Lowered};
use crate::text::Diagnostic;

/// `option httpchk [<method>] [<uri>] [<version>]`: one word is a URI. Header fields and a body may hide behind the
/// version; haproxy reads them, and warns.
pub fn option(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let words: Vec<Given<'_>> =
        std::iter::from_fn(|| args.next_word().filter(|word| !word.bytes.is_empty())).take(4).collect();
    if let Some(extra) = words.get(3) {
        return Err(extra.blame(LowerError::Extra { keyword: args.keyword(), text: extra.text() }));
    }
    let mut request = RequestDraft::default();
    let uri = match words.len() {
        0 => None,
        1 => words.first(),
        _ => {
            request.method = words.first().map(|word| word.bytes.to_vec());
            words.get(1)
        }
    };
    request.uri = uri.map(|word| word.text().into());
    if let Some(version) = words.get(2) {
        match memchr::memmem::find(version.bytes, b"\r\n") {
            None => request.version = Some(version.bytes.to_vec()),
            Some(end) => {
                request.version = Some(version.bytes[..end].to_vec());
                hidden(&mut request, version, &version.bytes[end + 2..])?;
                let message = "header fields and bodies behind the version are an old form";
                args.say(Diagnostic::warning(version.span, message).hint("write 'http-check send hdr <name> <value>'"));
            }
        }
    }
    proxy.set.checks.http.begin();
    proxy.set.checks.request = Some(request);
    proxy.set.checks.choose(CheckKind::Http);
    Ok(())
}

/// Reads what stands behind the version: header fields, and behind an empty line a body.
fn hidden(request: &mut RequestDraft, word: &Given<'_>, mut rest: &[u8]) -> Lowered {
    let wrong = || word.blame(LowerError::Misplaced("what stands behind the version is not 'name: value' lines"));
    while !rest.is_empty() {
        let end = memchr::memmem::find(rest, b"\r\n");
        let (line, behind) = end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + 2..]));
        if line.is_empty() {
            request.body = Some(String::from_utf8_lossy(behind).into_owned().into()).filter(|_| !behind.is_empty());
            return Ok(());
        }
        let colon = line.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0).ok_or_else(wrong)?;
        let value = String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned();
        request.headers.push((line[..colon].to_vec(), value.into()));
        rest = behind;
    }
    Ok(())
}

fn add(proxy: &mut ProxyDraft, args: &Args<'_>, rule: Rule) -> Lowered {
    let checks = &mut proxy.set.checks;
    if checks.http.begin() {
        checks.inherited_request = checks.request.take().unwrap_or_default(); // it goes with the rules of its defaults
    }
    checks.http.add(rule, args.span());
    Ok(())
}

/// `http-check comment <text>`.
pub fn comment_rule(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let text = args.string("a comment")?;
    add(proxy, args, Rule::Comment(text))
}

/// `http-check disable-on-404`.
pub fn disable_on_404(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    proxy.set.checks.disable_on_404 = true;
    Ok(())
}

/// `http-check send-state`.
pub fn send_state(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    proxy.set.checks.send_state = true;
    Ok(())
}

/// `http-check connect …`: at the beginning, or behind an expectation.
pub fn connect_rule(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = connect::read(args)?;
    let mut talks = proxy.set.checks.http.talks();
    let wrong = match (talks.next(), talks.next_back()) {
        (None, _) | (Some(Talk::Connect), Some(Talk::Expect)) => None,
        (Some(Talk::Connect), _) => Some("an 'expect' is missing before this 'connect'"),
        _ => Some("the first step must be a 'connect', too, when there is one"),
    };
    drop(talks);
    match wrong {
        Some(wrong) => Err(args.blame_keyword(LowerError::Misplaced(wrong))),
        None => add(proxy, args, rule),
    }
}

/// `http-check send [meth <method>] [uri <uri>] [uri-lf <text>] [ver <version>] [hdr <name> <text>]… [body <text>] …`.
pub fn send(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let mut request = RequestDraft::default();
    let mut comment = None;
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        match word.bytes {
            b"meth" => request.method = Some(args.word("a method")?.bytes.to_vec()),
            b"uri" => request.uri = Some(args.word("a URI")?.text().into()),
            b"uri-lf" => request.uri = Some(format(&args.word("a URI")?, args)?),
            b"ver" => request.version = Some(args.word("a version")?.bytes.to_vec()),
            b"hdr" => {
                let name = args.word("a name and a value")?.bytes.to_vec();
                let value = format(&args.word("a name and a value")?, args)?;
                request.headers.push((name, value));
            }
            b"body" => request.body = Some(args.word("a body")?.text().into()),
            b"body-lf" => request.body = Some(format(&args.word("a body")?, args)?),
            b"comment" => comment = Some(args.string("a comment")?),
            _ => {
                let choices = &["meth", "uri", "uri-lf", "ver", "hdr", "body", "body-lf", "comment"];
                return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
            }
        }
    }
    if proxy.set.checks.http.talks().next_back().is_some_and(|last| last != Talk::Connect) {
        let wrong = LowerError::Misplaced("a 'connect' is missing before this 'send': a connection has one request");
        return Err(args.blame_keyword(wrong));
    }
    add(proxy, args, Rule::Request(Box::new(request), comment))
}

/// `http-check expect …`.
pub fn expect_rule(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    const WORDS: &[&str] =
        &["status", "rstatus", "hdr", "fhdr", "string", "rstring", "string-lf", "min-recv", "comment"];
    let rule = expect::read(expect::http_pattern, WORDS, args)?;
    if proxy.set.checks.http.talks().next_back() == Some(Talk::Connect) {
        return Err(args.blame_keyword(LowerError::Misplaced("a 'send' is missing before this 'expect'")));
    }
    add(proxy, args, rule)
}

/// `http-check set-var(<name>) <expression>`.
pub fn set_var(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = variables::set(args)?;
    add(proxy, args, rule)
}

/// `http-check set-var-fmt(<name>) <text with expressions>`.
pub fn set_var_format(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = variables::set_format(args)?;
    add(proxy, args, rule)
}

/// `http-check unset-var(<name>)`.
pub fn unset_var(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = variables::unset(args)?;
    add(proxy, args, rule)
}
