//! `resolvers` sections, and the options by which servers use them. Source: manual §5.3.2, §5.2; what is taken of odd
//! values was asked of 2.6 (`fixtures/verdict/resolvers`).

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::address;
use super::args::{Args, Given, MOST};
use super::error::{LowerError, Lowered};
use super::names;
use super::server::ServerDraft;
use crate::grammar::{Acts, Row, Support};
use crate::ir::{Global, Nameserver, Resolvers};
use crate::text::{Diagnostic, Span, World};
use crate::units::address::{Family, Place, Transport};
use crate::units::{Network, NumberError, parse_i64};

/// Where the system says which name servers it uses.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The port of a name server that is found there.
const DNS_PORT: u16 = 53;
/// The least payload that can be announced: the head of a message.
const LEAST_PAYLOAD: i64 = 12;
/// The most networks of one `resolve-net`.
const MOST_NETWORKS: usize = 5;

/// What is read of sections besides their meaning.
#[derive(Debug, Default)]
pub(super) struct ResolversSpans {
    /// The name of each section, and where it stands.
    sections: Vec<Span>,
}

/// `resolvers <name>`. The section exists even if its line is wrong, so that its lines are judged too.
pub(super) fn open(global: &mut Global, spans: &mut ResolversSpans, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a name");
    let name = word.as_ref().map(Given::text).unwrap_or_default();
    let taken = global.resolvers.iter().position(|section| section.name == name);
    global.resolvers.push(Resolvers::named(name.clone()));
    spans.sections.push(word.as_ref().map_or(args.span(), |word| word.span));
    let word = word?;
    names::check(&word)?;
    match taken.and_then(|at| spans.sections.get(at)) {
        Some(first) => Err(word.blame(LowerError::ResolversTaken { name, line: first.line })),
        None => Ok(()),
    }
}

/// One line of the section that was opened last.
pub(super) fn statement(global: &mut Global, row: &Row, args: &mut Args<'_>) -> Lowered {
    if let Support::Refused { acts: Acts::Always, .. } = row.support {
        let blame = args.blame_keyword(LowerError::NotYet { what: super::options_line::what(row) });
        return Err(match row.era.advice {
            Some(advice) => blame.hint(advice),
            None => blame,
        });
    }
    let Some(section) = global.resolvers.last_mut() else { return Ok(()) };
    match row.keyword {
        "accepted_payload_size" => {
            let word = args.word("a number of bytes")?;
            let size = word.lenient(LEAST_PAYLOAD, i64::from(u16::MAX), args)?;
            section.payload = u16::try_from(size).unwrap_or(u16::MAX);
        }
        "hold" => hold(section, args)?,
        "nameserver" => {
            let server = nameserver(args)?;
            if section.nameservers.iter().any(|other| other.name == server.name) {
                return Err(args.blame_keyword(LowerError::NameserverTaken { name: server.name }));
            }
            section.nameservers.push(server);
        }
        "parse-resolv-conf" => of_system(section, args),
        "resolve_retries" => {
            let word = args.word("a number")?;
            let number = match parse_i64(word.bytes, i64::MIN..=i64::MAX) {
                Ok(number) => number,
                Err(NumberError::NoDigits) => 0,
                Err(_) => word.lenient(i64::MIN, i64::MAX, args)?,
            };
            section.retries = u32::try_from(number.clamp(0, i64::from(MOST))).unwrap_or(MOST);
            if section.retries == 0 {
                let message = "no query at all is no resolution: one is sent";
                args.say(Diagnostic::our_warning(word.span, message).hint("write 'resolve_retries 1'"));
            }
        }
        "timeout" => timeout(section, args)?,
        _ => {}
    }
    Ok(())
}

/// `hold <status> <period>`.
fn hold(section: &mut Resolvers, args: &mut Args<'_>) -> Lowered {
    const STATUSES: &[&str] = &["nx", "refused", "timeout", "other", "valid", "obsolete"];
    let status = args.word("a status and a time")?;
    args.need("a status and a time")?;
    let hold = &mut section.hold;
    let slot = match status.bytes {
        b"nx" => &mut hold.nx,
        b"refused" => &mut hold.refused,
        b"timeout" => &mut hold.timeout,
        b"other" => &mut hold.other,
        b"valid" => &mut hold.valid,
        b"obsolete" => &mut hold.obsolete,
        _ => return Err(status.blame(LowerError::Choice { text: status.text(), choices: STATUSES })),
    };
    *slot = strict_time(args)?;
    Ok(())
}

