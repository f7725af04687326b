//! Which server gets which session: `fixtures/output/picks/` on both programs.
//!
//! Each file names a `balance` algorithm, its servers and what clients do; after each step stands which servers
//! (counted from 1) the sessions got, `-` for one that got none. Each session reads its server's number from the
//! connection itself. `BLESS=1 BATON_UNDER_TEST=theirs` rewrites the files with what the original does; the same
//! files pin baton's pool without sockets (`src/pool/picks.rs`).

mod harness;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{self, Stats};
use harness::{client, pinned, ports, wait};

/// Where a client comes from.
#[derive(Debug, Clone, Copy)]
enum From<'a> {
    Anywhere,
    /// A local address.
    Address(&'a str),
    /// Any address, by a PROXY header.
    Header(&'a str),
}

fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::new(from.parse().expect("an address"), 0).into()).expect("a local address");
    socket.set_read_timeout(Some(wait::PATIENCE)).expect("a time limit");
    socket.connect(&to.into()).expect("a connection");
    socket.into()
}

/// A proxy with the servers of one file.
struct Stage {
    _proxy: Proxy,
    door: SocketAddr,
    socket: PathBuf,
    _servers: Vec<Backend>,
    held: Vec<TcpStream>,
}

impl Stage {
    fn new(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let words = |key: &'static str| lines.iter().filter_map(move |line| line.strip_prefix(key));
        let balance = words("balance ").next().expect("a balance line");
        let hash: String =
            lines.iter().filter(|line| line.starts_with("hash-")).fold(String::new(), |mut all, line| {
                let _ = writeln!(all, "  {line}");
                all
            });
        // Client addresses of all kinds come in by the PROXY protocol.
        let proxied = if words("proxied ").next().is_some() { " accept-proxy" } else { "" };
        let door = ports::free();
        let socket = tempfile::tempdir().expect("a folder").keep().join("stats");
        let mut config = format!(
            "global\n  stats socket {} level admin\ndefaults\n  mode tcp\n  timeout client 30s\n  timeout server 30s\n  \
             timeout connect 3s\n  timeout queue 10s\n  retries 1\n  option redispatch\n\
             listen l\n  bind {door}{proxied}\n  balance {balance}\n{hash}",
            socket.display()
        );
        let mut servers = Vec::new();
        for (number, options) in (1..).zip(words("server ")) {
            let address = if options.contains("dead") {
                ports::refused()
            } else {
                let server = Backend::named(&format!("{number}\n"));
                servers.push(server);
                servers.last().expect("it was pushed").address
            };
            let _ = writeln!(config, "  server s{number} {address} {}", options.replace("dead", ""));
        }
        let proxy = Proxy::start(&Program::under_test(), &config);
        Self { _proxy: proxy, door, socket, _servers: servers, held: Vec::new() }
    }

    /// One more session; which server it got.
    fn session(&mut self, from: From<'_>) -> (TcpStream, String) {
        let mut stream = match from {
            From::Address(from) => connect_from(from, self.door),
            _ => client::connect(self.door),
        };
        if let From::Header(from) = from {
            let family = if from.contains(':') { ("TCP6", "::1") } else { ("TCP4", "127.0.0.1") };
            let header = format!("PROXY {} {from} {} 1000 2000\r\n", family.0, family.1);
            stream.write_all(header.as_bytes()).expect("the header is sent");
        }
        let mut answer = [0; 8];
        let count = stream.read(&mut answer).unwrap_or(0);
        let name = String::from_utf8_lossy(&answer[..count]).trim().to_owned();
        (stream, if name.is_empty() { "-".to_owned() } else { name })
    }

    /// Waits until the proxy has no sessions on servers but those that are held.
    fn settle(&self) {
        wait::until_true("sessions to end", || {
            let stats = Stats::from_socket(&self.socket);
            let names = stats.names();
            let servers = names.iter().filter(|(_, name)| name.starts_with('s'));
            servers.map(|(proxy, name)| stats.number(proxy, name, "scur")).sum::<i64>() == self.held.len() as i64
        });
    }

    /// Does one step; returns what the sessions got.
    fn run(&mut self, step: &str) -> String {
        let (verb, rest) = step.split_once(' ').expect("a verb and its argument");
        let number = || rest.parse::<usize>().expect("a number");
        let mut got = Vec::new();
        match verb {
            "open" => {
                for _ in 0..number() {
                    got.push(self.session(From::Anywhere).1);
                    self.settle();
                }
            }
            "hold" => {
                for _ in 0..number() {
                    let (stream, name) = self.session(From::Anywhere);
                    got.push(name);
                    self.held.push(stream);
                }
            }
            "close" => {
                self.held.remove(number() - 1);
                self.settle();
            }
            "from" => {
                got.extend(rest.split(' ').map(|address| self.session(From::Address(address)).1));
                self.settle();
            }
            "proxied" => {
                got.extend(rest.split(' ').map(|address| self.session(From::Header(address)).1));
                self.settle();
            }
            "stay" => {
                for address in rest.split(' ') {
                    let (stream, name) = self.session(From::Address(address));
                    got.push(name);
                    self.held.push(stream);
                }
            }
            other => panic!("no such step: {other}"),
        }
        got.join(" ")
    }
}

