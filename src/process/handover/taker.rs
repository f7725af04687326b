//! The new process's side of moving sessions.
//!
//! What came is touched only after RELEASE, or when the old process is dead without having withdrawn it. If neither comes in
//! time, the way back is shut first: then either RELEASE lies there already, or the old process can never send it and
//! goes on with its sessions itself.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::client::{self, Conversation};
use super::offer;
use super::server::{Desk, Turn};
use super::wire::{self, Message, Parcel, ReceiveError, WireError};
use crate::engine::migrate::{Arrivals, Expecting, Routes, Sessions};
use crate::ir::Level;
use crate::pool::Journal;
use crate::sys::pidfd::{self, PidFd};
use crate::sys::{fault, socket};

/// How long the old process may take for the rest of a message, and for an answer.
const WORD: Duration = Duration::from_secs(3);
/// How long the old process may be silent before others that want our place get their turn.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a process whose end of the connection is shut may take to be dead.
const LAST_BREATH: Duration = Duration::from_secs(2);
/// How often sessions that stayed in the old process are asked for again after a conversation broke off, and the pause between.
const TRIES: u32 = 15;
const TRY_PAUSE: Duration = Duration::from_secs(2);

/// Takes lines about counters.
pub(crate) type Count = dyn Fn(&[String]) + Send + Sync;

/// What taking sessions over needs.
pub(crate) struct Taker {
    pub(crate) sessions: Sessions,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) count: Box<Count>,
    /// Takes entries of stick tables.
    pub(crate) entries: Box<client::Take>,
    /// Told how many sessions came.
    pub(crate) came: Box<dyn Fn(usize) + Send + Sync>,
    pub(crate) desk: Arc<Desk>,
}

/// Takes the sessions of these processes, and of those that nobody serves for any more, in threads of their own. Others that
/// want to take over from this process wait meanwhile.
///
/// # Errors
/// EAGAIN when no thread can be had: the sessions stay where they are.
pub(crate) fn start(taker: Taker, conversations: Vec<Conversation>) -> io::Result<()> {
    let (same, other): (Vec<_>, Vec<_>) = conversations.into_iter().partition(Conversation::speaks_of_sessions);
    let me = std::process::id().cast_signed();
    let mut askers: Vec<i32> = std::iter::once(me).chain(same.iter().map(|known| known.old.pid())).collect();
    for Conversation { old, version, .. } in &other {
        let ours = wire::VERSION;
        let line = format!(
            "Process {} speaks version {version} of the handover, not {ours}: its sessions stay there.",
            old.pid()
        );
        taker.journal.event(None, Level::Notice, &line);
        askers.push(old.pid());
    }
    let taker = Arc::new(taker);
    let askers: Arc<[i32]> = askers.into();
    // Newcomers of ours wait until each has given what it has now, or is silent for too long.
    let turn = Arc::new(taker.desk.reserve());
    let (told, over) = mpsc::channel();
    for conversation in same {
        let pass = Pass { _turn: Arc::clone(&turn), told: told.clone(), stays: taker.sessions.expect() };
        let (taker, askers) = (Arc::clone(&taker), Arc::clone(&askers));
        let take = move || taker.take_from(conversation, &askers, pass);
        std::thread::Builder::new().name("sessions".into()).spawn(take)?;
    }
    drop((told, turn));
    let collect = move || {
        while over.recv().is_ok() {}
        taker.collect(&askers);
    };
    std::thread::Builder::new().name("sessions-left".into()).spawn(collect).map(drop)
}

/// Held while a process gives what it has when it is first asked.
struct Pass {
    _turn: Arc<Turn>,
    /// A soft stop of this process waits for what is given.
    stays: Option<Expecting>,
    told: mpsc::Sender<()>,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let _ = self.told.send(());
    }
}

/// One process that gives its sessions.
struct Giving<'a> {
    taker: &'a Taker,
    old: &'a PidFd,
    connection: &'a OwnedFd,
    /// It was found, and not named: only sessions on our addresses are taken.
    found: bool,
    routes: Routes,
    /// Lines about its counters that came so far.
    lines: Vec<String>,
    /// How long each session was served by nobody, ms.
    pauses: Vec<u32>,
    begun: Instant,
    pass: Option<Pass>,
}

impl Taker {
    /// Takes what a named process gives; asks again while it lives and the conversation broke off.
    fn take_from(&self, conversation: Conversation, askers: &[i32], pass: Pass) {
        let Conversation { old, connection, .. } = conversation;
        let (mut known, mut pass) = (Some(connection), Some(pass));
        for _ in 0..=TRIES {
            if let Ok(connection) = known.take().map_or_else(|| client::visit(&old), Ok) {
                self.take(&old, &connection, false, askers, pass.take());
            }
            pass = None;
            if old.wait(TRY_PAUSE) || self.desk.successor().is_some() {
                return;
            }
        }
    }

    /// Takes what is left in processes that were not named and whose successor is dead.
    fn collect(self: &Arc<Self>, askers: &Arc<[i32]>) {
        for pid in super::candidates().into_iter().filter(|pid| !askers.contains(pid)) {
            let (taker, askers) = (Arc::clone(self), Arc::clone(askers));
            let ask = move || {
                let Ok(Some(old)) = PidFd::open(pid) else { return };
                if let Ok(connection) = client::visit(&old) {
                    taker.take(&old, &connection, true, &askers, None);
                }
            };
            let _ = std::thread::Builder::new().name("sessions-left".into()).spawn(ask);
        }
    }

