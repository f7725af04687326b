//! Samples of lines, rings and their servers, streams.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use crate::harness::backends::Backend;
use crate::harness::program::Program;
use crate::harness::stats::command;
use crate::harness::{ports, wait};
use crate::stage::{MONTHS, Stage, masked, same};

/// A TCP server that keeps what it is sent, one text per connection.
struct Collector {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Connections that it has closed.
    closed: Arc<AtomicUsize>,
}

impl Collector {
    /// It closes each connection that has sent as many bytes.
    fn on(address: SocketAddr, most: usize) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(AtomicUsize::new(0));
        let (all, over) = (Arc::clone(&heard), Arc::clone(&closed));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let ix = {
                    let mut all = all.lock().expect("texts");
                    all.push(Vec::new());
                    all.len() - 1
                };
                let (all, over) = (Arc::clone(&all), Arc::clone(&over));
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        let mut all = all.lock().expect("texts");
                        all[ix].extend_from_slice(&buffer[..count]);
                        if all[ix].len() >= most {
                            drop(stream);
                            over.fetch_add(1, SeqCst);
                            return;
                        }
                    }
                });
            }
        });
        Self { address, heard, closed }
    }

    fn new() -> Self {
        Self::on(ports::free(), usize::MAX)
    }

    fn text(&self) -> String {
        let all = self.heard.lock().expect("texts");
        all.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    fn wait_for(&self, part: &str) -> String {
        wait::until(&format!("{part:?} at the log server"), || Some(self.text()).filter(|text| text.contains(part)))
    }
}

/// Twenty-three sessions; which of them are logged.
#[test]
fn samples() {
    same(|program| {
        let echo = Backend::echo();
        let samples = ["1:2", "1-3,5:10", "2:2", "5,1-3:10", "3:3", "1-10:10", "5:99999999999"];
        let log = |sample: &str| format!(" log @LOG format raw sample {sample} local0\n");
        let section = |sample: &&str| {
            let server = format!(" server s1 {}\n{}", echo.address, log(sample));
            format!("{server} log @LOG format short local0\n log-format \"%b %lc\"\n")
        };
        let sections: Vec<String> = samples.iter().map(section).collect();
        let stage = Stage::new(program, "", &sections);
        for ix in 0..sections.len() {
            for _ in 0..23 {
                stage.talk(ix);
                // the line without a sample follows the one with it
                stage.log.wait_count("<6>", 1);
            }
            stage.log.wait_count("<6>", 23 * (ix + 1));
        }
        stage.log.lines().into_iter().filter(|line| !line.starts_with("<6>")).collect()
    });
}

/// Each proxy counts for itself, also the lines of a target that it shares.
#[test]
fn samples_of_a_shared_target() {
    same(|program| {
        let echo = Backend::echo();
        let section = format!(" server s1 {}\n log global\n log-format %b-%lc\n", echo.address);
        let stage = Stage::new(program, " log @LOG format raw sample 1:2 local0\n", &[section.clone(), section]);
        for ix in [0, 1, 0, 1, 0, 1] {
            stage.talk(ix);
        }
        stage.log.wait_for("l0-2");
        stage.log.wait_for("l1-2");
        stage.log.lines()
    });
}

/// What a log server gets of two sessions; `TCP` stands for its address.
#[track_caller]
fn forwarded(global: &str, log: &str, ring: &str, format: &str) {
    same(|program| {
        let echo = Backend::echo();
        let collector = Collector::new();
        let section = format!(" server s1 {}\n log {log}\n log-format \"{format}%b-%lc-end\"\n", echo.address);
        let full = |text: &str| text.replace("TCP", &collector.address.to_string());
        let ring = if ring.is_empty() {
            String::new()
        } else {
            format!("ring r\n timeout connect 5s\n timeout server 5s\n{ring}")
        };
        let stage = Stage::new(program, global, &[full(&format!("{section}{ring}"))]);
        for end in ["-0-end", "-1-end"] {
            stage.talk(0);
            if format.len() < 70 {
                collector.wait_for(end);
            }
        }
        // what is cut has no end: there each message has its length before it
        let counted = |text: &String| format.len() < 70 || text.matches(" l").count() >= 2;
        let mut text = wait::until("two messages", || Some(collector.text()).filter(counted));
        for month in MONTHS {
            text = text.replace(month, "Mon");
        }
        vec![masked(&text).replace("Mon  ", "Mon ")]
    });
}

