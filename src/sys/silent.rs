//! Leaves a connection without telling its other end. Source: tcp(7), TCP_REPAIR; manual §4.2 "silent-drop".

use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpRepair;
use rustix::net::sockopt::{set_ip_ttl, set_ipv6_unicast_hops, set_socket_linger};

/// Makes the close of a socket silent: the system then sends neither FIN nor reset. Without the right to that, the reset gets
/// no further than the first router.
pub fn leave(socket: &impl AsFd) {
    if setsockopt(socket, TcpRepair, &1).is_ok() {
        return;
    }
    let _ = set_ip_ttl(socket, 1);
    let _ = set_ipv6_unicast_hops(socket, Some(1));
    let _ = set_socket_linger(socket, Some(Duration::ZERO));
}
