//! Options of `server` and `default-server` lines about agents and about watching the traffic. Source: manual §5.2.

use super::address;
use super::args::{Args, MOST};
use super::error::{Blame, LowerError, Lowered};
use super::server::ServerDraft;
use super::server_options::interval;
use crate::ir::{Mode, OnError};
use crate::text::Diagnostic;
use crate::units::address::{Place, PortSpec};

/// `agent-check`.
pub fn agent_check(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.agent = true;
    Ok(())
}

/// `no-agent-check`.
pub fn no_agent_check(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.agent = false;
    Ok(())
}

/// `agent-inter <time>`.
pub fn agent_inter(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.agent_inter = interval(args)?;
    Ok(())
}

/// `agent-addr <host>`: without a port.
pub fn agent_addr(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("an IP address or a host name")?;
    let parsed = address::parse(&word, args)?;
    match parsed.place {
        Place::Inet { family, host, port: PortSpec::Missing } => {
            server.agent_addr = Some(address::ip(&word, &host, family, args)?);
            Ok(())
        }
        Place::Inet { .. } => Err(address::wrong_kind(&word).hint("give the port by 'agent-port'")),
        _ => Err(address::wrong_kind(&word)),
    }
}

/// `agent-port <port>`: haproxy keeps the lower 16 bits of the number.
pub fn agent_port(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a port")?;
    let number = word.lenient(i64::MIN, i64::MAX, args)?;
    let port = u16::try_from(number & 0xffff).unwrap_or_default();
    if i64::from(port) != number {
        let message = format!("'{}' is no port: it is read as {port}, as haproxy reads it", word.text());
        args.say(Diagnostic::our_warning(word.span, message));
    }
    server.agent_port = Some(port);
    server.reserved += 1; // as haproxy counts descriptors
    Ok(())
}

/// `agent-send <text>`: the last one holds.
pub fn agent_send(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.agent_send = args.word("a text")?.bytes.to_vec();
    Ok(())
}

/// `observe { layer4 | layer7 }`; `none` is accepted by haproxy, too.
pub fn observe(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'layer4' or 'layer7'")?;
    server.observe = match word.bytes {
        b"none" => false,
        b"layer4" => true,
        b"layer7" => {
            server.layer7 = Some(word.span);
            false
        }
        _ => {
            let choices = &["layer4", "layer7"];
            return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
        }
    };
    Ok(())
}

/// What `observe layer7` means in a proxy of this mode.
///
/// # Errors
/// It would act: it is not built.
pub(super) fn judge_layer7(server: &mut ServerDraft, mode: Mode, args: &mut Args<'_>) -> Lowered {
    let Some(span) = server.layer7.take() else { return Ok(()) };
    if mode == Mode::Http {
        let error = LowerError::NotYet { what: "'observe layer7'".to_owned() };
        return Err(Blame { span, error, hint: None });
    }
    // haproxy calls this an alert and starts all the same
    args.say(Diagnostic::our_warning(span, "'layer7' watches answers of HTTP: nothing is observed here"));
    Ok(())
}

/// `error-limit <count>`.
pub fn error_limit(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number of errors")?;
    server.error_limit = Some(word.lenient_u32(1, MOST, args)?);
    Ok(())
}

/// `on-error { fastinter | fail-check | sudden-death | mark-down }`.
pub fn on_error(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("what is to be done")?;
    server.on_error = match word.bytes {
        b"fastinter" => OnError::FastInter,
        b"fail-check" => OnError::FailCheck,
        b"sudden-death" => OnError::SuddenDeath,
        b"mark-down" => OnError::MarkDown,
        _ => {
            let choices = &["fastinter", "fail-check", "sudden-death", "mark-down"];
            return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
        }
    };
    Ok(())
}
