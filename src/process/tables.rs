//! Entries of stick tables go from one process to the next.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::handover::client::Take;
use super::handover::giver::{Entries, TELLINGS};
use super::services;
use crate::pool::Pool;
use crate::units::Tick;

/// What sends them: all, or `again` those that were touched since they were last sent.
pub(crate) fn telling(pool: &Arc<Pool>) -> Box<Entries> {
    let (pool, told) = (Arc::clone(pool), AtomicU64::new(0));
    Box::new(move |again: bool, send: &mut dyn FnMut(Vec<u8>) -> io::Result<()>| {
        let before = told.swap(services::now().millis(), Ordering::AcqRel);
        pool.tables.export(again.then_some(Tick::from_millis(before)), services::now, send)
    })
}

/// What takes them before anything is served.
pub(crate) fn taking(pool: &Arc<Pool>) -> Box<Take> {
    let pool = Arc::clone(pool);
    Box::new(move |body: &[u8]| take(&pool, body))
}

/// What takes them while both processes count.
pub(crate) fn taking_again(apart: Apart) -> Box<Take> {
    let ends = AtomicUsize::new(0);
    Box::new(move |body: &[u8]| {
        take(&apart.0, body);
        // once when the old process serves no more, and after each of its first passages
        if body.is_empty() && ends.fetch_add(1, Ordering::Relaxed) == TELLINGS {
            apart.0.tables.count_together();
        }
    })
}

fn take(pool: &Pool, body: &[u8]) {
    if body.is_empty() {
        pool.tables.settle();
    } else if pool.tables.import(body, services::now()).is_none() {
        tracing::warn!("entries of stick tables came that make no sense");
    }
}

/// Tables whose entries are counted apart from those of the old process: until it has told of them for the last time, or has gone.
pub(crate) struct Apart(Arc<Pool>);

impl Apart {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        pool.tables.count_apart();
        Self(Arc::clone(pool))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.0.tables.count_together();
    }
}
