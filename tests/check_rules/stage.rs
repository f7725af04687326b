//! Plays all scenarios of a file in one proxy, each in a backend of its own, and compares.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::harness::program::Program;
use crate::harness::proxy::Proxy;
use crate::harness::stats::Stats;
use crate::harness::{ports, wait};
use crate::scenario::{self, Scenario};
use crate::server::Scripted;

/// Plays `fixtures/checks/rules/FILE.txt`.
#[track_caller]
pub(crate) fn play(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checks/rules").join(format!("{file}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let (head, scenarios) = scenario::read(&text);
    let found = found(&scenarios);
    if std::env::var_os("BLESS").is_some() {
        let blocks: String = scenarios.iter().zip(&found).map(|(scenario, found)| scenario.write(found)).collect();
        std::fs::write(&path, head + &blocks).expect("the fixture is written");
        return;
    }
    let mut wrong = String::new();
    for (scenario, found) in scenarios.iter().zip(&found).filter(|(scenario, found)| scenario.found != **found) {
        let _ = write!(wrong, "== {}\n-- wanted\n{}-- found\n{found}", scenario.name, scenario.found);
    }
    assert!(wrong.is_empty(), "{}\n{wrong}", path.display());
}

/// What the program under test makes of each.
fn found(scenarios: &[Scenario]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let servers: Vec<Scripted> = scenarios.iter().map(|scenario| Scripted::start(&scenario.acts)).collect();
    let mut config =
        format!("global\n  node here\n  stats socket {} level admin\n  max-spread-checks 300\n", socket.display());
    for (number, (scenario, server)) in scenarios.iter().zip(&servers).enumerate() {
        let address = server.address();
        config.push_str(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n  timeout check 2s\n",
        );
        let lines = scenario.lines.iter().map(|line| line.replace("$PORT", &address.port().to_string()));
        let (mut own, mut options) = (String::new(), String::new());
        for line in lines {
            if let Some(line) = line.strip_prefix("defaults: ") {
                let _ = writeln!(config, "  {line}");
            } else if let Some(line) = line.strip_prefix("server: ") {
                options.push_str(line);
            } else {
                let _ = writeln!(own, "  {line}");
            }
        }
        let _ =
            writeln!(config, "backend b{number}\n{own}  server s {address} check inter 60s rise 1 fall 1 {options}");
    }
    let _ = writeln!(config, "frontend f\n  bind {}", ports::free());
    let proxy = Proxy::start(&Program::under_test(), &config);
    let checked = |stats: &Stats| {
        (0..scenarios.len()).all(|number| {
            let status = stats.text(&format!("b{number}"), "s", "check_status").to_owned();
            !status.is_empty() && status != "INI" && !status.starts_with('*')
        })
    };
    let stats = wait::until("all checks to have ended", || Some(Stats::from_socket(&socket)).filter(checked));
    wait::until_true("all lines to be told", || {
        let output = proxy.output();
        (0..scenarios.len()).all(|number| {
            let status = stats.text(&format!("b{number}"), "s", "status");
            status == "UP" || told(&output, number).is_some()
        })
    });
    let output = proxy.output();
    if std::env::var_os("BLESS").is_some() {
        wait::moment(Duration::from_millis(500)); // nobody knows yet how many connections are to come
    }
    let scenes = servers.iter().zip(scenarios).enumerate().map(|(number, (server, scenario))| {
        let cell = |column: &str| stats.text(&format!("b{number}"), "s", column).replace(['\r', '\n'], "~");
        let columns = ["status", "check_status", "check_code", "check_desc", "last_chk"].map(cell);
        let mut text = format!("{}\n", columns.join(" | "));
        if let Some(line) = told(&output, number) {
            let _ = writeln!(text, "{line}");
        }
        let count = scenario.found.lines().filter(|line| line.starts_with("heard ")).count();
        for heard in server.heard(count) {
            let _ = writeln!(text, "heard {}", plain(&heard, server.address()).replace(&format!("b{number}/s"), "b/s"));
        }
        text
    });
    scenes.collect()
}

/// What a server heard, without its address and the port of the other side.
fn plain(heard: &str, address: SocketAddr) -> String {
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let text = heard.replace(&port, "$PORT").replace(&ip, "$IP");
    let Some((head, tail)) = text.split_once("PROXY TCP4 ") else { return text };
    let mut words: Vec<&str> = tail.splitn(4, ' ').collect();
    words[0] = "$FROM";
    words[2] = "$N";
    format!("{head}PROXY TCP4 {}", words.join(" "))
}

/// The line about a server that changed, without what differs from run to run.
fn told(output: &str, number: usize) -> Option<String> {
    let line = output.lines().find(|line| line.contains(&format!("Server b{number}/s is ")))?;
    let (_, message) = line.split_once(") : ")?;
    let (head, _) = message.split_once(", check duration: ")?;
    Some(head.replace(&format!("b{number}/s"), "b/s"))
}
