//! A session with a peer, from its status to its end: reads, learns, tells, and says that it is alive.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

use super::hub::Hub;
use super::tell::Lesson;
use super::{learn, tell};
use crate::engine::clock;
use crate::engine::relay::{Socket, register};
use crate::units::peers::{Definition, Fault, fault};
use crate::units::{Millis, Tick};

/// Who says nothing for so long says that it is alive.
pub(super) const HEARTBEAT: Millis = Millis::seconds(3);
/// Who is not heard for so long is not.
const SILENCE: Millis = Millis::seconds(5);

/// A connection with what was read of it.
pub(super) struct Line {
    socket: Socket,
    /// Bytes that are no whole message yet.
    pub(super) input: Vec<u8>,
}

impl Line {
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let _ = sockopt::set_tcp_nodelay(&socket, true); // not of a unix socket
        Ok(Self::of(register(socket)?))
    }

    pub(super) fn of(socket: Socket) -> Self {
        Self { socket, input: Vec::new() }
    }

    /// Reads once; the end of what the peer says is an error.
    pub(super) async fn receive(&mut self, scratch: &RefCell<Vec<u8>>) -> io::Result<()> {
        loop {
            let mut ready = self.socket.readable().await?;
            let mut scratch = scratch.borrow_mut();
            match ready.try_io(|socket| Ok(recv(socket.get_ref(), &mut scratch[..], RecvFlags::empty())?)) {
                Ok(Ok((0, _))) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Ok((count, _))) => {
                    self.input.extend_from_slice(scratch.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Ok(Err(why)) => return Err(why),
                Err(_) => {} // not yet
            }
        }
    }

    /// Writes some of these bytes; how many.
    async fn send_some(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.socket.writable().await?;
            if let Ok(sent) = ready.try_io(|socket| Ok(send(socket.get_ref(), bytes, SendFlags::NOSIGNAL)?)) {
                return sent;
            }
        }
    }

    /// Writes all of them.
    pub(super) async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.send_some(bytes).await?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }
}

/// A session with a peer.
pub(super) struct Session {
    pub(super) hub: Rc<Hub>,
    /// The peer's place in the section.
    pub(super) peer: usize,
    number: u64,
    /// Minor version of the protocol.
    pub(super) minor: u8,
    /// The tables that the peer has defined, by its number: their places here, where they are the same.
    pub(super) defined: HashMap<u32, Option<(usize, Definition)>>,
    /// The peer's number of the table that its changes are of.
    pub(super) current: Option<u32>,
    /// What the peer is being taught.
    pub(super) lesson: Option<Lesson>,
    /// The session is there for this lesson alone.
    last: bool,
    /// Ends of lessons that are to be confirmed.
    pub(super) to_confirm: u32,
    /// The peer has confirmed that it was taught.
    pub(super) confirmed: bool,
    /// When something was last sent and received.
    pub(super) said_at: Tick,
    heard_at: Tick,
}

/// Why a session ends.
enum Over {
    /// The connection did, or the session has done what it is for.
    Closed,
    /// Nothing was heard of the peer.
    Silent,
    /// The peer said what nobody may say.
    Fault(Fault),
    /// Another one has taken its place.
    Replaced,
}

impl Session {
    pub(super) fn new(hub: &Rc<Hub>, peer: usize, number: u64, minor: u8) -> Self {
        let now = clock::now();
        Self {
            hub: Rc::clone(hub),
            peer,
            number,
            minor,
            defined: HashMap::new(),
            current: None,
            lesson: None,
            last: false,
            to_confirm: 0,
            confirmed: false,
            said_at: now,
            heard_at: now,
        }
    }

    /// It teaches at once, and ends when that was confirmed.
    pub(super) fn last_lesson(mut self) -> Self {
        (self.lesson, self.last) = (Some(Lesson::default()), true);
        self
    }

    fn silent_at(&self) -> Tick {
        self.heard_at.after(SILENCE)
    }
}

/// Has a session until it is over.
pub(super) async fn run(mut session: Session, mut line: Line) {
    let over = talk(&mut session, &mut line).await;
    if let Over::Fault(why) = over {
        let _ = tokio::time::timeout(Duration::from_secs(1), line.send(&fault(why))).await;
    }
    let Session { hub, peer, number, .. } = session;
    if let Some(state) = hub.lock().peers.get_mut(peer) {
        match over {
            Over::Silent => state.heartbeats_missed += 1,
            Over::Fault(_) => state.faults += 1,
            Over::Closed | Over::Replaced => {}
        }
    }
    hub.end(peer, number);
}

async fn talk(session: &mut Session, line: &mut Line) -> Over {
    let hub = Rc::clone(&session.hub);
    let mut bell = hub.subscribe();
    let (mut output, mut sent) = (Vec::new(), 0);
    // what came with the status is looked at first
    if let Err(why) = learn::take(session, &mut line.input, clock::now()) {
        return Over::Fault(why);
    }
    loop {
        let now = clock::now();
        if !hub.is_last(session.peer, session.number) {
            return Over::Replaced;
        }
        if now >= session.silent_at() {
            return Over::Silent;
        }
        if session.last && session.confirmed {
            return Over::Closed;
        }
        if output.is_empty() {
            bell.mark_unchanged();
            tell::fill(session, &mut output, now);
            sent = 0;
        }
        let rest = output.get(sent..).unwrap_or_default();
        let writes = !rest.is_empty();
        // what is still to be sent says that we are alive
        let heartbeat = if writes { session.silent_at() } else { session.said_at.after(HEARTBEAT) };
        let due = session.silent_at().min(heartbeat).since(now).max(1);
        let line_ref = &*line;
        let mut heard = None;
        tokio::select! {
            written = line_ref.send_some(rest), if writes => match written {
                Ok(count) => {
                    sent += count;
                    session.said_at = clock::now();
                    if sent >= output.len() {
                        output.clear();
                    }
                }
                Err(_) => return Over::Closed,
            },
            ready = line_ref.socket.readable() => match ready {
                Ok(mut ready) => {
                    let mut scratch = hub.scratch.borrow_mut();
                    match ready.try_io(|socket| Ok(recv(socket.get_ref(), &mut scratch[..], RecvFlags::empty())?)) {
                        Ok(Ok((0, _)) | Err(_)) => return Over::Closed,
                        Ok(Ok((count, _))) => heard = Some(count),
                        Err(_) => {} // not yet
                    }
                }
                Err(_) => return Over::Closed,
            },
            _ = bell.changed() => {}
            () = tokio::time::sleep(Duration::from_millis(due)) => {}
        }
        if let Some(count) = heard {
            session.heard_at = clock::now();
            line.input.extend_from_slice(hub.scratch.borrow().get(..count).unwrap_or_default());
            if let Err(why) = learn::take(session, &mut line.input, session.heard_at) {
                return Over::Fault(why);
            }
        }
    }
}
