//! Clients of the stats socket that are slow, greedy or many: traffic goes on beside them, memory stays bounded, and who
//! behaves is answered.

mod harness;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::command;
use harness::{client, ports, wait};

/// Servers of the largest reports: some 40 MB of `show stat`.
const SERVERS: u32 = 96_000;
/// What all slow readers of such a report may cost together, kB. A report of one alone is more.
const SLACK: u64 = 24 * 1024;

/// A proxy in front of an echo server.
struct Stage {
    proxy: Proxy,
    socket: PathBuf,
    door: SocketAddr,
    _folder: tempfile::TempDir,
    _echo: Backend,
}

impl Stage {
    /// With so many more servers, and these lines of `global`.
    fn start(servers: u32, global: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (socket, door, echo) = (folder.path().join("stats"), ports::free(), Backend::echo());
        let crowd = match servers {
            0 => String::new(),
            many => format!("backend crowd\n server-template s {many} 127.0.0.1:1\n"),
        };
        let config = format!(
            "global\n nbthread 2\n stats socket {} level admin\n{global}\
             defaults\n mode tcp\n timeout client 1m\n timeout connect 1m\n timeout server 1m\n\
             listen f\n bind {door}\n server s {}\n{crowd}",
            socket.display(),
            echo.address,
        );
        let proxy = Proxy::start(&Program::ours(), &config);
        Self { proxy, socket, door, _folder: folder, _echo: echo }
    }

    fn console(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).expect("the stats socket");
        stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
        stream
    }

    /// Types something and does not read what is answered.
    fn lazy(&self, typed: &str) -> UnixStream {
        let mut stream = self.console();
        stream.write_all(typed.as_bytes()).expect("commands");
        stream
    }
}

/// Traffic through a proxy, on a thread of its own: old sessions and new ones.
struct Traffic {
    rounds: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    fn start(door: SocketAddr) -> Self {
        let (rounds, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (Arc::clone(&rounds), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut old = client::connect(door);
            while !end.load(Relaxed) {
                client::echo(&mut old, b"an old session");
                client::echo(&mut client::connect(door), b"a new session");
                count.fetch_add(1, Relaxed);
            }
        });
        Self { rounds, over, thread: Some(thread) }
    }

    /// Waits until it has gone on by some rounds from now.
    #[track_caller]
    fn goes_on(&self) {
        let before = self.rounds.load(Relaxed);
        wait::until_true("traffic to go on", || self.rounds.load(Relaxed) >= before + 5);
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        let ended = self.thread.take().expect("its thread").join();
        assert!(ended.is_ok() || std::thread::panicking(), "traffic was served to the end");
    }
}

/// Whether a connection has ended, whatever there is to be read before.
fn ended(stream: &mut UnixStream) -> bool {
    let mut some = [0; 65536];
    loop {
        match stream.read(&mut some) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(why) => return matches!(why.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        }
    }
}

/// Ten clients ask for the largest reports and read nothing.
#[test]
fn who_does_not_read_a_huge_report_costs_little() {
    let stage = Stage::start(SERVERS, " stats timeout 1m\n stats maxconn 20\n");
    let traffic = Traffic::start(stage.door);
    traffic.goes_on();
    // Once read to its end: what that takes is there before memory is looked at.
    let whole = command(&stage.socket, "show stat");
    assert_eq!(whole.lines().filter(|line| line.starts_with("crowd,s")).count(), SERVERS as usize);
    assert!(whole.len() as u64 > SLACK * 1024 / 2, "{} bytes", whole.len());
    drop(whole);
    let before = stage.proxy.process.memory();
    let typed = ["show stat", "show stat json", "show stat typed", "show servers state", "show servers conn"];
    let typed = typed.map(|typed| format!("prompt;{typed};{typed};{typed}\n{typed}\n"));
    let lazy: Vec<UnixStream> = (0..10).map(|at| stage.lazy(&typed[at % typed.len()])).collect();
    for _ in 0..5 {
        traffic.goes_on();
        assert_eq!(
            command(&stage.socket, "show stat f 2 -1").lines().count(),
            3,
            "a header, the backend, an empty line"
        );
    }
    let after = stage.proxy.process.memory();
    assert!(after < before + SLACK, "{before} kB before, {after} kB with ten reports that nobody reads");
    drop(lazy);
    traffic.goes_on();
}

