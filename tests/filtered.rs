//! Ports that a packet filter drops or rejects, in a network of the test's own: the log tells the same end, the same
//! retries and the same checks on both programs, and memory stays bounded.

mod harness;
#[path = "tcplog/stage.rs"]
#[allow(dead_code, unused_imports, reason = "its timers are for tests that measure")]
mod stage;

use std::io::{Read, Write};
use std::net::TcpStream;

use harness::backends::Backend;
use harness::network::{in_a_network, nft};
use harness::program::Program;
use harness::stats::Stats;
use harness::{client, wait};
use stage::{Stage, server};

/// What a network begins with: a table whose chain sees what arrives.
const FILTER: &str = "nft add table ip f\nnft 'add chain ip f in { type filter hook input priority 0; }'";

/// How a filter can refuse: the rule's end, and the retries' pause in it (`timeout connect` limits both).
const VERDICTS: [&str; 6] = [
    "drop",
    "reject",
    "reject with tcp reset",
    "reject with icmp type host-unreachable",
    "reject with icmp type net-unreachable",
    "reject with icmp type admin-prohibited",
];

/// Packets to these ports meet the rule's end until the filter is emptied.
fn filter(port: u16, verdict: &str) {
    nft(&format!("add rule ip f in tcp dport {port} {verdict}"));
}

fn no_filter() {
    nft("flush chain ip f in");
}

/// Plays on both programs, each with an empty filter: the same must be seen.
fn alike(what: &str, play: impl Fn(&Program) -> Vec<String>) {
    let [theirs, ours] = [Program::theirs(), Program::under_test()].map(|program| {
        no_filter();
        play(&program)
    });
    println!("{what}: haproxy {theirs:#?}");
    assert_eq!(ours, theirs, "{what}: haproxy's is on the right");
}

/// Server, bytes, state and retries of each session's line.
fn ends(lines: &[String]) -> Vec<String> {
    let end = |line: &String| {
        let fields: Vec<&str> = line.split(' ').collect();
        // client, frontend, server, timers, bytes, captures, state, …
        let [_client, _front, server, _timers, bytes, state, _, connections, ..] = fields[..] else {
            panic!("too few fields: {line:?}")
        };
        let retries = connections.rsplit('/').next().unwrap_or_default();
        format!("{server} {bytes} {state} {retries}")
    };
    lines.iter().map(end).collect()
}

