//! Slow clients: cut when `inspect-delay` is over, at little cost while they last.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::logs::LogReceiver;
use crate::harness::mqtt::Connect;
use crate::harness::program::Program;
use crate::harness::proxy::Proxy;
use crate::harness::{client, ports, wait};
use crate::stage::Stage;

/// Most by which the moment of the cut may be late: a machine that stops for a moment.
const LATE: Duration = Duration::from_millis(400);

/// Connects and sends a byte at a time until the other side ends it; how long that took.
fn drip(stage: &Stage, packet: &[u8], every: Duration) -> Duration {
    // before the connection: the proxy may have accepted it when this thread hears of it
    let start = Instant::now();
    let mut stream = stage.connect();
    stream.set_read_timeout(Some(every)).expect("a time limit");
    for byte in packet {
        let _ = stream.write_all(&[*byte]);
        match stream.read(&mut [0]) {
            Err(why) if matches!(why.kind(), std::io::ErrorKind::WouldBlock) => {}
            _ => return start.elapsed(),
        }
    }
    panic!("{} bytes were not enough", packet.len());
}

/// A client of a byte a second before the rules of the EMQX way with this delay, on both programs at once: it is cut when the delay is
/// over, at most `late` after it.
fn cut_in_time(delay: Duration, late: Duration) {
    let play = |program: Program| {
        let rules = format!(
            "  tcp-request inspect-delay {}s\n  tcp-request content reject unless {{ req.payload(0,0),mqtt_is_valid }}\n",
            delay.as_secs()
        );
        let stage = Stage::new(&program, "", &rules);
        let took = drip(&stage, &Connect::plain("slow").packet(), Duration::from_secs(1));
        assert!(took >= delay && took < delay + late, "{} cuts after {took:?}", program.path.display());
        let line = stage.log.wait_for(" mqtt mqtt/");
        let timers = line.split_once(" mqtt mqtt/").and_then(|(_, rest)| rest.split(' ').nth(1)).expect("timers");
        let timers: Vec<i64> = timers.split('/').map(|timer| timer.parse().expect("a timer")).collect();
        let behind = timers[2] - delay.as_millis() as i64;
        assert!((0..late.as_millis() as i64).contains(&behind), "{line}");
        (timers[0], timers[1], stage.line(), stage.gate.arrivals().len())
    };
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| play(Program::theirs()));
        let ours = play(Program::under_test());
        (theirs.join().expect("haproxy is played"), ours)
    });
    println!("LINE {theirs:?}");
    assert_eq!(ours, theirs);
}

#[test]
fn a_byte_a_second_is_cut_in_time_alone() {
    cut_in_time(Duration::from_secs(3), LATE);
}

/// As it is written in a configuration. Other tests may run beside it, so it may be a byte late.
#[test]
fn a_byte_a_second_is_cut_after_ten_seconds() {
    cut_in_time(Duration::from_secs(10), Duration::from_secs(1));
}

/// Clients that have said the beginning of a CONNECT and say no more: as many as a limit of 20,000 descriptors has room for.
const SLOW: usize = 9_800;
/// What each of them may cost.
const MOST: u64 = 2_048;

/// Bytes of memory for each of so many slow clients.
fn memory(program: &Program) -> u64 {
    let (log, sink) = LogReceiver::udp();
    let door = ports::free();
    let config = format!(
        "global\n  maxconn 9950\n  nbthread 2\ndefaults\n  mode tcp\n  log {sink} local0\n  option tcplog\n  timeout connect 5s\n  \
         timeout client 120s\n  timeout server 120s\nlisten mqtt\n  bind {door} backlog 4096\n  tcp-request inspect-delay 100s\n  \
         tcp-request content reject unless {{ req.payload(0,0),mqtt_is_valid }}\n  server s {}\n",
        ports::refused()
    );
    let proxy = Proxy::start(program, &config);
    let beginning = &Connect::plain("a client").packet()[..10];
    let come = |count: usize| -> Vec<TcpStream> {
        let clients = (0..count).map(|_| {
            let mut stream = client::connect(door);
            stream.write_all(beginning).expect("bytes are sent");
            stream
        });
        clients.collect()
    };
    let first = come(100);
    wait::until_true("the first to be read", || client::unread(&first) == 0);
    let before = proxy.process.memory();
    let slow = come(SLOW);
    wait::until_true("all to be read", || client::unread(&slow) == 0);
    let grown = proxy.process.memory().saturating_sub(before);
    assert_eq!(log.lines().iter().filter(|line| line.contains(" mqtt mqtt/")).count(), 0, "nobody is cut");
    grown * 1_024 / SLOW as u64
}

#[test]
fn thousands_of_slow_clients_cost_little_alone() {
    let theirs = memory(&Program::theirs());
    let ours = memory(&Program::under_test());
    println!("bytes for each of {SLOW} slow clients: haproxy {theirs}, tested {ours}");
    if Program::under_test().is_ours() {
        assert!(ours <= MOST && ours <= theirs, "{ours} bytes for each, haproxy {theirs}");
    }
}
