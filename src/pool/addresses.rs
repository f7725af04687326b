//! The address of a server at run time: who changes it, what that changes, and servers that have none yet.
//!
//! An address that was set is connected to from then on; sessions stay where they are. A server without an address is in
//! maintenance ("resolution") until it gets one. Source: management manual §9.3 "set server"; what is taken and what is
//! told observed on 2.6.12 (`fixtures/commands/addresses.txt`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::balance::Who;
use super::notice::Motive;
use super::verdicts::{Events, Site};
use super::{Event, Pool};
use crate::ir::{Level, ProxyIx, Server, ServerAddress, ServerIx, TrackRef};
use crate::units::Tick;
use crate::units::address::ServerPort;

/// Who changes an address, as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// A runtime command.
    Command,
    /// An answer of the DNS, and which server gave it: logged, as nobody asked for it.
    Dns(&'a str),
}

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command => f.write_str("stats socket command"),
            Self::Dns(from) => f.write_str(from),
        }
    }
}

/// Why a port cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortRefusal {
    /// The server's check has no port of its own, and needs one where the server's follows the client's.
    #[error("its check needs a port of its own (see 'port' in the configuration manual)")]
    CheckNeedsOwn,
}

/// What became of an address: as it was and as it is, where that is another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moved {
    /// Its IP address; `None` for one that there was not.
    pub ip: Option<(Option<IpAddr>, IpAddr)>,
    /// Its port, as it is written (`80`, `+5`).
    pub port: Option<(String, String)>,
    /// The port could not be changed.
    pub refused: Option<PortRefusal>,
    /// What is to be told.
    pub events: Events,
}

/// Why a server's address cannot be changed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// There is no such server.
    #[error("there is no such server")]
    Gone,
    /// It is no TCP server: only the configuration says where it is.
    #[error("only the configuration says where this server is")]
    NotInet,
}

/// A port as it is written; one that follows the client's has its sign.
fn port(line: &Server) -> String {
    match (line.port_offset, &line.address) {
        (Some(offset), _) => format!("{offset:+}"),
        (None, ServerAddress::Inet(address)) => address.port().to_string(),
        (None, ServerAddress::Unresolved { port, .. }) => port.to_string(),
        (None, _) => String::new(),
    }
}

impl Server {
    /// Its IP address, if it has one.
    pub fn ip(&self) -> Option<IpAddr> {
        match &self.address {
            ServerAddress::Inet(address) => Some(address.ip()),
            _ => None,
        }
    }

    /// Whether it is not known where it is.
    pub fn has_no_address(&self) -> bool {
        matches!(self.address, ServerAddress::Unresolved { .. })
    }

    fn own_port(&self) -> u16 {
        match &self.address {
            ServerAddress::Inet(address) => address.port(),
            ServerAddress::Unresolved { port, .. } => *port,
            _ => 0,
        }
    }

    /// Gives it another address or port.
    fn put(&mut self, ip: Option<IpAddr>, wanted: Option<ServerPort>) {
        match wanted {
            Some(ServerPort::Fixed(_)) => self.port_offset = None,
            Some(ServerPort::Mapped(offset)) => self.port_offset = Some(offset),
            None => {}
        }
        let own = match wanted {
            Some(ServerPort::Fixed(port)) => port,
            Some(ServerPort::Mapped(_)) => 0,
            None => self.own_port(),
        };
        match (&mut self.address, ip) {
            (ServerAddress::Unresolved { port, .. }, None) => *port = own,
            (address, ip) => {
                if let Some(ip) = ip.or(match address {
                    ServerAddress::Inet(address) => Some(address.ip()),
                    _ => None,
                }) {
                    *address = ServerAddress::Inet(SocketAddr::new(ip, own));
                }
            }
        }
    }
}

