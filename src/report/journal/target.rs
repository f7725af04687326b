//! Opens log targets and sends to them without ever waiting.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::OpenError;
use super::ring::Ring;
use crate::ir::{self, LogProtocol, RingServer};

/// A pipe with room for anything takes this much in one piece (Linux: a page).
const PIECE: usize = 4096;

/// Where lines of one target go.
pub(super) enum Sink {
    /// UDP; one socket per address family serves all targets, unconnected, so that a refusal of one line does not
    /// lose the next.
    Udp(SocketAddr),
    /// A unix datagram socket. The path is resolved for each line (in the chroot, as haproxy does), and where it
    /// does not exist there, the socket that was connected before the chroot is used.
    Unix { path: PathBuf, early: Option<UnixDatagram> },
    /// An abstract unix datagram socket.
    Abstract(UnixAddr),
    /// Standard output (1) or error (2): looked up at each line, so that a daemon that gave them away logs nowhere.
    Standard(i32),
    /// Another descriptor.
    Descriptor(File),
    /// A ring.
    Ring(Arc<Ring>),
    /// A ring that was not declared: lines are lost.
    Nowhere,
}

/// The sockets all targets share.
pub(super) struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    unix: Option<UnixDatagram>,
    /// Keeps two threads from filling a pipe between one's look and its write.
    writing: Mutex<()>,
}

impl Sockets {
    /// Opens what these targets need.
    pub(super) fn open<'a>(targets: impl Iterator<Item = &'a LogProtocol> + Clone) -> Result<Self, OpenError> {
        let udp = |wanted: fn(&SocketAddr) -> bool, any: SocketAddr| {
            let needed = targets.clone().any(|to| matches!(to, LogProtocol::Udp(address) if wanted(address)));
            needed
                .then(|| UdpSocket::bind(any).and_then(|socket| socket.set_nonblocking(true).map(|()| socket)))
                .transpose()
                .map_err(OpenError::Udp)
        };
        let v4 = udp(SocketAddr::is_ipv4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
        let v6 = udp(SocketAddr::is_ipv6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))?;
        let local = targets.clone().any(|to| matches!(to, LogProtocol::Unix(_) | LogProtocol::Abstract(_)));
        let unix = local.then(unbound).transpose().map_err(OpenError::Unix)?;
        Ok(Self { v4, v6, unix, writing: Mutex::new(()) })
    }

    /// Sends one line.
    ///
    /// # Errors
    /// What the system says, `WouldBlock` where sending would wait.
    pub(super) fn send(&self, sink: &Sink, line: &[u8]) -> io::Result<()> {
        let none = || io::Error::from(io::ErrorKind::NotConnected);
        match sink {
            Sink::Udp(to) => {
                let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
                socket.as_ref().ok_or_else(none)?.send_to(line, to).map(|_| ())
            }
            Sink::Unix { path, early } => {
                let by_path = self.unix.as_ref().ok_or_else(none)?.send_to(line, path);
                match (by_path, early) {
                    (Ok(_), _) => Ok(()),
                    (Err(error), Some(early)) if error.kind() != io::ErrorKind::WouldBlock => {
                        early.send(line).map(|_| ()).map_err(|_| error)
                    }
                    (Err(error), _) => Err(error),
                }
            }
            Sink::Abstract(to) => self.unix.as_ref().ok_or_else(none)?.send_to_addr(line, to).map(|_| ()),
            Sink::Standard(2) => self.write(io::stderr().as_fd(), line),
            Sink::Standard(_) => self.write(io::stdout().as_fd(), line),
            Sink::Descriptor(file) => self.write(file.as_fd(), line),
            // a ring's messages have no line feed
            Sink::Ring(ring) => {
                let kept = ring.push(line.strip_suffix(b"\n").unwrap_or(line));
                if kept { Ok(()) } else { Err(io::Error::from(io::ErrorKind::WouldBlock)) }
            }
            Sink::Nowhere => Err(none()),
        }
    }

    /// Writes to a descriptor whose flags are not ours to change: looks before each piece, so that it cannot wait.
    fn write(&self, fd: BorrowedFd<'_>, line: &[u8]) -> io::Result<()> {
        let _guard = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Timespec::try_from(Duration::ZERO).ok();
        for piece in line.chunks(PIECE) {
            let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
            poll(&mut fds, now.as_ref())?;
            if !fds[0].revents().contains(PollFlags::OUT) {
                return Err(io::Error::from(io::ErrorKind::WouldBlock));
            }
            if rustix::io::write(fd, piece)? < piece.len() {
                return Err(io::Error::from(io::ErrorKind::WriteZero));
            }
        }
        Ok(())
    }
}

/// A datagram socket that waits for nothing.
fn unbound() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Opens one target. A unix socket that is not there yet is no error: it may come.
pub(super) fn open(
    to: &LogProtocol,
    copy: &dyn Fn(i32) -> io::Result<OwnedFd>,
    rings: &[Arc<Ring>],
) -> Result<Sink, OpenError> {
    Ok(match to {
        LogProtocol::Udp(address) => Sink::Udp(*address),
        LogProtocol::Unix(path) => {
            let early = unbound().ok().filter(|socket| socket.connect(path).is_ok());
            Sink::Unix { path: path.clone(), early }
        }
        LogProtocol::Abstract(name) => Sink::Abstract(UnixAddr::from_abstract_name(name).map_err(OpenError::Unix)?),
        LogProtocol::Fd(fd @ (1 | 2)) => Sink::Standard(*fd),
        LogProtocol::Fd(fd) => {
            Sink::Descriptor(copy(*fd).map_err(|why| OpenError::Descriptor { fd: *fd, why })?.into())
        }
        LogProtocol::Ring(name) => {
            let ring = rings.iter().find(|ring| ring.declared.name == *name);
            ring.map_or(Sink::Nowhere, |ring| Sink::Ring(Arc::clone(ring)))
        }
        LogProtocol::Stream(address) => {
            let server = RingServer { name: "stream".to_owned(), address: address.clone(), octet_count: false };
            let size = ir::Ring::SIZE;
            let declared = ir::Ring { servers: vec![server], max_len: size, ..ir::Ring::named(String::new()) };
            Sink::Ring(Ring::new(declared))
        }
    })
}

/// Writes a line to standard error where it may wait: for what an administrator reads in the foreground.
pub(super) fn echo(line: &str) {
    let _ = io::stderr().lock().write_all(line.as_bytes());
}
