//! Listening sockets: opened with their options, and looked at.
//!
//! Source: socket(7), ip(7), ipv6(7), tcp(7), unix(7).

use std::io;
use std::mem::size_of_val;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::net::{SocketAddrUnix, SocketType};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// An address on this host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Local {
    /// TCP.
    Inet(SocketAddr),
    /// A path in the file system.
    Path(PathBuf),
    /// The abstract name space, without the leading NUL and without the NULs that pad it.
    Abstract(Vec<u8>),
}

/// What a TCP listener asks of its socket before it is bound.
#[derive(Debug, Clone, Default)]
pub struct TcpOptions {
    /// Others may bind the same address beside it (SO_REUSEPORT).
    pub reuse_port: bool,
    /// Whether an IPv6 address takes IPv6 only; `None` leaves the system's default.
    pub v6only: Option<bool>,
    /// Network device that connections must come in on.
    pub device: Option<String>,
    /// Maximum segment size; a negative one is taken off the default.
    pub mss: Option<i32>,
    /// Connections whose data may wait in their SYN (TCP_FASTOPEN); `None`: off.
    pub fast_open: Option<u32>,
    /// Connections are given out with their first bytes, or when their SYN is repeated (TCP_DEFER_ACCEPT).
    pub defer_accept: bool,
    /// How long what was sent may stay without acknowledgment, in milliseconds (TCP_USER_TIMEOUT); `None`: the system's.
    pub user_timeout: Option<u32>,
    /// The address need not be this host's (IP_TRANSPARENT); takes CAP_NET_ADMIN.
    pub transparent: bool,
    /// What is kept of each connection's first packet (TCP_SAVE_SYN): 0 nothing, 1 from the IP header on, 2 all.
    pub save_syn: u8,
}

/// Whether this host has an address: whether a socket can be bound to it.
pub fn is_local(address: std::net::IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// Opens and binds a TCP socket: non-blocking, closed on exec, SO_REUSEADDR. It does not listen yet.
///
/// # Errors
/// EADDRINUSE, EACCES below port 1024, EADDRNOTAVAIL, EMFILE, and what an option that cannot be had says.
pub fn bind_tcp(address: SocketAddr, options: &TcpOptions) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), None)?;
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if let (Some(only), true) = (options.v6only, address.is_ipv6()) {
        socket.set_only_v6(only)?;
    }
    if let Some(device) = &options.device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    match options.mss {
        Some(mss @ 1..) => socket.set_tcp_mss(mss.unsigned_abs())?,
        Some(less @ ..0) => {
            let default = socket.tcp_mss()?;
            socket.set_tcp_mss(default.saturating_sub(less.unsigned_abs()).max(88))?;
        }
        Some(0) | None => {}
    }
    if options.transparent {
        match address {
            SocketAddr::V4(_) => socket.set_ip_transparent_v4(true)?,
            SocketAddr::V6(_) => socket.set_ip_transparent_v6(true)?,
        }
    }
    set_live_options(&socket, options)?;
    socket.bind(&SockAddr::from(address))?;
    if let Some(queue) = options.fast_open {
        set_fast_open(&socket, queue)?;
    }
    Ok(socket.into())
}

/// Sets what a TCP listener may change at any time, that of another process included: accepted sockets inherit it.
///
/// # Errors
/// None that a TCP socket gives.
pub fn set_live_options(socket: impl AsFd, options: &TcpOptions) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_tcp_user_timeout(&socket, options.user_timeout.unwrap_or(0))?;
    set_tcp_int(socket.as_fd(), libc::TCP_SAVE_SYN, options.save_syn.into())?;
    set_defer_accept(socket.as_fd(), options.defer_accept)
}

/// Opens a unix stream socket under a path that does not exist yet. It does not listen yet.
///
/// # Errors
/// EADDRINUSE when the path exists, ENAMETOOLONG above 107 bytes, EACCES, ENOENT.
pub fn bind_path(path: &Path) -> io::Result<OwnedFd> {
    let socket = unix_socket()?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Opens a unix stream socket under an abstract name. haproxy's `abns@` names are `padded` with NULs to the full
/// length of an address; other programs' are not.
///
/// # Errors
/// EADDRINUSE, ENAMETOOLONG above 107 bytes.
pub fn bind_abstract(name: &[u8], padded: bool) -> io::Result<OwnedFd> {
    let socket = unix_socket()?;
    rustix::net::bind(&socket, &abstract_address(name, padded)?)?;
    Ok(socket)
}

/// Connects to a unix stream socket in the abstract name space, blocking.
///
/// # Errors
/// ECONNREFUSED when nobody listens there.
pub fn connect_abstract(name: &[u8]) -> io::Result<OwnedFd> {
    let socket: OwnedFd = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?.into();
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &abstract_address(name, false)?))?;
    Ok(socket)
}

