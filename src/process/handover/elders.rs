//! What is left in processes that others have taken over from: `show old`.

use std::time::Duration;

use super::client;
use super::wire::{self, Count, Message};
use crate::report::Elder;
use crate::sys::pidfd::PidFd;
use crate::sys::socket;

/// How long one of them may take to answer.
const WORD: Duration = Duration::from_secs(1);

/// The processes that this one replaces, by the command line.
#[derive(Debug, Default)]
pub(crate) struct Named(Vec<PidFd>);

impl Named {
    /// Those of these pids that live now.
    pub(crate) fn of(pids: &[i32]) -> Self {
        Self(pids.iter().filter_map(|pid| PidFd::open(*pid).ok().flatten()).collect())
    }

    /// Those that live still, and every other process of ours here that accepts no more. Asks each of them: a call may
    /// take seconds.
    pub(crate) fn elders(&self) -> Vec<Elder> {
        let me = std::process::id().cast_signed();
        let named = self.0.iter().filter(|old| !old.ended());
        let mut elders: Vec<Elder> = named.map(|old| told(old.pid(), ask(old))).collect();
        let known: Vec<i32> = elders.iter().map(|elder| elder.pid).collect();
        for pid in super::candidates().into_iter().filter(|pid| *pid != me && !known.contains(pid)) {
            let count = PidFd::open(pid).ok().flatten().and_then(|old| ask(&old));
            elders.extend(count.filter(|count| count.stopping).map(|count| told(pid, Some(count))));
        }
        elders.sort_by_key(|elder| elder.pid);
        elders
    }
}

fn told(pid: i32, count: Option<Count>) -> Elder {
    let successor = count.map(|count| count.successor).filter(|pid| *pid > 0);
    Elder { pid, seconds: count.map(|count| count.seconds), connections: count.map(|c| c.connections), successor }
}

/// What a process says of itself; `None`: it is no baton, or does not answer.
fn ask(old: &PidFd) -> Option<Count> {
    let connection = client::visit(old).ok()?;
    socket::set_time_limits(&connection, WORD).ok()?;
    wire::send(&connection, &Message::Count, &[]).ok()?;
    match wire::receive(&connection).ok()?.message {
        Message::Counted(count) => Some(count),
        _ => None,
    }
}
