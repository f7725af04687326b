//! What the peers of a session see of its end: FIN or RST, and every byte before it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::harness::backends::Backend;
use crate::harness::program::Program;
use crate::harness::{client, ports};
use crate::stage::*;

/// How a stream ended for its reader, and how many bytes came before.
fn end_of(mut stream: &TcpStream) -> String {
    let mut count = 0;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return format!("FIN after {count}"),
            Ok(more) => count += more,
            Err(why) => return format!("{:?} after {count}", why.kind()),
        }
    }
}

/// A server that says how its connection ended, after `first` has acted on it.
fn witness(first: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> (Backend, Receiver<String>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let backend = Backend::start(move |mut stream| {
        first(&mut stream);
        let end = end_of(&stream);
        let _ = tell.lock().expect("the channel").send(end);
    });
    (backend, told)
}

/// Plays a scenario on both programs: what is seen must be the same.
fn alike(play: impl Fn(&Program) -> Vec<String>) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let theirs = play(&Program::theirs());
    theirs.iter().for_each(|line| println!("LINE {name} haproxy {line}"));
    let ours = play(&Program::under_test());
    ours.iter().for_each(|line| println!("LINE {name} tested {line}"));
    assert_eq!(ours, theirs);
}

/// A session over an echo that reads until its end; returns what its server saw.
fn server_sees(lines: &str, act: impl Fn(TcpStream)) {
    alike(|program| {
        let (backend, told) = witness(|stream| {
            let mut bytes = [0; 8];
            stream.read_exact(&mut bytes).expect("bytes");
            stream.write_all(&bytes).expect("an answer");
        });
        let stage = Stage::new(program, &format!("{lines}{}", server("s1", &backend)));
        let mut stream = stage.connect();
        client::echo(&mut stream, &[5; 8]);
        act(stream);
        vec![told.recv_timeout(crate::harness::wait::PATIENCE).expect("its end")]
    });
}

#[test]
fn a_clients_reset_at_the_server() {
    server_sees("", client::reset);
}

#[test]
fn a_clients_reset_at_the_server_with_nolinger() {
    server_sees(" option nolinger\n", client::reset);
}

#[test]
fn a_clients_close_at_the_server_with_nolinger() {
    server_sees(" option nolinger\n", drop);
}

#[test]
fn a_client_timeout_at_both_ends() {
    both_ends(" timeout client 300\n");
}

#[test]
fn a_client_timeout_at_both_ends_with_nolinger() {
    both_ends(" option nolinger\n timeout client 300\n");
}

#[test]
fn a_server_timeout_at_both_ends() {
    both_ends(" timeout server 300\n");
}

fn both_ends(lines: &str) {
    alike(|program| {
        let (backend, told) = witness(|_| {});
        let stage = Stage::new(program, &format!("{lines}{}", server("s1", &backend)));
        let stream = stage.connect();
        let seen = end_of(&stream);
        drop(stream);
        vec![seen, told.recv_timeout(crate::harness::wait::PATIENCE).expect("its end")]
    });
}

/// What a client sees that has sent bytes and waits.
fn client_sees(lines: impl Fn() -> String) {
    alike(|program| {
        let stage = Stage::new(program, &lines());
        let mut stream = stage.connect();
        stream.write_all(b"bytes").expect("sent");
        vec![end_of(&stream)]
    });
}

#[test]
fn a_refused_connection_at_the_client() {
    client_sees(|| format!(" timeout connect 200\n retries 1\n server s1 {}\n", ports::refused()));
}

#[test]
fn a_connect_timeout_at_the_client() {
    let deaf = Deaf::new();
    client_sees(|| format!(" timeout connect 200\n retries 0\n server s1 {}\n", deaf.address));
}

#[test]
fn a_servers_reset_at_the_client() {
    let rude = Backend::start(|mut stream| {
        let _ = stream.read(&mut [0; 8]);
        client::reset(stream);
    });
    client_sees(|| server("s1", &rude));
}

#[test]
fn a_servers_reset_at_the_client_with_nolinger() {
    let rude = Backend::start(|mut stream| {
        let _ = stream.read(&mut [0; 8]);
        client::reset(stream);
    });
    client_sees(|| format!(" option nolinger\n{}", server("s1", &rude)));
}

#[test]
fn a_servers_close_at_the_client_with_nolinger() {
    let hasty = Backend::start(|mut stream| {
        let _ = stream.read(&mut [0; 8]);
        let _ = stream.write_all(&[1; 1000]);
    });
    client_sees(|| format!(" option nolinger\n{}", server("s1", &hasty)));
}

#[test]
fn a_queue_timeout_at_the_client() {
    let echo = Backend::echo();
    alike(|program| {
        let stage = Stage::new(program, &format!(" timeout queue 300\n server s1 {} maxconn 1\n", echo.address));
        let mut first = stage.connect();
        client::echo(&mut first, &[1; 8]);
        let mut second = stage.connect();
        second.write_all(b"bytes").expect("sent");
        vec![end_of(&second)]
    });
}

#[test]
fn a_mark_down_at_the_client() {
    alike(|program| {
        let echo = Backend::echo();
        let check = "check inter 100 fall 1 on-marked-down shutdown-sessions";
        let stage = Stage::new(program, &format!(" timeout check 1s\n server s1 {} {check}\n", echo.address));
        let mut stream = stage.connect();
        client::echo(&mut stream, &[7; 64]);
        echo.stop();
        vec![end_of(&stream)]
    });
}
