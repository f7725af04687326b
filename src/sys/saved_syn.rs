//! The first packet of a connection, which the kernel keeps if its listener asks for it. Source: tcp(7) TCP_SAVE_SYN,
//! TCP_SAVED_SYN: what is kept can be taken once.

use std::os::fd::{AsFd, AsRawFd};

/// More than the headers of any packet that opens a connection.
const MOST: usize = 1024;

/// The headers of a connection's first packet, from IP or Ethernet on as the listener asked for; `None`: none are kept, or they were
/// taken already.
pub fn take(socket: &impl AsFd) -> Option<Vec<u8>> {
    let mut bytes = [0_u8; MOST];
    let mut length = MOST as libc::socklen_t;
    // SAFETY: the pointers are valid for the call, and `length` says how much may be written.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_SAVED_SYN,
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let kept = bytes.get(..length as usize).filter(|kept| done == 0 && !kept.is_empty())?;
    Some(kept.to_vec())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::sys::socket::{TcpOptions, set_live_options};

    #[test]
    fn what_is_kept_is_taken_once() {
        for (mode, kept) in [(0, false), (1, true)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            set_live_options(&listener, &TcpOptions { save_syn: mode, ..TcpOptions::default() }).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (socket, _) = listener.accept().unwrap();
            let first = take(&socket);
            assert_eq!(first.is_some(), kept, "mode {mode}");
            if let Some(bytes) = first {
                let port = client.local_addr().unwrap().port().to_be_bytes();
                assert_eq!((bytes[0], &bytes[20..22]), (0x45, &port[..]), "an IPv4 header without options, then TCP's");
            }
            assert_eq!(take(&socket), None);
        }
    }
}
