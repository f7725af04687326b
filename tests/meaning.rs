//! What a configuration means, seen from outside: ids, names, weights and limits in `show stat` and `show info`, the
//! same from both programs; and an old configuration shows what its modern rewrite shows.

mod harness;

use std::collections::BTreeMap;
use std::path::Path;

use harness::ports;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{self, Stats};

/// Columns that the configuration alone decides.
const COLUMNS: [&str; 12] =
    ["slim", "weight", "act", "bck", "pid", "iid", "sid", "type", "qlimit", "rate_lim", "mode", "algo"];

/// Lines of `show info` that the configuration and the limits alone decide.
const FACTS: [&str; 8] =
    ["Nbthread", "Ulimit-n", "Maxpipes", "Maxsock", "Maxconn", "Hard_maxconn", "node", "description"];

/// Replaces `PORT` by free addresses and `SOCKET` by a path.
fn filled(config: &str, socket: &Path) -> String {
    let mut parts = config.split("PORT");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += &ports::free().to_string();
        text += part;
    }
    text.replace("SOCKET", &socket.to_string_lossy())
}

/// All cells of a running configuration that are compared.
fn shown(program: &Program, config: &str) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats.sock");
    let _proxy = Proxy::start(program, &filled(config, &socket));
    let mut cells = BTreeMap::new();
    let table = Stats::from_socket(&socket);
    for (place, (proxy, server)) in table.names().into_iter().enumerate() {
        for column in COLUMNS {
            let value = table.text(&proxy, &server, column).to_owned();
            cells.insert(format!("{place} {proxy}/{server} {column}"), value);
        }
    }
    for line in stats::command(&socket, "show info").lines() {
        if let Some((name, value)) = line.split_once(": ").filter(|(name, _)| FACTS.contains(name)) {
            cells.insert(name.to_owned(), value.to_owned());
        }
    }
    assert!(cells.len() > COLUMNS.len(), "{cells:?}");
    cells
}

/// The cells that differ, readable.
fn differences(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<String> {
    let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    let cell = |cells: &BTreeMap<String, String>, key: &str| cells.get(key).cloned().unwrap_or("-".to_owned());
    let pairs = keys.map(|key| (key, cell(one, key), cell(other, key)));
    pairs
        .filter(|(_, one, other)| one != other)
        .map(|(key, one, other)| format!("{key}: {one:?} / {other:?}"))
        .collect()
}

#[test]
fn both_programs_show_the_same_ids_names_weights_and_limits() {
    let config = "
global
    stats socket SOCKET level admin
    nbthread 2
    maxconn 333
    node here.there
    description some words
defaults
    timeout client 5s
    timeout connect 5s
    timeout server 5s
    default-server weight 7 port 81 agent-port 82
frontend f
    bind PORT
    bind PORT id 3
    maxconn 55
    option splice-request
    default_backend b
backend b
    balance leastconn
    server s1 127.0.0.1:1 id 2
    server s2 127.0.0.1:1 weight 0 port 80
    server s3 127.0.0.1:1 backup maxqueue 9
    server s4 127.0.0.1:1 id 7 minconn 5
    server s5 127.0.0.1:1 minconn 5 maxconn 3
    server s6 127.0.0.1:1 disabled
    server-template s 7-9 127.0.0.1:1 port 83 agent-port 84
listen l
    id 3
    bind PORT
    rate-limit sessions 44
    server s 127.0.0.1:1
listen off
    disabled
    bind 127.0.0.1:9-10
backend unused
    balance source
    fullconn 66
listen last
    bind PORT
    mode http
    stats enable
";
    let (theirs, ours) = (shown(&Program::theirs(), config), shown(&Program::ours(), config));
    let wrong = differences(&theirs, &ours);
    assert!(wrong.is_empty(), "haproxy / baton:\n{}", wrong.join("\n"));
}

#[test]
fn an_old_configuration_shows_what_its_modern_rewrite_shows() {
    let old = "
global
    stats socket SOCKET level admin
    nbproc 2
    maxconn 50
defaults
    contimeout 5s
    clitimeout 5s
    srvtimeout 5s
    redispatch
listen mqtt PORT
    balance leastconn
    server broker_1 127.0.0.1:1
listen stats PORT maxconn 9
    mode http
    stats enable
";
    let modern = "
global
    stats socket SOCKET level admin
    nbthread 2
    maxconn 50
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    option redispatch
listen mqtt
    bind PORT
    balance leastconn
    server broker_1 127.0.0.1:1
listen stats
    bind PORT maxconn 9
    mode http
    stats enable
";
    let ours = shown(&Program::ours(), old);
    for (who, program) in [("baton", Program::ours()), ("haproxy", Program::theirs())] {
        let wrong = differences(&shown(&program, modern), &ours);
        assert!(wrong.is_empty(), "modern by {who} / old by baton:\n{}", wrong.join("\n"));
    }
}
