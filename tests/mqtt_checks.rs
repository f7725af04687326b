//! Checks that speak MQTT: the recipe of examples/, on both programs, and `option mqtt-check`, which is baton's own. Against real
//! brokers that let anybody in, want a password or are gone, and against servers that are no brokers.

mod harness;

use std::io::{Read, Write};
use std::path::Path;

use harness::backends::{Backend, echo};
use harness::checked::{self, Row};
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::{Proxy, check};
use harness::services::Service;
use harness::{ports, wait};

/// The check of the example, as its file has it.
fn recipe() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/11-mqtt-check.cfg");
    let text = std::fs::read_to_string(path).expect("the example");
    let lines = text.lines().map(str::trim).filter(|line| line.contains("tcp-check") && !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A server that reads what comes first and says one thing.
fn says(answer: &'static [u8]) -> Backend {
    Backend::start(move |mut stream| {
        let _ = stream.read(&mut [0; 1_000]);
        let _ = stream.write_all(answer);
    })
}

#[test]
fn the_recipe_tells_brokers_from_others() {
    let (open, closed) = (Service::mosquitto(), Service::mosquitto_for("device", "secret"));
    let another = Backend::start(echo);
    let refused = "TCPCHK did not match content (binary) at step 3 comment: CONNACK";
    let recipe = recipe();
    let lines: Vec<&str> = recipe.lines().collect();
    checked::find(
        &Program::under_test(),
        &[
            (&lines, open.address, ["L7OK", "0", "(tcp-check)"]),
            (&lines, closed.address, ["L7RSP", "", refused]),
            (&lines, another.address, ["L7RSP", "", refused]),
            (&lines, ports::refused(), ["L4CON", "", "Connection refused at step 1 of tcp-check (connect)"]),
        ],
    );
    wait::until_true("a client that left in order", || open.process.output().contains(" disconnected."));
}

#[test]
fn brokers_are_asked_in_each_version() {
    let (open, closed) = (Service::mosquitto(), Service::mosquitto_for("device", "secret"));
    let mine = ["option mqtt-check client-id probe"];
    let rows: Vec<Row<'_>> = vec![
        (&["option mqtt-check"], open.address, ["L7OK", "0", ""]),
        (&["option mqtt-check version 5.0"], open.address, ["L7OK", "0", ""]),
        (&mine, open.address, ["L7OK", "0", ""]),
        (&["option mqtt-check username device password secret"], closed.address, ["L7OK", "0", ""]),
        (&["option mqtt-check version 5.0 username device password secret"], closed.address, ["L7OK", "0", ""]),
        (&["option mqtt-check"], closed.address, ["L7STS", "5", "not authorized"]),
        (&["option mqtt-check username device password x"], closed.address, ["L7STS", "5", "not authorized"]),
        (&["option mqtt-check username device"], closed.address, ["L7STS", "5", "not authorized"]),
        (&["option mqtt-check version 5.0"], closed.address, ["L7STS", "135", "not authorized"]),
        (&["option mqtt-check"], ports::refused(), ["L4CON", "", "Connection refused"]),
    ];
    checked::find(&Program::ours(), &rows);
    let said = open.process.output();
    for mark in ["(p2, c1, k60)", "(p5, c1, k60)", " as probe ", "Client probe disconnected."] {
        assert!(said.contains(mark), "{mark}: {said}");
    }
    assert!(!said.contains("protocol error") && !said.contains("closed its connection"), "{said}");
}

#[test]
fn what_is_no_welcome_is_told() {
    let another = "the answer is no CONNACK of MQTT";
    let servers: Vec<(Backend, [&str; 3])> = vec![
        (Backend::start(echo), ["L7RSP", "", another]),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ["L7RSP", "", another]),
        (says(b""), ["L7RSP", "", "the connection ended before a CONNACK came"]),
        (says(b"\x20\x02\x00"), ["L7RSP", "", "the CONNACK is not whole"]),
        (says(b"\x20\x02\x00\x01"), ["L7STS", "1", "protocol version not supported"]),
        (says(b"\x20\x02\x00\x04"), ["L7STS", "4", "bad user name or password"]),
        (says(b"\x20\x0c\x00\x89\x09\x1f\x00\x06at ten"), ["L7STS", "137", "server busy: at ten"]),
    ];
    let rows: Vec<Row<'_>> =
        servers.iter().map(|(server, want)| (&["option mqtt-check version 5.0"][..], server.address, *want)).collect();
    checked::find(&Program::ours(), &rows);
}

/// A broker that wants a password from now on is taken out, with a line that says why, and comes back.
#[test]
fn a_state_follows_the_broker() {
    let (lines, log) = LogReceiver::udp();
    let mut broker = Some(Service::mosquitto());
    let address = broker.as_ref().map(|broker| broker.address).expect("a broker");
    let config = format!(
        "defaults\n  mode tcp\n  log {log} local0\n  option log-health-checks\n  timeout client 9s\n  timeout server 9s\n  \
         timeout connect 9s\nlisten l\n  bind {}\n  option mqtt-check\n  server s {address} check inter 50ms fall 1 rise 1\n",
        ports::free()
    );
    let _proxy = Proxy::start(&Program::ours(), &config);
    lines.wait_for("l/s succeeded, reason: Layer7 check passed, code: 0");
    drop(broker.take());
    lines.wait_for("l/s failed, reason: Layer4 connection problem");
    broker = Some(Service::mosquitto_at(address));
    lines.wait_for("Server l/s is UP");
    drop(broker);
}

/// It is an extension, and is said to be one: the day that haproxy takes it, the documents are wrong.
#[test]
fn haproxy_refuses_the_option() {
    let config = format!(
        "defaults\n  mode tcp\n  timeout client 9s\n  timeout server 9s\n  timeout connect 9s\nlisten l\n  bind {}\n  \
         option mqtt-check\n  server s 127.0.0.1:1 check\n",
        ports::free()
    );
    assert_eq!(check(&Program::theirs(), &config).status.code(), Some(1));
    assert_eq!(check(&Program::ours(), &config).status.code(), Some(0));
}
