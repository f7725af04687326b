//! `server` and `default-server` lines. Their options stand in [`super::server_options`].
//!
//! A `server` begins with a copy of the `default-server`s before it. Names of hosts and of tracked servers are looked
//! up when all is read. Source: manual §5.2.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::address;
use super::args::{Args, Given};
use super::draft::{Named, ProxyDraft, RefusedWord};
use super::error::{LowerError, Lowered};
use super::names;
use super::{options_line, watch_options};
use crate::grammar::OptionLine;
use crate::ir::{
    Agent, Check, InitAddr, MarkedDown, MarkedUp, Observe, OnError, SendProxy, Server, ServerAddress, SourceAddress,
};
use crate::units::address::{Family, Host, Place, ServerPort};
use crate::units::{Millis, Weight};

/// A server, or what all servers of a backend begin with, as far as it was said.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub struct ServerDraft {
    pub id: Option<(u32, crate::text::Span)>,
    pub weight: Option<Weight>,
    pub backup: bool,
    pub disabled: bool,
    pub maxconn: u32,
    pub minconn: u32,
    pub maxqueue: u32,
    pub slowstart: Option<Millis>,
    pub check: bool,
    pub inter: Option<Millis>,
    pub fastinter: Option<Millis>,
    pub downinter: Option<Millis>,
    pub rise: Option<u32>,
    pub fall: Option<u32>,
    pub addr: Option<IpAddr>,
    pub port: Option<u16>,
    /// Words of the server's own line for which haproxy reserves a descriptor.
    pub reserved: u32,
    pub agent: bool,
    pub agent_inter: Option<Millis>,
    pub agent_addr: Option<IpAddr>,
    pub agent_port: Option<u16>,
    pub agent_send: Vec<u8>,
    pub observe: bool,
    pub layer7: Option<crate::text::Span>,
    pub error_limit: Option<u32>,
    pub on_error: OnError,
    pub track: Option<Named>,
    pub on_marked_down: MarkedDown,
    pub on_marked_up: MarkedUp,
    pub source: Option<SourceAddress>,
    pub init_addr: Vec<InitAddr>,
    pub user_timeout: Option<Millis>,
    pub send_proxy: SendProxy,
    pub check_send_proxy: bool,
    /// Refused words that act only in certain proxies.
    pub refused: Vec<RefusedWord>,
}

/// `default-server <options>`: adds to what was said before.
pub fn default_server(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let draft = Arc::make_mut(&mut proxy.set.default_server);
    options_line::server(draft, OptionLine::DefaultServer, args)?;
    watch_options::judge_layer7(draft, proxy.set.mode, args)
}

/// `server <name> <address>[:port] <options>`.
pub fn server(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let name = args.word("a name and an address")?;
    names::check(&name)?;
    let place = args.word("a name and an address")?;
    let (address, port_offset, family) = address(&place, args)?;
    let mut draft = ServerDraft::clone(&proxy.set.default_server);
    draft.reserved = 0;
    options_line::server(&mut draft, OptionLine::Server, args)?;
    proxy.reserved += draft.reserved;
    watch_options::judge_layer7(&mut draft, proxy.set.mode, args)?;
    let ix = u32::try_from(proxy.servers.len()).unwrap_or(u32::MAX);
    if let Some(track) = draft.track.take() {
        if draft.check {
            let both = LowerError::Misplaced("a server that tracks another one cannot be checked itself");
            return Err(super::error::Blame { span: track.span, error: both, hint: None }.hint("say 'no-check'"));
        }
        proxy.tracks.push((ix, track));
    }
    if family != Family::Any {
        proxy.families.push((ix, family));
    }
    proxy.refused.append(&mut draft.refused);
    if let Some((id, span)) = draft.id {
        proxy.server_ids.push((ix, id, span));
    }
    let check = draft.check.then(|| check(&draft));
    let agent = if draft.agent { Some(Box::new(agent(&draft, &name)?)) } else { None };
    let limit = draft.error_limit.unwrap_or(10);
    let observe = (draft.observe && draft.check).then_some(Observe { limit, on_error: draft.on_error });
    proxy.servers.push(Server {
        name: name.text(),
        id: draft.id.map_or(0, |(id, _)| id),
        address,
        port_offset,
        weight: draft.weight.unwrap_or(Weight::DEFAULT),
        backup: draft.backup,
        disabled: draft.disabled,
        // a `minconn` above the limit raises it, as with haproxy; alone it is the limit
        maxconn: draft.maxconn.max(draft.minconn),
        minconn: draft.minconn,
        maxqueue: draft.maxqueue,
        slowstart: draft.slowstart,
        check,
        agent,
        observe,
        track: None,
        on_marked_down: draft.on_marked_down,
        on_marked_up: draft.on_marked_up,
        source: draft.source,
        user_timeout: draft.user_timeout,
        send_proxy: draft.send_proxy,
        init_addr: draft.init_addr,
        span: name.span,
    });
    Ok(())
}

