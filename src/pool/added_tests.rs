//! Servers that come and go, on a backend without sockets.

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::task::Waker;

use super::tests::{NOW, backend, pool, server};
use super::*;
use crate::ir::{Agent, Backend, Balance, Check, HashType, ProxyIx, ProxyKind, ServerIx, TrackRef};
use crate::units::{Millis, Weight};

const B: ProxyIx = ProxyIx(0);

/// Reads `sN` with a weight; `check`, `agent` and `track` are words like `enabled`.
#[derive(Debug)]
pub(super) struct Simple;

impl LineReader for Simple {
    fn read(&self, _: &Pool, _: ProxyIx, name: &str, words: &[&str]) -> Result<NewServer, String> {
        let mut line = server(0);
        line.name = name.to_owned();
        let mut ready = false;
        for word in words {
            match *word {
                "enabled" => ready = true,
                "backup" => line.backup = true,
                "check" => line.check = Some(Check::default()),
                "track" => line.track = Some(TrackRef { proxy: B, server: ServerIx(0) }),
                "agent" => {
                    let (inter, addr, port, send) = (Millis::seconds(1), None, 9, Vec::new());
                    line.agent = Some(Box::new(Agent { inter, addr, port, send }));
                }
                word => line.weight = word.parse().ok().and_then(Weight::new).ok_or("no weight")?,
            }
        }
        Ok(NewServer { line, words: words.iter().map(|word| (*word).to_owned()).collect(), ready })
    }
}

fn started(back: Backend) -> Pool {
    let pool = pool(vec![("b", ProxyKind::Backend, back)]);
    pool.read_lines_by(Arc::new(Simple));
    pool
}

fn at(server: u32) -> TrackRef {
    TrackRef { proxy: B, server: ServerIx(server) }
}

fn assign(pool: &Pool, random: u64) -> Option<u32> {
    let hash = Some((random as u32).wrapping_mul(0x9e37_79b9));
    let demand = Demand { hash, random, ..Demand::any(Waker::noop()) };
    match pool.back(B).unwrap().assign(&demand, NOW) {
        Assignment::Server(ServerIx(server)) => Some(server),
        _ => None,
    }
}

/// Balancing does with servers that were added what it does with those that were there from the start.
#[test]
fn added_servers_are_balanced_like_others() {
    let weights = [3, 1, 5, 2, 4, 7, 1];
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConn,
        Balance::First,
        Balance::Random(1),
        Balance::Random(2),
        Balance::Source,
    ] {
        let back = |count| {
            let back = backend(balance, count, |s| s.weight = Weight::new(weights[s.id as usize - 1]).unwrap());
            Backend { hash: HashType { consistent: true, factor: 150, ..HashType::default() }, ..back }
        };
        let (whole, grown) = (started(back(7)), started(back(2)));
        for id in 3..=7_usize {
            let weight = weights[id - 1].to_string();
            let ix = grown.add_server(B, &format!("s{id}"), &[&weight, "enabled"], NOW).unwrap();
            assert_eq!((ix, grown.server(at(ix.0)).unwrap().id), (ServerIx(id as u32 - 1), id as u32));
        }
        for random in 1..200 {
            assert_eq!(assign(&whole, random), assign(&grown, random), "{balance:?}, session {random}");
        }
    }
}

#[test]
fn balancing_with_a_table_takes_none() {
    for balance in [Balance::StaticRr, Balance::Source] {
        let pool = started(backend(balance, 1, |_| {}));
        assert_eq!(pool.add_server(B, "s2", &["1"], NOW), Err(AddRefusal::Balance));
    }
}

#[test]
fn a_backup_comes_to_a_backend_that_had_none() {
    let pool = started(backend(Balance::LeastConn, 1, |_| {}));
    pool.add_server(B, "s2", &["enabled", "backup"], NOW).unwrap();
    assert_eq!(assign(&pool, 1), Some(0));
    pool.set_admin(B, ServerIx(0), Admin::Maint, NOW);
    assert_eq!(assign(&pool, 1), Some(1));
}

#[test]
fn names_and_ids_are_taken_once() {
    let pool = started(backend(Balance::RoundRobin, 3, |_| {}));
    assert_eq!(pool.add_server(B, "s2", &["1"], NOW), Err(AddRefusal::Name));
    assert_eq!(pool.add_server(ProxyIx(9), "x", &["1"], NOW), Err(AddRefusal::Backend));
    assert_eq!(pool.add_server(B, "x", &["-1"], NOW), Err(AddRefusal::Line("no weight".into())));
    pool.set_admin(B, ServerIx(1), Admin::Maint, NOW);
    pool.delete_server(at(1), NOW).unwrap();
    let ix = pool.add_server(B, "s2", &["1"], NOW).unwrap();
    assert_eq!((ix, pool.server(at(ix.0)).unwrap().id), (ServerIx(3), 2), "the lowest id that is free");
    let names: Vec<&str> = pool.servers(B).map(|(_, line)| line.name.as_str()).collect();
    assert_eq!(names, ["s1", "s3", "s2"]);
}

