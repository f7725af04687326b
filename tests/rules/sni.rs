//! Sessions of TLS go where the name says that the client asks for: what real clients say, whole and in pieces, and other bytes.

use std::io::Write;

use crate::harness::backends::Backend;
use crate::harness::program::Program;
use crate::harness::services::Service;
use crate::harness::{client, tls, wait};
use crate::stage::*;

/// Ways to send sessions where the name says.
const WAYS: [&str; 3] = [
    " tcp-request inspect-delay 1200\n tcp-request content accept if { req.ssl_hello_type 1 }\n\
     \x20use_backend one if { req.ssl_sni -i one.example }\n use_backend two if { req.ssl_sni -m end .two.example }\n default_backend rest",
    " tcp-request inspect-delay 1200\n tcp-request content reject unless { req.ssl_sni -m found }\n\
     \x20use_backend %[req.ssl_sni,lower,field(-2,.)]\n default_backend rest",
    " tcp-request inspect-delay 1200\n acl first req.ssl_sni one.example\n tcp-request content set-var(sess.name) req.ssl_sni\n\
     \x20tcp-request content accept if { req.ssl_hello_type 1 }\n use_backend one if first\n\
     \x20use_backend two if { var(sess.name) -m end two.example }\n default_backend rest",
];

/// `use_backend` alone waits for nothing: the name is known only if it came with the connection.
const UNWAITED: &str = " tcp-request inspect-delay 1200\n use_backend one if { req_ssl_sni one.example }\n\
     \x20use_backend two if { req_ssl_sni -m reg -i ^[a-z]+[.]two[.]example$ }\n default_backend rest";

/// Names that clients ask for.
const NAMES: [Option<&str>; 5] =
    [Some("one.example"), Some("ONE.example"), Some("www.two.example"), Some("three.example"), None];

/// A frontend with these lines, and backends that say their names.
fn sections(front: &str, servers: &[(&str, Backend)]) -> String {
    let backends = servers.iter().map(|(name, server)| format!("backend {name}\n server s {}\n", server.address));
    format!("frontend l\n bind DOOR\n{front}\n{}", backends.collect::<String>())
}

fn servers() -> [(&'static str, Backend); 3] {
    ["one", "two", "rest"].map(|name| (name, speaker(name)))
}

#[test]
fn a_whole_hello_is_known_at_once() {
    let hellos = NAMES.map(tls::hello);
    let mut compared = Compared::default();
    let servers = servers();
    for front in WAYS.into_iter().chain([UNWAITED]) {
        for hello in &hellos {
            compared.same(&sections(front, &servers), move |stage| vec![outcome(stage.connect_saying(hello))]);
        }
    }
    compared.end();
}

#[test]
fn a_hello_in_two_pieces_is_waited_for() {
    let hello = tls::hello(Some("www.two.example"));
    let mut compared = Compared::default();
    let servers = servers();
    let name = hello.windows(15).position(|bytes| bytes == b"www.two.example").expect("the name");
    // within the record's head, before and within the name, before the end
    for cut in [1, 5, 43, name, name + 4, hello.len() - 1] {
        for front in WAYS {
            let hello = &hello;
            compared.same(&sections(front, &servers), move |stage| {
                let mut stream = stage.connect();
                stream.write_all(&hello[..cut]).expect("sent");
                wait::until_true("the first piece to be read", || client::unread(std::slice::from_ref(&stream)) == 0);
                stream.write_all(&hello[cut..]).expect("sent");
                client::half_close(&stream);
                vec![outcome(stream)]
            });
        }
    }
    compared.end();
}

#[test]
fn what_is_no_hello_or_only_a_part_of_one() {
    let hello = tls::hello(Some("one.example"));
    let mut compared = Compared::default();
    let servers = servers();
    let part = &hello[..hello.len() - 1];
    for said in [&b"GET / HTTP/1.0\r\n\r\n"[..], &[22, 3], &[21, 3, 1, 0, 2, 1, 0], part, b""] {
        for front in WAYS {
            compared.same(&sections(front, &servers), move |stage| vec![outcome(stage.connect_saying(said))]);
            compared.same(&sections(front, &servers), move |stage| {
                let mut stream = stage.connect();
                stream.write_all(said).expect("sent");
                vec![impatient_of_three(stream)]
            });
        }
    }
    compared.end();
}

/// Gives up when the delay of two units is over and something should have come of it.
fn impatient_of_three(stream: std::net::TcpStream) -> String {
    stream.set_read_timeout(Some(std::time::Duration::from_millis(3 * UNIT))).expect("a time limit");
    outcome(stream)
}

/// Whole sessions: real servers, whose certificates say who has answered.
#[test]
fn real_clients_reach_real_servers() {
    let servers = [("one", Service::tls("one")), ("two", Service::tls("two")), ("rest", Service::tls("rest"))];
    let backends = servers.iter().map(|(name, server)| format!("backend {name}\n server s {}\n", server.address));
    let backends: String = backends.collect();
    let mut reached = Vec::new();
    for program in [Program::theirs(), Program::under_test()] {
        let stages = WAYS.map(|front| Stage::new(&program, &format!("frontend l\n bind DOOR\n{front}\n{backends}")));
        let all = stages.iter().map(|stage| NAMES.map(|name| tls::reached(stage.door, name)));
        reached.push(all.collect::<Vec<_>>());
    }
    println!("{reached:#?}");
    assert_eq!(reached[1], reached[0]);
    let [one, two, rest] = ["one", "two", "rest"].map(|name| Some(name.to_owned()));
    assert_eq!(reached[0][0], [one.clone(), one, two, rest.clone(), rest]);
}
