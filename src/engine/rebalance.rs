//! Ends sessions that are above the share of their server, as `pool` says how many and when.
//!
//! One task, of the first thread, that sleeps unless something is to be rebalanced. It has the threads list the sessions
//! of a server and ends those that came last: who fled there from a server that has returned goes, and who was there
//! before stays. A list is made once and used up, so nobody who has just come back is ended again before all others.
//! Sessions that are to be ended anyway (`closing`) are left to that.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{spawn_local, yield_now};

use super::clock;
use super::control::Order;
use super::placing::Placing;
use super::session::Session;
use super::shard::Shard;
use super::shared::Shared;
use crate::ir::{ProxyIx, ServerIx};
use crate::pool::Cause;
use crate::units::Tick;

/// Places of the slab that are looked at before other tasks get their turn.
const STRIDE: usize = 512;
/// A server's sessions are not listed again before that time, ms.
const LIST_PAUSE: u64 = 500;

/// A session that may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    accepted: Tick,
    id: u64,
    thread: u32,
    key: u32,
}

/// A thread is asked for the sessions of a server.
pub(super) struct Listing {
    server: (ProxyIx, ServerIx),
    answer: mpsc::UnboundedSender<Vec<Candidate>>,
}

/// A thread is asked to end sessions of a server, and to say how many it had.
pub(super) struct Ending {
    server: (ProxyIx, ServerIx),
    sessions: Vec<Candidate>,
    answer: mpsc::UnboundedSender<u64>,
}

/// Who may be ended on a server; the last is the next.
struct List {
    made: Tick,
    candidates: Vec<Candidate>,
}

/// The task: for ever.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut lists: HashMap<(ProxyIx, ServerIx), List> = HashMap::new();
    loop {
        let changed = shared.rebalancing.notified();
        // Where another process takes over, that goes on with it.
        let gives = shared.yields.load(Ordering::Acquire) || shared.stopping.load(Ordering::Acquire);
        let mut next: Option<Tick> = None;
        for proxy in if gives { Vec::new() } else { shared.pool.rebalancing() } {
            let step = shared.pool.rebalance_step(proxy, clock::now());
            shared.pool.announce(&step.events, &*shared.journal, &*shared);
            for (server, count) in step.ends {
                let ended = end(&shared, &mut lists, (proxy, server), count as usize).await;
                shared.pool.note_rebalanced(proxy, ended, clock::now());
            }
            next = next.into_iter().chain(step.next).min();
        }
        match next {
            None => {
                lists = HashMap::new();
                changed.await;
            }
            Some(at) => {
                let wait = Duration::from_millis(at.since(clock::now()).max(1));
                let _ = tokio::time::timeout(wait, changed).await;
            }
        }
    }
}

/// Ends `count` sessions of a server; how many there were.
async fn end(
    shared: &Arc<Shared>,
    lists: &mut HashMap<(ProxyIx, ServerIx), List>,
    server: (ProxyIx, ServerIx),
    count: usize,
) -> u64 {
    let now = clock::now();
    let known = lists.get(&server);
    if known.is_none_or(|list| list.candidates.is_empty() && now.since(list.made) >= LIST_PAUSE) {
        let candidates = list(shared, server).await;
        lists.insert(server, List { made: now, candidates });
    }
    let Some(List { candidates, .. }) = lists.get_mut(&server) else { return 0 };
    let chosen = candidates.split_off(candidates.len() - count.min(candidates.len()));
    let (answer, mut answers) = mpsc::unbounded_channel();
    for (thread, mailbox) in (0..).zip(&shared.mailboxes) {
        let sessions: Vec<Candidate> = chosen.iter().copied().filter(|one| one.thread == thread).collect();
        if !sessions.is_empty() {
            mailbox.post(Order::End(Ending { server, sessions, answer: answer.clone() }));
        }
    }
    drop(answer);
    let mut ended = 0;
    while let Some(count) = answers.recv().await {
        ended += count;
    }
    ended
}

/// The sessions of a server, of all threads, the latest at the end.
async fn list(shared: &Arc<Shared>, server: (ProxyIx, ServerIx)) -> Vec<Candidate> {
    let (answer, mut answers) = mpsc::unbounded_channel();
    for mailbox in &shared.mailboxes {
        mailbox.post(Order::Candidates(Listing { server, answer: answer.clone() }));
    }
    drop(answer);
    let mut all = Vec::new();
    while let Some(some) = answers.recv().await {
        all.extend(some);
    }
    all.sort_unstable();
    all
}

impl Shard {
    /// Lists the thread's sessions on a server, in a task of its own.
    pub(super) fn candidates(self: &Rc<Self>, listing: Listing) {
        let shard = Rc::clone(self);
        drop(spawn_local(async move {
            let mut from = 0;
            while let Some(some) = shard.some_candidates(from, listing.server) {
                let _ = listing.answer.send(some);
                from += STRIDE;
                yield_now().await;
            }
        }));
    }

    /// Those at [`STRIDE`] places from `from` on; `None` behind the last.
    fn some_candidates(&self, from: usize, server: (ProxyIx, ServerIx)) -> Option<Vec<Candidate>> {
        let sessions = self.sessions.borrow();
        if from >= sessions.capacity() {
            return None;
        }
        let places = (from..from + STRIDE).filter_map(|key| Some((key as u32, sessions.get(key)?)));
        let meant = places.filter(|(_, session)| session.is_on(server));
        let thread = self.thread;
        let candidate =
            |(key, session): (u32, &Session)| Candidate { accepted: session.accepted, id: session.id(), thread, key };
        Some(meant.map(candidate).collect())
    }

    /// Ends sessions; answers when they have ended.
    pub(super) fn end_sessions(&self, ending: Ending) {
        let Ending { server, sessions: chosen, answer } = ending;
        let mut sessions = self.sessions.borrow_mut();
        let mut count = 0;
        for Candidate { id, key, .. } in chosen {
            let session = sessions.get_mut(key as usize).filter(|session| session.id() == id && session.is_on(server));
            if let Some(session) = session.filter(|_| !self.closings.has(id)) {
                session.kill(Cause::Killed);
                count += 1;
            }
        }
        // Its turn comes after the tasks that were just woken: they have ended by then, and no load counts them.
        drop(spawn_local(async move {
            let _ = answer.send(count);
        }));
    }
}

impl Session {
    /// Whether it holds a place on a server and was not ordered to end.
    fn is_on(&self, (proxy, server): (ProxyIx, ServerIx)) -> bool {
        self.placing.is(Placing::HELD) && self.back == proxy && self.target == Some(server) && !self.is_killed()
    }
}
