//! The log's receiver: counts the lines and keeps the last.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fault::Fault;

/// A UDP socket and the thread that reads it.
#[derive(Debug)]
pub(crate) struct LogSink {
    /// Where lines go.
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<(u64, String)>>,
}

impl LogSink {
    /// Binds a port on loopback and reads for as long as the demo runs.
    ///
    /// # Errors
    /// [`Fault::Machine`] without a port.
    pub(crate) fn start() -> Result<Self, Fault> {
        let socket = UdpSocket::bind("127.0.0.1:0").map_err(Fault::machine("UDP port"))?;
        let address = socket.local_addr().map_err(Fault::machine("UDP port"))?;
        let seen = Arc::new(Mutex::new((0, String::from("none"))));
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok(length) = socket.recv(&mut buffer) {
                let mut seen = notes.lock().unwrap_or_else(PoisonError::into_inner);
                seen.0 += 1;
                seen.1 = String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned();
            }
        });
        Ok(Self { address, seen })
    }

    /// How many lines came, and the last one.
    pub(crate) fn seen(&self) -> (u64, String) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