/// A thousand connections: those over `stats maxconn` wait, and are served when others have left.
#[test]
fn a_thousand_connections_wait_for_their_turn() {
    let stage = Stage::start(0, " stats timeout 100ms\n maxconn 2000\n");
    let traffic = Traffic::start(stage.door);
    // Half of them say nothing, and go when their idle time is over; they hold places that others wait for.
    let mut all: Vec<UnixStream> = Vec::new();
    for at in 0..1000 {
        let Ok(mut stream) = UnixStream::connect(&stage.socket) else {
            break; // the backlog is full: the system says so, not the proxy
        };
        if at % 2 == 1 {
            stream.write_all(b"show version").expect("half a command");
        } else if at >= 10 {
            stream.write_all(b"show info\n").expect("a command");
        }
        all.push(stream);
    }
    assert!(all.len() > 100, "{} connections", all.len());
    traffic.goes_on();
    let info = wait::within(Duration::from_secs(60), "an answer", || {
        let answer = command_within(&stage, Duration::from_secs(30));
        answer.starts_with("Name: HAProxy").then_some(answer)
    });
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        line.trim().parse::<usize>().expect("a number")
    };
    assert!(field("CurrConns:") <= 10 + 2 + 1, "{info}"); // ten consoles, the traffic's
    traffic.goes_on();
}

