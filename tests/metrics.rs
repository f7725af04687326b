//! The Prometheus exporter of both programs after the same traffic: names, types, labels, order and values.
//!
//! What may differ is listed with its reason; everything else must be equal.

mod harness;

use std::io::Write;
use std::net::{Shutdown, SocketAddr};

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{Stats, command};
use harness::{client, ports, wait};

/// Metrics whose value is the program's own, or depends on the clock.
const FREE: [&str; 23] = [
    "_process_current_connections", // a conversation on the socket that is just ending
    "_uptime_seconds",
    "_start_time_seconds",
    "_max_fds", // what a program reserves for itself
    "_max_sockets",
    "_process_connections_total", // checks count there, too
    "_process_requests_total",    // commands count there
    "_rate",
    "_max_connection_rate",
    "_max_session_rate",
    "_rate_max",
    "_tasks",
    "_run_queue",
    "_jobs",
    "_bytes_out_total", // a page's own words have their own length
    "_bytes_in_total",
    "_allocated_bytes", // memory pools, which baton has not
    "_used_bytes",
    "_idle_time_percent",
    "_seconds", // times, averages
    "_check_failures_total",
    "_downtime_seconds_total",
    "_max_sessions", // whether one session is gone when the next comes
];

struct Place {
    tcp: SocketAddr,
    bad: SocketAddr,
    page: SocketAddr,
    only: SocketAddr,
}

fn config(place: &Place, server: SocketAddr, refused: SocketAddr, folder: &str) -> String {
    let Place { tcp, bad, page, only } = place;
    format!(
        "global\n  maxconn 300\n  stats socket {folder}/socket level admin\n\
         defaults\n  timeout client 5s\n  timeout server 5s\n  timeout connect 1s\n\
         frontend in\n  mode tcp\n  bind {tcp}\n  option socket-stats\n  maxconn 40\n  default_backend pool\n\
         backend pool\n  mode tcp\n  server one {server} check inter 200 weight 2\n\
         \x20 server gone {refused} check inter 200\n  server spare {server} backup maxconn 5 maxqueue 7\n\
         \x20 server off {server} disabled check\n  server follows {server} track pool/gone\n\
         listen bad\n  mode tcp\n  bind {bad}\n  option socket-stats\n  retries 1\n  option redispatch\n  server one {refused}\n\
         backend lonely\n  mode tcp\n  stick-table type ip size 10 store conn_cnt\nbackend resting\n  mode tcp\n  server off {server} disabled\n\
         listen never\n  mode tcp\n  disabled\n  bind {bad}\n\
         listen page\n  mode http\n  bind {page} name front_door\n  option socket-stats\n  stats enable\n  stats uri /\n  stats auth a:b\n\
         \x20 http-request use-service prometheus-exporter if {{ path /metrics }}\n\
         frontend only\n  mode http\n  bind {only}\n  http-request use-service prometheus-exporter\n"
    )
}

/// What one program says, in two states.
struct Said {
    whole: Vec<String>,
    /// By query: status, and what of the samples is no value.
    queries: Vec<(String, Vec<String>)>,
    orders: Vec<String>,
}

/// Samples and types, without HELP: its words are each program's own.
fn lines(body: &str) -> Vec<String> {
    let helps = body.lines().filter(|line| line.starts_with("# HELP ")).count();
    let types = body.lines().filter(|line| line.starts_with("# TYPE ")).count();
    assert_eq!(helps, types, "each name has both");
    body.lines().filter(|line| !line.starts_with("# HELP ")).map(str::to_owned).collect()
}

fn scrape(address: SocketAddr, target: &str) -> (String, Vec<String>) {
    let (head, body) = client::get(address, target, "");
    let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
    (status.clone(), if status == "200" { lines(&body) } else { Vec::new() })
}

const QUERIES: [&str; 14] = [
    "",
    "?scope=global",
    "?scope=",
    "?scope=*",
    "?scope=frontend&scope=server",
    "?scope=listener&scope=&scope=backend",
    "?scope=sticktable",
    "?scope=%67lobal&",
    "?no-maint",
    "?scope=server&no-maint",
    "?scope=bogus",
    "?scope",
    "?scope=%zz",
    "?scope=Global",
];

/// A line's words without its value.
fn shape(line: &str) -> String {
    let words = line.rsplit_once(' ').map_or(line, |(words, _)| words);
    // The version is a label.
    if words.contains("build_info{") {
        words.split("=\"").next().unwrap_or_default().to_owned()
    } else {
        words.to_owned()
    }
}

