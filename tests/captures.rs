//! `tcp-request content capture` and `declare capture request`: what a session's line shows of them, on both programs.

mod harness;

use std::io::{Read, Write};
use std::net::SocketAddr;

use harness::backends::Backend;
use harness::daemon::Daemon;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports, wait};

fn config(door: SocketAddr, server: SocketAddr, log: SocketAddr) -> String {
    let shown: Vec<String> = (0..7).map(|slot| format!("%[capture.req.hdr({slot})]")).collect();
    format!(
        "global\n log {log} local0\ndefaults\n mode tcp\n log global\n timeout client 20s\n timeout server 20s\n timeout connect 5s\n\
         frontend f\n bind {door}\n declare capture request len 4\n tcp-request inspect-delay 300ms\n \
         tcp-request content capture req.payload(0,3) len 2\n \
         tcp-request content capture req.payload(0,3) len 9 if {{ req.payload(0,1) -m str h }}\n \
         tcp-request content capture req.payload(0,100) len 9\n tcp-request content capture str(a|b) len 9\n \
         tcp-request content capture src_port,mul(0),add(7) len 9\n tcp-request content capture str(x) len 9 if FALSE\n default_backend b\n \
         log-format \"<{}> %hr <%hrl> %B\"\nbackend b\n server s {server}\n",
        shown.join(" ")
    )
}

/// The lines of sessions that say these words.
fn lines(program: &Program) -> Vec<String> {
    let (server, (log, sink), door) = (Backend::echo(), LogReceiver::udp(), ports::free());
    let _proxy = Proxy::start(program, &config(door, server.address, sink));
    let mut said = Vec::new();
    for word in ["hello", "xyzzy there", "h"] {
        let mut stream = client::connect(door);
        stream.write_all(word.as_bytes()).expect("sent");
        stream.read_exact(&mut vec![0; word.len()]).expect("echoed");
        drop(stream);
        let end = format!(" {}", word.len());
        let line = wait::until("the line of a session", || {
            log.lines().into_iter().find(|line| line.trim_end().ends_with(&end))
        });
        said.push(line.split_once("]: ").expect("a line").1.to_owned());
        let seen = said.last().cloned().unwrap_or_default();
        assert!(seen.contains("a|b"), "{seen}");
    }
    said
}

#[test]
fn captures_are_logged_alike() {
    let theirs = lines(&Program::theirs());
    assert!(theirs[0].contains("he hel"), "{theirs:?}");
    assert_eq!(lines(&Program::ours()), theirs);
}

/// What was captured before a reload stands in the line that the new process writes.
#[test]
fn captures_move_with_their_session() {
    let (server, (log, sink), door) = (Backend::echo(), LogReceiver::udp(), ports::free());
    let mut daemon = Daemon::start(&Program::ours(), &config(door, server.address, sink));
    let mut stream = client::connect(door);
    stream.write_all(b"hello").expect("sent");
    stream.read_exact(&mut [0; 5]).expect("echoed");
    daemon.reload_well();
    daemon.settle();
    stream.write_all(b"again!").expect("sent");
    stream.read_exact(&mut [0; 6]).expect("echoed");
    drop(stream);
    let line = wait::until("the line of the session", || {
        log.lines().into_iter().find(|line| line.trim_end().ends_with(" 11"))
    });
    assert!(line.contains("<- he hel - a|b 7 -> {|he|hel||a#7Cb|7|} <- he hel - a#7Cb 7 ->"), "{line}");
}