/// `show info`, with a longer patience: others are served first.
fn command_within(stage: &Stage, patience: Duration) -> String {
    let mut stream = stage.console();
    stream.set_read_timeout(Some(patience)).expect("a time limit");
    stream.write_all(b"show info\n").expect("a command");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// Endless lines and payloads, and thousands of commands on one line.
#[test]
fn endless_input_ends_the_connection() {
    let stage = Stage::start(0, "");
    let traffic = Traffic::start(stage.door);
    traffic.goes_on();
    let before = stage.proxy.process.memory();
    let endless: [(&[u8], &[u8]); 4] = [
        (b"", b"x"),
        (b"show version <<\n", b"payload line\n"),
        (b"prompt\nshow version <<%E%\n", b"\n"),
        (b"prompt;", b"show sess 0x1;"),
    ];
    for (start, piece) in endless {
        let mut stream = stage.console();
        stream.set_write_timeout(Some(Duration::from_secs(15))).expect("a time limit");
        stream.write_all(start).expect("the start");
        let chunk = piece.repeat(65_536 / piece.len());
        let mut sent = 0;
        // 10 MB: it is cut off long before.
        let cut = loop {
            match stream.write_all(&chunk) {
                Ok(()) => sent += chunk.len(),
                Err(why) => break why.kind(),
            }
            assert!(sent < 10_000_000, "{:?} is taken in for ever", String::from_utf8_lossy(start));
        };
        assert!(matches!(cut, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{cut:?}");
        assert!(ended(&mut stream));
        traffic.goes_on();
    }
    // As many commands as a line may hold, each with a long answer: no more than one of them is kept.
    let mut stream = stage.console();
    let line = "help;".repeat(3000);
    let reader = stream.try_clone().expect("a second handle");
    let counting = std::thread::spawn(move || {
        let mut reader = std::io::BufReader::new(reader);
        let mut all = Vec::new();
        reader.read_to_end(&mut all).expect("answers");
        all
    });
    stream.write_all(format!("{line}\n").as_bytes()).expect("a line");
    let said = counting.join().expect("the answers");
    let answers = String::from_utf8(said).expect("text").matches("Commands at this level:").count();
    assert_eq!(answers, 3000);
    traffic.goes_on();
    let after = stage.proxy.process.memory();
    assert!(after < before + SLACK, "{before} kB before, {after} kB after");
    assert!(command(&stage.socket, "show info").starts_with("Name: HAProxy\n"));
}

/// Clients that ask and leave at once, or never read: their places come free.
#[test]
fn places_come_free() {
    let stage = Stage::start(2000, " stats timeout 500ms\n");
    let traffic = Traffic::start(stage.door);
    for round in 0..20 {
        for typed in ["show stat\n", "show sess all\n", "prompt\nshow servers state\n", "show events\n", "show fd\n"] {
            let stream = stage.lazy(typed);
            if round % 2 == 0 {
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
            drop(stream);
        }
    }
    let mut lazy: Vec<UnixStream> = (0..10).map(|_| stage.lazy("prompt;show stat;show stat\n")).collect();
    // All places are taken: this one waits until those that do not read are sent away.
    assert!(command(&stage.socket, "show info").starts_with("Name: HAProxy\n"));
    assert!(lazy.iter_mut().all(ended));
    traffic.goes_on();
}

/// Maps and their payloads: what is too long, cut off or committed twice harms nobody, and traffic goes on.
#[test]
fn hostile_changes_of_maps() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let map = folder.path().join("map");
    std::fs::write(&map, "k v\n").expect("a map");
    let stage = Stage::start(
        0,
        &format!(
            "defaults\n mode tcp\nbackend m\n option tcp-check\n tcp-check set-var(check.a) str(k),map({})\n",
            map.display()
        ),
    );
    let traffic = Traffic::start(stage.door);
    let map = map.display().to_string();
    let shown = |version: &str| command(&stage.socket, &format!("show map {version} {map}"));

    // A payload that never ends is cut off when it is too long; nothing of it is seen.
    let mut endless = stage.console();
    endless.write_all(format!("add map {map} <<\n").as_bytes()).expect("a command");
    let line = format!("{} v\n", "x".repeat(1000));
    while endless.write_all(line.as_bytes()).is_ok() {}
    assert!(ended(&mut endless), "too long");
    // One that is cut off in the middle, and one without its last line.
    drop(stage.lazy(&format!("add map {map} <<\nhalf v\n")));
    // Many lines in one payload.
    let many: String = (0..1500).map(|number| format!("n{number} v\n")).collect();
    assert_eq!(command(&stage.socket, &format!("add map {map} <<\n{many}")), "\n");
    assert_eq!(shown("").lines().count(), 1 + 1500 + 1);
    traffic.goes_on();

    // Two clients prepare, add and commit at once; one of them is the last, and nobody sees half of a version.
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (socket, map) = (stage.socket.clone(), map.clone());
            std::thread::spawn(move || {
                let mut committed = 0;
                for round in 0..20 {
                    let prepared = command(&socket, &format!("prepare map {map}"));
                    let version = prepared.trim().rsplit(' ').next().expect("a version").to_owned();
                    let lines: String =
                        (0..50).map(|number| format!("c{client}r{round}n{number} {version}\n")).collect();
                    assert_eq!(command(&socket, &format!("add map @{version} {map} <<\n{lines}")), "\n");
                    let seen = command(&socket, &format!("show map {map}"));
                    let values: std::collections::BTreeSet<&str> = seen
                        .lines()
                        .filter_map(|line| line.rsplit(' ').next())
                        .filter(|value| !value.is_empty())
                        .collect();
                    assert_eq!(values.len(), 1, "one version is seen: {values:?}");
                    committed += usize::from(command(&socket, &format!("commit map @{version} {map}")) == "\n");
                }
                committed
            })
        })
        .collect();
    let committed: usize = clients.into_iter().map(|client| client.join().expect("a client")).sum();
    assert!(committed > 0);
    assert_eq!(shown("").lines().count(), 50 + 1);
    traffic.goes_on();

    // Nonsense.
    for typed in
        ["commit map @99999999999999999999", "add map @18446744073709551616", "clear map @-5", "show map @", "del map"]
    {
        command(&stage.socket, &format!("{typed} {map} x y"));
    }
    assert_eq!(command(&stage.socket, &format!("clear map {map}")), "\n");
    assert_eq!(shown(""), "\n");
}
