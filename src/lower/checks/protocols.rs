//! The checks that speak a protocol: `option redis-check`, `smtpchk`, `mysql-check`, `pgsql-check`, `ldap-check`,
//! `ssl-hello-chk`.
//!
//! Each becomes a [`Script`]: what is sent, and a function that judges the answer. Bytes and judgements are those of
//! 2.6.12, asked with scripted servers (`fixtures/checks/protocols.txt`). Source: manual §4.2.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::CheckKind;
use crate::ir::check::{Act, CheckStatus, Connect, Expect, Finding, Judge, Opinion, Pattern, Script, Step, Telling};
use crate::lower::args::Args;
use crate::lower::draft::ProxyDraft;
use crate::lower::error::{LowerError, Lowered};

/// `option redis-check`.
pub fn redis(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    let expect = Expect {
        error: Some(CheckStatus::L7Sts),
        on_success: Some("Redis server is ok".into()),
        ..judged(redis_answer)
    };
    choose(proxy, vec![send(b"*1\r\n$4\r\nPING\r\n".to_vec()), wait(2, expect)])
}

/// `option smtpchk [HELO|EHLO <domain>]`; with other words it is `HELO localhost`.
pub fn smtp(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let hello = args.next_word().filter(|word| matches!(word.bytes, b"HELO" | b"EHLO")).map(|word| word.bytes);
    let domain = args.next_word().map(|word| word.bytes).filter(|word| !word.is_empty());
    args.end()?;
    let (hello, domain) = hello.zip(domain).unwrap_or((b"HELO", b"localhost"));
    let greeting = [hello, b" ", domain, b"\r\n"].concat();
    let wrong = Some(CheckStatus::L7Sts);
    choose(
        proxy,
        vec![
            politely(),
            wait(2, judged(smtp_greeting)),
            send(greeting),
            wait(5, Expect { error: wrong, ..judged(smtp_hello) }),
            send(b"QUIT\r\n".to_vec()),
            wait(7, Expect { error: wrong, ..judged(smtp_quit) }),
        ],
    )
}

/// `option mysql-check [user <name> [post-41|pre-41]]`.
pub fn mysql(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let mut steps = vec![politely(), wait(2, judged(mysql_packet))];
    if let Some(word) = args.next_word() {
        if word.bytes != b"user" {
            return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["user"] }));
        }
        let user = args.word("a user")?.bytes;
        let old = match args.next_word() {
            None => false,
            Some(word) => match word.bytes {
                b"" | b"post-41" => false,
                b"pre-41" => true,
                _ => {
                    let choices = &["post-41", "pre-41"];
                    return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
                }
            },
        };
        args.end()?;
        steps.push(send(mysql_login(user, old)));
        steps.push(wait(0, judged(mysql_packet)));
    }
    choose(proxy, steps)
}

/// `option pgsql-check user <name>`.
pub fn pgsql(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'user' and its name")?;
    if word.bytes != b"user" {
        return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["user"] }));
    }
    let user = args.word("'user' and its name")?.bytes;
    args.end()?;
    let body = [b"\x00\x03\x00\x00user\x00", user, b"\x00\x00"].concat();
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes();
    let start = [&length[..], &body].concat();
    let expect = Expect { on_success: Some("PostgreSQL server is ok".into()), ..judged(pgsql_answer) };
    choose(proxy, vec![politely(), send(start), wait(3, expect)])
}

/// `option ldap-check`: an anonymous simple bind.
pub fn ldap(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    choose(proxy, vec![send(LDAP_BIND.to_vec()), wait(2, judged(ldap_answer))])
}

/// `option ssl-hello-chk`: a hello of SSL 3, as it always was.
pub fn ssl_hello(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    let expect = Expect {
        ok: Some(CheckStatus::L6Ok),
        error: Some(CheckStatus::L6Rsp),
        timeout: Some(CheckStatus::L6Tout),
        ..judged(ssl_answer)
    };
    choose(proxy, vec![Step::plain(Act::SendNow(client_hello)), wait(2, expect)])
}

pub(super) fn choose(proxy: &mut ProxyDraft, steps: Vec<Step>) -> Lowered {
    let script = Script { telling: Telling::BuiltIn, steps, ..Script::default() };
    proxy.set.checks.choose(CheckKind::BuiltIn(Arc::new(script)));
    Ok(())
}

