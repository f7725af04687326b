//! What becomes of connections and sessions that a rule refuses: what the client sees, the log says and is counted.

use crate::harness::backends::Backend;
use crate::stage::*;

/// A frontend with rules and a backend that echoes.
fn split(front: &str, back: &str, echo: &Backend) -> String {
    format!(
        "frontend f\n bind DOOR name here\n option socket-stats\n default_backend b\n{front}\n\
         backend b\n server s {}\n{back}\n",
        echo.address
    )
}

fn each(cases: &[(&str, &str)]) {
    let mut compared = Compared::default();
    let echo = Backend::echo();
    for (front, back) in cases {
        plays(&mut compared, &split(front, back, &echo));
    }
    compared.end();
}

/// A client that says something and leaves, and one that says nothing and leaves when nothing comes.
fn plays(compared: &mut Compared<'_>, sections: &str) {
    compared.same(sections, move |stage| vec![impatient(stage.connect_saying(b"hello"))]);
    compared.one(sections, impatient);
}

#[test]
fn connections_are_refused() {
    each(&[
        (" tcp-request connection reject", ""),
        (" tcp-request connection reject\n option dontlognull", ""),
        (" tcp-request connection reject if { src 127.0.0.0/8 }\n option logasap", ""),
        (" tcp-request connection accept if { src 127.0.0.0/8 }\n tcp-request connection reject", ""),
        (" tcp-request connection silent-drop", ""),
    ]);
}

#[test]
fn sessions_are_refused() {
    each(&[
        (" tcp-request session reject", ""),
        (" tcp-request session reject\n option dontlognull", ""),
        (" tcp-request session accept\n tcp-request session reject", ""),
        (" tcp-request session silent-drop", ""),
    ]);
}

#[test]
fn requests_are_refused() {
    each(&[
        (" tcp-request content reject", ""),
        (" tcp-request content reject\n option dontlognull", ""),
        (" tcp-request content reject if { req.len gt 0 }", ""),
        (" tcp-request content silent-drop", ""),
        (" tcp-request content accept\n tcp-request content reject", ""),
        ("", " tcp-request content reject"),
        ("", " tcp-request content silent-drop"),
        ("", " tcp-request content accept\n tcp-request content reject"),
    ]);
}

#[test]
fn requests_are_refused_with_a_delay() {
    each(&[
        (" tcp-request inspect-delay 600\n tcp-request content reject", ""),
        (" tcp-request inspect-delay 600\n tcp-request content reject if { req.len gt 3 }", ""),
        (
            " tcp-request inspect-delay 600\n tcp-request content accept if { req.len gt 3 }\n tcp-request content reject",
            "",
        ),
        (" tcp-request inspect-delay 600\n tcp-request content reject if { req.len gt 100 }", ""),
        ("", " tcp-request inspect-delay 600\n tcp-request content reject if { req.len gt 3 }"),
        (
            "",
            " tcp-request inspect-delay 600\n tcp-request content accept if { req.len gt 3 }\n tcp-request content reject",
        ),
        (" tcp-request inspect-delay 600\n tcp-request content accept if WAIT_END", " tcp-request content reject"),
    ]);
}

#[test]
fn answers_are_refused() {
    each(&[
        ("", " tcp-response content reject"),
        ("", " tcp-response content close"),
        ("", " tcp-response content accept\n tcp-response content reject"),
        ("", " tcp-response content silent-drop"),
        (" tcp-request content accept if { req.len gt 100 }", " tcp-request content reject if { req.len gt 100 }"),
        ("", " tcp-response content reject if { res.len gt 3 }"),
        ("", " tcp-response content reject if { res.len gt 100 }"),
        ("", " tcp-response inspect-delay 600\n tcp-response content reject if { res.len gt 3 }"),
        (
            "",
            " tcp-response inspect-delay 600\n tcp-response content accept if { res.len gt 3 }\n tcp-response content reject",
        ),
        ("", " tcp-response inspect-delay 600\n tcp-response content reject if { res.len gt 100 }"),
        ("", " tcp-response inspect-delay 600\n tcp-response content close if { res.len gt 3 }"),
    ]);
}

#[test]
fn both_sides_in_one_section() {
    let mut compared = Compared::default();
    let echo = Backend::echo();
    for rules in [
        " tcp-request connection reject",
        " tcp-request session reject",
        " tcp-request content reject",
        " tcp-request content silent-drop",
        " tcp-response content reject",
        " tcp-response content close",
        " tcp-response content silent-drop",
        " tcp-request inspect-delay 600\n tcp-request content reject if { req.len gt 3 }",
        " option dontlognull\n tcp-request content reject",
        " option nolinger\n tcp-request content reject",
        " option nolinger\n tcp-request connection reject",
        " option nolinger\n tcp-response content reject",
        " option logasap\n tcp-request content reject",
        " option contstats\n tcp-response content reject",
    ] {
        let sections = format!("listen l\n bind DOOR\n option socket-stats\n server s {}\n{rules}\n", echo.address);
        plays(&mut compared, &sections);
    }
    compared.end();
}

#[test]
fn a_proxy_header_comes_before_the_rules_of_sessions() {
    let mut compared = Compared::default();
    let echo = Backend::echo();
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\nhello";
    for rules in [
        " option dontlognull\n tcp-request session reject\n",
        " option dontlog-normal\n option log-separate-errors\n tcp-request session reject\n",
        " tcp-request session silent-drop\n",
        " tcp-request connection reject if { src 192.0.2.7 }\n",
        " tcp-request session reject if { src 192.0.2.7 }\n",
        " tcp-request session accept if { src 192.0.2.7 }\n tcp-request session reject\n",
        " tcp-request content reject if { src 192.0.2.7 }\n",
        " tcp-request content reject if { dst_port 80 }\n",
    ] {
        for words in ["accept-proxy", ""] {
            let expected = if words.is_empty() { " tcp-request connection expect-proxy layer4\n" } else { "" };
            let sections = format!(
                "listen l\n bind DOOR {words}\n option socket-stats\n{expected}{rules} server s {}\n",
                echo.address
            );
            compared.same(&sections, move |stage| vec![outcome(stage.connect_saying(header))]);
        }
    }
    compared.end();
}

#[test]
fn many_refused_connections_are_counted_in_rates() {
    let mut compared = Compared::default();
    let echo = Backend::echo();
    for rules in [" tcp-request connection reject", " tcp-request session reject", " tcp-request content reject"] {
        let sections = format!("listen l\n bind DOOR\n option socket-stats\n server s {}\n{rules}\n", echo.address);
        compared.same(&sections, move |stage| {
            (0..5).for_each(|_| until_closed(stage.connect()));
            vec![]
        });
    }
    compared.end();
}
