//! Pipes that the kernel moves bytes through without showing them, pooled per thread.
//!
//! A direction takes one after a few full reads in a row and gives it back, empty, when the flow gets thin. Knows no
//! session.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};

/// Bytes a pipe can hold at most: what an ordinary user may have.
const PIPE_SIZE: usize = 1024 * 1024;
/// Bytes it is filled with at first; twice as many after each fill that the receiver took whole. So a slow receiver
/// pins little memory, and a fast one makes few wake-ups.
const FIRST_FILL: usize = 128 * 1024;
/// A pipe below this is slower than copying: an ordinary user gets such ones when all its pipes together are too big.
const SMALLEST: usize = 64 * 1024;
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
    /// Bytes of the next fill at most.
    step: usize,
    _place: Place,
}

/// What all threads' pipes share.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    open: Arc<AtomicU32>,
    /// `maxpipes`; `None`: no limit but the system's.
    most: Option<u32>,
}

impl Budget {
    pub(super) fn new(most: Option<u32>) -> Self {
        Self { open: Arc::default(), most }
    }

    /// A place for a pipe that is there already.
    fn place_anyway(&self) -> Place {
        self.open.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(&self.open))
    }

    /// A place for one more pipe, if there is one.
    fn place(&self) -> Option<Place> {
        let place = Place(Arc::clone(&self.open));
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        self.most.is_none_or(|most| before < most).then_some(place) // a place that is dropped gives itself back
    }
}

/// A pipe's place in the budget, given back when dropped.
#[derive(Debug)]
struct Place(Arc<AtomicU32>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The empty pipes of a thread; boxed because a direction holds its pipe boxed.
#[derive(Debug)]
pub(super) struct Pipes {
    #[expect(clippy::vec_box, reason = "they come boxed from a direction and go boxed to one")]
    kept: Vec<Box<Pipe>>,
    allowed: bool,
    budget: Budget,
}

impl Pipes {
    pub(super) fn new(allowed: bool, budget: Budget) -> Self {
        Self { kept: Vec::new(), allowed, budget }
    }

    /// An empty pipe; `None` if splicing is off, or `maxpipes` or the system has none to give.
    pub(super) fn take(&mut self) -> Option<Box<Pipe>> {
        if !self.allowed {
            return None;
        }
        self.kept.pop().or_else(|| Pipe::new(self.budget.place()?).ok().map(Box::new))
    }

    /// Takes an empty pipe back.
    pub(super) fn give_back(&mut self, mut pipe: Box<Pipe>) {
        if pipe.held == 0 && self.kept.len() < KEPT {
            pipe.thin = 0;
            pipe.step = FIRST_FILL;
            self.kept.push(pipe);
        }
    }
}

impl Pipe {
    fn new(place: Place) -> Result<Self, Errno> {
        let (output, input) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        let size = match fcntl_setpipe_size(&input, PIPE_SIZE) {
            Ok(size) => size,
            Err(_) => fcntl_getpipe_size(&input)?,
        };
        if size < SMALLEST {
            return Err(Errno::NOBUFS);
        }
        Ok(Self { output, input, held: 0, thin: 0, size, step: FIRST_FILL.min(size), _place: place })
    }

    /// A pipe that another process has filled.
    ///
    /// # Errors
    /// They are no pipe.
    pub(super) fn resumed(output: OwnedFd, input: OwnedFd, budget: &Budget) -> Result<Self, Errno> {
        let held = usize::try_from(ioctl_fionread(&output)?).unwrap_or(usize::MAX);
        let size = fcntl_getpipe_size(&output)?;
        Ok(Self { output, input, held, thin: 0, size, step: FIRST_FILL.min(size), _place: budget.place_anyway() })
    }

    /// Both ends, for another process.
    pub(super) fn into_ends(self) -> [OwnedFd; 2] {
        [self.output, self.input]
    }

    /// Fills it, while it is empty, from a socket, with `most` bytes; 0: end of stream.
    pub(super) fn fill(&mut self, from: &OwnedFd, most: usize) -> Result<usize, Errno> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let moved = splice(from, None, &self.input, None, self.step.min(most), flags)?;
        self.held = moved;
        Ok(moved)
    }

    /// Empties it into a socket, as far as that takes it, of `most` bytes.
    pub(super) fn drain(&mut self, to: &OwnedFd, most: usize) -> Result<usize, Errno> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let wanted = self.held.min(most);
        let moved = splice(&self.output, None, to, None, wanted, flags)?;
        if moved == self.step {
            self.step = (self.step * 2).min(self.size);
        } else if moved < wanted {
            self.step = FIRST_FILL.min(self.size);
        }
        self.held -= moved;
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_the_limit_on_pipes_and_a_closed_one_makes_room() {
        let budget = Budget::new(Some(2));
        let (mut one, mut other) = (Pipes::new(true, budget.clone()), Pipes::new(true, budget));
        let first = one.take().expect("the first");
        let second = other.take().expect("the second");
        assert!(one.take().is_none() && other.take().is_none());
        one.give_back(first); // kept open for the next direction of its thread
        assert!(other.take().is_none());
        let _again = one.take().expect("the one that was kept");
        assert!(other.take().is_none());
        drop(second);
        assert!(one.take().is_some());
    }
}
