//! What the scenarios share: one process with many sections that log here, and lines without what may differ.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use crate::harness::logs::LogReceiver;
use crate::harness::program::Program;
use crate::harness::proxy::Proxy;
use crate::harness::{client, ports};

/// A running proxy whose sections log here.
pub(crate) struct Stage {
    pub log: LogReceiver,
    pub doors: Vec<SocketAddr>,
    _proxy: Proxy,
}

impl Stage {
    /// Starts `program` with a section `l0`, `l1`… of each text; `@LOG` in it is the receiver's address.
    pub(crate) fn new(program: &Program, global: &str, sections: &[String]) -> Self {
        let (log, sink) = LogReceiver::udp();
        let doors: Vec<SocketAddr> = sections.iter().map(|_| ports::free()).collect();
        let mut config = format!(
            "global\n nbthread 1\n{global}\
             defaults\n mode tcp\n timeout connect 200\n timeout client 30s\n timeout server 30s\n retries 1\n"
        );
        for (ix, (section, door)) in sections.iter().zip(&doors).enumerate() {
            // `accept-proxy` at the beginning belongs to the address
            let (more, section) = match section.strip_prefix(" accept-proxy\n") {
                Some(section) => (" accept-proxy", section),
                None => ("", section.as_str()),
            };
            config += &format!("listen l{ix}\n bind {door}{more}\n{section}\n");
        }
        let proxy = Proxy::start(program, &config.replace("@LOG", &sink.to_string()));
        Self { log, doors, _proxy: proxy }
    }

    pub(crate) fn connect(&self, section: usize) -> TcpStream {
        client::connect(self.doors[section])
    }

    /// A session of five bytes and their echo, closed by the client; where there is no server, until it is closed.
    pub(crate) fn talk(&self, section: usize) {
        let mut stream = self.connect(section);
        let _ = stream.write_all(b"hello");
        let mut back = [0; 5];
        let _ = std::io::Read::read_exact(&mut stream, &mut back);
    }
}

/// Runs a scenario on both and compares what it answers.
#[track_caller]
pub(crate) fn same(play: impl Fn(&Program) -> Vec<String>) {
    let theirs = play(&Program::theirs());
    let ours = play(&Program::under_test());
    for (ix, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
        assert_eq!(ours, theirs, "line {ix} of {theirs:#?}");
    }
    assert_eq!(theirs.len(), ours.len());
    assert!(!theirs.is_empty(), "nothing was compared");
}

/// Numbers that may differ become `0`: runs of digits, hexadecimal ones included; `-1` and a single `0` stay apart.
pub(crate) fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        let digit = c.is_ascii_digit() || matches!(c, 'A'..='F');
        if digit && !inside {
            out.push('0');
        }
        inside = digit;
        if !digit {
            out.push(c);
        }
    }
    out
}

/// The names of months in dates.
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
