//! What is changed at run time survives a reload by `-sf` where the new file does not contradict it.

mod harness;

use std::io::Read;
use std::net::SocketAddr;

use harness::backends::Backend;
use harness::client;
use harness::ports;
use harness::program::Program;
use harness::site::Site;

#[track_caller]
fn served_by(door: SocketAddr) -> String {
    let mut name = [0; 3];
    client::connect(door).read_exact(&mut name).expect("the name of a server");
    String::from_utf8_lossy(&name).into_owned()
}

fn field(site: &Site, name: &str) -> String {
    let info = site.order("show info");
    let mut lines = info.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    lines.next().expect("the field").to_owned()
}

/// A server's line of `show servers state` from its address on, without moments and what a check is doing.
fn state(site: &Site, server: &str) -> String {
    let all = site.order("show servers state");
    let line = all.lines().find(|line| line.split(' ').nth(3) == Some(server)).expect("the server").to_owned();
    let fields: Vec<&str> = line.split(' ').collect();
    [4, 6, 7, 8, 17, 18, 21, 22, 23, 24].map(|at| fields[at]).join(" ")
}

/// Orders to one server, what the statistics say then, and the words on its line that end the order.
#[test]
fn orders_to_servers() {
    let (old, new) = (Backend::named("old"), Backend::named("new"));
    let door = ports::free();
    let lines = |changed: &str| {
        let line = |name: &str, words: &str| {
            let end = if changed == name { "id 77 weight 9 maxconn 99" } else { "" };
            format!("  server {name} {} {words} {end}\n", old.address)
        };
        [
            format!("listen l\n  bind {door}\n"),
            line("plain", "weight 10 maxconn 10"),
            line("seen", "check inter 1h"),
            line("told", "agent-check agent-port 9 agent-inter 1h agent-send hi"),
            line("idle", "check inter 1h agent-check agent-port 9 agent-inter 1h"),
        ]
        .concat()
    };
    let mut site = Site::start(&Program::ours(), &lines(""));
    site.wait_for("l", "seen", "check_status", "L4OK");
    for order in [
        "set server l/plain weight 5",
        "set maxconn server l/plain 3",
        "set server l/seen state drain",
        "set server l/seen check-addr 127.0.0.9 port 99",
        "set server l/told agent-addr 127.0.0.8 port 98",
        "set server l/told agent-send ho",
        "set server l/told agent down",
        "disable health l/idle",
        "disable agent l/idle",
        "disable server l/idle",
    ] {
        assert_eq!(site.order(order).trim(), "", "{order}");
    }
    let moved = site.order(&format!("set server l/plain addr {} port {}", new.address.ip(), new.address.port()));
    assert!(moved.contains("' by 'stats socket command'"), "{moved}");
    let states = |site: &Site| ["plain", "seen", "told", "idle"].map(|server| state(site, server));
    let before = states(&site);
    assert!(before[1].ends_with("99 127.0.0.9 127.0.0.9 99"), "{before:?}");
    assert!(before[2].ends_with("127.0.0.8 98"), "{before:?}");
    for _ in 0..2 {
        site.reload();
        assert_eq!(states(&site), before);
        site.wait_for("l", "plain", "slim", 3);
        site.wait_for("l", "plain", "addr", new.address);
        site.wait_for("l", "told", "status", "DOWN (agent)");
        site.wait_for("l", "idle", "status", "MAINT");
        assert_eq!(served_by(door), "new", "sessions go where the server is now");
    }
    // The file says otherwise of one of them: of the others all goes on.
    site.write(&lines("plain"));
    site.reload();
    site.wait_for("l", "plain", "uweight", 9);
    site.wait_for("l", "plain", "slim", 99);
    site.log.wait_for("l/plain: weight was 5 by order, and is 9 now");
    site.log.wait_for("l/plain: maxconn was 3 by order, and is 99 now");
    assert_eq!(states(&site)[1..], before[1..]);
    site.write(&lines("").replace(&format!("plain {}", old.address), "plain 127.0.0.7:7"));
    site.reload();
    site.log.wait_for(&format!("l/plain: address was {} by order, and is 127.0.0.7:7 now", new.address));
    site.wait_for("l", "plain", "addr", "127.0.0.7:7");
}

