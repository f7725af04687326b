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
    " check inter 100 fall 1000 rise 1000".to_owned()
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
        let stage = Self { _proxy: Proxy::start(&Program::under_test(), &config), door, socket, servers };
        // what checks find first must not come in between
        for number in (1..=3).filter(|number| options(*number).contains("check")) {
            wait::until_true("the first check", || {
                let stats = Stats::from_socket(&stage.socket);
                stats.text("l", &format!("s{number}"), "check_status") == "L4OK"
            });
        }
        stage
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

impl Stage {
    /// What a table knows: its keys and what they stick to, `1.1.1.1=1/s1`, in the order of the keys.
    fn table(&self, name: &str) -> String {
        let said = stats::command(&self.socket, &format!("show table {name}"));
        let field = |line: &str, name: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            word.unwrap_or("?").to_owned()
        };
        let known =
            |line: &str| format!("{}={}/{}", field(line, "key"), field(line, "server_id"), field(line, "server_key"));
        let mut entries: Vec<String> = said.lines().filter(|line| line.starts_with("0x")).map(known).collect();
        entries.sort();
        entries.join(" ")
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

#[test]
fn a_client_that_returns_gets_its_server() {
    let stage = Stage::new("stick-table type ip size 100 expire 30m\nstick on src", &plain, "");
    let all = |stage: &Stage| (1..=4).map(|n| stage.ask(1, &format!("1.1.1.{n}"), b"")).collect::<String>();
    assert_eq!(all(&stage), "1231");
    assert_eq!(all(&stage), "1231");
    assert_eq!(stage.table("l"), "1.1.1.1=1/s1 1.1.1.2=2/s2 1.1.1.3=3/s3 1.1.1.4=1/s1");
    assert_eq!(stage.stat("BACKEND", "lbtot"), 4, "those that return are no picks");
    // a server in maintenance loses its clients, and does not get them back
    stage.order("disable server l/s1");
    assert_eq!(stage.ask(2, "1.1.1.1", b""), "22");
    stage.order("enable server l/s1");
    assert_eq!(stage.ask(2, "1.1.1.1", b""), "22");
    assert_eq!(stage.table("l"), "1.1.1.1=2/s2 1.1.1.2=2/s2 1.1.1.3=3/s3 1.1.1.4=1/s1");
    // one that drains keeps them, and so does one without weight
    stage.order("set server l/s3 state drain");
    assert_eq!(stage.ask(2, "1.1.1.3", b""), "33");
    stage.order("set server l/s3 state ready");
    stage.order("set server l/s3 weight 0");
    assert_eq!(stage.ask(1, "1.1.1.3", b""), "3");
    // one that does not answer is left, and the next session knows
    stage.servers[0].stop();
    assert_eq!(stage.ask(2, "1.1.1.4", b""), "22");
    assert_eq!((stage.stat("s1", "wretr"), stage.stat("s1", "wredis")), (1, 1));
}

#[test]
fn an_entry_that_no_session_reached_a_server_for_is_not_made() {
    let stage = Stage::new("stick-table type ip size 100\nstick on src\nretries 0\nno option redispatch", &plain, "");
    stage.servers[0].stop();
    assert_eq!(stage.ask(1, "1.1.1.1", b""), "-");
    assert_eq!(stage.table("l"), "");
    let stage = Stage::new("stick-table type ip size 2 nopurge\nstick on src", &plain, "");
    assert_eq!(stage.ask(1, "1.1.1.1", b"") + &stage.ask(1, "1.1.1.2", b"") + &stage.ask(2, "1.1.1.3", b""), "1231");
    assert_eq!(stage.table("l"), "1.1.1.1=1/s1 1.1.1.2=2/s2", "the table is full");
}

#[test]
fn a_table_that_names_a_server_that_is_down_is_asked_no_further_unless_it_is_forced() {
    for (line, want) in
        [("", "22"), ("option persist", "11"), ("force-persist if TRUE", "11"), ("ignore-persist if TRUE", "22")]
    {
        let stage = Stage::new(&format!("stick-table type ip size 100\nstick on src\n{line}"), &checked, "");
        assert_eq!(stage.ask(2, "1.1.1.1", b""), "11", "{line}");
        stage.order("set server l/s1 health down");
        assert_eq!(stage.ask(2, "1.1.1.1", b""), want, "{line}");
    }
}

/// Tables that other proxies have.
const TABLES: &str = "backend t1\n  stick-table type ip size 100\nbackend t2\n  stick-table type string len 4 size 100\n\
                      backend t3\n  stick-table type integer size 100\n";

#[test]
fn lines_are_looked_at_in_their_order() {
    let stage = Stage::new(
        &format!(
            "{WAIT}stick match req.payload(0,5) table t2
             stick on src table t1
             stick store-request req.payload(0,5) table t2
             stick store-request str(x) table t2
             stick store-request src_port table t3 if {{ src 1.1.1.2 }}"
        ),
        &plain,
        TABLES,
    );
    let tables = |stage: &Stage| ["t1", "t2", "t3"].map(|table| stage.table(table));
    assert_eq!(stage.ask(1, "1.1.1.1", b"aaaaa"), "1");
    assert_eq!(tables(&stage), ["1.1.1.1=1/s1", "aaaa=1/s1", ""], "a table learns one key, cut at its length");
    assert_eq!(stage.ask(1, "1.1.1.1", b"bbbbb"), "1", "by the address");
    assert_eq!(stage.ask(1, "1.1.1.2", b"aaaaa"), "1", "by the bytes");
    assert_eq!(tables(&stage), ["1.1.1.1=1/s1 1.1.1.2=1/s1", "aaaa=1/s1 bbbb=1/s1", "7=1/s1"]);
    assert_eq!(stage.ask(1, "1.1.1.3", b"ccccc"), "2");
    assert_eq!(stage.ask(1, "1.1.1.3", b"aaaaa"), "1", "the first line that matches");
    assert_eq!(stage.table("t1"), "1.1.1.1=1/s1 1.1.1.2=1/s1 1.1.1.3=1/s1", "all tables learn which server it was");
}

#[test]
fn names_of_servers_count_before_their_ids() {
    let door = ports::free();
    let ports = |stage: &Stage| stage.servers.iter().map(|server| server.address).collect::<Vec<_>>();
    let stage = Stage::new("stick-table type ip size 100\nstick on src", &plain, "");
    assert_eq!((1..=3).map(|n| stage.ask(1, &format!("1.1.1.{n}"), b"")).collect::<String>(), "123");
    stage.order("set table l key 1.1.1.7 data.server_id 2");
    assert_eq!(stage.table("l"), "1.1.1.1=1/s1 1.1.1.2=2/s2 1.1.1.3=3/s3 1.1.1.7=2/-");
    assert_eq!(stage.ask(1, "1.1.1.7", b""), "2");
    stage.order("set table l key 1.1.1.8 data.server_id 77");
    assert_eq!(stage.ask(1, "1.1.1.8", b""), "1", "an id that no server has is as none");
    assert_eq!(stage.table("l"), "1.1.1.1=1/s1 1.1.1.2=2/s2 1.1.1.3=3/s3 1.1.1.7=2/s2 1.1.1.8=1/s1");
    // another section: the names and ids of its servers are mixed up
    let own = ports(&stage);
    let more = format!(
        "listen q\n  bind {door} accept-proxy\n  stick match src table l\n  server z3 {} id 3\n  server s1 {} id 2\n  server z1 {} id 1\n",
        own[0], own[1], own[2]
    );
    drop(own);
    let both = Stage::new("stick-table type ip size 100\nstick on src", &plain, &more);
    assert_eq!((1..=3).map(|n| both.ask(1, &format!("1.1.1.{n}"), b"")).collect::<String>(), "123");
    let other = Stage { door, ..both };
    let got: String = (1..=3).map(|n| other.open(&format!("1.1.1.{n}"), b"").1).collect();
    assert_eq!(got, "221", "s1 by its name, the others by their ids");
}

#[test]
fn a_table_may_know_servers_by_their_addresses() {
    let stage = Stage::new("stick-table type ip size 100 srvkey addr\nstick on src", &plain, "");
    assert_eq!(stage.ask(1, "1.1.1.1", b"") + &stage.ask(2, "1.1.1.2", b""), "122");
    let [first, second] = [0, 1].map(|at: usize| stage.servers[at].address.to_string());
    assert_eq!(stage.table("l"), format!("1.1.1.1=1/{first} 1.1.1.2=2/{second}"));
}

#[test]
fn a_server_that_nobody_sticks_to() {
    let options = |n: usize| {
        [
            " non-stick check inter 100 fall 1000 rise 1000",
            " check inter 100 fall 1000 rise 1000",
            " backup non-stick stick",
        ][n - 1]
            .to_owned()
    };
    let stage = Stage::new("stick-table type ip size 100\nstick on src", &options, "");
    let all = |stage: &Stage| (1..=4).map(|n| stage.ask(1, &format!("1.1.1.{n}"), b"")).collect::<String>();
    assert_eq!(all(&stage), "1212");
    assert_eq!(stage.table("l"), "1.1.1.2=2/s2 1.1.1.4=2/s2");
    stage.order("set server l/s1 health down");
    stage.order("set server l/s2 health down");
    assert_eq!(all(&stage), "3333", "the backup serves");
    stage.order("set server l/s1 health up");
    stage.order("set server l/s2 health up");
    assert_eq!(all(&stage), "3333", "and its clients stay with it");
}

#[test]
fn what_servers_say_is_learned() {
    let wait = "tcp-response inspect-delay 10s\ntcp-response content accept if { res.len gt 1 }\n";
    let stage = Stage::new(
        &format!("stick-table type string len 8 size 100\nstick store-response res.payload(0,1)\n{wait}"),
        &plain,
        "",
    );
    assert_eq!(stage.ask(3, "1.1.1.1", b""), "123");
    assert_eq!(stage.table("l"), "1=1/s1 2=2/s2 3=3/s3");
    // without such rules it is what is there when the connection is: the address is, the bytes are not
    let stage = Stage::new("stick-table type ip size 100\nstick store-response src if { src 1.1.1.1 }", &plain, "");
    assert_eq!(stage.ask(1, "1.1.1.1", b"") + &stage.ask(1, "1.1.1.2", b""), "12");
    assert_eq!(stage.table("l"), "1.1.1.1=1/s1");
}

/// A CONNECT of MQTT 3.1.1 by that client.
fn mqtt(client: &str) -> Vec<u8> {
    let mut packet =
        vec![0x10, 12 + client.len() as u8, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, client.len() as u8];
    packet.extend(client.as_bytes());
    packet
}

#[test]
fn a_client_of_mqtt_lands_on_its_broker() {
    let stage = Stage::new(
        "tcp-request inspect-delay 10s
         tcp-request content reject unless { req.payload(0,0),mqtt_is_valid }
         stick-table type string len 32 size 100k expire 30m
         stick on req.payload(0,0), mqtt_field_value(connect,client_identifier)",
        &plain,
        "",
    );
    for (client, server) in [("one", "1"), ("two", "2"), ("one", "1"), ("three", "3"), ("two", "2"), ("one", "1")] {
        assert_eq!(stage.ask(1, "1.1.1.1", &mqtt(client)), server, "{client}");
    }
    assert_eq!(stage.table("l"), "one=1/s1 three=3/s3 two=2/s2");
    // a byte at a time
    let mut stream = client::connect(stage.door);
    stream.set_nodelay(true).expect("no delay");
    stream.write_all(b"PROXY TCP4 1.1.1.1 10.0.0.1 7 80\r\n").expect("a header");
    for byte in &mqtt("two") {
        stream.write_all(&[*byte]).expect("a byte is sent");
    }
    assert_eq!(name_of(&mut stream), "2");
    // its server may have closed or reset its side: only the client's end is the session's in any case
    drop(stream);
    assert_eq!(stage.ask(1, "1.1.1.1", b"GET / HTTP/1.0\r\n\r\n"), "-", "no MQTT");
}

/// Who waits for a server that goes down moves on, unless no other one will do.
#[test]
fn queues_of_servers_that_go_down() {
    for (line, moves) in
        [("", true), ("option persist", false), ("force-persist if TRUE", false), ("no option redispatch", false)]
    {
        let one = |_| " maxconn 1 check inter 100 fall 1000 rise 1000".to_owned();
        let stage = Stage::new(&format!("use-server s3 if TRUE\n{line}"), &one, "");
        let (first, _) = stage.open("1.1.1.1", b"");
        let mut second = client::connect(stage.door);
        second.write_all(b"PROXY TCP4 1.1.1.1 10.0.0.1 7 80\r\n").expect("a header");
        wait::until_true("one to wait", || stage.stat("s3", "qcur") == 1);
        stage.order("set server l/s3 health down");
        if moves {
            assert_eq!(name_of(&mut second), "1", "{line}");
        } else {
            assert_eq!((stage.stat("s3", "qcur"), stage.stat("s1", "stot")), (1, 0), "{line}");
            drop(first);
            assert_eq!(name_of(&mut second), "3", "{line}: its turn has come");
        }
    }
}

#[test]
fn who_may_have_no_other_server_is_refused_by_a_full_queue() {
    for line in ["force-persist if TRUE", "no option redispatch"] {
        let few = |_| " maxconn 1 maxqueue 1".to_owned();
        let stage = Stage::new(&format!("use-server s3 if TRUE\n{line}"), &few, "");
        let (_first, _) = stage.open("1.1.1.1", b"");
        let mut second = client::connect(stage.door);
        second.write_all(b"PROXY TCP4 1.1.1.1 10.0.0.1 7 80\r\n").expect("a header");
        wait::until_true("one to wait", || stage.stat("s3", "qcur") == 1);
        assert_eq!(stage.open("1.1.1.1", b"").1, "-", "{line}");
        assert_eq!(stage.stat("s3", "econ"), 1, "{line}");
    }
}
