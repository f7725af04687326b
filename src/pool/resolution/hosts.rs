//! The addresses of a host over the servers that have its name.
//!
//! A server keeps its address as long as that is among the answers; the others take what is left, in the order of the
//! addresses, so that every process gives the same ones. haproxy's order is that of a hash of its own.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use crate::ir::{ProxyIx, Resolve, TrackRef};
use crate::units::address::Family;
use crate::units::{Millis, Tick};

/// A server that wants an address.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) at: TrackRef,
    /// The address that it was given.
    pub(super) bound: Option<IpAddr>,
}

/// What is known of a server when addresses are given.
pub(super) struct Wish<'a> {
    /// What its line says.
    pub(super) resolve: &'a Resolve,
    /// The address it is in use with.
    pub(super) now: Option<IpAddr>,
}

/// What a client is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// What it has.
    Same,
    /// This.
    Address(IpAddr),
    /// Nothing: there is none left for it.
    Nothing,
}

/// The addresses that were answered, and when last.
#[derive(Debug, Default)]
pub(super) struct Addresses(BTreeMap<IpAddr, Tick>);

impl Addresses {
    /// Takes an answer, and forgets what answers lack for longer than `obsolete`.
    pub(super) fn take(&mut self, answer: Vec<IpAddr>, obsolete: Millis, now: Tick) {
        self.0.extend(answer.into_iter().map(|ip| (ip, now)));
        self.0.retain(|_, seen| *seen == now || now.since(*seen) < u64::from(obsolete.get()));
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first of a family, or of the other one.
    pub(super) fn preferred(&self, prefer: Family) -> Option<IpAddr> {
        self.0.keys().copied().min_by_key(|ip| ip.is_ipv4() != (prefer == Family::V4))
    }

    /// Gives each client an address; the same order.
    pub(super) fn give<'a>(&self, clients: &mut [Client], wish: impl Fn(TrackRef) -> Option<Wish<'a>>) -> Vec<Given> {
        let mut taken: HashSet<(ProxyIx, IpAddr)> = HashSet::new();
        let mut given: Vec<Option<Given>> = Vec::with_capacity(clients.len());
        let wishes: Vec<_> = clients.iter().map(|client| wish(client.at)).collect();
        for client in clients.iter_mut() {
            client.bound = client.bound.filter(|ip| self.0.contains_key(ip));
            taken.extend(client.bound.map(|ip| (client.at.proxy, ip)));
        }
        for (client, wish) in clients.iter_mut().zip(&wishes) {
            let Some(wish) = wish else {
                given.push(Some(Given::Same)); // there is no such server
                continue;
            };
            if client.bound.is_none()
                && let Some(ip) = wish.now.filter(|ip| self.0.contains_key(ip))
                && (taken.insert((client.at.proxy, ip)) || wish.resolve.allow_duplicates)
            {
                client.bound = Some(ip);
            }
            given.push(client.bound.map(|_| Given::Same));
        }
        for ((client, wish), given) in clients.iter_mut().zip(&wishes).zip(&mut given) {
            let (None, Some(wish)) = (&given, wish) else { continue };
            client.bound = self.best(wish.resolve, |ip| taken.contains(&(client.at.proxy, ip)));
            taken.extend(client.bound.map(|ip| (client.at.proxy, ip)));
            *given = Some(client.bound.map_or(Given::Nothing, Given::Address));
        }
        given.into_iter().map(|given| given.unwrap_or(Given::Same)).collect()
    }

