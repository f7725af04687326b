//! `show stat` and `show info` of both programs after the same traffic, cell by cell.
//!
//! What may differ is listed with its reason; everything else must be equal.

mod harness;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::Path;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{Stats, command};
use harness::{client, ports, wait};

/// Columns that depend on the clock, or on what a program calls its own.
const FREE: [&str; 24] = [
    "smax", // whether one session is gone when the next comes
    "lastchg",
    "downtime",
    "rate",
    "rate_max", // depends on the second in which a session falls
    "req_rate",
    "req_rate_max",
    "conn_rate",
    "conn_rate_max",
    "lastsess",
    "check_status", // a star while a check runs
    "check_duration",
    "qtime",
    "ctime",
    "rtime",
    "ttime",
    "qtime_max",
    "ctime_max",
    "rtime_max",
    "ttime_max",
    "need_conn_est", // idle connections, which baton does not keep
    "used_conn_cur",
    "-",
    "chkfail", // a check more or less
];

struct Place {
    tcp: SocketAddr,
    bad: SocketAddr,
    page: SocketAddr,
}

fn config(place: &Place, server: SocketAddr, closing: SocketAddr, refused: SocketAddr, folder: &str) -> String {
    let Place { tcp, bad, page } = place;
    format!(
        "global\n  maxconn 300\n  stats socket {folder}/socket level admin\n\
         defaults\n  mode tcp\n  timeout client 5s\n  timeout server 5s\n  timeout connect 1s\n\
         frontend in\n  bind {tcp}\n  maxconn 40\n  default_backend pool\n\
         backend pool\n  balance roundrobin\n  server one {server} check inter 200 weight 2\n  server two {closing}\n\
         \x20 server gone {refused} check inter 200\n  server spare {server} backup maxconn 5 maxqueue 7\n\
         \x20 server off {server} disabled\n  server follows {server} track pool/gone\n\
         listen bad\n  bind {bad}\n  retries 1\n  option redispatch\n  server one {refused}\n\
         backend lonely\n\
         listen page\n  mode http\n  bind {page}\n  stats enable\n  stats uri /st\n  stats auth a:b\n"
    )
}

/// The same traffic for both.
fn traffic(place: &Place) {
    for size in [1, 10, 100, 1000] {
        let mut stream = client::connect(place.tcp);
        let bytes = vec![b'x'; size];
        stream.write_all(&bytes).unwrap();
        let mut back = vec![0; size];
        stream.read_exact(&mut back).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(client::read_all(&mut stream).unwrap().is_empty());
    }
    let mut stream = client::connect(place.bad);
    let _ = client::read_all(&mut stream);
    client::get(place.page, "/st;csv", "");
    client::get(place.page, "/st;csv", "Authorization: Basic YTpi\r\n");
    client::get(place.page, "/elsewhere", "");
    client::http(place.page, "NONSENSE\r\n\r\n");
}

/// What one program says.
struct Said {
    stats: Stats,
    info: String,
    /// Of `show stat typed` and `show info typed`: everything but the values, and only fields that both may have.
    types: Vec<String>,
}

/// A typed line without its value: `S.2.1.4.scur.1:MGP:u32`.
fn shape(line: &str) -> Option<String> {
    let mut parts = line.splitn(4, ':');
    Some(format!("{}:{}:{}", parts.next()?, parts.next()?, parts.next()?))
}

fn types(socket: &Path) -> Vec<String> {
    let position = |line: &str| line.split('.').nth(3).and_then(|field| field.parse::<u32>().ok());
    let common = |line: &&str| {
        let place = line.split('.').next().and_then(|place| place.parse::<u32>().ok());
        place.is_some_and(|place| place < 72) && !line.contains(".TotalSplicedBytesOut.")
    };
    let stat = command(socket, "show stat typed");
    let stat = stat.lines().filter(|line| position(line).is_some_and(|at| at < 103)).filter_map(shape);
    let info = command(socket, "show info typed");
    stat.chain(info.lines().filter(common).filter_map(shape)).collect()
}

fn run(program: &Program) -> Said {
    let echo = Backend::echo();
    let other = Backend::echo();
    let place = Place { tcp: ports::free(), bad: ports::free(), page: ports::free() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let text = config(&place, echo.address, other.address, ports::refused(), &path);
    let proxy = Proxy::start(program, &text);
    let socket = folder.path().join("socket");
    wait::until("checks have judged", || {
        let stats = Stats::from_socket(&socket);
        let word = |server| stats.text("pool", server, "status").to_owned();
        (word("gone") == "DOWN" && word("one") == "UP").then_some(())
    });
    traffic(&place);
    let stats = wait::until("all sessions have ended", || {
        let stats = Stats::from_socket(&socket);
        let left: i64 = ["in", "bad", "page"].iter().map(|name| stats.number(name, "FRONTEND", "scur")).sum();
        // While a check runs, its columns show that.
        let checking =
            stats.names().iter().any(|(proxy, server)| stats.text(proxy, server, "check_status").starts_with('*'));
        (left == 0 && !checking).then_some(stats)
    });
    let info = command(&socket, "show info");
    let types = types(&socket);
    drop(proxy);
    Said { stats, info, types }
}

#[test]
fn every_cell_is_haproxys() {
    let Said { stats: theirs, info: their_info, types: their_types } = run(&Program::theirs());
    let Said { stats: ours, info: our_info, types: our_types } = run(&Program::ours());
    for (want, is) in their_types.iter().zip(&our_types) {
        assert_eq!(want, is);
    }
    assert_eq!(their_types.len(), our_types.len());
    assert_eq!(ours.names(), theirs.names());
    let common: Vec<&String> = theirs.columns.iter().take_while(|name| *name != "-").collect();
    assert_eq!(common.len(), 103);
    let mut problems = Vec::new();
    for (proxy, server) in theirs.names() {
        for column in &common {
            let (want, is) = (theirs.text(&proxy, &server, column), ours.text(&proxy, &server, column));
            // Its own words have their own length, and haproxy counts an end of its own answers as the client's.
            let page = proxy == "page" && matches!(column.as_str(), "bin" | "bout" | "cli_abrt");
            if want != is && !FREE.contains(&column.as_str()) && !page && *column != "addr" {
                problems.push(format!("{proxy}/{server} {column}: haproxy {want:?}, baton {is:?}"));
            }
        }
    }
    let names =
        |info: &str| info.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect::<Vec<_>>();
    // 2.6's lines, the one that was misspelt beside its later name, then those that were added.
    let mut known = names(&our_info);
    let added = known.split_off(known.len() - 4);
    known.retain(|name| name != "TotalSplicedBytesOut");
    assert_eq!(known, names(&their_info));
    assert_eq!(added, ["TotalWarnings", "MaxconnReached", "BootTime_ms", "Niced_tasks"]);
    // Datadog gives up at a line with a second colon, up to the uptime.
    let head = our_info.lines().take_while(|line| !line.starts_with("Uptime_sec")).collect::<Vec<_>>();
    assert!(
        head.len() == 8 && head.iter().all(|line| line.matches(": ").count() == 1 && line.matches(':').count() == 1)
    );
    let value = |info: &str, name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
        line.unwrap_or_default()
    };
    for name in ["Maxconn", "Hard_maxconn", "Nbproc", "Process_num", "Stopping", "DroppedLogs", "Listeners", "node"] {
        let (want, is) = (value(&their_info, name), value(&our_info, name));
        if want != is {
            problems.push(format!("{name}: haproxy {want:?}, baton {is:?}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
