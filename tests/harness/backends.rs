//! Servers in threads of the test: an echo, one that says its name, one that does what a test writes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ports;

/// A server that lives as long as the test process or until [`Backend::stop`].
#[derive(Debug)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl Backend {
    /// Runs `serve` in a thread of its own for each connection.
    ///
    /// # Panics
    /// When no port is to be had.
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::start_on(ports::listener(), serve)
    }

    /// [`Backend::start`] on an address of the caller's: a server that comes back.
    ///
    /// # Panics
    /// When the address is in use.
    pub fn start_at(address: SocketAddr, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind(address).expect("a free address"), serve)
    }

    /// [`Backend::start`] on a listener of the caller's.
    ///
    /// # Panics
    /// When it has no address.
    pub fn start_on(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().expect("a listener has an address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (count, over, serve) = (Arc::clone(&accepted), Arc::clone(&stop), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                count.fetch_add(1, Ordering::AcqRel);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { address, accepted, stop }
    }

    /// Sends back what it gets.
    pub fn echo() -> Self {
        Self::start(echo)
    }

    /// Says `name`, waits for the peer to close.
    pub fn named(name: &str) -> Self {
        let name = name.to_owned();
        Self::start(move |mut stream| {
            let _ = stream.write_all(name.as_bytes());
            let _ = stream.read(&mut [0]);
        })
    }

    /// Connections accepted so far, health checks included.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Acquire)
    }

    /// Stops listening; open connections go on.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.address); // wakes the accept; the listener is dropped on return
        super::wait::until_true("the backend to close its port", || !ports::listens(self.address));
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if !self.stop.load(Ordering::Acquire) {
            self.stop.store(true, Ordering::Release);
            let _ = TcpStream::connect(self.address);
        }
    }
}

/// Sends back what comes, until the peer ends its direction.
pub fn echo(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(mut reader) = stream.try_clone() else { return };
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// An address whose backlog is full: connections to it hang.
#[derive(Debug)]
pub struct Deaf {
    /// Where it listens.
    pub address: SocketAddr,
    _listener: socket2::Socket,
    _fillers: Vec<socket2::Socket>,
}

impl Deaf {
    /// Fills the backlog of a free port.
    ///
    /// # Panics
    /// When no port is to be had.
    pub fn new() -> Self {
        let address = ports::free();
        let make = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        let listener = make();
        listener.bind(&address.into()).expect("a free port");
        listener.listen(0).expect("a listener");
        let fillers = (0..4)
            .map(|_| {
                let filler = make();
                filler.set_nonblocking(true).expect("non-blocking");
                let _ = filler.connect(&address.into());
                filler
            })
            .collect();
        Self { address, _listener: listener, _fillers: fillers }
    }
}
