//! States and counters that go from one process to another.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::super::tests::{NOW, backend, pool};
use super::super::{Admin, By, CheckResult, CheckStatus, Limited, Pool};
use super::*;
use crate::ir::{Agent, Backend, Balance, Bind, BindOptions, Check, Endpoint, ProxyKind, Server, ServerAddress};
use crate::units::{Millis, Weight};

const B: ProxyIx = ProxyIx(0);
const S1: ServerIx = ServerIx(0);
const S2: ServerIx = ServerIx(1);
const S3: ServerIx = ServerIx(2);
/// When the old process is asked, and when the new one has begun.
const LATER: Tick = Tick::from_millis(90_000);
const NEW: Tick = Tick::from_millis(91_000);

/// Two servers that are checked, one that tracks the second.
fn back(change: impl Fn(&mut Server)) -> Backend {
    backend(Balance::RoundRobin, 3, |server| {
        if server.id < 3 {
            server.check = Some(Check { rise: 2, fall: 3, ..Check::default() });
        } else {
            server.track = Some(TrackRef { proxy: B, server: S2 });
        }
        server.slowstart = Some(Millis::seconds(60));
        change(server);
    })
}

fn process(back: Backend, now: Tick) -> Pool {
    let mut made = pool(vec![("b", ProxyKind::Listen, back)]);
    let mut config = (*made.config).clone();
    let bind = |port: u16, id| Bind {
        endpoint: Endpoint::Inet(([127, 0, 0, 1], port).into()),
        name: format!("sock-{id}"),
        id,
        options: BindOptions::default(),
        span: Default::default(),
    };
    config.proxies[0].frontend.as_mut().unwrap().binds = vec![bind(80, 1), bind(81, 2), bind(80, 3)];
    config.global.maxconn = Some(500);
    made = Pool::new(Arc::new(config), now);
    made.set_maxconn(500);
    made
}

fn found(pool: &Pool, server: ServerIx, status: CheckStatus, times: u32, at: Tick) {
    let result = CheckResult { status, duration: 7, code: None, detail: Some("Connection refused".into()) };
    for _ in 0..times {
        pool.report_check(B, server, &result, at);
    }
}

/// An old process in which much has happened.
fn old() -> Pool {
    let old = process(back(|_| ()), NOW);
    found(&old, S1, CheckStatus::L4Con, 1, Tick::from_millis(20_000)); // down at once
    found(&old, S1, CheckStatus::L4Ok, 2, Tick::from_millis(80_000)); // up again, slow start
    found(&old, S1, CheckStatus::L4Con, 1, Tick::from_millis(81_000)); // and failing
    found(&old, S2, CheckStatus::L4Con, 1, Tick::from_millis(30_000));
    old.set_weight(B, S1, Weight::new(5).unwrap(), LATER);
    old.set_server_maxconn(B, S2, 77, LATER);
    old.set_admin(B, S3, Admin::Drain, Tick::from_millis(40_000));
    old
}

fn views(pool: &Pool, now: Tick) -> Vec<super::super::ServerView> {
    [S1, S2, S3].map(|server| pool.server_view(B, server, now).unwrap()).into()
}

fn reload(old: &Pool, new: Pool) -> (Pool, Vec<Notice>) {
    let notices = new.import_states(&old.export_states(LATER), NEW);
    (new, notices)
}

#[test]
fn a_new_process_goes_on_where_the_old_one_was() {
    let old = old();
    old.front(B).unwrap().paused.store(true, Relaxed);
    old.front(B).unwrap().maxconn.store(9, Relaxed);
    let (new, notices) = reload(&old, process(back(|_| ()), NEW));
    assert_eq!(notices, []);
    assert_eq!(views(&new, NEW), views(&old, NEW));
    assert_eq!(new.back_view(B, NEW), old.back_view(B, NEW));
    let front = new.front(B).unwrap();
    assert!(front.paused.load(Relaxed) && !front.stopped.load(Relaxed));
    assert_eq!(front.maxconn.load(Relaxed), 9);
    // Not only what is shown: what comes next comes to the same.
    for pool in [&old, &new] {
        found(pool, S1, CheckStatus::L4Con, 2, Tick::from_millis(95_000));
        found(pool, S2, CheckStatus::L4Ok, 2, Tick::from_millis(96_000));
        pool.set_admin(B, S3, Admin::Ready, Tick::from_millis(97_000));
        pool.warm_up(Tick::from_millis(120_000));
    }
    let at = Tick::from_millis(130_000);
    assert_eq!(views(&new, at), views(&old, at));
    assert_eq!(new.back_view(B, at), old.back_view(B, at));
    assert_eq!(new.export_states(at), old.export_states(at));
}

