//! Pipes that the kernel moves bytes through without showing them, pooled per thread.
//!
//! A direction takes one after a few full reads in a row and gives it back, empty, when the flow gets thin. Knows no
//! session.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// Bytes a pipe holds: enough for the kernel to work in large steps, little enough for a slow peer.
const PIPE_SIZE: usize = 256 * 1024;
/// Empty pipes kept for the next direction that needs one.
const KEPT: usize = 32;

/// A pipe and what is in it.
#[derive(Debug)]
pub(super) struct Pipe {
    output: OwnedFd,
    input: OwnedFd,
    /// Bytes in it.
    pub(super) held: usize,
    /// Small fills in a row.
    pub(super) thin: u8,
    size: usize,
}

/// The empty pipes of a thread.
#[derive(Debug)]
pub(super) struct Pipes {
    kept: Vec<Box<Pipe>>,
    allowed: bool,
}

impl Pipes {
    pub(super) fn new(allowed: bool) -> Self {
        Self { kept: Vec::new(), allowed }
    }

    /// An empty pipe; `None` if splicing is off or the system has none to give.
    pub(super) fn take(&mut self) -> Option<Box<Pipe>> {
        if !self.allowed {
            return None;
        }
        self.kept.pop().or_else(|| Pipe::new().ok().map(Box::new))
    }

    /// Takes an empty pipe back.
    pub(super) fn give_back(&mut self, mut pipe: Box<Pipe>) {
        if pipe.held == 0 && self.kept.len() < KEPT {
            pipe.thin = 0;
            self.kept.push(pipe);
        }
    }
}

impl Pipe {
    fn new() -> Result<Self, Errno> {
        let (output, input) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        // An ordinary user above pipe-user-pages-soft keeps the system's size: it works, in smaller steps.
        let size = fcntl_setpipe_size(&input, PIPE_SIZE).unwrap_or(64 * 1024);
        Ok(Self { output, input, held: 0, thin: 0, size })
    }

    /// Fills it from a socket; 0: end of stream.
    pub(super) fn fill(&mut self, from: &OwnedFd) -> Result<usize, Errno> {
        let room = self.size.saturating_sub(self.held);
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let moved = splice(from, None, &self.input, None, room, flags)?;
        self.held += moved;
        Ok(moved)
    }

    /// Empties it into a socket, as far as that takes it.
    pub(super) fn drain(&mut self, to: &OwnedFd) -> Result<usize, Errno> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let moved = splice(&self.output, None, to, None, self.held, flags)?;
        self.held -= moved;
        Ok(moved)
    }
}
