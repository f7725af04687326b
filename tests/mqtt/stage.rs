//! A proxy that lets MQTT through and nothing else, with its log, before a gate.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::harness::logs::LogReceiver;
use crate::harness::mqtt::{Connect, Gate, connack};
use crate::harness::program::Program;
use crate::harness::proxy::Proxy;
use crate::harness::{client, ports, wait};

/// The rules of the EMQX way; the time is the test's.
pub(crate) const RULES: &str =
    "  tcp-request inspect-delay 10s\n  tcp-request content reject unless { req.payload(0,0),mqtt_is_valid }\n";

/// A running proxy.
pub(crate) struct Stage {
    pub door: SocketAddr,
    pub log: LogReceiver,
    pub gate: Gate,
    _proxy: Proxy,
}

impl Stage {
    /// Starts `program` with one `listen` section that logs here and holds `lines`; `global` are lines of that section.
    pub(crate) fn new(program: &Program, global: &str, lines: &str) -> Self {
        let (log, sink) = LogReceiver::udp();
        let (door, gate) = (ports::free(), Gate::start());
        let config = format!(
            "global\n  nbthread 1\n{global}defaults\n  mode tcp\n  log {sink} local0\n  option tcplog\n  timeout connect 5s\n  \
             timeout client 30s\n  timeout server 30s\nlisten mqtt\n  bind {door}\n{lines}  server s {} send-proxy-v2\n",
            gate.address
        );
        let _proxy = Proxy::start(program, &config);
        Self { door, log, gate, _proxy }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        client::connect(self.door)
    }

    /// The log line of the only session so far, without what may differ.
    pub(crate) fn line(&self) -> String {
        self.lines(1).remove(0)
    }

    pub(crate) fn lines(&self, count: usize) -> Vec<String> {
        self.log.wait_count(" mqtt mqtt/", count).iter().map(|line| plain(line)).collect()
    }
}

/// The line from its proxy on, timers aside: server, bytes, how it ended.
fn plain(line: &str) -> String {
    let at = line.find(" mqtt mqtt/").unwrap_or_else(|| panic!("another line: {line}"));
    let fields: Vec<&str> = line[at + 1..].split(' ').collect();
    format!("{} {} {}", fields[1], fields[3], fields[4])
}

/// Sends pieces, each in a packet of its own.
pub(crate) fn send<'p>(stream: &mut TcpStream, pieces: impl IntoIterator<Item = &'p [u8]>) {
    for piece in pieces {
        stream.write_all(piece).expect("bytes are sent");
        wait::moment(Duration::from_millis(1));
    }
}

/// Plays a scenario on both programs: what comes of it must be the same.
pub(crate) fn alike<T: PartialEq + std::fmt::Debug>(play: impl Fn(&Program) -> T) {
    let theirs = play(&Program::theirs());
    println!("LINE haproxy {theirs:#?}");
    let ours = play(&Program::under_test());
    assert_eq!(ours, theirs);
}

/// Clients of which each comes to a proxy with these lines of its own, on both programs: whether it passes, and its line.
///
/// # Panics
/// When others pass than are wanted.
pub(crate) fn pass(lines: &str, connects: &[Connect<'_>], wanted: &[bool]) {
    alike(|program| {
        let mut told = Vec::new();
        for connect in connects {
            let stage = Stage::new(program, "", lines);
            let mut stream = stage.connect();
            stream.write_all(&connect.packet()).expect("bytes are sent");
            let code = connack(&mut stream);
            client::half_close(&stream);
            let _ = client::read_all(&mut stream);
            told.push((format!("{connect:?}"), code, stage.line()));
        }
        let passed: Vec<bool> = told.iter().map(|(_, code, _)| code.is_some()).collect();
        assert_eq!(passed, wanted, "{told:#?}");
        told
    });
}
