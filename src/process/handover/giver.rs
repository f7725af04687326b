//! The old process's side of moving sessions: OFFER, TAKEN, RELEASE, a batch at a time.
//!
//! A batch is frozen when it is offered. It is the newcomer's from the moment that RELEASE could be sent, and ours in every
//! other case: whatever goes wrong before, the newcomer is told so (WITHDRAW) *before* a session goes on here, and it
//! takes nothing without RELEASE as long as this process lives.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use super::super::patience;
use super::offer;
use super::wire::{self, Message, ReceiveError, WireError};
use crate::engine::migrate::{Batch, Round, Sessions, Size};
use crate::sys::passing::MAX_DESCRIPTORS;
use crate::sys::pidfd::{self, PidFd};
use crate::sys::{fault, limits, socket};

/// How long a newcomer may take for a word while sessions wait for it.
const WORD: Duration = Duration::from_secs(2);
/// How long it may take from its readiness to its wish for our sessions.
const WISH: Duration = Duration::from_secs(60);
/// How long a newcomer waits for one before it, which it has replaced, and how often it is looked.
const TURN: Duration = Duration::from_secs(10);
const TURN_STEP: Duration = Duration::from_millis(10);
/// Sessions of a batch at most: two descriptors each.
const BATCH: usize = MAX_DESCRIPTORS / 2;
/// Bytes of a batch that were read and not written: with them a message stays below [`wire::LONGEST`].
const HELD: usize = 512 * 1024;
/// Descriptors of a batch are at most this part of the limit: those under way count against an ordinary sender's.
const SHARE: u64 = 10;
/// Descriptors that one session may have: its sockets and two pipes.
const LEAST: u64 = 6;
/// Pauses before it is looked again whether sessions have become movable; the last one stays.
const LOOKS: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];
/// How many passages through the sessions are followed by what stick tables learned meanwhile.
pub(crate) const TELLINGS: usize = 3;
/// How long what waits on closed sockets may take to come.
const REST: Duration = Duration::from_secs(1);
/// Pause after a newcomer had no room for a single session.
const NO_ROOM: Duration = Duration::from_secs(1);

/// Lines about states or counters.
pub(crate) type Lines = dyn Fn() -> Vec<String> + Send + Sync;

/// Sends the entries of stick tables, a body at a time: all, or `again` those that were touched since.
pub(crate) type Entries = dyn Fn(bool, &mut dyn FnMut(Vec<u8>) -> io::Result<()>) -> io::Result<()> + Send + Sync;

/// What a process has besides its listening sockets.
pub(crate) struct Estate {
    /// Its sessions.
    pub(crate) sessions: Sessions,
    /// What it knows of its servers and proxies.
    pub(crate) states: Box<Lines>,
    /// What it has counted.
    pub(crate) counters: Box<Lines>,
    /// The entries of its stick tables.
    pub(crate) entries: Box<Entries>,
    /// Held by who moves sessions.
    moving: Mutex<()>,
    /// Whether a successor has the counters: told twice they would count twice.
    counted: AtomicBool,
}

/// What became of an offer.
enum Offered {
    Moved,
    /// The newcomer has no room.
    Refused,
}

impl Estate {
    pub(crate) fn new(sessions: Sessions, states: Box<Lines>, counters: Box<Lines>, entries: Box<Entries>) -> Self {
        Self { sessions, states, counters, entries, moving: Mutex::new(()), counted: AtomicBool::new(false) }
    }

    /// The successor has died, and what it was told with it.
    pub(super) fn forgotten(&self) {
        self.counted.store(false, Ordering::Release);
    }

    /// Tells what is known, or what was counted.
    pub(super) fn tell(&self, visitor: &OwnedFd, what: &Lines) -> io::Result<()> {
        offer::lines(&what()).into_iter().try_for_each(|body| wire::send(visitor, &Message::Told(body), &[]))
    }

    /// Tells the entries of stick tables; an empty body ends them.
    pub(super) fn tell_entries(&self, visitor: &OwnedFd, again: bool) -> io::Result<()> {
        (self.entries)(again, &mut |body| wire::send(visitor, &Message::Entries(body), &[]))?;
        wire::send(visitor, &Message::Entries(Vec::new()), &[])
    }

    /// Waits for the newcomer's wish, and fulfils it. `finished` is called after the first passage through all sessions.
    ///
    /// # Errors
    /// [`ReceiveError`]: it has gone, or wants no sessions; what it was not given stays here.
    pub(super) fn wait_and_give(&self, visitor: &OwnedFd, finished: &mut dyn FnMut()) -> Result<(), ReceiveError> {
        socket::set_time_limits(visitor, WISH)?;
        match wire::receive(visitor)?.message {
            Message::Move { .. } => self.give(visitor, finished),
            _ => Err(WireError::Number.into()),
        }
    }

