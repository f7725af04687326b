//! Peers that mean no good, or are broken: brokers that accept and never answer, resets at each byte, half-closes, one
//! byte at a time, clients that never read, ports that do not answer. The log tells the same end on both programs, and
//! memory stays bounded.

mod harness;
#[path = "tcplog/stage.rs"]
#[allow(dead_code, reason = "its timers are for tests that measure")]
mod stage;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::backends::Backend;
use harness::program::Program;
use harness::{client, wait};
use stage::{Deaf, Stage, server, silent};

/// What a session's line says of its end: the termination state, behind the byte count unless that is chance.
fn ends(lines: &[String], bytes: bool) -> Vec<String> {
    let field = |line: &str, at: usize| line.split(' ').nth(at).unwrap_or_default().to_owned();
    // client, frontend, server, timers, bytes, state, connections, queues
    lines
        .iter()
        .map(|line| if bytes { format!("{} {}", field(line, 4), field(line, 5)) } else { field(line, 5) })
        .collect()
}

/// Plays on both programs: the same must be seen.
fn alike(play: impl Fn(&Program) -> Vec<String>) {
    let theirs = play(&Program::theirs());
    let ours = play(&Program::under_test());
    println!("haproxy {theirs:#?}");
    assert_eq!(ours, theirs, "haproxy's is on the right");
}

/// Reads to the end, however it comes.
fn drain(stream: &mut TcpStream) {
    let mut buffer = [0; 65_536];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

/// Most kilobytes of the process's own memory. Without bound, each of the sessions below would hold megabytes.
const MOST_KB: u64 = 200 * 1024;

#[test]
fn a_broker_that_accepts_and_never_answers() {
    let silent = silent();
    alike(|program| {
        let stage = Stage::new(program, &format!(" timeout server 200\n{}", server("s1", &silent)));
        let mut stream = stage.connect();
        stream.write_all(b"CONNECT").expect("sent");
        drain(&mut stream);
        drop(stream);
        ends(&stage.lines(1), true)
    });
}

/// A broker that resets after so many bytes of its client, having said as many itself.
fn resetting(after: usize) -> Backend {
    Backend::start(move |mut stream| {
        let mut bytes = vec![0; after];
        let _ = stream.read_exact(&mut bytes);
        let _ = stream.write_all(&bytes);
        if after > 0 {
            // What was said must be on its way before the reset throws the rest away.
            let mut one = [0];
            let _ = stream.read(&mut one);
        }
        client::reset(stream);
    })
}

#[test]
fn a_broker_that_resets_at_each_byte() {
    for after in [1, 2, 3, 7, 64, 1000] {
        let broker = resetting(after);
        alike(|program| {
            let stage = Stage::new(program, &server("s1", &broker));
            let mut stream = stage.connect();
            client::echo(&mut stream, &vec![7; after]);
            stream.write_all(b"!").expect("sent");
            drain(&mut stream);
            drop(stream);
            ends(&stage.lines(1), true)
        });
    }
}

#[test]
fn a_client_that_resets_at_each_byte() {
    let echo = Backend::echo();
    for after in [1, 2, 3, 7, 64, 1000] {
        alike(|program| {
            let stage = Stage::new(program, &server("s1", &echo));
            let mut stream = stage.connect();
            client::echo(&mut stream, &vec![7; after]);
            client::reset(stream);
            ends(&stage.lines(1), true)
        });
    }
}

#[test]
fn half_closes_from_either_side() {
    let (echo, silent) = (Backend::echo(), silent());
    // Says something, ends its direction and goes on reading.
    let ending = Backend::start(|mut stream| {
        let _ = stream.write_all(b"hello");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        drain(&mut stream);
    });
    alike(|program| {
        let stage = Stage::new(program, &server("s1", &echo));
        let mut stream = stage.connect();
        stream.write_all(b"last words").expect("sent");
        client::half_close(&stream);
        drain(&mut stream);
        ends(&stage.lines(1), true)
    });
    alike(|program| {
        let stage = Stage::new(program, &server("s1", &ending));
        let mut stream = stage.connect();
        drain(&mut stream);
        stream.write_all(b"and more").expect("sent");
        drop(stream);
        ends(&stage.lines(1), false)
    });
    // A half-closed client of a broker that never ends.
    alike(|program| {
        let stage = Stage::new(program, &format!(" timeout server-fin 200\n{}", server("s1", &silent)));
        let mut stream = stage.connect();
        stream.write_all(b"bye").expect("sent");
        client::half_close(&stream);
        drain(&mut stream);
        drop(stream);
        ends(&stage.lines(1), true)
    });
}

#[test]
fn one_byte_at_a_time() {
    let trickle = Backend::start(|mut stream| {
        let _ = stream.set_nodelay(true);
        for byte in 0..60 {
            wait::moment(Duration::from_millis(10));
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    let echo = Backend::echo();
    alike(|program| {
        let stage = Stage::new(program, &server("s1", &trickle));
        let mut stream = stage.connect();
        let all = client::read_all(&mut stream).expect("every byte");
        assert_eq!(all, (0..60).collect::<Vec<u8>>());
        drop(stream);
        ends(&stage.lines(1), true)
    });
    alike(|program| {
        let stage = Stage::new(program, &server("s1", &echo));
        let mut stream = stage.connect();
        for byte in 0..60 {
            client::echo(&mut stream, &[byte]);
            wait::moment(Duration::from_millis(5));
        }
        drop(stream);
        ends(&stage.lines(1), true)
    });
}

#[test]
fn clients_that_never_read() {
    const CLIENTS: usize = 40;
    let flood = Backend::start(|mut stream| while stream.write_all(&[1; 65_536]).is_ok() {});
    alike(|program| {
        let stage = Stage::new(program, &format!(" timeout client 2s\n{}", server("s1", &flood)));
        let streams: Vec<TcpStream> = (0..CLIENTS).map(|_| stage.connect()).collect();
        stage.wait_stat("FRONTEND", "scur", CLIENTS as i64);
        stage.wait_stat("s1", "stot", CLIENTS as i64);
        let used = stage.proxy.process.memory();
        assert!(used < MOST_KB, "{used} kB for {CLIENTS} clients that do not read");
        let lines = stage.lines(CLIENTS);
        drop(streams);
        ends(&lines, false)
    });
}

#[test]
fn brokers_that_never_read() {
    const CLIENTS: usize = 40;
    let silent = silent();
    alike(|program| {
        let stage = Stage::new(program, &format!(" timeout server 2s\n timeout client 20s\n{}", server("s1", &silent)));
        let floods: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut stream = stage.connect();
                std::thread::spawn(move || while stream.write_all(&[1; 65_536]).is_ok() {})
            })
            .collect();
        stage.wait_stat("s1", "stot", CLIENTS as i64);
        let used = stage.proxy.process.memory();
        assert!(used < MOST_KB, "{used} kB for {CLIENTS} brokers that do not read");
        floods.into_iter().for_each(|flood| flood.join().expect("a flood ends"));
        ends(&stage.lines(CLIENTS), false)
    });
}

#[test]
fn ports_that_do_not_answer() {
    let deaf = Deaf::new();
    alike(|program| {
        let lines = format!(" timeout connect 150\n retries 1\n server s1 {}\n", deaf.address);
        let stage = Stage::new(program, &lines);
        let mut stream = stage.connect();
        stream.write_all(b"CONNECT").expect("sent");
        drain(&mut stream);
        drop(stream);
        ends(&stage.lines(1), true)
    });
}
