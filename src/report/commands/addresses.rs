//! `set server … addr|check-addr|check-port|agent-addr|agent-port|agent-send|fqdn`: where a server, its check and its
//! agent are.
//!
//! What is said of a change is read by tools: its words are haproxy's. Source: management manual §9.3 "set server";
//! what is taken observed on 2.6.12 (`fixtures/commands/addresses.txt`).

use std::net::{IpAddr, ToSocketAddrs};

use super::names::Named;
use super::{Console, wrong};
use crate::ir::{Level, Server};
use crate::pool::{AddressRefusal, By, Later, Moved, PortRefusal, Reply};
use crate::units::address::ServerPort;

/// What is said where a command changed something, or could not for what stands there already.
pub(super) fn remark(text: &str) -> Reply {
    Reply::Remark(Level::Warning, format!("{text}\n"))
}

/// A port: `80`, or `+80` and `-80` for one that counts from the client's.
fn server_port(word: &str) -> Option<ServerPort> {
    if word.starts_with(['+', '-']) {
        let offset: i32 = word.parse().ok()?;
        return (-65_535..=65_535).contains(&offset).then_some(ServerPort::Mapped(offset));
    }
    word.parse().ok().map(ServerPort::Fixed)
}

/// The port that follows `port`; `Ok(None)`: no such word.
///
/// # Errors
/// What to answer.
fn port_behind(words: &[&str]) -> Result<Option<u16>, Reply> {
    match words {
        ["port", word, ..] => port(word).map(Some),
        ["port"] => port("").map(Some),
        _ => Ok(None),
    }
}

/// A port; 0: none of its own.
fn port(word: &str) -> Result<u16, Reply> {
    let number: i64 = word.parse().map_err(|_| remark("provided port is not an integer"))?;
    u16::try_from(number).map_err(|_| remark("provided port is invalid"))
}

/// What became of an address, in haproxy's words.
fn said(moved: &Moved, port: Option<&str>, by: By<'_>) -> String {
    let mut out = match &moved.ip {
        Some((old, new)) => {
            let old = old.map_or_else(|| "(none)".to_owned(), |old| old.to_string());
            format!("IP changed from '{old}' to '{new}'")
        }
        None => "no need to change the addr".to_owned(),
    };
    let news = match (port, &moved.port, moved.refused) {
        (None, ..) => None,
        (Some(word), ..) if server_port(word).is_none() => Some(format!("'{word}' is no port")),
        (_, _, Some(why @ PortRefusal::CheckNeedsOwn)) => Some(format!("the port stays as it is: {why}")),
        (_, Some((old, new)), _) => Some(format!("port changed from '{old}' to '{new}'")),
        (_, None, _) => Some("no need to change the port".to_owned()),
    };
    if let Some(news) = news {
        out.push_str(", ");
        out.push_str(&news);
    }
    out + &format!(" by '{by}'")
}

impl Console {
    pub(super) fn set_address(&self, server: &Named<'_>, words: &[&str]) -> Result<Reply, Reply> {
        let word = words.first().ok_or_else(|| wrong("An address is needed, and a port may follow."))?;
        let by = By::Command;
        let Ok(ip) = word.parse::<IpAddr>() else { return Err(remark(&format!("Invalid addr '{word}' by '{by}'"))) };
        let port = match words[1..] {
            ["port", word, ..] => Some(word),
            ["port"] => Some(""),
            _ => None,
        };
        let control = self.control()?;
        let wanted = port.and_then(server_port);
        match self.pool.set_server_address(server.proxy, server.ix, Some(ip), wanted, by, self.now()) {
            Ok(moved) => {
                self.pool.announce(&moved.events, &*self.journal, control);
                Ok(remark(&said(&moved, port, by)))
            }
            Err(AddressRefusal::NotInet) => Err(remark(&format!("{} by '{by}'", AddressRefusal::NotInet))),
            Err(AddressRefusal::Gone) => Err(wrong(&AddressRefusal::Gone.to_string())),
        }
    }

