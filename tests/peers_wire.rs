//! Stick tables shared with a real haproxy: both ways, after a restart of either, and with peers that nobody should have.
//!
//! baton's engine runs inside this process, so that its tables can be looked at without commands.

mod engine;
mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use baton::engine::{Engine, Input, Listening, Purpose};
use baton::ir::table::{Datum, Key, KeyKind, ServerKey as Named, Stored, Table, TableIx};
use baton::ir::{Bind, BindOptions, Config, Endpoint, Global, Peer, Peers, ProxyIx, StreamAddress};
use baton::pool::Pool;
use baton::units::{Millis, Tick};

use engine::{Book, Nobody};
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{ports, stats, wait};

fn now() -> Tick {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Tick::from_millis(time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000)
}

/// The tables of both sides, as haproxy reads them.
const TABLES: &str = "backend ti\n  stick-table type ip size 100k expire 60s store \
    server_id,gpt0,gpc0,gpc0_rate(10s),conn_cnt,conn_rate(5s),conn_cur,bytes_in_cnt,gpc1 peers all\n\
    backend t6\n  stick-table type ipv6 size 100 store gpc0 peers all\n\
    backend tn\n  stick-table type integer size 100 expire 40s store gpt(3),gpc(2),gpc_rate(2,10s) peers all\n\
    backend ts\n  stick-table type string len 32 size 100k expire 60s store server_id,server_key,gpc0 peers all\n  \
    server s1 127.0.0.1:9\n\
    backend tb\n  stick-table type binary len 8 size 100 nopurge store gpc0 peers all\n\
    backend tr\n  stick-table type integer size 100 store conn_cur,gpc0 peers all\n";

/// The same as baton holds them.
fn tables() -> Vec<Table> {
    let one = |datum| Stored { datum, elements: 1, period: None };
    let rate = |datum, seconds| Stored { datum, elements: 1, period: Some(Millis::seconds(seconds)) };
    let table = |name: &str, kind, size, expire: Option<u32>, store: Vec<Stored>| Table {
        name: name.into(),
        kind,
        size,
        expire: expire.map(Millis::seconds),
        nopurge: name == "tb",
        store,
        peers: Some("all".into()),
        server_key: Named::Name,
        write_to: (name == "ts").then_some(TableIx(5)),
        recv_only: name == "tr",
        owner: Some(ProxyIx(0)),
        span: Default::default(),
    };
    use Datum::*;
    vec![
        table(
            "ti",
            KeyKind::Ip,
            102_400,
            Some(60),
            vec![
                one(ServerId),
                one(Gpt0),
                one(Gpc0),
                rate(Gpc0Rate, 10),
                one(ConnCnt),
                rate(ConnRate, 5),
                one(ConnCur),
                one(BytesInCnt),
                one(Gpc1),
            ],
        ),
        table("t6", KeyKind::Ipv6, 100, None, vec![one(Gpc0)]),
        table(
            "tn",
            KeyKind::Integer,
            100,
            Some(40),
            vec![
                Stored { elements: 3, ..one(Gpt) },
                Stored { elements: 2, ..one(Gpc) },
                Stored { elements: 2, ..rate(GpcRate, 10) },
            ],
        ),
        table("ts", KeyKind::String(32), 102_400, Some(60), vec![one(ServerId), one(Gpc0), one(ServerKey)]),
        table("tb", KeyKind::Binary(8), 100, None, vec![one(Gpc0)]),
        // what is learned in `ts` is written here, too
        Table { peers: None, ..table("further", KeyKind::String(32), 100, None, vec![one(ServerId), one(Gpc0)]) },
        table("tr", KeyKind::Integer, 100, None, vec![one(ConnCur), one(Gpc0)]),
    ]
}

/// baton in this process.
struct Ours {
    engine: Option<Engine>,
    pool: Arc<Pool>,
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.control().hard_stop();
            engine.wait();
        }
    }
}

