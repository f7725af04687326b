//! Log receivers: UDP syslog and unix datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{ports, wait};

/// Collects datagrams in a thread; each is one log line.
#[derive(Debug)]
pub struct LogReceiver {
    lines: Arc<Mutex<Vec<String>>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

/// How often the thread looks whether the test is over.
const LOOK: Duration = Duration::from_millis(50);

impl LogReceiver {
    /// A UDP receiver and its address.
    ///
    /// # Panics
    /// When no port is to be had.
    pub fn udp() -> (Self, SocketAddr) {
        let socket = UdpSocket::bind((ports::address(), 0)).expect("a UDP port");
        let address = socket.local_addr().expect("its address");
        socket.set_read_timeout(Some(LOOK)).expect("a time limit");
        (Self::spawn(move |buffer| socket.recv(buffer)), address)
    }

    /// A receiver on a unix datagram socket at `path`, as `/dev/log` is one.
    ///
    /// # Panics
    /// When the path cannot be bound.
    pub fn unix(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a unix datagram socket");
        socket.set_read_timeout(Some(LOOK)).expect("a time limit");
        Self::spawn(move |buffer| socket.recv(buffer))
    }

    fn spawn(receive: impl Fn(&mut [u8]) -> std::io::Result<usize> + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (sink, over) = (Arc::clone(&lines), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while !over.load(std::sync::atomic::Ordering::Acquire) {
                if let Ok(count) = receive(&mut buffer) {
                    let line = String::from_utf8_lossy(&buffer[..count]).trim_end().to_owned();
                    sink.lock().expect("the lines").push(line);
                }
            }
        });
        Self { lines, stop }
    }

    /// All lines so far.
    ///
    /// # Panics
    /// When the receiving thread died.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("the lines").clone()
    }

    /// Waits for a line that holds `part`.
    #[track_caller]
    pub fn wait_for(&self, part: &str) -> String {
        wait::until(&format!("a log line with {part:?}"), || self.lines().into_iter().find(|line| line.contains(part)))
    }

    /// Waits until there are `count` lines that hold `part`.
    #[track_caller]
    pub fn wait_count(&self, part: &str, count: usize) -> Vec<String> {
        wait::until(&format!("{count} log lines with {part:?}"), || {
            let found: Vec<String> = self.lines().into_iter().filter(|line| line.contains(part)).collect();
            (found.len() >= count).then_some(found)
        })
    }
}

impl Drop for LogReceiver {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- last logged:\n{}",
                self.lines().iter().rev().take(20).rev().cloned().collect::<Vec<_>>().join("\n")
            );
        }
        self.stop.store(true, std::sync::atomic::Ordering::Release);
    }
}