/// Reads to the end, however it comes.
fn drain(stream: &mut TcpStream) {
    let mut buffer = [0; 65_536];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

/// One session whose client says a word, ends, and waits for the end.
fn session(stage: &Stage) {
    let mut stream = stage.connect();
    // a port that answers by a reset may have ended it already
    let _ = stream.write_all(b"CONNECT");
    let _ = stream.shutdown(std::net::Shutdown::Write);
    drain(&mut stream);
}

#[test]
fn servers_behind_a_filter_end_sessions_alike() {
    if !in_a_network("servers_behind_a_filter_end_sessions_alike", FILTER) {
        return;
    }
    let echo = Backend::echo();
    for verdict in VERDICTS {
        for retries in [0, 2] {
            alike(&format!("{verdict}, {retries} retries"), |program| {
                filter(echo.address.port(), verdict);
                let lines = format!(" timeout connect 100\n retries {retries}\n{}", server("s1", &echo));
                let stage = Stage::new(program, &lines);
                session(&stage);
                let stats = Stats::from_socket(&stage.commands.path().join("stats"));
                let counted = ["econ", "wretr", "wredis"].map(|c| format!("{c} {}", stats.text("front", "s1", c)));
                [ends(&stage.lines(1)), counted.to_vec()].concat()
            });
        }
    }
}

#[test]
fn another_server_is_tried_alike() {
    if !in_a_network("another_server_is_tried_alike", FILTER) {
        return;
    }
    let (filtered, open) = (Backend::echo(), Backend::echo());
    for verdict in VERDICTS {
        for words in ["option redispatch\n balance roundrobin", "option redispatch\n balance source", "balance first"] {
            alike(&format!("{verdict}, {words}"), |program| {
                filter(filtered.address.port(), verdict);
                let servers = [server("s1", &filtered), server("s2", &open)].concat();
                let stage = Stage::new(program, &format!(" timeout connect 100\n retries 2\n {words}\n{servers}"));
                (0..3).for_each(|_| session(&stage));
                let mut found = ends(&stage.lines(3));
                found.sort();
                let stats = Stats::from_socket(&stage.commands.path().join("stats"));
                let counts = ["econ", "wretr", "wredis"];
                found.extend(counts.map(|c| format!("{c} {}", stats.text("front", "BACKEND", c))));
                found
            });
        }
    }
}

#[test]
fn checks_of_filtered_ports_find_the_same() {
    if !in_a_network("checks_of_filtered_ports_find_the_same", FILTER) {
        return;
    }
    let echo = Backend::echo();
    for verdict in VERDICTS {
        alike(verdict, |program| {
            filter(echo.address.port(), verdict);
            let line = format!(
                " timeout check 100\n timeout connect 100\n server s1 {} check inter 200 fall 1\n",
                echo.address
            );
            let stage = Stage::new(program, &line);
            let line = stage.log.wait_for("Server front/s1 is DOWN");
            let (_, said) = line.split_once("]: ").expect("a tag");
            let down = harness::pinned::without_duration(said);
            no_filter();
            let line = stage.log.wait_for("Server front/s1 is UP");
            let (_, said) = line.split_once("]: ").expect("a tag");
            vec![down, harness::pinned::without_duration(said)]
        });
    }
}

#[test]
fn a_filter_that_comes_into_a_session() {
    if !in_a_network("a_filter_that_comes_into_a_session", FILTER) {
        return;
    }
    let echo = Backend::echo();
    // rejecting by ICMP does not end a connection that stands; a reset does
    for verdict in ["drop", "reject", "reject with tcp reset"] {
        alike(verdict, |program| {
            let stage = Stage::new(program, &format!(" timeout server 300\n{}", server("s1", &echo)));
            let mut stream = stage.connect();
            client::echo(&mut stream, b"before");
            filter(echo.address.port(), verdict);
            stream.write_all(b"after").expect("sent");
            drain(&mut stream);
            drop(stream);
            ends(&stage.lines(1))
        });
    }
}

/// Most kilobytes of the process's own memory. Without bound, each of the sessions below would hold megabytes.
const MOST_KB: u64 = 200 * 1024;

#[test]
fn clients_that_a_filter_cuts_off_cost_no_memory() {
    if !in_a_network("clients_that_a_filter_cuts_off_cost_no_memory", FILTER) {
        return;
    }
    const CLIENTS: usize = 40;
    let flood = Backend::start(|mut stream| {
        let _ = stream.read(&mut [0]); // until then the client is connected
        while stream.write_all(&[1; 65_536]).is_ok() {}
    });
    for verdict in ["drop", "reject"] {
        alike(verdict, |program| {
            let stage = Stage::new(program, &format!(" timeout client 1500\n{}", server("s1", &flood)));
            let mut streams: Vec<TcpStream> = (0..CLIENTS).map(|_| stage.connect()).collect();
            stage.wait_stat("s1", "stot", CLIENTS as i64);
            streams.iter_mut().for_each(|stream| stream.write_all(b"!").expect("sent"));
            // what clients acknowledge no longer arrives, and they read nothing
            wait::until_true("all floods to have begun", || {
                streams.iter().all(|stream| stream.peek(&mut [0; 8]).is_ok_and(|count| count > 0))
            });
            filter(stage.listen.port(), verdict);
            let lines = stage.log.wait_count(" front front/", CLIENTS / 2);
            let used = stage.proxy.process.memory();
            assert!(used < MOST_KB, "{used} kB for {CLIENTS} clients that do not answer");
            assert!(!lines.is_empty());
            let lines = stage.lines(CLIENTS);
            drop(streams);
            // how much was taken before is chance
            ends(&lines).iter().map(|end| end.split(' ').skip(2).collect::<Vec<_>>().join(" ")).collect()
        });
    }
}
