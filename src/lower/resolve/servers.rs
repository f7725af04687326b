//! Servers: names, tracking, ports of checks, and addresses behind host names.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::ir::{InitAddr, Proxy, ProxyIx, Resolvers, ResolversIx, Server, ServerAddress, ServerIx, TrackRef};
use crate::lower::Choices;
use crate::lower::address::first;
use crate::lower::draft::{Named, ProxyDraft, is_backend};
use crate::lower::section::Sections;
use crate::text::{Diagnostic, World};
use crate::units::address::Family;

/// One server, by its places.
type Place = (usize, usize);

/// Who tracks whom, as far as it was looked up.
#[derive(Debug, Default)]
pub(super) struct Tracked(HashMap<Place, Place>);

impl Tracked {
    /// Puts the tracked servers into a proxy.
    pub(super) fn put(&self, at: usize, proxy: &mut Proxy) {
        if self.0.is_empty() {
            return;
        }
        let Some(backend) = &mut proxy.backend else { return };
        for (ix, server) in backend.servers.iter_mut().enumerate() {
            let Some((proxy, target)) = self.0.get(&(at, ix)) else { continue };
            let (Ok(proxy), Ok(target)) = (u32::try_from(*proxy), u32::try_from(*target)) else { continue };
            server.track = Some(TrackRef { proxy: ProxyIx(proxy), server: ServerIx(target) });
        }
    }
}

/// Everything that is to be said of the servers of a proxy but their host names.
pub(super) fn judge(sections: &Sections, at: usize, tracked: &mut Tracked, said: &mut Vec<Diagnostic>) {
    let proxy = &sections.proxies[at];
    let mut names: HashMap<&str, u32> = HashMap::with_capacity(proxy.servers.len());
    for server in &proxy.servers {
        if let Some(line) = names.insert(&server.name, server.span.line) {
            let message = format!("backend '{}' has a server '{}' on line {line} already", proxy.name, server.name);
            said.push(Diagnostic::alert(server.span, message));
            names.insert(&server.name, line);
        }
    }
    for server in &proxy.servers {
        if server.check.as_ref().is_some_and(|check| check.port.is_none()) && !has_port(server) {
            let message = format!("server '{}/{}' is checked and has no port", proxy.name, server.name);
            let alert = Diagnostic::alert(server.span, message).resolved();
            said.push(alert.hint("give the address a port, or the check one with 'port'"));
        }
    }
    for span in &proxy.fast_open {
        let message = "'tfo' needs 'retry-on' with conn-failure, empty-response and response-timeout";
        said.push(Diagnostic::warning(*span, message).hint("remove 'tfo': in 'mode tcp' it does nothing"));
    }
    for (ix, named) in &proxy.tracks {
        let ix = usize::try_from(*ix).unwrap_or(usize::MAX);
        match follow(sections, (at, ix), named, tracked) {
            Ok(target) => {
                tracked.0.insert((at, ix), target);
            }
            Err(why) => said.push(Diagnostic::alert(named.span, why)),
        }
    }
}

fn has_port(server: &Server) -> bool {
    match &server.address {
        // the record of a service has the port
        ServerAddress::Unresolved { .. } if is_service(server) => true,
        ServerAddress::Inet(_) | ServerAddress::Unresolved { .. } => server.port_offset.is_none(),
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) | ServerAddress::SockPair(_) => true,
    }
}

fn is_service(server: &Server) -> bool {
    server.resolve.as_ref().is_some_and(|resolve| resolve.service.is_some())
}

/// Looks up the `resolvers` sections that servers name.
pub(super) fn look_up_resolvers(proxy: &mut ProxyDraft, sections: &[Resolvers], said: &mut Vec<Diagnostic>) {
    for (ix, named) in &proxy.resolvers {
        let Some(server) = proxy.servers.get_mut(*ix as usize) else { continue };
        match (0..).zip(sections).find(|(_, section)| section.name == named.name) {
            Some((at, _)) => {
                if let Some(resolve) = &mut server.resolve {
                    resolve.section = ResolversIx(at);
                }
            }
            None => {
                let message = format!("'{}/{}': there is no 'resolvers {}'", proxy.name, server.name, named.name);
                said.push(Diagnostic::alert(named.span, message).resolved());
            }
        }
    }
}

