//! One proxy with its log, and a server that keeps what each connection said.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::harness::backends::Backend;
use crate::harness::logs::LogReceiver;
use crate::harness::program::Program;
use crate::harness::proxy::Proxy;
use crate::harness::stats::Stats;
use crate::harness::{client, ports, wait};

/// A header of version 1 that says all there is to say.
pub(crate) const V1: &[u8] = b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n";
/// What begins every header of version 2.
pub(crate) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// 1.2.3.4:1111 and 5.6.7.8:2222 as version 2 has them.
pub(crate) const ADDRESSES: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 4, 87, 8, 174];

/// A header of version 2.
pub(crate) fn v2(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short header").to_be_bytes();
    [SIGNATURE, &[version_command, family], &length, body].concat()
}

/// A field of a version 2 header.
pub(crate) fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short value").to_be_bytes();
    [&[kind], &length[..], value].concat()
}

/// A server that reads to the end, says `bye`, and gives what it read to the receiver.
pub(crate) fn recorder() -> (Backend, Receiver<Vec<u8>>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let backend = Backend::start(move |mut stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = stream.write_all(b"bye");
        let _ = tell.lock().expect("the channel").send(all);
    });
    (backend, told)
}

/// A running proxy. `lines` are its sections; `DOOR`, `SERVER`, `LOG` and `DIR` in them are filled in.
pub(crate) struct Stage {
    pub door: SocketAddr,
    pub log: LogReceiver,
    pub told: Receiver<Vec<u8>>,
    pub folder: tempfile::TempDir,
    _backend: Backend,
    _proxy: Proxy,
}

impl Stage {
    pub(crate) fn new(program: &Program, lines: &str) -> Self {
        let (log, sink) = LogReceiver::udp();
        let (backend, told) = recorder();
        let door = ports::free();
        let folder = tempfile::tempdir().expect("a folder");
        let lines = lines
            .replace("DOOR", &door.to_string())
            .replace("SERVER", &backend.address.to_string())
            .replace("DIR", &folder.path().display().to_string());
        let config = format!(
            "global\n nbthread 1\n stats socket {}/stats\n\
             defaults\n mode tcp\n log {sink} local0\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n{lines}",
            folder.path().display()
        );
        let proxy = Proxy::start(program, &config);
        Self { door, log, told, folder, _backend: backend, _proxy: proxy }
    }

    /// What the server was told by its next connection.
    pub(crate) fn next(&self) -> Vec<u8> {
        self.told.recv_timeout(wait::PATIENCE).expect("the server is told something")
    }

    /// The `nth` log line from 0, without what differs from run to run.
    pub(crate) fn line(&self, nth: usize) -> String {
        wait::until("a log line", || self.log.lines().get(nth).map(|line| plain(line)))
    }

    pub(crate) fn stat(&self, proxy: &str, name: &str, column: &str) -> i64 {
        Stats::from_socket(&self.folder.path().join("stats")).number(proxy, name, column)
    }
}

/// Sends `bytes` and a FIN; how the connection ends.
pub(crate) fn say(stream: &mut TcpStream, bytes: &[u8]) -> String {
    // Who is refused early may find no connection to write to.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    match client::read_all(stream) {
        Ok(all) => format!("fin after {:?}", all.escape_ascii().to_string()),
        Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => panic!("neither data nor an end"),
        Err(_) => "reset".to_owned(),
    }
}

/// A line without program, process id, date and times; the priority stays.
pub(crate) fn plain(line: &str) -> String {
    let (priority, rest) = line.split_once('>').unwrap_or_else(|| panic!("no priority in {line:?}"));
    let (_, rest) = rest.split_once("]: ").unwrap_or_else(|| panic!("no tag in {line:?}"));
    let Some((client, rest)) = rest.split_once(" [") else { return format!("{priority}> {rest}") };
    let (_, rest) = rest.split_once("] ").unwrap_or_else(|| panic!("no end of date in {line:?}"));
    let words: Vec<&str> = rest.split(' ').collect();
    match words[..] {
        [front, server, times, ref rest @ ..] if times.split('/').count() == 3 => {
            format!("{priority}> {client} {front} {server} TIMES {}", rest.join(" "))
        }
        _ => format!("{priority}> {client} {rest}"),
    }
}

/// Plays on both programs: what is seen must be the same.
pub(crate) fn alike(play: impl Fn(&Program) -> Vec<String>) {
    let (theirs, ours) = (play(&Program::theirs()), play(&Program::under_test()));
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(ours, theirs, "haproxy's stands right");
    }
    assert_eq!(ours.len(), theirs.len());
}
