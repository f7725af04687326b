//! What only shows where rules, tables and time meet: how often rules are looked at, what they wait for, and when tables are told.

use std::io::Write;
use std::net::TcpStream;

use crate::harness::backends::Backend;
use crate::harness::{client, stats, wait};
use crate::stage::*;

/// Two tables, and a frontend and a backend with rules.
fn sections(stored: &str, front: &str, back: &str, server: &Backend) -> String {
    format!(
        "backend t\n stick-table type ip size 10 store {stored}\n\
         backend texts\n stick-table type string len 8 size 10 store gpc0\n\
         frontend f\n bind DOOR\n default_backend b\n{front}\n\
         backend b\n server s {}\n{back}\n",
        server.address
    )
}

/// The entries of both tables, without what no two runs share.
fn entries(stage: &Stage) -> Vec<String> {
    let both = ["t", "texts"].map(|name| stats::command(&stage.socket(), &format!("show table {name}")));
    let lines = both.iter().flat_map(|text| text.lines());
    let entries = lines.filter_map(|line| line.split_once(" key=").map(|(_, entry)| entry));
    let plain = |entry: &str| entry.split(' ').filter(|word| !word.starts_with("exp=")).collect::<Vec<_>>().join(" ");
    entries.map(plain).collect()
}

/// A client whose bytes are there when it is accepted.
fn saying(stage: &Stage, bytes: &[u8]) -> TcpStream {
    stage.behind_its_back(|| {
        let mut stream = stage.connect();
        stream.write_all(bytes).expect("the kernel takes it");
        stream
    })
}

#[test]
fn what_is_not_known_yet_is_waited_for_in_order() {
    let echo = Backend::echo();
    let mut compared = Compared::timed();
    for rule in [
        "reject unless { req.payload(0,9) -m found } FALSE",
        "reject if { req.payload(0,9) -m found } FALSE or FALSE",
        "reject unless !{ req.len gt 9 } FALSE",
        "reject unless FALSE { req.payload(0,9) -m found }",
        "reject unless { req.payload(0,9) -m found } or TRUE",
        "reject if FALSE OR TRUE", // in any case
        "reject if FALSE !or FALSE",
        "reject if FALSE !|| TRUE",
        "capture req.len len 4",              // what may grow is taken as it is
        "capture req.payload(0,9) len 4",     // what is not there is waited for
        "set-nice 3 unless { req.len gt 9 }", // a rule without effect waits like any other
        "set-nice 3 if FALSE { req.len gt 9 }",
    ] {
        let front = format!(" tcp-request inspect-delay 600\n tcp-request content {rule}");
        compared.same(&sections("gpc0", &front, "", &echo), |stage| vec![impatient(saying(stage, b"hello"))]);
    }
    compared.end();
}

#[test]
fn rules_are_looked_at_once_for_whatever_comes() {
    let echo = Backend::echo();
    let mut compared = Compared::default();
    for condition in [
        "{ src_inc_gpc0(t) gt 99 } or { req.len gt 9 }",
        "{ src_inc_gpc0(t) gt 0 } { req.len gt 9 }",
        "{ req.len gt 9 } or { src_inc_gpc0(t) gt 99 }",
    ] {
        let front = format!(" tcp-request inspect-delay 20s\n tcp-request content reject if {condition}");
        compared.same(&sections("gpc0", &front, "", &echo), |stage| {
            let counted = |count: usize| {
                wait::until_true(&format!("the rule to have counted {count}"), || {
                    entries(stage).iter().any(|entry| entry.ends_with(&format!("gpc0={count}")))
                });
            };
            let mut stream = saying(stage, b"he");
            counted(1);
            stream.write_all(b"llo").expect("sent");
            counted(2);
            client::half_close(&stream);
            let heard = outcome(stream);
            [vec![heard], entries(stage)].concat()
        });
    }
    compared.end();
}

