//! The engine from inside: bytes arrive whole and in order, limits are exact, orders are obeyed.

mod engine;
mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;

use baton::ir::{Global, ProxyIx, ServerAddress, ServerIx};
use baton::pool::{Cause, Closing, Phase};
use engine::{Line, listen, server};
use harness::backends::Backend;
use harness::{client, wait};

/// A xorshift generator: the bytes of a stream and the sizes of its pieces.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// Sends `total` bytes that `seed` makes, in pieces of 8 bytes to 96 KiB, now and then with a pause.
fn send(mut stream: &TcpStream, seed: u64, total: usize) {
    let mut bytes = Noise(seed);
    let mut sizes = Noise(seed ^ 0xdead_beef);
    let mut left = total;
    let mut piece = vec![0; 96 * 1024];
    while left > 0 {
        let size = match sizes.next() % 4 {
            0 => 8 * (1 + sizes.next() as usize % 16),
            1 => 8 * (1 + sizes.next() as usize % 512),
            _ => 8 * (1 + sizes.next() as usize % (12 * 1024)),
        };
        let size = size.min(left);
        bytes.fill(&mut piece[..size]);
        stream.write_all(&piece[..size]).expect("bytes go out");
        left -= size;
        if sizes.next().is_multiple_of(97) {
            std::thread::park_timeout(std::time::Duration::from_millis(3));
        }
    }
}

/// Reads to the end and checks every byte; slow readers pause.
fn receive(mut stream: &TcpStream, seed: u64, total: usize, slow: bool) {
    let mut bytes = Noise(seed);
    let mut sizes = Noise(seed ^ 0xcafe);
    let mut buffer = vec![0; 128 * 1024];
    let mut want = Vec::new();
    let mut got = 0;
    loop {
        let limit = 1 + sizes.next() as usize % buffer.len();
        let count = stream.read(&mut buffer[..limit]).expect("bytes come in");
        if count == 0 {
            break;
        }
        while want.len() < count {
            want.extend_from_slice(&bytes.next().to_le_bytes());
        }
        assert!(buffer[..count] == want[..count], "other bytes between {got} and {}", got + count);
        want.drain(..count);
        got += count;
        if slow && sizes.next().is_multiple_of(61) {
            std::thread::park_timeout(std::time::Duration::from_millis(9));
        }
    }
    assert_eq!(got, total);
}

/// Both directions at once through an engine, then both ends closed one after the other.
fn both_ways(sizes: (usize, usize), slow: (bool, bool), splice: bool) {
    let (up, down) = sizes;
    let backend = Backend::start(move |stream| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                send(&stream, 2, down);
                client::half_close(&stream);
            });
            receive(&stream, 1, up, slow.1);
        });
    });
    let global = Global { no_splice: !splice, ..Global::default() };
    let line = Line::start_with(global, listen(vec![server("s1", backend.address)]), 1);
    let stream = client::connect(line.listen);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            send(&stream, 1, up);
            client::half_close(&stream);
        });
        receive(&stream, 2, down, slow.0);
    });
    drop(stream);
    let record = &line.ended(1)[0];
    assert_eq!((record.bytes_in, record.bytes_out), (up as u64, down as u64));
    assert_eq!((record.termination.cause, record.termination.phase), (Cause::Normal, Phase::Done));
}

/// `BATON_BULK` is the size in MiB of the large streams: 16 here, 1024 by hand.
fn bulk() -> usize {
    std::env::var("BATON_BULK").ok().and_then(|text| text.parse().ok()).unwrap_or(16) << 20
}

#[test]
fn small_streams_arrive_whole() {
    for size in [0, 1, 7, 8, 4095, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 100_000] {
        both_ways((size, 3), (false, false), true);
        both_ways((5, size), (false, false), false);
    }
}

#[test]
fn large_streams_arrive_whole_through_pipes() {
    both_ways((bulk(), bulk()), (false, false), true);
}

#[test]
fn large_streams_arrive_whole_without_pipes() {
    both_ways((bulk(), bulk()), (false, false), false);
}

#[test]
fn slow_readers_get_everything_through_pipes() {
    both_ways((bulk() / 2, bulk() / 2), (true, true), true);
}

#[test]
fn slow_readers_get_everything_without_pipes() {
    both_ways((bulk() / 2, bulk() / 2), (true, true), false);
}

#[test]
fn one_slow_side_does_not_hold_up_the_other() {
    both_ways((bulk(), bulk() / 4), (true, false), true);
}

#[test]
fn a_client_that_ended_gets_its_answer() {
    let backend = Backend::start(|mut stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = stream.write_all(&all);
    });
    let line = Line::start(listen(vec![server("s1", backend.address)]), 1);
    let mut stream = client::connect(line.listen);
    stream.write_all(b"question").expect("sent");
    client::half_close(&stream);
    assert_eq!(client::read_all(&mut stream).expect("an answer"), b"question");
}