fn run(program: &Program) -> Said {
    let echo = Backend::echo();
    let place = Place { tcp: ports::free(), bad: ports::free(), page: ports::free(), only: ports::free() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let _proxy = Proxy::start(program, &config(&place, echo.address, ports::refused(), &path));
    let socket = folder.path().join("socket");
    wait::until("checks have judged", || {
        let stats = Stats::from_socket(&socket);
        let word = |server| stats.text("pool", server, "status").to_owned();
        (word("gone") == "DOWN" && word("one") == "UP").then_some(())
    });
    for size in [1, 10, 100] {
        let mut stream = client::connect(place.tcp);
        client::echo(&mut stream, &vec![b'x'; size]);
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(client::read_all(&mut stream).unwrap().is_empty());
    }
    let mut stream = client::connect(place.bad);
    let _ = client::read_all(&mut stream);
    // The page asks for its user, the exporter does not.
    assert_eq!(scrape(place.page, "/").0, "401");
    assert_eq!(scrape(place.page, "/metrics").0, "200");
    wait::until("all sessions have ended", || {
        let stats = Stats::from_socket(&socket);
        let left: i64 = ["in", "bad", "page"].iter().map(|name| stats.number(name, "FRONTEND", "scur")).sum();
        (left == 0).then_some(())
    });
    let whole = scrape(place.only, "/whatever").1;
    let queries = QUERIES.map(|query| {
        let (status, lines) = scrape(place.page, &format!("/metrics{query}"));
        (status, lines.iter().map(|line| shape(line)).collect())
    });
    for order in [
        "set server pool/spare state drain",
        "disable server pool/one",
        "disable frontend in",
        "set server bad/one health down",
        "shutdown frontend bad",
    ] {
        command(&socket, order);
    }
    let orders = scrape(place.only, "/").1.into_iter().filter(|line| line.contains("status")).collect();
    Said { whole, queries: queries.to_vec(), orders }
}

fn is_free(line: &str) -> bool {
    let name = line.split(['{', ' ']).next().unwrap_or_default();
    FREE.iter().any(|end| name.ends_with(end))
}

#[test]
fn every_sample_is_haproxys() {
    let (theirs, ours) = (run(&Program::theirs()), run(&Program::ours()));
    let mut problems = Vec::new();
    for (want, is) in theirs.whole.iter().zip(&ours.whole) {
        assert_eq!(shape(want), shape(is));
        // Names of baton's own.
        let same = want == is || is_free(want) || want.contains("build_info") || want.contains("need_connections");
        // An end of its own answer is the client's for haproxy.
        let same = same || want.starts_with("haproxy_backend_client_aborts_total{proxy=\"page\"}");
        if !same {
            problems.push(format!("haproxy {want:?}, baton {is:?}"));
        }
    }
    assert_eq!(theirs.whole.len(), ours.whole.len());
    assert!(theirs.whole.len() > 800, "{}", theirs.whole.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for ((query, want), is) in QUERIES.iter().zip(&theirs.queries).zip(&ours.queries) {
        assert!(want == is, "{query}: haproxy {} with {}, baton {} with {}", want.0, want.1.len(), is.0, is.1.len());
    }
    for (want, is) in theirs.orders.iter().zip(&ours.orders).filter(|(want, is)| want != is) {
        problems.push(format!("after orders: haproxy {want:?}, baton {is:?}"));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(theirs.orders.iter().any(|line| line.ends_with("state=\"DRAIN\"} 1")), "{:?}", theirs.orders);
}

/// Chunks, keep-alive, HEAD and HTTP/1.0, on the wire.
#[test]
fn the_answer_as_it_is_sent() {
    let mut said = Vec::new();
    for program in [Program::theirs(), Program::ours()] {
        let (only, folder) = (ports::free(), tempfile::tempdir().unwrap());
        let config = format!(
            "defaults\n  mode http\n  timeout client 5s\n\
             frontend only\n  bind {only}\n  http-request use-service prometheus-exporter if {{ path /m }}\n"
        );
        let _proxy = Proxy::start(&program, &config);
        let mut answers = Vec::new();
        for bytes in [
            "HEAD /m?scope=frontend HTTP/1.1\r\nhost: a\r\n\r\nGET /m?scope=frontend HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "GET /m?scope=frontend HTTP/1.0\r\n\r\n",
            "POST /m?scope=frontend HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\na=b\
             OPTIONS /m?scope=bad HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        ] {
            let mut stream = client::connect(only);
            stream.write_all(bytes.as_bytes()).unwrap();
            let answer = String::from_utf8(client::read_all(&mut stream).unwrap()).unwrap();
            let heads = answer.lines().filter(|line| line.starts_with("HTTP/1.")).map(|line| line[9..12].to_owned());
            let types = answer.lines().filter(|line| line.starts_with("content-type: text/")).map(str::to_owned);
            let names = answer.lines().filter(|line| line.starts_with("# TYPE")).map(str::to_owned);
            answers.push(heads.chain(types).chain(names).collect::<Vec<_>>());
            assert!(
                !bytes.contains("1.0") || answer.contains("haproxy_frontend_status{proxy=\"only\",state=\"UP\"} 1")
            );
        }
        drop(folder);
        said.push(answers);
    }
    let [theirs, ours] = &said[..] else { unreachable!() };
    for (want, is) in theirs.iter().zip(ours) {
        assert!(want == is, "haproxy {want:?}\nbaton {is:?}");
    }
    assert!(ours[0].len() > 20 && ours[0][..2].iter().all(|line| line == "200"), "{:?}", ours[0]);
}
