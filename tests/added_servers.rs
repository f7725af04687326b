//! Servers that are added and deleted while the process runs serve, are checked, are logged, and go, on both programs.

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use harness::backends::Backend;
use harness::program::Program;
use harness::site::Site;
use harness::{client, ports, wait};

/// Waits for the name of the server that serves a session.
#[track_caller]
fn served_by(door: SocketAddr) -> (TcpStream, String) {
    let mut stream = client::connect(door);
    let mut name = [0; 3];
    stream.read_exact(&mut name).expect("the name of a server");
    (stream, String::from_utf8_lossy(&name).into_owned())
}

#[track_caller]
fn registered(site: &Site, line: &str) {
    let answer = site.order(&format!("add server {line}"));
    assert!(answer.starts_with("New server registered."), "{line}: {answer}");
}

/// An agent that says the same to everyone.
fn agent(word: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(ports::free()).expect("a port");
    let address = listener.local_addr().expect("it");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(word.as_bytes());
        }
    });
    address
}

/// Whichever way sessions are balanced, those that come next reach the server, and the log names it.
fn serves(program: &Program) {
    for balance in ["roundrobin", "leastconn", "first", "random", "source\n  hash-type consistent"] {
        let (old, new) = (Backend::named("old"), Backend::named("new"));
        let door = ports::free();
        let site = Site::start(
            program,
            &format!("listen l\n  bind {door}\n  balance {balance}\n  server old {} weight 100\n", old.address),
        );
        assert_eq!(served_by(door).1, "old");
        registered(&site, &format!("l/new {} weight 200 maxconn 5", new.address));
        assert_eq!(served_by(door).1, "old", "{balance}: it is in maintenance");
        site.order("enable server l/new");
        let mut counts = [0, 0];
        for _ in 0..6 {
            counts[usize::from(served_by(door).1 == "new")] += 1;
        }
        if balance == "roundrobin" {
            assert_eq!(counts, [2, 4], "weights count");
        }
        site.order("disable server l/old");
        for _ in 0..3 {
            assert_eq!(served_by(door).1, "new", "{balance}");
        }
        site.log.wait_count(" l l/new ", 3);
        assert_eq!(site.stats().text("l", "new", "slim"), "5", "{balance}");
        assert_eq!(site.number("l", "new", "stot"), counts[1] + 3, "{balance}");
    }
}

#[test]
fn added_servers_serve_on_baton() {
    serves(&Program::ours());
}

#[test]
fn added_servers_serve_on_haproxy() {
    serves(&Program::theirs());
}

/// Checks and agents begin when they are enabled; a backup and one that tracks another are what they are.
fn watched(program: &Program) {
    let echo = Backend::echo();
    let door = ports::free();
    let text = format!("listen l\n  bind {door}\n  server old {} check inter 50\n", echo.address);
    let site = Site::start(program, &text);
    let away = ports::free();
    registered(&site, &format!("l/good {} check inter 50 rise 1 fall 1", echo.address));
    registered(&site, &format!("l/bad {away} check inter 50 fall 1"));
    registered(&site, &format!("l/spare {} backup slowstart 60s", echo.address));
    let agent = agent("up 50%\n");
    let asks = format!("agent-check agent-inter 50 agent-addr {} agent-port {}", agent.ip(), agent.port());
    registered(&site, &format!("l/told {} weight 10 {asks}", echo.address));
    registered(&site, &format!("l/tail {} track l/old", echo.address));
    for name in ["good", "bad"] {
        assert_eq!(site.order(&format!("enable health l/{name}")).trim(), "");
        site.order(&format!("enable server l/{name}"));
    }
    site.wait_for("l", "good", "check_status", "L4OK");
    site.wait_for("l", "good", "status", "UP");
    site.wait_for("l", "bad", "status", "DOWN");
    site.log.wait_for("Server l/bad is DOWN, reason: Layer4 connection problem");
    site.order("enable server l/spare");
    site.wait_for("l", "spare", "bck", "1");
    site.order("set server l/told state ready");
    site.order("enable agent l/told");
    site.wait_for("l", "told", "agent_status", "L7OK");
    site.wait_for("l", "told", "weight", "5");
    for name in ["old", "good"] {
        site.order(&format!("enable server l/{name}"));
    }
    site.order("enable server l/tail");
    site.wait_for("l", "tail", "status", "UP");
    site.order("disable server l/old");
    site.wait_for("l", "tail", "status", "MAINT (via l/old)");
    // The check of one that is deleted is nobody's, and the next of that name begins anew.
    site.order("disable server l/good");
    assert!(site.order("del server l/good").starts_with("Server deleted."));
    registered(&site, &format!("l/good {} check inter 50 rise 1 fall 1", echo.address));
    site.order("enable server l/good");
    site.wait_for("l", "good", "status", "no check");
    site.order("disable server l/spare");
    site.order("enable health l/good");
    site.wait_for("l", "good", "check_status", "L4OK");
}

