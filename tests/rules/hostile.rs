//! Clients that mean harm: slow ones, many at once, while rules wait for what they say.

use std::io::Write;
use std::net::TcpStream;

use crate::harness::backends::Backend;
use crate::harness::program::Program;
use crate::harness::proxy::Proxy;
use crate::harness::{client, ports, wait};

/// Clients at once.
const CLIENTS: usize = 1_000;
/// Bytes of each, one at a time.
const BYTES: usize = 60;

#[test]
fn a_thousand_clients_of_single_bytes_alone() {
    let echo = Backend::echo();
    let door = ports::free();
    let config = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         listen l\n bind {door}\n maxconn 5000\n tcp-request inspect-delay 40s\n tcp-request content accept if {{ req.len gt {BYTES} }}\n\
         tcp-request content reject\n server s {}\n",
        echo.address
    );
    let proxy = Proxy::start(&Program::under_test(), &format!("global\n maxconn 6000\n nbthread 1\n{config}"));
    let mut streams: Vec<TcpStream> = (0..CLIENTS).map(|_| client::connect(door)).collect();
    let before = proxy.process.memory();
    for _ in 0..BYTES {
        streams.iter_mut().for_each(|stream| stream.write_all(b"x").expect("sent"));
    }
    // all of it was read when nothing lies in the sockets any more: the last bytes let them through
    assert_eq!(echo.accepted(), 0, "nobody has said enough");
    let after = proxy.process.memory();
    let each = after.saturating_sub(before) * 1024 / CLIENTS as u64;
    println!("{each} bytes for each client that waits");
    assert!(each < 4_096, "a client of {BYTES} bytes costs {each} bytes");
    streams.iter_mut().for_each(|stream| stream.write_all(b"y").expect("sent"));
    wait::until_true("all to be let through", || echo.accepted() == CLIENTS);
    let mut back = vec![0; BYTES + 1];
    for stream in &mut streams {
        std::io::Read::read_exact(stream, &mut back).expect("an echo");
    }
}
