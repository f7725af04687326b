//! Orders of the statistics page about checks and agents, on both programs: what they come to and what is shown then.

mod harness;

use std::io::Write;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{client, ports, wait};

/// An order, haproxy's outcome code, and what some columns of the server come to show.
type Chapter = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Orders in turn.
const STORY: [Chapter; 11] = [
    ("dhlth", "DONE", &[("check_status", ""), ("check_health", ""), ("status", "no check")]),
    ("ehlth", "DONE", &[("check_status", "L4OK"), ("status", "UP")]),
    ("dagent", "DONE", &[("agent_status", ""), ("agent_health", "")]),
    ("adown", "NONE", &[("status", "UP")]),
    ("arunn", "NONE", &[("status", "UP")]),
    ("eagent", "DONE", &[("agent_status", "CHECKED"), ("agent_health", "1")]),
    ("adown", "DONE", &[("status", "DOWN (agent)"), ("agent_health", "0")]),
    ("arunn", "DONE", &[("status", "UP"), ("agent_health", "1")]),
    ("hdown", "DONE", &[("chkdown", "2")]),
    ("hrunn", "DONE", &[("status", "UP")]),
    ("nonsense", "ERRP", &[]),
];

#[test]
fn checks_and_agents_are_ordered_from_the_page() {
    for program in [Program::ours(), Program::theirs()] {
        let (echo, page) = (Backend::echo(), ports::free());
        let agent = Backend::start(|mut stream| drop(stream.write_all(b"ready\n")));
        let config = format!(
            "defaults\n timeout client 20s\n timeout connect 20s\n timeout server 20s\n\
             backend b\n mode tcp\n server s {} check inter 50 agent-check agent-port {} agent-inter 50\n\
             listen l\n mode http\n bind {page}\n stats enable\n stats uri /\n stats admin if TRUE\n",
            echo.address,
            agent.address.port(),
        );
        let proxy = Proxy::start(&program, &config);
        let shows = |column: &str, value: &str| {
            let shown = Stats::from_page(page, "/", "").text("b", "s", column).to_owned();
            shown.trim_start_matches("* ") == value
        };
        for (column, value) in [("check_status", "L4OK"), ("agent_status", "CHECKED")] {
            wait::until_true(&format!("{column} to be {value}"), || shows(column, value));
        }
        for (action, code, columns) in STORY {
            let form = format!("b=b&s=s&action={action}");
            let length = form.len();
            let (head, _) = client::http(
                page,
                &format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{form}"),
            );
            assert!(head.contains(&format!("st={code}")), "{action} on {:?}: {head}", program.kind);
            for (column, value) in columns {
                wait::until_true(&format!("{column} to be {value} after {action} on {:?}", program.kind), || {
                    shows(column, value)
                });
            }
        }
        drop(proxy);
    }
}