#[test]
fn a_backend_that_was_down_stays_so_and_nobody_counts_it_again() {
    let old = process(back(|_| ()), NOW);
    for server in [S1, S2] {
        found(&old, server, CheckStatus::L4Con, 1, Tick::from_millis(50_000));
    }
    let (new, _) = reload(&old, process(back(|_| ()), NEW));
    let (was, is) = (old.back_view(B, NEW).unwrap(), new.back_view(B, NEW).unwrap());
    assert_eq!((is.up, is.downs, is.downtime, is.last_change), (false, 1, 41, 41));
    assert_eq!(is, was);
    found(&new, S1, CheckStatus::L4Ok, 2, Tick::from_millis(100_000));
    let is = new.back_view(B, Tick::from_millis(100_000)).unwrap();
    assert_eq!((is.up, is.downs, is.downtime, is.last_change), (true, 1, 50, 0));
}

#[test]
fn what_the_new_file_says_differently_wins() {
    let old = old();
    old.set_admin(B, S1, Admin::Drain, LATER);
    let changed = back(|server| match server.id {
        1 => (server.weight, server.disabled) = (Weight::new(20).unwrap(), true),
        2 => server.maxconn = 50,
        _ => {}
    });
    let (new, notices) = reload(&old, process(changed, NEW));
    let wins = |of: &str, what, was: &str, now: &str| {
        let (of, was, now) = (of.to_owned(), was.to_owned(), now.to_owned());
        Notice::FileWins { of, what, was, now }
    };
    let want = [
        wins("b/s1", "weight", "5", "20"),
        wins("b/s1", "state", "drain", "maint"),
        wins("b/s2", "maxconn", "77", "50"),
    ];
    assert_eq!(notices, want);
    let views = views(&new, NEW);
    assert_eq!((views[0].user_weight, views[0].admin), (20, Admin::Maint));
    assert_eq!(views[1].session_limit, Some(50));
    assert_eq!(views[0].last_change, 0); // it changed: it is in maintenance now
}

#[test]
fn the_file_may_take_its_own_word_back() {
    let old = process(back(|server| server.disabled = server.id == 2), NOW);
    assert_eq!(views(&old, LATER)[2].admin, Admin::Maint);
    let (new, notices) = reload(&old, process(back(|_| ()), NEW));
    assert_eq!(notices, []); // nobody had ordered anything
    let views = views(&new, NEW);
    assert_eq!((views[1].admin, views[2].admin), (Admin::Ready, Admin::Ready));
    assert_eq!((views[1].status_text.as_str(), views[2].status_text.as_str()), ("UP 1/3", "UP 1/3"));
    assert_eq!(views[1].failures.as_ref().unwrap().downtime, 90);
}

#[test]
fn an_order_for_a_tracked_server_reaches_its_trackers() {
    let old = process(back(|_| ()), NOW);
    old.set_admin(B, S2, Admin::Maint, LATER);
    let (new, _) = reload(&old, process(back(|_| ()), NEW));
    assert_eq!(views(&new, NEW)[2].status_text, "MAINT (via b/s2)");
    // One that is new inherits as well.
    let mut more = back(|_| ());
    let mut extra = more.servers[2].clone();
    extra.name = "s4".into();
    more.servers.push(extra);
    let (new, _) = reload(&old, process(more, NEW));
    assert_eq!(new.server_view(B, ServerIx(3), NEW).unwrap().status_text, "MAINT (via b/s2)");
    new.set_admin(B, S2, Admin::Ready, NEW);
    assert_eq!(new.server_view(B, ServerIx(3), NEW).unwrap().status_text, "UP 1/3");
}

