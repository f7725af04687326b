//! Sessions that a reload meets while rules wait for what they say: they go on in the new process as if nothing had been.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;

use crate::harness::backends::Backend;
use crate::harness::daemon::Daemon;
use crate::harness::logs::LogReceiver;
use crate::harness::program::Program;
use crate::harness::sockets::{self, Side};
use crate::harness::stats::Stats;
use crate::harness::{client, ports, wait};

/// Reloads in a row.
const RELOADS: usize = 20;

fn stat(folder: &Path, proxy: &str, name: &str, column: &str) -> i64 {
    Stats::from_socket(&folder.join("stats")).number(proxy, name, column)
}

struct Stage {
    daemon: Daemon,
    door: SocketAddr,
    log: LogReceiver,
}

/// A daemon with these sections, in which `DOOR` stands for an address.
fn start(sections: &str) -> Stage {
    let (log, sink) = LogReceiver::udp();
    let door = ports::free();
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "global\n nbthread 2\n stats socket {}/stats\n\
         defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n log {sink} local0\n option tcplog\n{}\n",
        folder.path().display(),
        sections.replace("DOOR", &door.to_string())
    );
    Stage { daemon: Daemon::start_in(&Program::ours(), &config, folder), door, log }
}

impl Stage {
    fn wait(&self, proxy: &str, name: &str, column: &str, value: i64) {
        wait::until_true(&format!("{column} of {proxy}/{name} to be {value}"), || {
            stat(self.daemon.folder(), proxy, name, column) == value
        });
    }
}

fn hears(stream: &mut TcpStream, bytes: &[u8]) {
    let mut heard = vec![0; bytes.len()];
    stream.read_exact(&mut heard).expect("bytes come");
    assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(bytes));
}

#[test]
fn clients_are_waited_for_over_twenty_reloads() {
    let echo = Backend::echo();
    let mut stage = start(&format!(
        "frontend f\n bind DOOR\n tcp-request inspect-delay 50s\n\
         tcp-request connection set-var(sess.who) str(early)\n\
         tcp-request content set-log-level notice\n\
         tcp-request content accept if {{ req.len ge {} }}\n\
         use_backend b if {{ var(sess.who) -m str early }}\n\
         backend b\n server s {}\n",
        RELOADS + 1,
        echo.address
    ));
    let mut stream = client::connect(stage.door);
    for round in 0..RELOADS {
        stream.write_all(b"x").expect("sent");
        stage.wait("f", "FRONTEND", "scur", 1);
        stage.daemon.reload_well();
        stage.daemon.settle();
        assert_eq!(echo.accepted(), 0, "no server is asked before the rules have decided ({round})");
        stage.wait("f", "FRONTEND", "scur", 1);
        assert_eq!(stat(stage.daemon.folder(), "b", "BACKEND", "scur"), 0, "it has no backend yet");
    }
    stream.write_all(b"y").expect("sent");
    let all = [vec![b'x'; RELOADS], vec![b'y']].concat();
    hears(&mut stream, &all);
    client::echo(&mut stream, b"and so on");
    assert_eq!(stat(stage.daemon.folder(), "b", "BACKEND", "scur"), 1);
    client::half_close(&stream);
    let _ = client::read_all(&mut stream);
    let line = stage.log.wait_for("f b/s ");
    assert!(line.starts_with("<133>"), "the level that a rule set before the reloads: {line}");
    stage.wait("b", "BACKEND", "scur", 0);
    stage.wait("b", "BACKEND", "stot", 1);
}

#[test]
fn the_delay_goes_on_over_a_reload() {
    let echo = Backend::echo();
    let mut stage = start(&format!(
        "listen l\n bind DOOR\n tcp-request inspect-delay 4s\n tcp-request content accept if {{ req.len ge 100 }}\n\
         tcp-request content reject\n server s {}\n",
        echo.address
    ));
    let begun = std::time::Instant::now();
    let mut stream = client::connect(stage.door);
    stream.write_all(b"some").expect("sent");
    stage.wait("l", "FRONTEND", "scur", 1);
    stage.daemon.reload_well();
    assert_eq!(client::read_all(&mut stream).expect("a FIN"), b"");
    let passed = begun.elapsed().as_secs_f64();
    assert!((3.9..7.0).contains(&passed), "refused after {passed} s");
    let line = stage.log.wait_for(" l l/");
    assert!(line.contains(" PR "), "{line}");
    stage.wait("l", "FRONTEND", "dreq", 1);
    assert_eq!(echo.accepted(), 0);
}

#[test]
fn servers_are_waited_for_over_twenty_reloads() {
    let (say, said) = std::sync::mpsc::channel::<()>();
    let said = std::sync::Mutex::new(said);
    let server = Backend::start(move |mut stream| {
        let said = said.lock().expect("the orders");
        while said.recv().is_ok() {
            if stream.write_all(b"x").is_err() {
                return;
            }
        }
    });
    let mut stage = start(&format!(
        "listen l\n bind DOOR\n tcp-response inspect-delay 50s\n tcp-response content accept if {{ res.len ge {RELOADS} }}\n\
         tcp-response content reject\n server s {}\n",
        server.address
    ));
    let mut stream = client::connect(stage.door);
    stage.wait("l", "s", "scur", 1);
    stream.set_nonblocking(true).expect("an option");
    for round in 0..RELOADS {
        assert!(stream.peek(&mut [0]).is_err(), "nothing comes before the rules have decided ({round})");
        stage.daemon.reload_well();
        stage.daemon.settle();
        stage.wait("l", "s", "scur", 1);
        say.send(()).expect("the server lives");
    }
    stream.set_nonblocking(false).expect("an option");
    hears(&mut stream, &[b'x'; RELOADS]);
    say.send(()).expect("the server lives");
    hears(&mut stream, b"x");
    drop(say);
    assert_eq!(client::read_all(&mut stream).expect("a FIN"), b"");
}

