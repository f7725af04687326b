//! Takes entries of stick tables out when their time is up.
//!
//! One task, of the first thread, that sleeps unless a table has `expire`. Who is too old is not found anyway, so this is
//! for memory and for `used`: a few at a time, others in between.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;

use super::clock;
use super::shared::Shared;

/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(500);

/// Entries that are taken out before other tasks get their turn: some hundred microseconds.
const BUDGET: usize = 1000;

/// The task: for ever, or not at all.
pub(super) async fn run(shared: Arc<Shared>) {
    if shared.pool.tables.iter().all(|table| table.ir.expire.is_none()) {
        return;
    }
    loop {
        tokio::time::sleep(PAUSE).await;
        while shared.pool.tables.expire_some(clock::coarse(), BUDGET) {
            yield_now().await;
        }
    }
}
