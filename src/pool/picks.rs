//! Replays `fixtures/output/picks/` and `changes/`, which haproxy itself wrote (`tests/balance.rs`), on a backend
//! without sockets.

use std::net::IpAddr;
use std::path::Path;
use std::task::Waker;

use super::tests::{NOW, backend, pool, server};
use super::{Admin, Assignment, BackState, Demand, Pool, address_hash};
use crate::ir::{Backend, Balance, HashType, ProxyIx, ProxyKind, Server, ServerIx};
use crate::units::Weight;

/// A backend of one file, and who is on it.
struct Stage {
    back: BackState,
    dead: Vec<bool>,
    held: Vec<ServerIx>,
    hash: HashType,
}

fn parse_server(id: u32, options: &str) -> (Server, bool) {
    let (mut server, mut dead) = (server(id), false);
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
        match word {
            "weight" => server.weight = Weight::new(number() as u16).expect("a weight"),
            "maxconn" => server.maxconn = number(),
            "id" => server.id = number(),
            "backup" => server.backup = true,
            "disabled" => server.disabled = true,
            "dead" => dead = true,
            other => panic!("no such option: {other}"),
        }
    }
    (server, dead)
}

impl Stage {
    fn new(text: &str) -> Self {
        let words = |key: &'static str| text.lines().filter_map(move |line| line.strip_prefix(key));
        let balance = match words("balance ").next() {
            Some("roundrobin") => Balance::RoundRobin,
            Some("static-rr") => Balance::StaticRr,
            Some("leastconn") => Balance::LeastConn,
            Some("first") => Balance::First,
            Some("source") => Balance::Source,
            other => panic!("no such balance: {other:?}"),
        };
        let (servers, dead) = (1..).zip(words("server ")).map(|(id, options)| parse_server(id, options)).unzip();
        let mut hash = HashType::default();
        for line in words("hash-") {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["type", method] => {
                    hash.consistent = method == "consistent";
                    hash.avalanche = hash.consistent;
                }
                ["type", method, _] => (hash.consistent, hash.avalanche) = (method == "consistent", false),
                ["type", method, _, "avalanche"] => (hash.consistent, hash.avalanche) = (method == "consistent", true),
                ["balance-factor", factor] => hash.factor = factor.parse().expect("a number"),
                _ => panic!("no such hash: {line}"),
            }
        }
        let back = BackState::new(&Backend { balance, hash, servers, ..Backend::default() }, 1, NOW);
        Self { back, dead, held: Vec::new(), hash }
    }

    /// One session: a server that refuses is left for another at once, and twice the same is given up.
    fn session(&self, client: Option<IpAddr>) -> Option<ServerIx> {
        let mut avoid = None;
        for _ in 0..2 {
            let hash = client.map(|client| address_hash(self.hash, client));
            match self.back.assign(&Demand { hash, avoid, ..Demand::any(Waker::noop()) }, NOW) {
                Assignment::Server(ix) if self.dead[ix.0 as usize] => {
                    self.back.release(ix, NOW);
                    avoid = Some(ix);
                }
                Assignment::Server(ix) => return Some(ix),
                other => panic!("{other:?}"),
            }
        }
        None
    }

    fn run(&mut self, verb: &str, rest: &str) -> String {
        let clients: Vec<Option<IpAddr>> = match verb {
            "open" | "hold" => vec![None; rest.parse().expect("a number")],
            _ => rest.split(' ').map(|word| Some(word.parse().expect("an address"))).collect(),
        };
        let mut got = Vec::new();
        for client in clients {
            let ix = self.session(client);
            got.push(ix.map_or("-".to_owned(), |ix| (ix.0 + 1).to_string()));
            match ix {
                Some(ix) if verb == "hold" || verb == "stay" => self.held.push(ix),
                Some(ix) => self.back.release(ix, NOW),
                None => {}
            }
        }
        got.join(" ")
    }
}

#[test]
fn sessions_go_where_haproxy_sends_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/output/picks");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a fixture");
        let mut stage = Stage::new(&text);
        for line in text.lines() {
            if let Some(number) = line.strip_prefix("close ") {
                let ix = stage.held.remove(number.parse::<usize>().expect("a number") - 1);
                stage.back.release(ix, NOW);
            } else if let Some((step, want)) = line.split_once(" => ") {
                let (verb, rest) = step.split_once(' ').expect("a verb and its argument");
                assert_eq!(stage.run(verb, rest), want, "{step} of {}", path.display());
            }
        }
        count += 1;
    }
    assert!(count >= 20, "only {count} fixtures");
}

/// Orders and weights at run time, as `fixtures/output/changes/` has them: `{s1 state maint}`, `{s2 weight 5}`.
#[test]
fn sessions_go_where_haproxy_sends_them_when_weights_change() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/output/changes/roundrobin.txt");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert!(rows.len() >= 40, "only {} rows", rows.len());
    for row in rows {
        let (weights, steps) = row.split_once("] | ").expect("weights and steps");
        let weights: Vec<u16> = weights[1..].split(", ").map(|word| word.parse().expect("a weight")).collect();
        let line = backend(Balance::RoundRobin, weights.len() as u32, |server| {
            server.weight = Weight::new(weights[server.id as usize - 1]).expect("a weight");
        });
        let pool = pool(vec![("l", ProxyKind::Listen, line)]);
        let back = pool.back(ProxyIx(0)).expect("a backend");
        for step in steps.split(" | ") {
            match step.strip_prefix('{').and_then(|order| order.strip_suffix('}')) {
                Some(order) => change(&pool, order),
                None => {
                    let pick = |_: &str| match back.assign(&Demand::any(Waker::noop()), NOW) {
                        Assignment::Server(ix) => {
                            back.release(ix, NOW);
                            (ix.0 + 1).to_string()
                        }
                        other => panic!("{other:?}"),
                    };
                    let got: Vec<String> = step.split_whitespace().map(pick).collect();
                    assert_eq!(got.join(" "), step.trim(), "{row}");
                }
            }
        }
    }
}

fn change(pool: &Pool, order: &str) {
    let words: Vec<&str> = order.split(' ').collect();
    let server = ServerIx(words[0][1..].parse::<u32>().expect("a server") - 1);
    match words[1..] {
        ["state", "maint"] => drop(pool.set_admin(ProxyIx(0), server, Admin::Maint, NOW)),
        ["state", "ready"] => drop(pool.set_admin(ProxyIx(0), server, Admin::Ready, NOW)),
        ["weight", weight] => {
            let weight = Weight::new(weight.parse().expect("a number")).expect("a weight");
            pool.set_weight(ProxyIx(0), server, weight, NOW);
        }
        _ => panic!("no such order: {order}"),
    }
}