#[test]
fn addresses_that_rules_set_stay_over_a_reload() {
    let header = Backend::start(|mut stream| {
        let mut head = [0; 108];
        let count = stream.read(&mut head).unwrap_or(0);
        let _ = stream.write_all(&head[..count]);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut stage = start(&format!(
        "listen l\n bind DOOR\n tcp-request connection set-src str(192.0.2.1)\n tcp-request connection set-src-port int(7)\n\
         tcp-request connection set-dst str(192.0.2.2)\n tcp-request connection set-dst-port int(8)\n\
         tcp-request inspect-delay 50s\n tcp-request content accept if {{ req.len ge 2 }}\n server s {} send-proxy\n",
        header.address
    ));
    let mut stream = client::connect(stage.door);
    stream.write_all(b"a").expect("sent");
    stage.wait("l", "FRONTEND", "scur", 1);
    stage.daemon.reload_well();
    stage.daemon.settle();
    stream.write_all(b"b").expect("sent");
    hears(&mut stream, b"PROXY TCP4 192.0.2.1 192.0.2.2 7 8\r\nab");
}

/// A session whose name server is silent asks the new process's. Rules before that are not looked at again, unless there are others
/// now.
#[test]
fn a_name_is_asked_for_anew_after_a_reload() {
    for (more, looked) in [("", "1"), ("tcp-request content set-log-level notice\n", "2")] {
        let echo = Backend::echo();
        let mute = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let mut stage = start(&format!(
            "resolvers dns\n nameserver one {}\n timeout retry 1h\n\
             listen l\n bind DOOR\n log-format looked:%[sc_get_gpc0(0)]\n stick-table type ip size 9 store gpc0\n\
             tcp-request inspect-delay 50s\n\
             tcp-request content track-sc0 src\n tcp-request content sc-inc-gpc0(0)\n\
             tcp-request content do-resolve(txn.ip,dns,ipv4) str(a.test)\n\
             tcp-request content set-dst var(txn.ip)\n server s 0.0.0.0:{}\n",
            mute.local_addr().expect("bound"),
            echo.address.port()
        ));
        let mut stream = client::connect(stage.door);
        stage.wait("l", "FRONTEND", "scur", 1);
        let mut question = [0; 512];
        mute.recv(&mut question).expect("a question");
        let path = stage.daemon.folder().join("haproxy.cfg");
        let before = std::fs::read_to_string(&path).expect("the configuration");
        let after = before.replace("tcp-request inspect-delay", &format!("{more}tcp-request inspect-delay"));
        std::fs::write(&path, after).expect("the configuration is written");
        stage.daemon.reload_well();
        let (_, asker) = mute.recv_from(&mut question).expect("a question of the new process");
        // the answer: the question's own head and name, and one address
        let end = question.windows(5).position(|bytes| bytes == b"\0\0\x01\0\x01").expect("a question of type A") + 5;
        let IpAddr::V4(address) = echo.address.ip() else { unreachable!("the echo server's address is IPv4") };
        let mut answer = [
            &question[..2],
            b"\x81\x80\0\x01\0\x01\0\0\0\0",
            &question[12..end],
            b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04",
        ]
        .concat();
        answer.extend(address.octets());
        mute.send_to(&answer, asker).expect("sent");
        client::echo(&mut stream, b"hello");
        drop(stream);
        let line = stage.log.wait_for("looked:");
        assert!(line.ends_with(&format!("looked:{looked}")), "{more:?}: {line}");
    }
}

/// What rules said of the connection to the server holds in the new process, which is not told again.
#[test]
fn what_rules_set_for_the_server_stays_over_a_reload() {
    let echo = Backend::echo();
    let first = "unless { var(sess.told) -m found }";
    let mut stage = start(&format!(
        "listen l\n bind DOOR\n tcp-request inspect-delay 50s\n\
         tcp-request content set-bc-mark 9 {first}\n tcp-request content set-bc-tos 0x40 {first}\n\
         tcp-request content set-retries int(0) {first}\n tcp-request content set-var(sess.told) int(1)\n\
         tcp-request content accept if {{ req.len ge 2 }}\n\
         use-server away if {{ req.payload(0,2) -m str xx }}\n server here {}\n server away {} weight 0\n",
        echo.address,
        ports::refused()
    ));
    let mut streams = [client::connect(stage.door), client::connect(stage.door)];
    streams.iter_mut().for_each(|stream| stream.write_all(b"x").expect("sent"));
    stage.wait("l", "FRONTEND", "scur", 2);
    stage.daemon.reload_well();
    stage.daemon.settle();
    stage.wait("l", "FRONTEND", "scur", 2);
    let [mut here, mut away] = streams;
    here.write_all(b"y").expect("sent");
    hears(&mut here, b"xy");
    let option = |name| sockets::option(stage.daemon.pid(), Side::To, &echo.address.to_string(), name);
    assert_eq!((option("mark"), option("tos")), (Ok("9".to_owned()), Ok("64".to_owned())));
    away.write_all(b"x").expect("sent");
    assert_eq!(client::read_all(&mut away).expect("a FIN"), b"");
    let line = stage.log.wait_for(" l/away ");
    let connections = line.split(' ').find(|word| word.matches('/').count() == 4).expect("numbers of connections");
    assert!(line.contains(" SC ") && connections.ends_with("/0"), "without a retry: {line}");
}
