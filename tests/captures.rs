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

/// Lines of a frontend and of its backend: places that are filled where it can be done, and where not.
const FILLED: [(&str, &str); 9] = [
    // what could end a field or a line
    (" tcp-request content capture bin(22717b7d237c5d5c220120e97f0a61) len 40", ""),
    (" tcp-request content capture bin(5b7b) len 1\n tcp-request content capture str() len 3", ""),
    // before there is a session; a place that is not there
    (" declare capture request len 4\n tcp-request connection set-var(sess.a) str(early),capture-req(0)", ""),
    (" declare capture request len 4\n tcp-request content set-var(sess.a) str(other),capture-req(1)", ""),
    (" declare capture request len 4\n tcp-request content set-var(sess.a) str(none),capture-req(-1)", ""),
    // the length is that of the place, the value goes on whole
    (" declare capture request len 4\n tcp-request content set-var(sess.a) int(1234567),capture-req(0)", ""),
    // in conditions, of a place that a rule has filled
    (
        " declare capture request len 9\n tcp-request content capture src len 40\n tcp-request content accept if { str(zz),capture-req(1) -m str zz }",
        "",
    ),
    // answers, in rules about requests too
    (
        " declare capture response len 8\n declare capture response len 3\n tcp-request content set-var(sess.b) str(asked),capture-res(1)",
        " tcp-response content set-var(sess.a) str(something),capture-res(0)",
    ),
    (
        " declare capture response len 8\n declare capture response len 3",
        " tcp-response content set-var(sess.a) str(a|b),capture-res(1)\n tcp-response content set-var(sess.b) str(c),capture-res(5)",
    ),
];

/// The line of a session for each of them.
fn filled(program: &Program) -> Vec<String> {
    let server = Backend::echo();
    let lines = FILLED.map(|(front, back)| {
        let ((log, sink), door) = (LogReceiver::udp(), ports::free());
        let shown = ["%hr", "%hrl", "%{+Q}hr", "%{+Q}hrl", "%{+E}hrl", "%{+Q,+E}hrl", "%hs", "%hsl", "%{+Q}hs", "%{+Q}hsl"];
        let config = format!(
            "global\n log {sink} local0\ndefaults\n mode tcp\n log global\n timeout client 20s\n timeout server 20s\n timeout connect 5s\n\
             frontend f\n bind {door}\n{front}\n default_backend b\n log-format \"{} %[capture.req.hdr(0)] %[capture.res.hdr(1)] \
             a=%[var(sess.a)] b=%[var(sess.b)] %B end\"\nbackend b\n{back}\n server s {}\n",
            shown.join(" "),
            server.address
        );
        let _proxy = Proxy::start(program, &config);
        let mut stream = client::connect(door);
        client::echo(&mut stream, b"hello");
        drop(stream);
        log.wait_for(" end").split_once("]: ").expect("a line").1.to_owned()
    });
    lines.into()
}

#[test]
fn converters_fill_places() {
    let theirs = filled(&Program::theirs());
    println!("{theirs:#?}");
    assert!(theirs[0].contains("#7B#7D#23#7C]") && theirs[7].contains("{somethin|ask}"), "{theirs:?}");
    let ours = filled(&Program::ours());
    for ((ours, theirs), lines) in ours.iter().zip(&theirs).zip(FILLED) {
        assert_eq!(ours, theirs, "{lines:?}");
    }
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

/// `capture-req` and `capture-res` fill the places that are declared: in rules of the frontend and of the backend, in the line itself,
/// and nowhere before there is a session.
#[test]
fn converters_capture_alike() {
    let [theirs, ours] = [Program::theirs(), Program::ours()].map(|program| {
        let (server, (log, sink), door) = (Backend::echo(), LogReceiver::udp(), ports::free());
        let _proxy = Proxy::start(
            &program,
            &format!(
                "global\n nbthread 1\ndefaults\n mode tcp\n timeout client 20s\n timeout server 20s\n timeout connect 5s\nfrontend f\n bind {door}\n \
                 log {sink} len 9000 format raw local0\n declare capture request len 4\n declare capture response len 3\n \
                 declare capture request len 80\n declare capture request len 8\n declare capture request len 8\n declare capture response len 9\n \
                 tcp-request connection set-var(sess.early) str(early),capture-req(2)\n tcp-request content set-var(txn.cut) \
                 str(hello),capture-req(0)\n tcp-request content set-var(txn.answer) str(resp),capture-res(0)\n tcp-request content \
                 set-var(txn.none) str(x),capture-req(9)\n tcp-request content set-var(txn.under) str(x),capture-req(-1)\n tcp-request content \
                 set-var(txn.address) src,capture-req(1)\n tcp-request content set-var(txn.empty) str(),capture-req(3)\n tcp-request content \
                 capture str(a|b) len 3\n default_backend b\n log-format \"line %B|%hr|%hrl|%hs|%hsl|%[var(sess.early)]|%[var(txn.cut)]|\
                 %[var(txn.answer)]|%[var(txn.none)]|%[var(txn.under)]|%[var(txn.address)]|%[var(txn.empty)]|%[capture.res.hdr(0)]|\
                 %[capture.res.hdr(1)]|%[str(inline),capture-req(2)]|%[capture.req.hdr(2)]|%[str(z),capture-req(4)]|%[capture.req.hdr(4)]\"\nbackend b\n \
                 tcp-response content set-var(res.late) str(late|one),capture-res(1)\n server s {}\n",
                server.address
            ),
        );
        let mut stream = client::connect(door);
        stream.write_all(b"hello").expect("sent");
        stream.read_exact(&mut [0; 5]).expect("echoed");
        drop(stream);
        log.wait_for("line 5|")
    });
    assert!(theirs.contains("|{res|late#7Cone}|"), "{theirs}");
    assert_eq!(ours, theirs);
}