    fn take(&self, old: &PidFd, connection: &OwnedFd, found: bool, askers: &[i32], pass: Option<Pass>) {
        let routes = Routes::default();
        let mut giving = Giving {
            taker: self,
            old,
            connection,
            found,
            routes,
            lines: Vec::new(),
            pauses: Vec::new(),
            begun: Instant::now(),
            pass,
        };
        if let Err(why) = giving.all(askers) {
            tracing::debug!(pid = old.pid(), %why, "no more sessions come");
        }
        giving.tell(None);
    }
}

impl Giving<'_> {
    /// Asks for sessions and takes what comes, until the other side ends it.
    fn all(&mut self, askers: &[i32]) -> Result<(), ReceiveError> {
        socket::set_time_limits(self.connection, WORD)?;
        fault::at("new-moving");
        wire::send(self.connection, &Message::Move { askers: askers.to_vec() }, &[])?;
        loop {
            if !pidfd::readable(self.connection.as_fd(), SILENCE) {
                self.pass = None;
                if self.taker.desk.successor().is_some() {
                    return Ok(()); // whoever has taken over from us asks for the rest
                }
                continue;
            }
            match wire::receive(self.connection) {
                Ok(parcel) => match self.message(parcel)? {
                    Next::Go => {}
                    Next::Over => return Ok(()),
                },
                // This process has no room for more descriptors: those that came are closed again.
                Err(ReceiveError::Wire(WireError::Descriptors { .. })) => self.say(&Message::Refuse)?,
                Err(why) => return Err(why),
            }
        }
    }

    fn say(&self, message: &Message) -> io::Result<()> {
        wire::send(self.connection, message, &[])
    }

    fn message(&mut self, parcel: Parcel) -> Result<Next, ReceiveError> {
        match parcel.message {
            Message::Told(body) if body.is_empty() => (self.taker.count)(&std::mem::take(&mut self.lines)),
            Message::Told(body) => self.lines.extend(offer::read_lines(&body)?),
            Message::Entries(body) => (self.taker.entries)(&body),
            Message::Lanes { new, lanes } => {
                if new {
                    self.routes = Routes::default();
                }
                let yes = self.taker.sessions.add(&mut self.routes, &offer::read_lanes(&lanes)?, self.found);
                self.say(&Message::Accept(yes.into_iter().map(u8::from).collect()))?;
                fault::at("new-lanes");
            }
            Message::Offer(body) => {
                fault::at("new-offered");
                let stays = self.pass.as_ref().is_some_and(|pass| pass.stays.is_some());
                let expecting = if stays { None } else { self.taker.sessions.expect() };
                if !stays && expecting.is_none() {
                    self.say(&Message::Refuse)?; // this process may end at any moment
                    return Ok(Next::Go);
                }
                let (states, held) = offer::decode(&body)?;
                let checked = self.taker.sessions.check(&self.routes, states, parcel.descriptors, held);
                let arrivals = checked.map_err(|why| {
                    let line = format!("Sessions of process {} are not taken, they stay there: {why}.", self.old.pid());
                    self.taker.journal.event(None, Level::Warning, &line);
                    WireError::Number
                })?;
                self.arrive(arrivals)?;
            }
            Message::Finished { left } => {
                self.tell(Some(left));
                self.pass = None;
                if self.found && left == 0 {
                    return Ok(Next::Over);
                }
            }
            _ => return Err(WireError::Number.into()),
        }
        Ok(Next::Go)
    }

    /// Says that sessions came, and takes them when they are ours.
    fn arrive(&mut self, arrivals: Arrivals) -> Result<(), ReceiveError> {
        self.say(&Message::Taken { count: arrivals.count() as u32 })?;
        fault::at("new-taken");
        let word = self.released();
        fault::at("new-released");
        if word.is_ok() {
            self.pauses.extend(self.taker.sessions.take(arrivals));
        }
        word
    }

    /// Waits for RELEASE.
    fn released(&self) -> Result<(), ReceiveError> {
        let word = match wire::receive(self.connection) {
            Err(ReceiveError::System(why))
                if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                // From here on it cannot be sent any more. It may have been sent just now.
                socket::stop_receiving(self.connection)?;
                wire::receive(self.connection)
            }
            word => word,
        };
        match word {
            Ok(Parcel { message: Message::Release, .. }) => Ok(()),
            Err(ReceiveError::Closed) if self.old.wait(LAST_BREATH) => Ok(()), // it is dead, and nobody else has them
            Ok(_) => Err(WireError::Number.into()),
            Err(why) => Err(why),
        }
    }

    /// Says how many came since the last time.
    fn tell(&mut self, left: Option<u32>) {
        let mut pauses = std::mem::take(&mut self.pauses);
        pauses.sort_unstable();
        if let (taken @ 1.., Some(longest)) = (pauses.len(), pauses.last()) {
            let (pid, time, usual) = (self.old.pid(), self.begun.elapsed().as_millis(), pauses[(taken - 1) * 99 / 100]);
            let left = left.map_or(String::new(), |left| format!(", {left} connections stay there"));
            let pause = format!("99 % of them paused for {usual} ms at most, all for {longest} ms");
            (self.taker.came)(taken);
            let line = format!("{taken} sessions taken over from process {pid} in {time} ms ({pause}){left}.");
            self.taker.journal.event(None, Level::Notice, &line);
        }
    }
}

/// Whether there is more to come.
enum Next {
    Go,
    Over,
}