#[test]
fn sessions_spread_evenly_over_servers_and_threads() {
    for threads in [1, 2, 4] {
        let servers: Vec<Backend> = (0..3).map(|_| Backend::echo()).collect();
        let list = servers.iter().enumerate().map(|(i, one)| server(&format!("s{i}"), one.address)).collect();
        let line = Line::start(listen(list), threads);
        for done in 1..=300 {
            client::echo(&mut client::connect(line.listen), &[1; 8]);
            line.ended(done); // one after the other: what has not ended counts as a load
        }
        let back = line.pool.back(ProxyIx(0)).expect("a backend");
        let counts: Vec<u64> = back.servers.iter().map(|server| server.sessions_total.get()).collect();
        assert!(counts.iter().all(|count| (99..=101).contains(count)), "{threads} threads: {counts:?}");
        wait::until_true("all counts to go back to 0", || {
            back.sessions.get() == 0 && back.servers.iter().all(|server| server.sessions.get() == 0)
        });
    }
}

#[test]
fn a_servers_maxconn_is_never_exceeded() {
    let busy = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let most = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (now, max) = (busy.clone(), most.clone());
    let backend = Backend::start(move |mut stream| {
        use std::sync::atomic::Ordering::SeqCst;
        max.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
        let mut bytes = [0; 8];
        let _ = stream.read_exact(&mut bytes);
        now.fetch_sub(1, SeqCst);
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut bytes);
    });
    let mut only = server("s1", backend.address);
    only.maxconn = 3;
    let line = Line::start(listen(vec![only]), 2);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..25 {
                    client::echo(&mut client::connect(line.listen), &[9; 8]);
                }
            });
        }
    });
    line.ended(400);
    assert!(most.load(std::sync::atomic::Ordering::SeqCst) <= 3);
    let back = line.pool.back(ProxyIx(0)).expect("a backend");
    assert!(back.servers[0].sessions.max() <= 3 && back.queue.max() > 0, "{:?}", back.queue);
}

#[test]
fn over_maxconn_waits_in_the_backlog() {
    let echo = Backend::echo();
    let mut proxy = listen(vec![server("s1", echo.address)]);
    proxy.frontend.as_mut().expect("a client side").maxconn = Some(2);
    let line = Line::start(proxy, 2);
    let mut first = [client::connect(line.listen), client::connect(line.listen)];
    first.iter_mut().for_each(|stream| client::echo(stream, &[1; 8]));
    let mut third = client::connect(line.listen);
    third.write_all(b"waiting!").expect("sent");
    let front = line.pool.front(ProxyIx(0)).expect("a frontend");
    third.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("a limit");
    assert!(third.read(&mut [0; 8]).is_err(), "the third was served");
    assert_eq!((front.sessions.get(), front.connections_total.get()), (2, 2));
    drop(first);
    third.set_read_timeout(Some(std::time::Duration::from_secs(15))).expect("a limit");
    let mut back = [0; 8];
    third.read_exact(&mut back).expect("served");
    assert_eq!((&back, front.sessions.max()), (b"waiting!", 2));
}

#[test]
fn sessions_are_ended_by_order_and_others_go_on() {
    let (one, two) = (Backend::echo(), Backend::echo());
    let line = Line::start(listen(vec![server("s1", one.address), server("s2", two.address)]), 2);
    let mut streams: Vec<TcpStream> = (0..6).map(|_| client::connect(line.listen)).collect();
    streams.iter_mut().for_each(|stream| client::echo(stream, &[1; 8]));
    line.control().close(Closing::Server(ProxyIx(0), ServerIx(0)), Cause::Down);
    let ended = line.ended(3);
    assert!(ended.iter().all(|record| record.server == Some(ServerIx(0))));
    assert!(
        ended.iter().all(|record| (record.termination.cause, record.termination.phase) == (Cause::Down, Phase::Done))
    );
    let alive = streams.iter_mut().filter(|stream| {
        let mut stream: &TcpStream = stream;
        stream.write_all(&[2; 8]).is_ok() && stream.read_exact(&mut [0; 8]).is_ok()
    });
    assert_eq!(alive.count(), 3);
}

#[test]
fn a_pause_keeps_connections_waiting_and_a_soft_stop_lets_sessions_end() {
    let echo = Backend::echo();
    let line = Line::start(listen(vec![server("s1", echo.address)]), 2);
    let mut first = client::connect(line.listen);
    client::echo(&mut first, &[1; 8]);
    let control = line.control();
    control.pause(None);
    let mut waiting = client::connect(line.listen);
    waiting.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("a limit");
    waiting.write_all(&[2; 8]).expect("sent");
    assert!(waiting.read(&mut [0; 8]).is_err(), "served in a pause");
    control.resume(None);
    waiting.set_read_timeout(Some(std::time::Duration::from_secs(15))).expect("a limit");
    waiting.read_exact(&mut [0; 8]).expect("served after it");

    let address = line.listen;
    let copies = control.listeners().expect("copies");
    assert_eq!(copies.len(), 1);
    control.soft_stop();
    drop(copies);
    wait::until_true("the port to close", || client::try_connect(address).is_err());
    client::echo(&mut first, &[3; 8]);
    drop((first, waiting));
    line.ended(2);
    line.wait();
}

