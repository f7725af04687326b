//! Health checks as people and tools see them: states, timing, and the lines of servers that come and go.
//!
//! Runs on both programs. `fixtures/checks/*.txt` hold the lines, in order, that the original writes to its log (by
//! level) and to standard error; `BLESS=1 BATON_UNDER_TEST=theirs` rewrites them.

mod harness;

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::backends::Backend;
use harness::logs::LogReceiver;
use harness::pinned::{pinned, without_duration};
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{client, ports, wait};

/// Two servers and a backup in `l`, and a backend that tracks the first of them.
struct Stage {
    proxy: Proxy,
    door: SocketAddr,
    socket: PathBuf,
    logs: LogReceiver,
    addresses: Vec<SocketAddr>,
    servers: Vec<Option<Backend>>,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `options`: of the section `l`; `servers`: options of each server, which is a backup if they say so.
    fn new(options: &str, servers: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("stats");
        let (logs, to) = LogReceiver::udp();
        let door = ports::free();
        let addresses: Vec<SocketAddr> = servers.iter().map(|_| ports::free()).collect();
        let mut config = format!(
            "global\n  stats socket {}\n  log {to} local0\ndefaults\n  log global\n  mode tcp\n  option dontlognull\n  \
             timeout client 30s\n  timeout server 30s\n  timeout connect 3s\n  timeout queue 30s\n\
             listen l\n  option tcplog\n  bind {door}\n{options}",
            socket.display()
        );
        for (number, (address, options)) in (1..).zip(addresses.iter().zip(servers)) {
            let _ = writeln!(config, "  server s{number} {address} check {options}");
        }
        let _ = writeln!(config, "backend followers\n  server f1 {} track l/s1", addresses[0]);
        let servers = addresses.iter().map(|address| Some(named(*address))).collect();
        let proxy = Proxy::start(&Program::under_test(), &config);
        Self { proxy, door, socket, logs, addresses, servers, _folder: folder }
    }

    fn cell(&self, server: &str, column: &str) -> String {
        Stats::from_socket(&self.socket).text("l", server, column).to_owned()
    }

    #[track_caller]
    fn wait_status(&self, server: &str, status: &str) {
        wait::until_true(&format!("{server} to be {status}"), || self.cell(server, "status") == status);
    }

    /// Waits until every server has passed a check.
    #[track_caller]
    fn wait_all_up(&self) {
        for number in 1..=self.servers.len() {
            wait::until_true("a first check", || self.cell(&format!("s{number}"), "check_status").ends_with("L4OK"));
            self.wait_status(&format!("s{number}"), "UP");
        }
    }

    fn stop(&mut self, number: usize) {
        self.servers[number - 1].take().expect("it runs").stop();
        self.wait_status(&format!("s{number}"), "DOWN");
    }

    fn start(&mut self, number: usize) {
        self.servers[number - 1] = Some(named(self.addresses[number - 1]));
        self.wait_status(&format!("s{number}"), "UP");
    }

    fn session(&self) -> TcpStream {
        let mut stream = client::connect(self.door);
        std::io::Read::read_exact(&mut stream, &mut [0]).expect("the server's word");
        stream
    }

    /// Log lines by level, then those of standard error, without what differs from run to run.
    fn told(&self) -> String {
        let (mut log, mut printed) = (Vec::new(), Vec::new());
        for line in self.logs.lines() {
            let (head, message) = line.split_once("]: ").unwrap_or_else(|| panic!("no syslog line: {line:?}"));
            let priority: u32 = head[1..].split('>').next().and_then(|n| n.parse().ok()).expect("a priority");
            if message.contains("erver") && !message.contains('{') {
                log.push(format!("{} {}", priority & 7, without_duration(message)));
            }
        }
        for line in self.proxy.output().lines().filter(|line| line.contains("erver")) {
            let (word, rest) = line.split_once(" (").expect("a level");
            let (_, message) = rest.split_once(") : ").expect("a message");
            printed.push(format!("{} {}", word.trim(), without_duration(message)));
        }
        for lines in [&mut log, &mut printed] {
            // The first checks of servers on different threads may end in any order.
            let first = lines.iter().take_while(|line| line.contains(" succeeded, ")).count();
            lines[..first].sort();
        }
        format!("log\n{}\nstderr\n{}\n", log.join("\n"), printed.join("\n"))
    }
}

fn named(address: SocketAddr) -> Backend {
    Backend::start_at(address, |mut stream| {
        let _ = std::io::Write::write_all(&mut stream, b"x");
        let _ = std::io::Read::read(&mut stream, &mut [0]);
    })
}