#[test]
fn orders_to_frontends_and_the_process() {
    let old = Backend::named("old");
    let (door, shut) = (ports::free(), ports::free());
    let text = |words: &str| {
        format!(
            "listen l\n  bind {door}\n  maxconn 50\n  server s {0}\nlisten m\n  bind {shut}\n  server s {0}\n{words}",
            old.address
        )
    };
    let mut site = Site::start_with(&Program::ours(), "  maxconn 500\n  maxsessrate 700\n", &text(""));
    for order in [
        "set maxconn global 100",
        "set maxconn frontend l 7",
        "set rate-limit connections global 800",
        "set rate-limit sessions global 900",
        "set rate-limit ssl-sessions global 11",
        "set rate-limit http-compression global 12",
        "disable frontend m",
    ] {
        assert_eq!(site.order(order).trim(), "", "{order}");
    }
    for _ in 0..2 {
        site.reload();
        for (name, want) in [
            ("Maxconn", "100"),
            ("Hard_maxconn", "500"),
            ("ConnRateLimit", "800"),
            ("SessRateLimit", "900"),
            ("SslRateLimit", "11"),
            ("CompressBpsRateLim", "12288"),
        ] {
            assert_eq!(field(&site, name), want, "{name}");
        }
        site.wait_for("l", "FRONTEND", "slim", 7);
        site.wait_for("m", "FRONTEND", "status", "PAUSED");
        site.wait_for("m", "FRONTEND", "slim", 500);
    }
    assert_eq!(site.order("set maxconn global 0").trim(), "");
    assert_eq!(field(&site, "Maxconn"), "500", "what the file allows can be had again");
    site.order("set maxconn frontend l 0");
    site.reload();
    site.wait_for("l", "FRONTEND", "slim", 0);
    site.write(&text("").replace("maxconn 50", "maxconn 60"));
    site.reload();
    site.wait_for("l", "FRONTEND", "slim", 60);
    site.log.wait_for("l: maxconn was 0 by order, and is 60 now");
    assert_eq!(served_by(door), "old");
}

#[test]
fn added_servers_go_on() {
    let (old, new) = (Backend::echo(), Backend::echo());
    let door = ports::free();
    let text = |words: &str| format!("listen l\n  bind {door}\n  server old {} disabled\n{words}", old.address);
    let mut site = Site::start(&Program::ours(), &text(""));
    let added = format!("add server l/new {} weight 7 check inter 50 source 127.0.0.1", new.address);
    for order in [&*added, "add server l/still 127.0.0.9:1 id 50", "add server l/late 127.0.0.9:2 track l/old"] {
        let answer = site.order(order);
        let wanted = if order.ends_with("track l/old") { "'server l/late' : unable to use" } else { "New server" };
        assert!(answer.starts_with(wanted), "{order}: {answer}");
    }
    for order in ["enable server l/new", "enable health l/new", "set server l/new weight 5"] {
        assert_eq!(site.order(order).trim(), "", "{order}");
    }
    site.wait_for("l", "new", "check_status", "L4OK");
    let mut open = client::connect(door);
    client::echo(&mut open, b"hello");
    for round in 1..=2_i64 {
        site.reload();
        site.wait_for("l", "new", "check_status", "L4OK");
        site.wait_for("l", "new", "status", "UP");
        site.wait_for("l", "new", "uweight", 5);
        site.wait_for("l", "new", "scur", 1);
        site.wait_for("l", "still", "sid", 50);
        site.wait_for("l", "still", "status", "MAINT");
        client::echo(&mut open, b"still there");
        let mut another = client::connect(door);
        client::echo(&mut another, b"hello");
        drop(another);
        site.wait_for("l", "new", "stot", 1 + round);
        site.log.wait_count(" l/new ", round as usize);
    }
    // The file names it now: it is a server like the others, with what was ordered for it.
    site.write(&text(&format!("  server new {} weight 7 check inter 50 source 127.0.0.1\n", new.address)));
    site.reload();
    site.wait_for("l", "new", "uweight", 5);
    client::echo(&mut open, b"and still");
    new.stop();
    site.wait_for("l", "new", "status", "DOWN");
    drop(open);
    // A backend that cannot take it: it is told.
    site.write(&text("").replace("listen l\n", "listen l\n  balance static-rr\n"));
    site.reload();
    site.log.wait_for("server l/still, which was added at run time, is not here: Backend must use a dynamic");
    assert!(!site.stats().names().contains(&("l".into(), "still".into())));
}