impl Ours {
    /// Starts it as the first of these peers.
    fn start(peers: &[(&str, SocketAddr)]) -> Self {
        let own = peers[0];
        let bind = Bind {
            endpoint: Endpoint::Inet(own.1),
            name: String::new(),
            id: 1,
            options: BindOptions::default(),
            span: Default::default(),
        };
        let peer = |(at, (name, address)): (usize, &(&str, SocketAddr))| Peer {
            name: (*name).to_owned(),
            local: at == 0,
            address: Some(StreamAddress::Inet(*address)),
            source: None,
            user_timeout: None,
        };
        let section = Peers {
            name: "all".to_owned(),
            disabled: false,
            binds: vec![bind],
            peers: peers.iter().enumerate().map(peer).collect(),
            span: Default::default(),
        };
        let global = Global { peers: vec![section], ..Global::default() };
        let config = Arc::new(Config { global, tables: tables(), ..Config::default() });
        let pool = Arc::new(Pool::new(config, now()));
        let listener = wait::until("the address", || TcpListener::bind(own.1).ok());
        listener.set_nonblocking(true).expect("a socket");
        let input = Input {
            pool: Arc::clone(&pool),
            journal: Arc::new(Book::default()),
            page: Arc::new(Nobody),
            commands: Arc::new(Nobody),
            listeners: vec![Listening { purpose: Purpose::Peers(0, 0), socket: listener.into() }],
            threads: 1,
        };
        Self { engine: Some(Engine::start(input).expect("an engine")), pool }
    }

    fn table(&self, name: &str) -> &Arc<baton::pool::tables::Table> {
        self.pool.tables.named(name).expect("a table")
    }

    fn key(&self, table: &str, bytes: &[u8]) -> Key {
        self.table(table).ir.key_of_bytes(bytes).expect("a key")
    }

    fn set(&self, table: &str, key: &[u8], data: &[(Datum, u32, i64)]) {
        let entry = self.table(table).entry(&self.key(table, key), now()).expect("room");
        entry.refresh(now(), |entry| {
            for (datum, index, value) in data {
                entry.set_exact(*datum, *index, *value).expect("a datum that is stored");
            }
        });
    }

    fn get(&self, table: &str, key: &[u8], datum: Datum, index: u32) -> Option<i64> {
        self.table(table).look(&self.key(table, key), now(), |view| view.exact(datum, index))?
    }

    fn waits_for(&self, table: &str, key: &[u8], datum: Datum, index: u32, want: i64) {
        let shown = || format!("{:?}", self.get(table, key, datum, index));
        wait::until_or(
            &format!("{table} {datum:?} = {want}"),
            || self.get(table, key, datum, index) == Some(want),
            shown,
        );
    }
}

/// haproxy as the second of these peers.
struct Theirs {
    _proxy: Proxy,
    folder: tempfile::TempDir,
}

fn theirs(peers: &[(&str, SocketAddr)]) -> Theirs {
    let folder = tempfile::tempdir().expect("a folder");
    Theirs { _proxy: Proxy::start(&Program::theirs(), &config(&folder, peers)), folder }
}

fn config(folder: &tempfile::TempDir, peers: &[(&str, SocketAddr)]) -> String {
    let folder = folder.path().display();
    let lines: String = peers.iter().map(|(name, address)| format!("  peer {name} {address}\n")).collect();
    let own = peers[0].0;
    format!(
        "global\n  stats socket {folder}/stats level admin\n  localpeer {own}\npeers all\n{lines}defaults\n  mode tcp\n  timeout \
         connect 1s\n  timeout server 10s\n{TABLES}"
    )
}

fn said(proxy: &Theirs, command: &str) -> String {
    stats::command(&proxy.folder.path().join("stats"), command)
}

/// Waits until `show table` has a line that holds all of these.
#[track_caller]
fn shows(proxy: &Theirs, table: &str, parts: &[&str]) -> String {
    let command = format!("show table {table}");
    let found = || {
        let shown = said(proxy, &command);
        shown.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
    };
    let mut line = None;
    wait::until_or(
        &format!("{table}: {parts:?}"),
        || {
            line = found();
            line.is_some()
        },
        || said(proxy, &command),
    );
    line.expect("a line")
}

fn value(line: &str, name: &str) -> i64 {
    let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {line}")).parse().expect("a number")
}

