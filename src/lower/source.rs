//! Where connections to servers come from and where they go without balancing: `source`, `dispatch`, `option transparent`.
//!
//! Knows no socket: an address that is not ours is no error here. Source: manual §4.2 and §5.2 "source", §4.2
//! "dispatch" and "option transparent"; all else observed on 2.6.12.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::address;
use super::args::Args;
use super::draft::ProxyDraft;
use super::error::Lowered;
use crate::ir::{Forward, ServerAddress, SourceAddress, UseSource};
use crate::units::address::{Place, PortSpec};

/// `source <ip>[:port] [interface <device>] [usesrc …]` of a proxy: what its servers begin with.
pub fn source(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.source = Some(address(args, false)?);
    args.end()
}

/// Reads what stands behind `source`. `ranges`: whether a range of ports may.
///
/// # Errors
/// An address that is none, a name that does not resolve, a missing word.
pub(super) fn address(args: &mut Args<'_>, ranges: bool) -> Lowered<SourceAddress> {
    let word = args.word("an address")?;
    let parsed = address::parse(&word, args)?;
    let Place::Inet { family, host, .. } = &parsed.place else { return Err(address::wrong_kind(&word)) };
    let ports = match ranges {
        true => parsed.source_ports().map_err(|why| address::fault(&word, why))?,
        false => parsed.plain_port().map_err(|why| address::fault(&word, why))?.map(|port| (port, port)),
    };
    let ip = address::ip(&word, host, *family, args)?;
    // a range of one is a port like any other: connections to several places may share it
    let (port, ports) = match ports {
        Some((first, last)) if first == last => (first, None),
        other => (0, other),
    };
    let mut source = SourceAddress { address: SocketAddr::new(ip, port), ports, interface: None, usesrc: None };
    loop {
        if args.take("interface") {
            source.interface = Some(args.string("a network device")?);
        } else if args.take("usesrc") {
            source.usesrc = Some(use_source(args)?);
        } else {
            return Ok(source);
        }
    }
}

/// What `usesrc` asks for.
fn use_source(args: &mut Args<'_>) -> Lowered<UseSource> {
    let word = args.word("an address, 'client', 'clientip' or 'hdr_ip(name)'")?;
    match word.bytes {
        b"client" => return Ok(UseSource::Client),
        b"clientip" => return Ok(UseSource::ClientIp),
        header if header.starts_with(b"hdr_ip(") => return Ok(UseSource::Header),
        _ => {}
    }
    let parsed = address::parse(&word, args)?;
    let Place::Inet { family, host, .. } = &parsed.place else { return Err(address::wrong_kind(&word)) };
    let port = parsed.plain_port().map_err(|why| address::fault(&word, why))?.unwrap_or(0);
    Ok(UseSource::Address(SocketAddr::new(address::ip(&word, host, *family, args)?, port)))
}

/// `dispatch <address>:<port>`: where all sessions go as long as nothing balances.
pub fn dispatch(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("an address and a port")?;
    let parsed = address::parse(&word, args)?;
    address::want_stream(&word, &parsed)?;
    let place = match &parsed.place {
        Place::Inet { family, host, port } => {
            if let PortSpec::One(0) = port {
                return Err(address::fault(&word, crate::units::AddressError::PortZero));
            }
            let port = parsed.plain_port().map_err(|why| address::fault(&word, why))?;
            let missing = || address::fault(&word, crate::units::AddressError::PortMissing { host: host.to_string() });
            ServerAddress::Inet(SocketAddr::new(address::ip(&word, host, *family, args)?, port.ok_or_else(missing)?))
        }
        Place::Unix(path) => ServerAddress::Unix(address::path(path.clone())),
        Place::Abstract(name) => ServerAddress::Abstract(name.clone()),
        Place::Fd(_) => return Err(address::wrong_kind(&word)),
        Place::SockPair(number) => ServerAddress::SockPair(*number),
        Place::AbstractZero(_) | Place::Reverse(_) => return Err(address::not_yet(&word)),
    };
    proxy.dispatch = Some((place, args.span()));
    args.end()
}

/// `option transparent`: sessions go where their clients wanted to go, as long as nothing balances.
pub fn transparent(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.transparent = args.on(false).then(|| args.span());
    Ok(())
}

/// `transparent`: what `option transparent` was called.
pub fn old_transparent(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.transparent = Some(args.span());
    Ok(())
}

/// Where the sessions of a proxy go that does not balance, if it says so. `dispatch` comes before `option transparent`.
pub(super) fn forward(proxy: &ProxyDraft) -> Option<Forward> {
    if proxy.set.balance.is_some() || proxy.set.hash_balance.is_some() {
        return None;
    }
    let chosen_by_the_client = || {
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        proxy.set.transparent.map(|_| (ServerAddress::Inet(anywhere), Some(0)))
    };
    let dispatch = proxy.dispatch.as_ref().map(|(address, _)| (address.clone(), None));
    let (address, port_offset) = dispatch.or_else(chosen_by_the_client)?;
    Some(Forward { address, port_offset, source: proxy.set.source.clone() })
}
