//! `balance …`, `hash-type …`: how a backend chooses a server. Source: manual §4.2 "balance".

use super::args::Args;
use super::draft::ProxyDraft;
use super::error::{LowerError, Lowered};
use crate::ir::Balance;

/// The algorithms that need a later part of baton, by their first word.
const LATER: [&str; 4] = ["rdp-cookie", "hash", "log-hash", "sticky"];

/// The algorithms that need `mode http`: round robin, with a warning, in `mode tcp`.
const HTTP: [&str; 3] = ["uri", "url_param", "hdr"];

const CHOICES: &[&str] = &["roundrobin", "static-rr", "leastconn", "first", "source", "random[(draws)]"];

const METHODS: &[&str] = &["map-based", "consistent"];

/// `none` came with 3.0.
const FUNCTIONS: &[&str] = &["sdbm", "djb2", "wt6", "crc32", "none"];

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

/// `hash-type <method> [<function> [avalanche]]`: the last one wins, whole. A function changes nothing for an address.
pub fn hash_type(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let method = args.word("a method")?;
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
        hash.avalanche = hash.consistent; // a ring mixes unless it is told how to hash
        return Ok(());
    };
    if !FUNCTIONS.iter().any(|name| name.as_bytes() == function.bytes) {
        return Err(function.blame(LowerError::Choice { text: function.text(), choices: FUNCTIONS }));
    }
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

/// The number in `random(N)`: at least 1; `random` alone draws 2.
fn draws(word: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(word).ok()?.strip_prefix("random")?;
    if text.is_empty() {
        return Some(2);
    }
    let number = text.strip_prefix('(')?.strip_suffix(')')?.parse::<u32>().ok()?;
    (number >= 1).then_some(number)
}
