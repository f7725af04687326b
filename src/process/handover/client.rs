//! The new process's side: asks an old one for its sockets, and tells it when they are served.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::offer;
use super::wire::{self, Message, ReceiveError, WireError};
use crate::sys::pidfd::PidFd;
use crate::sys::{identity, socket};

/// How long an old process may take for a word of the protocol.
const WORD: Duration = Duration::from_secs(3);
/// How long other newcomers may be before us.
const PATIENCE: Duration = Duration::from_secs(90);
/// Successors that are followed from the process that was named.
const HOPS: usize = 64;

/// Takes entries of stick tables, a body at a time; an empty one says that all have come.
pub(crate) type Take = dyn Fn(&[u8]) + Send + Sync;

/// An old process that has given its sockets and waits to hear that they are served.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// The old process.
    pub(crate) old: PidFd,
    /// What we talk over.
    pub(crate) connection: OwnedFd,
    /// The version of the protocol that it speaks.
    pub(crate) version: u16,
}

/// What an old process answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Its sockets.
    Sockets(Conversation, Vec<OwnedFd>),
    /// Another one serves already.
    GoTo(i32),
}

/// Why an old process gave nothing.
#[derive(Debug, Error)]
pub(crate) enum AskError {
    /// It has ended.
    #[error("there is no such process")]
    Gone,
    /// It has no handover socket: it is no baton.
    #[error("it has no handover socket")]
    NoDoor,
    /// Somebody else has bound its name.
    #[error("process {pid} of user {uid} answers in its name: not trusted")]
    Impostor {
        /// Who.
        pid: i32,
        /// Whose.
        uid: u32,
    },
    /// The words that came back.
    #[error(transparent)]
    Talk(#[from] ReceiveError),
    /// It runs as another user who is not root.
    #[error("it belongs to user {0}, which is neither root nor ours: not trusted")]
    OtherUser(u32),
    /// We talk to it already: it would keep us waiting for ourselves.
    #[error("process {0} has given its sockets already")]
    Known(i32),
    /// It is still busy with others.
    #[error("other newcomers keep it busy")]
    Busy,
}

impl From<io::Error> for AskError {
    fn from(why: io::Error) -> Self {
        Self::Talk(why.into())
    }
}

/// Asks the process of that pid for its sockets.
///
/// # Errors
/// [`AskError`].
pub(crate) fn ask(pid: i32) -> Result<Answer, AskError> {
    let old = PidFd::open(pid)?.ok_or(AskError::Gone)?;
    let connection = visit(&old)?;
    talk(old, connection)
}

/// Connects to the handover socket of a process, and makes sure that it is its own.
///
/// # Errors
/// [`AskError`].
pub(super) fn visit(old: &PidFd) -> Result<OwnedFd, AskError> {
    let pid = old.pid();
    let name = format!("{}{pid}", super::prefix()?);
    let connection = socket::connect_abstract(name.as_bytes()).map_err(|why| match why.kind() {
        io::ErrorKind::ConnectionRefused => AskError::NoDoor,
        _ => why.into(),
    })?;
    let peer = identity::peer(&connection)?;
    if peer.pid != pid {
        return Err(AskError::Impostor { pid: peer.pid, uid: peer.uid });
    }
    if peer.uid != 0 && peer.uid != identity::user() {
        return Err(AskError::OtherUser(peer.uid));
    }
    if old.ended() {
        return Err(AskError::Gone); // the pid may be another's by now
    }
    Ok(connection)
}

/// The conversation up to the last socket.
pub(super) fn talk(old: PidFd, connection: OwnedFd) -> Result<Answer, AskError> {
    socket::set_time_limits(&connection, WORD)?;
    wire::send(&connection, &Message::Hello, &[])?;
    let begun = Instant::now();
    let (expected, version) = loop {
        let parcel = wire::receive(&connection)?;
        match parcel.message {
            Message::Wait if begun.elapsed() < PATIENCE => {}
            Message::Wait => return Err(AskError::Busy),
            Message::GoTo { pid } => return Ok(Answer::GoTo(pid)),
            Message::Welcome { sockets, .. } => break (sockets as usize, parcel.version),
            _ => return Err(ReceiveError::Wire(WireError::Number).into()),
        }
    };
    let mut sockets = Vec::new();
    while sockets.len() < expected {
        let parcel = wire::receive(&connection)?;
        let came = parcel.descriptors.len();
        match parcel.message {
            Message::Sockets { count } if count as usize == came && came > 0 && came <= expected - sockets.len() => {}
            _ => return Err(ReceiveError::Wire(WireError::Descriptors { said: expected, got: came }).into()),
        }
        sockets.extend(parcel.descriptors);
        wire::send(&connection, &Message::Taken { count: sockets.len() as u32 }, &[])?;
    }
    Ok(Answer::Sockets(Conversation { old, connection, version }, sockets))
}

/// Asks the process of that pid, or whoever has taken over from it, and so on; but none of `known`, which we talk to.
///
/// # Errors
/// [`AskError`] of the last one asked.
pub(crate) fn ask_successors(pid: i32, known: &[Conversation]) -> Result<(Conversation, Vec<OwnedFd>), AskError> {
    let mut next = pid;
    for _ in 0..HOPS {
        if known.iter().any(|known| known.old.pid() == next) {
            return Err(AskError::Known(next));
        }
        match ask(next)? {
            Answer::Sockets(conversation, sockets) => return Ok((conversation, sockets)),
            Answer::GoTo(pid) => next = pid,
        }
    }
    Err(AskError::Busy)
}

impl Conversation {
    /// Whether states and sessions can move: it speaks our version.
    pub(crate) fn speaks_of_sessions(&self) -> bool {
        self.version == wire::VERSION
    }

    /// What the old process knows of its servers and proxies; nothing if it speaks another version.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub(crate) fn states(&self) -> Result<Vec<String>, ReceiveError> {
        let mut lines = Vec::new();
        if !self.speaks_of_sessions() {
            return Ok(lines);
        }
        wire::send(&self.connection, &Message::Tell, &[])?;
        loop {
            match wire::receive(&self.connection)?.message {
                Message::Told(body) if body.is_empty() => return Ok(lines),
                Message::Told(body) => lines.extend(offer::read_lines(&body)?),
                _ => return Err(WireError::Number.into()),
            }
        }
    }

    /// The entries of its stick tables, a body at a time, the last one empty; nothing if it speaks another version.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub(crate) fn entries(&self, take: &Take) -> Result<(), ReceiveError> {
        if !self.speaks_of_sessions() {
            return Ok(());
        }
        wire::send(&self.connection, &Message::TellEntries, &[])?;
        loop {
            match wire::receive(&self.connection)?.message {
                Message::Entries(body) => {
                    take(&body);
                    if body.is_empty() {
                        return Ok(());
                    }
                }
                _ => return Err(WireError::Number.into()),
            }
        }
    }

    /// Tells the old process that `serving` accepts on its sockets, and waits until it has noted it. It finishes its
    /// sessions then, or ends `at_once`.
    ///
    /// # Errors
    /// [`ReceiveError`]: it has ended, or given up on us. The sockets are ours all the same.
    pub(crate) fn ready(&self, serving: i32, at_once: bool) -> Result<(), ReceiveError> {
        wire::send(&self.connection, &Message::Ready { pid: serving, at_once }, &[])?;
        match wire::receive(&self.connection)?.message {
            Message::Noted => Ok(()),
            _ => Err(WireError::Number.into()),
        }
    }
}
