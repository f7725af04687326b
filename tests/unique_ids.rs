//! The unique id of a session: made once, whoever asks for it, and the same in another process.

use std::io::{Read, Write};

mod harness;

use harness::backends::Backend;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports};

const LIMITS: &str = " timeout connect 1s\n timeout client 5s\n timeout server 6s\n timeout queue 20s\n";

/// Runs a scenario on both and compares.
#[track_caller]
fn same(play: impl Fn(&Program) -> Vec<String>) {
    let (theirs, ours) = (play(&Program::theirs()), play(&Program::under_test()));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "within {theirs:?}");
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 1, "nothing was compared: {ours:?}");
}

/// An id is made once, whoever asks first: a rule, the PROXY header, the line.
#[test]
fn an_id_is_made_once() {
    same(|program| {
        let (log, sink) = LogReceiver::udp();
        let (peer, door) = (
            Backend::start(|mut stream| {
                let mut got = vec![0; 4096];
                let count = stream.read(&mut got).unwrap_or(0);
                let _ = stream.write_all(&got[..count]);
            }),
            ports::free(),
        );
        let _proxy = Proxy::start(
            program,
            &format!(
                "global\n nbthread 1\ndefaults\n mode tcp\n{LIMITS}listen l\n bind {door}\n log {sink} format raw local0\n \
                 tcp-request content set-var(txn.id) unique-id\n unique-id-format id%[rand,hex]-%rt\n \
                 log-format \"line|%[var(txn.id)]|%ID|%[unique-id]|%[rand,hex]\"\n \
                 server s {} send-proxy-v2 proxy-v2-options unique-id\n",
                peer.address
            ),
        );
        let mut stream = client::connect(door);
        stream.write_all(b"hello").expect("bytes are sent");
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).expect("the server's answer");
        let line = log.wait_for("line|");
        let parts: Vec<&str> = line.split('|').collect();
        let told = String::from_utf8_lossy(&heard).contains(parts[1]);
        vec![
            format!("same {} {} told {told}", parts[1] == parts[2], parts[2] == parts[3]),
            format!("another {}", parts[1].contains(parts[4])),
            format!("number {}", parts[1].ends_with("-0")),
        ]
    });
}

/// An id moves with its session: the new process shows what the old one told the server.
#[test]
fn an_id_moves_with_its_session() {
    let program = Program::under_test();
    if !program.is_ours() {
        return; // haproxy's sessions stay where they are
    }
    let (log, sink) = LogReceiver::udp();
    let (yard, echo) = (harness::yard::Yard::new(), Backend::echo());
    let config = format!(
        "global\n nbthread 1\n stats socket {} level admin expose-fd listeners\ndefaults\n mode tcp\n{LIMITS}listen l\n \
         bind {}\n log {sink} format raw local0\n unique-id-format id-%[rand,hex]\n \
         log-format \"line|%ID|%[unique-id]|%pid|%B\"\n server s {} send-proxy-v2 proxy-v2-options unique-id\n",
        yard.path("sock").display(),
        yard.door,
        echo.address
    );
    std::fs::write(yard.path("cfg"), config).expect("the configuration is written");
    yard.start(&program, "");
    let mut stream = client::connect(yard.door);
    stream.write_all(b"hello").expect("bytes are sent");
    let mut heard = Vec::new();
    while !heard.ends_with(b"hello") {
        let mut some = [0; 512];
        let count = stream.read(&mut some).expect("the server's echo");
        assert!(count > 0, "{heard:?}");
        heard.extend_from_slice(&some[..count]);
    }
    let old = yard.pid();
    yard.start(&program, &format!("-sf {old}"));
    harness::wait::until_true("the old process to end", || yard.all() == [yard.pid()]);
    drop(stream);
    let line = log.wait_for("line|");
    let parts: Vec<&str> = line.split('|').collect();
    assert_eq!(parts[3], yard.pid().to_string(), "{line}");
    assert_eq!(parts[1], parts[2], "{line}");
    assert!(parts[1].len() > 5 && String::from_utf8_lossy(&heard).contains(parts[1]), "{line} {heard:?}");
}
