//! Opens a connection to a server: a non-blocking socket with its options, on its way.
//!
//! Knows no session and no retry.

use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{IpBindAddressNoPort, IpTransparent, Mark};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, getsockname, recv, socket_with,
    sockopt,
};

use crate::ir::{
    Backend, Forward, Frontend, KeepAlive, Server, ServerAddress, SocketBuffers, SourceAddress, UseSource,
};
use crate::pool::{Peer, SourcePorts};
use crate::sys::channel;
use crate::units::Millis;

/// Ports of a range that are tried for one connection, as with haproxy.
const PORTS_TRIED: u32 = 10;

/// What rules say of the packets to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Packets {
    /// Netfilter's mark.
    pub(super) mark: Option<u32>,
    /// Type of service, or traffic class.
    pub(super) tos: Option<u8>,
}

/// What a connection is opened by.
pub(super) struct Way<'a> {
    pub(super) address: &'a ServerAddress,
    pub(super) port_offset: Option<i32>,
    pub(super) source: Option<&'a SourceAddress>,
    /// Ports to connect from. The port that a connection has taken is given back by [`close`].
    pub(super) ports: Option<&'a SourcePorts>,
    pub(super) keep_alive: KeepAlive,
    pub(super) user_timeout: Option<Millis>,
    /// What is said first waits for nobody: the handshake is not to be acknowledged without it.
    pub(super) eager: bool,
    pub(super) packets: Packets,
}

impl<'a> Way<'a> {
    pub(super) fn to_server(server: &'a Server, ports: Option<&'a SourcePorts>, back: &Backend) -> Self {
        Self {
            address: &server.address,
            port_offset: server.port_offset,
            source: server.source.as_ref(),
            ports,
            keep_alive: back.keep_alive,
            user_timeout: server.user_timeout,
            eager: back.smart_connect && !server.send_proxy.is_empty(),
            packets: Packets::default(),
        }
    }

    /// `option transparent`: the client alone says where to.
    pub(super) fn is_up_to_the_client(&self) -> bool {
        let anywhere = |address: &SocketAddr| address.ip().is_unspecified() && address.port() == 0;
        matches!(self.address, ServerAddress::Inet(address) if anywhere(address)) && self.port_offset == Some(0)
    }

    pub(super) fn forward(to: &'a Forward, keep_alive: KeepAlive) -> Self {
        Self {
            address: &to.address,
            port_offset: to.port_offset,
            source: to.source.as_ref(),
            ports: None,
            keep_alive,
            user_timeout: None,
            eager: false,
            packets: Packets::default(),
        }
    }
}

/// Why no connection is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The address to connect from cannot be had, or every port of its range is taken.
    Source(Errno),
    /// The system has no local port left for this server.
    NoPort,
    /// The system is short of descriptors or memory.
    Shortage,
    /// The server, or the way to it.
    Server,
    /// Nobody takes connections at the other end of an inherited socket: there is no other way to try.
    Internal,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ADDRNOTAVAIL => Self::NoPort,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::AGAIN => Self::Shortage,
            _ => Self::Server,
        }
    }
}

/// Starts to connect. The socket is writable, or in error, when it is done.
///
/// `local`: the address that the client connected to, asked for only where the server's address depends on it.
///
/// # Errors
/// What the system says at once.
pub(super) fn open(
    way: &Way<'_>,
    buffers: SocketBuffers,
    local: impl FnOnce() -> Option<SocketAddr>,
    peer: Peer,
) -> Result<OwnedFd, Refusal> {
    match way.address {
        ServerAddress::Inet(address) => {
            let address = &destination(*address, way.port_offset, local).map_err(|_| Refusal::Server)?;
            let socket = stream(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })?;
            sockopt::set_tcp_nodelay(&socket, true)?;
            if way.eager {
                let _ = sockopt::set_tcp_quickack(&socket, false);
            }
            keep_alive(&socket, way.keep_alive);
            buffer_sizes(&socket, buffers);
            if let Some(mark) = way.packets.mark {
                set_mark(&socket, mark);
            }
            if let Some(tos) = way.packets.tos {
                set_tos(&socket, tos);
            }
            if let Some(limit) = way.user_timeout {
                sockopt::set_tcp_user_timeout(&socket, limit.get())?;
            }
            if let Some(source) = way.source {
                bind_session(&socket, source, way.ports, peer).map_err(Refusal::Source)?;
            }
            match under_way(connect(&socket, address)) {
                Ok(()) => Ok(socket),
                Err(errno) => {
                    close(socket, way.ports);
                    Err(errno.into())
                }
            }
        }
        ServerAddress::Unix(path) => Ok(to_unix(&SocketAddrUnix::new(path.as_path())?)?),
        ServerAddress::Abstract(name) => Ok(to_unix(&SocketAddrUnix::new_abstract_name(name)?)?),
        ServerAddress::SockPair(number) => channel::connect(*number).map_err(|errno| match errno {
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Refusal::Shortage,
            _ => Refusal::Internal,
        }),
        ServerAddress::Unresolved { .. } => Err(Refusal::Server),
    }
}

/// Most messages of the system that are taken off one socket in a row.
const MESSAGES: usize = 64;

