//! Where rules send sessions, and in which order they are looked at.

use crate::harness::backends::Backend;
use crate::harness::ports;
use crate::stage::*;

/// A frontend with these lines, and two backends that say their names.
fn sections(front: &str, one: &Backend, two: &Backend) -> String {
    format!(
        "frontend f\n bind DOOR\n{front}\n\
         backend one\n server s1 {}\n\
         backend two\n server s2 {}\n\
         backend empty\n\
         backend refuses\n tcp-request content reject\n server s1 {}\n\
         backend waits\n tcp-request inspect-delay 600\n tcp-request content accept if WAIT_END\n server s2 {}\n",
        one.address, two.address, one.address, two.address
    )
}

#[test]
fn the_first_that_holds_is_taken() {
    let mut compared = Compared::default();
    let (one_server, two_server) = (speaker("one"), speaker("two"));
    for front in [
        " use_backend two\n default_backend one",
        " use_backend two if FALSE\n default_backend one",
        " use_backend one if TRUE\n use_backend two if TRUE",
        " use_backend two if { src 127.0.0.0/8 }",
        " use_backend two unless { src 127.0.0.0/8 }",
        " use_backend two if FALSE",
        " use_backend %[str(two)]\n default_backend one",
        " use_backend %[str(nothing)]\n default_backend one",
        " use_backend %[str(nothing)]\n use_backend two\n default_backend one",
        " use_backend %[str(nothing)]",
        " use_backend t%[str(w)]o if TRUE\n default_backend one",
        " use_backend %[str(f)]\n default_backend one",
        " use_backend empty\n default_backend one",
        " use_backend refuses\n default_backend one",
        " use_backend waits\n default_backend one",
        " tcp-request content set-var(txn.to) str(two)\n use_backend %[var(txn.to)]\n default_backend one",
        " tcp-request content accept\n tcp-request content set-var(txn.to) str(two)\n use_backend %[var(txn.to)]\n default_backend one",
        " tcp-request connection set-var(sess.to) str(two)\n use_backend %[var(sess.to)]\n default_backend one",
        " tcp-request session set-var-fmt(sess.to) t%[str(wo)]\n use_backend %[var(sess.to)]\n default_backend one",
        " tcp-request connection set-var(sess.to) str(two)\n tcp-request session unset-var(sess.to)\n use_backend %[var(sess.to)]\n default_backend one",
        " use_backend two if { req.len gt 3 }\n default_backend one",
        " tcp-request inspect-delay 600\n tcp-request content accept if { req.len gt 3 }\n use_backend two if { req.len gt 3 }\n default_backend one",
        " tcp-request inspect-delay 600\n use_backend two if { req.payload(0,3) -m str hel }\n default_backend one",
        " tcp-request inspect-delay 600\n tcp-request content accept if WAIT_END\n use_backend two if { req.payload(0,3) -m str hel }\n default_backend one",
    ] {
        compared.same(&sections(front, &one_server, &two_server), move |stage| {
            vec![outcome(stage.connect_saying(b"hello"))]
        });
    }
    compared.end();
}

#[test]
fn a_client_that_says_nothing() {
    let mut compared = Compared::default();
    let (one_server, two_server) = (speaker("one"), speaker("two"));
    for front in [
        " use_backend two if { req.len gt 3 }\n default_backend one",
        " use_backend empty",
        " use_backend refuses",
        " use_backend waits",
        " use_backend %[str(nothing)]",
        " option dontlognull\n use_backend empty",
        " option dontlognull\n use_backend refuses",
        " option dontlognull",
    ] {
        compared.one(&sections(front, &one_server, &two_server), impatient);
    }
    compared.end();
}

