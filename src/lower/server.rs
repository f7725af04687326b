//! `server`, `server-template` and `default-server` lines. Their options stand in [`super::server_options`].
//!
//! A `server` begins with a copy of the `default-server`s before it. Names of hosts and of tracked servers are looked
//! up when all is read. Source: manual §5.2.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::address;
use super::args::{Args, Given, MOST};
use super::draft::{Named, ProxyDraft, RefusedWord};
use super::error::{LowerError, Lowered};
use super::guids::Part;
use super::{names, resolvers};
use super::{options_line, watch_options};
use crate::grammar::OptionLine;
use crate::ir::{
    Agent, Check, HashKey, InitAddr, MarkedDown, MarkedUp, Observe, OnError, Resolve, ResolversIx, SendProxy, Server,
    ServerAddress, SourceAddress,
};
use crate::text::Span;
use crate::units::address::{Family, Host, Place, ServerPort};
use crate::units::{Millis, Network, NumberError, Weight, parse_i64};

/// A server, or what all servers of a backend begin with, as far as it was said.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names are the keywords'")]
pub struct ServerDraft {
    pub id: Option<(u32, crate::text::Span)>,
    pub weight: Option<Weight>,
    pub backup: bool,
    pub hash_key: HashKey,
    /// `non-stick`.
    pub non_stick: bool,
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
    /// Words of the line for which haproxy reserves a descriptor.
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
    pub tfo: bool,
    pub init_addr: Vec<InitAddr>,
    pub resolvers: Option<Named>,
    pub resolve_prefer: Family,
    pub resolve_networks: Vec<Network>,
    pub allow_duplicates: bool,
    pub ignore_weight: bool,
    pub user_timeout: Option<Millis>,
    pub send_proxy: SendProxy,
    pub check_send_proxy: bool,
    /// `guid`, with its word.
    pub guid: Option<(String, Span)>,
    /// Refused words that act only in certain proxies.
    pub refused: Vec<RefusedWord>,
}

/// `default-server <options>`: adds to what was said before.
pub fn default_server(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let draft = Arc::make_mut(&mut proxy.set.default_server);
    options_line::server(draft, OptionLine::DefaultServer, args)?;
    proxy.reserved += std::mem::take(&mut draft.reserved);
    watch_options::judge_layer7(draft, proxy.set.mode, args)
}

/// `server <name> <address>[:port] <options>`.
pub fn server(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let name = args.word("a name and an address")?;
    names::check(&name)?;
    let (server, draft, family) = read(&name, OptionLine::Server, proxy, args)?;
    add(proxy, server, &draft, family);
    proxy.reserved += draft.reserved;
    Ok(())
}

/// Most servers of one `server-template`: haproxy has no limit but its memory.
const MOST_OF_A_TEMPLATE: u32 = 1_000_000;

/// `server-template <prefix> <number | first-last> <address>[:port] <options>`: as many servers, alike but for the
/// number at the end of their names. An `id` is the first one's.
pub fn template(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    const NEEDED: &str = "a prefix, a number and an address";
    let prefix = args.word(NEEDED)?;
    names::check(&prefix)?;
    let range = args.word(NEEDED)?;
    let (first, last) = suffixes(&range)?;
    let (mut server, mut draft, family) = read(&prefix, OptionLine::ServerTemplate, proxy, args)?;
    proxy.reserved += draft.reserved; // of the line, however many servers it makes
    let guid = draft.guid.take();
    for number in first..=last {
        draft.guid = guid.as_ref().map(|(guid, span)| (format!("{guid}-{number}"), *span));
        server.name = format!("{}{number}", prefix.text());
        add(proxy, server.clone(), &draft, family);
        server.id = 0;
        draft.id = None;
    }
    Ok(())
}

/// The first and the last number of a template. What stands behind either number counts for nothing, and no number is
/// 0, as with haproxy 2.6.
fn suffixes(word: &Given<'_>) -> Lowered<(u32, u32)> {
    let number = |text: &[u8]| match parse_i64(text, i64::MIN..=i64::MAX) {
        Ok(value) | Err(NumberError::Garbage { value, .. }) => value,
        Err(_) => 0,
    };
    let dash = word.bytes.iter().position(|byte| *byte == b'-');
    let (first, last) = match dash {
        Some(dash) => (number(word.bytes), number(&word.bytes[dash + 1..])),
        None => (1, number(word.bytes)),
    };
    let wrong = || word.blame(LowerError::Misplaced("no number of servers, and no range of their numbers"));
    let (first, last) = (u32::try_from(first).map_err(|_| wrong())?, u32::try_from(last).map_err(|_| wrong())?);
    if last < first || last > MOST {
        return Err(wrong());
    }
    if last - first >= MOST_OF_A_TEMPLATE {
        return Err(word.range(1, i64::from(MOST_OF_A_TEMPLATE)));
    }
    Ok((first, last))
}

