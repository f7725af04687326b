//! Health checks from inside the engine: what a check does on the wire, and what its verdict does to sessions.

mod engine;
mod harness;

use std::io::Read;
use std::net::{SocketAddr, TcpListener};

use baton::ir::{Backend as Back, Check, Global, MarkedDown, MarkedUp, ProxyIx, Server, ServerIx};
use baton::pool::{Cause, CheckStatus, ServerStatus};
use baton::units::{Millis, Tick};
use engine::{Line, listen, server};
use harness::backends::{self, Backend};
use harness::{client, ports, wait};

fn check(inter: u32, rise: u32, fall: u32) -> Check {
    let inter = Millis::new(inter).expect("a time");
    Check { inter, rise, fall, ..Check::default() }
}

fn checked(name: &str, address: SocketAddr, check: Check) -> Server {
    Server { check: Some(check), ..server(name, address) }
}

fn status(line: &Line, ix: u32) -> (String, CheckStatus) {
    let view = line.pool.server_view(ProxyIx(0), ServerIx(ix), Tick::default()).expect("a server");
    (view.status_text, view.check.expect("a check").status)
}

fn events(line: &Line) -> Vec<String> {
    line.book.events.lock().expect("the book").clone()
}

#[test]
fn a_passing_check_is_not_noticed_by_the_servers_program() {
    let listener = TcpListener::bind(ports::free()).expect("a port");
    let line = Line::start(listen(vec![checked("s1", listener.local_addr().expect("it"), check(20, 2, 3))]), 1);
    wait::until_true("a check to pass", || status(&line, 0) == ("UP".to_owned(), CheckStatus::L4Ok));
    // Ten checks later the accept queue is still empty: resets overtook the handshakes. Only a check that is held up
    // for longer than the system holds an ACK back (40 ms) gets through: one quiet stretch is proof enough.
    listener.set_nonblocking(true).expect("non-blocking");
    let visitor = || listener.accept().is_ok();
    wait::until_true("ten checks that nobody notices", || {
        while visitor() {}
        let since = std::time::Instant::now();
        wait::until_true("ten checks", || since.elapsed().as_millis() > 200);
        !visitor()
    });
    assert!(events(&line).is_empty(), "{:?}", events(&line));
}

#[test]
fn a_server_goes_down_comes_back_and_its_sessions_are_cut() {
    let (first, second) = (Backend::start(backends::echo), Backend::start(backends::echo));
    let mut one = checked("s1", first.address, check(30, 2, 2));
    one.on_marked_down = MarkedDown::ShutdownSessions;
    one.on_marked_up = MarkedUp::ShutdownBackupSessions;
    let mut two = checked("s2", second.address, check(30, 2, 2));
    two.backup = true;
    let line = Line::start(listen(vec![one, two]), 2);
    wait::until_true("both to be up", || (0..2).all(|ix| status(&line, ix).0 == "UP"));

    let mut held = client::connect(line.listen);
    client::echo(&mut held, b"on the first");
    let address = first.address;
    first.stop();
    wait::until_true("the first to be down", || status(&line, 0) == ("DOWN".to_owned(), CheckStatus::L4Con));
    assert!(matches!(held.read(&mut [0]), Ok(0) | Err(_)), "the session was cut");
    let mut on_backup = client::connect(line.listen);
    client::echo(&mut on_backup, b"on the second");

    let _again = Backend::start_at(address, backends::echo);
    wait::until_true("the first to be up", || status(&line, 0).0 == "UP");
    assert!(matches!(on_backup.read(&mut [0]), Ok(0) | Err(_)), "the backup's session was cut");
    let causes: Vec<Cause> = line.ended(2).iter().map(|record| record.termination.cause).collect();
    assert_eq!(causes, [Cause::Down, Cause::Up]);
    let want = [
        "Server front/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. \
         0 active and 1 backup servers left. Running on backup. 1 sessions active, 0 requeued, 0 remaining in queue.",
        "Server front/s1 is UP, reason: Layer4 check passed, check duration: 0ms. \
         1 active and 1 backup servers online. 0 sessions requeued, 0 total in queue.",
    ];
    let plain = |line: &String| {
        let (head, tail) = line.split_once("check duration: ").expect("a duration");
        format!("{head}check duration: 0{}", tail.trim_start_matches(|c: char| c.is_ascii_digit()))
    };
    assert_eq!(events(&line).iter().map(plain).collect::<Vec<_>>(), want);
}

#[test]
fn a_thousand_checks_share_two_threads() {
    let listener = TcpListener::bind(ports::free()).expect("a port");
    let address = listener.local_addr().expect("it");
    let servers = (0..1000).map(|n| checked(&format!("s{n}"), address, check(900, 2, 3))).collect();
    let line = Line::start(listen(servers), 2);
    let up = |ix| status(&line, ix) == ("UP".to_owned(), CheckStatus::L4Ok);
    wait::until_true("all to be checked", || (0..1000).all(up));
    let view = line.pool.back_view(ProxyIx(0), Tick::default()).expect("a backend");
    assert_eq!((view.active, view.up), (1000, true));
}

#[test]
fn a_full_server_gets_one_more_session_as_soon_as_one_ends() {
    let backend = Backend::start(backends::echo);
    let mut only = checked("s1", backend.address, check(1000, 2, 3));
    only.maxconn = 1;
    let line = Line::start(listen(vec![only]), 2);
    let mut first = client::connect(line.listen);
    client::echo(&mut first, b"first");
    let mut second = client::connect(line.listen);
    let back = line.pool.back(ProxyIx(0)).expect("a backend");
    wait::until_true("the second to wait", || back.queue.get() == 1);
    drop(first);
    client::echo(&mut second, b"second");
    assert_eq!((back.queue.get(), back.servers[0].sessions.get(), back.servers[0].sessions.max()), (0, 1, 1));
}

#[test]
fn the_last_server_to_go_is_an_emergency() {
    let mut section = listen(vec![checked("s1", ports::refused(), check(1000, 2, 3))]);
    section.backend = section.backend.map(|back| Back { log_health_checks: true, ..back });
    let line = Line::start_with(Global::default(), section, 1);
    // One failure is enough: nothing is known of a server before its first check.
    wait::until_true("it to be down", || status(&line, 0) == ("DOWN".to_owned(), CheckStatus::L4Con));
    let view = line.pool.server_view(ProxyIx(0), ServerIx(0), Tick::default()).expect("a server");
    assert_eq!(view.status, ServerStatus::Down { rising: None });
    wait::until_true("three lines", || events(&line).len() == 3);
    let [check, down, gone] = &events(&line)[..] else { panic!("three lines") };
    assert!(check.starts_with("Health check for server front/s1 failed, reason: Layer4 connection problem, info: "));
    assert!(check.ends_with(", status: 0/2 DOWN."), "{check}");
    assert!(down.starts_with("Server front/s1 is DOWN. 0 active and 0 backup servers left. 0 sessions"), "{down}");
    assert_eq!(gone, "proxy front has no server available!");
}
