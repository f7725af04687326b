//! How rules wait for more: what lets them decide, and what ends their patience.

use std::io::Write;
use std::net::TcpStream;

use crate::harness::backends::Backend;
use crate::harness::{client, wait};
use crate::stage::*;

/// `listen` with rules and a server.
fn listen(rules: &str, server: &Backend) -> String {
    format!("listen l\n bind DOOR\n{rules}\n server s {}\n", server.address)
}

fn units(count: u64) {
    wait::moment(std::time::Duration::from_millis(count * UNIT));
}

const NEEDS_TEN: &str =
    " tcp-request inspect-delay 1200\n tcp-request content accept if { req.len ge 10 }\n tcp-request content reject\n";
const LIKES_TEN: &str = " tcp-request inspect-delay 1200\n tcp-request content accept if { req.len ge 10 }\n";
const WANTS_TEN: &str = " tcp-request inspect-delay 1200\n tcp-request content reject if !{ req.len ge 10 }\n";
const NEEDS_BYTES: &str = " tcp-request inspect-delay 1200\n tcp-request content accept if { req.payload(0,10) -m found }\n tcp-request content reject\n";

#[test]
fn bytes_in_time_let_it_through_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for rules in [NEEDS_TEN, WANTS_TEN, NEEDS_BYTES] {
        compared.one(&listen(rules, &echo), move |mut stream| {
            stream.write_all(b"first").expect("sent");
            units(1);
            stream.write_all(b"second").expect("sent");
            units(1);
            units(1);
            client::half_close(&stream);
            outcome(stream)
        });
    }
    compared.end();
}

#[test]
fn too_few_bytes_and_patience_ends_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for rules in [NEEDS_TEN, WANTS_TEN, NEEDS_BYTES] {
        compared.one(&listen(rules, &echo), move |mut stream| {
            stream.write_all(b"first").expect("sent");
            wait_for(stream, 4)
        });
    }
    compared.end();
}

/// Leaves after so many units, or hears the end.
fn wait_for(stream: TcpStream, count: u64) -> String {
    stream.set_read_timeout(Some(std::time::Duration::from_millis(count * UNIT))).expect("a limit");
    outcome(stream)
}

#[test]
fn a_fin_ends_the_waiting_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for rules in [NEEDS_TEN, WANTS_TEN, NEEDS_BYTES] {
        for bytes in [&b""[..], b"first", b"ten bytes and more"] {
            compared.one(&listen(rules, &echo), move |mut stream| {
                stream.write_all(bytes).expect("sent");
                units(1);
                client::half_close(&stream);
                outcome(stream)
            });
        }
    }
    compared.end();
}

#[test]
fn a_close_ends_the_waiting_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for rules in [NEEDS_TEN, LIKES_TEN] {
        for bytes in [&b""[..], b"first"] {
            compared.one(&listen(rules, &echo), move |mut stream| {
                stream.write_all(bytes).expect("sent");
                units(1);
                drop(stream);
                units(1);
                String::new()
            });
        }
    }
    compared.end();
}

#[test]
fn a_reset_ends_the_waiting_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for rules in [NEEDS_TEN, WANTS_TEN, LIKES_TEN] {
        for bytes in [&b""[..], b"first"] {
            compared.one(&listen(rules, &echo), move |mut stream| {
                stream.write_all(bytes).expect("sent");
                units(1);
                client::reset(stream);
                units(1);
                String::new()
            });
        }
    }
    compared.end();
}

#[test]
fn the_clients_time_limit_and_the_delay_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for (limit, delay) in [(600, 1800), (1800, 600)] {
        for last in ["reject", "accept"] {
            let rules = format!(
                " timeout client {limit}\n tcp-request inspect-delay {delay}\n\
                 tcp-request content accept if {{ req.len gt 100 }}\n tcp-request content {last}\n"
            );
            compared.one(&listen(&rules, &echo), move |stream| wait_for(stream, 6));
            let split = format!(
                "frontend f\n bind DOOR\n default_backend b\n{}backend b\n tcp-request content {last}\n server s {}\n",
                rules.replace(&format!("tcp-request content {last}\n"), ""),
                echo.address
            );
            compared.one(&split, move |stream| wait_for(stream, 6));
            compared.one(&listen(&rules, &echo), move |mut stream| {
                stream.write_all(b"some").expect("sent");
                wait_for(stream, 6)
            });
        }
    }
    compared.end();
}

#[test]
fn a_full_buffer_ends_the_waiting_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for rules in [
        " tcp-request inspect-delay 1800\n tcp-request content accept if { req.len gt 100000 }\n tcp-request content reject\n",
        " tcp-request inspect-delay 1800\n tcp-request content reject if { req.len gt 100000 }\n",
        " tcp-request inspect-delay 1800\n tcp-request content reject if { req.payload(0,100000) -m found }\n",
        " tcp-request inspect-delay 1800\n tcp-request content accept if { req.payload(0,16000) -m found }\n tcp-request content reject\n",
        " tcp-request inspect-delay 1800\n tcp-request content accept if { req.payload(0,16384) -m found }\n tcp-request content reject\n",
        " tcp-request inspect-delay 1800\n tcp-request content accept if { req.payload(0,15360) -m found }\n tcp-request content reject\n",
        " tcp-request inspect-delay 1800\n tcp-request content accept if { req.payload(0,15361) -m found }\n tcp-request content reject\n",
    ] {
        compared.same(&listen(rules, &echo), move |stage| vec![outcome(stage.connect_saying(&[b'x'; 60_000]))]);
    }
    compared.end();
}

