//! Which server a session belongs to, as far as rules tell it before balancing is asked; and what balancing goes by.
//!
//! The order is haproxy's: `use-server`, the RDP cookie, then the tables of `stick` lines. Source: manual §4.2; what servers that are
//! down, in maintenance or full mean was asked of 2.6.12 (docs/OBSERVED.md).

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::facts::View;
use super::placing::Placing;
use super::rules::{self, holds};
use super::session::Session;
use super::shard::Shard;
use super::stick;
use crate::expr::{Condition, Truth};
use crate::ir::{Backend, Balance, Choice, Persistence, ProxyIx, Redispatch, ServerAddress, ServerIx};
use crate::pool::{Peer, Pool, address_hash, key_hash};

/// What rules say of a session's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kept {
    /// The server.
    pub(super) server: Option<ServerIx>,
    /// No other one will do, even if it does not answer.
    pub(super) forced: bool,
}

impl Session {
    /// The number that balancing goes by, where it goes by a key of the session; `None`: it takes turns.
    pub(super) fn key(&mut self, shard: &Shard) -> Option<u32> {
        let back = self.backend(&shard.shared)?;
        match back.balance {
            Balance::Source => match self.peer {
                Peer::Inet(address) => Some(address_hash(back.hash, address.ip())),
                Peer::Unix(_) => None,
            },
            Balance::Hash | Balance::RdpCookie => {
                let key = back.key.as_ref()?;
                self.viewed(shard, false, |view| Some(key_hash(back.hash, &key.value(view)?.into_bytes())))
            }
            _ => None,
        }
    }

    /// What rules say of its server.
    pub(super) fn kept(&mut self, shard: &Shard) -> Kept {
        let back = self.backend(&shard.shared);
        match back.and_then(|back| Some((back.persistence.as_deref()?, back.persist))) {
            Some((rules, always)) => {
                let back = self.back;
                self.viewed(shard, false, |view| kept((rules, always), back, &shard.shared.pool, view))
            }
            None => Kept::default(),
        }
    }

    /// Whether the retry that is due goes to another server.
    ///
    /// haproxy does more than its manual says: where servers are taken in turns, *every* retry goes elsewhere, at once, whatever
    /// interval is given (docs/OBSERVED.md, §4.2 "option redispatch"; tests/vtc/redispatch.vtc). A session that rules gave its
    /// server stays with it as one with a key does, unless the server is down.
    pub(super) fn goes_elsewhere(&self, pool: &Pool, back: &Backend) -> bool {
        let Some(state) = pool.back(self.back) else { return false };
        let direct = self.placing.is(Placing::DIRECT);
        let lost = direct && self.target.is_some_and(|server| !state.keeps(server));
        let left = self.most_retries(back).saturating_sub(self.retries);
        (lost || state.active() > 1)
            && back.forward.is_none()
            && !self.placing.is(Placing::FORCED)
            && match back.redispatch {
                Redispatch::Never => false,
                _ if lost || !(direct || back.balance.is_keyed()) => true,
                Redispatch::Last => left == 0,
                Redispatch::Every(n) => n > 0 && self.retries.is_multiple_of(n),
                Redispatch::FromLast(n) => n > 0 && left.is_multiple_of(n),
            }
    }
}

/// `always`: a server that is down is tried, too.
fn kept((rules, always): (&Persistence, bool), proxy: ProxyIx, pool: &Pool, view: &View<'_>) -> Kept {
    let true_now = |when: &Condition| holds(Some(when), view) == Truth::True;
    let forced = rules.force.iter().find(|rule| true_now(&rule.when)).is_some_and(|rule| rule.force);
    let is_up = |server: ServerIx| pool.back(proxy).is_some_and(|back| back.keeps(server));
    for rule in rules.use_server.iter().filter(|rule| true_now(&rule.when)) {
        let server = match &rule.server {
            Choice::Server(server) => *server,
            Choice::Named(text) => {
                let name = rules::text(text, view);
                let named = std::str::from_utf8(&name).ok().and_then(|name| pool.server_named(proxy, name));
                match named {
                    Some(server) => server,
                    None => break, // a name that nobody has ends these rules
                }
            }
        };
        if forced || always || is_up(server) {
            return Kept { server: Some(server), forced };
        }
    }
    // `force-persist` does not act on the cookie
    let by_cookie = rules.cookie.as_ref().and_then(|cookie| {
        let address = cookie_address(&cookie.value(view)?.into_bytes())?;
        let found = pool.server_that(proxy, |server| server.address == ServerAddress::Inet(SocketAddr::V4(address)));
        found.filter(|server| always || is_up(*server))
    });
    let by_table = || stick::matched(rules, proxy, view, |server| forced || always || is_up(server));
    Kept { server: by_cookie.or_else(by_table), forced }
}

/// The address in an RDP cookie of a terminal server: its bytes as a little-endian number, a dot, the port's bytes likewise, a dot,
/// and anything.
fn cookie_address(cookie: &[u8]) -> Option<SocketAddrV4> {
    let mut parts = cookie.splitn(3, |byte| *byte == b'.');
    let (address, port, _rest) = (parts.next()?, parts.next()?, parts.next()?);
    let address = number(address)? as u32;
    let port = number(port)? as u16;
    Some(SocketAddrV4::new(Ipv4Addr::from(address.swap_bytes()), port.swap_bytes()))
}

/// Decimal digits; what is too large is cut, as haproxy does.
fn number(digits: &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (!digits.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_say_addresses() {
        for (cookie, want) in [
            ("16777343.12208.0000", Some("127.0.0.1:45103")),
            ("16777343.12208.", Some("127.0.0.1:45103")),
            ("16777343.12208", None),
            ("016777343.12208.0000x", Some("127.0.0.1:45103")),
            ("4311744639.12208.0000", Some("127.0.0.1:45103")), // 2^32 more
            ("x16777343.12208.0000", None),
            ("16777343,12208.0000", None),
            ("..", None),
            ("", None),
        ] {
            let got = cookie_address(cookie.as_bytes()).map(|address| address.to_string());
            assert_eq!(got.as_deref(), want, "{cookie}");
        }
    }
}
