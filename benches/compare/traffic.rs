//! Shapes with traffic: connections, messages, bulk, two threads. Figures are CPU time of the proxy alone.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::load::{self, GIB, MESSAGE};
use crate::machine::cpu;
use crate::program::{Program, Running};

/// Connections at the same time in the connection shapes.
const ABREAST: usize = 32;

/// `total` visits, [`ABREAST`] at a time; the proxy's CPU seconds and the wall's.
pub(crate) async fn visits(proxy: &Running, total: usize) -> (f64, f64) {
    each(proxy, total, async |door, _| load::visit(door).await).await
}

/// `total` sessions, [`ABREAST`] at a time; `session` gets the proxy's address and the session's number.
pub(crate) async fn each(
    proxy: &Running,
    total: usize,
    session: impl AsyncFn(SocketAddr, usize) + Copy + 'static,
) -> (f64, f64) {
    let left = Rc::new(Cell::new(total));
    let (before, start) = (cpu(proxy.pid()), Instant::now());
    let mut tasks = Vec::new();
    for _ in 0..ABREAST {
        let (left, door) = (Rc::clone(&left), proxy.door);
        tasks.push(tokio::task::spawn_local(async move {
            while left.get() > 0 {
                left.set(left.get() - 1);
                session(door, left.get()).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("a client");
    }
    (cpu(proxy.pid()).saturating_sub(before).as_secs_f64(), start.elapsed().as_secs_f64())
}

/// Two threads: CPU µs per connection and connections per second.
pub(crate) fn threads(program: &Program, taken_over: bool, total: usize) -> Vec<f64> {
    load::with_server(async |server| {
        let mut proxy = program.start(server, 2).await;
        if taken_over {
            proxy = program.take_over(proxy).await;
        }
        visits(&proxy, total / 10).await;
        proxy.drain_log();
        let (seconds, wall) = visits(&proxy, total).await;
        vec![seconds * 1e6 / total as f64, total as f64 / wall]
    })
}

/// `sessions` in ping-pong until `total` messages passed (a ping and its pong are two): CPU µs per message.
pub(crate) fn messages(program: &Program, sessions: usize, total: usize) -> Vec<f64> {
    load::with_server(async |server| {
        let proxy = program.start(server, 1).await;
        let mut streams = Vec::new();
        for _ in 0..sessions {
            let mut stream = load::connect(proxy.door).await;
            load::exchange(&mut stream, b'e', MESSAGE).await;
            streams.push(stream);
        }
        let rounds = total / sessions / 2;
        let before = cpu(proxy.pid());
        let mut tasks = Vec::new();
        for mut stream in streams {
            tasks.push(tokio::task::spawn_local(async move {
                for _ in 0..rounds {
                    load::exchange(&mut stream, b'e', MESSAGE).await;
                }
                stream
            }));
        }
        let mut kept = Vec::new();
        for task in tasks {
            kept.push(task.await.expect("a client"));
        }
        let seconds = cpu(proxy.pid()).saturating_sub(before).as_secs_f64();
        vec![seconds * 1e6 / (rounds * sessions * 2) as f64]
    })
}

/// `count` GiB one after another: CPU s per GiB and GiB per second.
pub(crate) fn bulk(program: &Program, count: usize) -> Vec<f64> {
    load::with_server(async |server| {
        let proxy = program.start(server, 1).await;
        let (before, start) = (cpu(proxy.pid()), Instant::now());
        download(proxy.door, count).await;
        let seconds = cpu(proxy.pid()).saturating_sub(before).as_secs_f64();
        vec![seconds / count as f64, count as f64 / start.elapsed().as_secs_f64()]
    })
}

/// Fetches `count` GiB one after another.
///
/// # Panics
/// When a byte is missing.
pub(crate) async fn download(door: SocketAddr, count: usize) {
    let mut buffer = vec![0; 256 * 1024];
    for _ in 0..count {
        let mut stream = load::connect(door).await;
        stream.write_all(b"b").await.expect("the order is sent");
        let mut got = 0;
        loop {
            match stream.read(&mut buffer).await.expect("bytes") {
                0 => break,
                more => got += more,
            }
        }
        assert_eq!(got, GIB, "every byte arrives");
    }
}
