//! What actions leave of a session: addresses, marks, the level of its line, its place in queues, variables.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::backends::Backend;
use crate::harness::client;
use crate::stage::*;

/// A server that says what its client begins with, up to a line's end, and listens to the end.
fn parrot() -> Backend {
    Backend::start(|mut stream| {
        let mut head = Vec::new();
        let mut byte = [0; 1];
        while !head.ends_with(b"\n") && matches!(stream.read(&mut byte), Ok(1)) {
            head.push(byte[0]);
        }
        let _ = stream.write_all(&head);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Says a line, hears one, and leaves.
fn one_line(mut stream: TcpStream) -> String {
    stream.write_all(b"hello\n").expect("sent");
    let mut heard = String::new();
    let mut byte = [0; 1];
    while !heard.ends_with('\n') && matches!(stream.read(&mut byte), Ok(1)) {
        heard.push(char::from(byte[0]));
    }
    let _ = stream.shutdown(std::net::Shutdown::Write); // a rule may have ended it
    until_closed(stream);
    heard
}

/// The words of a PROXY header, without the port and the address that differ.
fn masked(header: &str, stage: &Stage) -> String {
    let door = stage.door.ip().to_string();
    let words = header.split_whitespace().map(|word| match word {
        word if word == door => "door",
        word if word.parse::<u16>().is_ok_and(|port| port > 9_999) => "port",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn addresses_are_taken_for_others() {
    let parrot = parrot();
    let mut compared = Compared::default();
    for rules in [
        " tcp-request connection set-src ipv4(192.0.2.1)",
        " tcp-request connection set-src str(192.0.2.1)",
        " tcp-request connection set-src str(192.0.2.1)\n tcp-request connection set-src-port int(77)",
        " tcp-request connection set-src-port int(77)\n tcp-request connection set-src str(192.0.2.1)",
        " tcp-request connection set-src str(2001:db8::1)",
        " tcp-request connection set-src-port int(65537)",
        " tcp-request connection set-src-port str(abc)",
        " tcp-request connection set-dst str(192.0.2.9)\n tcp-request connection set-dst-port int(80)",
        " tcp-request connection set-dst-port int(80)",
        " tcp-request session set-src str(192.0.2.1)",
        " tcp-request session set-dst str(192.0.2.9)",
        " tcp-request content set-src str(192.0.2.1)",
        " tcp-request content set-src-port int(77)",
        " tcp-request content set-dst str(192.0.2.9)\n tcp-request content set-dst-port int(80)",
        " tcp-request connection set-src src,ipmask(24)",
        " tcp-request connection set-src str(no.address)",
        " tcp-request connection set-src str(192.0.2.1)\n tcp-request session reject unless { src 192.0.2.1 }",
        " tcp-request connection set-src str(192.0.2.1)\n tcp-request connection reject unless { src 192.0.2.1 }",
        " tcp-request content set-src str(192.0.2.1)\n tcp-request content reject unless { src 192.0.2.1 }",
        " tcp-request content set-dst-port int(80)\n tcp-request content reject unless { dst_port 80 }",
    ] {
        let rules = rules.replace("ipv4(", "str(");
        let sections = format!("listen l\n bind DOOR\n{rules}\n server s {} send-proxy\n", parrot.address);
        compared.same(&sections, move |stage| vec![masked(&one_line(stage.connect()), stage)]);
    }
    compared.end();
}

#[test]
fn a_destination_that_rules_set_is_connected_to() {
    let parrot = parrot();
    let (ip, port) = (parrot.address.ip(), parrot.address.port());
    let mut compared = Compared::default();
    for (rules, server) in [
        (format!(" tcp-request content set-dst str({ip})"), format!("0.0.0.0:{port}")),
        (format!(" tcp-request content set-dst-port int({port})"), format!("{ip}:0")),
        (format!(" tcp-request connection set-dst-port int({port})"), format!("{ip}:0")),
        (
            format!(" tcp-request session set-dst str({ip})\n tcp-request content set-dst-port int({port})"),
            "0.0.0.0:0".to_owned(),
        ),
        (format!(" tcp-request content set-dst str({ip})"), format!("*:{port}")),
    ] {
        compared.one(&format!("listen l\n bind DOOR\n{rules}\n server s {server}\n"), one_line);
    }
    compared.end();
}

#[test]
fn lines_have_the_level_that_rules_set() {
    let parrot = parrot();
    let mut compared = Compared::default();
    for rules in [
        " tcp-request content set-log-level err",
        " tcp-request content set-log-level silent",
        " tcp-request content set-log-level debug\n tcp-request content set-log-level emerg",
        " tcp-request content set-log-level silent\n tcp-request content set-log-level alert",
        " tcp-response content set-log-level notice",
        " tcp-request content set-log-level crit if FALSE",
        " option log-separate-errors\n tcp-request content set-log-level debug\n tcp-request content reject",
        " option log-separate-errors\n tcp-request content reject",
        " option dontlog-normal\n tcp-request content set-log-level err",
        " option dontlognull\n tcp-request content set-log-level err\n tcp-request content reject",
        " tcp-request content set-log-level warning\n tcp-request content reject",
        " option logasap\n tcp-request content set-log-level warning",
    ] {
        compared.same(&format!("listen l\n bind DOOR\n{rules}\n server s {}\n", parrot.address), |stage| {
            vec![outcome(stage.connect_saying(b"hello\n"))]
        });
    }
    compared.end();
}

#[test]
fn variables_live_as_long_as_their_scope() {
    let parrot = parrot();
    let mut compared = Compared::default();
    for rules in [
        " tcp-request content set-var(req.a) int(1)\n tcp-response content reject if { var(req.a) -m found }",
        " tcp-request content set-var(res.a) int(1)\n tcp-response content reject if { var(res.a) -m found }",
        " tcp-request content set-var(txn.a) int(1)\n tcp-response content reject if { var(txn.a) -m found }",
        " tcp-request content set-var(sess.a) int(1)\n tcp-response content reject if { var(sess.a) -m found }",
        " tcp-request connection set-var(sess.a) int(1)\n tcp-response content reject if { var(sess.a) -m found }",
        " tcp-request connection set-var(txn.a) int(1)\n tcp-request content reject if { var(txn.a) -m found }",
        " tcp-request connection set-var(req.a) int(1)\n tcp-request content reject if { var(req.a) -m found }",
        " tcp-request content set-var(req.a) int(1)\n tcp-request content reject if { var(req.a) -m found }",
        " tcp-request content set-var(sess.a) int(1)\n tcp-request content unset-var(sess.a)\n tcp-request content reject if { var(sess.a) -m found }",
        " tcp-request content set-var(sess.a,ifnotexists) int(1)\n tcp-request content set-var(sess.a,ifnotset) int(2)\n tcp-request content reject if { var(sess.a) -m int 2 }",
        " tcp-request content set-var(sess.a) int(1)\n tcp-request content set-var(sess.a,ifgt) int(2)\n tcp-request content reject if { var(sess.a) -m int 2 }",
        " tcp-request content set-var(sess.a) int(1)\n tcp-request content set-var(sess.a,iflt) int(2)\n tcp-request content reject if { var(sess.a) -m int 2 }",
        " tcp-request content set-var(sess.a) int(1)\n tcp-request content set-var(sess.a,ifnotempty) str()\n tcp-request content reject if { var(sess.a) -m len 0 }",
        " tcp-request content set-var(sess.a) str(x)\n tcp-request content set-var-fmt(sess.a,ifempty) x%[str(y)]\n tcp-request content reject if { var(sess.a) -m str xy }",
        " tcp-request content set-var-fmt(sess.a) x%[str(y)]\n tcp-request content reject if { var(sess.a) -m str xy }",
    ] {
        compared.same(&format!("listen l\n bind DOOR\n{rules}\n server s {}\n", parrot.address), |stage| {
            vec![outcome(stage.connect_saying(b"hello\n"))]
        });
    }
    compared.end();
}

#[test]
fn marks_and_types_of_service_are_on_the_clients_socket() {
    // seen in the kernel by tests/probes.rs; here that they let the session be
    let parrot = parrot();
    let mut compared = Compared::default();
    for rules in [
        " tcp-request connection set-mark 0x10\n tcp-request connection set-tos 0x20",
        " tcp-request session set-mark 7\n tcp-request session set-tos 16",
        " tcp-request content set-mark 7\n tcp-request content set-tos 16",
        " tcp-response content set-mark 7\n tcp-response content set-tos 16",
        " tcp-request content set-nice 100",
    ] {
        compared.same(&format!("listen l\n bind DOOR\n{rules}\n server s {}\n", parrot.address), |stage| {
            vec![outcome(stage.connect_saying(b"hello\n"))]
        });
    }
    compared.end();
}

#[test]
fn queues_serve_by_class_and_moment() {
    // a server for one session at a time that says nothing until its client has
    let parrot = parrot();
    let mut compared = Compared::default();
    for rules in [
        " tcp-request content set-priority-class req.payload(0,1),hex,sub(35)",
        " tcp-request content set-priority-class int(0)",
        " tcp-request content set-priority-offset req.payload(0,1),hex,mul(-10000)",
        " tcp-request content set-priority-offset req.payload(0,1),hex,mul(6000)",
        " tcp-request content set-priority-class req.payload(0,1),hex,mul(1000)",
    ] {
        let sections = format!(
            "listen l\n bind DOOR\n timeout queue 60s\n tcp-request inspect-delay 60s\n {rules} if {{ req.len ge 3 }}\n\
             server s {} maxconn 1\n",
            parrot.address
        );
        compared.same(&sections, move |stage| {
            let mut first = stage.connect();
            first.write_all(b"0first").expect("sent");
            stage.wait("s", "scur", 1);
            let mut waiting = Vec::new();
            for (count, class) in ["5", "9", "1", "7", "1"].into_iter().enumerate() {
                let mut stream = stage.connect();
                stream.write_all(format!("{class}-{count}\n").as_bytes()).expect("sent");
                waiting.push((class, count, stream));
                stage.wait("BACKEND", "qcur", count as i64 + 1);
            }
            first.write_all(b"\n").expect("sent");
            client::half_close(&first);
            until_closed(first);
            let mut order = Vec::new();
            while !waiting.is_empty() {
                // the one that is served next hears something
                let served = crate::harness::wait::until("a session to be served", || {
                    waiting.iter().position(|(_, _, stream)| {
                        stream.set_nonblocking(true).expect("an option");
                        let seen = stream.peek(&mut [0]).is_ok();
                        stream.set_nonblocking(false).expect("an option");
                        seen
                    })
                });
                let (class, count, stream) = waiting.remove(served);
                order.push(format!("{class}-{count}"));
                client::half_close(&stream);
                until_closed(stream);
            }
            vec![order.join(" ")]
        });
    }
    compared.end();
}
