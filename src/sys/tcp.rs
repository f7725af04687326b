//! What the kernel tells of a TCP connection: how long a round trip takes and what was lost, and its first packet, which is kept if the
//! listener asks for it and can be taken once.
//!
//! Source: tcp(7) "TCP_INFO", "TCP_SAVE_SYN", "TCP_SAVED_SYN", linux/tcp.h.

use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd};

/// More than the headers of any packet that opens a connection.
const LONGEST_HEADERS: usize = 1024;

/// What the kernel knows of a TCP connection; times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
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
pub fn info(socket: &impl AsFd) -> Option<Info> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    // SAFETY: so many bytes are ours to write to.
    unsafe { read(socket, libc::TCP_INFO, info.as_mut_ptr().cast(), size_of::<libc::tcp_info>()) }?;
    // SAFETY: all zeroes are a `tcp_info`, and the kernel wrote one over the beginning.
    let info = unsafe { info.assume_init() };
    Some(Info {
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

/// The headers of a connection's first packet, from IP or Ethernet on as the listener asked for; `None`: none are kept, or they were
/// taken already.
pub fn take_saved_syn(socket: &impl AsFd) -> Option<Vec<u8>> {
    let mut bytes = [0_u8; LONGEST_HEADERS];
    // SAFETY: so many bytes are ours to write to.
    let length = unsafe { read(socket, libc::TCP_SAVED_SYN, bytes.as_mut_ptr().cast(), bytes.len()) }?;
    Some(bytes.get(..length).filter(|kept| !kept.is_empty())?.to_vec())
}

/// Reads an option of TCP; how many bytes were written.
///
/// # Safety
/// `to` is valid for writes of `room` bytes.
unsafe fn read(socket: &impl AsFd, option: i32, to: *mut libc::c_void, room: usize) -> Option<usize> {
    let mut length = libc::socklen_t::try_from(room).ok()?;
    // SAFETY: as the caller says; `length` is how much may be written.
    let done = unsafe { libc::getsockopt(socket.as_fd().as_raw_fd(), libc::IPPROTO_TCP, option, to, &raw mut length) };
    (done == 0).then_some(length as usize)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sys::socket::{TcpOptions, set_live_options};

    #[test]
    fn connections_of_tcp_have_a_round_trip() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let known = info(&client).unwrap();
        assert!(known.rtt > 0 && known.reordering > 0, "{known:?}");
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(info(&one), None);
    }

    #[test]
    fn what_is_kept_is_taken_once() {
        for (mode, kept) in [(0, false), (1, true)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            set_live_options(&listener, &TcpOptions { save_syn: mode, ..TcpOptions::default() }).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (socket, _) = listener.accept().unwrap();
            let first = take_saved_syn(&socket);
            assert_eq!(first.is_some(), kept, "mode {mode}");
            if let Some(bytes) = first {
                let port = client.local_addr().unwrap().port().to_be_bytes();
                assert_eq!((bytes[0], &bytes[20..22]), (0x45, &port[..]), "an IPv4 header without options, then TCP's");
            }
            assert_eq!(take_saved_syn(&socket), None);
        }
    }
}