    /// Changes the line of a server as it is in force.
    fn change(&self, server: &Named<'_>, change: impl FnOnce(&mut Server)) -> Result<Reply, Reply> {
        self.control()?;
        self.pool.change_server(server.proxy, server.ix, change);
        Ok(Reply::Done)
    }

    pub(super) fn set_check_address(&self, server: &Named<'_>, words: &[&str]) -> Result<Reply, Reply> {
        let word = words.first().ok_or_else(|| wrong("An address is needed, and a port may follow."))?;
        checked(server)?;
        let ip: IpAddr = word.parse().map_err(|_| remark(&format!("invalid addr '{word}'")))?;
        let port = port_behind(&words[1..])?;
        self.change(server, |line| {
            if let Some(check) = &mut line.check {
                check.addr = Some(ip);
                check.port = port.map_or(check.port, |port| Some(port).filter(|port| *port > 0));
            }
        })
    }

    pub(super) fn set_check_port(&self, server: &Named<'_>, word: Option<&str>) -> Result<Reply, Reply> {
        let word = word.ok_or_else(|| wrong("A port is needed."))?;
        checked(server)?;
        let port = port(word)?;
        self.change(server, |line| {
            if let Some(check) = &mut line.check {
                check.port = Some(port).filter(|port| *port > 0);
            }
        })
    }

    /// An agent's address; a name is looked up by the system, which may take its time.
    pub(super) fn set_agent_address(&self, server: &Named<'_>, words: &[&str]) -> Result<Reply, Reply> {
        let word = words.first().ok_or_else(|| wrong("An address is needed, and a port may follow."))?;
        asked(server)?;
        let port = port_behind(&words[1..])?;
        let control = self.control.get().cloned();
        control.ok_or_else(|| wrong("The process does not serve yet."))?;
        let (pool, proxy, ix) = (self.pool.clone(), server.proxy, server.ix);
        let put = move |ip: IpAddr| {
            pool.change_server(proxy, ix, |line| {
                if let Some(agent) = &mut line.agent {
                    agent.addr = Some(ip);
                    agent.port = port.unwrap_or(agent.port);
                }
            });
            Reply::Done
        };
        if let Ok(ip) = word.parse() {
            return Ok(put(ip));
        }
        let host = (*word).to_owned();
        Ok(Reply::Aside(Later(Box::new(move || {
            let found = (host.as_str(), 0).to_socket_addrs().ok().and_then(|mut all| all.next());
            found.map_or_else(|| remark(&format!("invalid addr '{host}'")), |address| put(address.ip()))
        }))))
    }

    pub(super) fn set_agent_port(&self, server: &Named<'_>, word: Option<&str>) -> Result<Reply, Reply> {
        let word = word.ok_or_else(|| wrong("A port is needed."))?;
        asked(server)?;
        let port = port(word)?;
        self.change(server, |line| {
            if let Some(agent) = &mut line.agent {
                agent.port = port;
            }
        })
    }

    /// What is said to an agent; nothing, if nothing is given.
    pub(super) fn set_agent_send(&self, server: &Named<'_>, word: Option<&str>) -> Result<Reply, Reply> {
        if server.line.agent.is_none() {
            return Err(wrong("No agent of this server is asked."));
        }
        let text = word.unwrap_or_default().as_bytes().to_vec();
        self.change(server, |line| {
            if let Some(agent) = &mut line.agent {
                agent.send = text;
            }
        })
    }
}

fn checked(server: &Named<'_>) -> Result<(), Reply> {
    if server.line.check.is_some() { Ok(()) } else { Err(remark("health checks are not enabled on this server")) }
}

fn asked(server: &Named<'_>) -> Result<(), Reply> {
    if server.line.agent.is_some() { Ok(()) } else { Err(remark("agent checks are not enabled on this server")) }
}
