//! Established sessions over reloads: they go on in the new process, the old one is gone, and nothing of them is lost.
//!
//! Only baton can: no row here is asked of the original.

mod harness;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use harness::backends::{self, Backend};
use harness::client;
use harness::logs::LogReceiver;
use harness::ports;
use harness::program::Program;
use harness::site::Site;
use harness::talkers::Talkers;
use harness::wait;

/// A daemon with one listener `l` in front of one server `s`.
struct Plain {
    door: SocketAddr,
    site: Site,
}

impl Plain {
    /// With these lines of `global` and of the listener, and these words on the server's line.
    #[track_caller]
    fn start(global: &str, listen: &str, server: SocketAddr, words: &str) -> Self {
        let door = ports::free();
        let sections = format!("listen l\n  bind {door}\n{listen}\n  server s {server} {words}\n");
        Self { door, site: Site::start_with(&Program::ours(), global, &sections) }
    }

    /// Reloads, and waits until one process is left, which has `sessions` of its frontend.
    #[track_caller]
    fn reload(&mut self, sessions: i64) {
        self.site.reload();
        self.site.wait_for("l", "FRONTEND", "scur", sessions);
    }
}

/// The fields of a tcplog line behind the client's address: date, names, timers, bytes, termination…
fn line_of(log: &LogReceiver, client: SocketAddr) -> Vec<String> {
    let line = log.wait_for(&format!(" {client} ["));
    let rest = line.split_once(&format!(" {client} ")).unwrap().1;
    rest.split(' ').map(str::to_owned).collect()
}

#[test]
fn sessions_go_on_over_reloads() {
    let echo = Backend::echo();
    for threads in [1, 2] {
        let mut plain = Plain::start(&format!("  nbthread {threads}"), "", echo.address, "");
        let begun = Instant::now();
        let talkers = Talkers::start(plain.door, 40);
        for _ in 0..8 {
            plain.reload(40);
            talkers.wait_messages(80);
        }
        let ended = talkers.finish();
        let lasted = begun.elapsed().as_millis();
        let lines = plain.site.log.wait_count(" l l/s ", ended.len());
        assert_eq!(lines.len(), ended.len(), "a line for each session: {lines:#?}");
        for (client, bytes) in ended {
            let fields = line_of(&plain.site.log, client);
            assert_eq!(fields[4], bytes.to_string(), "bytes of {client}: {fields:?}");
            assert_eq!(fields[5], "--", "{client}: {fields:?}");
            let total: u128 = fields[3].rsplit('/').next().unwrap().parse().unwrap();
            assert!(total <= lasted && total > lasted / 2, "{client} lasted {total} of {lasted} ms: {fields:?}");
        }
        let stats = plain.site.stats();
        for (server, column, want) in [("FRONTEND", "scur", 0), ("s", "scur", 0), ("BACKEND", "scur", 0)] {
            assert_eq!(stats.number("l", server, column), want, "{server} {column}");
        }
    }
}

/// A server that says what came of its clients: for each connection, the bytes up to the end of the stream.
fn listener_server(answer: &'static [u8]) -> (Backend, mpsc::Receiver<Vec<u8>>) {
    let (tell, told) = mpsc::channel();
    let server = Backend::start(move |mut stream| {
        let _ = stream.write_all(answer);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = tell.send(all);
        let _ = stream.write_all(b"bye");
    });
    (server, told)
}

#[test]
fn half_closed_sessions_move() {
    // The client has ended; the server has not, and answers after the reload.
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let server = Backend::start(move |mut stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = gone.lock().unwrap().recv();
        let _ = stream.write_all(&all);
    });
    let mut plain = Plain::start("", "", server.address, "");
    let mut stream = client::connect(plain.door);
    stream.write_all(b"question").unwrap();
    client::half_close(&stream);
    wait::until_true("the session to be there", || plain.site.stats().number("l", "s", "scur") == 1);
    plain.reload(1);
    plain.reload(1);
    go.send(()).unwrap();
    assert_eq!(client::read_all(&mut stream).unwrap(), b"question");
    let fields = line_of(&plain.site.log, stream.local_addr().unwrap());
    assert_eq!((fields[4].as_str(), fields[5].as_str()), ("8", "--"));

    // The server has ended; the client goes on.
    let (tell, told) = mpsc::channel();
    let server = Backend::start(move |mut stream| {
        let _ = stream.write_all(b"hello");
        let _ = stream.shutdown(Shutdown::Write);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = tell.send(all);
    });
    let mut plain = Plain::start("", "", server.address, "");
    let mut stream = client::connect(plain.door);
    assert_eq!(client::read_all(&mut stream).unwrap(), b"hello");
    stream.write_all(b"before ").unwrap();
    plain.reload(1);
    stream.write_all(b"after").unwrap();
    drop(stream);
    assert_eq!(told.recv_timeout(wait::PATIENCE).unwrap(), b"before after");
}