/// Whether a socket that shows an error is still on its way, or has arrived: a router's or a filter's message that a host
/// or a port cannot be reached does not end the attempt, and the packet is sent again. The messages are taken off the
/// socket, which shows no error any more once it is registered anew.
pub(super) fn goes_on(socket: impl AsFd) -> bool {
    let flags = RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT;
    for _ in 0..MESSAGES {
        if recv(&socket, &mut [0; 128], flags).is_err() {
            break;
        }
    }
    let mut state = [PollFd::new(&socket, PollFlags::OUT)];
    let asked = poll(&mut state, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    asked.is_ok() && !state[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Closes a connection's socket; its port is free for the next one.
pub(super) fn close(socket: OwnedFd, ports: Option<&SourcePorts>) {
    let Some(ports) = ports else { return };
    let local = getsockname(&socket).ok().and_then(|local| SocketAddr::try_from(local).ok());
    drop(socket); // first: who gets the port binds it at once
    if let Some(local) = local {
        ports.give_back(local.port());
    }
}

/// Marks the packets of a socket, if the process may.
pub(super) fn set_mark(socket: impl AsFd, mark: u32) {
    let _ = setsockopt(&socket, Mark, &mark);
}

/// Sets the type of service of a socket's packets. A unix socket refuses.
pub(super) fn set_tos(socket: impl AsFd, tos: u8) {
    // one of them is the socket's family
    let _ = sockopt::set_ip_tos(&socket, tos);
    let _ = sockopt::set_ipv6_tclass(&socket, tos.into());
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
    // A client on a unix socket chose neither: what is left open stays so, as with haproxy.
    let chosen = local().unwrap_or(SocketAddr::new(address.ip(), 0));
    if address.ip().is_unspecified() {
        address.set_ip(chosen.ip());
    }
    if let Some(offset) = port_offset {
        let port = i32::from(chosen.port()) + offset;
        address.set_port(u16::try_from(port).map_err(|_| Errno::ADDRNOTAVAIL)?);
    }
    Ok(address)
}

/// Sets what clients' TCP sockets inherit from their listening socket; a unix socket refuses, and needs nothing.
pub(super) fn listener_options(socket: &OwnedFd, smart: bool) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
    // Said either way: a socket that was taken over may have been set otherwise.
    let _ = sockopt::set_tcp_quickack(socket, !smart);
}

/// Sets what a client's TCP socket needs besides. A socket that was closed meanwhile refuses options; its end is found
/// by the first read.
pub(super) fn client_options(socket: &OwnedFd, side: &Frontend, buffers: SocketBuffers) {
    keep_alive(socket, side.keep_alive);
    buffer_sizes(socket, buffers);
}

/// Asks for sizes of the kernel's buffers where they are said. Its own limits are in force, without a word.
fn buffer_sizes(socket: &OwnedFd, wanted: SocketBuffers) {
    if wanted.receive > 0 {
        let _ = sockopt::set_socket_recv_buffer_size(socket, wanted.receive as usize);
    }
    if wanted.send > 0 {
        let _ = sockopt::set_socket_send_buffer_size(socket, wanted.send as usize);
    }
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

/// Binds the socket of a session to the address that `source` gives it.
fn bind_session(
    socket: &OwnedFd,
    source: &SourceAddress,
    ports: Option<&SourcePorts>,
    peer: Peer,
) -> Result<(), Errno> {
    let foreign = match (source.usesrc, peer) {
        (Some(UseSource::Address(address)), _) => Some(address),
        (Some(UseSource::Client), Peer::Inet(client)) => Some(client),
        (Some(UseSource::ClientIp), Peer::Inet(client)) => Some(SocketAddr::new(client.ip(), 0)),
        // A client on a unix socket has no address to show.
        (Some(UseSource::Client | UseSource::ClientIp), Peer::Unix(_)) | (Some(UseSource::Header) | None, _) => None,
    };
    let Some(foreign) = foreign else { return bind_source(socket, source, ports) };
    prepare(socket, source)?;
    // Where it may not be set the address is taken if it is ours.
    let _ = setsockopt(socket, IpTransparent, &true);
    let _ = setsockopt(socket, IpBindAddressNoPort, &true);
    bind_to(socket, foreign)
}

/// Binds to the address of `source` itself, with a port of the range if it has one: whoever connects there without
/// being a session.
///
/// # Errors
/// EADDRINUSE when every port is taken; what the system says.
pub(super) fn bind_source(socket: &OwnedFd, source: &SourceAddress, ports: Option<&SourcePorts>) -> Result<(), Errno> {
    prepare(socket, source)?;
    if source.address.ip().is_unspecified() {
        return Ok(());
    }
    let Some(ports) = ports else {
        // The port is chosen at connect, when the destination is known: 28,000 ports per server, not in all.
        let _ = setsockopt(socket, IpBindAddressNoPort, &true);
        return bind_to(socket, source.address);
    };
    for _ in 0..PORTS_TRIED {
        let port = ports.take().ok_or(Errno::ADDRINUSE)?;
        match bind_to(socket, SocketAddr::new(source.address.ip(), port)) {
            Ok(()) => return Ok(()),
            // Somebody else's: it may be free later.
            Err(Errno::ADDRINUSE) => ports.give_back(port),
            Err(errno) => {
                ports.give_back(port);
                return Err(errno);
            }
        }
    }
    Err(Errno::ADDRINUSE)
}

fn prepare(socket: &OwnedFd, source: &SourceAddress) -> Result<(), Errno> {
    sockopt::set_socket_reuseaddr(socket, true)?;
    if let Some(device) = &source.interface {
        // haproxy goes on without a device that is not there.
        let _ = socket2::SockRef::from(socket).bind_device(Some(device.as_bytes()));
    }
    Ok(())
}

fn bind_to(socket: &OwnedFd, address: SocketAddr) -> Result<(), Errno> {
    match address {
        SocketAddr::V4(address) => bind(socket, &SocketAddrV4::new(*address.ip(), address.port())),
        SocketAddr::V6(address) => bind(socket, &address),
    }
}
