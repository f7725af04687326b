//! A scrape of very many servers on the one thread that also serves sessions: it comes in pieces, and nobody waits for it.

mod harness;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports};

const SERVERS: usize = 96_000;

fn config(door: SocketAddr, metrics: SocketAddr, server: SocketAddr) -> String {
    format!(
        "global\n  nbthread 1\n\
         defaults\n  timeout client 1m\n  timeout server 1m\n  timeout connect 5s\n\
         listen echo\n  mode tcp\n  bind {door}\n  server s {server}\n\
         backend big\n  mode tcp\n  balance random\n  server-template s {SERVERS} {server}\n\
         frontend metrics\n  mode http\n  bind {metrics}\n  http-request use-service prometheus-exporter\n"
    )
}

fn scrape(metrics: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = client::connect(metrics);
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET /?scope=server HTTP/1.0\r\n\r\n").unwrap();
    BufReader::with_capacity(1 << 20, stream)
}

#[test]
fn a_large_scrape_stalls_nobody_alone() {
    let echo = Backend::echo();
    let (door, metrics) = (ports::free(), ports::free());
    let _proxy = Proxy::start(&Program::ours(), &config(door, metrics, echo.address));
    let mut session = client::connect(door);
    client::echo(&mut session, b"first");

    // One who asks and does not read: the rest of the answer is not made.
    let mut slow = scrape(metrics);
    let mut begun = [0; 100_000];
    slow.read_exact(&mut begun).unwrap();

    // One who reads all of a metric, while a session goes on.
    let over = AtomicBool::new(false);
    let (longest, rounds) = std::thread::scope(|scope| {
        let talk = scope.spawn(|| {
            let (mut longest, mut rounds) = (Duration::ZERO, 0);
            while !over.load(Ordering::Relaxed) || rounds < 100 {
                let at = Instant::now();
                client::echo(&mut session, b"still here");
                (longest, rounds) = (longest.max(at.elapsed()), rounds + 1);
            }
            (longest, rounds)
        });
        let lines = scrape(metrics).lines().map(Result::unwrap);
        let first = lines.take_while(|line| !line.contains("haproxy_server_max_queue"));
        let count = first.filter(|line| line.starts_with("haproxy_server_current_queue{")).count();
        over.store(true, Ordering::Relaxed);
        assert_eq!(count, SERVERS + 1);
        talk.join().unwrap()
    });
    println!("{rounds} rounds, the longest took {longest:?}");
    // On one thread the whole report takes many seconds.
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    drop(slow);
    client::echo(&mut session, b"last");
}
