//! Newcomers: while the proxy is reloaded, short MQTT sessions arrive all the time and count refusals.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What happened to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Got the broker's CONNACK.
    pub(crate) served: u64,
    /// Did not.
    pub(crate) refused: u64,
}

/// A thread that connects again and again.
#[derive(Debug)]
pub(crate) struct Newcomers {
    served: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Newcomers {
    /// Starts them: one at a time, the next as soon as the one before is done.
    pub(crate) fn start(proxy: SocketAddr) -> Self {
        let (served, refused, over) = (Arc::default(), Arc::default(), Arc::default());
        let mut all = Self { served, refused, over, thread: None };
        let (served, refused, over) = (Arc::clone(&all.served), Arc::clone(&all.refused), Arc::clone(&all.over));
        all.thread = Some(std::thread::spawn(move || {
            while !over.load(Ordering::Acquire) {
                let counter = if visit(proxy).is_ok() { &served } else { &refused };
                counter.fetch_add(1, Ordering::AcqRel);
            }
        }));
        all
    }

    /// How many were served so far.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Acquire)
    }

    /// Ends them and gives the count.
    pub(crate) fn finish(mut self) -> Tally {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        Tally { served: self.served(), refused: self.refused.load(Ordering::Acquire) }
    }
}

/// One MQTT session without a word: CONNECT (client identifier empty, clean session), CONNACK, DISCONNECT.
fn visit(proxy: SocketAddr) -> std::io::Result<()> {
    const CONNECT: [u8; 14] = *b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
    const CONNACK: [u8; 4] = *b"\x20\x02\x00\x00";
    const DISCONNECT: [u8; 2] = *b"\xe0\x00";
    let mut stream = TcpStream::connect_timeout(&proxy, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&CONNECT)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    if answer != CONNACK {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    stream.write_all(&DISCONNECT)
}
