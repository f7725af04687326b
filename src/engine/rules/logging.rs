//! `do-log`: a line while the rules are looked at, besides the one that a session has anyway.
//!
//! It is the line that the frontend's settings would give the session if it were written now. Source: manual of 3.2 §4.4 "do-log".

use super::View;
use crate::engine::clock;
use crate::engine::facts::Subject;
use crate::engine::shared::Accepted;
use crate::pool::{SessionRecord, Timers};

/// Writes a line.
pub(super) fn log(view: &View<'_>) {
    let now = match view.subject {
        Subject::Session(session) => Some(session.record(&view.shard.shared)),
        Subject::Connection(accepted) => of_connection(accepted, view),
        Subject::Caller(_) => None,
    };
    let Some(now) = now else { return };
    // what rules have set the session takes over when they are done
    let level = view.memory.borrow().as_ref().and_then(|memory| memory.level);
    let local = now.local.and_then(|_| view.local());
    view.shard.shared.journal.session(&SessionRecord { level, local, client: view.peer(), ..now }, view);
}

/// What is known before there is a session.
fn of_connection(accepted: &Accepted, view: &View<'_>) -> Option<SessionRecord> {
    let (front, ..) = accepted.seat.proxy()?;
    let handshake = accepted.announced.as_ref().map_or(0, |announced| announced.begun.since(accepted.at));
    let total = clock::now().since(accepted.at) as u32;
    Some(SessionRecord {
        local: accepted.local(),
        timers: Timers { queue: None, connect: None, total, handshake: handshake as u32 },
        ..SessionRecord::without_server(&view.shard.shared.pool, front, accepted.peer, accepted.wall)
    })
}