#[test]
fn a_section_with_both_sides_switches_too() {
    let mut compared = Compared::default();
    let (one_server, two_server) = (speaker("one"), speaker("two"));
    for front in [
        " use_backend two\n server s1 ADDRESS",
        " use_backend two if FALSE\n server s1 ADDRESS",
        " use_backend %[str(l)]\n server s1 ADDRESS",
        " use_backend %[str(nothing)]\n server s1 ADDRESS",
        " tcp-request content accept\n tcp-request content reject\n use_backend two\n server s1 ADDRESS",
        " tcp-response content reject\n use_backend two\n server s1 ADDRESS",
        " default_backend two\n tcp-request content accept",
        " option nolinger\n use_backend two",
        " option nolinger\n default_backend two",
    ] {
        let front = front.replace("ADDRESS", &one_server.address.to_string());
        let text = format!(
            "listen l\n bind DOOR\n option socket-stats\n{front}\nbackend two\n server s2 {}\n",
            two_server.address
        );
        compared.one(&text, impatient);
    }
    compared.end();
}

#[test]
fn rules_of_another_backend_and_a_server_that_refuses() {
    let mut compared = Compared::default();
    let refused = ports::refused();
    let text = format!(
        "frontend f\n bind DOOR\n use_backend b if TRUE\nbackend b\n retries 0\n tcp-request content accept\n server s {refused}\n"
    );
    compared.one(&text, outcome);
    compared.end();
}

#[test]
fn a_frontend_hears_its_own_rules_about_answers() {
    let mut compared = Compared::default();
    let one_server = speaker("one");
    for rules in [" tcp-response content reject", " tcp-response content accept\n tcp-response content reject"] {
        let text = format!(
            "listen l\n bind DOOR\n{rules}\n use_backend b if TRUE\nbackend b\n server s {}\n",
            one_server.address
        );
        compared.one(&text, impatient);
    }
    compared.end();
}

/// All lines of a name are one ACL, those below a rule too; what is always there gets more if it was used before a line of its name, and
/// is another if not.
#[test]
fn lines_of_an_acl_below_its_rule() {
    let mut compared = Compared::default();
    let (one_server, two_server) = (speaker("one"), speaker("two"));
    for front in [
        " acl a src 192.0.2.1\n use_backend two if a\n acl a src 127.0.0.0/8\n default_backend one",
        " acl a src 192.0.2.1\n use_backend two if !a\n acl a src 127.0.0.0/8\n default_backend one",
        " acl a src 192.0.2.1\n tcp-request connection reject if a\n acl a src 127.0.0.0/8\n default_backend one",
        " acl a src 192.0.2.1\n tcp-request content reject unless a\n acl a src 127.0.0.0/8\n default_backend one",
        " use_backend two if FALSE\n acl FALSE src 127.0.0.0/8\n default_backend one",
        " use_backend one if FALSE\n acl FALSE src 192.0.2.1\n acl FALSE src 127.0.0.0/8\n use_backend two",
        " use_backend two if TRUE\n acl TRUE src 192.0.2.1\n use_backend one if TRUE",
        " acl TRUE src 192.0.2.1\n use_backend two if TRUE\n default_backend one",
        " acl TRUE src 192.0.2.1\n use_backend two if TRUE\n acl TRUE src 127.0.0.0/8\n default_backend one",
        " use_backend one if FALSE\n acl FALSE src 192.0.2.1\n use_backend two if !FALSE",
    ] {
        compared.same(&sections(front, &one_server, &two_server), move |stage| {
            vec![outcome(stage.connect_saying(b"hello"))]
        });
    }
    compared.end();
}

/// Rules of defaults mean their ACLs, whatever the section that inherits them calls so. (2.6.12 forgets inherited rules of a kind of
/// which the section has none.)
#[test]
fn acls_of_inherited_rules() {
    let mut compared = Compared::default();
    let one_server = speaker("one");
    for (outer, inner) in [
        ("192.0.2.1", "127.0.0.0/8"),
        ("127.0.0.0/8", "192.0.2.1"),
        ("192.0.2.1\n tcp-request connection reject if a\n acl a src 127.0.0.0/8", "192.0.2.1"),
    ] {
        let text = format!(
            "defaults ruled from usual\n acl a src {outer}\n tcp-request session reject if a\n\
             frontend f from ruled\n bind DOOR\n acl a src {inner}\n tcp-request connection accept if FALSE\n tcp-request session accept if FALSE\n default_backend b\n\
             backend b from usual\n server s {}\n",
            one_server.address
        );
        // what the stage writes below takes the last defaults
        let text = format!("{text}defaults rest from usual");
        compared.one(&text, outcome);
    }
    compared.end();
}
