//! Ends sessions one after the other instead of all at once (`close-spread-time`).
//!
//! An order goes to every thread; each counts those of its sessions that it means and takes as many numbers of one
//! common row. When all have counted, each ends its own when their numbers are due, so it is the row of all threads
//! together that is even. A session that has a number already keeps it: two orders end it once, and no faster. One that
//! ends by itself leaves its number unused. What is ordered for the end of a soft stop takes the place of all orders
//! before it, for nothing may be left when it is over.
//!
//! A session that goes on in another process takes the moment of its end along, unless it was only to end with this
//! process. There it has no number, but that moment.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock;
use super::pace::Pace;
use super::shard::Shard;
use super::shared::Shared;
use crate::pool::{Cause, Closing};
use crate::units::{Millis, Tick};

/// The thread is not woken more often than this for sessions that are due.
const STEP: u64 = 10;

/// One order, as all threads carry it out.
pub(super) struct Spread {
    which: Closing,
    cause: Cause,
    begin: Tick,
    span: Millis,
    /// The first number of a session that was not given when the order came: a thread may hear of it a moment later.
    before: u64,
    /// Threads that have not counted their sessions yet.
    uncounted: AtomicU32,
    /// Sessions that have a number.
    total: AtomicU32,
}

impl Spread {
    /// An order to all threads that begins at `begin`.
    pub(super) fn new(shared: &Shared, which: Closing, cause: Cause, begin: Tick, span: Millis) -> Self {
        let uncounted = AtomicU32::new(shared.mailboxes.len() as u32);
        Self { which, cause, begin, span, before: shared.ids_given(), uncounted, total: AtomicU32::new(0) }
    }

    /// The pace of all threads together, once all have counted.
    fn pace(&self) -> Option<Pace> {
        (self.uncounted.load(Ordering::Acquire) == 0).then(|| Pace {
            begin: self.begin,
            span: self.span,
            total: self.total.load(Ordering::Relaxed),
        })
    }
}

/// What one thread has to do for an order.
struct Share {
    spread: Arc<Spread>,
    /// The number of the first of its sessions.
    first: u32,
    sessions: Vec<Listed>,
    /// Those of them whose turn has come.
    done: usize,
}

/// A session that is to end.
struct Listed {
    key: u32,
    id: u64,
    cause: Cause,
    /// Wherever it is: not because its process ends.
    ordered: bool,
}

/// When a session is to end, and what that is put down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Tick,
    pub(super) cause: Cause,
}

/// One thread's sessions that are to be ended one after the other.
#[derive(Default)]
pub(super) struct Closings {
    shares: RefCell<Vec<Share>>,
    /// Sessions that came from another process with an order to end, by moment and id: key and cause.
    brought: RefCell<BTreeMap<(Tick, u64), (u32, Cause)>>,
    changed: Notify,
}

impl Closings {
    /// Another thread may have counted its sessions meanwhile.
    pub(super) fn look(&self) {
        if !self.shares.borrow().is_empty() {
            self.changed.notify_one();
        }
    }

    /// The sessions that are to end and whose turn has not come, each with its cause and whether that was ordered.
    fn listed(&self) -> HashMap<u64, (Cause, bool)> {
        let (shares, brought) = (self.shares.borrow(), self.brought.borrow());
        let left = shares.iter().flat_map(|share| &share.sessions[share.done..]);
        let left = left.map(|listed| (listed.id, (listed.cause, listed.ordered)));
        left.chain(brought.iter().map(|((_, id), (_, cause))| (*id, (*cause, true)))).collect()
    }

    /// Whether a session is to end.
    pub(super) fn has(&self, id: u64) -> bool {
        let (shares, brought) = (self.shares.borrow(), self.brought.borrow());
        let mut left = shares.iter().flat_map(|share| &share.sessions[share.done..]);
        left.any(|listed| listed.id == id) || brought.keys().any(|(_, brought)| *brought == id)
    }

