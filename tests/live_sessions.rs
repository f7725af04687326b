//! Live sessions as commands show and end them, and how the log puts it: on both programs where both do the same.

mod harness;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use harness::backends::{Backend, Deaf};
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::command;
use harness::{client, ports, wait};
use nix::sys::signal::Signal;

/// A proxy with a frontend `f` to a backend of this server line, and what its tests look at.
struct Stage {
    proxy: Proxy,
    socket: PathBuf,
    door: std::net::SocketAddr,
    log: LogReceiver,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn start(program: &Program, global: &str, server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("stats");
        let (log, log_address) = LogReceiver::udp();
        let door = ports::free();
        let config = format!(
            "global\n stats socket {} level admin\n log {log_address} local0\n{global}\
             defaults\n mode tcp\n log global\n option tcplog\n timeout client 1m\n timeout connect 1m\n \
             timeout server 1m\n retries 0\n\
             frontend f\n bind {door}\n default_backend b\nbackend b\n server s {server}\n",
            socket.display(),
        );
        let proxy = Proxy::start(program, &config);
        Self { proxy, socket, door, log, _folder: folder }
    }

    fn served(&self) -> TcpStream {
        let mut stream = client::connect(self.door);
        client::echo(&mut stream, b"hello");
        stream
    }

    /// The lines of `show sess` about the frontend.
    fn sessions(&self) -> Vec<String> {
        let answer = command(&self.socket, "show sess");
        answer.lines().filter(|line| line.contains(" fe=f ")).map(str::to_owned).collect()
    }

    /// The one session that there is, once its line holds `part`.
    fn session(&self, part: &str) -> String {
        wait::until(&format!("a session with {part:?}"), || {
            let sessions = self.sessions();
            sessions.into_iter().find(|line| line.contains(part))
        })
    }
}

fn number(line: &str) -> &str {
    line.split_once(':').expect("a session's number").0
}

#[test]
fn a_session_is_shown_and_ended() {
    for program in [Program::ours(), Program::theirs()] {
        let echo = Backend::echo();
        let stage = Stage::start(&program, "", &echo.address.to_string());
        let mut first = stage.served();
        let line = stage.session(" srv=s ");
        let here = first.local_addr().expect("an address");
        let start = format!("{}: proto=tcpv4 src={here} fe=f be=b srv=s ", number(&line));
        assert!(line.starts_with(&start), "{line} on {:?}", program.kind);
        assert!(line.contains(" age=") && line.contains(" exp=") && line.contains(" rc=0"), "{line}");
        let mut second = stage.served();
        assert_eq!(command(&stage.socket, &format!("shutdown session {}", number(&line))), "\n");
        assert_eq!(client::read_all(&mut first).expect("a FIN"), b"");
        client::echo(&mut second, b"still served");
        assert!(stage.log.wait_for(&format!("{here} ")).contains(" f b/s "));
        assert!(stage.log.wait_for(&format!("{here} ")).contains(" K- "));
    }
}

/// Where a session was when it was cut is the second letter of its termination state.
#[test]
fn what_cut_sessions_were_doing_is_logged() {
    for program in [Program::ours(), Program::theirs()] {
        let deaf = Deaf::new();
        let stage = Stage::start(&program, "", &deaf.address.to_string());
        let mut stream = client::connect(stage.door);
        let line = stage.session(" srv=s ");
        assert_eq!(command(&stage.socket, &format!("shutdown session {}", number(&line))), "\n");
        stage.log.wait_for(" KC ");
        assert_eq!(client::read_all(&mut stream).expect("a FIN"), b"");
    }
    // haproxy leaves it in the queue until the server has room, and then ends it.
    let echo = Backend::echo();
    let stage = Stage::start(&Program::ours(), "", &format!("{} maxconn 1", echo.address));
    let mut first = stage.served();
    let mut waits = client::connect(stage.door);
    let line = stage.session(" srv=<none> ");
    assert!(line.contains(" state=queued "), "{line}");
    assert_eq!(command(&stage.socket, &format!("shutdown session {}", number(&line))), "\n");
    assert_eq!(client::read_all(&mut waits).expect("a FIN"), b"");
    stage.log.wait_for(" KQ ");
    client::echo(&mut first, b"still served");
}

#[test]
fn a_hard_stop_is_logged_as_a_kill() {
    for program in [Program::ours(), Program::theirs()] {
        let echo = Backend::echo();
        let mut stage = Stage::start(&program, " hard-stop-after 100ms\n", &echo.address.to_string());
        let mut stream = stage.served();
        stage.proxy.process.signal(Signal::SIGUSR1);
        assert!(stage.proxy.process.wait().success());
        assert_eq!(client::read_all(&mut stream).expect("a FIN"), b"");
        stage.log.wait_for(" f b/s ");
        stage.log.wait_for(" K- ");
    }
}