/// The server that `track` names, or why it cannot be followed.
fn follow(sections: &Sections, from: Place, named: &Named, tracked: &Tracked) -> Result<Place, String> {
    let (proxy, name) = match named.name.split_once('/') {
        None => (from.0, named.name.as_str()),
        Some((proxy, name)) => {
            let found = sections.named(proxy).find(|at| is_backend(sections.proxies[*at].kind));
            (found.ok_or_else(|| format!("there is no backend '{proxy}' to track a server of"))?, name)
        }
    };
    let owner = &sections.proxies[proxy];
    let target = owner.servers.iter().position(|server| server.name == name);
    let target = target.ok_or_else(|| format!("backend '{}' has no server '{name}' to track", owner.name))?;
    let tracks = |place: Place| {
        let ix = u32::try_from(place.1).unwrap_or(u32::MAX);
        sections.proxies[place.0].tracks.iter().any(|(other, _)| *other == ix)
    };
    let server = &owner.servers[target];
    if server.check.is_none() && server.agent.is_none() && !tracks((proxy, target)) {
        return Err(format!("'{}/{name}' is not checked: nothing can be learnt from it", owner.name));
    }
    let mut next = Some((proxy, target));
    while let Some(place) = next {
        if place == from {
            return Err(format!("tracking '{}/{name}' leads back here", owner.name));
        }
        next = tracked.0.get(&place).copied();
    }
    Ok((proxy, target))
}

/// Looks the host names of all servers up, as their `init-addr` says.
pub(super) fn addresses(
    proxies: &mut [ProxyDraft],
    choices: Choices,
    world: &mut dyn World,
    said: &mut Vec<Diagnostic>,
) {
    let mut known: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for proxy in proxies.iter_mut().filter(|proxy| !proxy.set.disabled) {
        let families = &proxy.families;
        for (ix, server) in proxy.servers.iter_mut().enumerate() {
            let wanted = families.iter().find(|(at, _)| usize::try_from(*at) == Ok(ix));
            let family = wanted.map_or(Family::Any, |(_, family)| *family);
            let ServerAddress::Unresolved { host, port } = &server.address else { continue };
            let mut libc = |host: &str| {
                let found = known.entry(host.to_owned());
                found.or_insert_with(|| world.resolve(host).unwrap_or_default()).clone()
            };
            match first_address(server, host, family, choices, &mut libc) {
                Found::Address { ip, tried } => {
                    if tried {
                        let message =
                            format!("'{host}' does not resolve: '{}/{}' starts with {ip}", proxy.name, server.name);
                        said.push(Diagnostic::warning(server.span, message));
                    }
                    server.address = ServerAddress::Inet(SocketAddr::new(ip, *port));
                }
                Found::Later { tried } => {
                    if tried {
                        let message =
                            format!("'{host}' does not resolve: '{}/{}' starts disabled", proxy.name, server.name);
                        said.push(Diagnostic::warning(server.span, message));
                    }
                }
                Found::Nothing { tried } => {
                    let message = match tried {
                        true => format!("'{host}' of server '{}/{}' does not resolve", proxy.name, server.name),
                        false => format!("no method of 'init-addr' finds '{host}' of '{}/{}'", proxy.name, server.name),
                    };
                    let hint = "'init-addr last,libc,none' lets the server start without an address";
                    said.push(Diagnostic::alert(server.span, message).hint(hint));
                }
            }
        }
    }
}

/// How the search for a first address ended.
enum Found {
    /// This one; whether a method failed before.
    Address { ip: IpAddr, tried: bool },
    /// The server starts without one; whether a method failed before.
    Later { tried: bool },
    /// It may not start; whether the name was looked up.
    Nothing { tried: bool },
}

fn first_address(
    server: &Server,
    host: &str,
    family: Family,
    choices: Choices,
    libc: &mut dyn FnMut(&str) -> Vec<IpAddr>,
) -> Found {
    let mut tried = false;
    let methods: &[InitAddr] = match (&server.init_addr[..], &server.resolve) {
        ([], None) => &[InitAddr::Last, InitAddr::Libc],
        // haproxy goes on without: somebody will find it
        ([], Some(_)) => &[InitAddr::Last, InitAddr::Libc, InitAddr::None],
        (said, _) => said,
    };
    for method in methods {
        match method {
            InitAddr::Last => {
                if let Some(ip) = server.recorded.as_ref().and_then(|state| state.address) {
                    return Found::Address { ip, tried: false };
                }
            }
            InitAddr::Libc if is_service(server) => {} // no host
            InitAddr::Libc => {
                if let Some(ip) = first(&libc(host), family) {
                    return Found::Address { ip, tried: false };
                }
                tried = true;
            }
            InitAddr::None => return Found::Later { tried },
            InitAddr::Ip(ip) => return Found::Address { ip: *ip, tried },
        }
    }
    if choices.ignore_resolution { Found::Later { tried } } else { Found::Nothing { tried } }
}
