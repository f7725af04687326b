//! What orders, verdicts and slow starts change, and what is told of it: observed on 2.6.12, replayed without a clock.

use std::task::Waker;

use super::tests::{NOW, backend, pool};
use super::*;
use crate::ir::{Backend, Balance, Check, Level, ProxyIx, ProxyKind, Server, ServerIx, TrackRef};
use crate::units::{Millis, Tick, Weight};

const L: ProxyIx = ProxyIx(0);
const S1: ServerIx = ServerIx(0);
const S2: ServerIx = ServerIx(1);

fn checked(server: &mut Server) {
    server.check = Some(Check { inter: Millis::seconds(1), ..Check::default() });
}

/// `l` with s1 and s2; `b2` whose x tracks s1; `b5` whose e tracks x.
fn chain() -> Pool {
    let two = backend(Balance::RoundRobin, 2, checked);
    let track = |proxy, server, name: &str| {
        let mut back = backend(Balance::RoundRobin, 1, |line| line.track = Some(TrackRef { proxy, server }));
        back.servers[0].name = name.to_owned();
        back
    };
    let pool = pool(vec![
        ("l", ProxyKind::Listen, two),
        ("b2", ProxyKind::Backend, track(L, S1, "x")),
        ("b5", ProxyKind::Backend, track(ProxyIx(1), S1, "e")),
    ]);
    for server in [S1, S2] {
        assert!(told(&pool.report_check(L, server, &result(CheckStatus::L4Ok), NOW)).is_empty());
    }
    pool
}

fn result(status: CheckStatus) -> CheckResult {
    let detail = (status == CheckStatus::L4Con).then_some("Connection refused".into());
    CheckResult { status, detail, ..CheckResult::default() }
}

fn told(events: &Events) -> Vec<String> {
    events.iter().map(|(_, event)| format!("{} {}", event.level as u8, event.message)).collect()
}

fn status(pool: &Pool, proxy: u32, server: u32) -> String {
    pool.server_view(ProxyIx(proxy), ServerIx(server), NOW).unwrap().status_text
}

#[test]
fn orders_are_told_as_haproxy_tells_them() {
    let pool = chain();
    let order = |server, admin| told(&pool.set_admin(L, server, admin, NOW));
    let on = "0 sessions requeued, 0 total in queue.";
    let off = "0 sessions active, 0 requeued, 0 remaining in queue.";
    assert_eq!(
        order(S1, Admin::Drain),
        [
            &format!("5 Server l/s1 enters drain state. 1 active and 0 backup servers online. {on}"),
            &format!("5 Server b2/x enters drain state via l/s1. 0 active and 0 backup servers online. {on}"),
            "0 backend b2 has no server available!",
            &format!("5 Server b5/e enters drain state via b2/x. 0 active and 0 backup servers online. {on}"),
            "0 backend b5 has no server available!",
        ]
    );
    assert_eq!((status(&pool, 0, 0), status(&pool, 1, 0)), ("DRAIN".into(), "DRAIN".into()));
    assert_eq!(
        order(S2, Admin::Drain),
        [
            &format!("5 Server l/s2 enters drain state. 0 active and 0 backup servers online. {on}"),
            "0 proxy l has no server available!",
        ]
    );
    let going = "is going DOWN for maintenance";
    assert_eq!(
        order(S2, Admin::Maint), // it was drained: nobody is alarmed
        [format!("5 Server l/s2 {going}. 0 active and 0 backup servers left. {off}")]
    );
    assert_eq!(order(S2, Admin::Ready), ["5 Server l/s2 is UP/READY (leaving forced maintenance)."]);
    assert_eq!(
        order(S1, Admin::Maint),
        [
            format!("5 Server l/s1 {going}. 1 active and 0 backup servers left. {off}"),
            format!("5 Server b2/x {going} via l/s1. 0 active and 0 backup servers left. {off}"),
            format!("5 Server b5/e {going} via b2/x. 0 active and 0 backup servers left. {off}"),
        ]
    );
    assert_eq!(
        [status(&pool, 0, 0), status(&pool, 1, 0), status(&pool, 2, 0)],
        ["MAINT", "MAINT (via l/s1)", "MAINT (via b2/x)"]
    );
    assert_eq!(
        order(S1, Admin::Drain),
        [
            "5 Server l/s1 is UP/DRAIN (leaving forced maintenance).",
            "5 Server l/s1 remains in forced drain mode.",
            "5 Server b2/x is UP/DRAIN (leaving maintenance).",
            "5 Server b2/x is leaving forced drain but remains in drain mode via l/s1.",
            "5 Server b5/e is UP/DRAIN (leaving maintenance).",
            "5 Server b5/e is leaving forced drain but remains in drain mode via b2/x.",
        ]
    );
    assert_eq!(
        order(S1, Admin::Ready),
        [
            "5 Server l/s1 is UP (leaving forced drain).",
            "5 Server b2/x is UP (leaving forced drain).",
            "5 Server b5/e is UP (leaving forced drain).",
        ]
    );
    assert_eq!(order(S2, Admin::Maint), [format!("1 Server l/s2 {going}. 1 active and 0 backup servers left. {off}")]);
    assert!(order(S2, Admin::Maint).is_empty(), "nothing new");
    assert!(!pool.start_check(L, S2), "no checks in maintenance");
    assert!(pool.report_check(L, S2, &result(CheckStatus::L4Con), NOW).is_empty(), "a check that ended too late");
    let view = pool.server_view(L, S2, NOW).unwrap();
    assert_eq!((view.check, view.failures.unwrap().downs), (None, 2));
}

