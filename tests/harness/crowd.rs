//! Many connections at once: a server that holds them, and clients that come back when they are cut.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::event::{Timespec, epoll};

use super::{client, ports};

/// A server that takes connections and holds them.
#[derive(Debug)]
pub struct Holder {
    /// Where it listens.
    pub address: SocketAddr,
    taken: Arc<AtomicUsize>,
}

impl Holder {
    /// Starts it; it lives as long as the test.
    ///
    /// # Panics
    /// When no port is to be had.
    pub fn start() -> Self {
        let listener = ports::listener();
        // A connection that finds the backlog full comes a second later.
        rustix::net::listen(&listener, 4_096).expect("a longer backlog");
        let address = listener.local_addr().expect("a listener has an address");
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                held.push(stream);
                count.fetch_add(1, Ordering::AcqRel);
            }
        });
        Self { address, taken }
    }

    /// Connections so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

/// Watches clients for their end; each is told once.
///
/// # Panics
/// When the system has no epoll for it.
pub fn watch(clients: &[TcpStream]) -> rustix::fd::OwnedFd {
    let watched = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
    clients.iter().enumerate().for_each(|(ix, client)| add(&watched, ix, client));
    watched
}

fn add(watched: &rustix::fd::OwnedFd, ix: usize, client: &TcpStream) {
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
    epoll::add(watched, client, epoll::EventData::new_u64(ix as u64), flags).expect("a watch");
}

/// Those that have ended since the last time; waits `time` at most for one.
pub fn ended(watched: &rustix::fd::OwnedFd, time: std::time::Duration) -> Vec<usize> {
    let time = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
    let mut events = Vec::with_capacity(256);
    match epoll::wait(watched, rustix::buffer::spare_capacity(&mut events), Some(&time)) {
        Ok(_) => events.iter().map(|event| event.data.u64() as usize).collect(),
        Err(_) => Vec::new(),
    }
}

/// Clients that come back at once whenever they are cut.
#[derive(Debug)]
pub struct Regulars {
    cuts: Arc<Mutex<Vec<Instant>>>,
    over: Arc<AtomicBool>,
}

impl Regulars {
    /// `count` clients of `door`, all connected.
    pub fn come(count: usize, door: SocketAddr) -> Self {
        let mut clients: Vec<TcpStream> = (0..count).map(|_| client::connect(door)).collect();
        let regulars = Self { cuts: Arc::default(), over: Arc::default() };
        let (cuts, over) = (Arc::clone(&regulars.cuts), Arc::clone(&regulars.over));
        std::thread::spawn(move || {
            let watched = watch(&clients);
            while !over.load(Ordering::Acquire) {
                for ix in ended(&watched, std::time::Duration::from_millis(100)) {
                    cuts.lock().expect("the cuts").push(Instant::now());
                    clients[ix] = client::connect(door);
                    add(&watched, ix, &clients[ix]);
                }
            }
        });
        regulars
    }

    /// When they were cut so far.
    ///
    /// # Panics
    /// When their thread died.
    pub fn cuts(&self) -> Vec<Instant> {
        self.cuts.lock().expect("the cuts").clone()
    }
}

impl Drop for Regulars {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}