/// A connection that is closed in order, not by a reset.
pub(super) fn politely() -> Step {
    Step::plain(Act::Connect(Connect { linger: true, ..Connect::default() }))
}

pub(super) fn send(bytes: Vec<u8>) -> Step {
    Step::plain(Act::Send(bytes))
}

/// `number`: what an empty answer is told with; 0: it is told with nothing.
pub(super) fn wait(number: u32, expect: Expect) -> Step {
    Step { number, comment: None, act: Act::Expect(Box::new(expect)) }
}

pub(super) fn judged(judge: Judge) -> Expect {
    Expect::new(Pattern::Judge(judge))
}

pub(super) fn ends(status: CheckStatus, code: Option<u16>, info: &[u8]) -> Opinion {
    Opinion::Ends(Finding { status, code, info: Some(line(info)).filter(|info| !info.is_empty()) })
}

/// Bytes up to the end of their first line, or to a NUL.
pub(super) fn line(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n' | 0)).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn redis_answer(answer: &[u8], over: bool) -> Opinion {
    match memchr::memmem::find(answer, b"+PONG\r\n") {
        Some(_) => Opinion::Fits,
        None if over => ends(CheckStatus::L7Sts, None, answer),
        None => Opinion::Wait,
    }
}

/// The code at the beginning of a line of SMTP, what stands behind it, and the text.
fn smtp_reply(answer: &[u8]) -> Option<(u16, u8, &[u8])> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let [a, b, c, mark, text @ ..] = answer else { return None };
    Some((digit(a)? * 100 + digit(b)? * 10 + digit(c)?, *mark, text))
}

/// A reply that is none of those that were to come.
fn smtp_wrong(answer: &[u8]) -> Opinion {
    let (code, text) = smtp_reply(answer).map_or((None, &[][..]), |(code, _, text)| (Some(code), text));
    ends(CheckStatus::L7Sts, code, text)
}

fn smtp_greeting(answer: &[u8], over: bool) -> Opinion {
    match smtp_reply(answer) {
        _ if answer.len() < 4 && !over => Opinion::Wait,
        Some((200..300, b' ' | b'\r', _)) => Opinion::Fits,
        Some((_, b' ' | b'\r', _)) => smtp_wrong(answer),
        _ => ends(CheckStatus::L7Rsp, None, answer),
    }
}

/// The last line has no `-` behind its code.
fn smtp_hello(answer: &[u8], over: bool) -> Opinion {
    let mut rest = answer;
    while let Some((200..300, mark, text)) = smtp_reply(rest) {
        match mark {
            b' ' | b'\r' => return Opinion::Fits,
            b'-' => {
                let Some(end) = memchr::memmem::find(text, b"\r\n") else { break };
                rest = &text[end + 2..];
            }
            _ => break,
        }
    }
    if over { smtp_wrong(answer) } else { Opinion::Wait }
}

fn smtp_quit(answer: &[u8], over: bool) -> Opinion {
    match smtp_reply(answer) {
        _ if answer.len() < 4 && !over => Opinion::Wait,
        Some((code @ 200..300, b' ' | b'-' | b'\r', text)) => ends(CheckStatus::L7Ok, Some(code), text),
        _ => smtp_wrong(answer),
    }
}

/// Login and goodbye in one: `old` is the protocol before MySQL 4.1.
fn mysql_login(user: &[u8], old: bool) -> Vec<u8> {
    let body = match old {
        true => [b"\x00\x80\x00\x00\x01", user, b"\x00\x00"].concat(),
        false => [b"\x00\x82\x00\x00\x00\x80\x00\x01\x21", &[0; 23][..], user, b"\x00\x00"].concat(),
    };
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&length[..3], b"\x01", &body, b"\x01\x00\x00\x00\x01"].concat()
}

/// One packet: an error, or anything else.
fn mysql_packet(answer: &[u8], over: bool) -> Opinion {
    let short = || if over { ends(CheckStatus::L7Rsp, None, &[]) } else { Opinion::Wait };
    let [a, b, c, _, body @ ..] = answer else { return short() };
    let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
    let Some(body) = body.get(..length) else { return short() };
    match body {
        [0xff, rest @ ..] => {
            let byte = |at: usize| u16::from(rest.get(at).copied().unwrap_or(0));
            ends(CheckStatus::L7Sts, Some(byte(0) | byte(1) << 8), rest.get(2..).unwrap_or_default())
        }
        _ => Opinion::Fits,
    }
}

