//! The old process's side: answers newcomers, one at a time.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::super::patience;
use super::giver::{Estate, lives};
use super::wire::{self, Count, Message, ReceiveError};
use crate::sys::passing::MAX_DESCRIPTORS;
use crate::sys::pidfd::PidFd;
use crate::sys::{identity, pidfd, socket};

/// How long a newcomer may take for a word of the protocol.
const WORD: Duration = Duration::from_secs(2);
/// The same where nobody else is served meanwhile.
const FIRST_WORD: Duration = Duration::from_millis(200);
/// How long it may take from its sockets to accepting on them; then the next one gets its turn.
const START: Duration = Duration::from_secs(60);
/// How long a successor that closed its end of a conversation may take to be dead.
const LAST_BREATH: Duration = Duration::from_secs(2);
/// A newcomer whose turn has not come is told so this often.
const REMINDER: Duration = Duration::from_secs(1);
/// Newcomers that are talked to at once.
const MOST: usize = 64;

/// Gives copies of the listening sockets.
pub(crate) type Listeners = dyn Fn() -> io::Result<Vec<OwnedFd>> + Send + Sync;
/// Tells how many connections there are, since when, and whether more are accepted; who has taken over is left out.
pub(crate) type Counting = dyn Fn() -> Count + Send + Sync;
/// Called when something changes for this process.
pub(crate) type Changes = dyn Fn(Change) + Send + Sync;

/// What becomes of a process that is being replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A successor accepts on our sockets: we don't, while sessions move to it.
    Yields,
    /// The successor has died before it had all sessions: we accept again.
    Resumes,
    /// The successor goes on: we finish what is left.
    Finishes,
    /// We are to end at once.
    Ends,
}

/// What all conversations of a serving process share.
pub(crate) struct Desk {
    listeners: Box<Listeners>,
    changes: Box<Changes>,
    counting: Box<Counting>,
    /// Whether a newcomer is being served now.
    busy: Mutex<bool>,
    freed: Condvar,
    successor: Mutex<Option<i32>>,
    /// Processes that have taken over, or were about to.
    successors: Mutex<Vec<i32>>,
    shared: AtomicBool,
    visitors: AtomicUsize,
    /// What else there is to give; nothing if the user wants it so.
    estate: Option<Estate>,
}

impl Desk {
    /// A desk that hands out what `listeners` gives.
    pub(crate) fn new(
        listeners: Box<Listeners>,
        changes: Box<Changes>,
        counting: Box<Counting>,
        estate: Option<Estate>,
    ) -> Arc<Self> {
        Arc::new(Self {
            listeners,
            changes,
            counting,
            busy: Mutex::new(false),
            freed: Condvar::new(),
            successor: Mutex::new(None),
            successors: Mutex::default(),
            shared: AtomicBool::new(false),
            visitors: AtomicUsize::new(0),
            estate,
        })
    }

    /// Has newcomers wait until the returned turn is dropped: this process is still taking over itself.
    pub(crate) fn reserve(self: &Arc<Self>) -> Turn {
        *lock(&self.busy) = true;
        Turn(Arc::clone(self))
    }

    /// Whether another process may hold copies of our sockets: they must not be shut down any more.
    pub(crate) fn shared(&self) -> bool {
        self.shared.load(Ordering::Acquire)
    }

    fn succeeded_by(&self, pid: i32) {
        *lock(&self.successor) = Some(pid);
        lock(&self.successors).push(pid);
    }

    /// Gives a successor what it wants. If it dies before it has seen all of it, this process goes on in its place, unless
    /// somebody has taken over from *it*.
    fn give_sessions(
        &self,
        successor: i32,
        give: impl FnOnce(&mut dyn FnMut()) -> Result<(), ReceiveError>,
    ) -> Result<(), ReceiveError> {
        (self.changes)(Change::Yields);
        let mut over = false;
        let given = give(&mut || {
            if !std::mem::replace(&mut over, true) {
                (self.changes)(Change::Finishes);
            }
        });
        if over {
            return given;
        }
        let dead = PidFd::open(successor).is_ok_and(|process| process.is_none_or(|process| process.wait(LAST_BREATH)));
        let mut present = lock(&self.successor);
        if dead && *present == Some(successor) {
            *present = None;
            if let Some(estate) = &self.estate {
                estate.forgotten();
            }
            (self.changes)(Change::Resumes);
        } else if *present == Some(successor) {
            (self.changes)(Change::Finishes);
        }
        given
    }

