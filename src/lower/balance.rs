//! `balance …`, `hash-type …`: how a backend chooses a server.
//!
//! The key of `balance hash` and `rdp-cookie` is kept as words and compiled in `resolve`, where haproxy judges it, too: one that a
//! later line replaces is not looked at. Source: manual §4.2 "balance"; `none` and `hash-preserve-affinity` from the manuals of 3.0 and 3.2.

use super::args::{Args, Given};
use super::draft::{KeyDraft, ProxyDraft};
use super::error::{LowerError, Lowered};
use crate::ir::{Affinity, Balance, HashFunction};

/// The algorithms that need a later part of baton, by their first word.
const LATER: [&str; 2] = ["log-hash", "sticky"];

/// The algorithms that need `mode http`: round robin, with a warning, in `mode tcp`.
const HTTP: [&str; 3] = ["uri", "url_param", "hdr"];

const CHOICES: &[&str] = &[
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "source",
    "random[(draws)]",
    "hash <expression>",
    "rdp-cookie[(name)]",
];

const METHODS: &[&str] = &["map-based", "consistent"];

/// `none` came with 3.0.
const FUNCTIONS: &[&str] = &["sdbm", "djb2", "wt6", "crc32", "none"];

const AFFINITIES: &[&str] = &["always", "maxconn", "maxqueue"];

/// The cookie that `balance rdp-cookie` looks for.
const COOKIE: &str = "mstshash";

/// `balance <algorithm>`: words behind an algorithm without arguments are ignored, as haproxy does.
pub fn balance(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) else {
        proxy.set.balance = Some(Balance::RoundRobin); // a bare `balance` is accepted
        return Ok(());
    };
    let name = word.bytes.split(|byte| *byte == b'(').next().unwrap_or_default();
    proxy.set.hash_balance = HTTP.iter().any(|http| http.as_bytes() == name).then_some(word.span);
    proxy.set.balance = Some(match word.bytes {
        b"roundrobin" => Balance::RoundRobin,
        b"static-rr" => Balance::StaticRr,
        b"leastconn" => Balance::LeastConn,
        b"first" => Balance::First,
        b"source" => Balance::Source,
        b"hash" => {
            proxy.set.key = Some(expression(args)?);
            Balance::Hash
        }
        _ if word.bytes.starts_with(b"rdp-cookie") => {
            proxy.set.key = Some(cookie(&word, COOKIE)?);
            Balance::RdpCookie
        }
        _ if name == b"random" => Balance::Random(draws(word.bytes).ok_or_else(|| {
            word.blame(LowerError::Draws { text: word.text() }).hint("write 'random' or 'random(2)'")
        })?),
        _ if proxy.set.hash_balance.is_some() => Balance::RoundRobin,
        _ if LATER.iter().any(|later| later.as_bytes() == name) => {
            return Err(word.blame(LowerError::NotYet { what: format!("'balance {}'", word.text()) }));
        }
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: CHOICES })),
    });
    Ok(())
}

/// The expression of `balance hash`: one word, and nothing behind it.
fn expression(args: &mut Args<'_>) -> Lowered<KeyDraft> {
    let word = args.word("an expression")?;
    if word.bytes.is_empty() {
        return Err(args.missing("an expression"));
    }
    let key = KeyDraft { text: word.bytes.into(), span: word.span };
    args.end().map_err(|extra| {
        extra.hint("the expression is one word: write its converters behind commas, without blanks")
    })?;
    Ok(key)
}

/// The cookie of `rdp-cookie` or `rdp-cookie(name)`, as an expression; what stands behind the parenthesis is ignored, as haproxy does.
pub(super) fn cookie(word: &Given<'_>, usual: &str) -> Lowered<KeyDraft> {
    let inside = word.bytes.strip_prefix(b"rdp-cookie").unwrap_or_default();
    let name = match inside.strip_prefix(b"(") {
        None if inside.is_empty() => usual.as_bytes(),
        None => b"",
        Some(rest) => rest.iter().position(|byte| *byte == b')').map_or(&b""[..], |end| &rest[..end]),
    };
    if name.is_empty() {
        let error = LowerError::Misplaced("the name of a cookie is needed between the parentheses");
        return Err(word.blame(error).hint("write 'rdp-cookie' or 'rdp-cookie(name)'"));
    }
    Ok(KeyDraft { text: [b"req.rdp_cookie(", name, b")"].concat().into(), span: word.span })
}

/// `hash-type <method> [<function> [avalanche]]`: the last one wins, whole. A function changes nothing for `balance source`.
pub fn hash_type(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let method = args.word("a method")?;
    proxy.set.wt6 = None;
    let hash = &mut proxy.set.hash;
    hash.consistent = match method.bytes {
        b"consistent" => true,
        b"map-based" => false,
        b"avalanche" => {
            return Err(method
                .blame(LowerError::Choice { text: method.text(), choices: METHODS })
                .hint("write 'hash-type map-based sdbm avalanche'"));
        }
        _ => return Err(method.blame(LowerError::Choice { text: method.text(), choices: METHODS })),
    };
    let Some(function) = args.next_word().filter(|word| !word.bytes.is_empty()) else {
        // a ring mixes unless it is told how to hash
        (hash.function, hash.avalanche) = (HashFunction::Sdbm, hash.consistent);
        return Ok(());
    };
    hash.function = match function.bytes {
        b"sdbm" => HashFunction::Sdbm,
        b"djb2" => HashFunction::Djb2,
        b"wt6" => HashFunction::Wt6,
        b"crc32" => HashFunction::Crc32,
        b"none" => HashFunction::None,
        _ => return Err(function.blame(LowerError::Choice { text: function.text(), choices: FUNCTIONS })),
    };
    proxy.set.wt6 = (hash.function == HashFunction::Wt6).then_some(function.span);
    hash.avalanche = match args.next_word().filter(|word| !word.bytes.is_empty()) {
        None => false,
        Some(word) if word.bytes == b"avalanche" => true,
        Some(word) => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["avalanche"] })),
    };
    Ok(())
}

/// `hash-balance-factor <percent>`: 0, or more than 100.
pub fn hash_balance_factor(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a percentage")?;
    let factor = word.lenient(0, i64::from(i32::MAX), args)?;
    if (1..=100).contains(&factor) {
        return Err(word.blame(LowerError::Misplaced("a server cannot be held below the average: 0, or more than 100")));
    }
    proxy.set.hash.factor = u32::try_from(factor).unwrap_or(0);
    Ok(())
}

/// `hash-preserve-affinity always|maxconn|maxqueue`: the last one wins.
pub fn hash_preserve_affinity(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'always', 'maxconn' or 'maxqueue'")?;
    proxy.set.hash.affinity = match word.bytes {
        b"always" => Affinity::Always,
        b"maxconn" => Affinity::Maxconn,
        b"maxqueue" => Affinity::Maxqueue,
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: AFFINITIES })),
    };
    args.end()
}

/// The number in `random(N)`: at least 1; `random` alone draws 2.
fn draws(word: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(word).ok()?.strip_prefix("random")?;
    if text.is_empty() {
        return Some(2);
    }
    let number = text.strip_prefix('(')?.strip_suffix(')')?.parse::<u32>().ok()?;
    (number >= 1).then_some(number)
}
