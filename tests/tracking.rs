//! Entries of stick tables that sessions track: what is counted when, and what rules and expressions make of it, on both
//! programs. What a table itself does is `tests/stick_tables.rs`'s.

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use harness::backends::Backend;
use harness::daemon::Daemon;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports, stats, wait};

/// A configuration with all places where a session can begin to track.
fn config(server: SocketAddr, doors: [SocketAddr; 3]) -> String {
    let all = "conn_cnt,conn_cur,conn_rate(1m),sess_cnt,sess_rate(1m),bytes_in_cnt,bytes_out_cnt,bytes_in_rate(1m),gpc0,gpc1,gpc0_rate(1m),gpt0";
    let [every, content, counted] = doors;
    format!(
        "global\n stats socket {{dir}}/stats level admin\ndefaults\n mode tcp\n timeout client 20s\n timeout server 20s\n timeout connect 5s\n\
         backend c\n stick-table type ip size 10 store {all}\n\
         backend s\n stick-table type ip size 10 store {all}\n\
         backend t\n stick-table type string len 4 size 10 store {all}\n\
         backend a\n stick-table type ip size 10 store gpc(3),gpc_rate(3,1m),gpt(2)\n\
         frontend every\n bind {every}\n tcp-request connection track-sc0 src table c\n tcp-request session track-sc1 src table s\n \
         tcp-request inspect-delay 5s\n tcp-request content track-sc2 req.payload(0,5) table t\n \
         tcp-request content reject if {{ req.payload(0,3) -m str bad }}\n default_backend b\n\
         frontend content\n bind {content}\n tcp-request inspect-delay 5s\n tcp-request content track-sc0 req.payload(0,5) table t\n \
         tcp-request content track-sc0 src table c\n default_backend b\n\
         frontend counted\n bind {counted}\n tcp-request connection track-sc0 src table a\n tcp-request connection sc-inc-gpc(1,0)\n \
         tcp-request connection sc-set-gpt(0,0) 7\n tcp-request connection track-sc1 src table s\n tcp-request connection sc-inc-gpc0(1)\n \
         tcp-request connection sc-inc-gpc1(1)\n tcp-request session sc-set-gpt0(1) src_port,mul(0),add(9)\n \
         tcp-request session sc-inc-gpc0(2)\n tcp-request connection reject if {{ sc_get_gpc(1,0) gt 2 }}\n default_backend b\n\
         backend b\n server s {server}\n"
    )
}

/// One run of a program, and what its tables said after each step.
struct Run {
    _proxy: Proxy,
    _folder: tempfile::TempDir,
    socket: PathBuf,
    said: Vec<String>,
}

impl Run {
    fn start(program: &Program, server: SocketAddr, doors: [SocketAddr; 3]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(server, doors).replace("{dir}", &folder.path().display().to_string());
        let proxy = Proxy::start(program, &config);
        Self { _proxy: proxy, socket: folder.path().join("stats"), _folder: folder, said: Vec::new() }
    }

    /// The entries of a table, without what differs by chance.
    fn entries(&self, table: &str) -> Vec<String> {
        let text = stats::command(&self.socket, &format!("show table {table}"));
        let lines = text.lines().filter(|line| line.starts_with("0x"));
        lines.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect()
    }

    /// Waits until a table's entries say something, and notes what all tables say then.
    fn note(&mut self, step: &str, table: &str, part: &str) {
        wait::until(&format!("{step}: {table} says {part}"), || {
            self.entries(table).iter().any(|line| line.contains(part)).then_some(())
        });
        for table in ["c", "s", "t", "a"] {
            for entry in self.entries(table) {
                self.said.push(format!("{step}: {table} {entry}"));
            }
        }
    }
}

/// Sends, and waits for the echo.
fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("sent");
    let mut back = vec![0; bytes.len()];
    stream.read_exact(&mut back).expect("echoed");
}

