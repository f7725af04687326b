//! `observe layer4`: servers that the traffic finds to be ill.
//!
//! Runs on both programs. `fixtures/checks/observe.txt` holds what the original says after each connection that failed;
//! `BLESS=1 BATON_UNDER_TEST=theirs` rewrites it.

mod harness;

use std::fmt::Write as _;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;

use harness::backends::{self, Backend};
use harness::logs::LogReceiver;
use harness::pinned::{pinned, without_duration};
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{client, ports, wait};

/// A server whose checks pass on one port, and whose sessions are refused on another.
struct Stage {
    _proxy: Proxy,
    door: SocketAddr,
    socket: PathBuf,
    logs: LogReceiver,
    checked: Option<Backend>,
    dead: SocketAddr,
    failures: i64,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(section: &str, options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("stats");
        let (logs, to) = LogReceiver::udp();
        let (door, dead, checked) = (ports::free(), ports::refused(), Backend::start(backends::echo));
        let config = format!(
            "global\n  stats socket {}\n  log {to} local0\ndefaults\n  log global\n  mode tcp\n  retries 0\n  timeout client 30s\n  \
             timeout server 30s\n  timeout connect 5s\nlisten l\n  option tcplog\n  bind {door}\n{section}  server s1 {dead} check addr {} \
             port {} {options}\nbackend t\n  server t1 {dead} track l/s1\n",
            socket.display(),
            checked.address.ip(),
            checked.address.port()
        );
        let proxy = Proxy::start(&Program::under_test(), &config);
        let stage =
            Self { _proxy: proxy, door, socket, logs, checked: Some(checked), dead, failures: 0, _folder: folder };
        wait::until_true("a first check", || stage.cell("check_status").ends_with("L4OK"));
        stage
    }

    fn cell(&self, column: &str) -> String {
        Stats::from_socket(&self.socket).text("l", "s1", column).to_owned()
    }

    /// One session that finds no server.
    fn fail(&mut self) {
        let mut stream = client::connect(self.door);
        let _ = stream.read(&mut [0]);
        self.failures += 1;
    }

    fn row(&self) -> String {
        let stats = Stats::from_socket(&self.socket);
        let columns = ["status", "chkfail", "chkdown", "hanafail", "econ", "check_status", "check_health", "last_chk"];
        let row: Vec<&str> = columns.iter().map(|column| stats.text("l", "s1", column)).collect();
        format!("{} | {}", row.join(" | "), stats.text("t", "t1", "status"))
    }
}

/// The message of a line, without the duration of its check.
fn plain(line: &str) -> String {
    let line = line.split_once("]: ").map_or(line, |(_, message)| message).trim_end();
    without_duration(line)
}

#[test]
fn failed_connections_count() {
    let mut out = String::new();
    for (section, options, failures) in [
        ("", "observe layer4", 11),
        ("", "observe layer4 error-limit 2", 7),
        ("", "observe layer4 error-limit 2 on-error fail-check fall 1", 3),
        ("", "observe layer4 error-limit 2 on-error sudden-death", 5),
        ("", "observe layer4 error-limit 2 on-error sudden-death fall 5", 5),
        ("", "observe layer4 error-limit 3 on-error mark-down", 4),
        ("", "observe layer4 error-limit 2 on-error fastinter", 5),
        ("  retries 2\n", "observe layer4 error-limit 6", 2),
        ("  option log-health-checks\n", "observe layer4 error-limit 1 fall 2", 2),
        ("", "error-limit 1 on-error mark-down", 2),
        ("", "observe none error-limit 1 on-error mark-down", 2),
    ] {
        let mut stage = Stage::new(section, &format!("inter 1h {options}"));
        let _ = writeln!(out, "{}{options}", section.trim_start());
        for _ in 0..failures {
            stage.fail();
            let _ = writeln!(out, "  {}", stage.row());
        }
        // the line of a session comes last: all others are there by then
        let ended = |line: &String| line.contains(" l l/");
        wait::until_true("the last session's line", || {
            stage.logs.lines().iter().filter(|line| ended(line)).count() as i64 >= stage.failures
        });
        for line in stage.logs.lines().iter().filter(|line| line.contains("erver") && !ended(line)) {
            let _ = writeln!(out, "  log: {}", plain(line));
        }
    }
    pinned("checks/observe.txt", &out);
}

/// One connection that comes about forgives the failures before it.
#[test]
fn a_success_forgives() {
    let mut stage = Stage::new("", "inter 1h observe layer4 error-limit 3 on-error mark-down");
    stage.fail();
    stage.fail();
    let alive = Backend::start_at(stage.dead, backends::echo);
    client::echo(&mut client::connect(stage.door), b"hello");
    alive.stop();
    drop(alive);
    stage.fail();
    stage.fail();
    assert_eq!((stage.cell("status").as_str(), stage.cell("econ").as_str()), ("UP", "4"));
    stage.fail();
    wait::until_true("the third in a row", || stage.cell("status") == "DOWN");
}

/// Too many failures bring the next check forward, whatever else they mean.
#[test]
fn the_next_check_comes_soon() {
    let mut stage = Stage::new("", "inter 1h fastinter 100 observe layer4 error-limit 1");
    stage.fail();
    // the traffic's verdict is forgotten as soon as a check passes
    wait::until_true("a check that passes", || stage.cell("check_status").ends_with("L4OK"));
    assert_eq!((stage.cell("status").as_str(), stage.cell("chkfail").as_str()), ("UP", "1"));

    let mut stage = Stage::new("", "inter 1h fastinter 100 fall 1 observe layer4 error-limit 1 on-error fastinter");
    stage.checked.take().expect("it runs").stop();
    stage.fail();
    wait::until_true("a check that fails", || stage.cell("status") == "DOWN");
    assert_eq!(stage.cell("check_status").trim_start_matches("* "), "L4CON");
}