    /// The process that has taken over, once one has.
    pub(crate) fn successor(&self) -> Option<i32> {
        *lock(&self.successor)
    }
}

/// The handover socket of this process, bound and listening.
#[derive(Debug)]
pub(crate) struct Door(OwnedFd);

impl Door {
    /// Opens it. To be called by the process that serves, after its last fork and before it gives rights away: the
    /// credentials that a newcomer sees are those of the caller.
    ///
    /// # Errors
    /// EADDRINUSE when somebody squats on the name.
    pub(crate) fn open() -> io::Result<Self> {
        let name = format!("{}{}", super::prefix()?, std::process::id());
        let door = socket::bind_abstract(name.as_bytes(), false)?;
        socket::listen(&door, 64)?;
        Ok(Self(door))
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.0
    }

    /// Sends the next newcomer that waits to the process that serves; the newcomer's pid, if it is to be trusted. Waits for
    /// its first word, but not long: for the single thread of a master.
    pub(crate) fn send_on(&self, serving: i32) -> Option<i32> {
        let visitor = socket::accept(&self.0).ok()?;
        let peer = identity::peer(&visitor).ok().filter(|peer| peer.uid == 0 || peer.uid == identity::user())?;
        socket::set_time_limits(&visitor, FIRST_WORD).ok()?;
        match wire::receive(&visitor).ok()?.message {
            Message::Hello => wire::send(&visitor, &Message::GoTo { pid: serving }, &[]).ok()?,
            _ => wire::send(&visitor, &Message::Finished { left: 0 }, &[]).ok()?,
        }
        Some(peer.pid)
    }

    /// Answers newcomers, in threads of their own, for the life of the process, from when the returned [`Latch`] is lifted.
    ///
    /// # Errors
    /// EAGAIN when no thread can be had.
    pub(crate) fn serve(self, desk: Arc<Desk>) -> io::Result<Latch> {
        let (lift, lifted) = mpsc::channel();
        std::thread::Builder::new().name("handover".into()).spawn(move || {
            if lifted.recv().is_err() {
                return;
            }
            loop {
                pidfd::readable(self.0.as_fd(), Duration::from_secs(3600));
                match socket::accept(&self.0) {
                    Ok(visitor) => receive_visitor(visitor, &desk),
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                    // No descriptor or memory for it: it waits in the backlog.
                    Err(_) => patience::pause(Duration::from_millis(100)),
                }
            }
        })?;
        Ok(Latch(lift))
    }
}