/// A flood of counted bytes to a client that does not read, through pipes or through buffers.
#[test]
fn bytes_that_wait_move() {
    const SIZE: usize = 24 * 1024 * 1024;
    let pattern = |at: usize| (at as u32).wrapping_mul(2_654_435_761).to_le_bytes()[1];
    let server = Backend::start(move |mut stream| {
        let bytes: Vec<u8> = (0..SIZE).map(pattern).collect();
        let mut writer = stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || drop(writer.write_all(&bytes)));
        let mut count = 0;
        let mut buffer = [0; 65_536];
        while let Ok(got @ 1..) = stream.read(&mut buffer) {
            for byte in &buffer[..got] {
                assert_eq!(*byte, pattern(count), "byte {count}");
                count += 1;
            }
        }
        let _ = writing.join();
        let _ = stream.write_all(&count.to_le_bytes());
    });
    for global in ["", "  nosplice"] {
        let mut plain = Plain::start(global, "", server.address, "");
        let mut stream = client::connect(plain.door);
        let address = stream.local_addr().unwrap();
        let mut writer = stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || {
            let bytes: Vec<u8> = (0..SIZE).map(pattern).collect();
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut read = 0;
        for _ in 0..6 {
            plain.reload(1);
            let mut some = vec![0; SIZE / 24];
            stream.read_exact(&mut some).unwrap();
            for byte in some {
                assert_eq!(byte, pattern(read), "byte {read}, {global}");
                read += 1;
            }
        }
        let rest = client::read_all(&mut stream).unwrap();
        writing.join().unwrap();
        let (rest, count) = rest.split_at(rest.len() - 8);
        assert!(rest.iter().all(|byte| {
            read += 1;
            *byte == pattern(read - 1)
        }));
        assert_eq!((read, usize::from_le_bytes(count.try_into().unwrap())), (SIZE, SIZE));
        let fields = line_of(&plain.site.log, address);
        assert_eq!((fields[4].as_str(), fields[5].as_str()), (&*(SIZE + 8).to_string(), "--"), "{fields:?}");
    }
}