#[test]
fn verdicts_reach_the_trackers_in_order() {
    let pool = chain();
    let off = "0 sessions active, 0 requeued, 0 remaining in queue.";
    let on = "0 sessions requeued, 0 total in queue.";
    let report = |status| told(&pool.report_check(L, S1, &result(status), NOW));
    for count in ["UP 2/3", "UP 1/3"] {
        assert!(report(CheckStatus::L4Con).is_empty());
        assert_eq!([status(&pool, 0, 0), status(&pool, 2, 0)], [count, count]);
    }
    assert_eq!(
        report(CheckStatus::L4Con),
        [
            &format!(
                "1 Server l/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", \
                 check duration: 0ms. 1 active and 0 backup servers left. {off}"
            ),
            &format!("1 Server b2/x is DOWN via l/s1. 0 active and 0 backup servers left. {off}"),
            "0 backend b2 has no server available!",
            &format!("1 Server b5/e is DOWN via b2/x. 0 active and 0 backup servers left. {off}"),
            "0 backend b5 has no server available!",
        ]
    );
    assert!(report(CheckStatus::L4Ok).is_empty());
    assert_eq!(status(&pool, 1, 0), "DOWN 1/2");
    assert_eq!(
        report(CheckStatus::L4Ok),
        [
            format!(
                "5 Server l/s1 is UP, reason: Layer4 check passed, check duration: 0ms. 2 active and 0 backup servers \
                 online. {on}"
            ),
            format!("5 Server b2/x is UP via l/s1. 1 active and 0 backup servers online. {on}"),
            format!("5 Server b5/e is UP via b2/x. 1 active and 0 backup servers online. {on}"),
        ]
    );
    let down = told(&pool.set_health(L, S1, HealthOrder::Down, NOW));
    let want = "1 Server l/s1 is DOWN, changed from CLI. 1 active and 0 backup servers left. ";
    assert_eq!(down[0], format!("{want}{off}"));
    assert_eq!(down.len(), 5);
    let up = told(&pool.set_health(L, S1, HealthOrder::Up, NOW));
    assert_eq!(up[0], format!("5 Server l/s1 is UP, changed from CLI. 2 active and 0 backup servers online. {on}"));
}

#[test]
fn a_drained_server_that_goes_down_alarms_nobody() {
    let pool = chain();
    pool.set_admin(L, S2, Admin::Drain, NOW);
    for _ in 0..2 {
        assert!(pool.report_check(L, S2, &result(CheckStatus::L4Con), NOW).is_empty());
    }
    let events = pool.report_check(L, S2, &result(CheckStatus::L4Con), NOW);
    assert_eq!(events.iter().map(|(_, event)| event.level).collect::<Vec<_>>(), [Level::Notice, Level::Notice]);
    assert!(events[0].1.message.starts_with("Server l/s2 is DOWN, reason: "));
    assert_eq!(events[1].1.message, "Server l/s2 remains in forced drain mode.");
    assert_eq!(status(&pool, 0, 1), "DOWN");
}

#[test]
fn the_last_weight_takes_the_backend_down() {
    let pool = chain();
    assert!(pool.set_weight(L, S1, Weight::new(0).unwrap(), NOW).is_empty());
    assert_eq!(told(&pool.set_weight(L, S2, Weight::new(0).unwrap(), NOW)), ["0 proxy l has no server available!"]);
    let later = Tick::from_millis(NOW.millis() + 2_500);
    assert!(!pool.back_view(L, later).unwrap().up);
    assert_eq!(pool.back_view(L, later).unwrap().downtime, 2);
    assert!(pool.set_weight(L, S2, Weight::new(5).unwrap(), later).is_empty());
    let view = pool.back_view(L, later).unwrap();
    assert_eq!((view.up, view.active, view.weight, view.downs, view.downtime), (true, 1, 5, 1, 2));
}

