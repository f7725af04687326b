//! Where a server is: how it is spelled, and what of it goes on in another process.

use std::net::SocketAddr;

use super::super::Pool;
use super::Tally;
use super::server::ServerLine;
use crate::ir::{Server, ServerAddress, TrackRef};

/// The address in force as one word.
pub(super) fn spell(server: &Server) -> String {
    server.address.spell(server.port_offset)
}

/// What the configuration says of it, as one word: of a name the name, whatever was found for it at the start.
pub(super) fn written(server: &Server) -> String {
    match (&server.host, &server.address) {
        (Some(host), ServerAddress::Inet(address)) => {
            ServerAddress::Unresolved { host: host.clone(), port: address.port() }.spell(server.port_offset)
        }
        _ => spell(server),
    }
}

/// Reads what [`spell`] makes of an address of TCP.
fn read(text: &str) -> Option<(SocketAddr, Option<i32>)> {
    if let Ok(address) = text.parse() {
        return Some((address, None));
    }
    let (address, offset) = text.split_at_checked(text.rfind(['+', '-'])?)?;
    Some((address.parse().ok()?, Some(offset.parse().ok()?)))
}

impl ServerLine<'_> {
    /// Where the server was, as one word.
    pub(super) fn place(&self) -> &str {
        self.address_now.as_ref().unwrap_or(&self.address)
    }
}

impl Pool {
    /// An address that was set at run time goes on, unless the configuration says something else than it did.
    pub(super) fn take_place(&self, at: TrackRef, line: &ServerLine<'_>, tally: &mut Tally) {
        let Some(server) = self.server(at) else { return };
        if !line.moved || line.place() == spell(server) {
            return;
        }
        if line.address != written(server) {
            return tally.file_wins(self.label(at), "address", line.place(), written(server));
        }
        if let Some((address, offset)) = read(line.place()) {
            self.change(at, |now| {
                now.address = ServerAddress::Inet(address);
                now.port_offset = offset;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_spelled() {
        for (text, want) in [
            ("127.0.0.1:80", Some(("127.0.0.1:80", None))),
            ("127.0.0.1:0+5", Some(("127.0.0.1:0", Some(5)))),
            ("127.0.0.1:0-5", Some(("127.0.0.1:0", Some(-5)))),
            ("[::1]:0+0", Some(("[::1]:0", Some(0)))),
            ("a-host.test:80", None),
            ("unix@/a+5", None),
            ("127.0.0.1:0+", None),
            ("é+1", None),
            ("", None),
        ] {
            let want = want.map(|(address, offset)| (address.parse().unwrap(), offset));
            assert_eq!(read(text), want, "{text}");
            if let Some((address, offset)) = want {
                assert_eq!(ServerAddress::Inet(address).spell(offset), text);
            }
        }
    }
}
