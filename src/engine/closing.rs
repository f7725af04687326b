//! Ends sessions one after the other instead of all at once (`close-spread-time`).
//!
//! An order goes to every thread; each counts those of its sessions that it means and takes as many numbers of one
//! common row. When all have counted, each ends its own when their numbers are due, so it is the row of all threads
//! together that is even. A session that has a number already keeps it: two orders end it once, and no faster. One that
//! ends by itself leaves its number unused. What is ordered for the end of a soft stop takes the place of all orders
//! before it, for nothing may be left when it is over.

use std::cell::RefCell;
use std::collections::HashMap;
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
}

/// One thread's sessions that are to be ended one after the other.
#[derive(Default)]
pub(super) struct Closings {
    shares: RefCell<Vec<Share>>,
    changed: Notify,
}

impl Closings {
    /// Another thread may have counted its sessions meanwhile.
    pub(super) fn look(&self) {
        if !self.shares.borrow().is_empty() {
            self.changed.notify_one();
        }
    }

    /// The sessions that have a number and whose turn has not come, and what they will be put down to.
    fn listed(&self) -> HashMap<u64, Cause> {
        let shares = self.shares.borrow();
        let left = shares.iter().flat_map(|share| &share.sessions[share.done..]);
        left.map(|listed| (listed.id, listed.cause)).collect()
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
                let cause = before.unwrap_or(spread.cause);
                sessions.push(Listed { key: key as u32, id: session.id(), cause });
            }
        }
        let first = spread.total.fetch_add(sessions.len() as u32, Ordering::Relaxed);
        let last = spread.uncounted.fetch_sub(1, Ordering::AcqRel) == 1;
        let mut shares = self.closings.shares.borrow_mut();
        if anew {
            shares.clear();
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
        next
    }
}