/// A frontend that was shut down by order has ended for good: nothing more is told of it.
#[test]
fn a_frontend_that_was_shut_is_told_once() {
    for program in [Program::ours(), Program::theirs()] {
        let echo = Backend::echo();
        let mut stage = Stage::start(&program, "", &echo.address.to_string());
        drop(stage.served());
        assert_eq!(command(&stage.socket, "shutdown frontend f"), "\n");
        stage.log.wait_for("Proxy f stopped (cumulated conns: FE: 1, BE: 0).");
        stage.proxy.process.signal(Signal::SIGUSR1);
        assert!(stage.proxy.process.wait().success());
        stage.log.wait_for("Proxy b stopped");
        let lines = stage.log.lines();
        assert_eq!(lines.iter().filter(|line| line.contains("Proxy f stopped")).count(), 1, "{lines:?}");
    }
}

/// Every session is listed once, over all threads, while others come and go; who does not read the list holds nobody up.
#[test]
fn a_list_is_whole_and_stalls_nobody() {
    const SESSIONS: usize = 400;
    let echo = Backend::echo();
    let stage = Stage::start(&Program::ours(), " nbthread 2\n", &echo.address.to_string());
    let held: Vec<TcpStream> = (0..SESSIONS).map(|_| stage.served()).collect();
    // Asks again and again and reads nothing: more than any socket buffer holds is waiting for it soon.
    let mut lazy = UnixStream::connect(&stage.socket).expect("the stats socket");
    lazy.write_all(b"prompt\n").expect("a command");
    lazy.write_all("show sess\n".repeat(50).as_bytes()).expect("commands");
    let mine: BTreeSet<String> = held.iter().map(|held| held.local_addr().expect("an address").to_string()).collect();
    for _ in 0..10 {
        drop(stage.served());
        let lines = stage.sessions();
        let sources: Vec<&str> =
            lines.iter().filter_map(|line| line.split(" src=").nth(1)?.split(' ').next()).collect();
        let listed: BTreeSet<String> = sources.iter().map(|source| (*source).to_owned()).collect();
        assert_eq!(listed.len(), sources.len(), "a session is listed twice");
        assert!(mine.is_subset(&listed), "{} of {} are listed", mine.intersection(&listed).count(), mine.len());
    }
    let line = stage.session(held[7].local_addr().expect("an address").to_string().as_str());
    let one = command(&stage.socket, &format!("show sess {}", number(&line)));
    assert_eq!(one.lines().filter(|line| line.starts_with("0x")).count(), 1, "{one}");
    let mut first = [0; 2];
    lazy.read_exact(&mut first).expect("its own answer is there");
}

/// All that is known of one session: the keys of haproxy's paragraph that mean something here are there on both.
#[test]
fn a_session_is_shown_whole() {
    for program in [Program::ours(), Program::theirs()] {
        let echo = Backend::echo();
        let stage = Stage::start(&program, "", &echo.address.to_string());
        let client = stage.served();
        let line = stage.session(" srv=s ");
        let shown = command(&stage.socket, &format!("show sess {}", number(&line)));
        let here = client.local_addr().expect("an address");
        let mut lines = shown.lines();
        let first = lines.next().expect("a line");
        assert!(first.starts_with(&format!("{}: [", number(&line))), "{shown}");
        assert!(first.contains("] id=") && first.ends_with(&format!(" proto=tcpv4 source={here}")), "{shown}");
        let door = stage.door;
        for part in [
            "conn_retries=0".into(),
            "conn_exp=<NEVER>".into(),
            "waiting=0".into(),
            "  frontend=f (id=2 mode=tcp), listener=".into(),
            format!(" (id=1) addr={door}\n"),
            "  backend=b (id=3 mode=tcp) addr=".into(),
            format!("  server=s (id=1) addr={}\n", echo.address),
            "  task=".into(),
            " age=".into(),
            "  scf=".into(),
            "  scb=".into(),
            " state=EST".into(),
            " fd=".into(),
            "  req=".into(),
            "  res=".into(),
            " total=".into(),
        ] {
            let (part, shown): (String, String) = (part, shown.replace("=(", "= "));
            assert!(shown.contains(part.as_str()), "{part:?} of {:?} in {shown}", program.kind);
        }
        let all = command(&stage.socket, "show sess all");
        assert!(all.contains(&format!("\n  server=s (id=1) addr={}\n", echo.address)), "{all}");
        assert!(all.ends_with("\n\n"), "{all}");
    }
}

/// The selections of haproxy 3.x.
#[test]
fn sessions_are_selected() {
    let echo = Backend::echo();
    let stage = Stage::start(&Program::ours(), "", &echo.address.to_string());
    let _client = stage.served();
    let count = |which: &str| command(&stage.socket, &format!("show sess {which}")).matches(": proto=").count();
    assert_eq!(["", "frontend f", "backend b", "server b/s", "older 1d"].map(count), [1, 1, 1, 1, 0]);
    wait::until_true("the session to be older than a second", || count("older 1") == 1);
}
