//! The live sessions, told thread by thread and a few at a time, so that traffic goes on meanwhile.
//!
//! Sessions that begin after the question are left out, or a busy process would never come to an end; one that ends
//! before its turn is not told. Source: management manual §9.3 "show sess".

use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{spawn_local, yield_now};

use super::control::Order;
use super::session::Session;
use super::shard::Shard;
use super::shared::Shared;
use super::{Purpose, clock};
use crate::pool::{Cause, SessionInfo, SessionsAsked};

/// Places of the slab that are looked at before other tasks get their turn.
const STRIDE: usize = 128;
/// Pieces of the list that wait for a reader; who reads slowly does not make us keep a long list.
const WAITING: usize = 4;

/// What one thread is asked to tell.
pub(super) struct Question {
    asked: SessionsAsked,
    /// The first number that was not given when the question came.
    before: u64,
    answer: mpsc::Sender<String>,
}

/// The lines of the live sessions that are asked for, in pieces.
pub(super) fn list(shared: &Arc<Shared>, asked: SessionsAsked) -> mpsc::Receiver<String> {
    let (answer, lines) = mpsc::channel(WAITING);
    let before = shared.ids_given();
    for mailbox in &shared.mailboxes {
        mailbox.post(Order::List(Question { asked, before, answer: answer.clone() }));
    }
    lines
}

/// Ends one session; whether there was one of this number.
pub(super) async fn end(shared: &Arc<Shared>, id: u64) -> bool {
    let (found, mut answer) = mpsc::channel(1);
    for mailbox in &shared.mailboxes {
        mailbox.post(Order::EndSession(id, found.clone()));
    }
    drop(found);
    answer.recv().await.is_some()
}

impl Shard {
    /// Tells the thread's sessions in a task of its own.
    pub(super) fn list(self: &Rc<Self>, question: Question) {
        let shard = Rc::clone(self);
        drop(spawn_local(async move {
            let mut from = 0;
            while let Some(lines) = shard.some_of_them(from, &question) {
                if !lines.is_empty() && question.answer.send(lines).await.is_err() {
                    return; // nobody reads any more
                }
                from += STRIDE;
                yield_now().await;
            }
        }));
    }

    /// The lines of the sessions at [`STRIDE`] places from `from` on; `None` behind the last.
    fn some_of_them(&self, from: usize, question: &Question) -> Option<String> {
        let sessions = self.sessions.borrow();
        let end = sessions.capacity();
        if from >= end {
            return None;
        }
        let mut lines = String::new();
        for key in from..end.min(from + STRIDE) {
            let Some(session) = sessions.get(key) else { continue };
            let asked = &question.asked;
            if session.id() >= question.before || asked.only.is_some_and(|only| only != session.id()) {
                continue;
            }
            let info = session.info(self, asked.detailed);
            if asked.means(&info) {
                self.shared.commands.list(&info, asked.detailed, &mut lines);
            }
        }
        Some(lines)
    }

    /// Ends one session, and says so, if the thread has it.
    pub(super) fn end_session(&self, id: u64, found: &mpsc::Sender<()>) {
        for (_, session) in self.sessions.borrow_mut().iter_mut().filter(|(_, session)| session.id() == id) {
            session.kill(Cause::Killed);
            let _ = found.try_send(());
        }
    }
}

impl Session {
    fn info(&self, shard: &Shard, detailed: bool) -> SessionInfo {
        let descriptor = |socket: &super::relay::Socket| socket.get_ref().as_raw_fd();
        let mut record = self.record(&shard.shared);
        if detailed {
            record.local = self.local();
            (record.source, record.destination) = self.server_ends(&shard.shared);
        }
        SessionInfo {
            id: self.id(),
            record,
            thread: shard.thread,
            phase: self.step.phase(),
            bytes: (self.up.bytes, self.down.bytes),
            descriptors: (descriptor(&self.client), self.server.as_ref().map(descriptor)),
            bind: match self.seat.purpose() {
                Purpose::Frontend(_, bind) => Some(bind),
                Purpose::Commands(_) | Purpose::Peers(..) => None,
            },
            expires: self.deadline(&shard.shared).map(|at| at.since(clock::now())),
        }
    }
}