/// `timeout resolve|retry <time>`.
fn timeout(section: &mut Resolvers, args: &mut Args<'_>) -> Lowered {
    let event = args.word("'resolve' or 'retry', and a time")?;
    let slot = match event.bytes {
        b"resolve" => &mut section.timeout_resolve,
        b"retry" => &mut section.timeout_retry,
        _ => return Err(event.blame(LowerError::Choice { text: event.text(), choices: &["resolve", "retry"] })),
    };
    *slot = strict_time(args)?;
    if slot.get() == 0 {
        let message = "name servers would be asked without a pause: 10 ms are waited";
        args.say(Diagnostic::our_warning(event.span, message));
    }
    Ok(())
}

/// A time behind whose unit nothing may stand.
fn strict_time(args: &mut Args<'_>) -> Lowered<crate::units::Millis> {
    let word = args.word("a time")?;
    crate::units::Millis::parse(word.bytes).map_err(|why| word.blame(LowerError::Time { text: word.text(), why }))
}

/// `nameserver <name> <address>:<port>`; `tcp@` asks over TCP.
fn nameserver(args: &mut Args<'_>) -> Lowered<Nameserver> {
    const NEEDED: &str = "a name and an address with a port";
    let name = args.word(NEEDED)?;
    let word = args.word(NEEDED)?;
    names::check(&name)?;
    let parsed = address::parse(&word, args)?;
    let tcp = match parsed.transport {
        Transport::Any | Transport::Datagram => false,
        Transport::Stream => true,
        Transport::Quic | Transport::Mptcp => return Err(address::not_yet(&word)),
    };
    let port = parsed.plain_port().map_err(|why| address::fault(&word, why))?.filter(|port| *port > 0);
    let Place::Inet { family, host, .. } = parsed.place else { return Err(address::wrong_kind(&word)) };
    let Some(port) = port else {
        return Err(word.blame(LowerError::Misplaced("a name server needs a port")).hint("DNS has port 53"));
    };
    let ip = address::ip(&word, &host, family, args)?;
    options(tcp, args)?;
    Ok(Nameserver { name: name.text(), address: SocketAddr::new(ip, port), tcp })
}

/// What may follow an address: one connection does for a name server, however many it may have; haproxy reads nothing
/// behind the address of one that is asked over UDP.
fn options(tcp: bool, args: &mut Args<'_>) -> Lowered {
    while let Some(option) = args.next_word() {
        match option.bytes {
            b"" => break,
            _ if !tcp => {
                let message = format!("'{}' has no effect on a name server that is asked over UDP", option.text());
                args.say(Diagnostic::our_warning(option.span, message));
                break;
            }
            b"maxconn" => {
                args.word("a number")?.lenient_u32(0, MOST, args)?;
            }
            _ => {
                let what = format!("'{}' of name servers", option.text());
                return Err(option.blame(LowerError::NotYet { what }));
            }
        }
    }
    Ok(())
}

/// `parse-resolv-conf`: the name servers of this system, named by their addresses.
fn of_system(section: &mut Resolvers, args: &mut Args<'_>) {
    match args.world.read(Path::new(RESOLV_CONF)) {
        Ok(bytes) => {
            let found = in_resolv_conf(&bytes);
            for server in found {
                if !section.nameservers.iter().any(|other| other.name == server.name) {
                    section.nameservers.push(server);
                }
            }
        }
        Err(why) => {
            let message = format!("'{RESOLV_CONF}' cannot be read: {}", why.kind());
            args.say(Diagnostic::warning(args.span(), message));
        }
    }
}

