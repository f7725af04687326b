//! Long sessions that are checked byte by byte: each client keeps one connection and sends messages of random sizes that
//! must come back as they were, in order, until it is told to stop.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{client, wait};

/// Sizes of messages: one byte, less and more than a packet, more than all buffers on the way.
const SIZES: [usize; 6] = [1, 64, 1_500, 20_000, 70_000, 300_000];
/// Pause between two messages of a client, at most, in microseconds.
const PAUSE: u64 = 20_000;

/// Clients that talk until [`Talkers::finish`].
#[derive(Debug)]
pub struct Talkers {
    over: Arc<AtomicBool>,
    messages: Arc<AtomicU64>,
    failures: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<(SocketAddr, u64)>>,
}

impl Talkers {
    /// `count` clients of an echo behind `door`.
    #[track_caller]
    pub fn start(door: SocketAddr, count: u64) -> Self {
        let (over, messages, failures) = (Arc::default(), Arc::default(), Arc::default());
        let mut all = Self { over, messages, failures, threads: Vec::new() };
        for number in 0..count {
            let stream = client::connect(door);
            let (over, messages) = (Arc::clone(&all.over), Arc::clone(&all.messages));
            let failures = Arc::clone(&all.failures);
            all.threads.push(std::thread::spawn(move || {
                let address = stream.local_addr().expect("its address");
                let mut bytes = 0;
                if let Err(why) = talk(&stream, number, &over, &messages, &mut bytes) {
                    let told = format!("client {number} ({address}) after {bytes} bytes: {why}");
                    failures.lock().expect("the failures").push(told);
                }
                (address, bytes)
            }));
        }
        all.wait_messages(count);
        all
    }

    /// Waits for that many more messages.
    #[track_caller]
    pub fn wait_messages(&self, count: u64) {
        let goal = self.messages.load(Ordering::Acquire) + count;
        wait::until_true("messages to come back", || {
            self.messages.load(Ordering::Acquire) >= goal || !self.failures().is_empty()
        });
        assert_eq!(self.failures(), Vec::<String>::new());
    }

    /// What went wrong so far.
    pub fn failures(&self) -> Vec<String> {
        self.failures.lock().expect("the failures").clone()
    }

    /// Ends all: each client's address, and the bytes that it has sent and got.
    ///
    /// # Panics
    /// When anything went wrong in any session.
    #[track_caller]
    pub fn finish(self) -> Vec<(SocketAddr, u64)> {
        self.over.store(true, Ordering::Release);
        let ended: Vec<_> = self.threads.into_iter().map(|thread| thread.join().expect("a client")).collect();
        assert_eq!(*self.failures.lock().expect("the failures"), Vec::<String>::new());
        ended
    }
}

/// The next of a row of pseudo-random numbers.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn talk(
    stream: &TcpStream,
    number: u64,
    over: &AtomicBool,
    messages: &AtomicU64,
    bytes: &mut u64,
) -> std::io::Result<()> {
    let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let (mut reader, mut writer) = (stream, stream);
    while !over.load(Ordering::Acquire) {
        let size = SIZES[next(&mut random) as usize % SIZES.len()];
        let sent: Vec<u8> = (0..size).map(|_| next(&mut random) as u8).collect();
        let mut back = vec![0; size];
        std::thread::scope(|scope| {
            // A message may be more than what lies on the way: who sends must not wait for who reads.
            let writing = scope.spawn(|| writer.write_all(&sent));
            reader.read_exact(&mut back)?;
            writing.join().expect("the writer")
        })?;
        if back != sent {
            return Err(std::io::Error::other("other bytes came back"));
        }
        *bytes += size as u64;
        messages.fetch_add(1, Ordering::AcqRel);
        wait::moment(Duration::from_micros(next(&mut random) % PAUSE));
    }
    stream.shutdown(Shutdown::Write)?;
    match reader.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(std::io::Error::other("more came than was sent")),
        Err(why) => Err(why),
    }
}