impl Pool {
    /// Sets a server's address, its port, or both. One that had no address leaves its maintenance for that reason.
    ///
    /// # Errors
    /// [`AddressRefusal`]: nothing was changed.
    pub fn set_server_address(
        &self,
        proxy: ProxyIx,
        server: ServerIx,
        ip: Option<IpAddr>,
        wanted: Option<ServerPort>,
        by: By<'_>,
        now: Tick,
    ) -> Result<Moved, AddressRefusal> {
        let at = TrackRef { proxy, server };
        let before = self.server_now(proxy, server).ok_or(AddressRefusal::Gone)?;
        if !matches!(before.address, ServerAddress::Inet(_) | ServerAddress::Unresolved { .. }) {
            return Err(AddressRefusal::NotInet);
        }
        let mut moved = Moved::default();
        // Whether or not it is checked: haproxy asks for the port all the same.
        let check_port = before.check.as_ref().and_then(|check| check.port);
        let mut wanted = wanted;
        if matches!(wanted, Some(ServerPort::Mapped(_))) && check_port.is_none() {
            wanted = None;
            moved.refused = Some(PortRefusal::CheckNeedsOwn);
        }
        let (old_ip, old_port) = (before.ip(), port(&before));
        drop(before);
        let changed = self.change(at, |line| {
            line.put(ip, wanted);
            (port(line), Who::of(line).first_point)
        });
        let (new_port, first_point) = changed.ok_or(AddressRefusal::Gone)?;
        if let Some(back) = self.back(proxy) {
            back.lock().move_points(server.0, first_point);
        }
        moved.ip = ip.filter(|ip| old_ip != Some(*ip)).map(|ip| (old_ip, ip));
        moved.port = (new_port != old_port).then_some((old_port, new_port));
        if let (By::Dns(from), Some((old, new))) = (by, moved.ip) {
            let old = old.map_or("(none)".to_owned(), |old| old.to_string());
            let message = format!("{} changed its IP from {old} to {new} by {from}.", self.label(at));
            let event = Event { server: Some(server), message, ..Event::of_backend(Level::Notice) };
            moved.events.push((proxy, event));
        }
        if ip.is_some() {
            moved.events.append(&mut self.set_resolved(proxy, server, true, "", now));
        }
        Ok(moved)
    }

    /// Takes a server's address from it: it is in maintenance until it gets another. `why` is told.
    pub fn clear_server_address(&self, proxy: ProxyIx, server: ServerIx, why: &str, now: Tick) -> Events {
        let events = self.set_resolved(proxy, server, false, why, now);
        self.change(TrackRef { proxy, server }, |line| {
            if let ServerAddress::Inet(address) = line.address {
                let host = line.host.clone().unwrap_or_default();
                line.address = ServerAddress::Unresolved { host, port: address.port() };
            }
        });
        events
    }

    /// Puts a server that has an address, or had one, into maintenance because its name does not resolve (`why`), or
    /// lets it out of that: what was ordered besides is in force as before.
    pub fn set_resolved(&self, proxy: ProxyIx, server: ServerIx, resolved: bool, why: &str, now: Tick) -> Events {
        let at = TrackRef { proxy, server };
        let mut events = Events::new();
        let followed = self.followed(at);
        let Some(mut site) = Site::open(self, at, None, now) else { return events };
        site.followed = followed;
        let member = site.member();
        let before = member.ordered();
        member.unresolved = !resolved;
        let after = member.ordered();
        if before == after {
            return events;
        }
        let host = self.server_now(proxy, server).and_then(|line| line.host.clone()).unwrap_or_default();
        site.reorder(before, after, if resolved { Motive::Resolves(&host) } else { Motive::Unresolved(why) });
        self.hand_on(site, before, after, &mut events);
        events
    }

    /// Changes what is configured of a server's check or agent; its address is [`Self::set_server_address`]'s.
    pub fn change_server(&self, proxy: ProxyIx, server: ServerIx, change: impl FnOnce(&mut Server)) {
        self.change(TrackRef { proxy, server }, change);
    }

    /// Whether a server is in maintenance for it has no address.
    pub fn is_unresolved(&self, proxy: ProxyIx, server: ServerIx) -> bool {
        let core = self.back(proxy).map(super::BackState::lock);
        core.is_some_and(|core| core.members.get(server.0 as usize).is_some_and(|member| member.unresolved))
    }