/// Kinds of authentication that a server may ask for; it is not answered.
const PGSQL_KINDS: [u8; 9] = [0, 2, 3, 4, 5, 6, 7, 9, 10];

fn pgsql_answer(answer: &[u8], over: bool) -> Opinion {
    match answer {
        [b'E', ..] if answer.len() >= 5 || over => ends(CheckStatus::L7Rsp, None, answer.get(6..).unwrap_or_default()),
        [b'R', 0, 0, 0, _, 0, 0, 0, kind, ..] if PGSQL_KINDS.contains(kind) => Opinion::Fits,
        _ if answer.len() < 9 && !over => Opinion::Wait,
        _ => ends(CheckStatus::L7Sts, None, b"PostgreSQL unknown error"),
    }
}

/// Message 1: a bind request of version 3 with no name and no password (RFC 4511 §4.2).
const LDAP_BIND: &[u8] = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";

/// The shortest answer that is looked at before its end: an LDAP result without texts.
const LDAP_SHORTEST: usize = 14;

/// The answer to a bind; the length of the whole may be written in one, two or four bytes.
fn ldap_answer(answer: &[u8], over: bool) -> Opinion {
    let short = || if over { ends(CheckStatus::L7Rsp, None, &[]) } else { Opinion::Wait };
    let other = || ends(CheckStatus::L7Rsp, None, b"Not LDAPv3 protocol");
    if answer.len() < LDAP_SHORTEST && !over {
        return Opinion::Wait;
    }
    let [0x30, rest @ ..] = answer else { return other() };
    let [first, rest @ ..] = rest else { return short() };
    let (length, rest) = match (first & 0x80 != 0, usize::from(first & 0x7f)) {
        (false, length) => (length, rest),
        (true, 0 | 1) => return other(),
        (true, bytes) => match rest.split_at_checked(bytes) {
            None => return short(),
            Some((length, rest)) if bytes == 2 || bytes == 4 => {
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            Some(_) => return other(),
        },
    };
    if rest.len() < length {
        return short();
    }
    // message 1, a bind response whose length does not matter, a number of one byte
    let [2, 1, 1, 0x61, size, rest @ ..] = rest else { return other() };
    let more = if size & 0x80 != 0 { usize::from(size & 0x7f) } else { 0 };
    match rest.get(more..) {
        Some([0x0a, 1, 0, ..]) => ends(CheckStatus::L7Ok, Some(0), &[]),
        Some([0x0a, 1, code, ..]) => ends(
            CheckStatus::L7Sts,
            Some(u16::from(*code)),
            b"See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9",
        ),
        _ => other(),
    }
}

/// A hello or an alert is an answer of TLS, whatever it says.
fn ssl_answer(answer: &[u8], over: bool) -> Opinion {
    match answer {
        _ if answer.len() < 5 && !over => Opinion::Wait,
        [0x15 | 0x16, ..] => Opinion::Fits,
        _ => ends(CheckStatus::L6Rsp, None, &[]),
    }
}

/// A hello of SSL 3.0 with the moment in it, 28 bytes that are not random, and 39 ciphers.
fn client_hello() -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let ciphers: Vec<u8> = (1..=0x1b_u8).chain(0x2f..=0x3a).flat_map(|cipher| [0, cipher]).collect();
    let low = (now & u64::from(u32::MAX)) as u32;
    let head = b"\x16\x03\x00\x00\x79\x01\x00\x00\x75\x03\x00";
    let (moment, random) = (low.to_be_bytes(), b"HAPROXYSSLCHK\nHAPROXYSSLCHK\n\x00\x00\x4e");
    [&head[..], &moment, random, &ciphers, b"\x01\x00"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a server says, a judge says something of it, and nothing but the end when nothing more can come.
    #[test]
    fn hostile_answers() {
        let judges: [Judge; 8] =
            [redis_answer, smtp_greeting, smtp_hello, smtp_quit, mysql_packet, pgsql_answer, ldap_answer, ssl_answer];
        bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(which, answer)| {
            let judge = judges[usize::from(*which) % judges.len()];
            for seen in 1..=answer.len() {
                let _ = judge(&answer[..seen], false);
            }
            assert_ne!(judge(answer, true), Opinion::Wait, "{answer:?}");
        });
    }
}
