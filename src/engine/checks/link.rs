//! One connection of a check: opened, written, read, closed.
//!
//! Knows no step and no time limit; dropping a future of it leaves the connection to be closed. A connection that was
//! opened only to see whether it can be is not to be noticed by the server's program: the kernel is told to hold the
//! last packet of the handshake back, and the socket is closed by a reset, as haproxy does it. A connection over which
//! something is said is closed by a reset, too, unless `linger` is asked for.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno as Text;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, getsockname, socket_with, sockopt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};

use crate::engine::{connect as way, proxy_header};
use crate::ir::check::{CheckStatus, Finding};
use crate::ir::{SendProxy, SourceAddress, TrackRef};
use crate::pool::{Pool, SourcePorts};
use crate::sys::channel;

/// Bytes that are asked for at once.
const SIP: usize = 4096;

/// Where a check connects to.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Inet(SocketAddr),
    Unix(PathBuf),
    Abstract(Vec<u8>),
    /// Behind the inherited socket of that number.
    SockPair(i32),
}

/// Why a connection failed, by what was being done.
#[derive(Debug)]
pub(super) enum Failure {
    /// No socket, or one that refuses at once what should only begin.
    Socket(Errno),
    /// The local address.
    Source(Errno),
    /// The other side, or the way to it.
    Connect(Errno),
}

impl Failure {
    /// What the check found thereby.
    pub(super) fn finding(&self) -> Finding {
        let (status, info) = match self {
            Self::Connect(errno) => (CheckStatus::L4Con, text(*errno).to_owned()),
            Self::Source(errno) => (CheckStatus::L4Con, format!("Can't bind to source address ({})", text(*errno))),
            Self::Socket(Errno::MFILE) => {
                // haproxy counts this one among the connection's problems.
                (CheckStatus::L4Con, format!("Too many sockets on the process ({})", text(Errno::MFILE)))
            }
            Self::Socket(errno) => (CheckStatus::SockErr, format!("General socket error ({})", text(*errno))),
        };
        Finding { status, code: None, info: Some(info) }
    }
}

/// How a connection is opened and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Nothing will be said over it: the server's program is not to notice.
    Silent,
    /// It will be talked over, and is closed by a reset.
    Brusque,
    /// It is closed in order.
    Polite,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    /// Behind the stream: given back once that is closed.
    _port: Lease,
}

/// Where a check connects from.
#[derive(Debug)]
pub(super) struct Source {
    address: SourceAddress,
    /// The ports of the server's range.
    ports: Option<Arc<SourcePorts>>,
}

impl Source {
    /// Where checks of a server connect from; `None`: wherever the system likes.
    pub(super) fn of(pool: &Pool, at: TrackRef) -> Option<Self> {
        let ix = at.server.0 as usize;
        let server = pool.config.proxies.get(at.proxy.0 as usize)?.backend.as_ref()?.servers.get(ix)?;
        let ports = pool.back(at.proxy)?.servers.get(ix)?.source_ports.clone();
        server.source.clone().map(|address| Self { address, ports })
    }
}

/// A port of the server's range, for as long as a check uses it.
#[derive(Debug, Default)]
struct Lease(Option<(Arc<SourcePorts>, u16)>);

impl Lease {
    fn of(socket: &OwnedFd, ports: Option<&Arc<SourcePorts>>) -> Self {
        let local = ports.and_then(|_| SocketAddr::try_from(getsockname(socket).ok()?).ok());
        Self(ports.cloned().zip(local.map(|local| local.port())))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((ports, port)) = self.0.take() {
            ports.give_back(port);
        }
    }
}

#[derive(Debug)]
enum Stream {
    Inet { stream: TcpStream, manner: Manner },
    Unix(UnixStream),
}

