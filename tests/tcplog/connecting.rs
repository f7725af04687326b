//! Clients that leave, and servers that are missing, before a server is connected.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use crate::harness::{client, ports};
use crate::stage::*;

/// A session whose connection hangs when its client does `act`.
fn hanging(lines: &str, act: impl Fn(TcpStream)) {
    let deaf = Deaf::new();
    same(|program| {
        let stage = Stage::new(program, &format!("{lines} retries 0\n server s1 {}\n", deaf.address));
        let stream = stage.connect();
        stage.wait_stat("s1", "scur", 1);
        act(stream);
        vec![without_timers(&stage.line())]
    });
}

#[test]
fn client_resets_while_connecting() {
    hanging(" timeout connect 5s\n", client::reset);
}

#[test]
fn client_resets_while_connecting_with_abortonclose() {
    hanging(" option abortonclose\n timeout connect 5s\n", client::reset);
}

#[test]
fn client_closes_while_connecting() {
    hanging(" timeout connect 900\n", drop);
}

#[test]
fn client_closes_while_connecting_with_abortonclose() {
    hanging(" option abortonclose\n timeout connect 900\n", drop);
}

#[test]
fn client_closes_after_some_bytes_while_connecting() {
    hanging(" timeout connect 900\n", |mut stream| stream.write_all(b"bytes").expect("sent"));
}

#[test]
fn client_closes_after_some_bytes_while_connecting_with_abortonclose() {
    let act = |mut stream: TcpStream| stream.write_all(b"bytes").expect("sent");
    hanging(" option abortonclose\n timeout connect 900\n", act);
}

#[test]
fn a_backlog_is_really_full() {
    let deaf = Deaf::new();
    let listener = TcpListener::bind(ports::free()).expect("a port");
    drop(listener);
    let limit = std::time::Duration::from_millis(200);
    assert!(TcpStream::connect_timeout(&deaf.address, limit).is_err(), "a connection got through");
}
