//! `tcp-request connection` and `tcp-request session`: before there is a session.

use std::cell::RefCell;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::{Verdict, judge};
use crate::engine::facts::{Subject, View};
use crate::engine::proxy_header;
use crate::engine::shard::Shard;
use crate::engine::shared::Accepted;
use crate::ir::{Rule, Rules};
use crate::sys::silent;

/// `tcp-request connection`: whether a connection that was just accepted may stay.
pub(in crate::engine) fn admit(shard: &Shard, mut accepted: Accepted) -> Option<Accepted> {
    let verdict = look(|rules| &rules.connection, shard, &mut accepted);
    match verdict {
        Verdict::Pass | Verdict::Wait | Verdict::Await | Verdict::Close => Some(accepted),
        Verdict::Announce(heads) => {
            accepted.seat.announce(heads);
            Some(accepted)
        }
        Verdict::Reject => {
            accepted.seat.denied_connection();
            // it hears a reset, whatever it has sent
            let _ = set_socket_linger(&accepted.socket, Some(Duration::ZERO));
            None
        }
        Verdict::Drop(reach) => leave(&accepted, reach),
    }
}

/// `tcp-request session`: whether it may become a session.
pub(in crate::engine) fn admit_session(shard: &Shard, mut accepted: Accepted) -> Option<Accepted> {
    match look(|rules| &rules.session, shard, &mut accepted) {
        Verdict::Reject => {
            accepted.seat.denied_session();
            tell(shard, &accepted);
            None
        }
        Verdict::Drop(reach) => {
            tell(shard, &accepted);
            leave(&accepted, reach)
        }
        _ => Some(accepted),
    }
}

fn look(list: impl FnOnce(&Rules) -> &Vec<Rule>, shard: &Shard, accepted: &mut Accepted) -> Verdict {
    let memory = RefCell::new(accepted.memory.take());
    let Some((_, proxy, _)) = accepted.seat.proxy() else { return Verdict::Pass };
    let view = View { shard, subject: Subject::Connection(accepted), memory: &memory, waits: false, patient: false };
    let verdict = judge(list(&proxy.rules), &view);
    accepted.memory = memory.into_inner();
    accepted.settle_addresses();
    verdict
}

/// Leaves its client in the belief that the connection is there.
fn leave(accepted: &Accepted, reach: Option<u8>) -> Option<Accepted> {
    accepted.seat.denied_request();
    silent::leave(&accepted.socket, reach);
    None
}

/// One that has had a handshake is told of in the log.
fn tell(shard: &Shard, accepted: &Accepted) {
    if accepted.seat.announces() {
        proxy_header::denied(shard, accepted);
    }
}
