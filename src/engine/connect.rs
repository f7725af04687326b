//! Opens a connection to a server: a non-blocking socket with its options, on its way.
//!
//! Knows no session and no retry.

use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use crate::ir::{Backend, Frontend, KeepAlive, Server, ServerAddress, SourceAddress};

/// Starts to connect to a server. The socket is writable, or in error, when it is done.
///
/// `local`: the address that the client connected to, asked for only where the server's address depends on it.
///
/// # Errors
/// What the system says at once: no descriptor, no free local port, no such unix socket…
pub(super) fn open(
    server: &Server,
    back: &Backend,
    local: impl FnOnce() -> Option<SocketAddr>,
) -> Result<OwnedFd, Errno> {
    match &server.address {
        ServerAddress::Inet(address) => {
            let address = &destination(*address, server.port_offset, local)?;
            let socket = stream(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })?;
            sockopt::set_tcp_nodelay(&socket, true)?;
            keep_alive(&socket, back.keep_alive);
            if let Some(limit) = server.user_timeout {
                sockopt::set_tcp_user_timeout(&socket, limit.get())?;
            }
            if let Some(source) = &server.source {
                bind_source(&socket, source)?;
            }
            under_way(connect(&socket, address))?;
            Ok(socket)
        }
        ServerAddress::Unix(path) => to_unix(&SocketAddrUnix::new(path.as_path())?),
        ServerAddress::Abstract(name) => to_unix(&SocketAddrUnix::new_abstract_name(name)?),
        ServerAddress::Unresolved { .. } => Err(Errno::ADDRNOTAVAIL),
    }
}

/// Where to connect: an unspecified address, and a port that counts from the client's, are those the client chose.
pub(super) fn destination(
    mut address: SocketAddr,
    port_offset: Option<i32>,
    local: impl FnOnce() -> Option<SocketAddr>,
) -> Result<SocketAddr, Errno> {
    if !address.ip().is_unspecified() && port_offset.is_none() {
        return Ok(address);
    }
    // A client on a unix socket chose neither.
    let chosen = local().ok_or(Errno::ADDRNOTAVAIL)?;
    if address.ip().is_unspecified() {
        address.set_ip(chosen.ip());
    }
    if let Some(offset) = port_offset {
        let port = i32::from(chosen.port()) + offset;
        address.set_port(u16::try_from(port).map_err(|_| Errno::ADDRNOTAVAIL)?);
    }
    Ok(address)
}

/// Whether it is our system, not the server, that cannot give a connection.
pub(super) fn is_shortage(errno: Errno) -> bool {
    matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::ADDRNOTAVAIL | Errno::AGAIN)
}

/// Sets what clients' TCP sockets inherit from their listening socket; a unix socket refuses, and needs nothing.
pub(super) fn listener_options(socket: &OwnedFd) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
}

/// Sets what a client's TCP socket needs besides. A socket that was closed meanwhile refuses options; its end is found
/// by the first read.
pub(super) fn client_options(socket: &OwnedFd, side: &Frontend) {
    keep_alive(socket, side.keep_alive);
}

/// Sets keep-alive probes if they are asked for. A system that refuses a figure keeps its own.
fn keep_alive(socket: &OwnedFd, wanted: KeepAlive) {
    if !wanted.on {
        return;
    }
    let _ = sockopt::set_socket_keepalive(socket, true);
    if let Some(count) = wanted.count {
        let _ = sockopt::set_tcp_keepcnt(socket, count);
    }
    if let Some(idle) = wanted.idle {
        let _ = sockopt::set_tcp_keepidle(socket, Duration::from_secs(idle.into()));
    }
    if let Some(interval) = wanted.interval {
        let _ = sockopt::set_tcp_keepintvl(socket, Duration::from_secs(interval.into()));
    }
}

fn stream(family: AddressFamily) -> Result<OwnedFd, Errno> {
    socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)
}

fn to_unix(address: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let socket = stream(AddressFamily::UNIX)?;
    under_way(connect(&socket, address))?;
    Ok(socket)
}

fn under_way(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(()),
        other => other,
    }
}

fn bind_source(socket: &OwnedFd, source: &SourceAddress) -> Result<(), Errno> {
    sockopt::set_socket_reuseaddr(socket, true)?;
    if let Some(device) = &source.interface {
        socket2::SockRef::from(socket).bind_device(Some(device.as_bytes())).map_err(|why| errno(&why))?;
    }
    if source.address.port() == 0 {
        // The port is chosen at connect, when the destination is known: 28,000 ports per server, not in all.
        setsockopt(socket, IpBindAddressNoPort, &true).map_err(|why| Errno::from_raw_os_error(why as i32))?;
    }
    match source.address {
        SocketAddr::V4(address) => bind(socket, &SocketAddrV4::new(*address.ip(), address.port())),
        SocketAddr::V6(address) => bind(socket, &address),
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::INVAL)
}