/// Two peers, as a side names them.
type Pair = [(&'static str, SocketAddr); 2];

fn pair() -> (Pair, Pair) {
    let (one, two) = (("ours", ports::free()), ("theirs", ports::free()));
    ([one, two], [two, one])
}

/// Each kind of key and of datum, from either side.
#[test]
fn entries_go_both_ways() {
    let (here, there) = pair();
    let theirs = theirs(&there);
    let ours = Ours::start(&here);
    ours.set(
        "ti",
        &[10, 0, 0, 1],
        &[
            (Datum::ServerId, 0, 3),
            (Datum::Gpt0, 0, 300),
            (Datum::Gpc0, 0, 5),
            (Datum::Gpc0Rate, 0, 44),
            (Datum::ConnCnt, 0, 70_000),
            (Datum::ConnCur, 0, 2),
            (Datum::BytesInCnt, 0, 99_999_999_999),
            (Datum::Gpc1, 0, 8),
        ],
    );
    let line = shows(&theirs, "ti", &["key=10.0.0.1", "gpc0=5", "gpt0=300", "conn_cnt=70000", "gpc1=8", "server_id=3"]);
    assert_eq!(value(&line, "bytes_in_cnt"), 99_999_999_999, "{line}");
    assert_eq!(value(&line, "conn_cur"), 0, "connections are counted where they are: {line}");
    assert!((40..=44).contains(&value(&line, "gpc0_rate(10000)")), "{line}");
    assert!((50_000..=60_000).contains(&value(&line, "exp")), "{line}");
    said(
        &theirs,
        "set table ti key 10.0.0.2 data.gpc0 7 data.conn_rate 21 data.bytes_in_cnt 88888888888 data.server_id 4",
    );
    ours.waits_for("ti", &[10, 0, 0, 2], Datum::Gpc0, 0, 7);
    ours.waits_for("ti", &[10, 0, 0, 2], Datum::BytesInCnt, 0, 88_888_888_888);
    ours.waits_for("ti", &[10, 0, 0, 2], Datum::ServerId, 0, 4);
    let rate = ours.get("ti", &[10, 0, 0, 2], Datum::ConnRate, 0).expect("a rate");
    assert!((10..=21).contains(&rate), "{rate}");

    // what nobody counts here is learned with the connections that the others have
    said(&theirs, "set table tr key 9 data.conn_cur 3 data.gpc0 4");
    ours.waits_for("tr", &9_u32.to_le_bytes(), Datum::Gpc0, 0, 4);
    assert_eq!(ours.get("tr", &9_u32.to_le_bytes(), Datum::ConnCur, 0), Some(3));
    said(&theirs, "set table ti key 10.0.0.5 data.conn_cur 3 data.gpc0 4");
    ours.waits_for("ti", &[10, 0, 0, 5], Datum::Gpc0, 0, 4);
    assert_eq!(ours.get("ti", &[10, 0, 0, 5], Datum::ConnCur, 0), Some(0));

    let v6 = "2001:db8::1".parse::<std::net::Ipv6Addr>().expect("an address").octets();
    ours.set("t6", &v6, &[(Datum::Gpc0, 0, 6)]);
    shows(&theirs, "t6", &["key=2001:db8::1", "gpc0=6"]);
    said(&theirs, "set table t6 key 2001:db8::2 data.gpc0 9");
    let v6 = "2001:db8::2".parse::<std::net::Ipv6Addr>().expect("an address").octets();
    ours.waits_for("t6", &v6, Datum::Gpc0, 0, 9);

    let number = 0x1234_5678_u32.to_le_bytes();
    ours.set("tn", &number, &[(Datum::Gpt, 1, 11), (Datum::Gpc, 1, 12), (Datum::GpcRate, 0, 13)]);
    shows(&theirs, "tn", &["key=305419896", "gpt1=11", "gpc1=12", "gpt0=0"]);
    said(&theirs, "set table tn key 77 data.gpc 5 data.gpt 6");
    ours.waits_for("tn", &77_u32.to_le_bytes(), Datum::Gpc, 0, 5);
    ours.waits_for("tn", &77_u32.to_le_bytes(), Datum::Gpt, 0, 6);

    let entry = ours.table("ts").entry(&ours.key("ts", b"mqtt-client"), now()).expect("room");
    entry.set_server(1, Some("s1"), now());
    drop(entry);
    shows(&theirs, "ts", &["key=mqtt-client", "server_id=1", "server_key=s1"]);
    said(&theirs, "set table ts key other data.gpc0 2 data.server_id 1");
    ours.waits_for("ts", b"other", Datum::Gpc0, 0, 2);
    ours.waits_for("further", b"other", Datum::ServerId, 0, 1);
    assert_eq!(ours.get("further", b"other", Datum::Gpc0, 0), Some(0), "what is counted is not learned further");

    ours.set("tb", b"\x01\x02\x03\0\0\0\0\x08", &[(Datum::Gpc0, 0, 3)]);
    shows(&theirs, "tb", &["key=0102030000000008", "gpc0=3"]);
}

/// Who starts anew is taught all that the other one knows.
#[test]
fn either_side_is_taught_after_a_restart() {
    let (here, there) = pair();
    let first = theirs(&there);
    for client in 0..200 {
        said(&first, &format!("set table ts key client-{client} data.gpc0 {client}"));
    }
    said(&first, "set table ti key 10.1.1.1 data.gpc0 4");
    let ours = Ours::start(&here);
    ours.waits_for("ts", b"client-199", Datum::Gpc0, 0, 199);
    ours.waits_for("ts", b"client-7", Datum::Gpc0, 0, 7);
    ours.waits_for("ti", &[10, 1, 1, 1], Datum::Gpc0, 0, 4);
    drop(first);
    for client in 200..20_000_u32 {
        ours.set("ts", format!("client-{client}").as_bytes(), &[(Datum::Gpc0, 0, i64::from(client))]);
    }
    let second = theirs(&there);
    let used =
        || said(&second, "show table").lines().any(|line| line.contains("table: ts,") && line.ends_with("used:20000"));
    wait::until_or("all to be taught", used, || said(&second, "show table"));
    shows(&second, "ts", &["key=client-199 ", "gpc0=199"]);
    drop(ours);
    let ours = Ours::start(&here);
    wait::until_or("all to come back", || ours.table("ts").used() == 20_000, || ours.table("ts").used().to_string());
}

/// Three of us and one of them: what one learns all know.
#[test]
fn three_peers() {
    let (a, b, c) = (("a", ports::free()), ("b", ports::free()), ("c", ports::free()));
    let theirs = theirs(&[c, a, b]);
    let (one, two) = (Ours::start(&[a, b, c]), Ours::start(&[b, a, c]));
    one.set("ts", b"from-a", &[(Datum::Gpc0, 0, 1)]);
    two.set("ts", b"from-b", &[(Datum::Gpc0, 0, 2)]);
    said(&theirs, "set table ts key from-c data.gpc0 3");
    for (key, want) in [(&b"from-a"[..], 1), (b"from-b", 2), (b"from-c", 3)] {
        one.waits_for("ts", key, Datum::Gpc0, 0, want);
        two.waits_for("ts", key, Datum::Gpc0, 0, want);
        shows(&theirs, "ts", &[&format!("key={} ", String::from_utf8_lossy(key)), &format!("gpc0={want}")]);
    }
}

/// A peer of our own making.
struct Raw(TcpStream);

impl Raw {
    fn connect(address: SocketAddr) -> Self {
        let stream = wait::until("a listener", || TcpStream::connect(address).ok());
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        Self(stream)
    }

    /// Says this; all that is answered until the other side closes or has said `until`.
    fn says(&mut self, bytes: &[u8], until: Option<&[u8]>) -> Vec<u8> {
        self.0.write_all(bytes).expect("it is sent");
        self.hears(until)
    }

    fn hears(&mut self, until: Option<&[u8]>) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
        while until.is_none_or(|until| !all.ends_with(until)) {
            match self.0.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(why) if why.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(why) => panic!("{why} after {all:?}"),
            }
        }
        all
    }
}