    /// Gives all sessions that the newcomer has a place for, and those that become movable later, until it goes.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub(super) fn give(&self, visitor: &OwnedFd, finished: &mut dyn FnMut()) -> Result<(), ReceiveError> {
        let Some(_turn) = self.turn() else {
            return Ok(wire::send(visitor, &Message::Finished { left: 0 }, &[])?); // another one takes them
        };
        socket::set_time_limits(visitor, WORD)?;
        fault::at("old-moving");
        if !self.counted.swap(true, Ordering::AcqRel) {
            self.tell(visitor, &*self.counters)?;
        }
        self.tell_entries(visitor, true)?;
        for look in 0.. {
            self.give_once(visitor)?;
            // What waited on the sockets that are closed now comes here, and goes the same way. The process stays for it.
            let stays = (look == 0).then(|| self.sessions.expect());
            if look == 0 {
                finished();
                self.wait_for_the_rest();
                self.give_once(visitor)?;
            }
            let left = self.sessions.left();
            if look < TELLINGS {
                self.tell_entries(visitor, true)?; // what those sessions counted that moved or ended before
            }
            wire::send(visitor, &Message::Finished { left }, &[])?;
            fault::at("old-finished");
            drop(stays);
            // Nothing is to be said now: what comes is the end.
            if pidfd::readable(visitor.as_fd(), LOOKS[look.min(LOOKS.len() - 1)]) {
                break;
            }
        }
        Ok(())
    }

    /// Waits until nothing is accepted any more.
    fn wait_for_the_rest(&self) {
        let begun = Instant::now();
        while self.sessions.accepts() && begun.elapsed() < REST {
            patience::pause(TURN_STEP);
        }
    }

    /// The right to move sessions: whoever has it gives it back when it is replaced, or dead.
    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        let begun = Instant::now();
        loop {
            match self.moving.try_lock() {
                Ok(turn) => return Some(turn),
                Err(TryLockError::Poisoned(turn)) => return Some(turn.into_inner()),
                Err(TryLockError::WouldBlock) if begun.elapsed() >= TURN => return None,
                Err(TryLockError::WouldBlock) => patience::pause(TURN_STEP),
            }
        }
    }

    /// One passage through all sessions.
    fn give_once(&self, visitor: &OwnedFd) -> Result<(), ReceiveError> {
        let mut round = self.sessions.round();
        if round.lanes().is_empty() {
            return Ok(());
        }
        let accepted = ask(visitor, &round)?;
        round.accept(&accepted);
        fault::at("old-lanes");
        let share = limits::descriptors().soft.map_or(MAX_DESCRIPTORS as u64, |limit| limit / SHARE);
        let descriptors = share.clamp(LEAST, MAX_DESCRIPTORS as u64) as usize;
        let mut size = Size { sessions: BATCH, descriptors, bytes: HELD };
        while let Some(batch) = round.next(size) {
            let count = batch.count();
            match offer(visitor, batch)? {
                Offered::Moved => {}
                Offered::Refused if count == 1 => {
                    patience::pause(NO_ROOM);
                    return Ok(());
                }
                Offered::Refused => size.sessions = count / 2,
            }
        }
        Ok(())
    }
}

/// Names the lanes that have sessions; which of them the newcomer has too.
fn ask(visitor: &OwnedFd, round: &Round) -> Result<Vec<bool>, ReceiveError> {
    let mut accepted = Vec::new();
    for (at, some) in round.lanes().chunks(offer::LANES).enumerate() {
        wire::send(visitor, &Message::Lanes { new: at == 0, lanes: offer::lanes(some)? }, &[])?;
        match wire::receive(visitor)?.message {
            Message::Accept(yes) if yes.len() == some.len() => accepted.extend(yes.into_iter().map(|yes| yes == 1)),
            _ => return Err(WireError::Number.into()),
        }
    }
    Ok(accepted)
}

/// Offers a batch and lets it go if it was taken; in every other case its sessions go on here.
fn offer(visitor: &OwnedFd, batch: Batch) -> Result<Offered, ReceiveError> {
    fault::at("old-frozen");
    let out = hand_over(visitor, &batch);
    match out {
        Ok(Offered::Moved) => {
            fault::at("old-released");
            batch.release();
            fault::at("old-closed");
        }
        Ok(Offered::Refused) => drop(batch),
        Err(_) => {
            let _ = wire::send(visitor, &Message::Withdraw, &[]);
            drop(batch);
        }
    }
    out
}

/// From the offer to RELEASE.
fn hand_over(visitor: &OwnedFd, batch: &Batch) -> Result<Offered, ReceiveError> {
    let body = offer::encode(batch.states(), &batch.held())?;
    wire::send(visitor, &Message::Offer(body), &batch.descriptors())?;
    fault::at("old-offered");
    match wire::receive(visitor)?.message {
        Message::Taken { count } if count as usize == batch.count() => {}
        Message::Refuse => return Ok(Offered::Refused),
        _ => return Err(WireError::Number.into()),
    }
    fault::at("old-taken");
    wire::send(visitor, &Message::Release, &[])?;
    Ok(Offered::Moved)
}

/// Whether a process of that number is there.
pub(crate) fn lives(pid: i32) -> bool {
    PidFd::open(pid).is_ok_and(|process| process.is_some_and(|process| !process.ended()))
}
