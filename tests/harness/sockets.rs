//! Options of another process's sockets: its descriptors are copied and asked.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::getsockopt;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::{SockRef, Socket};

/// Which socket of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It listens at the address.
    Listening,
    /// It came in at the address.
    Accepted,
    /// It goes to the address.
    To,
}

/// What the test asks that no crate wraps.
mod options {
    use nix::{getsockopt_impl, sockopt_impl};

    sockopt_impl!(FastOpen, GetOnly, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, u32);
    sockopt_impl!(DeferAccept, GetOnly, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, u32);
    sockopt_impl!(QuickAck, GetOnly, libc::IPPROTO_TCP, libc::TCP_QUICKACK, u32);
    sockopt_impl!(Info, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info);
}

/// One option of the first socket of `pid` that stands at `side` of `address` (or listens at that path).
pub fn option(pid: u32, side: Side, address: &str, option: &str) -> Result<String, String> {
    let socket = copies(pid)?
        .into_iter()
        .find(|socket| stands(socket, side, address))
        .ok_or_else(|| format!("no socket {side:?} {address}"))?;
    value(&socket, option).map_err(|why| format!("{option}: {why}"))
}

/// Copies of all sockets of the process.
fn copies(pid: u32) -> Result<Vec<Socket>, String> {
    let process = Pid::from_raw(pid.cast_signed()).ok_or("no process id")?;
    let pidfd = pidfd_open(process, PidfdFlags::empty()).map_err(|why| format!("pidfd_open: {why}"))?;
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).map_err(|why| why.to_string())?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let socket = std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
        let number = entry.file_name().to_string_lossy().parse().ok().filter(|_| socket);
        let Some(number) = number else { continue };
        let copy: Result<OwnedFd, _> = pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty());
        match copy {
            Ok(copy) => found.push(Socket::from(copy)),
            Err(rustix::io::Errno::BADF) => {} // closed in between
            Err(why) => return Err(format!("pidfd_getfd: {why}")),
        }
    }
    Ok(found)
}

fn stands(socket: &Socket, side: Side, address: &str) -> bool {
    let local = || socket.local_addr().ok();
    let at = |found: Option<socket2::SockAddr>| {
        let found = found?;
        let path = found.as_pathname().is_some_and(|path| path.as_os_str() == address);
        Some(path || found.as_socket().is_some_and(|found| same(found, address)))
    };
    let listens = socket.is_listener().unwrap_or(false);
    match side {
        Side::Listening => listens && at(local()) == Some(true),
        Side::Accepted => !listens && socket.peer_addr().is_ok() && at(local()) == Some(true),
        Side::To => at(socket.peer_addr().ok()) == Some(true),
    }
}

fn same(found: SocketAddr, address: &str) -> bool {
    match address.strip_prefix("*:").and_then(|port| port.parse::<u16>().ok()) {
        Some(port) => found.port() == port,
        None => address.parse() == Ok(found),
    }
}

fn value(socket: &Socket, option: &str) -> Result<String, String> {
    let plain = SockRef::from(socket);
    let io = |why: std::io::Error| why.to_string();
    let errno = |why: nix::Error| why.to_string();
    let flag = |set: std::io::Result<bool>| set.map(|set| u32::from(set).to_string()).map_err(io);
    let seconds = |time: std::io::Result<Duration>| time.map(|time| time.as_secs().to_string()).map_err(io);
    let fd = socket.as_fd();
    match option {
        "keepalive" => flag(plain.keepalive()),
        "keepidle" => seconds(plain.tcp_keepalive_time()),
        "keepintvl" => seconds(plain.tcp_keepalive_interval()),
        "keepcnt" => plain.tcp_keepalive_retries().map(|count| count.to_string()).map_err(io),
        "linger" => {
            plain.linger().map(|time| time.map_or("off".to_owned(), |time| time.as_secs().to_string())).map_err(io)
        }
        "v6only" => flag(plain.only_v6()),
        "reuseport" => flag(plain.reuse_port()),
        "transparent" => flag(plain.ip_transparent_v4()),
        "device" => plain
            .device()
            .map(|name| String::from_utf8_lossy(&name.unwrap_or_default()).trim_end_matches('\0').to_owned())
            .map_err(io),
        "user-timeout" => {
            plain.tcp_user_timeout().map(|time| time.map_or(0, |time| time.as_millis()).to_string()).map_err(io)
        }
        "rcvbuf" => plain.recv_buffer_size().map(|size| size.to_string()).map_err(io),
        "sndbuf" => plain.send_buffer_size().map(|size| size.to_string()).map_err(io),
        "mark" => plain.mark().map(|mark| mark.to_string()).map_err(io),
        "tos" => plain.tos_v4().map(|tos| tos.to_string()).map_err(io),
        "mss" => plain.tcp_mss().map(|mss| mss.to_string()).map_err(io),
        "fastopen" => getsockopt(&fd, options::FastOpen).map(|set| set.to_string()).map_err(errno),
        "defer-accept" => getsockopt(&fd, options::DeferAccept).map(|set| set.to_string()).map_err(errno),
        "quickack" => getsockopt(&fd, options::QuickAck).map(|set| set.to_string()).map_err(errno),
        // tcp(7) says it of connections; of a listening socket these two are its queue and the queue's limit.
        "backlog" => getsockopt(&fd, options::Info).map(|info| info.tcpi_sacked.to_string()).map_err(errno),
        _ => Err("no such option".to_owned()),
    }
}
