//! Sends the messages of a ring to its servers: one thread for each, which may wait as long as its server does.
//!
//! A message counts as taken when the kernel has all of it; one that a broken connection cut is sent again on the next.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ring::Ring;
use crate::ir::{RingServer, StreamAddress};

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// A thread that copies messages needs no more.
const STACK: usize = 128 * 1024;

/// Starts a thread for each server. One that cannot be started leaves its messages in the ring.
pub(super) fn start(ring: &Arc<Ring>) {
    for (reader, server) in ring.declared.servers.iter().cloned().enumerate() {
        let ring = Arc::clone(ring);
        let run = move || loop {
            if let Ok(line) = Line::open(&server, &ring) {
                ring.connected(reader, true);
                serve(&ring, reader, server.octet_count, line);
                ring.connected(reader, false);
            }
            std::thread::park_timeout(PAUSE);
        };
        let _ = std::thread::Builder::new().name("ring".to_owned()).stack_size(STACK).spawn(run);
    }
}

/// Sends until the connection breaks.
fn serve(ring: &Ring, reader: usize, octet_count: bool, mut line: Line) {
    let mut message = Vec::new();
    let mut framed = Vec::new();
    loop {
        ring.next(reader, &mut message);
        framed.clear();
        if octet_count {
            // Writing to a Vec cannot fail.
            let _ = write!(framed, "{} ", message.len());
        }
        framed.extend_from_slice(&message);
        if !octet_count {
            framed.push(b'\n');
        }
        if line.is_broken() || line.stream().write_all(&framed).is_err() {
            return;
        }
        ring.taken(reader, message.len());
    }
}

/// A connection to a server.
enum Line {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Line {
    fn open(server: &RingServer, ring: &Ring) -> io::Result<Self> {
        let limit = |time: Option<crate::units::Millis>| time.map(|time| Duration::from_millis(u64::from(time.get())));
        let patience = limit(ring.declared.timeout_server).filter(|time| !time.is_zero());
        let unix = |stream: UnixStream| stream.set_write_timeout(patience).map(|()| Self::Unix(stream));
        match &server.address {
            StreamAddress::Inet(address) => {
                let stream = connect(address, limit(ring.declared.timeout_connect))?;
                stream.set_nodelay(true)?;
                stream.set_write_timeout(patience)?;
                Ok(Self::Tcp(stream))
            }
            StreamAddress::Unix(path) => UnixStream::connect(path).and_then(unix),
            StreamAddress::Abstract(name) => {
                UnixStream::connect_addr(&UnixAddr::from_abstract_name(name)?).and_then(unix)
            }
        }
    }

    fn stream(&mut self) -> &mut dyn Write {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }

    /// Whether the server has ended it: the next write would seem to succeed. What it says is read and forgotten.
    fn is_broken(&self) -> bool {
        let fd = match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        };
        let now = Timespec::try_from(Duration::ZERO).ok();
        loop {
            let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
            match poll(&mut fds, now.as_ref()) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(_) => return true,
            }
            if !matches!(rustix::io::read(fd, &mut [0_u8; 256]), Ok(1..)) {
                return true;
            }
        }
    }
}

fn connect(address: &SocketAddr, limit: Option<Duration>) -> io::Result<TcpStream> {
    match limit.filter(|time| !time.is_zero()) {
        Some(limit) => TcpStream::connect_timeout(address, limit),
        None => TcpStream::connect(address),
    }
}
