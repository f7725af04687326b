//! `tcp-check connect` and `http-check connect`. Source: manual §4.2; what is an error asked of 2.6.12.

use std::net::IpAddr;

use super::{Rule, expr};
use crate::ir::check::{Act, Connect, Port};
use crate::lower::address;
use crate::lower::args::Args;
use crate::lower::error::{LowerError, Lowered};
use crate::units::address::Place;

/// Reads `[default] [port <port>] [addr <ip>] [linger] [comment <text>] …`.
///
/// # Errors
/// The word to blame; TLS and SOCKS4 are not built.
pub(super) fn read(args: &mut Args<'_>) -> Lowered<Rule> {
    let mut connect = Connect::default();
    let mut comment = None;
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        match word.bytes {
            b"default" => connect.default = true,
            b"send-proxy" => connect.send_proxy = true,
            b"linger" => connect.linger = true,
            b"comment" => comment = Some(args.string("a comment")?),
            b"port" => connect.port = Some(port(args)?),
            b"addr" => {
                let (addr, port) = addr(args)?;
                (connect.addr, connect.addr_port) = (Some(addr), port);
            }
            b"via-socks4" | b"ssl" | b"sni" | b"alpn" | b"proto" => {
                return Err(word.blame(LowerError::NotYet { what: format!("'connect {}' of a check", word.text()) }));
            }
            _ => {
                let choices = &["default", "port", "addr", "send-proxy", "linger", "comment"];
                return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
            }
        }
    }
    Ok(Rule::Act(Act::Connect(connect), comment))
}

fn port(args: &mut Args<'_>) -> Lowered<Port> {
    let word = args.word("a port")?;
    if !word.bytes.iter().all(u8::is_ascii_digit) {
        return Ok(Port::Expr(expr(&word, args)?));
    }
    let port = u16::try_from(word.int(1, 65535)?).map_err(|_| word.range(1, 65535))?;
    Ok(Port::Fixed(port))
}

/// An address, and the port that may stand with it.
fn addr(args: &mut Args<'_>) -> Lowered<(IpAddr, Option<u16>)> {
    let word = args.word("an IP address")?;
    let parsed = address::parse(&word, args)?;
    let port = parsed.plain_port().map_err(|why| address::fault(&word, why))?;
    match parsed.place {
        Place::Inet { family, host, .. } => {
            Ok((address::ip(&word, &host, family, args)?, port.filter(|port| *port > 0)))
        }
        _ => Err(address::not_yet(&word)),
    }
}
