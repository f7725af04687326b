//! What goes out together: bytes with the end behind them, and the client's first words with the end of the handshake.
//!
//! How it is sent is ours alone; what comes of it is asked of both programs.

mod harness;

use std::io::Write;
use std::net::TcpListener;

use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::tracer::Tracer;
use harness::{client, ports};

/// A server of the test's, a proxy before it with these lines besides, and one client in a session.
struct Pair {
    proxy: Proxy,
    log: LogReceiver,
    client: std::net::TcpStream,
    server: std::net::TcpStream,
}

const INSPECTS: &str = "  tcp-request inspect-delay 10s\n  tcp-request content reject unless { req.len gt 0 }\n";

fn start(program: &Program, lines: &str) -> (Proxy, LogReceiver, TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a server");
    let (log, to) = LogReceiver::udp();
    let door = ports::free();
    let config = format!(
        "global\n  nbthread 1\n  log {to} local0\ndefaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n  \
         timeout client 20s\n  timeout server 20s\nlisten l\n  bind {door}\n{lines}  server s {}\n",
        listener.local_addr().expect("its address")
    );
    (Proxy::start(program, &config), log, listener, door)
}

fn pair(program: &Program) -> Pair {
    let (proxy, log, listener, door) = start(program, "");
    let client = client::connect(door);
    let (mut server, _) = listener.accept().expect("a session");
    server.write_all(b"hello").expect("it is sent");
    let mut client = client;
    read(&mut client, b"hello");
    Pair { proxy, log, client, server }
}

#[track_caller]
fn read(stream: &mut std::net::TcpStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    std::io::Read::read_exact(stream, &mut got).expect("bytes");
    assert_eq!(got, expected);
}

/// `CD`, `SD` or `--` at the end of the session's line.
fn end_of(log: &LogReceiver) -> String {
    let line = log.wait_for(" l l/s ");
    line.split(' ')
        .find(|word| word.len() == 2 && word.bytes().all(|byte| byte == b'-' || byte.is_ascii_uppercase()))
        .expect("it has one")
        .to_owned()
}

#[test]
fn the_last_words_and_the_end_are_one_packet() {
    let Pair { proxy, log, mut client, mut server } = pair(&Program::ours());
    let tracer = Tracer::attach(&proxy, "sendto,shutdown");
    tracer.while_it_stands_still(&proxy, || {
        server.write_all(b"last words").expect("it is sent");
        client::half_close(&server);
    });
    assert_eq!(client::read_all(&mut client).expect("an end"), b"last words");
    drop((client, server));
    assert_eq!(end_of(&log), "--");
    let calls = tracer.calls();
    let at = calls.iter().position(|call| call.contains("last words")).expect("they are sent");
    assert!(calls[at].contains("MSG_MORE"), "{}", calls[at]);
    assert!(calls[at + 1].contains("shutdown("), "{}", calls[at + 1]);
}

/// Words, and a reset behind them, found together: the words arrive, and it is an end like any other.
#[test]
fn last_words_before_a_reset() {
    for program in [Program::ours(), Program::theirs()] {
        for of_client in [false, true] {
            let Pair { proxy, log, client, server } = pair(&program);
            let (mut speaker, mut hearer) = if of_client { (client, server) } else { (server, client) };
            let tracer = Tracer::attach(&proxy, "shutdown");
            tracer.while_it_stands_still(&proxy, || {
                speaker.write_all(b"last words").expect("it is sent");
                client::reset(speaker);
            });
            let which = format!("{}, client: {of_client}", program.path.display());
            assert_eq!(client::read_all(&mut hearer).expect("an end, not a reset"), b"last words", "{which}");
            drop(hearer);
            assert_eq!(end_of(&log), "--", "{which}");
        }
    }
}

#[test]
fn the_first_words_carry_the_end_of_the_handshake() {
    let (proxy, _log, listener, door) = start(&Program::ours(), INSPECTS);
    let tracer = Tracer::attach(&proxy, "setsockopt,connect");
    let mut client = client::connect(door);
    client.write_all(b"first words").expect("it is sent");
    let (mut server, _) = listener.accept().expect("a session");
    read(&mut server, b"first words");
    let calls = tracer.calls();
    let connects = calls.iter().position(|call| call.contains("connect(")).expect("it connects");
    let waits = |call: &String| call.contains("TCP_QUICKACK, [0]");
    assert!(calls[..connects].iter().any(waits), "{calls:#?}");
}
