//! Moves bytes one way between two sockets: read, straight out again, and only what is not taken is kept.
//!
//! An idle direction owns no buffer. A read into a buffer larger than the message clears readiness, so a message
//! costs one read and one write and no `EAGAIN`. While anything is held, nothing is read: that is the back-pressure.
//! After a few full reads in a row bytes go through a pipe (`splice`). Knows no session, limit or log.

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::io::unix::AsyncFd;

use super::shard::{SCRATCH, Shard};
use super::splice::Pipe;

/// A socket that is registered with this thread's runtime.
pub(super) type Socket = AsyncFd<OwnedFd>;

/// Most bytes of a first read: what a slow peer can make us keep.
const FIRST_READ: usize = 16 * 1024;
/// Full reads in a row after which a direction is spliced.
const FULL_READS: u8 = 3;
/// A fill of the pipe below this is thin…
const THIN: usize = 16 * 1024;
/// …and after this many in a row the direction is read again.
const THIN_FILLS: u8 = 8;
/// Steps before the other sessions of the thread get their turn.
const STEPS: u32 = 16;

/// One direction of a session.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Bytes that the sender has sent.
    pub(super) bytes: u64,
    held: Held,
    full_reads: u8,
    /// Read once without asking whether there is anything: what was ready may have been cleared unread.
    pub(super) eager: bool,
    /// The sender has sent its FIN.
    pub(super) ended: bool,
    /// The receiver has been told.
    pub(super) told: bool,
}

/// What was read and not taken yet.
#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Bytes(Box<Aside>),
    Pipe(Box<Pipe>),
}

#[derive(Debug)]
struct Aside {
    bytes: Vec<u8>,
    done: usize,
}

/// Which end of a direction failed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Reading from the sender.
    Sender(Errno),
    /// Writing to the receiver.
    Receiver(Errno),
}

/// What one poll may do in a direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// The other direction is done, so an end of stream needs no FIN of its own.
    pub(super) last: bool,
    /// Bytes that may be passed on at most.
    pub(super) most: usize,
}

/// What moved in one poll.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moved {
    /// Anything was read (an end of stream counts).
    pub(super) read: bool,
    /// Anything was written.
    pub(super) written: bool,
}

impl Flow {
    /// Whether bytes wait for the receiver.
    pub(super) fn holds(&self) -> bool {
        match &self.held {
            Held::Nothing => false,
            Held::Bytes(_) => true,
            Held::Pipe(pipe) => pipe.held > 0,
        }
    }

    /// Whether the sender has ended and the receiver has everything.
    pub(super) fn is_done(&self) -> bool {
        self.ended && !self.holds()
    }

