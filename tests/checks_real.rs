//! Scripted checks against real servers from Debian, on both programs: they pass, and tell what they find when they don't.

mod harness;

use std::fmt::Write as _;

use harness::program::Program;
use harness::proxy::Proxy;
use harness::services::Service;
use harness::stats::Stats;
use harness::{ports, wait};

/// A backend: rules, and what the check is to find: status, code, and what is told.
type Row<'r> = (&'r Service, &'r [&'r str], [&'r str; 3]);

#[test]
fn real_servers_are_found_as_they_are() {
    let (redis, nginx, mosquitto) = (Service::redis(), Service::nginx("the body"), Service::mosquitto());
    let rows: &[Row<'_>] = &[
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
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let mut config = format!(
        "global\n  stats socket {}\n  max-spread-checks 100\ndefaults\n  mode tcp\n  timeout client 9s\n  \
         timeout server 9s\n  timeout connect 9s\n  timeout check 9s\nfrontend f\n  bind {}\n",
        socket.display(),
        ports::free()
    );
    for (number, (service, rules, _)) in rows.iter().enumerate() {
        let rules: String = rules.iter().map(|rule| format!("  {rule}\n")).collect();
        let _ = writeln!(config, "backend b{number}\n{rules}  server s {} check inter 60s", service.address);
    }
    let _proxy = Proxy::start(&Program::under_test(), &config);
    for (number, (_, rules, want)) in rows.iter().enumerate() {
        let found = wait::until("a check to end", || {
            let stats = Stats::from_socket(&socket);
            let cell = |column| stats.text(&format!("b{number}"), "s", column).to_owned();
            let status = cell("check_status");
            let ended = status != "INI" && !status.starts_with('*');
            ended.then(|| [status, cell("check_code"), cell("last_chk")])
        });
        assert_eq!(found.each_ref().map(String::as_str), *want, "{rules:?}");
    }
}