#[test]
fn another_address_or_check_starts_afresh_but_orders_go_on() {
    type Change = fn(&mut Server);
    let changes: [(&str, Change, usize); 5] = [
        ("address", |s| s.address = ServerAddress::Inet(([127, 0, 0, 2], 1).into()), 3),
        ("rise", |s| s.check.iter_mut().for_each(|check| check.rise = 9), 2),
        ("port", |s| s.check.iter_mut().for_each(|check| check.port = Some(9)), 2),
        ("inter", |s| s.check.iter_mut().for_each(|check| check.inter = Millis::seconds(9)), 0),
        (
            "agent",
            |s| {
                let (inter, addr, port, send) = (Millis::seconds(1), None, 9, Vec::new());
                s.agent = Some(Box::new(Agent { inter, addr, port, send }));
            },
            3,
        ),
    ];
    for (what, change, afresh) in changes {
        let old = old();
        let (new, notices) = reload(&old, process(back(change), NEW));
        let want = if afresh > 0 { vec![Notice::Afresh { servers: afresh }] } else { vec![] };
        assert_eq!(notices, want, "{what}");
        let views = views(&new, NEW);
        let second = if afresh > 0 { "UP" } else { "DOWN" };
        assert_eq!(views[1].status_text.split(' ').next(), Some(second), "{what}");
        assert_eq!((views[0].user_weight, views[2].admin), (5, Admin::Drain), "{what}");
        assert_eq!(views[1].failures.as_ref().unwrap().downs, 1, "{what}: what was counted is not forgotten");
    }
}

#[test]
fn an_address_that_was_set_goes_on_unless_the_file_changed() {
    use crate::units::address::ServerPort;
    let elsewhere = |s: &mut Server| s.address = ServerAddress::Inet(([127, 0, 0, 7], 1).into());
    let named = |s: &mut Server| s.host = Some("a.test".into());
    let named_elsewhere = |s: &mut Server| (elsewhere(s), named(s)).0;
    type Change<'a> = &'a dyn Fn(&mut Server);
    let rows: [(&str, Change<'_>, Change<'_>, &str); 4] = [
        ("as before", &|_| (), &|_| (), "127.0.0.9:80"),
        ("another address", &|_| (), &elsewhere, "127.0.0.7:1"),
        ("a name that is found elsewhere now", &named, &named_elsewhere, "127.0.0.9:80"),
        ("a name", &|_| (), &named, "127.0.0.1:1"),
    ];
    for (what, before, after, want) in rows {
        let old = process(back(before), NOW);
        let ip = Some([127, 0, 0, 9].into());
        old.set_server_address(B, S1, ip, Some(ServerPort::Fixed(80)), By::Command, LATER).unwrap();
        let (new, notices) = reload(&old, process(back(after), NEW));
        assert_eq!(new.server_now(B, S1).unwrap().address.to_string(), want, "{what}");
        let wins = notices.iter().any(|notice| matches!(notice, Notice::FileWins { what: "address", .. }));
        assert_eq!(wins, want != "127.0.0.9:80", "{what}: {notices:?}");
    }
}