#[test]
fn added_servers_are_watched_on_baton() {
    watched(&Program::ours());
}

#[test]
fn added_servers_are_watched_on_haproxy() {
    watched(&Program::theirs());
}

/// A server goes when its last session has gone, and its place is another's then.
fn goes(program: &Program) {
    let (echo, new) = (Backend::named("old"), Backend::named("new"));
    let door = ports::free();
    let site = Site::start(program, &format!("listen l\n  bind {door}\n  server old {}\n", echo.address));
    for _ in 0..3 {
        registered(&site, &format!("l/new {} weight 7", new.address));
        for order in ["enable server l/new", "disable server l/old"] {
            site.order(order);
        }
        let (open, name) = served_by(door);
        assert_eq!((name.as_str(), site.number("l", "new", "scur")), ("new", 1));
        assert!(site.order("del server l/new").starts_with("Only servers in maintenance"));
        site.order("disable server l/new");
        let answer = site.order("del server l/new");
        assert!(!answer.starts_with("Server deleted."), "{answer}");
        if program.is_ours() {
            let answer = site.order("wait 20ms srv-removable l/new");
            assert!(answer.starts_with("The time is up"), "{answer}");
        }
        assert_eq!(site.order("shutdown sessions server l/new").trim(), "");
        site.log.wait_for(" l/new ");
        drop(open);
        if program.is_ours() {
            assert_eq!(site.order("wait 1m srv-removable l/new").trim(), "Done.");
        } else {
            site.wait_for("l", "new", "scur", 0);
        }
        assert!(site.order("del server l/new").starts_with("Server deleted."));
        assert!(!site.stats().names().contains(&("l".into(), "new".into())));
        assert!(!site.order("show servers state").contains(" new "));
        site.order("enable server l/old");
        assert_eq!(served_by(door).1, "old");
    }
    // The last one, and nobody is left.
    site.order("disable server l/old");
    wait::until_true("the last session to end", || site.number("l", "old", "scur") == 0);
    assert!(site.order("del server l/old").starts_with("Server deleted."));
    let mut none = client::connect(door);
    assert_eq!(client::read_all(&mut none).unwrap_or_default(), b"");
    site.log.wait_for(" l/<NOSRV> ");
}

#[test]
fn added_servers_go_on_baton() {
    goes(&Program::ours());
}

#[test]
fn added_servers_go_on_haproxy() {
    goes(&Program::theirs());
}

/// What only baton does: waiting for nothing but time, and help.
#[test]
fn waiting() {
    let echo = Backend::echo();
    let door = ports::free();
    let site = Site::start(&Program::ours(), &format!("listen l\n  bind {door}\n  server s {}\n", echo.address));
    for (command, want) in [
        ("wait 1ms; show version", "\n"),
        ("wait", "A time is needed"),
        ("wait x", "'x' is not a time"),
        ("wait -h", "wait <time>"),
        ("wait 1 nothing", "A condition is"),
        ("wait 1 srv-removable", "A server is named"),
        ("wait 1 srv-removable l/x", "Backend 'l' has no server 'x'."),
        ("wait 1m srv-removable l/s", "Only servers in maintenance"),
    ] {
        let answer = site.order(command);
        assert!(answer.starts_with(want), "{command}: {answer}");
    }
    let mut open = client::connect(door);
    client::echo(&mut open, b"hello");
    site.order("disable server l/s");
    let waiting = std::thread::scope(|scope| {
        let answer = scope.spawn(|| site.order("wait 1m srv-removable l/s"));
        drop(open);
        answer.join().expect("an answer")
    });
    assert_eq!(waiting.trim(), "Done.");
}

/// Who waits and goes away keeps nobody else from the socket.
#[test]
fn a_client_that_is_gone_waits_no_more() {
    let echo = Backend::echo();
    let sections = format!("listen l\n  bind {}\n  server s {}\n", ports::free(), echo.address);
    let site = Site::start_with(&Program::ours(), "  stats maxconn 1\n", &sections);
    let mut waiting = UnixStream::connect(site.daemon.folder().join("sock")).expect("the socket");
    waiting.write_all(b"show version; wait 1h; show version\n").expect("a line is sent");
    waiting.shutdown(std::net::Shutdown::Write).expect("its end");
    drop(waiting);
    assert!(site.order("show info").starts_with("Name: "));
}