impl From<OwnedFd> for Door {
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

/// Holds a [`Door`] shut until the process is in charge; dropped unlifted, nobody is ever answered.
#[derive(Debug)]
pub(crate) struct Latch(mpsc::Sender<()>);

impl Latch {
    /// Lets newcomers in.
    pub(crate) fn lift(self) {
        let _ = self.0.send(());
    }
}

fn receive_visitor(visitor: OwnedFd, desk: &Arc<Desk>) {
    let known = identity::peer(&visitor).is_ok_and(|peer| peer.uid == 0 || peer.uid == identity::user());
    if !known || desk.visitors.fetch_add(1, Ordering::AcqRel) >= MOST {
        if known {
            desk.visitors.fetch_sub(1, Ordering::AcqRel);
        }
        return;
    }
    let theirs = Arc::clone(desk);
    let talk = move || {
        if let Err(why) = converse(&visitor, &theirs) {
            tracing::debug!(%why, "a newcomer did not take over");
        }
        theirs.visitors.fetch_sub(1, Ordering::AcqRel);
    };
    if std::thread::Builder::new().name("handover-talk".into()).spawn(talk).is_err() {
        desk.visitors.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One conversation: from hello to noted, and then about sessions; or about sessions alone.
pub(super) fn converse(visitor: &OwnedFd, desk: &Arc<Desk>) -> Result<(), ReceiveError> {
    socket::set_time_limits(visitor, WORD)?;
    match wire::receive(visitor)?.message {
        Message::Hello => {}
        Message::Move { askers } => return collect(visitor, desk, &askers),
        Message::Count => {
            let successor = desk.successor().map_or(0, i32::cast_unsigned);
            let count = Count { successor, ..(desk.counting)() };
            return Ok(wire::send(visitor, &Message::Counted(count), &[])?);
        }
        _ => return Err(wire::WireError::Magic.into()),
    }
    let Some(turn) = Turn::wait(desk, visitor)? else { return Ok(()) };
    if let Some(pid) = desk.successor().filter(|pid| lives(*pid)) {
        return Ok(wire::send(visitor, &Message::GoTo { pid }, &[])?);
    }
    let before = desk.shared.swap(true, Ordering::AcqRel);
    let given = give(visitor, desk);
    if matches!(given, Err(ReceiveError::Closed)) {
        desk.shared.store(before, Ordering::Release); // it is gone, and its copies with it
    }
    let Successor { pid, at_once } = given?;
    drop(turn);
    match &desk.estate {
        _ if at_once => (desk.changes)(Change::Ends),
        None => (desk.changes)(Change::Finishes),
        Some(estate) => return desk.give_sessions(pid, |finished| estate.wait_and_give(visitor, finished)),
    }
    Ok(())
}

/// Somebody asks for sessions alone: our successor, whose first conversation broke off; whoever has taken over from that; or,
/// for what nobody serves any more, anybody who serves in our place.
fn collect(visitor: &OwnedFd, desk: &Desk, askers: &[i32]) -> Result<(), ReceiveError> {
    let ours = lock(&desk.successors).iter().any(|pid| askers.contains(pid));
    let stops = desk.estate.as_ref().is_some_and(|estate| estate.sessions.is_stopping());
    let orphaned = stops && desk.successor().is_none_or(|pid| !lives(pid));
    match (&desk.estate, askers.first()) {
        (Some(estate), Some(asker)) if ours || orphaned => {
            desk.succeeded_by(*asker);
            desk.give_sessions(*asker, |finished| estate.give(visitor, finished))
        }
        _ => Ok(wire::send(visitor, &Message::Finished { left: 0 }, &[])?),
    }
}

/// Who serves now.
struct Successor {
    pid: i32,
    /// Whether we are to end at once.
    at_once: bool,
}

/// From welcome to noted.
fn give(visitor: &OwnedFd, desk: &Desk) -> Result<Successor, ReceiveError> {
    let sockets = (desk.listeners)()?;
    let me = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    wire::send(visitor, &Message::Welcome { pid: me, sockets: sockets.len() as u32 }, &[])?;
    let mut given = 0;
    for batch in sockets.chunks(MAX_DESCRIPTORS) {
        let borrowed: Vec<_> = batch.iter().map(AsFd::as_fd).collect();
        given += batch.len() as u32;
        wire::send(visitor, &Message::Sockets { count: batch.len() as u32 }, &borrowed)?;
        if wire::receive(visitor)?.message != (Message::Taken { count: given }) {
            return Err(wire::WireError::Number.into());
        }
    }
    drop(sockets);
    socket::set_time_limits(visitor, START)?;
    let (pid, at_once) = loop {
        match wire::receive(visitor)?.message {
            Message::Tell => match &desk.estate {
                Some(estate) => estate.tell(visitor, &*estate.states)?,
                None => wire::send(visitor, &Message::Told(Vec::new()), &[])?,
            },
            Message::TellEntries => match &desk.estate {
                Some(estate) => estate.tell_entries(visitor, false)?,
                None => wire::send(visitor, &Message::Entries(Vec::new()), &[])?,
            },
            Message::Ready { pid, at_once } => break (pid, at_once),
            _ => return Err(wire::WireError::Magic.into()),
        }
    };
    desk.succeeded_by(pid);
    // One that has gone meanwhile is noticed when it is asked for the next word.
    let _ = wire::send(visitor, &Message::Noted, &[]);
    Ok(Successor { pid, at_once })
}

/// The right to be served; given back when dropped.
pub(crate) struct Turn(Arc<Desk>);

impl Turn {
    /// Waits for it, telling the visitor so. `None`: the visitor has gone.
    fn wait(desk: &Arc<Desk>, visitor: &OwnedFd) -> Result<Option<Self>, ReceiveError> {
        let mut busy = lock(&desk.busy);
        let mut told = None;
        while *busy {
            if told.is_none_or(|at: Instant| at.elapsed() >= REMINDER) {
                drop(busy);
                if pidfd::readable(visitor.as_fd(), Duration::ZERO) {
                    return Ok(None); // it has nothing to say now: it closed
                }
                wire::send(visitor, &Message::Wait, &[])?;
                told = Some(Instant::now());
                busy = lock(&desk.busy);
                continue;
            }
            busy = desk.freed.wait_timeout(busy, REMINDER).unwrap_or_else(PoisonError::into_inner).0;
        }
        *busy = true;
        Ok(Some(Self(Arc::clone(desk))))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.0.busy) = false;
        self.0.freed.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
