//! `do-log`: a line while the rules are looked at, besides the one that a session has anyway.
//!
//! It is the line that the frontend's settings would give the session if it were written now. Source: manual of 3.2 §4.4 "do-log".

use super::View;
use crate::engine::clock;
use crate::engine::facts::Subject;
use crate::engine::shared::Accepted;
use crate::pool::{SessionRecord, Termination, Timers};

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
    let pool = &view.shard.shared.pool;
    let handshake = accepted.announced.as_ref().map_or(0, |announced| announced.begun.since(accepted.at));
    Some(SessionRecord {
        client: accepted.peer,
        number: 0,
        local: accepted.local(),
        source: None,
        destination: None,
        accepted: accepted.wall,
        frontend: front,
        backend: front,
        server: None,
        timers: Timers {
            queue: None,
            connect: None,
            total: clock::now().since(accepted.at) as u32,
            handshake: handshake as u32,
        },
        bytes_out: 0,
        bytes_in: 0,
        termination: Termination::default(),
        ended: false,
        process_sessions: pool.process.connections.get(),
        frontend_sessions: pool.front(front).map_or(0, |front| front.sessions.get()),
        backend_sessions: 0,
        server_sessions: 0,
        retries: 0,
        redispatched: false,
        server_queue: 0,
        backend_queue: 0,
        level: None,
    })
}
