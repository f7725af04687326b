//! Limits, weights and states of servers over time, read from `show stat` of both programs and compared: `minconn` with
//! `fullconn`, `slowstart`, `track`.

mod harness;

use std::time::{Duration, Instant};

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{client, ports, wait};

const HEAD: &str = "global\n nbthread 1\n stats socket {dir}/stats\ndefaults\n mode tcp\n timeout client 60s\n \
                    timeout connect 60s\n timeout server 60s\n";

/// Starts a configuration of which `{dir}` is a folder; the path of its stats socket.
fn start(program: &Program, config: &str) -> (Proxy, tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!("{HEAD}{config}").replace("{dir}", &folder.path().display().to_string());
    let socket = folder.path().join("stats");
    (Proxy::start(program, &config), folder, socket)
}

#[test]
fn a_dynamic_limit_follows_the_load_of_its_backend() {
    for balance in ["roundrobin", "static-rr", "leastconn", "first", "source", "random"] {
        let [theirs, ours] = [Program::theirs(), Program::ours()].map(|program| served_under_load(&program, balance));
        assert_eq!(theirs, ours, "balance {balance}: sessions served and the limit, by sessions that came and went");
        assert!(ours.iter().any(|(served, _)| *served > 5), "it moves: {ours:?}");
    }
}

/// How many sessions the server has, and its limit, while 24 come and then go, one after the other.
fn served_under_load(program: &Program, balance: &str) -> Vec<(i64, i64)> {
    let (echo, door) = (Backend::echo(), ports::free());
    let config = format!(
        "listen l\n bind {door}\n balance {balance}\n fullconn 20\n server s {} minconn 2 maxconn 10\n",
        echo.address
    );
    let (_proxy, _folder, socket) = start(program, &config);
    let settled = |count: usize| {
        let count = i64::try_from(count).expect("a small number");
        wait::until("every session to be served or to wait", || {
            let stats = Stats::from_socket(&socket);
            let served = stats.number("l", "s", "scur");
            let waiting = stats.number("l", "s", "qcur") + stats.number("l", "BACKEND", "qcur");
            let there = stats.number("l", "FRONTEND", "scur") == count;
            (there && served + waiting == count).then_some((served, stats.number("l", "s", "slim")))
        })
    };
    let mut table = Vec::new();
    let mut clients = std::collections::VecDeque::new();
    for count in 1..=24 {
        clients.push_back(client::connect(door));
        table.push(settled(count));
    }
    while clients.pop_front().is_some() {
        table.push(settled(clients.len()));
    }
    table
}

/// The steps of a slow start: each value of `throttle` and of the weight in force, in order, without repetition.
fn steps(program: &Program) -> Vec<(i64, i64)> {
    let late = ports::free();
    let door = ports::free();
    let config =
        format!("listen l\n bind {door}\n server s {late} check inter 100ms rise 1 fall 1 weight 100 slowstart 4s\n");
    let (_proxy, _folder, socket) = start(program, &config);
    wait::until_true("the server to be down", || Stats::from_socket(&socket).text("l", "s", "status") == "DOWN");
    let _server = Backend::start_at(late, harness::backends::echo);
    let mut seen: Vec<(i64, i64)> = Vec::new();
    let begin = Instant::now();
    wait::within(Duration::from_secs(30), "a whole slow start", || {
        let stats = Stats::from_socket(&socket);
        if stats.text("l", "s", "status") != "UP" {
            return None;
        }
        let over = stats.text("l", "s", "throttle").is_empty();
        let now = (if over { 100 } else { stats.number("l", "s", "throttle") }, stats.number("l", "s", "weight"));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        (over || now.0 == 100).then_some(())
    });
    assert!(begin.elapsed() >= Duration::from_secs(3), "it took its time");
    seen
}

#[test]
fn weights_of_a_slow_start_rise_alike_alone() {
    let (theirs, ours) = (Program::theirs(), Program::ours());
    let (theirs, ours) = std::thread::scope(|scope| {
        let (theirs, ours) = (scope.spawn(|| steps(&theirs)), scope.spawn(|| steps(&ours)));
        (theirs.join().expect("haproxy"), ours.join().expect("baton"))
    });
    assert_eq!(theirs, ours);
    assert!(ours.len() >= 4, "{ours:?}");
}

#[test]
fn who_tracks_follows_through_backends_and_chains() {
    let mut both = Vec::new();
    for program in [Program::theirs(), Program::ours()] {
        let (target, other, page) = (Backend::echo(), ports::refused(), ports::free());
        let config = format!(
            "listen page\n bind {page}\n mode http\n stats enable\n stats uri /\n stats admin if TRUE\n\
             backend a\n server checked {} check inter 50ms rise 1 fall 1\n server own {other} disabled track b/near\n\
             backend b\n server near {other} track a/checked\n\
             backend c\n server far {other} track b/near\n server off {other} track a/checked disabled\n",
            target.address
        );
        let (_proxy, _folder, socket) = start(&program, &config);
        let state = || {
            let stats = Stats::from_socket(&socket);
            let all = [("a", "checked"), ("a", "own"), ("b", "near"), ("c", "far"), ("c", "off")];
            all.map(|(proxy, server)| {
                let status = stats.text(proxy, server, "status");
                // what a check counts down is a matter of the moment
                format!("{}|{}", status.split(' ').next().unwrap_or_default(), stats.text(proxy, server, "tracked"))
            })
        };
        let checked = |want: &str| {
            wait::until_true(want, || Stats::from_socket(&socket).text("a", "checked", "status").starts_with(want));
        };
        let mut told = Vec::new();
        checked("UP");
        told.push(state());
        for (backend, server, action) in [
            ("a", "checked", "maint"),
            ("a", "checked", "ready"),
            ("a", "checked", "drain"),
            ("a", "checked", "ready"),
            ("b", "near", "maint"),
            ("b", "near", "ready"),
            ("c", "off", "ready"),
            ("b", "near", "drain"),
            ("b", "near", "ready"),
            ("c", "far", "drain"),
        ] {
            let form = format!("s={server}&action={action}&b={backend}");
            let request = format!(
                "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{form}",
                form.len()
            );
            let (head, _) = client::http(page, &request);
            assert!(head.contains(";st=DONE"), "{form}: {head}");
            told.push(state());
        }
        checked("UP");
        target.stop();
        checked("DOWN");
        told.push(state());
        both.push(told);
    }
    assert_eq!(both[0], both[1]);
}
