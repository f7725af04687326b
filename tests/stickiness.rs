//! What brings a session back to its server, on both programs: `use-server`, `persist rdp-cookie`, `stick`, and what they do when
//! that server is down, in maintenance, full or does not answer.

mod harness;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::{self, Stats};
use harness::{client, ports, wait};

/// A proxy with three servers that say their numbers.
struct Stage {
    _proxy: Proxy,
    door: SocketAddr,
    socket: PathBuf,
    servers: Vec<Backend>,
}

/// What the servers' lines end with, by number.
type Options<'a> = &'a dyn Fn(usize) -> String;

fn plain(_: usize) -> String {
    String::new()
}

fn checked(_: usize) -> String {
    " check inter 100s fall 1 rise 1000".to_owned()
}

impl Stage {
    /// `lines`: of the section `l`; `more`: sections behind it.
    fn new(lines: &str, options: Options<'_>, more: &str) -> Self {
        let door = ports::free();
        let socket = tempfile::tempdir().expect("a folder").keep().join("stats");
        let mut config = format!(
            "global\n  stats socket {} level admin\ndefaults\n  mode tcp\n  timeout client 20s\n  timeout server 20s\n  \
             timeout connect 200\n  timeout queue 20s\n  retries 2\n  option redispatch\nlisten l\n  bind {door} accept-proxy\n",
            socket.display()
        );
        let servers: Vec<Backend> = (1..=3).map(|number| Backend::named(&format!("{number}\n"))).collect();
        for line in lines.lines() {
            let _ = writeln!(config, "  {}", line.trim());
        }
        for (number, server) in (1..).zip(&servers) {
            let _ = writeln!(config, "  server s{number} {}{}", server.address, options(number));
        }
        config.push_str(more);
        Self { _proxy: Proxy::start(&Program::under_test(), &config), door, socket, servers }
    }

    /// A session of a client at that address, which sends these bytes at once.
    fn open(&self, from: &str, bytes: &[u8]) -> (TcpStream, String) {
        let mut stream = client::connect(self.door);
        let mut request = format!("PROXY TCP4 {from} 10.0.0.1 7 80\r\n").into_bytes();
        request.extend(bytes);
        stream.write_all(&request).expect("the request is sent");
        let name = name_of(&mut stream);
        (stream, name)
    }

    /// The servers that so many sessions of a client get, one after the other.
    fn ask(&self, times: usize, from: &str, bytes: &[u8]) -> String {
        let one = |_| {
            let (stream, name) = self.open(from, bytes);
            drop(stream);
            self.settle(0);
            name
        };
        (0..times).map(one).collect()
    }

    /// Waits until so many sessions are left.
    fn settle(&self, sessions: i64) {
        wait::until_true("sessions to end", || {
            Stats::from_socket(&self.socket).number("l", "BACKEND", "scur") == sessions
        });
    }

    fn order(&self, command: &str) {
        assert_eq!(stats::command(&self.socket, command), "\n", "{command}");
    }

    fn stat(&self, who: &str, column: &str) -> i64 {
        Stats::from_socket(&self.socket).number("l", who, column)
    }

    /// The cookie of a terminal server that names one of the servers, in the request of an RDP client.
    fn rdp(&self, server: usize) -> Vec<u8> {
        let SocketAddr::V4(address) = self.servers[server - 1].address else { panic!("an IPv4 address") };
        let (ip, port) = (u32::from(*address.ip()).swap_bytes(), address.port().swap_bytes());
        rdp(&format!("msts={ip}.{port}.0000"))
    }
}

/// What a server says: its number, or `-` if the session ends without.
fn name_of(stream: &mut TcpStream) -> String {
    let mut answer = [0; 2];
    let count = stream.read(&mut answer).unwrap_or(0);
    if count == 0 { "-".to_owned() } else { String::from_utf8_lossy(&answer[..1]).into_owned() }
}

/// The request of an RDP client with that cookie.
fn rdp(cookie: &str) -> Vec<u8> {
    let text = format!("Cookie: {cookie}\r\n");
    let length = text.len() as u8;
    let mut request = vec![3, 0, 0, 11 + length, 6 + length, 0xe0, 0, 0, 0, 0, 0];
    request.extend(text.as_bytes());
    request
}

/// Rules that wait for the first bytes of a client.
const WAIT: &str = "tcp-request inspect-delay 10s\ntcp-request content accept if { req.len gt 3 }\n";

#[test]
fn use_server_takes_the_first_that_holds_and_is_there() {
    let stage = Stage::new(
        "use-server nobody%[src_port] if { src 9.9.9.1 }
         use-server s%[src_port,sub(4)] if { src 9.9.9.1 9.9.9.2 }
         use-server s2 unless { src 9.9.9.0/24 }
         use-server s3 if { src 9.9.9.3 }
         use-server s1 if { src 9.9.9.2 9.9.9.3 }
         use-server s1 if",
        &plain,
        "",
    );
    assert_eq!(stage.ask(4, "9.9.9.1", b""), "1231", "a name of nobody ends the rules");
    assert_eq!(stage.ask(2, "9.9.9.2", b""), "33", "a text that names a server");
    assert_eq!(stage.ask(2, "9.9.9.3", b""), "33");
    assert_eq!(stage.ask(2, "8.8.8.8", b""), "22");
    assert_eq!(stage.ask(3, "9.9.9.4", b""), "231", "a condition without a test never holds");
    stage.order("disable server l/s3");
    assert_eq!(stage.ask(2, "9.9.9.2", b"") + &stage.ask(2, "9.9.9.3", b""), "1111", "the next rule");
    stage.order("enable server l/s3");
    stage.order("set server l/s3 state drain");
    assert_eq!(stage.ask(2, "9.9.9.3", b""), "33", "draining is for newcomers");
    let picked: i64 = ["s1", "s2", "s3"].iter().map(|server| stage.stat(server, "lbtot")).sum();
    assert_eq!((picked, stage.stat("BACKEND", "lbtot")), (7, 7), "balancing chose only where no rule did");
}

