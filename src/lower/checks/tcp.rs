//! `option tcp-check` and `tcp-check …`. Source: manual §4.2; what is an error asked of 2.6.12.

use std::net::IpAddr;

use super::{CheckKind, Rule, comment, format, hex};
use crate::ir::check::{Act, CheckStatus, Connect, Expect, Pattern};
use crate::lower::address;
use crate::lower::args::{Args, Given, MOST};
use crate::lower::draft::ProxyDraft;
use crate::lower::error::{LowerError, Lowered};
use crate::units::address::Place;

/// `option tcp-check`.
pub fn option(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    proxy.set.checks.kind = CheckKind::Tcp;
    Ok(())
}

fn add(proxy: &mut ProxyDraft, args: &Args<'_>, rule: Rule) {
    proxy.set.checks.tcp.add(rule, args.span());
}

/// `tcp-check comment <text>`: what is told of the rule behind it when that fails.
pub fn comment_rule(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let text = args.string("a comment")?;
    add(proxy, args, Rule::Comment(text));
    Ok(())
}

/// `tcp-check send <text> [comment <text>]`.
pub fn send(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let bytes = args.word("a text to send")?.bytes.to_vec();
    let comment = comment(args)?;
    add(proxy, args, Rule::Act(Act::Send(bytes), comment));
    Ok(())
}

/// `tcp-check send-binary <hex> [comment <text>]`.
pub fn send_binary(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let bytes = hex(&args.word("bytes to send, in hexadecimal digits")?)?;
    let comment = comment(args)?;
    add(proxy, args, Rule::Act(Act::Send(bytes), comment));
    Ok(())
}

/// `tcp-check connect [default] [port <port>] [addr <ip>] [linger] [comment <text>] …`.
pub fn connect(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let mut connect = Connect::default();
    let mut comment = None;
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        match word.bytes {
            // what is not said here is the server's anyway
            b"default" => {}
            b"linger" => connect.linger = true,
            b"comment" => comment = Some(args.string("a comment")?),
            b"port" => connect.port = Some(port(args)?),
            b"addr" => {
                let (addr, port) = addr(args)?;
                (connect.addr, connect.addr_port) = (Some(addr), port);
            }
            b"send-proxy" | b"via-socks4" | b"ssl" | b"sni" | b"alpn" | b"proto" => {
                return Err(word.blame(LowerError::NotYet { what: format!("'tcp-check connect {}'", word.text()) }));
            }
            _ => {
                let choices = &["default", "port", "addr", "linger", "comment"];
                return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
            }
        }
    }
    if proxy.set.checks.tcp.forbid_connect() {
        let late = LowerError::Misplaced("the first step must be a 'connect', too, when there is one");
        return Err(args.blame_keyword(late).hint("add 'tcp-check connect' before the first 'send' or 'expect'"));
    }
    add(proxy, args, Rule::Act(Act::Connect(connect), comment));
    Ok(())
}

fn port(args: &mut Args<'_>) -> Lowered<u16> {
    let word = args.word("a port")?;
    if !word.bytes.iter().all(u8::is_ascii_digit) {
        return Err(word.blame(LowerError::NotYet { what: format!("an expression for a port: '{}'", word.text()) }));
    }
    let port = word.int(1, 65535)?;
    u16::try_from(port).map_err(|_| word.range(1, 65535))
}

/// An address, and the port that may stand with it.
fn addr(args: &mut Args<'_>) -> Lowered<(IpAddr, Option<u16>)> {
    let word = args.word("an IP address")?;
    let parsed = address::parse(&word, args)?;
    let port = parsed.plain_port().map_err(|why| address::fault(&word, why))?;
    match parsed.place {
        Place::Inet { family, host, .. } => {
            Ok((address::ip(&word, &host, family, args)?, port.filter(|port| *port > 0)))
        }
        _ => Err(address::not_yet(&word)),
    }
}

/// `tcp-check expect [options] [!] <match> <pattern>`.
pub fn expect(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.need("a pattern")?;
    let mut expect = Expect::new(Pattern::Text(Vec::new()));
    let (mut pattern, mut comment) = (None, None);
    while let Some(mut word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        while let (Some(rest), false) = (word.bytes.strip_prefix(b"!"), pattern.is_some()) {
            expect.negated = true;
            word = if rest.is_empty() { args.word("a pattern")? } else { Given { bytes: rest, ..word } };
        }
        let found = match word.bytes {
            b"comment" => {
                comment = Some(args.string("a comment")?);
                continue;
            }
            _ if option_of_expect(&mut expect, &word, args)? => continue,
            b"string" => Pattern::Text(args.word("a text to look for")?.bytes.to_vec()),
            b"binary" => Pattern::Binary(hex(&args.word("bytes to look for, in hexadecimal digits")?)?),
            b"rstring" | b"rbinary" | b"string-lf" | b"binary-lf" => {
                return Err(word.blame(LowerError::NotYet { what: format!("'tcp-check expect {}'", word.text()) }));
            }
            _ => {
                let choices =
                    &["string", "rstring", "string-lf", "binary", "rbinary", "binary-lf", "min-recv", "comment"];
                return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
            }
        };
        if pattern.replace(found).is_some() {
            return Err(word.blame(LowerError::Misplaced("a second pattern: an expectation has one")));
        }
    }
    expect.pattern = pattern.ok_or_else(|| args.missing("a pattern"))?;
    add(proxy, args, Rule::Act(Act::Expect(Box::new(expect)), comment));
    Ok(())
}

/// Reads an option that all expectations have; `false`: it is none.
fn option_of_expect(expect: &mut Expect, word: &Given<'_>, args: &mut Args<'_>) -> Lowered<bool> {
    match word.bytes {
        b"min-recv" => {
            let number = args.word("a number of bytes")?.lenient(-1, i64::from(MOST), args)?;
            expect.min_recv = u32::try_from(number).ok();
        }
        b"on-success" => expect.on_success = Some(format(&args.word("a text")?)?),
        b"on-error" => expect.on_error = Some(format(&args.word("a text")?)?),
        b"ok-status" => {
            use CheckStatus::{L4Ok, L6Ok, L7Ok, L7OkC};
            expect.ok = Some(status(args, &["L4OK", "L6OK", "L7OK", "L7OKC"], &[L4Ok, L6Ok, L7Ok, L7OkC])?);
        }
        b"error-status" => {
            use CheckStatus::{L4Con, L6Rsp, L7OkC, L7Rsp, L7Sts};
            let words = &["L7OKC", "L7RSP", "L7STS", "L6RSP", "L4CON"];
            expect.error = Some(status(args, words, &[L7OkC, L7Rsp, L7Sts, L6Rsp, L4Con])?);
        }
        b"tout-status" => {
            use CheckStatus::{L4Tout, L6Tout, L7Tout};
            expect.timeout = Some(status(args, &["L7TOUT", "L6TOUT", "L4TOUT"], &[L7Tout, L6Tout, L4Tout])?);
        }
        b"status-code" => {
            let word = args.word("an expression")?;
            return Err(word.blame(LowerError::NotYet { what: format!("'status-code {}'", word.text()) }));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn status(args: &mut Args<'_>, choices: &'static [&'static str], all: &[CheckStatus]) -> Lowered<CheckStatus> {
    let word = args.word("a status")?;
    let found = all.iter().find(|status| status.word().as_bytes() == word.bytes && choices.contains(&status.word()));
    found.copied().ok_or_else(|| word.blame(LowerError::Choice { text: word.text(), choices }))
}