/// The `nameserver` lines of a resolv.conf; what is no address is passed over, as libc does.
fn in_resolv_conf(bytes: &[u8]) -> Vec<Nameserver> {
    let mut found: Vec<Nameserver> = Vec::new();
    for line in String::from_utf8_lossy(bytes).lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some("nameserver"), Some(name)) = (words.next(), words.next()) else { continue };
        let Ok(ip) = name.parse::<IpAddr>() else { continue };
        if !found.iter().any(|other| other.name == name) {
            found.push(Nameserver { name: name.to_owned(), address: SocketAddr::new(ip, DNS_PORT), tcp: false });
        }
    }
    found
}

/// What is judged when everything is read; the section `default` is there even if nobody wrote it.
pub(super) fn judge(global: &mut Global, spans: &ResolversSpans, world: &dyn World, said: &mut Vec<Diagnostic>) {
    for (section, span) in global.resolvers.iter().zip(&spans.sections) {
        if section.nameservers.is_empty() {
            let message = format!("resolvers '{}' has no name server: no name resolves", section.name);
            said.push(Diagnostic::warning(*span, message).hint("add 'nameserver <name> <address>:53'"));
        }
    }
    if global.resolvers.iter().any(|section| section.name == "default") {
        return;
    }
    let nameservers = world.read(Path::new(RESOLV_CONF)).map(|bytes| in_resolv_conf(&bytes)).unwrap_or_default();
    if !nameservers.is_empty() {
        global.resolvers.push(Resolvers { nameservers, ..Resolvers::named("default".to_owned()) });
    }
}

/// `resolvers <id>` of a server: looked up when all is read.
pub fn resolvers(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let (name, span) = args.next_word().map_or((String::new(), args.span()), |word| (word.text(), word.span));
    server.resolvers = Some(super::draft::Named { name, span });
    Ok(())
}

/// `resolve-prefer ipv4|ipv6`.
pub fn prefer(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'ipv4' or 'ipv6'")?;
    server.resolve_prefer = match word.bytes {
        b"ipv4" => Family::V4,
        b"ipv6" => Family::V6,
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["ipv4", "ipv6"] })),
    };
    Ok(())
}

/// `resolve-net <network>[,<network>…]`: adds to what was said before, five at most.
pub fn net(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a list of networks")?;
    for part in word.bytes.split(|byte| *byte == b',') {
        if part.is_empty() {
            continue;
        }
        if server.resolve_networks.len() >= MOST_NETWORKS {
            return Err(word.blame(LowerError::Misplaced("there are more than 5 networks")));
        }
        let network = Network::parse(part);
        let text = String::from_utf8_lossy(part).into_owned();
        server.resolve_networks.push(network.ok_or_else(|| word.blame(LowerError::Network { text }))?);
    }
    Ok(())
}

/// `resolve-opts <option>[,<option>…]`: the last word about each counts.
pub fn opts(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    const OPTIONS: &[&str] = &["allow-dup-ip", "ignore-weight", "prevent-dup-ip"];
    let Some(word) = args.next_word() else { return Ok(()) };
    let mut parts = word.bytes.split(|byte| *byte == b',').peekable();
    while let Some(part) = parts.next() {
        match part {
            b"allow-dup-ip" => server.allow_duplicates = true,
            b"prevent-dup-ip" => server.allow_duplicates = false,
            b"ignore-weight" => server.ignore_weight = true,
            b"" if parts.peek().is_none() => {}
            _ => {
                let text = String::from_utf8_lossy(part).into_owned();
                return Err(word.blame(LowerError::Choice { text, choices: OPTIONS }));
            }
        }
    }
    Ok(())
}

/// A host name that no question can be made of.
pub(super) fn unaskable(name: &str) -> bool {
    name.trim_end_matches('.').split('.').any(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_which_servers_it_uses() {
        let text = b"# a comment\nsearch x.test\nnameserver 10.0.0.1\n nameserver\t::1 more\nnameserver fe80::1%eth0\n\
            nameserver\nnameserver 10.0.0.1\n;nameserver 10.0.0.2\nnameservers 10.0.0.3\n\xff\n";
        let found = in_resolv_conf(text);
        let shown: Vec<_> = found.iter().map(|server| format!("{} {}", server.name, server.address)).collect();
        assert_eq!(shown, ["10.0.0.1 10.0.0.1:53", "::1 [::1]:53"]);
        bolero::check!().for_each(|bytes: &[u8]| drop(in_resolv_conf(bytes)));
    }
}
