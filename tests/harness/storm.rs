//! A storm of short connections that are all checked: how many were served, and what happened to the others.
//!
//! Each connection sends 64 bytes of its own, gets the same back, and sees the server's end of stream. No retries.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::backends::Backend;
use super::wait;

/// Bytes of one exchange.
const BYTES: usize = 64;
/// Clients that connect one after another, each at its own pace.
const CLIENTS: u64 = 4;
/// No connection may take longer.
const LIMIT: Duration = Duration::from_secs(5);

/// The server for a storm: sends 64 bytes back and closes first, so that no client port stays in TIME-WAIT.
pub fn server() -> Backend {
    Backend::start(|mut stream| {
        let mut bytes = [0; BYTES];
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = stream.write_all(&bytes);
        }
    })
}

/// What happened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Whole exchanges.
    pub served: u64,
    /// `ECONNREFUSED` on connect.
    pub refused: u64,
    /// `ECONNRESET` or an end of stream before the answer.
    pub reset: u64,
    /// Nothing for 5 s.
    pub timed_out: u64,
    /// Other bytes than were sent, or another error.
    pub wrong: u64,
}

impl Tally {
    /// Everything that was not served.
    pub fn failures(self) -> u64 {
        self.refused + self.reset + self.timed_out + self.wrong
    }
}

/// A storm that goes on until [`Storm::finish`].
#[derive(Debug)]
pub struct Storm {
    over: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    tally: Arc<Mutex<Tally>>,
    threads: Vec<JoinHandle<()>>,
    start: Instant,
}

impl Storm {
    /// Starts at `rate` connections per second in all; a client that is late catches up.
    pub fn start(door: SocketAddr, rate: u64) -> Self {
        let (over, served, tally) = (Arc::default(), Arc::default(), Arc::default());
        let mut storm = Self { over, served, tally, threads: Vec::new(), start: Instant::now() };
        for client in 0..CLIENTS {
            let (over, served, tally) = (Arc::clone(&storm.over), Arc::clone(&storm.served), Arc::clone(&storm.tally));
            let period = Duration::from_nanos(1_000_000_000 * CLIENTS / rate);
            storm.threads.push(std::thread::spawn(move || {
                let start = Instant::now();
                let mut number = 0;
                while !over.load(Ordering::Acquire) {
                    let outcome = exchange(door, client << 32 | u64::from(number));
                    if outcome.is_ok() {
                        served.fetch_add(1, Ordering::AcqRel);
                    }
                    count(&mut tally.lock().expect("the tally"), &outcome);
                    number += 1;
                    wait::moment((period * number).saturating_sub(start.elapsed()));
                }
            }));
        }
        storm
    }

    /// Exchanges so far.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Acquire)
    }

    /// Waits for `count` more exchanges.
    #[track_caller]
    pub fn wait_served(&self, count: u64) {
        let goal = self.served() + count;
        wait::until_true("the storm to be served", || self.served() >= goal);
    }

    /// Ends it: the tally and the served connections per second.
    ///
    /// # Panics
    /// When a client died.
    pub fn finish(self) -> (Tally, f64) {
        self.over.store(true, Ordering::Release);
        let elapsed = self.start.elapsed();
        for thread in self.threads {
            thread.join().expect("a client");
        }
        let tally = *self.tally.lock().expect("the tally");
        (tally, tally.served as f64 / elapsed.as_secs_f64())
    }
}

fn count(tally: &mut Tally, outcome: &std::io::Result<()>) {
    let Err(why) = outcome else {
        tally.served += 1;
        return;
    };
    match why.kind() {
        ErrorKind::ConnectionRefused => tally.refused += 1,
        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => tally.reset += 1,
        ErrorKind::WouldBlock | ErrorKind::TimedOut => tally.timed_out += 1,
        _ => tally.wrong += 1,
    }
}

fn exchange(door: SocketAddr, number: u64) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&door, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut sent = [0; BYTES];
    for (ix, eight) in sent.chunks_exact_mut(8).enumerate() {
        eight.copy_from_slice(&number.wrapping_mul(ix as u64 * 2 + 1).to_be_bytes());
    }
    stream.write_all(&sent)?;
    let mut back = [0; BYTES];
    stream.read_exact(&mut back)?;
    let end = stream.read(&mut [0])?;
    if back == sent && end == 0 { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}
