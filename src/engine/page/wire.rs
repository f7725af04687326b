//! A connection as hyper sees it, and what is remembered of it for limits, counters and the log.
//!
//! hyper answers what it cannot parse by itself; those answers are held back here, because haproxy's have a body,
//! configured error files and a log line. Knows no page.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use rustix::io::Errno;

use super::super::clock;
use super::super::relay::Socket;
use crate::pool::HttpRecord;
use crate::units::Tick;

/// Bytes read at once.
const PIECE: usize = 4096;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits for a request, or reads its head.
    Head,
    /// It reads a request's body.
    Body,
    /// It sends an answer.
    Answer,
}

/// One connection.
pub(super) struct Line {
    pub(super) socket: Socket,
    /// When it was accepted.
    pub(super) accepted: Tick,
    pub(super) stage: Cell<Stage>,
    /// When a byte was last moved.
    pub(super) last: Cell<Tick>,
    /// When the first byte of the present request came.
    pub(super) begun: Cell<Option<Tick>>,
    /// Requests that were understood.
    pub(super) requests: Cell<u32>,
    /// Bytes of the present request and its answer.
    pub(super) received: Cell<u64>,
    pub(super) sent: Cell<u64>,
    /// The record of the answer that is being sent, and the length of its body (the largest number: not known yet).
    pub(super) due: RefCell<Option<(HttpRecord, u64)>>,
    /// Told when an answer is sent whole.
    done: RefCell<Box<dyn FnMut(HttpRecord)>>,
}

impl Line {
    pub(super) fn new(socket: Socket, accepted: Tick) -> Rc<Self> {
        Rc::new(Self {
            socket,
            accepted,
            stage: Cell::new(Stage::Head),
            last: Cell::new(accepted),
            begun: Cell::new(None),
            requests: Cell::new(0),
            received: Cell::new(0),
            sent: Cell::new(0),
            due: RefCell::new(None),
            done: RefCell::new(Box::new(|_| {})),
        })
    }

    /// Sets who is told when an answer is sent whole.
    pub(super) fn on_done(&self, done: impl FnMut(HttpRecord) + 'static) {
        *self.done.borrow_mut() = Box::new(done);
    }

    /// The record of an answer that was on its way, completed by what was sent of it.
    pub(super) fn take_due(&self) -> Option<HttpRecord> {
        let (mut record, _) = self.due.borrow_mut().take()?;
        record.session.bytes_in = self.received.replace(0);
        record.session.bytes_out = self.sent.replace(0);
        let begun = self.begun.take().unwrap_or(self.accepted);
        record.session.timers.total = clock::now().since(begun) as u32;
        self.stage.set(Stage::Head);
        Some(record)
    }

    /// Whether no byte of a next request has come.
    pub(super) fn is_idle(&self) -> bool {
        self.stage.get() == Stage::Head && self.begun.get().is_none()
    }

    /// All of the answer has been made: it is sent when what was made is sent.
    pub(super) fn whole_length_is_known(&self) {
        if let Some((_, body)) = self.due.borrow_mut().as_mut() {
            *body = 0;
        }
    }

    fn settle(&self) {
        let whole = self.due.borrow().as_ref().is_some_and(|(_, body)| self.sent.get() > *body);
        if whole && let Some(record) = self.take_due() {
            (self.done.borrow_mut())(record);
        }
    }
}

/// hyper's side of a connection.
pub(super) struct Wire(pub(super) Rc<Line>);

impl Read for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let line = &self.0;
        let mut piece = [0; PIECE];
        let room = buf.remaining().min(PIECE);
        loop {
            let mut guard = ready!(line.socket.poll_read_ready(cx))?;
            match rustix::io::read(line.socket.get_ref(), &mut piece[..room]) {
                Ok(count) => {
                    if count > 0 {
                        let now = clock::now();
                        line.last.set(now);
                        if line.begun.get().is_none() {
                            line.begun.set(Some(now));
                        }
                        line.received.set(line.received.get() + count as u64);
                        buf.put_slice(&piece[..count]);
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(Errno::INTR) => {}
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = &self.0;
        if line.stage.get() == Stage::Head {
            return Poll::Ready(Ok(bytes.len())); // hyper's own answer to what it did not understand
        }
        loop {
            let mut guard = ready!(line.socket.poll_write_ready(cx))?;
            match rustix::net::send(line.socket.get_ref(), bytes, rustix::net::SendFlags::NOSIGNAL) {
                Ok(count) => {
                    line.last.set(clock::now());
                    line.sent.set(line.sent.get() + count as u64);
                    return Poll::Ready(Ok(count));
                }
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(Errno::INTR) => {}
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.settle();
        Poll::Ready(Ok(()))
    }

    /// Nothing: the connection ends when its owner has said everything.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.settle();
        Poll::Ready(Ok(()))
    }
}
