//! `ring` sections. Source: manual §3.9; sizes and what is missing were asked of 2.6.

use std::net::SocketAddr;

use super::address;
use super::args::{Args, Given};
use super::error::{LowerError, Lowered};
use super::logs::log_format;
use super::names;
use crate::grammar::{Acts, Row, Support};
use crate::ir::{Global, Ring, RingServer, StreamAddress};
use crate::text::{Diagnostic, Span};
use crate::units::address::{Place, Transport};

/// What is read of rings besides their meaning.
#[derive(Debug, Default)]
pub(super) struct RingSpans {
    /// The name of each ring, and where it stands.
    sections: Vec<Span>,
}

/// `ring <name>`. The ring exists even if its line is wrong, so that its lines are judged too.
pub(super) fn open(global: &mut Global, spans: &mut RingSpans, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a name");
    let name = word.as_ref().map(Given::text).unwrap_or_default();
    let taken = global.rings.iter().position(|ring| ring.name == name);
    global.rings.push(Ring::named(name.clone()));
    spans.sections.push(word.as_ref().map_or(args.span(), |word| word.span));
    let word = word?;
    names::check(&word)?;
    match taken.and_then(|at| spans.sections.get(at)) {
        Some(first) => Err(word.blame(LowerError::NameTaken { name, line: first.line })),
        None => Ok(()),
    }
}

/// One line of the ring that was opened last.
pub(super) fn statement(global: &mut Global, row: &Row, args: &mut Args<'_>) -> Lowered {
    if let Support::Refused { acts: Acts::Always, .. } = row.support {
        return Err(args.blame_keyword(LowerError::NotYet { what: super::options_line::what(row) }));
    }
    let Some(ring) = global.rings.last_mut() else { return Ok(()) };
    match row.keyword {
        "description" => ring.description = Some(args.string("a text")?),
        "format" => ring.format = log_format(&args.word("a log format")?)?,
        "maxlen" => ring.max_len = length(args)?,
        "size" => {
            let span = args.span();
            let size = length(args)?;
            if size < ring.size {
                let error = LowerError::RingSize { size, least: ring.size };
                return Err(super::error::Blame { span, error, hint: None });
            }
            ring.size = size;
        }
        "timeout connect" => ring.timeout_connect = Some(args.time()?),
        "timeout server" => ring.timeout_server = Some(args.time()?),
        "server" => {
            let server = server(args)?;
            if ring.servers.iter().any(|other| other.name == server.name) {
                return Err(args.blame_keyword(LowerError::ServerTaken { name: server.name }));
            }
            ring.servers.push(server);
        }
        _ => {}
    }
    Ok(())
}

/// A length in bytes, read as haproxy reads it: the number that the word begins with.
fn length(args: &mut Args<'_>) -> Lowered<u32> {
    let word = args.word("a length in bytes")?;
    let most = i64::from(u32::MAX >> 1);
    let number = word.lenient(1, most, args)?;
    u32::try_from(number).map_err(|_| word.range(1, most))
}

/// `server <name> <address> [log-proto legacy|octet-count]`.
fn server(args: &mut Args<'_>) -> Lowered<RingServer> {
    const PROTOCOLS: &[&str] = &["legacy", "octet-count"];
    let name = args.word("a name and an address")?;
    names::check(&name)?;
    let word = args.word("a name and an address")?;
    let address = stream(&word, args, 0)?;
    let mut octet_count = false;
    while let Some(option) = args.next_word() {
        match option.bytes {
            b"log-proto" => {
                let value = args.word("'legacy' or 'octet-count'")?;
                octet_count = match value.bytes {
                    b"legacy" => false,
                    b"octet-count" => true,
                    _ => return Err(value.blame(LowerError::Choice { text: value.text(), choices: PROTOCOLS })),
                };
            }
            b"" => break,
            _ => {
                let what = format!("'{}' of servers in 'ring' sections", option.text());
                return Err(option.blame(LowerError::NotYet { what }));
            }
        }
    }
    Ok(RingServer { name: name.text(), address, octet_count })
}

/// The address of a server that takes a stream of messages.
pub(super) fn stream(word: &Given<'_>, args: &mut Args<'_>, default_port: u16) -> Lowered<StreamAddress> {
    let parsed = address::parse(word, args)?;
    address::want_stream(word, &parsed)?;
    if parsed.transport == Transport::Datagram {
        return Err(address::wrong_kind(word));
    }
    let port = parsed.plain_port().map_err(|why| address::fault(word, why))?.unwrap_or(0);
    match parsed.place {
        Place::Inet { family, host, .. } => {
            let ip = address::ip(word, &host, family, args)?;
            Ok(StreamAddress::Inet(SocketAddr::new(ip, if port == 0 { default_port } else { port })))
        }
        Place::Unix(path) => Ok(StreamAddress::Unix(address::path(path))),
        Place::Abstract(name) => Ok(StreamAddress::Abstract(name)),
        Place::Fd(_) | Place::AbstractZero(_) | Place::SockPair(_) | Place::Reverse(_) => {
            Err(address::wrong_kind(word))
        }
    }
}

/// What is judged of all rings when everything is read.
pub(super) fn judge(global: &mut Global, spans: &RingSpans, said: &mut Vec<Diagnostic>) {
    for (ring, span) in global.rings.iter_mut().zip(&spans.sections) {
        let Ring { name, max_len, size, .. } = ring;
        if *max_len > *size {
            if *max_len != Ring::UNLIMITED {
                let message = format!("ring '{name}': a message of {max_len} bytes does not fit: {size} are the limit");
                said.push(Diagnostic::warning(*span, message).resolved());
            }
            *max_len = *size;
        }
        if !ring.servers.is_empty() && (ring.timeout_connect.is_none() || ring.timeout_server.is_none()) {
            let message = format!("ring '{}' lacks 'timeout connect' or 'timeout server'", ring.name);
            said.push(Diagnostic::warning(*span, message).resolved());
        }
    }
}
