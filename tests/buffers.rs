//! What a buffer says while it fills: each line of fixtures/expr/buffers.txt is asked of haproxy's TCP rules and of the engine.
//!
//! haproxy answers by how its rules go on: at once with a value, at once without, or when `inspect-delay` is over. The form of a
//! line is explained in the fixture.

mod harness;
#[path = "lowering/outside.rs"]
mod outside;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use baton::expr::pattern::Lists;
use baton::expr::{Buffer, Context, Expr, Facts, Fetched, Place, Side};
use harness::logs::LogReceiver;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports};
use outside::Outside;

/// How long haproxy waits for what may still come.
const DELAY: u64 = 2000;
/// What a buffer holds: `tune.bufsize` without its reserve.
const ROOM: usize = 15_360;

/// A line of the fixture.
struct Row {
    line: String,
    expression: String,
    bytes: Vec<u8>,
    end: bool,
    theirs: String,
    ours: String,
}

impl Row {
    /// Whether it looks at what the server sends.
    fn of_response(&self) -> bool {
        self.expression.starts_with("res.") || self.expression.starts_with("rep_")
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expr/buffers.txt")
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(path()).expect("the fixture");
    let mut named: HashMap<&str, Vec<u8>> = HashMap::new();
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some((name, digits)) = line.split_once(" := ") {
            let bytes = (0..digits.len() / 2).map(|ix| u8::from_str_radix(&digits[2 * ix..2 * ix + 2], 16));
            named.insert(name, bytes.collect::<Result<_, _>>().expect(line));
            continue;
        }
        let mut parts = line.split(" ⇒ ");
        let (expression, input) = parts.next().and_then(|ask| ask.split_once(" @ ")).expect(line);
        let theirs = parts.next().expect(line);
        let ours = parts.next().unwrap_or(theirs);
        let (input, end) = input.strip_suffix(" end").map_or((input, false), |input| (input, true));
        let (name, first) = input.split_once(':').map_or((input, None), |(name, first)| (name, Some(first)));
        let mut bytes = named.get(name).expect(line).clone();
        if let Some(first) = first {
            bytes.truncate(first.parse().expect(line));
        }
        rows.push(Row {
            line: line.to_owned(),
            expression: expression.to_owned(),
            bytes,
            end,
            theirs: theirs.to_owned(),
            ours: ours.to_owned(),
        });
    }
    assert!(rows.len() > 500);
    rows
}

fn shown(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => write!(out, "\\x{byte:02x}").expect("a text"),
        }
        out
    })
}

struct Sent<'a>(&'a Row);

impl Facts for Sent<'_> {
    fn buffer(&self, side: Side) -> Option<Buffer<'_>> {
        let mine = (side == Side::Response) == self.0.of_response();
        mine.then(|| Buffer { bytes: &self.0.bytes, more: !self.0.end, room: ROOM })
    }
}

#[test]
fn ours() {
    let (lists, world) = (Lists::default(), Outside::new(&path()));
    let mut problems = Vec::new();
    for row in rows() {
        let place = if row.of_response() { Place::BackendResponse } else { Place::FrontendContent };
        let context = Context { place, strict: true, world: &world, lists: &lists };
        let expr = Expr::parse(row.expression.as_bytes(), &context).unwrap_or_else(|why| panic!("{}: {why}", row.line));
        let facts = Sent(&row);
        let got = match expr.evaluate(&facts) {
            Fetched::Value(value) => format!("={}", shown(&value.to_text())),
            Fetched::Growing(value) => format!("~{}", shown(&value.to_text())),
            Fetched::NotYet => "more".to_owned(),
            Fetched::Missing => "none".to_owned(),
        };
        if got != row.ours {
            problems.push(format!("{}\n    got {got}", row.line));
        }
    }
    assert!(problems.is_empty(), "{} differ:\n{}", problems.len(), problems.join("\n"));
}

