//! What expressions read of stick tables: the fetches of tracked entries (`sc0_…`, `sc_…(n)`), of the client's address (`src_…`),
//! and the converters `table_…`, each on both programs, as a log line shows it.
//!
//! The names are those of the keyword tables that are built and that haproxy 2.6 knows, so a new row is played by itself.

mod harness;

use std::io::{Read, Write};
use std::net::SocketAddr;

use baton::grammar::{Kind, Row, Support, Version, rows};
use harness::backends::Backend;
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::{self, Proxy};
use harness::{client, ports, wait};

/// Expressions of one line: it has to fit into a datagram.
const OF_A_LINE: usize = 12;

/// Data that are kept as arrays, in a table of their own.
const ARRAYS: [&str; 3] = ["gpc", "gpc_rate", "gpt"];

/// What is stored of single data.
const STORED: &str = "server_id,gpt0,gpc0,gpc0_rate(1m),gpc1,gpc1_rate(1m),conn_cnt,conn_rate(1m),conn_cur,sess_cnt,sess_rate(1m),\
    http_req_cnt,http_req_rate(1m),http_err_cnt,http_err_rate(1m),http_fail_cnt,http_fail_rate(1m),bytes_in_cnt,bytes_in_rate(1m),\
    bytes_out_cnt,bytes_out_rate(1m)";

fn known(kind: Kind) -> impl Iterator<Item = &'static Row> {
    rows(kind).iter().filter(|row| row.support == Support::Full && row.era.since <= Version(2, 6))
}

/// The expressions that ask for a fetch: of an entry that is tracked and of one that is not, of the client's.
fn fetched(row: &Row) -> Vec<String> {
    let name = row.keyword;
    let Some((whose, rest)) = name.split_once('_') else { return Vec::new() };
    let datum = ["get_", "inc_", "clr_"].iter().find_map(|deed| rest.strip_prefix(deed)).unwrap_or(rest);
    let array = ARRAYS.contains(&datum);
    match (whose, array) {
        ("sc0" | "sc1" | "sc2", false) => vec![name.to_owned(), format!("{name}(c)")],
        ("sc", false) => [0, 2].iter().map(|counter| format!("{name}({counter})")).collect(),
        ("sc", true) => ["0,1", "1,1", "0,0", "0,2"].iter().map(|args| format!("{name}({args})")).collect(),
        ("src", false) if !["is_local", "port"].contains(&rest) => vec![format!("{name}(c)"), format!("{name}(empty)")],
        ("src", true) => vec![format!("{name}(0,arrays)"), format!("{name}(1,arrays)")],
        ("table", false) => vec![format!("{name}(c)"), format!("{name}(empty)")],
        _ => Vec::new(),
    }
}

/// The expressions that ask for a converter.
fn converted(row: &Row) -> Vec<String> {
    let name = row.keyword;
    let Some(datum) = name.strip_prefix("table_").or((name == "in_table").then_some("")) else { return Vec::new() };
    match ARRAYS.contains(&datum) {
        true => vec![format!("src,{name}(0,arrays)"), format!("str(192.0.2.1),{name}(0,arrays)")],
        // 2.6 counts its own look at an entry, and never gives back one whose counter is not stored
        false if datum == "trackers" => vec![format!("str(192.0.2.1),{name}(c)")],
        false => vec![format!("src,{name}(c)"), format!("str(192.0.2.1),{name}(c)"), format!("src,{name}(empty)")],
    }
}

fn expressions() -> Vec<String> {
    let mut all: Vec<String> = known(Kind::Fetch).flat_map(fetched).collect();
    all.extend(known(Kind::Converter).flat_map(converted));
    all
}

/// One frontend for each line.
fn config(lines: &[&[String]], doors: &[SocketAddr], server: SocketAddr, log: SocketAddr) -> String {
    let mut text = format!(
        "global\n log {log} local0\ndefaults\n mode tcp\n log global\n timeout client 20s\n timeout server 20s\n timeout connect 5s\n\
         backend c\n stick-table type ip size 10 store {STORED}\nbackend arrays\n stick-table type ip size 10 store gpc(2),gpc_rate(2,1m),gpt(2)\n\
         backend empty\n stick-table type ip size 10\nbackend b\n server s {server}\n"
    );
    for (at, (line, door)) in lines.iter().zip(doors).enumerate() {
        let shown: Vec<String> = line.iter().map(|expression| format!("%[{expression}]")).collect();
        text += &format!(
            "frontend f{at}\n bind {door}\n tcp-request connection track-sc0 src table c\n tcp-request session track-sc1 src table arrays\n \
             tcp-request session sc-inc-gpc0(0)\n tcp-request session sc-inc-gpc(1,1)\n tcp-request session sc-set-gpt(0,1) 5\n \
             default_backend b\n log-format \"<%ft> {} <end> %B\"\n",
            shown.join(" ")
        );
    }
    text
}

/// Each expression with what one program shows of it.
fn play(program: &Program, all: &[String]) -> Vec<(String, String)> {
    let (server, (log, sink)) = (Backend::echo(), LogReceiver::udp());
    let lines: Vec<&[String]> = all.chunks(OF_A_LINE).collect();
    let doors: Vec<SocketAddr> = lines.iter().map(|_| ports::free()).collect();
    let _proxy = Proxy::start(program, &config(&lines, &doors, server.address, sink));
    let mut said = Vec::new();
    for (at, (line, door)) in lines.iter().zip(&doors).enumerate() {
        let mut stream = client::connect(*door);
        stream.write_all(&[b'x'; 2000]).expect("sent");
        stream.read_exact(&mut [0; 2000]).expect("echoed");
        drop(stream);
        // the wait for the start connects, too, and says nothing
        let mine = |line: &String| line.contains(&format!("<f{at}> ")) && line.contains("<end> 2000");
        let told = wait::until("the line of a session", || log.lines().into_iter().find(mine));
        let values =
            told.split_once(&format!("<f{at}> ")).and_then(|(_, rest)| rest.split_once(" <end>")).expect("a line").0;
        let values: Vec<&str> = values.split(' ').collect();
        assert_eq!(values.len(), line.len(), "{told}");
        said.extend(line.iter().cloned().zip(values.into_iter().map(str::to_owned)));
    }
    said
}

#[test]
fn each_counter_says_the_same_on_both_programs() {
    let all = expressions();
    assert!(all.len() > 200, "{} expressions", all.len());
    let place = || SocketAddr::from(([127, 0, 0, 1], 9));
    let valid = proxy::check(&Program::theirs(), &config(&[&all[..1]], &[place()], place(), place()));
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stderr));
    // what the manual names and the binary does not know
    let takes = |one: &String| {
        proxy::check(&Program::theirs(), &config(&[std::slice::from_ref(one)], &[place()], place(), place()))
            .status
            .success()
    };
    let (both, ours): (Vec<String>, Vec<String>) = all.into_iter().partition(takes);
    println!("of ours alone: {ours:?}");
    assert!(ours.len() < 30, "{ours:?}");
    let (baton, haproxy) = (play(&Program::ours(), &both), play(&Program::theirs(), &both));
    let differ: Vec<_> = baton.iter().zip(&haproxy).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(differ.is_empty(), "{} of {} differ: {differ:#?}", differ.len(), both.len());
}