/// One that is deleted leaves its place to the same line, and nothing of what was known of it.
#[test]
fn a_place_is_used_again() {
    let pool = started(backend(Balance::RoundRobin, 1, |_| {}));
    for round in 0..5 {
        let ix = pool.add_server(B, "x", &["7", "check", "agent"], NOW).unwrap();
        assert_eq!((ix, pool.tenant(at(ix.0))), (ServerIx(1), Some(round)));
        let view = pool.server_view(B, ix, NOW).unwrap();
        assert_eq!((view.status_text.as_str(), view.user_weight), ("MAINT", 7));
        assert!(!pool.start_check(B, ix) && !pool.start_agent(B, ix), "nobody is asked before it is ordered");
        let place = &pool.back(B).unwrap().servers[1];
        assert_eq!((place.sessions_total.get(), pool.server_now(B, ix).unwrap().agent.as_ref().unwrap().port), (0, 9));
        assert!(pool.enable_check(B, ix, true) && pool.enable_agent(B, ix, true));
        pool.set_admin(B, ix, Admin::Ready, NOW);
        pool.set_weight(B, ix, Weight::new(50).unwrap(), NOW);
        pool.set_health(B, ix, HealthOrder::Down, NOW);
        pool.change_server(B, ix, |line| line.agent.iter_mut().for_each(|agent| agent.port = 1));
        place.sessions_total.add(3);
        assert_eq!(pool.delete_server(at(1), NOW), Err(DeleteRefusal::InUse));
        pool.set_admin(B, ix, Admin::Maint, NOW);
        pool.delete_server(at(1), NOW).unwrap();
        assert_eq!((pool.server(at(1)).is_none(), pool.tenant(at(1)), pool.added().count()), (true, None, 0));
        assert_eq!(pool.known(at(1)).unwrap().name, "x", "who still speaks of it knows its name");
        assert_eq!(pool.delete_server(at(1), NOW), Err(DeleteRefusal::Gone));
        assert!(pool.set_admin(B, ix, Admin::Ready, NOW).is_empty(), "nobody brings it back");
    }
    pool.add_server(B, "x", &["8"], NOW).unwrap();
    assert_eq!(pool.back(B).unwrap().servers.len(), 3, "another line has a place of its own");
}

#[test]
fn sessions_and_trackers_keep_a_server() {
    let pool = started(backend(Balance::RoundRobin, 1, |s| s.check = Some(Check::default())));
    let ix = pool.add_server(B, "x", &["track"], NOW).unwrap();
    pool.set_admin(B, ServerIx(0), Admin::Maint, NOW);
    assert_eq!(pool.server_view(B, ix, NOW).unwrap().status_text, "MAINT");
    pool.set_admin(B, ix, Admin::Ready, NOW);
    assert_eq!(pool.server_view(B, ix, NOW).unwrap().status_text, "MAINT (via b/s1)");
    assert_eq!(pool.delete_server(at(0), NOW), Err(DeleteRefusal::Tracked));
    pool.set_admin(B, ServerIx(0), Admin::Ready, NOW);
    pool.set_health(B, ServerIx(0), HealthOrder::Down, NOW);
    assert_eq!(pool.server_view(B, ix, NOW).unwrap().status_text, "DOWN");
    pool.set_admin(B, ix, Admin::Maint, NOW);
    pool.set_admin(B, ix, Admin::Ready, NOW);
    assert_eq!(pool.server_view(B, ix, NOW).unwrap().status_text, "DOWN", "as the one that it tracks");
    pool.set_admin(B, ix, Admin::Maint, NOW);
    pool.delete_server(at(ix.0), NOW).unwrap();
    pool.set_health(B, ServerIx(0), HealthOrder::Up, NOW);
    assert_eq!(assign(&pool, 1), Some(0));
    pool.set_admin(B, ServerIx(0), Admin::Maint, NOW);
    assert_eq!(pool.check_deletion(at(0)), Err(DeleteRefusal::Busy));
    pool.back(B).unwrap().release(ServerIx(0), NOW);
    pool.delete_server(at(0), NOW).unwrap();
    assert!(!pool.back_view(B, NOW).unwrap().up);
}

/// Threads that add, use and delete: each name is there once, and no session is lost.
#[test]
fn many_threads_at_once() {
    let pool = started(backend(Balance::LeastConn, 1, |_| {}));
    let added = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (pool, added) = (&pool, &added);
            scope.spawn(move || {
                for round in 0..200 {
                    let name = format!("x{}", (round + thread) % 3);
                    if let Ok(ix) = pool.add_server(B, &name, &["enabled"], NOW) {
                        added.fetch_add(1, AcqRel);
                        for random in 0..5 {
                            let server = assign(pool, random).expect("a server");
                            pool.back(B).unwrap().release(ServerIx(server), NOW);
                        }
                        pool.set_admin(B, ix, Admin::Maint, NOW);
                        while pool.delete_server(at(ix.0), NOW) == Err(DeleteRefusal::Busy) {
                            std::thread::yield_now();
                        }
                    }
                }
            });
        }
    });
    assert!(added.load(Acquire) >= 200, "{added:?}");
    assert_eq!(pool.added().count(), 0);
    assert!(pool.back(B).unwrap().servers.len() < 20, "places are used again");
    assert!(pool.back(B).unwrap().servers.iter().all(|place| place.sessions.get() == 0));
}
