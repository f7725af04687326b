//! What each action does: it decides, or leaves something in the session's [`Memory`](super::super::facts::Memory).
//!
//! A sample that is not there changes nothing. Source: manual §4.2 "http-request set-src" and its neighbours; asked of 2.6.12.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Verdict, View, limiting, logging, resolving};
use crate::engine::connect;
use crate::engine::proxy_header::Heads;
use crate::expr::{Expr, Facts as _, Side, Type, Value};
use crate::ir::{Action, Amount, Capture, End, MOST_RETRIES};
use crate::pool::{Peer, Urgency};

/// The lowest and the highest class, as far as they count.
const CLASSES: (i64, i64) = (-2047, 2047);
/// The lowest and the highest offset, in milliseconds.
const OFFSETS: (i64, i64) = (-524_287, 524_287);

/// Does what the rule at that place says. `None`: the rules behind it are looked at, too.
pub(super) fn act(at: usize, action: &Action, view: &View<'_>) -> Option<Verdict> {
    match action {
        Action::Accept => return Some(Verdict::Pass),
        Action::Reject => return Some(Verdict::Reject),
        Action::Close => return Some(Verdict::Close),
        Action::SilentDrop(reach) => return Some(Verdict::Drop(*reach)),
        Action::Nothing => {}
        Action::Log => logging::log(view),
        Action::ExpectProxy => return Some(Verdict::Announce(Heads::PROXY)),
        Action::ExpectNetscaler => return Some(Verdict::Announce(Heads::NETSCALER)),
        Action::SetVar(name, when, expr) => {
            let value = expr.value(view).map(Value::into_owned);
            if let Some(value) = value.filter(|value| when.hold(name, value, view)) {
                view.set_variable(name, Some(value));
            }
        }
        Action::SetVarFormat(name, when, template) => {
            let text = Value::owned(logging::text(template, view));
            if when.hold(name, &text, view) {
                view.set_variable(name, Some(text));
            }
        }
        Action::UnsetVar(name) => view.set_variable(name, None),
        Action::SetEnd(end, expr) => set_end(*end, expr, view),
        Action::Capture(capture) => return keep(capture, view).then_some(Verdict::Wait),
        Action::Resolve(lookup) => return resolving::resolve(at, lookup, view).then_some(Verdict::Await),
        Action::Track(track) => return view.track(track).then_some(Verdict::Wait),
        Action::Count(count) => view.count(count),
        Action::SetTag(tag) => view.tag(tag),
        Action::LimitBandwidth(set) => return limiting::limit(set, view).then_some(Verdict::Wait),
        Action::Mark(mark) => {
            if let (Some(mark), Some(socket)) = (number(mark, view), view.socket()) {
                connect::set_mark(socket, mark);
            }
        }
        Action::Tos(tos) => {
            if let (Some(tos), Some(socket)) = (number(tos, view), view.socket()) {
                connect::set_tos(socket, tos as u8);
            }
        }
        Action::ServerMark(mark) => {
            if let Some(mark) = number(mark, view) {
                view.remember(|memory| memory.packets.mark = Some(mark));
            }
        }
        Action::ServerTos(tos) => {
            if let Some(tos) = number(tos, view) {
                view.remember(|memory| memory.packets.tos = Some(tos as u8));
            }
        }
        Action::Retries(retries) => {
            if let Some(retries) = number(retries, view).filter(|retries| *retries <= MOST_RETRIES) {
                view.remember(|memory| memory.retries = Some(retries));
            }
        }
        Action::LogLevel(level) => view.remember(|memory| {
            memory.level = Some(level.map_or(Urgency::Silent, Urgency::Level));
        }),
        Action::PriorityClass(expr) => {
            if let Some(class) = integer(expr, view) {
                let class = class.clamp(CLASSES.0, CLASSES.1) as i16;
                view.remember(|memory| memory.priority.class = class);
            }
        }
        Action::PriorityOffset(expr) => {
            if let Some(offset) = integer(expr, view) {
                let offset = offset.clamp(OFFSETS.0, OFFSETS.1) as i32;
                view.remember(|memory| memory.priority.offset = offset);
            }
        }
    }
    None
}

/// Keeps what an expression gives, be it all or not; whether it gives nothing yet.
fn keep(capture: &Capture, view: &View<'_>) -> bool {
    let found = capture.value.evaluate(view);
    let waits = found.may_change() && view.waits;
    let Some(value) = found.value() else { return waits };
    let text = value.into_text();
    let text: Box<[u8]> = text.get(..capture.len as usize).unwrap_or(&text).into();
    let slot = capture.slot as usize;
    view.remember(|memory| memory.captures.keep(Side::Request, slot, text));
    false
}

fn integer(expr: &Expr, view: &View<'_>) -> Option<i64> {
    expr.value(view)?.cast(Type::Int)?.int()
}

fn number(number: &Amount, view: &View<'_>) -> Option<u32> {
    match number {
        Amount::Number(number) => Some(*number),
        Amount::Expr(expr) => Some(integer(expr, view)? as u32), // the lower half, as haproxy takes it
    }
}

/// An address keeps the port, a port the address, if there is one.
fn set_end(end: End, expr: &Expr, view: &View<'_>) {
    let now = match end {
        End::Source | End::SourcePort => match view.peer() {
            Peer::Inet(address) => Some(address),
            Peer::Unix(_) => None,
        },
        End::Destination | End::DestinationPort => view.local(),
    };
    let (ip, port) = now.map_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), |now| (now.ip(), now.port()));
    let changed = match end {
        End::Source | End::Destination => {
            let address = expr.value(view).and_then(|value| value.cast(Type::Addr)?.address());
            address.map(|address| SocketAddr::new(address, port))
        }
        End::SourcePort | End::DestinationPort => integer(expr, view).map(|port| SocketAddr::new(ip, port as u16)),
    };
    let Some(changed) = changed else { return };
    view.remember(|memory| match end {
        End::Source | End::SourcePort => memory.source = Some(changed),
        End::Destination | End::DestinationPort => memory.destination = Some(changed),
    });
}
