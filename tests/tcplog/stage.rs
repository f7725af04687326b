//! What the scenarios share: a proxy that logs here, lines without what may differ, servers of every temper.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::backends::Backend;
pub(crate) use crate::harness::backends::Deaf;
use crate::harness::logs::LogReceiver;
use crate::harness::program::Program;
use crate::harness::proxy::Proxy;
use crate::harness::stats::Stats;
use crate::harness::{client, ports, wait};

/// Most milliseconds by which a timer may differ between the programs.
pub(crate) const NOISE: i64 = 20;

/// A proxy with its log, and servers that live as long.
pub(crate) struct Stage {
    pub listen: SocketAddr,
    pub log: LogReceiver,
    pub proxy: Proxy,
    pub commands: tempfile::TempDir,
}

impl Stage {
    /// Starts `program` with one `listen` section that logs here and holds `lines`.
    pub(crate) fn new(program: &Program, lines: &str) -> Self {
        let (log, sink) = LogReceiver::udp();
        let listen = ports::free();
        let commands = tempfile::tempdir().expect("a folder for the stats socket");
        let socket = commands.path().join("stats");
        let config = format!(
            "global\n nbthread 1\n stats socket {}\n\
             defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
             listen front\n bind {listen}\n log {sink} local0\n option tcplog\n{lines}\n",
            socket.display()
        );
        Self { listen, log, proxy: Proxy::start(program, &config), commands }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        client::connect(self.listen)
    }

    /// Waits until a number of `show stat` is `value`.
    pub(crate) fn wait_stat(&self, name: &str, column: &str, value: i64) {
        wait::until_true(&format!("{column} of {name} to be {value}"), || {
            Stats::from_socket(&self.commands.path().join("stats")).number("front", name, column) == value
        });
    }

    /// Lets a client act while the proxy is stopped: all of it has happened when the proxy accepts.
    pub(crate) fn behind_its_back(&self, act: impl FnOnce()) {
        let pid = Pid::from_raw(self.proxy.process.pid() as i32);
        kill(pid, Signal::SIGSTOP).expect("the proxy is stopped");
        wait::until_true("the proxy to stop", || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        });
        act();
        kill(pid, Signal::SIGCONT).expect("the proxy goes on");
    }

    /// The only line of a session: it must come, and no other.
    pub(crate) fn line(&self) -> String {
        self.lines(1).remove(0)
    }

    pub(crate) fn lines(&self, count: usize) -> Vec<String> {
        let lines = self.log.wait_count(" front front/", count);
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines.iter().map(|line| plain(line)).collect()
    }
}

/// The line without priority, date, program, process id and port.
pub(crate) fn plain(line: &str) -> String {
    let (_, rest) = line.split_once("]: ").unwrap_or_else(|| panic!("no tag in {line:?}"));
    let (client, rest) = rest.split_once(" [").unwrap_or_else(|| panic!("no date in {line:?}"));
    let (_, rest) = rest.split_once("] ").unwrap_or_else(|| panic!("no end of date in {line:?}"));
    let address = client.rsplit_once(':').map_or(client, |(address, _)| address);
    format!("{} {rest}", if address.starts_with("127.") { "127.x" } else { address })
}

/// A line's fields with its timers taken out.
pub(crate) fn split(line: &str) -> (Vec<String>, Vec<i64>) {
    let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let timers = fields[3].split('/').map(|timer| timer.parse().expect("a timer")).collect();
    fields[3] = "timers".to_owned();
    (fields, timers)
}

/// Runs the scenario on both and compares.
pub(crate) fn same(play: impl Fn(&Program) -> Vec<String>) {
    let theirs = play(&Program::theirs());
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    theirs.iter().for_each(|line| println!("LINE {name} haproxy {line}"));
    let ours = play(&Program::under_test());
    ours.iter().for_each(|line| println!("LINE {name} tested {line}"));
    assert_eq!(theirs.len(), ours.len());
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let (want, want_timers) = split(theirs);
        let (got, timers) = split(ours);
        assert_eq!(got, want, "haproxy said {theirs:?}");
        for (timer, want) in timers.iter().zip(&want_timers) {
            assert!((timer - want).abs() <= NOISE && (*timer == -1) == (*want == -1), "{ours:?} against {theirs:?}");
        }
    }
}

/// One session whose client does `act`; the proxy's time limits say how long it lasts.
pub(crate) fn one(lines: impl Fn() -> String, act: impl Fn(TcpStream)) {
    same(|program| {
        let stage = Stage::new(program, &lines());
        act(stage.connect());
        vec![stage.line()]
    });
}

/// One session that lasts as long as its peers like.
pub(crate) fn brief(lines: impl Fn() -> String, act: impl Fn(TcpStream)) {
    same(|program| {
        let stage = Stage::new(program, &lines());
        act(stage.connect());
        vec![without_timers(&stage.line())]
    });
}

pub(crate) fn server(name: &str, backend: &Backend) -> String {
    format!(" server {name} {}\n", backend.address)
}

/// A server that neither reads nor closes.
pub(crate) fn silent() -> Backend {
    Backend::start(|stream| hold(&stream))
}

/// A server that says one byte, and then neither reads nor closes.
pub(crate) fn greeting() -> Backend {
    Backend::start(|mut stream| {
        let _ = stream.write_all(b"!");
        hold(&stream);
    })
}

fn hold(stream: &TcpStream) {
    wait::within(std::time::Duration::from_secs(60), "the test to end", || {
        matches!(stream.take_error(), Ok(Some(_)) | Err(_)).then_some(())
    });
}

pub(crate) fn until_closed(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// For scenarios whose length depends on the test's own steps: only whether a timer is there counts.
pub(crate) fn without_timers(line: &str) -> String {
    let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let timers = fields[3].split('/').map(|timer| if timer == "-1" { "-1" } else { "0" });
    fields[3] = timers.collect::<Vec<_>>().join("/");
    fields.join(" ")
}
