//! Tries one connection to a server, and says what it found.
//!
//! The server's program is not to notice: the kernel is told to hold the last packet of the handshake back, and the
//! socket is closed by a reset, as haproxy does it: the connection never reaches `accept`.
//! Knows no schedule and no verdict.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno as Text;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use tokio::net::TcpStream;

use super::{clock, time_limit};
use crate::ir::{Config, ServerAddress, SourceAddress, TrackRef};
use crate::pool::{CheckResult, CheckStatus};

/// What is tried.
#[derive(Debug)]
pub(super) struct Target {
    to: Place,
    source: Option<SourceAddress>,
    limit: Duration,
}

#[derive(Debug)]
enum Place {
    Inet(SocketAddr),
    Unix(PathBuf),
    Abstract(Vec<u8>),
}

/// Why a connection failed, by what was being done.
#[derive(Debug)]
enum Failure {
    /// No socket, or one that refuses at once what should only begin.
    Socket(Errno),
    /// The local address.
    Source(Errno),
    /// The other side, or the way to it.
    Connect(Errno),
}

impl Target {
    /// What a check of this server tries; `None` if it is not checked, or has no address.
    pub(super) fn of(config: &Config, at: TrackRef) -> Option<Self> {
        let proxy = config.proxies.get(at.proxy.0 as usize)?;
        let server = proxy.backend.as_ref()?.servers.get(at.server.0 as usize)?;
        let check = server.check.as_ref()?;
        let to = match (&server.address, check.addr) {
            (ServerAddress::Inet(address), addr) => {
                let port = check.port.unwrap_or(address.port());
                Place::Inet(SocketAddr::new(addr.unwrap_or(address.ip()), port))
            }
            (_, Some(addr)) => Place::Inet(SocketAddr::new(addr, check.port?)),
            (ServerAddress::Unix(path), None) => Place::Unix(path.clone()),
            (ServerAddress::Abstract(name), None) => Place::Abstract(name.clone()),
            (ServerAddress::Unresolved { .. }, None) => return None,
        };
        let limit = time_limit(&proxy.timeouts, check).duration();
        Some(Self { to, source: server.source.clone(), limit })
    }

    /// Tries; takes as long as the time limit at most.
    pub(super) async fn probe(self) -> CheckResult {
        let started = clock::now();
        let outcome = tokio::time::timeout(self.limit, self.connect()).await;
        let duration = u32::try_from(clock::now().since(started)).unwrap_or(u32::MAX);
        let (status, detail) = match outcome {
            Ok(Ok(())) => (CheckStatus::L4Ok, None),
            Ok(Err(Failure::Connect(errno))) => (CheckStatus::L4Con, Some(text(errno).to_owned())),
            Ok(Err(Failure::Source(errno))) => {
                (CheckStatus::L4Con, Some(format!("Can't bind to source address ({})", text(errno))))
            }
            Ok(Err(Failure::Socket(Errno::MFILE))) => {
                // haproxy counts this one among the connection's problems.
                let words = text(Errno::MFILE);
                (CheckStatus::L4Con, Some(format!("Too many sockets on the process ({words})")))
            }
            Ok(Err(Failure::Socket(errno))) => {
                (CheckStatus::SockErr, Some(format!("General socket error ({})", text(errno))))
            }
            Err(_) => (CheckStatus::L4Tout, None),
        };
        CheckResult { status, duration, detail: detail.map(Into::into) }
    }

    async fn connect(&self) -> Result<(), Failure> {
        match &self.to {
            Place::Inet(address) => self.connect_inet(*address).await,
            Place::Unix(path) => SocketAddrUnix::new(path.as_path()).map_err(Failure::Socket).and_then(connect_unix),
            Place::Abstract(name) => {
                SocketAddrUnix::new_abstract_name(name).map_err(Failure::Socket).and_then(connect_unix)
            }
        }
    }

    async fn connect_inet(&self, address: SocketAddr) -> Result<(), Failure> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = stream(family)?;
        // The final ACK waits for data that never comes; the reset overtakes it.
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        let _ = sockopt::set_tcp_quickack(&socket, false);
        if let Some(source) = &self.source {
            bind_source(&socket, source).map_err(Failure::Source)?;
        }
        match connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => {}
            Err(errno) => return Err(Failure::Connect(errno)),
        }
        let stream = TcpStream::from_std(socket.into()).map_err(|why| Failure::Socket(errno(&why)))?;
        let failed = match stream.writable().await {
            Ok(()) => stream.take_error().unwrap_or_else(Some),
            Err(why) => Some(why),
        };
        match failed {
            Some(why) => Err(Failure::Connect(errno(&why))),
            None => {
                let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
                Ok(())
            }
        }
    }
}

fn errno(why: &io::Error) -> Errno {
    Errno::from_io_error(why).unwrap_or(Errno::INVAL)
}

fn stream(family: AddressFamily) -> Result<OwnedFd, Failure> {
    socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None).map_err(Failure::Socket)
}

/// A unix socket connects at once or not at all.
fn connect_unix(address: SocketAddrUnix) -> Result<(), Failure> {
    let socket = stream(AddressFamily::UNIX)?;
    connect(&socket, &address).map_err(Failure::Socket)
}

fn bind_source(socket: &OwnedFd, source: &SourceAddress) -> Result<(), Errno> {
    sockopt::set_socket_reuseaddr(socket, true)?;
    if let Some(device) = &source.interface {
        socket2::SockRef::from(socket).bind_device(Some(device.as_bytes())).map_err(|why| errno(&why))?;
    }
    match source.address {
        SocketAddr::V4(address) => bind(socket, &SocketAddrV4::new(*address.ip(), address.port())),
        SocketAddr::V6(address) => bind(socket, &address),
    }
}

/// The system's words for an error.
fn text(errno: Errno) -> &'static str {
    Text::from_raw(errno.raw_os_error()).desc()
}