#[test]
fn a_slow_start_climbs_in_sixteenths() {
    // (second, throttle, weight) of a server with `weight 100 slowstart 9s`, observed on 2.6.12.
    let observed = [
        (0, Some(6), 7),
        (1, Some(12), 13),
        (2, Some(25), 25),
        (3, Some(37), 38),
        (4, Some(50), 50),
        (5, Some(56), 57),
        (6, Some(68), 69),
        (7, Some(81), 82),
        (8, Some(93), 94),
        (9, None, 100),
    ];
    for (balance, climbs) in [(Balance::RoundRobin, true), (Balance::StaticRr, false)] {
        let back = backend(balance, 1, |server| {
            checked(server);
            server.weight = Weight::new(100).unwrap();
            server.slowstart = Some(Millis::seconds(9));
            server.maxconn = 32;
        });
        let pool = pool(vec![("l", ProxyKind::Listen, back)]);
        let view = |at: Tick| pool.server_view(L, S1, at).unwrap();
        assert_eq!((view(NOW).throttle, view(NOW).weight), (None, 100), "none at the start");
        pool.report_check(L, S1, &result(CheckStatus::L4Con), NOW);
        pool.report_check(L, S1, &result(CheckStatus::L4Ok), NOW);
        pool.report_check(L, S1, &result(CheckStatus::L4Ok), NOW);
        for (second, throttle, weight) in observed {
            let at = Tick::from_millis(NOW.millis() + second * 1000 + 30);
            assert_eq!(pool.warm_up(at), throttle.is_some());
            let weight = if climbs { weight } else { 100 };
            assert_eq!((view(at).throttle, view(at).weight), (throttle, weight), "second {second} {balance:?}");
        }
        assert_eq!(view(NOW).session_limit, Some(32));
    }
}

#[test]
fn a_slow_start_holds_sessions_back_and_lets_them_in() {
    let back = backend(Balance::LeastConn, 1, |server| {
        checked(server);
        server.slowstart = Some(Millis::seconds(4));
        server.maxconn = 8;
    });
    let pool = pool(vec![("l", ProxyKind::Listen, back)]);
    pool.report_check(L, S1, &result(CheckStatus::L4Con), NOW);
    pool.report_check(L, S1, &result(CheckStatus::L4Ok), NOW);
    pool.report_check(L, S1, &result(CheckStatus::L4Ok), NOW);
    let back = pool.back(L).unwrap();
    let ask = || back.assign(&Demand::any(Waker::noop()), NOW);
    assert!(matches!(ask(), Assignment::Server(S1)));
    let tickets: Vec<Assignment> = (0..7).map(|_| ask()).collect();
    assert!(tickets.iter().all(|ticket| matches!(ticket, Assignment::Queued(_))));
    for (second, served) in [(1, 2), (2, 4), (3, 6), (4, 8)] {
        pool.warm_up(Tick::from_millis(NOW.millis() + second * 1000));
        assert_eq!(back.servers[0].sessions.get(), served, "second {second}");
    }
    assert_eq!(back.queue.get(), 0);
}

#[test]
fn only_option_redispatch_moves_a_queue() {
    use crate::ir::Redispatch;
    for (redispatch, moved) in [(Redispatch::Never, 0), (Redispatch::Last, 3)] {
        let back = backend(Balance::Source, 2, |server| {
            checked(server);
            server.maxconn = 1;
        });
        let pool = pool(vec![("l", ProxyKind::Listen, Backend { redispatch, ..back })]);
        let back = pool.back(L).unwrap();
        let hash = Some(2); // it is even: the first server
        let ask = || back.assign(&Demand { hash, ..Demand::any(Waker::noop()) }, NOW);
        assert!(matches!(ask(), Assignment::Server(S1)));
        let tickets: Vec<QueueTicket> = (0..3)
            .map(|_| match ask() {
                Assignment::Queued(ticket) => ticket,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(back.servers[0].queue.get(), 3);
        let line = &told(&pool.report_check(L, S1, &result(CheckStatus::L4Con), NOW))[0];
        let want = format!("1 sessions active, {moved} requeued, {} remaining in queue.", 3 - moved);
        assert!(line.ends_with(&want), "{line}");
        let served =
            tickets.iter().filter(|ticket| back.queued(ticket).is_some_and(|(server, _)| server == S2)).count() as u32;
        assert_eq!(served, moved.min(1));
        assert_eq!((back.servers[0].queue.get(), back.servers[1].queue.get()), (3 - moved, moved.saturating_sub(1)));
        assert_eq!((back.redispatches.get(), back.servers[0].redispatches.get()), (moved.into(), moved.into()));
    }
}

#[test]
fn who_tracks_a_server_that_is_not_checked_is_not_checked() {
    let dead = backend(Balance::RoundRobin, 2, |server| {
        checked(server);
        server.disabled = server.id == 2;
    });
    let follower = backend(Balance::RoundRobin, 2, |line| {
        line.track = Some(TrackRef { proxy: L, server: ServerIx(line.id - 1) });
    });
    let backs = vec![("d", ProxyKind::Backend, dead), ("l", ProxyKind::Listen, follower)];
    let pool = |disabled| {
        let mut config = (*pool(backs.clone()).config).clone();
        config.proxies[0].disabled = disabled;
        Pool::new(std::sync::Arc::new(config), NOW)
    };
    for (disabled, want) in [(false, "UP 1/3"), (true, "no check")] {
        let pool = pool(disabled);
        assert_eq!([status(&pool, 1, 0), status(&pool, 1, 1)], [want, "MAINT (via d/s2)"]);
        let back = pool.back_view(ProxyIx(1), NOW).unwrap();
        assert_eq!((back.up, back.active, back.downs), (true, 1, 0));
    }
}