/// Two frontends for each expression: the first finds any value, the second waits as long as a value may still become another. The
/// port that a client of the PROXY protocol was sent to says how many bytes (and one) are to be there before anything is looked at.
fn configuration(expressions: &[String], log: SocketAddr) -> (String, Vec<[SocketAddr; 2]>) {
    let mut text = format!(
        "global\n    log {log} len 8192 local0\n    maxconn 3000\ndefaults\n    mode tcp\n    log global\n    \
         timeout client 20s\n    timeout server 20s\n    timeout connect 5s\n    \
         log-format \"L %cp %[var(sess.f)] %[var(sess.v)] %[var(sess.e)] E\"\n"
    );
    let mut addresses = Vec::new();
    for expression in expressions {
        let pair = [(); 2].map(|()| ports::free());
        for (ix, (address, how)) in pair.iter().zip(["-m found", "-m str never-this"]).enumerate() {
            let condition = format!("{{ {expression} {how} }}");
            let _ = write!(
                text,
                "frontend f{}_{ix}\n    bind {address} accept-proxy\n    tcp-request session set-var(sess.n) dst_port\n    \
                 tcp-request session set-var(sess.t) date(0,ms)\n    tcp-request inspect-delay {DELAY}ms\n    \
                 tcp-request content set-var(sess.g) int(1) if {{ req.len,add(1),sub(sess.n) ge 0 }}\n    \
                 tcp-request content set-var(sess.f) int(1) if {condition}\n    \
                 tcp-request content set-var(sess.v) {expression},concat(),hex if {condition}\n    \
                 tcp-request content set-var(sess.e) date(0,ms),sub(sess.t)\n    tcp-request content reject\n",
                addresses.len()
            );
        }
        addresses.push(pair);
    }
    (text, addresses)
}

#[test]
fn theirs() {
    let rows: Vec<Row> = rows().into_iter().filter(|row| !row.of_response()).collect();
    let mut expressions: Vec<String> = rows.iter().map(|row| row.expression.clone()).collect();
    expressions.sort();
    expressions.dedup();
    let (log, address) = LogReceiver::udp();
    let (config, frontends) = configuration(&expressions, address);
    let proxy = Proxy::start(&Program::theirs(), &config);
    // All at once, so that all wait together.
    let mut open = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let frontend = expressions.binary_search(&row.expression).expect("its expression");
        for (ix, address) in frontends[frontend].iter().enumerate() {
            let mut stream = client::connect(*address);
            let (from, to) = (2 * number + ix + 1, row.bytes.len() + 1);
            let mut bytes = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {to}\r\n").into_bytes();
            bytes.extend_from_slice(&row.bytes);
            stream.write_all(&bytes).expect("a client that is heard");
            if row.end {
                client::half_close(&stream);
            }
            open.push(stream);
        }
    }
    let lines = log.wait_count(" E", 2 * rows.len());
    drop(proxy);
    // By the port of the client: whether it fits, the value, and the milliseconds that it took.
    let said: HashMap<usize, [&str; 3]> = lines
        .iter()
        .filter_map(|line| {
            let mut words = line.split(' ').skip_while(|word| *word != "L").skip(1);
            Some((words.next()?.parse().ok()?, [words.next()?, words.next()?, words.next()?]))
        })
        .collect();
    let mut problems = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let [found, other] = [2 * number + 1, 2 * number + 2].map(|from| said[&from]);
        let waited = |said: [&str; 3]| said[2].parse::<u64>().expect("milliseconds") >= DELAY - DELAY / 10;
        let got = match found {
            ["1", digits, _] => {
                let digits = digits.trim_matches('-');
                let bytes: Vec<u8> = (0..digits.len() / 2)
                    .map(|ix| u8::from_str_radix(&digits[2 * ix..2 * ix + 2], 16).expect("hexadecimal digits"))
                    .collect();
                format!("{}{}", if waited(other) { '~' } else { '=' }, shown(&bytes))
            }
            found if waited(found) => "more".to_owned(),
            _ => "none".to_owned(),
        };
        if got != row.theirs {
            problems.push(format!("{}\n    got {got}", row.line));
        }
    }
    assert!(problems.is_empty(), "{} differ:\n{}", problems.len(), problems.join("\n"));
}
