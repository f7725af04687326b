//! A session's question: what it waits for, and who answers.
//!
//! The session holds its [`Inquiry`], the section only a weak reference: what nobody waits for is asked no longer.
//! Source: manual §4.2 "http-request do-resolve"; asked of 2.6.12 (docs/OBSERVED.md).

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Poll, Waker};

use super::{Ask, Kind};
use crate::ir::ResolversIx;
use crate::units::address::Family;

/// A name that somebody waits for the address of.
#[derive(Debug)]
pub struct Inquiry {
    /// Where it is asked.
    pub section: ResolversIx,
    /// The family that is preferred.
    pub(super) prefer: Family,
    /// Lower case, without a dot at its end.
    name: Arc<str>,
    reply: Mutex<Reply>,
}

#[derive(Debug)]
enum Reply {
    Awaited(Waker),
    Given(Option<IpAddr>),
}

impl Inquiry {
    /// A question; `waker` is told of the reply.
    pub fn new(section: ResolversIx, name: &str, prefer: Family, waker: Waker) -> Arc<Self> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into();
        Arc::new(Self { section, prefer, name, reply: Mutex::new(Reply::Awaited(waker)) })
    }

    /// What is asked first, with a number that means nothing.
    pub fn ask(&self) -> Ask {
        Ask { id: 0, name: Arc::clone(&self.name), kind: Kind::of(self.prefer) }
    }

    /// Replies; `None`: there is no address.
    pub fn answer(&self, address: Option<IpAddr>) {
        let mut reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        if let Reply::Awaited(waker) = std::mem::replace(&mut *reply, Reply::Given(address)) {
            drop(reply);
            waker.wake();
        }
    }

    /// The reply, as soon as it is there.
    pub fn reply(&self) -> Poll<Option<IpAddr>> {
        match &*self.reply.lock().unwrap_or_else(PoisonError::into_inner) {
            Reply::Awaited(_) => Poll::Pending,
            Reply::Given(address) => Poll::Ready(*address),
        }
    }
}

/// Who waits for a name.
#[derive(Debug, Default)]
pub(super) struct Askers(Vec<Weak<Inquiry>>);

impl Askers {
    pub(super) fn add(&mut self, inquiry: &Arc<Inquiry>) {
        self.0.push(Arc::downgrade(inquiry));
    }

    /// Whether nobody waits any more.
    pub(super) fn are_gone(&self) -> bool {
        self.0.iter().all(|asker| asker.strong_count() == 0)
    }

    /// Replies to all.
    pub(super) fn answer(&mut self, address: impl Fn(Family) -> Option<IpAddr>) {
        for inquiry in self.0.drain(..).filter_map(|asker| asker.upgrade()) {
            inquiry.answer(address(inquiry.prefer));
        }
    }
}
