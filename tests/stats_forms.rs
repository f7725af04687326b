//! The forms of statistics on both programs: what each command and each address of the page gives, rows and types, but for
//! the values.

mod harness;

use std::net::SocketAddr;
use std::path::Path;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{Stats, command};
use harness::{client, ports, wait};

const COMMANDS: [&str; 45] = [
    "show stat",
    "show stat desc",
    "show stat typed",
    "show stat typed desc",
    "show stat json",
    "show stat json desc",
    "show stat json typed",
    "show stat typed json",
    "show stat -1 4 -1 typed",
    "show stat -1 4 -1 typed desc",
    "show stat up",
    "show stat no-maint",
    "show stat typed up",
    "show stat up no-maint",
    "show stat json no-maint",
    "show stat 3 4 -1",
    "show stat pool 4 2",
    "show stat pool 4 off",
    "show stat #3 4 -1",
    "show stat 3x 2x -1",
    "show stat 0x3 4 -1",
    "show stat 0 4 -1",
    "show stat #99 4 -1",
    "show stat -2 4 -1",
    "show stat -1 4 1",
    "show stat -1 4 0",
    "show stat -1 4 -3",
    "show stat -1 0 -1",
    "show stat -1 x -1",
    "show stat -1 8 -1",
    "show stat -1 4",
    "show stat nobody 4 -1",
    "show stat domain proxy",
    "show stat domain proxy pool 4 -1 typed",
    "show stat domain",
    "show stat domain dns",
    "show info",
    "show info desc",
    "show info typed",
    "show info typed desc",
    "show info typed float",
    "show info json",
    "show info json float",
    "show info foo",
    "show schema json foo",
];

const TARGETS: [&str; 24] = [
    "",
    ";csv",
    ";json",
    ";typed",
    ";json-schema",
    ";norefresh",
    ";csv;norefresh",
    ";csv;norefreshx",
    ";csv;up",
    ";csv;no-maint",
    ";csv;up;no-maint",
    ";csv;json",
    ";json;csv",
    ";json;typed",
    ";typed;csv",
    ";json;json-schema;typed",
    ";csvx",
    ";xcsv",
    ";CSV",
    "?a&;csv",
    "?scope=OO;csv",
    ";typed;scope=page",
    ";json;up;scope=nobody",
    "a;b;csv",
];

/// A reply without its values: rows by name, types, keys.
fn shape(reply: &str) -> Vec<String> {
    let first = reply.chars().next().unwrap_or_default();
    if reply.starts_with("# pxname,") {
        let two = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join("/");
        return reply.lines().map(two).collect();
    }
    if first == '[' {
        let value: serde_json::Value = serde_json::from_str(reply.trim()).unwrap();
        let mut out = Vec::new();
        items(&value, &mut out);
        return out;
    }
    // haproxy's schema names its own places; that ours fits is another test's matter.
    if first == '{' {
        return vec!["a schema".to_owned()];
    }
    let line = |line: &str| {
        let mut parts = line.splitn(4, ':');
        let (name, tags, kind) = (parts.next()?, parts.next()?, parts.next());
        let described = if line.ends_with('"') { "described" } else { "" };
        // Typed lines of what both know.
        let place = name.split('.').nth(3).and_then(|place| place.parse::<u32>().ok());
        if place.is_some_and(|place| place >= 103) {
            return None;
        }
        let typed = tags.len() == 3 && tags.chars().all(char::is_alphabetic) && name.contains('.');
        Some(if typed { format!("{name}:{tags}:{} {described}", kind?) } else { format!("{name} {described}") })
    };
    let lines: Vec<String> = reply.lines().filter_map(line).collect();
    if lines.is_empty() { vec![reply.trim().to_owned()] } else { lines }
}