impl Link {
    /// Both ends of a connection over TCP, ours first.
    pub(super) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        match &self.stream {
            Stream::Inet { stream, .. } => Some((stream.local_addr().ok()?, stream.peer_addr().ok()?)),
            Stream::Unix(_) => None,
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// What failed, and what the system said.
    pub(super) async fn open(place: &Place, source: Option<&Source>, manner: Manner) -> Result<Self, Failure> {
        let unix = |socket: Result<OwnedFd, Errno>| {
            let stream = socket.and_then(|socket| UnixStream::from_std(socket.into()).map_err(|why| errno(&why)));
            Ok(Self { stream: Stream::Unix(stream.map_err(Failure::Socket)?), _port: Lease::default() })
        };
        match place {
            Place::Inet(address) => Self::open_inet(*address, source, manner).await,
            Place::Unix(path) => unix(SocketAddrUnix::new(path.as_path()).and_then(connect_unix)),
            Place::Abstract(name) => unix(SocketAddrUnix::new_abstract_name(name).and_then(connect_unix)),
            Place::SockPair(number) => unix(channel::connect(*number)),
        }
    }

    async fn open_inet(address: SocketAddr, source: Option<&Source>, manner: Manner) -> Result<Self, Failure> {
        let mut port = Lease::default(); // outlives the socket where connecting fails
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket(family).map_err(Failure::Socket)?;
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        if manner == Manner::Silent {
            // The final ACK waits for data that never comes; the reset overtakes it.
            let _ = sockopt::set_tcp_quickack(&socket, false);
        }
        if let Some(source) = source {
            way::bind_source(&socket, &source.address, source.ports.as_deref()).map_err(Failure::Source)?;
            port = Lease::of(&socket, source.ports.as_ref());
        }
        match connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => {}
            Err(errno) => return Err(Failure::Connect(errno)),
        }
        let unusable = |why: io::Error| Failure::Socket(errno(&why));
        let mut stream = TcpStream::from_std(socket.into()).map_err(unusable)?;
        let failed = loop {
            match stream.ready(Interest::WRITABLE).await {
                Ok(ready) if !ready.is_write_closed() => break None,
                Ok(_) if way::goes_on(&stream) => {
                    let socket = stream.into_std().map_err(unusable)?;
                    stream = TcpStream::from_std(socket).map_err(unusable)?;
                }
                Ok(_) => break stream.take_error().unwrap_or_else(Some),
                Err(why) => break Some(why),
            }
        };
        match failed {
            Some(why) => Err(Failure::Connect(errno(&why))),
            None => Ok(Self { stream: Stream::Inet { stream, manner }, _port: port }),
        }
    }

    /// Sends the PROXY header of a check.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn introduce(&mut self, options: SendProxy, never_local: bool) -> io::Result<()> {
        let header = match &self.stream {
            Stream::Inet { stream, .. } => proxy_header::of_check(options, stream, never_local),
            Stream::Unix(stream) => proxy_header::of_check(options, stream, never_local),
        };
        self.send(&header).await
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Inet { stream, .. } => stream.write_all(bytes).await,
            Stream::Unix(stream) => stream.write_all(bytes).await,
        }
    }

    /// Adds what comes next, so that `heard` holds at most `most` bytes; `false`: the other side has said all.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn receive(&mut self, heard: &mut Vec<u8>, most: usize) -> io::Result<bool> {
        let room = most.saturating_sub(heard.len()).min(SIP);
        heard.reserve(room);
        let got = match &mut self.stream {
            Stream::Inet { stream, .. } => stream.take(room as u64).read_buf(heard).await?,
            Stream::Unix(stream) => stream.take(room as u64).read_buf(heard).await?,
        };
        Ok(got > 0)
    }
}

impl Link {
    /// The other side has ended its direction: ours ends in order, too.
    pub(super) fn ends_in_order(&mut self) {
        if let Stream::Inet { manner, .. } = &mut self.stream {
            *manner = Manner::Polite;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Stream::Inet { stream, manner: Manner::Silent | Manner::Brusque } = &self.stream {
            let _ = sockopt::set_socket_linger(stream.as_fd(), Some(Duration::ZERO));
        }
    }
}

fn socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)
}

/// A unix socket connects at once or not at all.
fn connect_unix(address: SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let socket = socket(AddressFamily::UNIX)?;
    connect(&socket, &address)?;
    Ok(socket)
}

/// The number of a system's error.
pub(super) fn errno(why: &io::Error) -> Errno {
    Errno::from_io_error(why).unwrap_or(Errno::INVAL)
}

/// The system's words for an error.
pub(super) fn text(errno: Errno) -> &'static str {
    Text::from_raw(errno.raw_os_error()).desc()
}
