//! Sessions, queues, checks and orders at once, from many threads: nothing is lost, nothing is counted twice.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::task::Waker;

use super::tests::{NOW, backend, pool};
use super::*;
use crate::ir::{Backend, Balance, Check, ProxyIx, ProxyKind, Redispatch, ServerIx};
use crate::units::{Millis, Weight};

const L: ProxyIx = ProxyIx(0);
const SESSIONS: u64 = 1_500;

/// A session that asks, waits if it must, serves a moment and leaves; some give up.
fn sessions(back: &BackState, seed: u64, on: &[AtomicU32], limit: u32) -> u32 {
    let (mut served, mut queued, mut open) = (0, Vec::new(), Vec::new());
    let mut enter = |ix: ServerIx, open: &mut Vec<ServerIx>| {
        assert!(on[ix.0 as usize].fetch_add(1, SeqCst) < limit, "more than maxconn on server {}", ix.0);
        served += 1;
        open.push(ix);
    };
    for step in 0..SESSIONS {
        let random = (step + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = Some((random >> 36) as u32);
        let avoid = (random >> 61 == 0).then_some(ServerIx((random >> 32) as u32 % 3));
        match back.assign(&Demand { hash, avoid, random, ..Demand::any(Waker::noop()) }, NOW) {
            Assignment::Server(ix) => enter(ix, &mut open),
            Assignment::Queued(ticket) => queued.push(ticket),
            Assignment::Unavailable | Assignment::QueueFull(_) => {}
        }
        queued.retain(|ticket| match back.queued(ticket) {
            Some((ix, place)) => {
                assert!(place > 0);
                enter(ix, &mut open);
                false
            }
            None => true,
        });
        while open.len() > (random >> 62) as usize {
            let ix = open.remove(0);
            on[ix.0 as usize].fetch_sub(1, SeqCst);
            back.release(ix, NOW);
        }
        if step % 7 == 0 && !queued.is_empty() {
            back.leave_queue(queued.swap_remove((random >> 40) as usize % queued.len()), NOW);
        }
    }
    for ix in open {
        on[ix.0 as usize].fetch_sub(1, SeqCst);
        back.release(ix, NOW);
    }
    queued.into_iter().for_each(|ticket| back.leave_queue(ticket, NOW));
    served
}

/// Takes one server after the other away, in each way there is, and brings it back, until told to stop.
fn trouble(pool: &Pool, over: &AtomicBool) {
    let report =
        |server, status| drop(pool.report_check(L, server, &CheckResult { status, ..CheckResult::default() }, NOW));
    let weigh = |server, weight| drop(pool.set_weight(L, server, Weight::new(weight).unwrap(), NOW));
    let mut turn = 0;
    while !over.load(SeqCst) {
        turn += 1;
        let server = ServerIx(turn % 3);
        match turn % 4 {
            0 => report(server, CheckStatus::L4Con),
            1 => drop(pool.set_admin(L, server, Admin::Maint, NOW)),
            2 => drop(pool.set_admin(L, server, Admin::Drain, NOW)),
            _ => weigh(server, 0),
        }
        std::thread::yield_now();
        match turn % 4 {
            0 => report(server, CheckStatus::L4Ok),
            1 | 2 => drop(pool.set_admin(L, server, Admin::Ready, NOW)),
            _ => weigh(server, 1),
        }
        std::thread::yield_now();
    }
}

#[test]
fn nothing_is_lost_when_servers_come_and_go_under_load() {
    for balance in [
        Balance::RoundRobin,
        Balance::StaticRr,
        Balance::LeastConn,
        Balance::First,
        Balance::Source,
        Balance::Random(2),
    ] {
        for redispatch in [Redispatch::Never, Redispatch::Last] {
            let line = backend(balance, 3, |server| {
                server.check = Some(Check { inter: Millis::seconds(1), rise: 1, fall: 1, ..Check::default() });
                server.maxconn = 2;
                server.maxqueue = 5;
                server.backup = server.id == 3;
            });
            let pool = pool(vec![("l", ProxyKind::Listen, Backend { redispatch, ..line })]);
            let back = pool.back(L).unwrap();
            let (over, start) = (AtomicBool::new(false), Barrier::new(4));
            let on: [AtomicU32; 3] = Default::default();
            let served = std::thread::scope(|scope| {
                let troubled = scope.spawn(|| {
                    start.wait();
                    trouble(&pool, &over);
                });
                let busy: Vec<_> = (0..3_u64)
                    .map(|thread| {
                        let (start, on) = (&start, &on);
                        scope.spawn(move || {
                            start.wait();
                            sessions(back, thread << 20, on, 2)
                        })
                    })
                    .collect();
                let served: u32 = busy.into_iter().map(|thread| thread.join().expect("its sessions end")).sum();
                over.store(true, SeqCst);
                troubled.join().expect("the trouble ends");
                served
            });
            assert!(served > 100, "{balance:?}: {served}");
            let total: u64 = back.servers.iter().map(|server| server.sessions_total.get()).sum();
            assert!(total >= u64::from(served), "{total} counted, {served} served");
            for server in &back.servers {
                assert_eq!((server.sessions.get(), server.queue.get()), (0, 0), "{balance:?} {redispatch:?}");
            }
            assert_eq!(back.queue.get(), 0, "{balance:?} {redispatch:?}");
            let view = pool.back_view(L, NOW).unwrap();
            assert_eq!((view.active, view.backup, view.weight), (2, 1, 2), "{balance:?} {redispatch:?}");
            // And it goes on as if nothing had been.
            for _ in 0..4 {
                let demand = Demand { random: 1, ..Demand::any(Waker::noop()) };
                match back.assign(&demand, NOW) {
                    Assignment::Server(ix) => back.release(ix, NOW),
                    other => panic!("{balance:?}: {other:?}"),
                }
            }
        }
    }
}
