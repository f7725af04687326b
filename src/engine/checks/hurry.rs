//! Servers whose next check is to come soon, as a thread's sessions leave them for its checks.

use std::cell::{Cell, RefCell};

use tokio::sync::Notify;

use crate::ir::TrackRef;

/// The servers of one thread.
#[derive(Debug, Default)]
pub(in crate::engine) struct Hurry {
    servers: RefCell<Vec<TrackRef>>,
    newcomers: Cell<bool>,
    wanted: Notify,
}

impl Hurry {
    /// Leaves a server.
    pub(in crate::engine) fn add(&self, server: TrackRef) {
        self.servers.borrow_mut().push(server);
        self.wanted.notify_one();
    }

    /// Says that servers were added.
    pub(in crate::engine) fn announce(&self) {
        self.newcomers.set(true);
        self.wanted.notify_one();
    }

    /// Whether servers were added since the last call.
    pub(super) fn has_newcomers(&self) -> bool {
        self.newcomers.take()
    }

    /// Waits until a server was left, or some were added.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// All that were left.
    pub(super) fn take(&self) -> Vec<TrackRef> {
        self.servers.take()
    }
}