#[test]
fn tables_are_told_when_rules_have_let_the_answer_pass() {
    let (speaker, mute) = (speaker("hello"), Backend::echo());
    let mut compared = Compared::default();
    let sticks = " stick on src table t\n stick store-request req.payload(0,3) table texts\n stick store-response res.payload(0,2) table texts";
    for rules in [
        " tcp-response inspect-delay 20s\n tcp-response content reject if { res.len gt 3 }",
        " tcp-response inspect-delay 20s\n tcp-response content silent-drop if { res.len gt 3 }",
        " tcp-response inspect-delay 20s\n tcp-response content accept if { res.len gt 3 }",
        " tcp-response inspect-delay 600\n tcp-response content accept if { res.payload(0,9) -m found }\n tcp-response content accept if { res.len gt 3 }",
    ] {
        // the server's answer comes by itself, or it is what the client said
        for server in [&speaker, &mute] {
            let back = format!("{sticks}\n{rules}");
            compared.same(&sections("gpc0", "", &back, server), |stage| {
                let heard = impatient(saying(stage, b"hello"));
                [vec![heard], entries(stage)].concat()
            });
        }
    }
    compared.end();
}

#[test]
fn a_header_that_a_rule_expects_is_read_behind_all_of_them() {
    let echo = Backend::echo();
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\nhello";
    let mut compared = Compared::default();
    for rules in [
        "track-sc0 src table t\n tcp-request session track-sc1 src table t",
        "reject",
        "accept\n tcp-request connection reject",
        "set-var(sess.a) src\n tcp-request content reject if { var(sess.a) -m ip 127.0.0.1 }",
    ] {
        let front = format!(" tcp-request connection expect-proxy layer4\n tcp-request connection {rules}");
        compared.same(&sections("conn_cnt,gpc0", &front, "", &echo), move |stage| {
            let heard = outcome(stage.connect_saying(header));
            [vec![heard], entries(stage)].concat()
        });
    }
    // who is refused behind a header is told of by the name of the listener where it has counters of its own
    for option in ["", " option socket-stats\n"] {
        for (rule, said) in [(" tcp-request session reject", &header[..]), ("", b"none\r\n")] {
            let front = format!(" tcp-request connection expect-proxy layer4\n{option}{rule}");
            compared.same(&sections("gpc0", &front, "", &echo), |stage| vec![outcome(stage.connect_saying(said))]);
        }
    }
    compared.end();
}

#[test]
fn counters_without_a_place_and_keys_that_do_not_fit() {
    let echo = Backend::echo();
    let mut compared = Compared::default();
    for (stored, rules) in [
        ("gpc0_rate(1h)", "reject if { src_inc_gpc0(t) gt 2 }"),
        ("gpc1_rate(1h)", "reject if { src_inc_gpc1(t) gt 2 }"),
        ("conn_cnt", "reject if { src_inc_gpc0(t) gt 2 }"),
        ("conn_cnt", "track-sc0 ipv6(::1) table t\n tcp-request content track-sc1 ipv6(2002:102:304::) table t"),
        ("conn_cnt", "track-sc0 ipv6(::ffff:1.2.3.4) table t"),
    ] {
        let front = format!(" tcp-request content {rules}");
        compared.same(&sections(stored, &front, "", &echo), |stage| {
            let heard = (0..4).map(|_| outcome(stage.connect_saying(b"hello"))).collect();
            [heard, entries(stage)].concat()
        });
    }
    compared.end();
}

#[test]
fn a_client_that_is_lost_under_inspection_is_its_servers() {
    let echo = Backend::echo();
    let mut compared = Compared::default();
    for chosen in ["stick on src table t", "use-server s if TRUE", "balance source"] {
        let sections = format!(
            "backend t\n stick-table type ip size 10\n\
             listen l\n bind DOOR\n tcp-request inspect-delay 20s\n tcp-request content reject if {{ req.len gt 9 }}\n {chosen}\n server s {}\n",
            echo.address
        );
        compared.same(&sections, |stage| {
            let heard = outcome(stage.connect_saying(b"hello"));
            let stream = saying(stage, b"hello");
            stage.wait("FRONTEND", "scur", 1);
            client::reset(stream);
            vec![heard]
        });
    }
    compared.end();
}