#[test]
fn a_ring_has_no_frame() {
    forwarded("", "ring@r format rfc5424 local0", " server x TCP\n", "");
}

#[test]
fn a_ring_with_counted_messages() {
    forwarded("", "ring@r local0", " server x TCP log-proto octet-count\n format rfc3164\n", "");
}

#[test]
fn a_ring_in_a_standard_frame() {
    forwarded(" log-send-hostname h\n", "ring@r format raw local0", " server x TCP\n format rfc5424\n", "");
}

#[test]
fn messages_of_more_than_one_line() {
    forwarded("", "ring@r local0", " server x TCP\n format raw\n", "a\\nb");
}

#[test]
fn a_ring_that_cuts() {
    forwarded("", "ring@r local0", " server x TCP log-proto octet-count\n maxlen 20\n", &"l".repeat(70));
}

#[test]
fn a_line_that_cuts_before_a_ring() {
    forwarded("", "ring@r len 80 local0", " server x TCP log-proto octet-count\n", &"l".repeat(100));
}

#[test]
fn a_stream() {
    forwarded("", "tcp@TCP local0", "", "");
}

#[test]
fn a_stream_in_a_standard_frame() {
    forwarded("", "tcp@TCP format rfc5424 local0", "", "");
}

/// A log server that comes late and ends its connections gets every message once.
#[test]
fn servers_come_and_go() {
    same(|program| {
        let echo = Backend::echo();
        let address = ports::free();
        let ring = format!("ring r\n timeout connect 5s\n timeout server 5s\n server x {address}\n");
        let section = format!(" server s1 {}\n log ring@r local0\n log-format m%lc\n{ring}", echo.address);
        let stage = Stage::new(program, "", &[section]);
        stage.talk(0);
        stage.talk(0);
        let collector = Collector::on(address, 9);
        collector.wait_for("m1\n");
        stage.talk(0);
        collector.wait_for("m2\n"); // nine bytes: it closes
        wait::until_true("the connection to end", || collector.closed.load(SeqCst) == 1);
        stage.talk(0);
        vec![collector.wait_for("m3\n")]
    });
}

/// A log server that never reads: its ring fills, lines are lost and counted, and no session waits for it.
#[test]
fn a_server_that_never_reads_blocks_nobody() {
    let stuck = Backend::start(|stream| {
        wait::within(std::time::Duration::from_secs(60), "the test to end", || {
            matches!(stream.take_error(), Ok(Some(_)) | Err(_)).then_some(())
        });
    });
    let echo = Backend::echo();
    let program = Program::ours(); // haproxy counts such losses only in 'show events'
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let ring =
        format!("ring r\n size 200000\n timeout connect 20s\n timeout server 50s\n server x {}\n", stuck.address);
    let section = format!(
        " server s1 {}\n log ring@r len 65000 local0\n log-format \"%lc {}\"\n{ring}",
        echo.address,
        "l".repeat(10_000)
    );
    let stage = Stage::new(&program, &format!(" stats socket {}\n", socket.display()), &[section]);
    let lost = || {
        let info = command(&socket, "show info");
        let line = info.lines().find_map(|line| line.strip_prefix("DroppedLogs: ")).unwrap_or_default();
        line.parse::<u64>().expect("a number")
    };
    let mut sessions = 0;
    while lost() == 0 {
        (0..50).for_each(|_| stage.talk(0));
        sessions += 50;
        assert!(sessions < 5_000, "so many lines and none lost");
    }
    stage.talk(0);
}
