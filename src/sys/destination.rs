//! Where a client wanted to go whose connection the system's packet filter has turned to us (REDIRECT).
//!
//! Source: netfilter's SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{Ip6tOriginalDst, OriginalDst};

/// The destination of an accepted connection before it was redirected.
///
/// # Errors
/// ENOENT: it was not; ENOPROTOOPT: this system does not know; EOPNOTSUPP for a unix socket.
pub fn original(socket: &impl AsFd, v6: bool) -> Result<SocketAddr, Errno> {
    if v6 {
        let found = getsockopt(socket, Ip6tOriginalDst)?;
        return Ok((Ipv6Addr::from(found.sin6_addr.s6_addr), u16::from_be(found.sin6_port)).into());
    }
    let found = getsockopt(socket, OriginalDst)?;
    Ok((Ipv4Addr::from(found.sin_addr.s_addr.to_ne_bytes()), u16::from_be(found.sin_port)).into())
}

/// The address that the client of an accepted connection connected to; `None` for a unix socket.
pub fn wanted(socket: &impl AsFd) -> Option<SocketAddr> {
    let here: SocketAddr = rustix::net::getsockname(socket).ok()?.try_into().ok()?;
    Some(original(socket, here.is_ipv6()).unwrap_or(here))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_that_was_not_redirected_has_none() {
        for (place, v6) in [("127.0.0.1:0", false), ("[::1]:0", true)] {
            let listener = TcpListener::bind(place).unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (socket, _) = listener.accept().unwrap();
            // Where connections are tracked without being turned, the answer is the address that they have.
            if let Ok(found) = original(&socket, v6) {
                assert_eq!(found, socket.local_addr().unwrap());
            }
        }
    }
}
