//! The life of a server whose checks pass on the condition that it gets no new sessions, told as haproxy tells it.
//!
//! Runs on both programs. `BLESS=1 BATON_UNDER_TEST=theirs` rewrites `fixtures/checks/condition*.txt`.

mod harness;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::backends::Backend;
use harness::pinned::{pinned, without_duration};
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{ports, wait};

/// What the server answers to one check after the other; then the last one for ever.
const ANSWERS: [u16; 17] = [200, 404, 500, 404, 200, 404, 500, 500, 404, 404, 200, 404, 200, 200, 500, 404, 404];

/// What is told of the server and the one that tracks it, without durations.
fn told(options: &str) -> String {
    let count = AtomicUsize::new(0);
    let server = Backend::start(move |mut stream| {
        let at = count.fetch_add(1, Ordering::AcqRel).min(ANSWERS.len() - 1);
        let _ = stream.read(&mut [0; 4096]);
        let _ = write!(stream, "HTTP/1.1 {} Said\r\nContent-Length: 0\r\n\r\n", ANSWERS[at]);
        let _ = stream.read(&mut [0]);
    });
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let config = format!(
        "global\n  stats socket {}\n  nbthread 1\ndefaults\n  mode tcp\n  timeout client 9s\n  timeout server 9s\n  \
         timeout connect 9s\n  timeout check 9s\nlisten b\n  bind {}\n  option httpchk\n  http-check disable-on-404\n\
         {options}  server s {address} check inter 100 fall 2 rise 2\n  server t {address} track s\n",
        socket.display(),
        ports::free(),
        address = server.address
    );
    let proxy = Proxy::start(&Program::under_test(), &config);
    wait::until_true("the last answer to be heard", || server.accepted() > ANSWERS.len());
    wait::until_true("all lines to be told", || proxy.output().matches("b/t is stopping via").count() == 3);
    let stats = Stats::from_socket(&socket);
    let cell = |server, column| stats.text("b", server, column);
    assert_eq!((cell("s", "status"), cell("t", "status"), cell("BACKEND", "status")), ("NOLB", "NOLB", "DOWN"));
    assert_eq!((cell("s", "chkfail"), cell("s", "chkdown"), cell("BACKEND", "act")), ("5", "1", "0"));
    let output = proxy.output();
    let lines = output.lines().filter(|line| line.contains("erver")).filter_map(|line| line.split_once(") : "));
    lines.map(|(_, message)| without_duration(message) + "\n").collect()
}

#[test]
fn servers_that_stop_and_come_back_are_told_as_haproxy_tells_it() {
    pinned("checks/condition.txt", &told(""));
}

#[test]
fn each_check_of_them_is_told_when_asked_for() {
    pinned("checks/condition-log-health-checks.txt", &told("  option log-health-checks\n"));
}