    /// The first of the preferred family, in a preferred network, that nobody has, as far as there is one.
    fn best(&self, resolve: &Resolve, taken: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let fits = |ip: IpAddr| match resolve.prefer {
            Family::V4 => ip.is_ipv4(),
            Family::Any | Family::V6 => ip.is_ipv6(),
        };
        let near = |ip: IpAddr| resolve.networks.iter().any(|network| network.holds(ip));
        let free = self.0.keys().copied().filter(|ip| resolve.allow_duplicates || !taken(*ip));
        free.min_by_key(|ip| (!fits(*ip), !near(*ip), taken(*ip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{ResolversIx, ServerIx};
    use crate::units::Network;

    fn resolve(options: &str) -> Resolve {
        let mut resolve = Resolve {
            section: ResolversIx(0),
            service: None,
            prefer: Family::Any,
            networks: Vec::new(),
            allow_duplicates: false,
            ignore_weight: false,
        };
        for option in options.split_whitespace() {
            match option {
                "dup" => resolve.allow_duplicates = true,
                "ipv4" => resolve.prefer = Family::V4,
                network => resolve.networks.extend(Network::parse(network.as_bytes())),
            }
        }
        resolve
    }

    /// Servers of one backend after answers, one after the other, in which nothing is held: last byte of each address, `-`
    /// for none.
    #[test]
    fn who_has_which() {
        for (options, servers, answers, want) in [
            ("", "- - -", "21,22", "21 22 -"),
            ("", "- - -", "21,22 25,24,23,22,21", "21 22 23"), // who has one keeps it
            ("", "- - -", "23,22,21 24,25", "24 25 -"),
            ("", "- - -", "21,22 22", "- 22 -"),
            ("", "21 21 21", "21,22", "21 22 -"), // what a file or libc said
            ("", "22 - -", "21,22,23", "22 21 23"),
            ("", "- 21 -", "21,22", "22 21 -"),
            ("dup", "- - -", "21,22", "21 22 21"),
            ("dup", "- - -", "21,22 23", "23 23 23"),
            ("dup", "- - -", "23 21,22,23", "23 23 23"),
            ("dup", "21 21 -", "21,22", "21 21 22"),
            ("127.0.0.22/32 127.0.0.24/29", "- - -", "21,22,25", "22 25 21"), // near ones first, others after
        ] {
            let rules = resolve(options);
            let now = servers.split(' ').map(|now| now.parse().ok().map(|last: u8| IpAddr::from([127, 0, 0, last])));
            let mut now: Vec<Option<IpAddr>> = now.collect();
            let at = |ix| TrackRef { proxy: ProxyIx(0), server: ServerIx(ix) };
            let mut clients: Vec<_> = (0..3).map(|ix| Client { at: at(ix), bound: None }).collect();
            let mut addresses = Addresses::default();
            for (second, answer) in (1..).zip(answers.split(' ')) {
                let ips = answer.split(',').map(|last| IpAddr::from([127, 0, 0, last.parse().unwrap()])).collect();
                addresses.take(ips, Millis::ZERO, Tick::from_millis(second * 1000));
                let wish = |at: TrackRef| Some(Wish { resolve: &rules, now: now[at.server.0 as usize] });
                let given = addresses.give(&mut clients, wish);
                for (now, given) in now.iter_mut().zip(given) {
                    match given {
                        Given::Same => {}
                        Given::Address(ip) => *now = Some(ip),
                        Given::Nothing => *now = None,
                    }
                }
            }
            let last = |ip: &Option<IpAddr>| match ip {
                Some(IpAddr::V4(ip)) => ip.octets()[3].to_string(),
                _ => "-".to_owned(),
            };
            let shown: Vec<_> = now.iter().map(last).collect();
            assert_eq!(shown.join(" "), want, "{options} {servers} {answers}");
        }
    }

    #[test]
    fn the_preferred_family_comes_first() {
        for (options, want) in [("", "::1"), ("ipv4", "10.0.0.1"), ("10.0.0.0/8", "::1")] {
            let mut addresses = Addresses::default();
            addresses.take(vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()], Millis::ZERO, Tick::default());
            assert_eq!(addresses.best(&resolve(options), |_| false), Some(want.parse().unwrap()), "{options}");
        }
    }

    /// Records stay as long as they are held.
    #[test]
    fn obsolete_addresses_are_held() {
        let (one, two) = (IpAddr::from([1, 0, 0, 1]), IpAddr::from([1, 0, 0, 2]));
        let mut addresses = Addresses::default();
        let hold = Millis::seconds(2);
        for (at, answer, want) in [(0, one, 1), (1000, two, 2), (1999, two, 2), (2000, two, 1), (2500, one, 2)] {
            addresses.take(vec![answer], hold, Tick::from_millis(at));
            assert_eq!(addresses.0.len(), want, "{at}");
        }
    }
}