/// The life of a section: all up, each server down in turn, the backup last; then up again.
fn life(stage: &mut Stage) {
    stage.wait_all_up();
    let _held = [stage.session(), stage.session(), stage.session()];
    stage.stop(2);
    stage.stop(1);
    stage.stop(3);
    stage.start(3);
    stage.start(1);
    stage.start(2);
    let last = "Server l/s2 is UP";
    stage.logs.wait_for(last);
    wait::until_true("standard error to have the last line too", || stage.proxy.output().contains(last));
}

const LIFE: [&str; 3] = ["inter 100", "inter 100 rise 2 fall 3", "inter 100 rise 1 fall 1 backup"];

#[test]
fn servers_that_come_and_go_are_told_as_haproxy_tells_it() {
    let mut stage = Stage::new("", &LIFE);
    life(&mut stage);
    pinned("checks/life.txt", &stage.told());
}

#[test]
fn each_changed_check_is_told_when_asked_for() {
    let mut stage = Stage::new("  option log-health-checks\n", &LIFE);
    life(&mut stage);
    pinned("checks/life-log-health-checks.txt", &stage.told());
}

#[test]
fn sessions_in_queues_are_counted_when_their_server_goes() {
    // One session is served, three wait; the server goes, and comes back.
    let mut stage =
        Stage::new("  balance source\n  option redispatch\n", &["inter 100 maxconn 1", "inter 100 maxconn 1"]);
    stage.wait_all_up();
    let held = stage.session();
    let mut waiting: Vec<TcpStream> = Vec::new();
    for count in 1..=3 {
        waiting.push(client::connect(stage.door));
        wait::until_true("it to wait", || (1..=2).any(|n| stage.cell(&format!("s{n}"), "qcur") == count.to_string()));
    }
    let busy = (1..=2).find(|n| stage.cell(&format!("s{n}"), "qcur") == "3").expect("the server of this address");
    stage.stop(busy);
    // The others are served one after the other by the server that is left.
    std::thread::scope(|scope| {
        for mut stream in waiting {
            scope.spawn(move || std::io::Read::read_exact(&mut stream, &mut [0]).expect("the other server's word"));
        }
    });
    stage.start(busy);
    stage.logs.wait_for("is UP");
    drop(held);
    let told = stage.told().replace(&format!("s{busy}"), "sX");
    let log: String = told.lines().take_while(|line| *line != "stderr").filter(|l| l.contains("l/sX is")).fold(
        String::new(),
        |mut log, line| {
            log.push_str(line);
            log.push('\n');
            log
        },
    );
    pinned("checks/queues.txt", &log);
}

#[test]
fn states_and_counts_follow_rise_and_fall() {
    let mut stage = Stage::new("", &["inter 400 rise 2 fall 3"]);
    stage.wait_all_up();
    let follow = |stage: &Stage, last: &str| {
        let mut seen = vec![stage.cell("s1", "status")];
        wait::until_true(last, || {
            let status = stage.cell("s1", "status");
            if seen.last() != Some(&status) {
                seen.push(status);
            }
            seen.last().map(String::as_str) == Some(last)
        });
        seen
    };
    let server = stage.servers[0].take().expect("it runs");
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| server.stop());
        follow(&stage, "DOWN")
    });
    assert_eq!(seen, ["UP", "UP 2/3", "UP 1/3", "DOWN"]);
    let stats = Stats::from_socket(&stage.socket);
    let cells = |columns: &[&str]| columns.iter().map(|c| stats.text("l", "s1", c).to_owned()).collect::<Vec<_>>();
    let columns = ["chkfail", "chkdown", "check_rise", "check_fall", "check_health", "last_chk", "check_desc", "act"];
    assert_eq!(cells(&columns), ["3", "1", "2", "3", "0", "Connection refused", "Layer4 connection problem", "1"]);
    assert_eq!(stats.text("l", "s1", "check_status").trim_start_matches("* "), "L4CON");
    assert_eq!(stats.text("l", "BACKEND", "status"), "DOWN");
    assert_eq!((stats.number("l", "BACKEND", "act"), stats.number("l", "BACKEND", "chkdown")), (0, 1));
    assert_eq!(stats.text("followers", "f1", "status"), "DOWN");
    stage.servers[0] = Some(named(stage.addresses[0]));
    assert_eq!(follow(&stage, "UP"), ["DOWN", "DOWN 1/2", "UP"]);
    assert_eq!(stage.cell("s1", "check_health"), "4");
    assert_eq!(stage.cell("s1", "chkfail"), "3");
}

