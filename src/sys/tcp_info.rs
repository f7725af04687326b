//! What the kernel knows of a TCP connection: how long a round trip takes, and what was lost.
//!
//! Source: tcp(7) "TCP_INFO", linux/tcp.h.

use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd};

/// What the kernel knows of a TCP connection; times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// A round trip, smoothed.
    pub rtt: u32,
    /// How much it varies.
    pub rttvar: u32,
    /// Segments that are not acknowledged yet.
    pub unacked: u32,
    /// Segments that are acknowledged out of order.
    pub sacked: u32,
    /// Segments that are taken for lost.
    pub lost: u32,
    /// Segments that are sent again and not acknowledged yet.
    pub retrans: u32,
    /// Segments up to the last that is acknowledged out of order.
    pub fackets: u32,
    /// How far segments may come out of order before they are taken for lost.
    pub reordering: u32,
}

/// What the kernel knows of a connection; `None`: it is no TCP connection.
pub fn tcp_info(socket: &impl AsFd) -> Option<TcpInfo> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the pointers are valid for the call, and `length` says how much may be written.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done != 0 {
        return None;
    }
    // SAFETY: all zeroes are a `tcp_info`, and the kernel wrote one over the beginning.
    let info = unsafe { info.assume_init() };
    Some(TcpInfo {
        rtt: info.tcpi_rtt,
        rttvar: info.tcpi_rttvar,
        unacked: info.tcpi_unacked,
        sacked: info.tcpi_sacked,
        lost: info.tcpi_lost,
        retrans: info.tcpi_retrans,
        fackets: info.tcpi_fackets,
        reordering: info.tcpi_reordering,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn connections_of_tcp_have_a_round_trip() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = tcp_info(&client).unwrap();
        assert!(info.rtt > 0 && info.reordering > 0, "{info:?}");
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(tcp_info(&one), None);
    }
}