/// The check with haproxy's defaults where nothing was said.
fn check(draft: &ServerDraft) -> Check {
    // A check of another address is another matter, and begins with a header only if that is said.
    let elsewhere = draft.addr.is_some() || draft.port.is_some();
    let sent = draft.check_send_proxy || !draft.send_proxy.is_empty() && !elsewhere;
    Check {
        inter: draft.inter.unwrap_or(Millis::seconds(2)),
        fastinter: draft.fastinter,
        downinter: draft.downinter,
        rise: draft.rise.unwrap_or(2),
        fall: draft.fall.unwrap_or(3),
        addr: draft.addr,
        port: draft.port,
        send_proxy: sent.then_some(draft.send_proxy),
    }
}

/// The agent with haproxy's defaults where nothing was said.
///
/// # Errors
/// It has no port.
fn agent(draft: &ServerDraft, name: &Given<'_>) -> Lowered<Agent> {
    let Some(port) = draft.agent_port.filter(|port| *port > 0).or(draft.port) else {
        let blame = name.blame(LowerError::Misplaced("an agent needs a port of its own"));
        return Err(blame.hint("add 'agent-port <port>'"));
    };
    let inter = draft.agent_inter.unwrap_or(Millis::seconds(2));
    Ok(Agent { inter, addr: draft.agent_addr, port, send: draft.agent_send.clone() })
}

/// A server's address, its port's offset to the client's destination port where it has no port of
/// its own, and the family that its host name is looked up in.
fn address(word: &Given<'_>, args: &mut Args<'_>) -> Lowered<(ServerAddress, Option<i32>, Family)> {
    let parsed = address::parse(word, args)?;
    address::want_stream(word, &parsed)?;
    let (port, offset) = match parsed.server_port().map_err(|why| address::fault(word, why))? {
        ServerPort::Fixed(0) => (0, Some(0)),
        ServerPort::Fixed(port) => (port, None),
        ServerPort::Mapped(offset) => (0, Some(offset)),
    };
    match parsed.place {
        Place::Inet { family, host, .. } => match host {
            Host::Wildcard => Ok((ServerAddress::Inet(SocketAddr::new(address::any(family), port)), offset, family)),
            Host::Ip(ip) => Ok((ServerAddress::Inet(SocketAddr::new(ip, port)), offset, family)),
            Host::Name(host) => {
                address::check_name(word, &host, args)?;
                Ok((ServerAddress::Unresolved { host, port }, offset, family))
            }
        },
        Place::Unix(path) => Ok((ServerAddress::Unix(address::path(path)), None, Family::Any)),
        Place::Abstract(name) => Ok((ServerAddress::Abstract(name), None, Family::Any)),
        Place::Fd(_) => Err(address::wrong_kind(word)),
        Place::AbstractZero(_) | Place::SockPair(_) | Place::Reverse(_) => Err(address::not_yet(word)),
    }
}