#[test]
fn a_server_that_is_down_is_left_unless_it_is_forced() {
    for (line, forced) in [
        ("", false),
        ("option persist", true),
        ("force-persist if { src 9.9.9.9 }", true),
        ("force-persist unless TRUE", false),
    ] {
        let stage = Stage::new(&format!("use-server s3 if {{ src 9.9.9.9 }}\n{line}"), &checked, "");
        assert_eq!(stage.ask(2, "9.9.9.9", b""), "33", "{line}");
        stage.order("set server l/s3 health down");
        assert_eq!(stage.ask(2, "9.9.9.9", b""), if forced { "33" } else { "12" }, "{line}");
    }
    // the first of these lines that holds counts
    for (lines, want) in [
        ("force-persist if TRUE\nignore-persist if TRUE", "3"),
        ("ignore-persist if TRUE\nforce-persist if TRUE", "1"),
        ("ignore-persist unless TRUE\nforce-persist if TRUE", "3"),
    ] {
        let stage = Stage::new(&format!("use-server s3 if TRUE\n{lines}"), &plain, "");
        stage.order("disable server l/s3");
        assert_eq!(stage.ask(1, "9.9.9.9", b""), want, "{lines}");
    }
}

#[test]
fn one_that_does_not_answer_is_tried_as_often_as_retries_say() {
    let refuses = |lines: &str| {
        let stage = Stage::new(&format!("use-server s1 if TRUE\n{lines}"), &checked, "");
        stage.servers[0].stop();
        if lines.contains("persist") {
            stage.order("set server l/s1 health down");
        }
        let name = stage.ask(1, "9.9.9.9", b"");
        (name, stage.stat("s1", "wretr"), stage.stat("s1", "wredis"), stage.stat("s1", "econ"))
    };
    let of = |name: &str| name.to_owned();
    assert_eq!(refuses(""), (of("2"), 1, 1, 0), "the last retry goes elsewhere, though balancing takes turns");
    assert_eq!(refuses("no option redispatch"), (of("-"), 2, 0, 1));
    assert_eq!(refuses("option persist"), (of("2"), 0, 1, 0), "one that is down is left at once");
    assert_eq!(refuses("force-persist if TRUE"), (of("-"), 2, 0, 1), "and no other will do where it is forced");
}

#[test]
fn a_cookie_of_a_terminal_server_names_the_server() {
    let stage = Stage::new(&format!("{WAIT}persist rdp-cookie\nuse-server s3 if {{ src 9.9.9.9 }}"), &plain, "");
    for server in [3, 1, 2, 2] {
        assert_eq!(stage.ask(1, "1.1.1.1", &stage.rdp(server)), server.to_string());
    }
    assert_eq!(stage.ask(1, "9.9.9.9", &stage.rdp(1)), "3", "use-server comes first");
    assert_eq!(stage.stat("BACKEND", "lbtot"), 0);
    let other = rdp("msts=16777343.256.0000");
    assert_eq!(stage.ask(3, "1.1.1.1", &other), "123", "no server is there");
    assert_eq!(stage.ask(3, "1.1.1.1", &rdp("mstshash=somebody")), "123", "another cookie");
    stage.order("disable server l/s2");
    assert_eq!(stage.ask(2, "1.1.1.1", &stage.rdp(2)), "13", "it is in maintenance");
    // only `option persist` has a cookie's server tried that is down
    for (line, want) in [("option persist", "22"), ("force-persist if TRUE", "13"), ("ignore-persist if TRUE", "13")] {
        let stage = Stage::new(&format!("{WAIT}persist rdp-cookie(msts)\n{line}"), &plain, "");
        stage.order("disable server l/s2");
        assert_eq!(stage.ask(2, "1.1.1.1", &stage.rdp(2)), want, "{line}");
    }
}

#[test]
fn a_full_server_is_waited_for_and_left_when_its_queue_is_full() {
    let few = |_| " maxconn 1 maxqueue 1".to_owned();
    let stage = Stage::new("use-server s3 if TRUE", &few, "");
    let (first, name) = stage.open("1.1.1.1", b"");
    assert_eq!(name, "3");
    let mut second = client::connect(stage.door);
    second.write_all(b"PROXY TCP4 1.1.1.1 10.0.0.1 7 80\r\n").expect("a header");
    wait::until_true("one to wait for the third", || stage.stat("s3", "qcur") == 1);
    let (third, name) = stage.open("1.1.1.1", b"");
    assert_eq!(name, "1", "its queue is full, so another one serves");
    assert_eq!((stage.stat("s3", "wredis"), stage.stat("BACKEND", "wredis")), (1, 1));
    drop((first, third));
    assert_eq!(name_of(&mut second), "3", "its turn has come");
}
