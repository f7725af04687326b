//! Addresses nobody else uses: each test process has a loopback address of its own, made from its process id.
//!
//! Ports are taken below Linux's ephemeral range, so that no outgoing connection of a neighbour sits on them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports on this process's own address.
const OWN: Range<u16> = 10_000..30_000;
/// Ports on addresses that neighbours use too: what binds every address would take one of theirs among [`OWN`]. The
/// ephemeral range starts at 32768.
const SHARED: Range<u16> = 30_000..32_768;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// This process's own loopback address: 127.64.0.0 to 127.127.255.255 by process id (22 bits on Linux).
pub fn address() -> Ipv4Addr {
    let pid = std::process::id();
    let [_, high, mid, low] = pid.to_be_bytes();
    Ipv4Addr::new(127, 64 | (high & 0x3f), mid, low)
}

/// A free TCP port on [`address`].
///
/// # Panics
/// When 20,000 ports are in use, which is a leak in the test.
pub fn free() -> SocketAddr {
    local(&listener())
}

/// A listener on a free port of [`address`]: between asking for a port and binding it nobody can take it.
///
/// # Panics
/// As [`free`].
pub fn listener() -> TcpListener {
    listener_on(address(), OWN)
}

/// A free TCP port on an address of the caller's: for what must listen on `127.0.0.1` or on `*`.
///
/// # Panics
/// When none of them is free.
pub fn free_on(address: Ipv4Addr) -> SocketAddr {
    local(&listener_on(address, SHARED))
}

fn listener_on(address: Ipv4Addr, ports: Range<u16>) -> TcpListener {
    let span = ports.len() as u16;
    // Neighbours start elsewhere: it matters for addresses that are not this process's own.
    let offset = (std::process::id().wrapping_mul(97) % u32::from(span)) as u16;
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
        if let Ok(listener) = TcpListener::bind((address, ports.start + (offset + step) % span)) {
            return listener;
        }
    }
    panic!("no free port on {address}");
}

fn local(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a listener has an address")
}

/// An address where nothing listens: a connection is refused at once.
pub fn refused() -> SocketAddr {
    free()
}

/// Whether something listens on `address`, told by the kernel's tables: no connection is made, no counter moves.
pub fn listens(address: SocketAddr) -> bool {
    let (table, wanted, any) = match address {
        SocketAddr::V4(v4) => {
            let ip = u32::from_ne_bytes(v4.ip().octets());
            ("/proc/net/tcp", format!("{ip:08X}:{:04X}", v4.port()), format!("00000000:{:04X}", v4.port()))
        }
        SocketAddr::V6(v6) => {
            let groups: String = v6
                .ip()
                .octets()
                .chunks_exact(4)
                .map(|four| format!("{:08X}", u32::from_ne_bytes([four[0], four[1], four[2], four[3]])))
                .collect();
            ("/proc/net/tcp6", format!("{groups}:{:04X}", v6.port()), format!("{}:{:04X}", "0".repeat(32), v6.port()))
        }
    };
    const LISTEN: &str = "0A";
    std::fs::read_to_string(table).unwrap_or_default().lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().unwrap_or_default();
        (local == wanted || local == any) && fields.nth(1) == Some(LISTEN)
    })
}