fn steps(program: &Program) -> Vec<String> {
    let server = Backend::echo();
    let doors = [ports::free(), ports::free(), ports::free()];
    let mut run = Run::start(program, server.address, doors);
    let [every, content, counted] = doors;

    let mut one = client::connect(every);
    run.note("connected", "s", "use=1");
    say(&mut one, b"hello");
    run.note("first bytes", "t", "use=1");
    say(&mut one, b"world");
    drop(one);
    run.note("ended", "t", "key=hell use=0");

    let mut bad = client::connect(every);
    bad.write_all(b"bad one").expect("sent");
    assert_eq!(client::read_all(&mut bad).unwrap_or_default(), b"");
    run.note("rejected", "t", "key=bad");
    drop(bad);
    run.note("rejected and gone", "c", "use=0");

    let mut twice = [client::connect(content), client::connect(content)];
    for stream in &mut twice {
        say(stream, b"hello there");
    }
    run.note("two of one key", "t", "use=2");
    drop(twice);
    run.note("two ended", "t", "key=hell use=0");

    for count in 1..=2 {
        let mut stream = client::connect(counted);
        say(&mut stream, b"x");
        drop(stream);
        run.note("counted", "a", "use=0");
        assert!(run.entries("a").iter().any(|entry| entry.contains(&format!("{count}"))));
    }
    // refused at once: even the connect may fail
    if let Ok(mut refused) = client::try_connect(counted) {
        assert_eq!(client::read_all(&mut refused).unwrap_or_default(), b"");
    }
    run.note("refused", "a", "use=0");
    run.said
}

#[test]
fn what_is_counted_when_is_the_same_on_both_programs() {
    let theirs = steps(&Program::theirs());
    assert!(theirs.len() > 20, "{theirs:#?}");
    assert_eq!(steps(&Program::ours()), theirs);
}

/// `sc-add-gpc` and `tune.stick-counters` came with 2.8: ours alone.
#[test]
fn later_versions_add_numbers_and_track_more() {
    let (server, door) = (Backend::echo(), ports::free());
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let config = format!(
        "global\n tune.stick-counters 5\n stats socket {} level admin\ndefaults\n mode tcp\n timeout client 20s\n timeout server 20s\n \
         timeout connect 5s\nbackend a\n stick-table type ip size 10 store gpc(3),gpc_rate(3,1m)\n\
         listen l\n bind {door}\n tcp-request connection track-sc4 src table a\n tcp-request connection sc-add-gpc(2,4) 7\n \
         tcp-request connection sc-add-gpc(0,4) dst_port,mul(0),add(3)\n server s {}\n",
        socket.display(),
        server.address
    );
    let _proxy = Proxy::start(&Program::ours(), &config);
    say(&mut client::connect(door), b"x");
    // the wait for the start connects, too
    wait::until("the entry counts", || {
        let said = stats::command(&socket, "show table a");
        let number =
            |name: &str| said.split(&format!(" {name}=")).nth(1)?.split_whitespace().next()?.parse::<u32>().ok();
        let connections = number("gpc0")? / 3;
        let counted = (number("gpc0")?, number("gpc1")?, number("gpc2")?);
        (connections > 0 && counted == (3 * connections, 0, 7 * connections)).then_some(())
    });
}

/// A session that moves is there once in the table of the process that has it, and is counted as a connection once.
#[test]
fn tracked_entries_move_with_their_sessions() {
    let (server, door) = (Backend::echo(), ports::free());
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let config = format!(
        "global\n stats socket {} level admin\ndefaults\n mode tcp\n timeout client 60s\n timeout server 60s\n timeout connect 5s\n\
         listen l\n bind {door}\n stick-table type ip size 10 store conn_cnt,conn_cur,sess_cnt,bytes_in_cnt\n \
         tcp-request connection track-sc0 src\n server s {}\n",
        socket.display(),
        server.address
    );
    let mut daemon = Daemon::start(&Program::ours(), &config);
    let mut streams = [client::connect(door), client::connect(door)];
    streams.iter_mut().for_each(|stream| say(stream, b"hello"));
    let entry = || {
        let said = stats::command(&socket, "show table l");
        Some(said.lines().find(|line| line.starts_with("0x"))?.split_once(": ")?.1.to_owned())
    };
    let before = wait::until("both are tracked", || entry().filter(|entry| entry.contains("conn_cur=2")));
    daemon.reload_well();
    daemon.settle();
    wait::until("they are tracked in the new process", || entry().filter(|now| *now == before));
    streams.iter_mut().for_each(|stream| say(stream, b"again"));
    drop(streams);
    wait::until("they have ended", || entry().filter(|now| now.contains("conn_cur=0")));
    let ended = wait::until("their bytes count", || entry().filter(|now| now.contains("bytes_in_cnt=20")));
    assert!(
        ended.contains("use=0") && ended.contains(&before[before.find("conn_cnt").expect("a count")..][..10]),
        "{ended}"
    );
}
