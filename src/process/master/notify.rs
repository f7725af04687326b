//! Tells systemd how the master is.
//!
//! Source: sd_notify(3): datagrams of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where to; `None`: nobody wants to know.
#[derive(Debug)]
pub(super) struct Notify(Option<SocketAddr>);

impl Notify {
    /// The socket of the environment, if `wanted` (`-Ws`).
    pub(super) fn new(wanted: bool) -> Self {
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|_| wanted);
        Self(name.and_then(|name| match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
            [b'/', ..] => SocketAddr::from_pathname(&name).ok(),
            _ => None,
        }))
    }

    fn send(&self, text: &str) {
        let Some(address) = &self.0 else { return };
        // Who does not listen any more misses nothing that could be helped.
        let _ = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.send_to_addr(text.as_bytes(), address)
        });
    }

    /// A reload begins. systemd since 253 wants to know when (`Type=notify-reload`).
    pub(super) fn reloading(&self) {
        let microseconds = crate::sys::monotonic_microseconds();
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS=Reloading Configuration.\n"));
    }

    /// A worker serves; `status`: in words, how the last load went.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nMAINPID={}\nSTATUS={status}\n", std::process::id()));
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Stopping.\n");
    }
}
