//! Scripted checks against real servers from Debian, on both programs: they pass, and tell what they find when they don't.

mod harness;

use harness::checked::{self, Row};
use harness::program::Program;
use harness::services::Service;

#[test]
fn real_servers_are_found_as_they_are() {
    let (redis, nginx, mosquitto) = (Service::redis(), Service::nginx("the body"), Service::mosquitto());
    let rows: &[(&Service, &[&str], [&str; 3])] = &[
        (
            &redis,
            &[
                "option tcp-check",
                "tcp-check send PING\\r\\n",
                "tcp-check expect string +PONG",
                "tcp-check send info\\ replication\\r\\n",
                "tcp-check expect rstring role:m[a-z]+r",
                "tcp-check send QUIT\\r\\n",
                "tcp-check expect string +OK",
            ],
            ["L7OK", "0", "(tcp-check)"],
        ),
        (
            &redis,
            &["option tcp-check", "tcp-check send FOO\\r\\n", "tcp-check expect min-recv 0 string +PONG comment pong"],
            ["L7RSP", "", "TCPCHK did not match content '+PONG' at step 2 comment: pong"],
        ),
        (&nginx, &["option httpchk GET / HTTP/1.1\\r\\nHost:\\ x"], ["L7OK", "200", ""]),
        (
            &nginx,
            &[
                "option httpchk",
                "http-check send meth GET uri / ver HTTP/1.1 hdr Host x",
                "http-check expect string the\\ body",
            ],
            ["L7OK", "200", ""],
        ),
        (
            &nginx,
            &["option httpchk GET /", "http-check expect hdr name server value -m beg nginx"],
            ["L7OK", "200", ""],
        ),
        (&nginx, &["option httpchk GET /", "http-check expect ! status 200"], ["L7STS", "200", "OK"]),
        (
            &mosquitto,
            // CONNECT of protocol 4, client "ba", and CONNACK with code 0
            &[
                "option tcp-check",
                "tcp-check send-binary 100e00044d5154540402003c00026261",
                "tcp-check expect binary 20020000",
            ],
            ["L7OK", "0", "(tcp-check)"],
        ),
    ];
    let rows: Vec<Row<'_>> = rows.iter().map(|(service, lines, want)| (*lines, service.address, *want)).collect();
    checked::find(&Program::under_test(), &rows);
}
