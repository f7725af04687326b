//! Balancing, limits and queues as sessions see them, over threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::task::{Wake, Waker};

use super::*;
use crate::ir::{
    Backend, Balance, Config, Frontend, InitAddr, Mode, Proxy, ProxyKind, Rules, Server, ServerAddress, ServerIx,
    SessionLog, Timeouts,
};
use crate::text::{FileId, Span};
use crate::units::{Tick, Weight};

pub(super) fn server(id: u32) -> Server {
    Server {
        name: format!("s{id}"),
        id,
        address: ServerAddress::Inet(([127, 0, 0, 1], 1).into()),
        port_offset: None,
        weight: Weight::DEFAULT,
        backup: false,
        non_stick: false,
        hash_key: crate::ir::HashKey::Id,
        disabled: false,
        maxconn: 0,
        minconn: 0,
        user_timeout: None,
        send_proxy: crate::ir::SendProxy::default(),
        maxqueue: 0,
        slowstart: None,
        check: None,
        track: None,
        on_marked_down: Default::default(),
        agent: None,
        observe: None,
        on_marked_up: Default::default(),
        source: None,
        init_addr: vec![InitAddr::Libc],
        id_given: false,
        host: None,
        resolve: None,
        recorded: None,
        span: Span::line(FileId(0), 1),
    }
}

pub(super) fn backend(balance: Balance, count: u32, change: impl Fn(&mut Server)) -> Backend {
    let servers = (1..=count).map(|id| {
        let mut server = server(id);
        change(&mut server);
        server
    });
    Backend { balance, servers: servers.collect(), ..Backend::default() }
}

/// A running configuration of these backends; those with a frontend are `listen` sections.
pub(super) fn pool(backs: Vec<(&str, ProxyKind, Backend)>) -> Pool {
    let proxy = |(ix, (name, kind, back)): (usize, (&str, ProxyKind, Backend))| Proxy {
        name: name.to_owned(),
        id: ix as u32 + 2,
        id_given: false,
        kind,
        mode: Mode::Tcp,
        disabled: false,
        description: None,
        timeouts: Timeouts::default(),
        logs: Vec::new(),
        log_tag: None,
        session_log: SessionLog::Tcp,
        log_moment: crate::ir::LogMoment::default(),
        formats: None,
        dont_log_null: false,
        dont_log_normal: false,
        log_separate_errors: false,
        log_asap: false,
        error_files: Vec::new(),
        rules: Rules::default(),
        http_rules: Vec::new(),
        frontend: (kind == ProxyKind::Listen).then(Frontend::default),
        backend: Some(back),
        stats: None,
        span: Span::line(FileId(0), 1),
    };
    let proxies = backs.into_iter().enumerate().map(proxy).collect();
    Pool::new(Arc::new(Config { proxies, ..Config::default() }), NOW)
}

pub(super) const NOW: Tick = Tick::from_millis(1_000);

fn demand(waker: &Waker, random: u64) -> Demand<'_> {
    Demand { random, ..Demand::any(waker) }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn sequential_sessions_spread_evenly_over_threads() {
    for balance in [Balance::LeastConn, Balance::RoundRobin, Balance::StaticRr] {
        for threads in [1, 2, 4] {
            let back = BackState::new(&backend(balance, 3, |_| ()), 1, NOW);
            // Sequential: the next session starts when the last has ended, on whichever thread.
            let turn = std::sync::Mutex::new(0);
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        loop {
                            let mut done = turn.lock().unwrap();
                            if *done == 1000 {
                                break;
                            }
                            let Assignment::Server(ix) = back.assign(&demand(Waker::noop(), 0), NOW) else { panic!() };
                            back.release(ix, NOW);
                            *done += 1;
                        }
                    });
                }
            });
            let counts: Vec<u64> = back.servers.iter().map(|server| server.sessions_total.get()).collect();
            assert_eq!(counts.iter().sum::<u64>(), 1000);
            assert!(
                counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1,
                "{balance:?} {threads}: {counts:?}"
            );
        }
    }
}

#[test]
fn loads_are_exact_when_threads_race() {
    for balance in [Balance::LeastConn, Balance::RoundRobin] {
        let back = BackState::new(&backend(balance, 3, |_| ()), 1, NOW);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        assert!(matches!(back.assign(&demand(Waker::noop(), 0), NOW), Assignment::Server(_)));
                    }
                });
            }
        });
        let loads: Vec<u32> = back.servers.iter().map(|server| server.sessions.get()).collect();
        assert_eq!(loads, [400, 400, 400], "{balance:?}");
    }
}

