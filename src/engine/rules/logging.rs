//! `do-log`: a line while the rules are looked at, besides the one that a session has anyway; and texts with variables of logs.
//!
//! It is the line that the frontend's settings would give the session if it were written now. Source: manual of 3.2 §4.4 "do-log",
//! §8.2.4 of 2.6.

use super::View;
use crate::engine::clock;
use crate::engine::facts::Subject;
use crate::engine::shared::Accepted;
use crate::expr::Template;
use crate::pool::{Cause, Phase, SessionRecord, Termination, Timers};

/// Writes a line.
pub(super) fn log(view: &View<'_>) {
    if let Some(record) = record(view) {
        view.shard.shared.journal.session(&record, view);
    }
}

/// What a text is now; the session's record is made only for one with variables of logs.
pub(in crate::engine) fn text(template: &Template, view: &View<'_>) -> Vec<u8> {
    let Some(record) = template.has_variables().then(|| record(view)).flatten() else { return template.evaluate(view) };
    let mut out = Vec::new();
    view.shard.shared.journal.text(template, &record, view, &mut out);
    out
}

/// What a line would tell now.
fn record(view: &View<'_>) -> Option<SessionRecord> {
    let now = match view.subject {
        Subject::Session(session) => {
            let shared = &view.shard.shared;
            let (source, destination) = session.server_ends(shared);
            SessionRecord { source, destination, ..session.record(shared) }
        }
        Subject::Connection(accepted) => of_connection(accepted, view)?,
        Subject::Caller(_) => return None,
    };
    // what rules have set the session takes over when they are done
    let level = view.memory.borrow().as_ref().and_then(|memory| memory.level);
    Some(SessionRecord { level, local: view.local(), client: view.peer(), ..now })
}

/// What is known before there is a session.
fn of_connection(accepted: &Accepted, view: &View<'_>) -> Option<SessionRecord> {
    let (front, ..) = accepted.seat.proxy()?;
    let handshake = accepted.announced.as_ref().map_or(0, |announced| announced.begun.since(accepted.at));
    let total = clock::now().since(accepted.at) as u32;
    Some(SessionRecord {
        // as it would end if it were refused now (observed)
        termination: Termination { cause: Cause::Proxy, phase: Phase::Request },
        timers: Timers { queue: None, connect: None, total, handshake: handshake as u32 },
        ..SessionRecord::without_server(&view.shard.shared.pool, front, accepted.peer, accepted.wall)
    })
}