#[test]
fn conditions_that_do_not_wait_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for rules in [
        " tcp-request content reject if { req.len gt 3 }",
        " tcp-request content reject unless { req.len gt 3 }",
        " tcp-request content reject if WAIT_END",
        " tcp-request inspect-delay 1200\n tcp-request content reject if WAIT_END",
        " tcp-request inspect-delay 1200\n tcp-request content accept if WAIT_END\n tcp-request content reject",
        " tcp-request inspect-delay 1200\n tcp-request content accept if TRUE\n tcp-request content reject",
        " tcp-request inspect-delay 1200\n tcp-request content reject if FALSE",
        " tcp-request inspect-delay 1200\n tcp-request content accept if { req.len 0 } or WAIT_END\n tcp-request content reject",
        " tcp-request inspect-delay 1200\n tcp-request content set-var(sess.a) req.len\n tcp-request content reject if { var(sess.a) -m int 0 }",
        " tcp-request inspect-delay 1200\n tcp-request content set-var(sess.a) req.len if WAIT_END\n tcp-request content reject if { var(sess.a) -m int 0 }",
        " tcp-request inspect-delay 1200\n tcp-request content set-var(sess.a) req.payload(0,3)\n tcp-request content reject if { var(sess.a) -m str abc }",
        " tcp-request inspect-delay 1200\n tcp-request content set-var(sess.a) req.payload(0,3)\n tcp-request content reject if { var(sess.a) -m found }",
    ] {
        compared.one(&listen(rules, &echo), move |mut stream| {
            units(1);
            let _ = stream.write_all(b"abcdef");
            wait_for(stream, 3)
        });
        compared.one(&listen(rules, &echo), move |stream| wait_for(stream, 3));
    }
    compared.end();
}

#[test]
fn frontends_and_backends_wait_each_for_itself_timed_alone() {
    let mut compared = Compared::timed();
    let echo = Backend::echo();
    for (front, back) in [(600, 600), (600, 0), (0, 600)] {
        let delay = |time: u64| match time {
            0 => String::new(),
            time => format!(" tcp-request inspect-delay {time}\n"),
        };
        for action in ["accept", "reject"] {
            let sections = format!(
                "frontend f\n bind DOOR\n default_backend b\n{} tcp-request content accept if WAIT_END\n\
                 backend b\n{} tcp-request content {action} if WAIT_END\n server s {}\n",
                delay(front),
                delay(back),
                echo.address
            );
            compared.one(&sections, move |stream| wait_for(stream, 4));
            compared.one(&sections, move |mut stream| {
                stream.write_all(b"bytes").expect("sent");
                client::half_close(&stream);
                wait_for(stream, 4)
            });
        }
    }
    compared.end();
}

/// A server that says some, and the rest a unit later; then it closes.
fn slow() -> Backend {
    Backend::start(|mut stream| {
        let _ = stream.write_all(b"first");
        units(1);
        let _ = stream.write_all(b"second");
        units(1);
    })
}

#[test]
fn answers_are_waited_for_timed_alone() {
    let mut compared = Compared::timed();
    let slow = slow();
    for rules in [
        " tcp-response inspect-delay 1800\n tcp-response content reject if { res.len ge 10 }\n",
        " tcp-response inspect-delay 1800\n tcp-response content accept if { res.len ge 10 }\n tcp-response content reject\n",
        " tcp-response inspect-delay 1800\n tcp-response content accept if { res.len ge 100 }\n tcp-response content reject\n",
        " tcp-response inspect-delay 200\n tcp-response content accept if { res.len ge 10 }\n tcp-response content reject\n",
        " tcp-response content accept if { res.len ge 10 }\n tcp-response content reject\n",
        " tcp-response inspect-delay 1800\n tcp-response content accept if WAIT_END\n",
        " tcp-response inspect-delay 1800\n tcp-response content close if { res.payload(0,10) -m found }\n",
        " tcp-response inspect-delay 1800\n tcp-response content reject if { res.payload(0,3) -m str fir }\n",
        " timeout server 400\n tcp-response inspect-delay 1800\n tcp-response content accept if { res.len ge 100 }\n",
    ] {
        compared.one(&listen(rules, &slow), outcome);
    }
    compared.end();
}

#[test]
fn a_server_that_says_nothing_is_waited_for_by_its_time_limit_timed_alone() {
    let mut compared = Compared::timed();
    let mute = Backend::start(|mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 10]);
        units(3);
    });
    for rules in [
        " timeout server 1200\n tcp-response inspect-delay 600\n tcp-response content reject if { res.len 0 }\n",
        " timeout server 1200\n tcp-response inspect-delay 600\n tcp-response content reject if WAIT_END\n",
        " timeout server 1200\n tcp-response content reject\n",
    ] {
        compared.same(&listen(rules, &mute), move |stage| vec![outcome(stage.connect_saying(b"bytes"))]);
    }
    compared.end();
}