/// [`connect_abstract`] that does not wait where the listener's backlog is full.
///
/// # Errors
/// ECONNREFUSED when nobody listens there, `WouldBlock` when its backlog is full.
pub fn connect_abstract_now(name: &[u8]) -> io::Result<OwnedFd> {
    let socket = unix_socket()?;
    rustix::net::connect(&socket, &abstract_address(name, false)?)?;
    Ok(socket)
}

fn abstract_address(name: &[u8], padded: bool) -> rustix::io::Result<SocketAddrUnix> {
    const LONGEST: usize = 107;
    if !padded {
        return SocketAddrUnix::new_abstract_name(name);
    }
    let mut full = [0; LONGEST];
    full.get_mut(..name.len()).ok_or(rustix::io::Errno::NAMETOOLONG)?.copy_from_slice(name);
    SocketAddrUnix::new_abstract_name(&full)
}

fn unix_socket() -> io::Result<OwnedFd> {
    Ok(Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?.into())
}

/// Starts to listen, or changes the backlog of a socket that does. The system caps it at net.core.somaxconn.
///
/// # Errors
/// EADDRINUSE when another socket listens on the address meanwhile.
pub fn listen(socket: impl AsFd, backlog: u32) -> io::Result<()> {
    Ok(rustix::net::listen(socket, i32::try_from(backlog).unwrap_or(i32::MAX))?)
}

/// Makes a TCP or unix listener refuse connections until [`listen`] is called again, in **every** process that
/// shares it: never for a socket that somebody else may hold.
///
/// # Errors
/// None that a listener gives.
pub fn stop_listening(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Read)?)
}

/// Takes no more of what the other end sends: it gets EPIPE. What has come can still be read.
///
/// # Errors
/// ENOTCONN.
pub fn stop_receiving(socket: impl AsFd) -> io::Result<()> {
    stop_listening(socket) // the system has one call for both
}

/// Makes a socket non-blocking.
///
/// # Errors
/// None that a socket gives.
pub fn set_nonblocking(socket: impl AsFd) -> io::Result<()> {
    SockRef::from(&socket.as_fd()).set_nonblocking(true)
}

/// Time limits for a blocking socket.
///
/// # Errors
/// None that a socket gives.
pub fn set_time_limits(socket: impl AsFd, limit: std::time::Duration) -> io::Result<()> {
    let fd = socket.as_fd();
    let socket = SockRef::from(&fd);
    socket.set_read_timeout(Some(limit))?;
    socket.set_write_timeout(Some(limit))
}

/// Accepts one connection, closed on exec.
///
/// # Errors
/// `WouldBlock`, EMFILE, ECONNABORTED.
pub fn accept(listener: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::net::accept_with(listener, rustix::net::SocketFlags::CLOEXEC)?)
}

/// What a listening stream socket is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its address.
    pub local: Local,
    /// Whether an IPv6 one takes IPv6 only.
    pub v6only: bool,
    /// The network device that it is bound to.
    pub device: Option<String>,
}

/// Looks at a socket; `None` when it is no stream socket that listens.
pub fn listener(socket: impl AsFd) -> Option<Listener> {
    let fd = socket.as_fd();
    let listens = rustix::net::sockopt::socket_acceptconn(fd).ok()?;
    if !listens || rustix::net::sockopt::socket_type(fd).ok()? != SocketType::STREAM {
        return None;
    }
    let local = local(fd)?;
    let view = SockRef::from(&fd);
    let v6only = matches!(local, Local::Inet(SocketAddr::V6(_))) && view.only_v6().unwrap_or(false);
    let device = view.device().ok().flatten().map(|name| String::from_utf8_lossy(&name).into_owned());
    Some(Listener { local, v6only, device: device.filter(|name| !name.is_empty()) })
}

/// The address that a stream socket is bound to; `None` for other families and unbound unix sockets.
pub fn local(socket: impl AsFd) -> Option<Local> {
    let address = SockRef::from(&socket.as_fd()).local_addr().ok()?;
    if let Some(inet) = address.as_socket() {
        return Some(Local::Inet(inet));
    }
    if let Some(path) = address.as_pathname() {
        return Some(Local::Path(path.to_owned()));
    }
    let name = address.as_abstract_namespace()?;
    let length = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Some(Local::Abstract(name[..length].to_vec()))
}

