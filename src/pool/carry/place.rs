//! Where a server is: how it is spelled, and what of it goes on in another process.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

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
        if let Some(host) = &line.host_now {
            if line.address != written(server) {
                tally.file_wins(self.label(at), "fqdn", host, server.host.as_deref().unwrap_or("none"));
            } else if server.host.is_some() || server.resolve.is_some() {
                self.set_server_host(at.proxy, at.server, host);
            }
        }
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

/// Where a server's check and its agent are, and what the agent is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Watch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<(Option<IpAddr>, Option<u16>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<(Option<IpAddr>, u16, Vec<u8>)>,
}

/// An address and a port as people read them; those of the server itself are left out.
fn tell(place: Option<(Option<IpAddr>, Option<u16>)>) -> String {
    match place {
        None => "not asked".to_owned(),
        Some((None, None)) => "the server's own".to_owned(),
        Some((addr, port)) => {
            let addr = addr.map_or_else(String::new, |addr| addr.to_string());
            port.map_or_else(|| addr.clone(), |port| format!("{addr}:{port}"))
        }
    }
}

impl Watch {
    pub(super) fn of(server: &Server) -> Self {
        Self {
            check: server.check.as_ref().map(|check| (check.addr, check.port)),
            agent: server.agent.as_ref().map(|agent| (agent.addr, agent.port, agent.send.clone())),
        }
    }
}

impl Pool {
    /// The same for what was set of a server's check and agent.
    pub(super) fn take_watch(&self, at: TrackRef, line: &ServerLine<'_>, tally: &mut Tally) {
        let (Some(now), Some(server)) = (&line.watch_now, self.server(at)) else { return };
        let (was, is) = (&line.watch, Watch::of(server));
        if now.check != was.check {
            if was.check != is.check {
                tally.file_wins(self.label(at), "check-addr", tell(now.check), tell(is.check));
            } else if let Some((addr, port)) = now.check {
                self.change(at, |server| server.check.iter_mut().for_each(|c| (c.addr, c.port) = (addr, port)));
            }
        }
        if now.agent != was.agent {
            if was.agent != is.agent {
                let of = |watch: &Watch| tell(watch.agent.as_ref().map(|(addr, port, _)| (*addr, Some(*port))));
                tally.file_wins(self.label(at), "agent-addr", of(now), of(&is));
            } else if let Some((addr, port, send)) = &now.agent {
                self.change(at, |server| {
                    server.agent.iter_mut().for_each(|a| (a.addr, a.port, a.send) = (*addr, *port, send.clone()));
                });
            }
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
