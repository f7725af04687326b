//! The body of an answer: whole, or piece by piece as the client takes it.
//!
//! A long report never exists as a whole, and of a large one no piece is made on a serving thread.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::wire::Line;
use crate::pool::Report;

/// A body.
pub(super) enum Content {
    /// All of it is there; nothing is left once it is taken.
    Whole(Option<Bytes>),
    /// It is still being made.
    Report(Stream),
}

/// A body that is being made.
pub(super) struct Stream {
    line: Rc<Line>,
    next: Next,
    /// Whether pieces are made on a thread of their own.
    aside: bool,
}

enum Next {
    /// This comes next.
    Make(Report),
    /// A thread makes it.
    Made(JoinHandle<(Report, String, bool)>),
    /// Nothing more.
    End,
}

impl Content {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    pub(super) fn report(report: Report, line: Rc<Line>, aside: bool) -> Self {
        Self::Report(Stream { line, next: Next::Make(report), aside })
    }

    /// Its length; `None`: nobody knows it yet.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Report(_) => None,
        }
    }
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            let (report, piece, more) = match std::mem::replace(&mut self.next, Next::End) {
                Next::End => {
                    self.line.whole_length_is_known();
                    return Poll::Ready(Ok(None));
                }
                Next::Make(report) if self.aside => {
                    self.next = Next::Made(tokio::task::spawn_blocking(move || make(report)));
                    continue;
                }
                Next::Make(report) => make(report),
                Next::Made(mut thread) => match Pin::new(&mut thread).poll(cx) {
                    Poll::Pending => {
                        self.next = Next::Made(thread);
                        return Poll::Pending;
                    }
                    // It panicked: the client must not take what it has for the whole.
                    Poll::Ready(Err(why)) => return Poll::Ready(Err(io::Error::other(why))),
                    Poll::Ready(Ok(made)) => made,
                },
            };
            if more {
                self.next = Next::Make(report);
            }
            if !piece.is_empty() {
                return Poll::Ready(Ok(Some(piece.into())));
            }
        }
    }
}

/// The next piece, and whether there is more.
fn make(mut report: Report) -> (Report, String, bool) {
    let mut piece = String::new();
    let more = report.next(&mut piece);
    (report, piece, more)
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.get_mut() {
            Self::Whole(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Self::Report(stream) => ready!(stream.poll(cx)).transpose().map(|piece| piece.map(Frame::data)),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        self.length().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
