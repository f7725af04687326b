//! `tcp-request connection` and `tcp-request session`: before there is a session.

use std::cell::RefCell;

use super::{Verdict, judge};
use crate::engine::facts::{Subject, View};
use crate::engine::shard::Shard;
use crate::engine::shared::Accepted;
use crate::ir::{Rule, Rules};

/// `tcp-request connection`: whether a connection that was just accepted may stay.
pub(in crate::engine) fn admit(shard: &Shard, mut accepted: Accepted) -> Option<Accepted> {
    let verdict = look(|rules| &rules.connection, shard, &mut accepted);
    match verdict {
        Verdict::Pass | Verdict::Wait | Verdict::Close => Some(accepted),
        Verdict::Announce => {
            accepted.seat.announce();
            Some(accepted)
        }
        Verdict::Reject | Verdict::Drop => {
            accepted.seat.denied_connection();
            refuse(accepted, verdict);
            None
        }
    }
}

/// `tcp-request session`: whether it may become a session.
pub(in crate::engine) fn admit_session(shard: &Shard, mut accepted: Accepted) -> Option<Accepted> {
    match look(|rules| &rules.session, shard, &mut accepted) {
        verdict @ (Verdict::Reject | Verdict::Drop) => {
            accepted.seat.denied_session();
            refuse(accepted, verdict);
            None
        }
        _ => Some(accepted),
    }
}

fn look(list: impl FnOnce(&Rules) -> &Vec<Rule>, shard: &Shard, accepted: &mut Accepted) -> Verdict {
    let memory = RefCell::new(accepted.memory.take());
    let Some((_, proxy, _)) = accepted.seat.proxy() else { return Verdict::Pass };
    let view = View { shard, subject: Subject::Connection(accepted), memory: &memory, waits: false };
    let verdict = judge(list(&proxy.rules), &view);
    accepted.memory = memory.into_inner();
    verdict
}

/// Closes a connection; a silent drop leaves its client in the belief that it is there.
fn refuse(accepted: Accepted, verdict: Verdict) {
    if verdict == Verdict::Drop {
        crate::sys::silent::leave(&accepted.socket);
    }
}
