//! `do-resolve`: a session waits for the address of a name, within its inspect delay.
//!
//! The name server is a real one; one that never answers is a socket that nobody reads.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, UdpSocket};

use crate::harness::dns::Dnsmasq;
use crate::harness::program::Program;
use crate::harness::{client, stats, wait};
use crate::stage::*;

const RECORDS: &str = "a.test 127.0.0.21\nsix.test ::5\nboth.test 127.0.0.22\nboth.test ::6";

/// A name server, a socket that never answers, and sections for both: an attempt takes a unit.
fn sections(dns: &Dnsmasq, dead: &UdpSocket) -> String {
    let dead = dead.local_addr().expect("bound");
    format!(
        "resolvers dns\n nameserver one {}\n timeout retry {UNIT}ms\n resolve_retries 1\n\
         resolvers twice\n nameserver one {}\n timeout retry {UNIT}ms\n resolve_retries 2\n\
         resolvers dead\n nameserver one {dead}\n timeout retry {UNIT}ms\n resolve_retries 2\n\
         resolvers nobody\n timeout retry {UNIT}ms\n resolve_retries 2\n\
         resolvers pair\n nameserver one {dead}\n nameserver two {}\n timeout retry {UNIT}ms\n",
        dns.address, dns.address, dns.address
    )
}

fn nobody() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port")
}

/// What the variable is, how often the rules before were looked at, whether those behind were, and how long it took, for
/// names, families, resolvers and delays.
#[test]
fn a_session_waits_for_a_name_timed_alone() {
    let (dns, dead) = (Dnsmasq::start(RECORDS), nobody());
    let sections = sections(&dns, &dead);
    let mut compared = Compared::timed();
    for (delay, action, name) in [
        (9, "txn.ip,dns,ipv4", "str(a.test)"),
        (9, "txn.ip,dns,ipv4", "str(A.Test)"),
        (9, "txn.ip,dns,ipv4", "str(a.test.)"),
        (9, "txn.ip,dns,ipv6", "str(a.test)"), // the other family
        (9, "txn.ip,dns", "str(a.test)"),
        (9, "txn.ip,dns,ipv4", "str(six.test)"),
        (9, "txn.ip,dns", "str(both.test)"),
        (9, "txn.ip,dns,ipv4", "str(both.test)"),
        (9, "txn.ip,dns,ipv6", "str(both.test)"),
        (9, "txn.ip,dns,ipv6,ipv4", "str(both.test)"),
        (9, "txn.ip,dns,ipv4,ipv6", "str(both.test)"),
        (9, "sess.ip,pair,ipv4", "str(a.test)"), // the first of two that answers
        (9, "txn.ip,dns,ipv4", "str(nothere.test)"),
        (9, "txn.ip,twice,ipv4", "str(nothere.test)"),
        (9, "txn.ip,dead,ipv4", "str(a.test)"),
        (9, "txn.ip,nobody,ipv4", "str(a.test)"),
        (1, "txn.ip,dead,ipv4", "str(a.test)"), // the delay is over first
        (0, "txn.ip,dns,ipv4", "str(a.test)"),  // without a delay nothing is asked
        (9, "txn.ip,dns,ipv4", "var(txn.nothing)"),
        (9, "txn.ip,dead,ipv4", "req.payload(0,6)"), // what is not there yet is not waited for
        (9, "txn.ip,dns,ipv4", "str(.a.test)"),
        (9, "txn.ip,dns,ipv4", "str(a..test)"),
        (9, "ip,dns,ipv4", "str(a.test)"), // no variable
    ] {
        let delay = if delay == 0 { String::new() } else { format!(" tcp-request inspect-delay {}ms\n", delay * UNIT) };
        let rules = format!(
            "{sections}listen l\n bind DOOR\n log-format \"%[var(txn.ip)] %[var(sess.ip)] %[var(txn.before)] %[var(txn.behind)] %ts 0/0/%Tt\"\n{delay} \
             tcp-request content set-var(txn.before) var(txn.before),add(1) if {{ var(txn.before) -m found }}\n \
             tcp-request content set-var(txn.before) int(1) unless {{ var(txn.before) -m found }}\n \
             tcp-request content do-resolve({action}) {name}\n \
             tcp-request content set-var(txn.behind) int(1)\n tcp-request content reject\n"
        );
        compared.one(&rules, outcome);
    }
    compared.end();
}

