//! What a process knows goes on over a reload: counters, what checks found, what was ordered at run time.

mod harness;

use std::net::SocketAddr;

use harness::backends::Backend;
use harness::client;
use harness::ports;
use harness::program::Program;
use harness::site::Site;

fn session(door: SocketAddr) -> std::net::TcpStream {
    let mut stream = client::connect(door);
    client::echo(&mut stream, b"hello");
    stream
}

#[test]
fn counters_go_on() {
    let echo = Backend::echo();
    let door = ports::free();
    let mut site = Site::start(&Program::ours(), &format!("listen l\n  bind {door}\n  server s {}\n", echo.address));
    let mut open: Vec<_> = (0..5).map(|_| session(door)).collect();
    drop(open.split_off(2));
    site.wait_for("l", "s", "scur", "2");
    for round in 1..=3_i64 {
        site.reload();
        site.wait_for("l", "s", "scur", "2");
        drop(session(door));
        for (server, column, want) in [
            ("FRONTEND", "stot", 5 + round),
            ("BACKEND", "stot", 5 + round),
            ("s", "stot", 5 + round),
            ("s", "lbtot", 5 + round),
            ("FRONTEND", "conn_tot", 5 + round),
            ("s", "bin", 5 * (3 + round)),
            ("FRONTEND", "bout", 5 * (3 + round)),
        ] {
            site.wait_for("l", server, column, want);
        }
        assert_eq!(site.stats().text("l", "s", "smax"), "5", "the most there were at once");
    }
    drop(open);
    site.wait_for("l", "FRONTEND", "bin", "40"); // bytes of sessions that moved are counted where they end
    let info = site.order("show info");
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert!(field("CumConns:").parse::<u64>().unwrap() >= 8, "{info}");
}

#[test]
fn what_checks_found_goes_on() {
    let (echo, dead) = (Backend::echo(), ports::free());
    let door = ports::free();
    let text = format!(
        "listen l\n  bind {door}\n  server up {} check inter 200ms\n  server down {dead} check inter 200ms\n",
        echo.address
    );
    let mut site = Site::start(&Program::ours(), &text);
    site.wait_for("l", "down", "status", "DOWN");
    site.wait_for("l", "up", "status", "UP");
    // A check takes longer than the test now: what the new process knows it knows from the old one.
    site.write(&text.replace("200ms", "60s"));
    site.reload();
    let before = site.stats();
    assert_eq!(before.text("l", "down", "status"), "DOWN", "its checks ask the same as before");
    assert_eq!(before.text("l", "down", "check_status"), "L4CON");
    assert_eq!((before.text("l", "down", "chkdown"), before.text("l", "BACKEND", "act")), ("1", "1"));
    for _ in 0..4 {
        drop(session(door));
    }
    assert_eq!(site.stats().text("l", "down", "stot"), "0", "nobody is sent to a server that is known to be down");
}

#[test]
fn orders_go_on_unless_the_file_says_otherwise() {
    let echo = Backend::echo();
    let door = ports::free();
    let text = |words: &str| {
        format!(
            "listen l\n  bind {door}\n  server a {0} weight 10\n  server b {0} weight 10 {words}\n  server c {0}\n",
            echo.address
        )
    };
    let mut site = Site::start(&Program::ours(), &text(""));
    for order in ["set server l/a state drain", "set server l/b weight 5", "set server l/c state maint"] {
        assert_eq!(site.order(order).trim(), "", "{order}");
    }
    for _ in 0..2 {
        site.reload();
        site.wait_for("l", "a", "status", "DRAIN");
        site.wait_for("l", "b", "weight", "5");
        site.wait_for("l", "c", "status", "MAINT");
    }
    site.write(&text("weight 20"));
    site.reload();
    site.wait_for("l", "b", "weight", "20");
    site.log.wait_for("l/b: weight was 5 by order, and is 20 now");
    site.wait_for("l", "a", "status", "DRAIN");
}