#[test]
fn what_was_set_of_checks_agents_and_limits_goes_on() {
    let with_agent = |s: &mut Server| {
        let (inter, addr, port, send) = (Millis::seconds(1), None, 9, b"hi".to_vec());
        s.agent = Some(Box::new(Agent { inter, addr, port, send }));
    };
    let old = process(back(with_agent), NOW);
    old.change_server(B, S1, |line| {
        line.check.iter_mut().for_each(|check| (check.addr, check.port) = (Some([10, 0, 0, 1].into()), Some(7)));
        line.agent.iter_mut().for_each(|agent| (agent.port, agent.send) = (8, b"ho".to_vec()));
    });
    found(&old, S1, CheckStatus::L4Con, 1, Tick::from_millis(20_000));
    old.process.rates.set(Limited::Sessions, 5);
    old.process.maxconn.store(100, Relaxed);
    old.front(B).unwrap().barred.store(true, Relaxed);
    let (new, notices) = reload(&old, process(back(with_agent), NEW));
    assert_eq!(notices, []);
    let line = new.server_now(B, S1).unwrap();
    let (check, agent) = (line.check.as_ref().unwrap(), line.agent.as_ref().unwrap());
    assert_eq!((check.addr, check.port), (Some([10, 0, 0, 1].into()), Some(7)));
    assert_eq!((agent.addr, agent.port, &*agent.send), (None, 8, &b"ho"[..]));
    assert_eq!(new.server_view(B, S1, NEW).unwrap().status_text, "DOWN");
    assert_eq!([Limited::Connections, Limited::Sessions].map(|of| new.process.rates.get(of)), [0, 5]);
    let process = &new.process;
    assert_eq!((process.maxconn.load(Relaxed), process.hard_maxconn.load(Relaxed)), (100, 500));
    assert!(new.front(B).unwrap().barred.load(Relaxed));
    // Another port in the file: what was ordered of that is told to have ended.
    let other = |s: &mut Server| {
        with_agent(s);
        s.check.iter_mut().for_each(|check| check.port = Some(6));
        s.agent.iter_mut().for_each(|agent| agent.port = 6);
    };
    let (new, notices) = reload(&old, self::process(back(other), NEW));
    let wins: Vec<String> = notices.iter().take(2).map(ToString::to_string).collect();
    let ends =
        |what, was, now| format!("b/s1: {what} was {was} by order, and is {now} now as the configuration changed");
    assert_eq!(wins, [ends("check-addr", "10.0.0.1:7", ":6"), ends("agent-addr", ":8", ":6")]);
    assert_eq!(new.server_now(B, S1).unwrap().check.as_ref().unwrap().port, Some(6));
}

#[test]
fn names_that_are_gone_are_counted() {
    let old = old();
    let only = Backend { servers: vec![back(|_| ()).servers[1].clone()], ..Backend::default() };
    let (new, notices) = reload(&old, process(only, NEW));
    assert_eq!(notices, [Notice::Gone { lines: 2 }]);
    assert_eq!(new.server_view(B, S1, NEW).unwrap().status_text, "DOWN");
    let empty = pool(vec![]);
    assert_eq!(empty.import_states(&old.export_states(LATER), NEW), [Notice::Gone { lines: 5 }]);
    assert_eq!(empty.import_counters(&old.export_counters(), NEW), [Notice::Gone { lines: 8 }]);
}

#[test]
fn a_global_limit_goes_on_within_what_is_planned() {
    for (ordered, now) in [(100, 100), (9_000, 500)] {
        let old = process(back(|_| ()), NOW);
        old.process.maxconn.store(ordered, Relaxed);
        let (new, notices) = reload(&old, process(back(|_| ()), NEW));
        assert_eq!(notices, []);
        assert_eq!(new.process.maxconn.load(Relaxed), now);
        assert_eq!(new.process.hard_maxconn.load(Relaxed), 500, "it can be raised again");
        assert_eq!(
            new.front(B).unwrap().maxconn.load(Relaxed),
            500,
            "an order to the process is none to its frontends"
        );
    }
}

/// Counts a little of everything in a process, `n` times.
fn busy(pool: &Pool, n: u64, at: Tick) {
    let (front, back) = (pool.front(B).unwrap(), pool.back(B).unwrap());
    let server = &back.servers[0];
    for _ in 0..n {
        front.session_rate.hit(at);
        back.session_rate.hit(at);
        server.session_rate.hit(at);
        server.times.picked.add(1);
        server.times.note(Some(10), Some(20), 30);
    }
    front.answers[4].add(n);
    front.listeners[2].bytes_in.add(n);
    back.bytes_out.add(n);
    server.sessions_total.add(n);
    server.last_session.set(at.millis());
    (0..n).for_each(|_| _ = server.sessions.up());
    (0..n).for_each(|_| _ = server.sessions.down());
}