    /// Moves what can be moved now. Who has used up what it may pass on is polled again at once: its session says when it may
    /// pass on more. Nothing is done where nothing may be passed on.
    ///
    /// # Errors
    /// The first failure of either socket; what had moved before is in `moved`.
    pub(super) fn pump(
        &mut self,
        from: &Socket,
        to: &Socket,
        mut terms: Terms,
        cx: &mut Context<'_>,
        shard: &Shard,
        moved: &mut Moved,
    ) -> Result<(), Broken> {
        if terms.most == 0 {
            return Ok(());
        }
        let end = if terms.most == usize::MAX { u64::MAX } else { self.forwarded().saturating_add(terms.most as u64) };
        for _ in 0..STEPS {
            if end != u64::MAX {
                terms.most = self.until(end);
                if terms.most == 0 {
                    break;
                }
            }
            if self.holds() {
                match self.push_held(to, terms.most, cx, moved) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(done) => done.map_err(Broken::Receiver)?,
                }
                if end != u64::MAX {
                    continue;
                }
            }
            if self.ended {
                self.release_pipe(shard);
                if !self.told && !terms.last {
                    self.told = true;
                    // ENOTCONN: the receiver is gone already; its own direction will tell.
                    let _ = shutdown(to.get_ref(), Shutdown::Write);
                }
                return Ok(());
            }
            let Poll::Ready(step) = self.step(from, to, terms, cx, shard, moved) else { return Ok(()) };
            step?;
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Reads once, `most` bytes, without asking whether there is anything, for a receiver that is not there yet.
    ///
    /// # Errors
    /// The sender has reset its connection.
    pub(super) fn read_early(&mut self, from: &Socket, shard: &Shard, most: usize) -> Result<(), Errno> {
        let mut scratch = shard.scratch.borrow_mut();
        match recv(from.get_ref(), &mut scratch[..most.clamp(1, FIRST_READ)], RecvFlags::empty()) {
            Ok((0, _)) => self.ended = true,
            Ok((count, _)) => {
                self.bytes += count as u64;
                self.held = Held::Bytes(Box::new(Aside { bytes: scratch[..count].to_vec(), done: 0 }));
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    /// Reads once more, behind what is held, for whoever looks at it before the receiver gets it; pending if nothing is there.
    ///
    /// # Errors
    /// The sender has reset its connection.
    pub(super) fn read_more(
        &mut self,
        from: &Socket,
        cx: &mut Context<'_>,
        shard: &Shard,
        room: usize,
    ) -> Poll<Result<(), Errno>> {
        let mut scratch = shard.scratch.borrow_mut();
        let space = room.saturating_sub(self.held_bytes().len()).clamp(1, scratch.len());
        loop {
            let mut ready = match ready!(from.poll_read_ready(cx)) {
                Ok(ready) => ready,
                Err(_) => return Poll::Ready(Err(Errno::IO)),
            };
            match recv(from.get_ref(), &mut scratch[..space], RecvFlags::empty()) {
                Ok((0, _)) => self.ended = true,
                Ok((count, _)) => {
                    self.bytes += count as u64;
                    self.hold_more(&scratch[..count], room);
                    if count < space {
                        ready.clear_ready();
                    }
                }
                Err(Errno::AGAIN) => {
                    ready.clear_ready();
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(errno) => return Poll::Ready(Err(errno)),
            }
            return Poll::Ready(Ok(()));
        }
    }

    /// Keeps bytes behind those that are held. The room for them doubles, up to `room`: so a sender of single bytes costs no
    /// more than their number.
    fn hold_more(&mut self, bytes: &[u8], room: usize) {
        if let Held::Bytes(aside) = &mut self.held {
            let wanted = aside.bytes.len() + bytes.len();
            if wanted > aside.bytes.capacity() {
                let capacity = wanted.max((2 * aside.bytes.capacity()).min(room));
                aside.bytes.reserve_exact(capacity - aside.bytes.len());
            }
            aside.bytes.extend_from_slice(bytes);
        } else {
            self.held = Held::Bytes(Box::new(Aside { bytes: bytes.to_vec(), done: 0 }));
        }
    }

    /// Drops what is held and takes nothing more from the sender.
    pub(super) fn discard(&mut self) {
        self.held = Held::Nothing;
        self.ended = true;
    }

    /// The bytes that are held.
    pub(super) fn held_bytes(&self) -> &[u8] {
        match &self.held {
            Held::Bytes(aside) => &aside.bytes[aside.done..],
            Held::Nothing | Held::Pipe(_) => &[],
        }
    }

    /// Bytes of the sender that the receiver has got.
    pub(super) fn forwarded(&self) -> u64 {
        self.bytes.saturating_sub(self.all_held())
    }

    /// Bytes that are held: the sender's, and ours before them.
    fn all_held(&self) -> u64 {
        match &self.held {
            Held::Nothing => 0,
            Held::Bytes(aside) => (aside.bytes.len() - aside.done) as u64,
            Held::Pipe(pipe) => pipe.held as u64,
        }
    }

    /// Bytes that may be passed on until the receiver has `end` bytes of the sender: ours before them are free.
    fn until(&self, end: u64) -> usize {
        let ours = self.all_held().saturating_sub(self.bytes);
        end.saturating_sub(self.forwarded()).saturating_add(ours) as usize
    }

    /// Puts bytes of our own before what is held: they go out with it, and do not count as the sender's.
    pub(super) fn put_first(&mut self, mut bytes: Vec<u8>) {
        if let Held::Bytes(aside) = &self.held {
            bytes.extend_from_slice(&aside.bytes[aside.done..]);
        }
        self.held = Held::Bytes(Box::new(Aside { bytes, done: 0 }));
    }

    /// What is held: bytes, and whether they are in a pipe.
    pub(super) fn held(&self) -> (usize, bool) {
        match &self.held {
            Held::Nothing => (0, false),
            Held::Bytes(aside) => (aside.bytes.len() - aside.done, false),
            Held::Pipe(pipe) => (0, pipe.held > 0),
        }
    }

    /// Bytes that could be passed on: those that are held, and those that lie in the sender's socket.
    pub(super) fn waiting(&self, from: &Socket) -> u64 {
        self.bytes - self.forwarded() + ioctl_fionread(from.get_ref()).unwrap_or_default()
    }

    /// Takes out what is held: bytes, or a pipe that is not empty.
    pub(super) fn take_held(&mut self) -> (Vec<u8>, Option<Box<Pipe>>) {
        match std::mem::take(&mut self.held) {
            Held::Bytes(aside) => (aside.bytes[aside.done..].to_vec(), None),
            Held::Pipe(pipe) if pipe.held > 0 => (Vec::new(), Some(pipe)),
            Held::Nothing | Held::Pipe(_) => (Vec::new(), None),
        }
    }

    /// A direction that goes on where another process has left it.
    pub(super) fn resumed(bytes: u64, ended: bool, told: bool, held: Vec<u8>, pipe: Option<Box<Pipe>>) -> Self {
        let held = match pipe {
            Some(pipe) => Held::Pipe(pipe),
            None if held.is_empty() => Held::Nothing,
            None => Held::Bytes(Box::new(Aside { bytes: held, done: 0 })),
        };
        Self { bytes, held, ended, told, ..Self::default() }
    }

    /// Gives an empty pipe back to the thread.
    pub(super) fn release_pipe(&mut self, shard: &Shard) {
        if matches!(&self.held, Held::Pipe(pipe) if pipe.held == 0)
            && let Held::Pipe(pipe) = std::mem::take(&mut self.held)
        {
            shard.pipes.borrow_mut().give_back(pipe);
        }
    }

    fn step(
        &mut self,
        from: &Socket,
        to: &Socket,
        Terms { last, most }: Terms,
        cx: &mut Context<'_>,
        shard: &Shard,
        moved: &mut Moved,
    ) -> Poll<Result<(), Broken>> {
        let mut ready = match self.eager {
            true => None,
            false => match ready!(from.poll_read_ready(cx)) {
                Ok(ready) => Some(ready),
                Err(_) => return Poll::Ready(Err(Broken::Sender(Errno::IO))),
            },
        };
        self.eager = false;
        let closed = ready.as_ref().is_some_and(|ready| ready.ready().is_read_closed());
        let mut nothing_left = || {
            if let Some(ready) = &mut ready {
                ready.clear_ready();
            }
        };
        if let Held::Pipe(pipe) = &mut self.held {
            match pipe.fill(from.get_ref(), most) {
                Ok(0) => {
                    self.ended = true;
                    moved.read = true;
                }
                Ok(count) => {
                    moved.read = true;
                    self.bytes += count as u64;
                    pipe.thin = if count < THIN { pipe.thin + 1 } else { 0 };
                    let thin = pipe.thin > THIN_FILLS;
                    // The pipe was empty, so this is all there is to push.
                    match self.push_held(to, most, cx, moved) {
                        Poll::Ready(Err(errno)) => return Poll::Ready(Err(Broken::Receiver(errno))),
                        Poll::Ready(Ok(())) if thin => self.read_again(shard),
                        _ => {}
                    }
                }
                Err(Errno::AGAIN) => nothing_left(),
                Err(Errno::INTR) => {}
                // A socket that cannot be spliced (ENOSYS, EINVAL) is read.
                Err(Errno::INVAL | Errno::NOSYS) => self.read_again(shard),
                Err(errno) => return Poll::Ready(Err(Broken::Sender(errno))),
            }
            return Poll::Ready(Ok(()));
        }
        let mut scratch = shard.scratch.borrow_mut();
        let whole = if self.full_reads == 0 { FIRST_READ } else { SCRATCH };
        let limit = whole.min(most);
        match recv(from.get_ref(), &mut scratch[..limit], RecvFlags::empty()) {
            Ok((0, _)) => {
                self.ended = true;
                moved.read = true;
            }
            Ok((count, _)) => {
                moved.read = true;
                self.bytes += count as u64;
                if count < limit {
                    nothing_left();
                    self.full_reads = 0;
                } else if limit == whole {
                    self.full_reads = self.full_reads.saturating_add(1);
                }
                // Its last words: the FIN goes with them, in one packet.
                self.ended = closed && count < limit && at_end(from);
                let more = if self.ended && !last { SendFlags::MORE } else { SendFlags::empty() };
                if let Err(errno) = self.pass(&scratch[..count], to, more, moved) {
                    return Poll::Ready(Err(Broken::Receiver(errno)));
                }
                if self.full_reads >= FULL_READS
                    && matches!(self.held, Held::Nothing)
                    && let Some(pipe) = shard.pipes.borrow_mut().take()
                {
                    self.held = Held::Pipe(pipe);
                }
            }
            Err(Errno::AGAIN) => nothing_left(),
            Err(Errno::INTR) => {}
            Err(errno) => return Poll::Ready(Err(Broken::Sender(errno))),
        }
        Poll::Ready(Ok(()))
    }

    /// Writes `bytes`, and keeps what the receiver does not take. `more`: whether something follows at once.
    fn pass(&mut self, bytes: &[u8], to: &Socket, more: SendFlags, moved: &mut Moved) -> Result<(), Errno> {
        let taken = match send(to.get_ref(), bytes, SendFlags::NOSIGNAL | more) {
            Ok(taken) => taken,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(errno) => return Err(errno),
        };
        moved.written |= taken > 0;
        if taken < bytes.len() {
            self.held = Held::Bytes(Box::new(Aside { bytes: bytes[taken..].to_vec(), done: 0 }));
        }
        Ok(())
    }

    /// Writes what is held, `most` bytes; pending while the receiver does not take all of that.
    fn push_held(
        &mut self,
        to: &Socket,
        mut most: usize,
        cx: &mut Context<'_>,
        moved: &mut Moved,
    ) -> Poll<Result<(), Errno>> {
        loop {
            let sent = match &mut self.held {
                _ if most == 0 => return Poll::Ready(Ok(())),
                Held::Nothing => return Poll::Ready(Ok(())),
                Held::Pipe(pipe) if pipe.held == 0 => return Poll::Ready(Ok(())),
                Held::Pipe(pipe) => pipe.drain(to.get_ref(), most),
                Held::Bytes(aside) => {
                    let end = aside.bytes.len().min(aside.done.saturating_add(most));
                    let sent = send(to.get_ref(), &aside.bytes[aside.done..end], SendFlags::NOSIGNAL);
                    aside.done += sent.unwrap_or(0);
                    sent
                }
            };
            match sent {
                Ok(count) => {
                    most -= count.min(most);
                    moved.written |= count > 0;
                    if matches!(&self.held, Held::Bytes(aside) if aside.done == aside.bytes.len()) {
                        self.held = Held::Nothing;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => ready!(wait_writable(to, cx)),
                Err(errno) => return Poll::Ready(Err(errno)),
            }
        }
    }

    fn read_again(&mut self, shard: &Shard) {
        self.full_reads = 0;
        self.release_pipe(shard);
    }
}

/// Whether a sender that is known to have closed has nothing more to say. A reset behind its last words is an end like any
/// other, as with haproxy (docs/OBSERVED.md §8.5).
fn at_end(from: &Socket) -> bool {
    !matches!(recv(from.get_ref(), &mut [0], RecvFlags::PEEK), Ok((1, _)) | Err(Errno::AGAIN | Errno::INTR))
}

/// Pending until the system says that the socket has become writable since the last `EAGAIN`.
fn wait_writable(to: &Socket, cx: &mut Context<'_>) -> Poll<()> {
    // What is known from before the EAGAIN is stale: a new edge comes, if it did not come already.
    match ready!(to.poll_write_ready(cx)) {
        Ok(mut ready) => {
            if !ready.ready().is_write_closed() {
                ready.clear_ready();
            }
        }
        Err(_) => return Poll::Ready(()),
    }
    to.poll_write_ready(cx).map(|_| ())
}

/// Registers a socket with this thread's runtime.
///
/// # Errors
/// No memory for the registration, or the limit of watched descriptors is reached.
#[expect(
    deprecated,
    reason = "its successor is unsafe because a registered descriptor must not be replaced; `Socket` owns its own"
)]
pub(super) fn register(socket: OwnedFd) -> io::Result<Socket> {
    AsyncFd::new(socket)
}