/// Hellos are answered as by haproxy: asked of both.
#[test]
fn hellos_that_are_refused() {
    let (here, there) = pair();
    let _theirs = theirs(&[there[0], ("nobody", ports::refused())]);
    let _ours = Ours::start(&[here[0], ("nobody", ports::refused())]);
    for (name, address) in [here[0], there[0]] {
        for (hello, want) in [
            ("GET / HTTP/1.0\r\n\r\n".to_owned(), "501\n"),
            ("HAProxyS 1.0\n".to_owned() + name + "\nnobody 1 0\n", "502\n"),
            ("HAProxyS 2.2\n".to_owned() + name + "\nnobody 1 0\n", "502\n"),
            ("HAProxyS 2.1\nsomeone\nnobody 1 0\n".to_owned(), "503\n"),
            ("HAProxyS 2.1\n".to_owned() + name + "\nsomeone 1 0\n", "504\n"),
            ("HAProxyS 2.1\n".to_owned() + name + "\nnobody\n", "501\n"),
        ] {
            let heard = Raw::connect(address).says(hello.as_bytes(), None);
            assert_eq!(String::from_utf8_lossy(&heard), want, "{name}: {hello:?}");
        }
    }
}

/// What is taught comes with the time that it has left; the end of a lesson is confirmed, and what was learned acknowledged.
#[test]
fn lessons_tell_how_long_entries_stay() {
    let (here, _) = pair();
    let ours = Ours::start(&[here[0], ("nobody", ports::refused())]);
    let mut raw = Raw::connect(here[0].1);
    raw.says(b"HAProxyS 2.1\nours\nnobody 1 0\n", Some(b"\x00\x00"));
    // `ts` with gpc0: "kept" with 20,000 ms left, then the change after it, then the end
    let lesson = b"\x0a\x82\x0a\x09\x02ts\x06\x21\x04\xf0\x95\x1d\
        \x0a\x85\x0e\0\0\0\x05\0\0\x4e\x20\x04kept\x07\x0a\x81\x06\x04next\x08\x00\x01";
    let heard = raw.says(lesson, Some(b"\x00\x03"));
    assert!(heard.ends_with(b"\x0a\x84\x05\x09\0\0\0\x06\x00\x03"), "{heard:?}");
    assert_eq!(ours.get("ts", b"kept", Datum::Gpc0, 0), Some(7));
    assert_eq!(ours.get("ts", b"next", Datum::Gpc0, 0), Some(8));
    let left = |key: &[u8]| ours.table("ts").look(&ours.key("ts", key), now(), |view| view.expires()).flatten();
    assert!(left(b"kept").is_some_and(|left| (1_000..=20_000).contains(&left)), "{:?}", left(b"kept"));
    assert!(left(b"next").is_some_and(|left| left > 40_000), "{:?}", left(b"next"));
    // and the other way: a lesson of all tables, and no news before it is over
    let heard = raw.says(b"\x00\x00", Some(b"\x00\x01"));
    let first = heard.windows(2).position(|pair| pair == b"\x0a\x85").expect("an entry with its time");
    assert!(heard[..first].windows(3).any(|bytes| bytes == b"\x02ti"), "tables are defined: {heard:?}");
}

