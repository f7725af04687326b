//! `balance …`: how a backend chooses a server. Source: manual §4.2 "balance".

use super::args::Args;
use super::draft::ProxyDraft;
use super::error::{LowerError, Lowered};
use crate::ir::Balance;

/// The algorithms that need a later part of baton, by their first word.
const LATER: [&str; 4] = ["rdp-cookie", "hash", "log-hash", "sticky"];

/// The algorithms that need `mode http`: round robin, with a warning, in `mode tcp`.
const HTTP: [&str; 3] = ["uri", "url_param", "hdr"];

const CHOICES: &[&str] = &["roundrobin", "static-rr", "leastconn", "first", "source", "random[(draws)]"];

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

/// The number in `random(N)`: at least 1; `random` alone draws 2.
fn draws(word: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(word).ok()?.strip_prefix("random")?;
    if text.is_empty() {
        return Some(2);
    }
    let number = text.strip_prefix('(')?.strip_suffix(')')?.parse::<u32>().ok()?;
    (number >= 1).then_some(number)
}