    /// Changes the host name that a server's address is looked up by. Who resolves it is not told: `engine` looks.
    pub fn set_server_host(&self, proxy: ProxyIx, server: ServerIx, host: &str) {
        self.change(TrackRef { proxy, server }, |line| {
            line.host = Some(host.to_owned());
            if let ServerAddress::Unresolved { host: own, .. } = &mut line.address {
                host.clone_into(own);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, backend, pool};
    use super::*;
    use crate::ir::{Balance, Check, ProxyKind};

    const B: ProxyIx = ProxyIx(0);
    const S1: ServerIx = ServerIx(0);

    fn texts(events: &Events) -> Vec<&str> {
        events.iter().map(|(_, event)| event.message.as_str()).collect()
    }

    /// Where a server is and what its port is called, after each change of the same server.
    #[test]
    fn addresses_and_ports() {
        use ServerPort::{Fixed, Mapped};
        let check_port = |port| backend(Balance::RoundRobin, 1, |s| s.check = Some(Check { port, ..Check::default() }));
        let moves = [
            (Some("127.0.0.2"), None, "127.0.0.2:1", None),
            (Some("127.0.0.2"), Some(Fixed(7)), "127.0.0.2:7", None),
            (None, Some(Mapped(5)), "127.0.0.2:0+5", Some("127.0.0.2:7")), // not without a port of the check
            (Some("::1"), None, "[::1]:0+5", Some("[::1]:7")),
            (None, Some(Fixed(8)), "[::1]:8", None),
        ];
        for port in [Some(99), None] {
            let pool = pool(vec![("b", ProxyKind::Backend, check_port(port))]);
            for (ip, to, with, without) in moves {
                let moved =
                    pool.set_server_address(B, S1, ip.map(|ip| ip.parse().unwrap()), to, By::Command, NOW).unwrap();
                let now = pool.server_now(B, S1).unwrap();
                let want = without.filter(|_| port.is_none()).unwrap_or(with);
                assert_eq!(now.address.spell(now.port_offset), want, "{ip:?} {to:?} {port:?}");
                assert_eq!(moved.refused.is_some(), port.is_none() && matches!(to, Some(Mapped(_))));
                assert!(moved.events.is_empty());
            }
            let at = TrackRef { proxy: B, server: S1 };
            assert_eq!(pool.server(at).unwrap().address.to_string(), "127.0.0.1:1", "as it was configured");
        }
    }

    #[test]
    fn only_servers_of_tcp_move() {
        let unix = backend(Balance::RoundRobin, 1, |s| s.address = ServerAddress::Unix("/x".into()));
        let pool = pool(vec![("b", ProxyKind::Backend, unix)]);
        let set = |server| pool.set_server_address(B, server, Some([127, 0, 0, 1].into()), None, By::Command, NOW);
        assert_eq!(set(S1).unwrap_err(), AddressRefusal::NotInet);
        assert_eq!(set(ServerIx(9)).unwrap_err(), AddressRefusal::Gone);
    }

    #[test]
    fn a_server_without_an_address_waits_for_one() {
        let named = backend(Balance::RoundRobin, 1, |s| {
            s.host = Some("a.test".into());
            s.address = ServerAddress::Unresolved { host: "a.test".into(), port: 80 };
        });
        let pool = pool(vec![("b", ProxyKind::Backend, named)]);
        let status = || pool.server_view(B, S1, NOW).unwrap().status_text;
        assert_eq!((status().as_str(), pool.is_unresolved(B, S1)), ("MAINT (resolution)", true));
        let dns = By::Dns("dns/one");
        let moved = pool.set_server_address(B, S1, Some([10, 0, 0, 1].into()), None, dns, NOW).unwrap();
        assert_eq!(
            texts(&moved.events),
            [
                "b/s1 changed its IP from (none) to 10.0.0.1 by dns/one.",
                "Server b/s1 ('a.test') is UP/READY (resolves again)."
            ]
        );
        assert_eq!(status(), "no check");
        assert_eq!(pool.server_now(B, S1).unwrap().address.to_string(), "10.0.0.1:80");
        let events = pool.clear_server_address(B, S1, "no valid address", NOW);
        assert!(texts(&events)[0].starts_with("Server b/s1 is going DOWN for maintenance (no valid address). "));
        assert_eq!(texts(&events)[1], "backend b has no server available!");
        assert_eq!(status(), "MAINT (resolution)");
        pool.set_server_host(B, S1, "b.test");
        let now = pool.server_now(B, S1).unwrap();
        assert_eq!((now.address.to_string().as_str(), now.host.as_deref()), ("b.test:80", Some("b.test")));
        // An order prevails over an address that comes.
        pool.set_admin(B, S1, crate::pool::Admin::Maint, NOW);
        let moved = pool.set_server_address(B, S1, Some([10, 0, 0, 2].into()), None, dns, NOW).unwrap();
        assert_eq!((moved.events.len(), status().as_str()), (1, "MAINT"));
    }
}