#[test]
fn a_dead_server_is_down_after_one_failure_at_the_start() {
    let mut stage = Stage::new("", &["inter 20s rise 2 fall 3", "inter 20s"]);
    // s2 is checked half an interval later: until then it is up, and one failure would take it down.
    assert_eq!((stage.cell("s2", "status"), stage.cell("s2", "check_status")), ("UP 1/3".into(), "INI".into()));
    drop(stage.servers.drain(..));
    let (folder, door, dead) = (tempfile::tempdir().expect("a folder"), ports::free(), ports::refused());
    let socket = folder.path().join("stats");
    let config = format!(
        "global\n  stats socket {}\ndefaults\n  mode tcp\n  timeout client 1s\n  timeout server 1s\n  \
         timeout connect 1s\nlisten l\n  bind {door}\n  server s1 {dead} check inter 20s fall 3\n",
        socket.display()
    );
    let proxy = Proxy::start(&Program::under_test(), &config);
    wait::until_true("the last line", || {
        proxy.output().contains("] ") && proxy.output().contains("no server available!")
    });
    let told: Vec<String> =
        proxy.output().lines().filter(|line| line.contains("erver")).map(without_duration).collect();
    assert!(told[0].contains("Server l/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\""));
    assert!(told[1].starts_with("[ALERT]") && told[1].ends_with("proxy 'l' has no server available!"), "{told:?}");
    assert_eq!(Stats::from_socket(&socket).text("l", "s1", "chkfail"), "1");
}

/// Intervals become shorter and longer: some check comes well before its interval is over.
#[test]
fn spread_checks_brings_some_checks_forward() {
    const INTERVAL: Duration = Duration::from_millis(300);
    let listener = TcpListener::bind(ports::free()).expect("a port");
    let config = format!(
        "global\n  spread-checks 50\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout server 5s\n  \
         timeout client 5s\nlisten l\n  bind {}\n  option redis-check\n  server s {} check inter {}\n",
        ports::free(),
        listener.local_addr().expect("it"),
        INTERVAL.as_millis()
    );
    let (tell, told) = std::sync::mpsc::channel();
    // a check that only connects ends before it could be accepted; this one asks and is hung up on
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            if tell.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let _proxy = Proxy::start(&Program::under_test(), &config);
    let mut last = told.recv_timeout(wait::PATIENCE).expect("a first check");
    // each of them is so early with a chance of one in four
    let early = (0..70).any(|_| {
        let now = told.recv_timeout(wait::PATIENCE).expect("a check");
        now - std::mem::replace(&mut last, now) < INTERVAL * 3 / 4
    });
    assert!(early, "no check came early");
}

#[test]
fn fast_and_down_intervals_are_kept() {
    let mut stage = Stage::new("", &["inter 4s fastinter 400 downinter 800 rise 3 fall 3"]);
    stage.wait_all_up();
    let server = stage.servers[0].take().expect("it runs");
    let took = std::thread::scope(|scope| {
        scope.spawn(|| server.stop());
        wait::until_true("a first failure", || stage.cell("s1", "status") != "UP");
        let failing = Instant::now();
        stage.wait_status("s1", "DOWN");
        failing.elapsed()
    });
    // Two fast intervals, not two whole ones; generous for a loaded machine.
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&took), "{took:?}");
    stage.servers[0] = Some(named(stage.addresses[0]));
    let rising = Instant::now();
    stage.wait_status("s1", "UP");
    let took = rising.elapsed();
    // Two fast intervals, after at most one interval of a server that is down.
    assert!((Duration::from_millis(500)..Duration::from_secs(3)).contains(&took), "{took:?}");
}

/// A process without descriptors cannot check: its servers go down, it says why, and they come back.
#[test]
fn a_check_without_a_descriptor_fails_and_says_so() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let stage = Stage::new("", &["inter 100 rise 1 fall 1"]);
    stage.wait_all_up();
    let raw = stage.proxy.process.pid();
    let limits = std::fs::read_to_string(format!("/proc/{raw}/limits")).expect("its limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("that of open files");
    let maximum = line.split_whitespace().nth(1).and_then(|hard| hard.parse().ok());
    let pid = Pid::from_raw(raw as i32).expect("a process");
    let before = prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(3), maximum }).expect("a limit");
    // Nobody can ask the statistics now, and the original cannot log: that takes descriptors, too.
    let said = |line: &str| wait::until_true(line, || stage.proxy.output().contains(line));
    said(
        "Server l/s1 is DOWN, reason: Layer4 connection problem, info: \"Too many sockets on the process (Too many open \
         files)\"",
    );
    let _ = prlimit(Some(pid), Resource::Nofile, before);
    said("Server l/s1 is UP, reason: Layer4 check passed");
    stage.wait_status("s1", "UP");
}
