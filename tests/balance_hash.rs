//! The same key goes to the same server as with haproxy: `fixtures/output/keys/` on both programs.
//!
//! Each file is named after what is hashed, names a `balance` and a `hash-type` line and the weights of its servers, and ends with
//! the servers that 1,000 keys got, a digit each. `BLESS=1 BATON_UNDER_TEST=theirs` rewrites them with what the original does;
//! baton's pool replays them without sockets, too (`src/pool/balance/hashes.rs`).

mod harness;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::SocketAddr;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{client, pinned, ports, wait};

/// Keys of a file.
const KEYS: u64 = 1_000;
/// Clients side by side: which server a key gets does not depend on the others.
const CLIENTS: u64 = 8;

/// What the n-th client sends: a PROXY header and, behind it in the same segment, an RDP request with a cookie.
fn request(n: u64) -> Vec<u8> {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let address = std::net::Ipv4Addr::from_bits((mixed >> 33) as u32 | 1 << 24);
    let cookie = format!("Cookie: mstshash=user-{mixed:x}\r\n");
    let mut request = format!("PROXY TCP4 {address} 10.0.0.1 {} 3389\r\n", n + 1).into_bytes();
    let length = cookie.len() as u8;
    request.extend([3, 0, 0, 11 + length, 6 + length, 0xe0, 0, 0, 0, 0, 0]);
    request.extend(cookie.as_bytes());
    request
}

fn server_of(door: SocketAddr, n: u64) -> char {
    let mut stream = client::connect(door);
    stream.write_all(&request(n)).expect("the request is sent");
    let mut name = [0];
    match stream.read_exact(&mut name) {
        Ok(()) => char::from(name[0]),
        Err(_) => '-',
    }
}

/// The file as the program under test would have it.
fn replay(text: &str) -> String {
    let head: String = text.lines().take_while(|line| !line.starts_with("=>")).fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{line}");
        all
    });
    let weights: Vec<&str> =
        head.lines().find_map(|line| line.strip_prefix("weights ")).expect("weights").split(' ').collect();
    let door = ports::free();
    let mut config = format!(
        "defaults\n  mode tcp\n  timeout client 20s\n  timeout server 20s\n  timeout connect 20s\n\
         listen l\n  bind {door} accept-proxy\n"
    );
    for line in head.lines().filter(|line| line.starts_with("balance") || line.starts_with("hash-type")) {
        let _ = writeln!(config, "  {line}");
    }
    let mut servers = Vec::new();
    for (number, weight) in (1..).zip(weights) {
        let server = Backend::named(&number.to_string());
        let _ = writeln!(config, "  server s{number} {} weight {weight}", server.address);
        servers.push(server);
    }
    let _proxy = Proxy::start(&Program::under_test(), &config);
    let parts = std::thread::scope(|scope| {
        let part = |part: u64| {
            scope.spawn(move || (part..KEYS).step_by(CLIENTS as usize).map(|n| server_of(door, n)).collect())
        };
        let threads: Vec<_> = (0..CLIENTS).map(part).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client")).collect::<Vec<Vec<char>>>()
    });
    let mut out = head;
    out.push_str("=> ");
    out.extend((0..KEYS).filter_map(|n| parts[(n % CLIENTS) as usize].get((n / CLIENTS) as usize)));
    out.push('\n');
    out
}

#[test]
fn each_key_gets_the_server_that_haproxy_gives_it() {
    pinned::replayed("output/keys", 16, replay);
}

/// `hash-preserve-affinity` is a word of 3.2, which 2.6 has not.
#[test]
fn a_key_leaves_a_full_server_where_that_is_said() {
    for (line, waits) in [
        ("", true),
        ("hash-preserve-affinity always", true),
        ("hash-preserve-affinity maxconn", false),
        ("hash-preserve-affinity maxqueue", true),
    ] {
        for method in ["map-based", "consistent"] {
            let servers: Vec<Backend> = (1..=2).map(|number| Backend::named(&number.to_string())).collect();
            let door = ports::free();
            let socket = tempfile::tempdir().expect("a folder").keep().join("stats");
            let key = if method == "map-based" { 0 } else { 3 };
            let mut config = format!(
                "global\n  stats socket {}\ndefaults\n  mode tcp\n  timeout client 20s\n  timeout server 20s\n  timeout connect 20s\n\
                 listen l\n  bind {door}\n  balance hash int({key})\n  hash-type {method}\n  {line}\n",
                socket.display()
            );
            for (number, server) in (1..).zip(&servers) {
                let _ = writeln!(config, "  server s{number} {} maxconn 1 maxqueue 1", server.address);
            }
            let _proxy = Proxy::start(&Program::ours(), &config);
            let open = || {
                let mut stream = client::connect(door);
                let mut name = [0];
                stream.read_exact(&mut name).expect("the server's name");
                (stream, String::from_utf8_lossy(&name).into_owned())
            };
            let (_first, chosen) = open();
            let other = if chosen == "1" { "2" } else { "1" };
            if waits {
                let _second = client::connect(door);
                let queued = || Stats::from_socket(&socket).number("l", &format!("s{chosen}"), "qcur") == 1;
                wait::until_true("the second to wait for the server of its key", queued);
                if line.ends_with("maxqueue") {
                    assert_eq!(open().1, other, "{line}, {method}: its queue is full");
                }
            } else {
                assert_eq!(open().1, other, "{line}, {method}");
            }
        }
    }
}

/// `hash-key` is a word of 3.x, which 2.6 has not: servers that are known by their addresses get the same keys in whatever order they
/// stand, and take them along where they go.
#[test]
fn a_key_goes_to_the_same_address_in_any_order() {
    let servers: Vec<Backend> = (1..=3).map(|number| Backend::named(&number.to_string())).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let start = |line: &str, order: [usize; 3]| {
        let door = ports::free();
        let mut config = format!(
            "global\n  stats socket {} level admin\ndefaults\n  mode tcp\n  timeout client 20s\n  timeout server 20s\n  timeout connect 20s\n\
             listen l\n  bind {door} accept-proxy\n  balance source\n  hash-type consistent\n  default-server {line}\n",
            socket.display()
        );
        for (number, server) in (1..).zip(order) {
            let _ = writeln!(config, "  server s{number} {}", servers[server].address);
        }
        (door, Proxy::start(&Program::ours(), &config))
    };
    let all = |door| (0..200).map(|n| server_of(door, n)).collect::<String>();
    let picks = |line: &str, order: [usize; 3]| {
        let (door, _proxy) = start(line, order);
        all(door)
    };
    let by_id = picks("weight 1", [0, 1, 2]);
    assert_eq!(picks("hash-key id", [0, 1, 2]), by_id, "by default");
    assert_ne!(picks("hash-key id", [2, 0, 1]), by_id, "places go by the order");
    // all have one IP address: only the port tells them apart
    let by_port = picks("hash-key addr-port", [0, 1, 2]);
    assert_eq!(picks("hash-key addr-port", [2, 0, 1]), by_port);
    assert!("123".chars().all(|name| by_port.matches(name).count() > 20), "{by_port}");
    assert_ne!(picks("hash-key addr", [0, 1, 2]), by_port);
    // a server that gets another's address gets its keys
    let (door, _proxy) = start("hash-key addr-port", [0, 1, 2]);
    for (server, to) in [("s1", 1), ("s2", 2), ("s3", 0)] {
        let to = servers[to].address;
        harness::stats::command(&socket, &format!("set server l/{server} addr {} port {}", to.ip(), to.port()));
    }
    assert_eq!(all(door), by_port);
}