    /// When each session is to end that would end elsewhere too. One whose number is not known yet has the last moment.
    pub(super) fn dues(&self) -> HashMap<u64, Due> {
        let (shares, brought) = (self.shares.borrow(), self.brought.borrow());
        let numbered = shares.iter().flat_map(|share| {
            let (pace, spread) = (share.spread.pace(), &share.spread);
            let last = spread.begin.after(spread.span);
            let left = share.sessions.iter().zip(share.first..).skip(share.done).filter(|(listed, _)| listed.ordered);
            left.map(move |(listed, number)| {
                let at = pace.map_or(last, |pace| pace.moment(number));
                (listed.id, Due { at, cause: listed.cause })
            })
        });
        let brought = brought.iter().map(|((at, id), (_, cause))| (*id, Due { at: *at, cause: *cause }));
        numbered.chain(brought).collect()
    }

    /// A session has come that is to end.
    pub(super) fn bring(&self, due: Due, key: u32, id: u64) {
        let at = due.at.min(clock::now().after(Millis::MAX));
        self.brought.borrow_mut().insert((at, id), (key, due.cause));
        self.changed.notify_one();
    }
}

impl Shard {
    /// Takes numbers for the sessions that an order means.
    pub(super) fn spread(&self, spread: Arc<Spread>) {
        let listed = self.closings.listed();
        let anew = spread.which == Closing::All;
        let mut sessions = Vec::new();
        for (key, session) in &*self.sessions.borrow() {
            let before = listed.get(&session.id()).copied();
            let meant = session.id() < spread.before && session.is(spread.which, &self.shared);
            if meant && (anew || before.is_none()) {
                let (cause, ordered) = before.unwrap_or((spread.cause, !anew));
                sessions.push(Listed { key: key as u32, id: session.id(), cause, ordered });
            }
        }
        let first = spread.total.fetch_add(sessions.len() as u32, Ordering::Relaxed);
        let last = spread.uncounted.fetch_sub(1, Ordering::AcqRel) == 1;
        let mut shares = self.closings.shares.borrow_mut();
        if anew {
            shares.clear();
            self.closings.brought.borrow_mut().clear();
        }
        if !sessions.is_empty() {
            shares.push(Share { spread, first, sessions, done: 0 });
        }
        drop(shares);
        if last {
            self.shared.wake_all();
        }
    }

    /// Ends the sessions of the thread whose turn has come, for ever.
    pub(super) async fn close_in_time(self: Rc<Self>) {
        loop {
            let now = clock::now();
            let changed = self.closings.changed.notified();
            match self.close_due(now) {
                None => changed.await,
                Some(next) => {
                    let wait = Duration::from_millis(next.since(now).max(STEP));
                    let _ = tokio::time::timeout(wait, changed).await;
                }
            }
        }
    }

    /// Ends what is due; returns when the next one is.
    fn close_due(&self, now: Tick) -> Option<Tick> {
        let (mut sessions, mut shares) = (self.sessions.borrow_mut(), self.closings.shares.borrow_mut());
        let mut next: Option<Tick> = None;
        for share in &mut *shares {
            let Some(pace) = share.spread.pace() else { continue };
            let due = (pace.due(now).saturating_sub(share.first) as usize).min(share.sessions.len());
            for listed in &share.sessions[share.done.min(due)..due] {
                let session = sessions.get_mut(listed.key as usize).filter(|session| session.id() == listed.id);
                if let Some(session) = session {
                    session.kill(listed.cause);
                }
            }
            share.done = share.done.max(due);
            if share.done < share.sessions.len() {
                let moment = pace.moment(share.first + share.done as u32);
                next = Some(next.map_or(moment, |next| next.min(moment)));
            }
        }
        shares.retain(|share| share.done < share.sessions.len());
        let mut brought = self.closings.brought.borrow_mut();
        while let Some(entry) = brought.first_entry() {
            let (at, id) = *entry.key();
            if at > now {
                return Some(next.map_or(at, |next| next.min(at)));
            }
            let (key, cause) = entry.remove();
            if let Some(session) = sessions.get_mut(key as usize).filter(|session| session.id() == id) {
                session.kill(cause);
            }
        }
        next
    }
}
