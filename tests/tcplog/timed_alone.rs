//! Sessions whose length the proxy's time limits decide; timers are compared, so nothing runs beside them.

use std::io::{Read, Write};

use crate::harness::backends::Backend;
use crate::harness::{client, ports};
use crate::stage::*;

#[test]
fn server_closes_and_client_keeps_its_side_open() {
    let hasty = Backend::start(|mut stream| drop(stream.write_all(b"hello")));
    held_open(&hasty, " timeout client 400\n timeout server 900\n");
}

#[test]
fn client_fin_limits_a_session_whose_server_has_closed() {
    let hasty = Backend::start(|mut stream| drop(stream.write_all(b"hello")));
    held_open(&hasty, " timeout client 900\n timeout client-fin 400\n timeout server 1300\n");
}

/// The client reads the server's end and does nothing more.
fn held_open(backend: &Backend, lines: &str) {
    same(|program| {
        let stage = Stage::new(program, &format!("{lines}{}", server("s1", backend)));
        let mut stream = stage.connect();
        stream.read_to_end(&mut Vec::new()).expect("the server's end");
        vec![stage.line()]
    });
}

#[test]
fn client_timeout() {
    let echo = Backend::echo();
    one(|| format!(" timeout client 400\n{}", server("s1", &echo)), until_closed);
}

#[test]
fn server_timeout() {
    let echo = Backend::echo();
    one(|| format!(" timeout server 400\n{}", server("s1", &echo)), until_closed);
}

#[test]
fn both_timeouts_equal() {
    let echo = Backend::echo();
    one(|| format!(" timeout server 400\n timeout client 400\n{}", server("s1", &echo)), until_closed);
}

#[test]
fn tunnel_timeout_replaces_both() {
    let echo = Backend::echo();
    one(
        || format!(" timeout server 200\n timeout client 300\n timeout tunnel 700\n{}", server("s1", &echo)),
        |mut stream| {
            client::echo(&mut stream, &[7; 64]);
            until_closed(stream);
        },
    );
}

#[test]
fn server_fin_limits_a_half_closed_session() {
    let silent = silent();
    one(
        || format!(" timeout server-fin 400\n timeout client-fin 900\n{}", server("s1", &silent)),
        |mut stream| {
            stream.write_all(b"bye").expect("sent");
            client::half_close(&stream);
            until_closed(stream);
        },
    );
}

#[test]
fn server_timeout_while_the_client_has_half_closed() {
    let greeting = greeting();
    one(
        || format!(" timeout client 400\n timeout server 900\n{}", server("s1", &greeting)),
        |mut stream| {
            // a FIN that comes while the server is being connected ends the session at once (`CC`)
            stream.read_exact(&mut [0]).expect("the greeting");
            client::half_close(&stream);
            until_closed(stream);
        },
    );
}

#[test]
fn refused() {
    one(|| format!(" retries 0\n server s1 {}\n", ports::refused()), until_closed);
}

#[test]
fn refused_and_retried() {
    one(|| format!(" retries 1\n server s1 {}\n", ports::refused()), until_closed);
}

#[test]
fn retries_wait_no_longer_than_timeout_connect() {
    one(|| format!(" timeout connect 300\n retries 2\n server s1 {}\n", ports::refused()), until_closed);
}

#[test]
fn connect_timeout() {
    let deaf = Deaf::new();
    one(|| format!(" timeout connect 300\n retries 0\n server s1 {}\n", deaf.address), until_closed);
}

#[test]
fn connect_timeout_and_retried() {
    let deaf = Deaf::new();
    one(|| format!(" timeout connect 300\n retries 1\n server s1 {}\n", deaf.address), until_closed);
}

#[test]
fn the_answer_meets_a_client_that_has_gone() {
    let slow = Backend::start(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
        let _ = stream.write_all(b"answer");
        std::thread::park_timeout(std::time::Duration::from_millis(500));
    });
    one(
        || format!(" timeout client 9s\n timeout server 9s\n{}", server("s1", &slow)),
        |mut stream| {
            stream.write_all(b"bytes").expect("sent");
        },
    );
}

#[test]
fn the_answer_goes_on_for_a_client_that_has_gone() {
    let slow = Backend::start(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
        for _ in 0..4 {
            let _ = stream.write_all(b"answer");
            std::thread::park_timeout(std::time::Duration::from_millis(300));
        }
    });
    one(
        || format!(" timeout client 9s\n timeout server 9s\n{}", server("s1", &slow)),
        |mut stream| {
            stream.write_all(b"bytes").expect("sent");
        },
    );
}

#[test]
fn gone_before_accept_and_no_server_answers() {
    let deaf = Deaf::new();
    same(|program| {
        let stage = Stage::new(program, &format!(" timeout connect 400\n retries 0\n server s1 {}\n", deaf.address));
        stage.behind_its_back(|| drop(stage.connect()));
        vec![stage.line()]
    });
}

/// Neither peer ever says or does anything.
fn both_silent(lines: &str) {
    let silent = silent();
    same(|program| {
        let stage = Stage::new(program, &format!("{lines}{}", server("s1", &silent)));
        let stream = stage.connect();
        let line = stage.line();
        drop(stream);
        vec![line]
    });
}

#[test]
fn both_silent_and_the_client_has_less_time() {
    both_silent(" timeout client 300\n timeout server 900\n");
}

#[test]
fn both_silent_and_the_server_has_less_time() {
    both_silent(" timeout client 900\n timeout server 300\n");
}

#[test]
fn both_silent_with_server_fin() {
    both_silent(" timeout client 300\n timeout server 1500\n timeout server-fin 500\n");
}

#[test]
fn both_silent_with_client_fin() {
    both_silent(" timeout client 1500\n timeout server 300\n timeout client-fin 500\n");
}

#[test]
fn both_silent_with_tunnel_and_fin() {
    both_silent(
        " timeout client 200\n timeout server 200\n timeout tunnel 500\n timeout client-fin 100\n timeout server-fin 100\n",
    );
}