/// Clients that say something, end, or are cut while a name is looked up.
#[test]
fn clients_of_sessions_that_wait_for_a_name_timed_alone() {
    let (dns, dead) = (Dnsmasq::start(RECORDS), nobody());
    let sections = sections(&dns, &dead);
    let front = |limits: &str| {
        format!(
            "{sections}listen l\n bind DOOR\n{limits} log-format \"%[var(txn.behind)] %[var(txn.said)] %ts %B 0/0/%Tt\"\n \
             tcp-request inspect-delay {}ms\n tcp-request content do-resolve(txn.ip,dead,ipv4) str(a.test)\n \
             tcp-request content set-var(txn.said) req.len\n tcp-request content set-var(txn.behind) int(1)\n \
             tcp-request content reject\n",
            9 * UNIT
        )
    };
    let mut compared = Compared::timed();
    compared.one(&front(""), |mut stream| {
        stream.write_all(b"hello").expect("sent");
        outcome(stream)
    });
    compared.one(&front(""), |mut stream| {
        stream.write_all(b"hello").expect("sent");
        stream.shutdown(Shutdown::Write).expect("a half-close");
        outcome(stream)
    });
    compared.same(&front(""), |stage| {
        let stream = stage.connect();
        stage.wait("FRONTEND", "scur", 1);
        client::reset(stream);
        Vec::new()
    });
    compared.one(&front(&format!(" timeout client {UNIT}ms\n")), outcome);
    compared.end();
}

/// The usual use: the client names its server.
#[test]
fn a_session_goes_where_a_name_leads() {
    let (one, two) = (speaker("one"), speaker("two"));
    let records = format!("one.test {}\ntwo.test {}", one.address.ip(), two.address.ip());
    let dns = Dnsmasq::start(&records);
    let mut compared = Compared::default();
    for name in ["one.test", "two.test", "nothere.test"] {
        let port = if name.starts_with("two") { two.address.port() } else { one.address.port() };
        let sections = format!(
            "resolvers dns\n nameserver one {}\n resolve_retries 1\nlisten l\n bind DOOR\n tcp-request inspect-delay 10s\n \
             tcp-request content do-resolve(txn.ip,dns,ipv4) req.payload(0,0),field(1,:) if {{ req.payload(0,0) -m sub : }}\n \
             tcp-request content reject if {{ req.payload(0,0) -m sub : }} !{{ var(txn.ip) -m found }}\n \
             tcp-request content set-dst var(txn.ip) if {{ var(txn.ip) -m found }}\n \
             tcp-request content accept if {{ var(txn.ip) -m found }}\n server s 0.0.0.0:{port}\n",
            dns.address
        );
        compared.one(&sections, move |mut stream| {
            stream.write_all(format!("{name}:rest").as_bytes()).expect("sent");
            let _ = stream.shutdown(Shutdown::Write);
            outcome(stream)
        });
    }
    compared.end();
}

/// What is asked: by each session anew, but once for those that wait at the same time; what a server's name has led to counts
/// for `hold valid`.
#[test]
fn questions_are_shared() {
    let dns = Dnsmasq::start(RECORDS);
    for program in [Program::theirs(), Program::under_test()] {
        let sections = format!(
            "resolvers dns\n nameserver one {}\n timeout resolve 1h\n hold valid 1h\n\
             listen l\n bind DOOR\n tcp-request inspect-delay 10s\n log-format %[var(txn.ip)]\n \
             tcp-request content do-resolve(txn.ip,dns,ipv4) str(both.test) unless {{ dst_port 1 }}\n \
             tcp-request content do-resolve(txn.ip,dns,ipv4) str(a.test)\n tcp-request content reject\n\
             backend b\n server s a.test:80 resolvers dns resolve-prefer ipv4 init-addr none\n",
            dns.address
        );
        let stage = Stage::new(&program, &sections);
        let counter = |name: &str| -> u64 {
            let text = stats::command(&stage.socket(), "show resolvers dns");
            let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}:")));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().expect("a number")
        };
        wait::until_true("the server's address", || counter("valid") == 1);
        for count in 2..5 {
            assert_eq!(outcome(stage.connect()), "heard \"\" fin");
            assert_eq!((counter("sent"), counter("valid"), counter("update")), (count, count, 1), "{program:?}");
        }
        stage.log.wait_count("]: 127.0.0.21", 3);
    }
    let dead = nobody();
    for program in [Program::theirs(), Program::under_test()] {
        let sections = format!(
            "resolvers dead\n nameserver one {}\n timeout retry 1h\nlisten l\n bind DOOR\n tcp-request inspect-delay 1h\n \
             tcp-request content do-resolve(txn.ip,dead,ipv4) str(a.test)\n tcp-request content reject\n",
            dead.local_addr().expect("bound")
        );
        let stage = Stage::new(&program, &sections);
        let waiting: Vec<_> = (0..5).map(|_| stage.connect()).collect();
        stage.wait("FRONTEND", "scur", 5);
        wait::until_true("a question", || {
            stats::command(&stage.socket(), "show resolvers dead").contains("sent:        1")
        });
        let mut questions = 0;
        dead.set_nonblocking(true).expect("an option");
        wait::until_true("the question", || {
            questions += usize::from(dead.recv(&mut [0; 512]).is_ok());
            questions > 0
        });
        assert!(dead.recv(&mut [0; 512]).is_err(), "asked twice: {program:?}");
        drop(waiting);
    }
}