/// Garbage ends a session and nothing else; so does silence, and a newer session of the same peer.
#[test]
fn peers_that_nobody_should_have() {
    let (here, _) = pair();
    let ours = Ours::start(&[here[0], ("nobody", ports::refused())]);
    ours.set("ts", b"kept", &[(Datum::Gpc0, 0, 1)]);
    let hello = b"HAProxyS 2.1\nours\nnobody 1 0\n";
    for (garbage, want) in [
        (&b"\xff\x00"[..], &b"\x01\x00"[..]),
        (b"\x0a\x80\xff\xff\xff\x7f", b"\x01\x01"),
        (b"\x0a\x82\x02\x01\xff", b"\x01\x00"),
        // a table, and an entry of it that is too short
        (b"\x0a\x82\x0d\x09\x02ts\x06\x21\xf5\xf1\xfe\x00\xf0\xd4\x1c\x0a\x80\x05\0\0\0\x01\x09", b"\x01\x00"),
        // the number of a text that is beyond the dictionary
        (
            b"\x0a\x82\x0d\x09\x02ts\x06\x21\xf5\xf1\xfe\x00\xf0\xd4\x1c\x0a\x80\x0a\0\0\0\x01\x01k\x01\x01\x01\xef",
            b"\x01\x00",
        ),
    ] {
        let mut raw = Raw::connect(here[0].1);
        assert!(raw.says(hello, Some(b"\x00\x00")).starts_with(b"200\n"), "asked for a lesson");
        let heard = raw.says(garbage, None);
        assert!(heard.ends_with(want), "{garbage:?}: {heard:?}");
    }
    let mut first = Raw::connect(here[0].1);
    first.says(hello, Some(b"\x00\x00"));
    let begun = std::time::Instant::now();
    let mut second = Raw::connect(here[0].1);
    second.says(hello, Some(b"\x00\x00"));
    assert_eq!(first.hears(None), b"", "the newer session counts");
    let heard = second.hears(None);
    assert!(heard.ends_with(b"\x00\x04"), "a heartbeat before the end: {heard:?}");
    assert!(begun.elapsed() >= Duration::from_secs(4), "silence is borne for five seconds");
    assert_eq!(ours.get("ts", b"kept", Datum::Gpc0, 0), Some(1));
    assert_eq!(ours.table("ts").used(), 1);
}
