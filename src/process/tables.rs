//! Entries of stick tables go from one process to the next.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::handover::client::Take;
use super::handover::giver::Entries;
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

/// What takes them.
pub(crate) fn taking(pool: &Arc<Pool>) -> Box<Take> {
    let pool = Arc::clone(pool);
    Box::new(move |body: &[u8]| {
        if body.is_empty() {
            pool.tables.settle();
        } else if pool.tables.import(body, services::now()).is_none() {
            tracing::warn!("entries of stick tables came that make no sense");
        }
    })
}