#[test]
fn counters_of_both_processes_are_one() {
    let (old, new) = (process(back(|_| ()), NOW), process(back(|_| ()), NEW));
    busy(&old, 600, LATER);
    busy(&new, 100, NEW);
    old.back(B).unwrap().servers[0].sessions.up();
    assert_eq!(new.import_counters(&old.export_counters(), NEW), []);
    let (front, back) = (new.front(B).unwrap(), new.back(B).unwrap());
    let server = &back.servers[0];
    assert_eq!(server.sessions_total.get(), 700);
    assert_eq!((server.sessions.get(), server.sessions.max()), (0, 600), "sessions are where they are");
    assert_eq!((front.session_rate.max(), front.session_rate.get(NEW)), (600, 700));
    assert_eq!(server.times.averages(), [10, 20, 30]);
    assert_eq!(server.last_session.get(), NEW.millis());
    assert_eq!((front.answers[4].get(), back.bytes_out.get()), (700, 700));
    let listeners: Vec<u64> = front.listeners.iter().map(|listener| listener.bytes_in.get()).collect();
    assert_eq!(listeners, [0, 0, 700], "of two with one address the second");
}

#[test]
fn lines_are_bounded_and_many_servers_are_quick() {
    let many = Backend { servers: (1..=5_000).map(super::super::tests::server).collect(), ..Backend::default() };
    let old = process(many.clone(), NOW);
    let new = process(many, NEW);
    for lines in [old.export_states(LATER), old.export_counters()] {
        assert!(lines.iter().all(|line| line.len() <= LINE_MAX && !line.contains('\n')));
        assert!(lines.len() > 5_000);
        assert!(lines.iter().map(String::len).sum::<usize>() < 5_000 * 300);
    }
    assert_eq!(new.import_states(&old.export_states(LATER), NEW), []);
    let long = format!("{{\"front\":{{\"proxy\":\"b\",\"x\":\"{}\"}}}}", "x".repeat(LINE_MAX));
    assert_eq!(new.import_states(&[long], NEW), [Notice::Unreadable { lines: 1 }]);
}

/// Whatever is in the lines, both processes' figures can be read and go on.
#[test]
fn hostile_lines() {
    let old = old();
    busy(&old, 3, LATER);
    old.read_lines_by(Arc::new(super::super::added_tests::Simple));
    old.add_server(B, "x", &["7", "check", "agent"], NOW).unwrap();
    old.set_server_address(B, S1, Some([127, 0, 0, 9].into()), None, By::Command, LATER).unwrap();
    old.change_server(B, S2, |line| line.check.iter_mut().for_each(|check| check.port = Some(9)));
    let good: Vec<String> = old.export_states(LATER).into_iter().chain(old.export_counters()).collect();
    let good = std::panic::AssertUnwindSafe(good);
    bolero::check!().with_type::<(u8, u16, Vec<u8>, u64, u8)>().for_each(|(which, at, bytes, number, mode)| {
        let line = &good[usize::from(*which) % good.len()];
        let mut text = line.clone().into_bytes();
        match mode % 3 {
            0 => text = bytes.clone(),
            1 => {
                let at = usize::from(*at) % text.len();
                text.splice(at..(at + bytes.len() / 2).min(text.len()), bytes.iter().copied());
            }
            _ => {
                // Another number in place of one of its own.
                let digits: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_ascii_digit()).collect();
                if let Some(at) = digits.get(usize::from(*at) % digits.len().max(1)) {
                    let end = (*at..text.len()).find(|at| !text[*at].is_ascii_digit()).unwrap_or(text.len());
                    text.splice(at..&end, number.to_string().into_bytes());
                }
            }
        }
        let lines = [String::from_utf8_lossy(&text).into_owned(), line.clone()];
        let new = process(back(|_| ()), NEW);
        new.read_lines_by(Arc::new(super::super::added_tests::Simple));
        for notice in new.import_states(&lines, NEW).into_iter().chain(new.import_counters(&lines, NEW)) {
            assert!(!notice.to_string().is_empty());
        }
        busy(&new, 2, NEW);
        for server in [S1, S2, S3] {
            found(&new, server, CheckStatus::L4Con, 4, NEW);
            found(&new, server, CheckStatus::L4Ok, 4, LATER);
            new.set_admin(B, server, Admin::Maint, LATER);
            new.set_admin(B, server, Admin::Ready, NEW);
            assert!(new.server_view(B, server, NEW).is_some_and(|view| view.user_weight <= 256));
        }
        new.warm_up(NEW);
        new.back_view(B, NEW).unwrap();
        new.export_states(NEW);
        new.export_counters();
    });
}