#[test]
fn a_servers_limit_is_never_exceeded() {
    for balance in [Balance::LeastConn, Balance::RoundRobin, Balance::Source, Balance::Random(2), Balance::First] {
        let back = BackState::new(&backend(balance, 2, |server| server.maxconn = 3), 1, NOW);
        let on: [AtomicU32; 2] = Default::default();
        let served = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (back, on, served) = (&back, &on, &served);
                scope.spawn(move || {
                    let mut open: Vec<ServerIx> = Vec::new();
                    let mut queued: Vec<QueueTicket> = Vec::new();
                    let enter = |ix: ServerIx, open: &mut Vec<ServerIx>| {
                        assert!(on[ix.0 as usize].fetch_add(1, SeqCst) < 3, "{balance:?}");
                        served.fetch_add(1, SeqCst);
                        open.push(ix);
                    };
                    for step in 0..2_000_u64 {
                        let random = step.wrapping_mul(thread + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        let hash = Some((random >> 40) as u32);
                        match back.assign(&Demand { hash, ..demand(Waker::noop(), random) }, NOW) {
                            Assignment::Server(ix) => enter(ix, &mut open),
                            Assignment::Queued(ticket) => queued.push(ticket),
                            other => panic!("{other:?}"),
                        }
                        queued.retain(|ticket| match back.queued(ticket) {
                            Some((ix, _)) => {
                                enter(ix, &mut open);
                                false
                            }
                            None => true,
                        });
                        while open.len() > (random >> 60) as usize % 4 {
                            let ix = open.remove(0);
                            on[ix.0 as usize].fetch_sub(1, SeqCst);
                            back.release(ix, NOW);
                        }
                        if step % 5 == 0 && !queued.is_empty() {
                            back.leave_queue(queued.remove(0), NOW);
                        }
                    }
                    for ix in open {
                        on[ix.0 as usize].fetch_sub(1, SeqCst);
                        back.release(ix, NOW);
                    }
                    for ticket in queued {
                        back.leave_queue(ticket, NOW);
                    }
                });
            }
        });
        assert!(served.load(SeqCst) > 1000, "{balance:?}");
        for server in &back.servers {
            assert_eq!((server.sessions.get(), server.queue.get()), (0, 0), "{balance:?}");
            assert!(server.sessions.max() <= 3);
        }
        assert_eq!(back.queue.get(), 0);
    }
}

#[test]
fn a_release_wakes_exactly_one_in_order() {
    let back = BackState::new(&backend(Balance::RoundRobin, 1, |server| server.maxconn = 1), 1, NOW);
    let Assignment::Server(ix) = back.assign(&demand(Waker::noop(), 0), NOW) else { panic!() };
    let flags: [Arc<Flag>; 3] = Default::default();
    let mut tickets: Vec<QueueTicket> = Vec::new();
    for flag in &flags {
        let waker = Waker::from(Arc::clone(flag));
        match back.assign(&demand(&waker, 0), NOW) {
            Assignment::Queued(ticket) => tickets.push(ticket),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tickets.iter().map(|ticket| ticket.ahead).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(back.queue.get(), 3);
    back.leave_queue(tickets.remove(0), NOW); // gives up: the next in line is first now
    back.release(ix, NOW);
    assert_eq!(flags.each_ref().map(|flag| flag.0.load(SeqCst)), [false, true, false]);
    assert_eq!(back.queued(&tickets[1]), None);
    assert_eq!(back.queued(&tickets[0]), Some((ServerIx(0), 1)));
    assert_eq!((back.queue.get(), back.servers[0].sessions.get()), (1, 1));
    // Given a server and gone before it heard: the place passes on.
    back.release(ix, NOW);
    back.leave_queue(tickets.remove(1), NOW);
    assert_eq!((back.queue.get(), back.servers[0].sessions.get()), (0, 0));
}

#[test]
fn backups_serve_only_when_nobody_else_can() {
    let mut line = backend(Balance::RoundRobin, 4, |server| server.backup = server.id > 2);
    for (all, want) in [(false, vec![2, 2, 2, 2]), (true, vec![2, 3, 2, 3])] {
        line.all_backups = all;
        line.servers[0].disabled = true;
        line.servers[1].disabled = false;
        let back = BackState::new(&line, 1, NOW);
        let pick = |back: &BackState| match back.assign(&demand(Waker::noop(), 0), NOW) {
            Assignment::Server(ix) => ix.0,
            other => panic!("{other:?}"),
        };
        assert_eq!([pick(&back), pick(&back)], [1, 1]);
        line.servers[1].disabled = true;
        let back = BackState::new(&line, 1, NOW);
        assert_eq!((0..4).map(|_| pick(&back)).collect::<Vec<_>>(), want);
    }
    line.servers.iter_mut().for_each(|server| server.disabled = true);
    let back = BackState::new(&line, 1, NOW);
    assert!(matches!(back.assign(&demand(Waker::noop(), 0), NOW), Assignment::Unavailable));
}

#[test]
fn a_failed_server_is_avoided_while_there_is_another() {
    for balance in [Balance::RoundRobin, Balance::StaticRr, Balance::LeastConn, Balance::First] {
        let back = BackState::new(&backend(balance, 2, |_| ()), 1, NOW);
        for _ in 0..5 {
            let wish = Demand { avoid: Some(ServerIx(0)), ..demand(Waker::noop(), 0) };
            assert!(matches!(back.assign(&wish, NOW), Assignment::Server(ServerIx(1))), "{balance:?}");
        }
        let lone = BackState::new(&backend(balance, 1, |_| ()), 1, NOW);
        let wish = Demand { avoid: Some(ServerIx(0)), ..demand(Waker::noop(), 0) };
        assert!(matches!(lone.assign(&wish, NOW), Assignment::Server(ServerIx(0))), "{balance:?}");
    }
}
