//! Leaves a connection without telling its other end. Source: tcp(7), TCP_REPAIR; manual §4.2 "silent-drop".

use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpRepair;
use rustix::net::sockopt::{set_ip_ttl, set_ipv6_unicast_hops, set_socket_linger, set_tcp_quickack};
use rustix::net::{RecvFlags, recv};

/// Most reads of what is left unread: a client that goes on sending is not listened to for ever.
const DRAINS: u32 = 16;

/// Makes the close of a socket silent: what has come is acknowledged, and the system then sends neither FIN nor reset. Without
/// the right to that, the reset gets no further than the first router. `reach`: a reset is sent, and gets so many routers far.
pub fn leave(socket: &impl AsFd, reach: Option<u8>) {
    let _ = set_tcp_quickack(socket, true);
    // bytes that nobody read would be answered by a reset
    for _ in 0..DRAINS {
        if !matches!(recv(socket, &mut [0u8; 16 * 1024], RecvFlags::DONTWAIT), Ok((1.., _))) {
            break;
        }
    }
    let silent = reach.is_none() && setsockopt(socket, TcpRepair, &1).is_ok();
    if !silent {
        let hops = reach.unwrap_or(1).max(1);
        let _ = set_ip_ttl(socket, hops.into());
        let _ = set_ipv6_unicast_hops(socket, Some(hops));
    }
    let _ = set_socket_linger(socket, Some(Duration::ZERO));
}