/// Whether others may bind beside this socket (SO_REUSEPORT).
pub fn shares_port(socket: impl AsFd) -> bool {
    SockRef::from(&socket.as_fd()).reuse_port().unwrap_or(false)
}

/// Owner and mode of a path; `None` leaves what is.
///
/// # Errors
/// EPERM, ENOENT.
pub fn set_path_rights(path: &Path, uid: Option<u32>, gid: Option<u32>, mode: Option<u32>) -> io::Result<()> {
    if uid.is_some() || gid.is_some() {
        std::os::unix::fs::chown(path, uid, gid)?;
    }
    if let Some(mode) = mode {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    }
    Ok(())
}

fn set_defer_accept(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    // One second: the kernel waits for one repeated SYN.
    set_tcp_int(socket, libc::TCP_DEFER_ACCEPT, libc::c_int::from(on))
}

fn set_fast_open(socket: &Socket, queue: u32) -> io::Result<()> {
    set_tcp_int(socket.as_fd(), libc::TCP_FASTOPEN, i32::try_from(queue).unwrap_or(i32::MAX))
}

fn set_tcp_int(socket: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the descriptor is open for the whole call, and pointer and length are those of a live integer that
    // the kernel only reads.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            option,
            std::ptr::from_ref(&value).cast::<libc::c_void>(),
            length,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The path of a unix socket as a message or a match wants it: without the `.PID.tmp` that a proxy binds it under
/// before it is renamed.
pub fn final_path(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    let stem = bytes.strip_suffix(b".tmp").or_else(|| bytes.strip_suffix(b".bak"));
    let cut = stem.and_then(|stem| {
        let dot = stem.iter().rposition(|byte| *byte == b'.')?;
        let digits = &stem[dot + 1..];
        (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some(dot)
    });
    cut.map_or_else(|| path.to_owned(), |dot| PathBuf::from(std::ffi::OsStr::from_bytes(&bytes[..dot])))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_tcp_listener_tells_what_it_is() {
        let options = TcpOptions { reuse_port: true, v6only: Some(true), fast_open: Some(5), ..TcpOptions::default() };
        let socket = bind_tcp("[::1]:0".parse().unwrap(), &options).unwrap();
        assert_eq!(listener(&socket), None, "it does not listen yet");
        listen(&socket, 10).unwrap();
        let seen = listener(&socket).unwrap();
        let Local::Inet(address) = seen.local else { panic!("{seen:?}") };
        assert!(seen.v6only && seen.device.is_none() && shares_port(&socket));
        assert!(bind_tcp(address, &options).is_ok(), "a second one may bind beside it");
        let alone = bind_tcp(address, &TcpOptions::default());
        assert_eq!(alone.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // A port that the system chose is given back by a shutdown; one that was asked for is not.
        drop(socket);
        let socket = bind_tcp(address, &options).unwrap();
        listen(&socket, 10).unwrap();
        TcpStream::connect(address).unwrap();
        stop_listening(&socket).unwrap();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        listen(&socket, 10).unwrap();
        TcpStream::connect(address).unwrap();
    }

    #[test]
    fn abstract_names_are_padded_as_asked() {
        let name = format!("baton-test-{}", std::process::id()).into_bytes();
        let short = bind_abstract(&name, false).unwrap();
        let long = bind_abstract(&name, true).unwrap();
        for socket in [&short, &long] {
            listen(socket, 1).unwrap();
            assert_eq!(listener(socket).unwrap().local, Local::Abstract(name.clone()));
        }
        assert_eq!(bind_abstract(&name, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let client = connect_abstract(&name).unwrap();
        let there = crate::sys::identity::peer(&client).unwrap();
        assert_eq!(there.pid, i32::try_from(std::process::id()).unwrap());
        accept(&short).unwrap();
    }

    #[test]
    fn temporary_paths_lose_their_tail() {
        for (bound, want) in [
            ("/run/s.sock.123.tmp", "/run/s.sock"), // as haproxy binds it
            ("/run/s.sock", "/run/s.sock"),
            ("/run/s.x.tmp", "/run/s.x.tmp"), // no pid: a name of its own
            ("/run/s..tmp", "/run/s..tmp"),
        ] {
            assert_eq!(final_path(Path::new(bound)), Path::new(want), "{bound}");
        }
    }
}