/// The file as the program under test would have it.
fn replay(text: &str) -> String {
    let mut stage = Stage::new(text);
    let mut out = String::new();
    for line in text.lines() {
        let step = line.split(" => ").next().unwrap_or_default();
        let verb = step.split(' ').next().unwrap_or_default();
        let _ = match verb {
            "open" | "hold" | "stay" | "from" | "proxied" => writeln!(out, "{step} => {}", stage.run(step)),
            "close" => {
                stage.run(step);
                writeln!(out, "{line}")
            }
            _ => writeln!(out, "{line}"),
        };
    }
    out
}

/// 1,000 sessions, one after the other, over three equal servers: nobody gets two more than another, on any number of
/// threads.
#[test]
fn sequential_sessions_differ_by_one_at_most_on_any_number_of_threads() {
    for balance in ["leastconn", "roundrobin"] {
        for threads in [1, 2, 4] {
            let servers: Vec<Backend> = (1..=3).map(|number| Backend::named(&number.to_string())).collect();
            let door = ports::free();
            let mut config = format!(
                "global\n  nbthread {threads}\ndefaults\n  mode tcp\n  timeout client 9s\n  timeout server 9s\n  \
                 timeout connect 9s\nlisten l\n  bind {door}\n  balance {balance}\n"
            );
            for (number, server) in (1..).zip(&servers) {
                let _ = writeln!(config, "  server s{number} {}", server.address);
            }
            let _proxy = Proxy::start(&Program::under_test(), &config);
            let mut counts = [0_u32; 3];
            for _ in 0..1000 {
                let mut stream = client::connect(door);
                let mut name = [0];
                stream.read_exact(&mut name).expect("the server's name");
                counts[usize::from(name[0] - b'1')] += 1;
                // Ended in both directions before the next one begins.
                client::half_close(&stream);
                assert_eq!(client::read_all(&mut stream).ok(), Some(Vec::new()));
            }
            let (most, least) = (counts.iter().max().copied(), counts.iter().min().copied());
            assert!(most <= least.map(|least| least + 1), "{balance}, {threads} threads: {counts:?}");
        }
    }
}

/// With a factor of 101 percent, 30 sessions that stay are dealt out evenly, however the draws fall.
#[test]
fn random_draws_respect_the_share_of_a_server() {
    let mut stage =
        Stage::new("balance random(1)\nhash-balance-factor 101\nserver weight 1\nserver weight 1\nserver weight 1\n");
    let got = stage.run("hold 30");
    for server in ["1", "2", "3"] {
        let count = got.split(' ').filter(|name| *name == server).count();
        assert!((9..=11).contains(&count), "server {server} has {count}: {got}");
    }
}

#[test]
fn each_session_gets_the_server_that_haproxy_gives_it() {
    pinned::replayed("output/picks", 20, replay);
}

/// `fixtures/output/changes/`: orders and weights at run time. baton's pool replays the rows too (`src/pool/picks.rs`).
#[test]
fn weights_and_orders_at_run_time_change_the_picks() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/output/changes/roundrobin.txt");
    let text = std::fs::read_to_string(&file).expect("the fixture");
    let mut out = String::new();
    for row in text.lines() {
        let Some((weights, steps)) = row.strip_prefix('[').and_then(|row| row.split_once("] | ")) else {
            let _ = writeln!(out, "{row}");
            continue;
        };
        let servers: String = weights.split(", ").map(|weight| format!("server weight {weight}\n")).collect();
        let mut stage = Stage::new(&format!("balance roundrobin\n{servers}"));
        let _ = write!(out, "[{weights}]");
        for step in steps.split(" | ") {
            match step.strip_prefix('{').and_then(|order| order.strip_suffix('}')) {
                Some(order) => {
                    assert_eq!(stats::command(&stage.socket, &format!("set server l/{order}")), "\n", "{order}");
                    let _ = write!(out, " | {step}");
                }
                None => {
                    let got = stage.run(&format!("open {}", step.split_whitespace().count()));
                    let _ = write!(out, " | {got}");
                }
            }
        }
        out.push('\n');
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, out).expect("the fixture is written");
    } else {
        assert_eq!(out, text);
    }
}