#[test]
fn a_listening_socket_that_another_process_shares_goes_on_after_a_soft_stop() {
    let echo = Backend::echo();
    let line = Line::start(listen(vec![server("s1", echo.address)]), 1);
    let address = line.listen;
    let copy = line.control().listeners().expect("copies").remove(0);
    line.control().soft_stop();
    line.wait();
    let waiting = client::connect(address);
    let listener = std::net::TcpListener::from(copy);
    listener.set_nonblocking(false).expect("blocking");
    let (_, peer) = listener.accept().expect("it still listens");
    assert_eq!(peer, waiting.local_addr().expect("an address"));
}

#[test]
fn a_server_without_address_or_port_is_where_the_client_went() {
    let near = Backend::start_at(harness::ports::free_on([127, 0, 0, 1].into()), |mut stream| {
        let _ = stream.write_all(b"near");
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = listener.local_addr().expect("its address").port();
    let mut only = server("s1", "0.0.0.0:0".parse().expect("an address"));
    only.port_offset = Some(i32::from(near.address.port()) - i32::from(own));
    let line = Line::start_on(listener, Global::default(), listen(vec![only]), 1);
    let mut stream = client::connect(line.listen);
    assert_eq!(client::read_all(&mut stream).expect("bytes"), b"near");
}

#[test]
fn rate_limited_sessions_wait_their_turn() {
    let echo = Backend::echo();
    let mut proxy = listen(vec![server("s1", echo.address)]);
    proxy.frontend.as_mut().expect("a client side").rate_limit = 10;
    let line = Line::start(proxy, 1);
    let start = std::time::Instant::now();
    let mut streams: Vec<TcpStream> = (0..25).map(|_| client::connect(line.listen)).collect();
    streams.iter_mut().for_each(|stream| client::echo(stream, &[1; 8]));
    let front = line.pool.front(ProxyIx(0)).expect("a frontend");
    assert!(start.elapsed().as_millis() > 1000, "{:?}", start.elapsed());
    assert!(front.session_rate.max() <= 10, "{}", front.session_rate.max());
}

#[test]
fn server_connections_come_from_the_source_address_and_probe_for_life() {
    let (tell, told) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let backend = Backend::start(move |mut stream| {
        let _ = tell.lock().expect("the channel").send(stream.peer_addr().expect("a peer"));
        let _ = stream.read(&mut [0]);
    });
    let mut only = server("s1", backend.address);
    let address = "127.0.0.77:0".parse().expect("an address");
    only.source = Some(baton::ir::SourceAddress { address, ports: None, interface: None, usesrc: None });
    let mut proxy = listen(vec![only]);
    let probes = baton::ir::KeepAlive { on: true, count: Some(3), idle: Some(1111), interval: Some(7) };
    proxy.backend.as_mut().expect("a server side").keep_alive = probes;
    proxy.frontend.as_mut().expect("a client side").keep_alive = probes;
    let line = Line::start(proxy, 1);
    let stream = client::connect(line.listen);
    let peer = told.recv_timeout(wait::PATIENCE).expect("a connection");
    assert_eq!(peer.ip().to_string(), "127.0.0.77");
    // Both sockets are this process's own: the kernel's table tells their timers.
    let client = stream.local_addr().expect("an address").port();
    wait::until_true("both sockets to wait for their first probe", || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("the table");
        let probing = |port: u16, local: bool| {
            table.lines().skip(1).any(|row| {
                let fields: Vec<&str> = row.split_whitespace().collect();
                let end = fields[if local { 1 } else { 2 }];
                // 02: the keep-alive timer runs; it fires in hundredths of a second, here about 1111 s.
                let timer = fields[5].strip_prefix("02:").and_then(|left| u64::from_str_radix(left, 16).ok());
                end.ends_with(&format!(":{port:04X}")) && timer.is_some_and(|left| (100_000..=111_100).contains(&left))
            })
        };
        probing(peer.port(), true) && probing(client, false)
    });
}

#[test]
fn servers_on_unix_sockets_of_both_kinds() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("server");
    let name = format!("baton-test-{}", std::process::id()).into_bytes();
    let abstract_name = SocketAddr::from_abstract_name(&name).expect("a name");
    let listeners =
        [UnixListener::bind(&path).expect("a path"), UnixListener::bind_addr(&abstract_name).expect("a free name")];
    for (listener, address) in listeners.into_iter().zip([ServerAddress::Unix(path), ServerAddress::Abstract(name)]) {
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all);
            let _ = stream.write_all(&all);
        });
        let mut only = server("s1", "127.0.0.1:1".parse().expect("an address"));
        only.address = address;
        let line = Line::start(listen(vec![only]), 1);
        let mut stream = client::connect(line.listen);
        let sent: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7) as u8).collect();
        let copy = stream.try_clone().expect("a copy");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (&copy).write_all(&sent).expect("sent");
                client::half_close(&copy);
            });
            assert!(client::read_all(&mut stream).expect("an answer") == sent);
        });
    }
}
