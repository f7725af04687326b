//! Sessions whose bandwidth is limited: how much each direction may pass on now, and when it may pass on more.
//!
//! What is not allowed yet stays in the sender's socket, so that the kernel holds the sender back. `pool::bandwidth` decides; rules
//! set limits (`engine::rules::limiting`), and only a session with [`Placing::LIMITED`](super::placing::Placing) comes here.

use super::clock;
use super::session::Session;
use super::shard::Shard;
use crate::pool::bandwidth::Pace;
use crate::units::Tick;

/// Most bytes that a direction may pass on: from the client, and from the server.
pub(super) type Allowed = (usize, usize);

/// Without limits.
pub(super) const FREE: Allowed = (usize::MAX, usize::MAX);

impl Session {
    /// What may be passed on now. Who has to wait is polled when its time has come, and not cut meanwhile: the times of both ends
    /// begin again then. `judged`: rules hold back what the server has sent anyway.
    pub(super) fn allowed(&mut self, shard: &Shard, key: u32, judged: bool) -> Allowed {
        let Some(bandwidth) = self.memory.as_mut().and_then(|memory| memory.bandwidth.as_deref_mut()) else {
            return FREE;
        };
        let now = clock::now();
        let waited = bandwidth.paused.take().is_some();
        if waited {
            (self.client_seen, self.server_seen) = (now, now);
        }
        let up = match self.up.is_done() {
            true => Pace::Free,
            false => bandwidth.up.pace(now, || self.up.waiting(&self.client)),
        };
        let down = match &self.server {
            Some(server) if !judged && !self.down.is_done() => bandwidth.down.pace(now, || self.down.waiting(server)),
            _ => Pace::Free,
        };
        let until = [up, down].into_iter().filter_map(|pace| if let Pace::Until(at) = pace { Some(at) } else { None });
        bandwidth.paused = until.min();
        if waited || bandwidth.paused.is_some() {
            self.arm(shard, key);
        }
        (most(up), most(down))
    }

    /// Until when it waits for its allowance, if it does.
    pub(super) fn paused(&self) -> Option<Tick> {
        self.memory.as_ref()?.bandwidth.as_ref()?.paused
    }

    /// Counts what was passed on.
    pub(super) fn charge(&mut self) {
        let now = clock::now();
        if let Some(bandwidth) = self.memory.as_mut().and_then(|memory| memory.bandwidth.as_deref_mut()) {
            bandwidth.up.count(self.up.forwarded(), now);
            bandwidth.down.count(self.down.forwarded(), now);
        }
    }
}

fn most(pace: Pace) -> usize {
    match pace {
        Pace::Free => usize::MAX,
        Pace::Most(bytes) => bytes as usize,
        Pace::Until(_) => 0,
    }
}
