//! A server's line as it is in force: as it was configured, with what has changed at run time.
//!
//! Whoever connects reads it without a lock, once per connection; changes are rare, are made under the lock of the
//! backend, and replace the line whole. Who wants to know what the file says asks [`Pool::server`].

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

use super::{BackState, Pool};
use crate::ir::{ProxyIx, Server, ServerIx, TrackRef};

/// A server's line in force at one moment. To be dropped soon: not to be held while something is waited for.
pub struct ServerNow<'p> {
    configured: &'p Server,
    changed: Guard<Option<Arc<Server>>>,
}

impl Deref for ServerNow<'_> {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.changed.as_deref().unwrap_or(self.configured)
    }
}

impl Pool {
    /// A server's line in force.
    pub fn server_now(&self, proxy: ProxyIx, server: ServerIx) -> Option<ServerNow<'_>> {
        let at = TrackRef { proxy, server };
        let state = self.back(proxy)?.servers.get(server.0 as usize)?;
        Some(ServerNow { configured: self.server(at)?, changed: state.changed.0.load() })
    }

    /// Whether a server's line in force was ever changed.
    pub(super) fn is_changed(&self, proxy: ProxyIx, server: ServerIx) -> bool {
        let state = self.back(proxy).and_then(|back| back.servers.get(server.0 as usize));
        state.is_some_and(|state| state.changed.0.load().is_some())
    }

    /// Changes a server's line in force; others see all of the change or nothing of it.
    pub(super) fn change<T>(&self, at: TrackRef, change: impl FnOnce(&mut Server) -> T) -> Option<T> {
        let configured = self.server(at)?;
        let back = self.back(at.proxy)?;
        let slot = &back.servers.get(at.server.0 as usize)?.changed.0;
        let _one_at_a_time = BackState::lock(back);
        let mut line = slot.load().as_deref().unwrap_or(configured).clone();
        let told = change(&mut line);
        slot.store(Some(Arc::new(line)));
        Some(told)
    }
}

/// The line in force of a server that has been changed.
#[derive(Debug, Default)]
pub(super) struct ChangedLine(ArcSwapOption<Server>);

impl ChangedLine {
    /// Nothing has been changed.
    pub(super) fn forget(&self) {
        self.0.store(None);
    }
}