/// Reads what follows the name of a `server` or `server-template`: the server, its draft, and the family that its host
/// name is looked up in.
fn read(
    name: &Given<'_>,
    line: OptionLine,
    proxy: &mut ProxyDraft,
    args: &mut Args<'_>,
) -> Lowered<(Server, ServerDraft, Family)> {
    let place = args.word("a name and an address")?;
    let (address, port_offset, family) = address(&place, args)?;
    let mut draft = ServerDraft::clone(&proxy.set.default_server);
    options_line::server(&mut draft, line, args)?;
    watch_options::judge_layer7(&mut draft, proxy.set.mode, args)?;
    if let (Some(track), true) = (&draft.track, draft.check) {
        let both = LowerError::Misplaced("a server that tracks another one cannot be checked itself");
        return Err(super::error::Blame { span: track.span, error: both, hint: None }.hint("say 'no-check'"));
    }
    proxy.refused.append(&mut draft.refused);
    let check = draft.check.then(|| check(&draft));
    let agent = if draft.agent { Some(Box::new(agent(&draft, name)?)) } else { None };
    let limit = draft.error_limit.unwrap_or(10);
    let observe = (draft.observe && draft.check).then_some(Observe { limit, on_error: draft.on_error });
    let named = match &address {
        ServerAddress::Unresolved { host, .. } => Some(host.clone()),
        _ => None,
    };
    let resolve = resolve(&draft, named.as_deref(), &place)?;
    let host = named.filter(|_| resolve.as_ref().is_none_or(|resolve| resolve.service.is_none()));
    let server = Server {
        name: name.text(),
        id: draft.id.map_or(0, |(id, _)| id),
        address,
        port_offset,
        weight: draft.weight.unwrap_or(Weight::DEFAULT),
        hash_key: draft.hash_key,
        backup: draft.backup,
        non_stick: draft.non_stick,
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
        source: draft.source.take(),
        user_timeout: draft.user_timeout,
        send_proxy: draft.send_proxy,
        init_addr: std::mem::take(&mut draft.init_addr),
        id_given: draft.id.is_some(),
        host,
        resolve,
        recorded: None,
        span: name.span,
    };
    Ok((server, draft, family))
}

/// Adds one server, and notes what is to be looked up for it when all is read.
fn add(proxy: &mut ProxyDraft, server: Server, draft: &ServerDraft, family: Family) {
    let ix = u32::try_from(proxy.servers.len()).unwrap_or(u32::MAX);
    if let Some(track) = &draft.track {
        proxy.tracks.push((ix, track.clone()));
    }
    if let Some(resolvers) = &draft.resolvers {
        proxy.resolvers.push((ix, resolvers.clone()));
    }
    if family != Family::Any {
        proxy.families.push((ix, family));
    }
    if let Some((id, span)) = draft.id {
        proxy.server_ids.push((ix, id, span));
    }
    if let Some((guid, span)) = &draft.guid {
        proxy.guids.push((Part::Server(ix), guid.clone(), *span));
    }
    if draft.tfo {
        proxy.fast_open.push(server.span);
    }
    proxy.servers.push(server);
}

/// How its name is looked up at run time, but for the section: that is looked up itself when all is read.
///
/// # Errors
/// A name that nobody can be asked for.
fn resolve(draft: &ServerDraft, named: Option<&str>, place: &Given<'_>) -> Lowered<Option<Box<Resolve>>> {
    let (Some(_), Some(name)) = (&draft.resolvers, named) else { return Ok(None) };
    if resolvers::unaskable(name) {
        return Err(place.blame(LowerError::Host { host: name.to_owned() }));
    }
    Ok(Some(Box::new(Resolve {
        section: ResolversIx(u32::MAX),
        service: name.starts_with('_').then(|| name.to_owned()),
        prefer: draft.resolve_prefer,
        networks: draft.resolve_networks.clone(),
        allow_duplicates: draft.allow_duplicates,
        ignore_weight: draft.ignore_weight,
    })))
}

/// The check with haproxy's defaults where nothing was said.
fn check(draft: &ServerDraft) -> Check {
    // A check of another address is another matter, and begins with a header only if that is said.
    let elsewhere = draft.addr.is_some() || draft.port.is_some();
    let sent = draft.check_send_proxy || !draft.send_proxy.is_empty() && !elsewhere;
    let usual = Check::default();
    Check {
        inter: draft.inter.unwrap_or(usual.inter),
        fastinter: draft.fastinter,
        downinter: draft.downinter,
        rise: draft.rise.unwrap_or(usual.rise),
        fall: draft.fall.unwrap_or(usual.fall),
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
        Place::SockPair(number) => Ok((ServerAddress::SockPair(number), None, Family::Any)),
        Place::AbstractZero(_) | Place::Reverse(_) => Err(address::not_yet(word)),
    }
}