#[test]
fn queued_sessions_wait_on() {
    let echo = Backend::echo();
    let mut plain = Plain::start("", "  timeout queue 30s", echo.address, "maxconn 1");
    let mut first = client::connect(plain.door);
    client::echo(&mut first, b"first");
    let mut waiting: Vec<TcpStream> = Vec::new();
    for number in 1..=3 {
        let mut stream = client::connect(plain.door);
        stream.write_all(b"hello").unwrap();
        wait::until_true("it to wait", || plain.site.stats().number("l", "BACKEND", "qcur") == number);
        waiting.push(stream);
    }
    for _ in 0..2 {
        plain.reload(4);
        wait::until_true("all to wait there", || {
            let stats = plain.site.stats();
            (stats.number("l", "s", "scur"), stats.number("l", "BACKEND", "qcur")) == (1, 3)
        });
    }
    let begun = Instant::now();
    drop(first);
    for mut stream in waiting {
        let mut back = [0; 5];
        if let Err(why) = stream.read_exact(&mut back) {
            let stats = plain.site.stats();
            let rows = [("s", "scur"), ("s", "qcur"), ("BACKEND", "qcur"), ("BACKEND", "scur"), ("FRONTEND", "scur")];
            panic!("{why}: {:?}", rows.map(|(server, column)| stats.number("l", server, column)));
        }
        assert_eq!(&back, b"hello", "first come, first served");
        let address = stream.local_addr().unwrap();
        drop(stream);
        let fields = line_of(&plain.site.log, address);
        assert_eq!(fields[5], "--", "{fields:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Places in the queue as without a reload: the third had two before it.
    let lines = plain.site.log.wait_count(" l l/s ", 4);
    let places: Vec<&str> = lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(places, ["0/0", "0/1", "0/2", "0/3"], "{lines:#?}");
}

#[test]
fn a_queue_time_goes_on() {
    let echo = Backend::echo();
    let mut plain = Plain::start("", "  timeout queue 6s", echo.address, "maxconn 1");
    let mut first = client::connect(plain.door);
    client::echo(&mut first, b"first");
    let begun = Instant::now();
    let mut second = client::connect(plain.door);
    second.write_all(b"x").unwrap();
    wait::until_true("it to wait", || plain.site.stats().number("l", "BACKEND", "qcur") == 1);
    wait::until_true("half of its time", || begun.elapsed() > Duration::from_secs(3));
    plain.reload(2);
    let fields = line_of(&plain.site.log, second.local_addr().unwrap());
    assert_eq!(fields[5], "sQ", "{fields:?}");
    let total: u64 = fields[3].rsplit('/').next().unwrap().parse().unwrap();
    assert!((5950..8900).contains(&total), "it waited {total} ms, and not 6000: {fields:?}");
}

#[test]
fn idle_times_go_on() {
    let echo = Backend::echo();
    let mut plain = Plain::start("", "  timeout client 6s", echo.address, "");
    let mut stream = client::connect(plain.door);
    client::echo(&mut stream, b"now");
    let begun = Instant::now();
    wait::until_true("half of its time", || begun.elapsed() > Duration::from_secs(3));
    plain.reload(1);
    let fields = line_of(&plain.site.log, stream.local_addr().unwrap());
    assert_eq!(fields[5], "cD", "{fields:?}");
    let total: u64 = fields[3].rsplit('/').next().unwrap().parse().unwrap();
    assert!((5950..8900).contains(&total), "it was idle for {total} ms, and not 6000: {fields:?}");
}

#[test]
fn a_connection_on_its_way_moves() {
    let deaf = backends::Deaf::new();
    let mut plain = Plain::start("", "  timeout connect 6s\n  retries 0", deaf.address, "");
    let mut stream = client::connect(plain.door);
    stream.write_all(b"hello").unwrap();
    wait::until_true("the session to be there", || plain.site.stats().number("l", "s", "scur") == 1);
    let begun = Instant::now();
    wait::until_true("half of its time", || begun.elapsed() > Duration::from_secs(3));
    plain.reload(1);
    let fields = line_of(&plain.site.log, stream.local_addr().unwrap());
    assert_eq!(fields[5], "sC", "{fields:?}");
    let total: u64 = fields[3].rsplit('/').next().unwrap().parse().unwrap();
    assert!((5950..8900).contains(&total), "it took {total} ms, and not 6000: {fields:?}");
}

#[test]
fn proxy_headers_are_not_repeated() {
    let (server, told) = listener_server(b"");
    let mut plain = Plain::start("", "", server.address, "send-proxy");
    let door = plain.door;
    let mut stream = client::connect(door);
    stream.write_all(b"one ").unwrap();
    wait::until_true("the session to be there", || plain.site.stats().number("l", "s", "scur") == 1);
    plain.reload(1);
    stream.write_all(b"two").unwrap();
    client::half_close(&stream);
    let address = stream.local_addr().unwrap();
    let header = format!("PROXY TCP4 {} {} {} {}\r\n", address.ip(), door.ip(), address.port(), door.port());
    assert_eq!(String::from_utf8(told.recv_timeout(wait::PATIENCE).unwrap()).unwrap(), header + "one two");
    assert_eq!(client::read_all(&mut stream).unwrap(), b"bye");
}

#[test]
fn an_announced_client_stays_who_it_is() {
    let echo = Backend::echo();
    let door = ports::free();
    let sections = format!("listen l\n  bind {door} accept-proxy\n  server s {}\n", echo.address);
    let mut site = Site::start(&Program::ours(), &sections);
    let mut stream = client::connect(door);
    stream.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 80\r\n").unwrap();
    client::echo(&mut stream, b"one");
    site.reload();
    client::echo(&mut stream, b"two");
    drop(stream);
    site.log.wait_for(" 192.0.2.7:4711 [");
}
