//! Starts that name the same old process go one after another, pidfile or not.
//!
//! A turn is an abstract unix socket named after the old pid: bound by whoever is first, given back by the system when the
//! last process that holds it is gone. A name that a stranger squats on is not waited for.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::console::Console;
use super::patience;
use crate::sys::{identity, proc, socket};

/// How long other starts may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at again.
const PAUSE: Duration = Duration::from_millis(10);

/// The right to replace some processes; given back when dropped, in every process that has a copy.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    _held: Vec<OwnedFd>,
}

/// What stands in the way of a turn.
#[derive(Debug, PartialEq, Eq)]
enum Holder {
    /// Another start, of root or of our user.
    Start,
    /// Somebody else.
    Stranger,
    /// Nobody any more.
    Gone,
}

impl Turn {
    /// Waits for the turn to replace these processes. What cannot be had in a minute is gone without, with a warning.
    pub(crate) fn take(old: &[i32], console: &Console) -> Self {
        let mut pids = old.to_vec();
        pids.sort_unstable(); // one order for all, or two starts would wait for each other
        pids.dedup();
        let begun = Instant::now();
        let Ok(namespace) = proc::pid_namespace() else { return Self::default() };
        let turn = |pid| take_one(&format!("baton/turn/{namespace}/{pid}"), pid, begun, console);
        Self { _held: pids.into_iter().filter_map(turn).collect() }
    }
}

fn take_one(name: &str, pid: i32, begun: Instant, console: &Console) -> Option<OwnedFd> {
    loop {
        match bind(name) {
            Ok(held) => return Some(held),
            Err(why) if why.kind() != io::ErrorKind::AddrInUse => return None,
            Err(_) => {}
        }
        if holder(name) == Holder::Stranger {
            console.warning(format_args!("somebody squats on the name {name}: not waiting for it"));
            return None;
        }
        if begun.elapsed() >= PATIENCE {
            console.warning(format_args!("another start that replaces process {pid} takes too long: not waiting"));
            return None;
        }
        patience::pause(PAUSE);
    }
}

fn bind(name: &str) -> io::Result<OwnedFd> {
    let held = socket::bind_abstract(name.as_bytes(), false)?;
    socket::listen(&held, 1)?; // so that others can see whose it is
    Ok(held)
}

fn holder(name: &str) -> Holder {
    let Ok(connection) = socket::connect_abstract_now(name.as_bytes()) else { return Holder::Gone };
    match identity::peer(&connection) {
        Ok(peer) if peer.uid == 0 || peer.uid == identity::user() => Holder::Start,
        Ok(_) => Holder::Stranger,
        Err(_) => Holder::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_waited_for() {
        let console = Console::new(true);
        let pids = [i32::MAX - 1, i32::MAX - 2];
        let first = Turn::take(&pids, &console);
        let name = format!("baton/turn/{}/{}", proc::pid_namespace().unwrap(), pids[0]);
        assert_eq!(holder(&name), Holder::Start);
        assert!(bind(&name).is_err());
        let waiting = std::thread::spawn(move || Turn::take(&[pids[1], pids[0]], &Console::new(true)));
        assert!(!waiting.is_finished());
        drop(first);
        let second = waiting.join().unwrap();
        assert_eq!(second._held.len(), 2);
        drop(second);
        assert_eq!(holder(&name), Holder::Gone);
    }
}