/// Field, tags and type of each value.
fn items(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(values) => values.iter().for_each(|value| items(value, out)),
        item => {
            let place = item["field"]["pos"].as_u64().unwrap_or_default();
            if item.get("objType").is_none() || place < 103 {
                let of = [&item["objType"], &item["proxyId"], &item["id"]];
                out.push(format!("{of:?} {} {} {}", item["field"], item["tags"], item["value"]["type"]));
            }
        }
    }
}

fn config(tcp: SocketAddr, page: SocketAddr, server: SocketAddr, folder: &Path) -> String {
    format!(
        "global\n  maxconn 300\n  description some words\n  stats socket {}/socket level admin\n\
         defaults\n  timeout client 5s\n  timeout server 5s\n  timeout connect 1s\n\
         frontend in\n  mode tcp\n  bind {tcp}\n  option socket-stats\n  default_backend pool\n\
         backend pool\n  mode tcp\n  server one {server} check inter 200 agent-check agent-port 1 maxconn 5\n\
         \x20 server off {server} disabled\n  server gone {} check inter 200\n\
         listen page\n  mode http\n  bind {page}\n  stats enable\n  stats uri /\n  stats refresh 7s\n",
        folder.display(),
        ports::refused(),
    )
}

/// Status, content type, refresh, rows.
type Answer = (String, Option<String>, Option<String>, Vec<String>);

struct Said {
    commands: Vec<Vec<String>>,
    targets: Vec<Answer>,
}

fn run(program: &Program) -> Said {
    let echo = Backend::echo();
    let (tcp, page, folder) = (ports::free(), ports::free(), tempfile::tempdir().unwrap());
    let _proxy = Proxy::start(program, &config(tcp, page, echo.address, folder.path()));
    let socket = folder.path().join("socket");
    wait::until("checks have judged", || {
        let stats = Stats::from_socket(&socket);
        let word = |server| stats.text("pool", server, "status").to_owned();
        let found = stats.text("pool", "one", "check_duration").to_owned();
        (word("gone") == "DOWN" && word("one").starts_with("UP") && !found.is_empty()).then_some(())
    });
    let targets = TARGETS.map(|target| {
        let (head, body) = client::get(page, &format!("/{target}"), "");
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let kind = header("content-type: ").map(|kind| kind.split(';').next().unwrap_or_default().to_owned());
        let html = kind.as_deref() == Some("text/html");
        let rows = if html { Vec::new() } else { shape(&body) };
        // On the page itself baton says it otherwise.
        let refresh = if html { None } else { header("refresh: ") };
        (head.lines().next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned(), kind, refresh, rows)
    });
    Said { commands: COMMANDS.map(|words| shape(&command(&socket, words))).to_vec(), targets: targets.to_vec() }
}

#[test]
fn every_form_is_haproxys() {
    let (theirs, ours) = (run(&Program::theirs()), run(&Program::ours()));
    let mut problems = Vec::new();
    for ((words, want), is) in COMMANDS.iter().zip(&theirs.commands).zip(&ours.commands) {
        // Lines of `show info` that 3.x added come last, but for a name that was misspelt.
        let mut is = is.clone();
        if words.starts_with("show info") {
            is.retain(|line| !line.contains("TotalSplicedBytesOut"));
            is.truncate(want.len());
        }
        if *want != is {
            let first = want.iter().zip(&is).find(|(want, is)| want != is);
            problems.push(format!("{words}: {} and {} lines; {first:?}", want.len(), is.len()));
        }
    }
    for ((target, want), is) in TARGETS.iter().zip(&theirs.targets).zip(&ours.targets) {
        if want != is {
            let first = want.3.iter().zip(&is.3).find(|(want, is)| want != is);
            problems.push(format!(
                "/{target}: {:?} and {:?}; {first:?}",
                (&want.0, &want.1, &want.2, want.3.len()),
                (&is.0, &is.1, &is.2, is.3.len())
            ));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(theirs.commands[2].len() > 200 && theirs.targets[3].3.len() > 200);
}
