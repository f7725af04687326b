//! Pipes and `splice`: bytes that move between two sockets without being seen.
//!
//! Source: pipe(7), splice(2).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, SpliceFlags};

/// Both ends of a pipe, non-blocking and closed on exec.
#[derive(Debug)]
pub struct Pipe {
    /// Where bytes come out.
    pub read: OwnedFd,
    /// Where bytes go in.
    pub write: OwnedFd,
}

impl Pipe {
    /// A new pipe. `size` in bytes is a wish: without the right to it the pipe keeps the system's size.
    ///
    /// # Errors
    /// EMFILE and ENFILE.
    pub fn new(size: Option<usize>) -> io::Result<Self> {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        if let Some(size) = size {
            let _ = rustix::pipe::fcntl_setpipe_size(&write, size); // EPERM above /proc/sys/fs/pipe-max-size
        }
        Ok(Self { read, write })
    }

    /// Its capacity in bytes.
    ///
    /// # Errors
    /// None that a live pipe gives.
    pub fn capacity(&self) -> io::Result<usize> {
        Ok(rustix::pipe::fcntl_getpipe_size(&self.write)?)
    }
}

/// Moves at most `len` bytes from one descriptor to another, one of which is a pipe; 0 is the end of the stream.
///
/// Never blocks on the pipe. `more` tells the receiving socket that the packet is not complete yet.
///
/// # Errors
/// `WouldBlock` when there is nothing to take or no room; otherwise what the socket says.
pub fn splice(from: impl AsFd, to: impl AsFd, len: usize, more: bool) -> io::Result<usize> {
    let mut flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    flags.set(SpliceFlags::MORE, more);
    Ok(rustix::pipe::splice(from, None, to, None, len, flags)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_pass_from_socket_to_socket() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let (out, mut end) = UnixStream::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let pipe = Pipe::new(Some(1 << 16)).unwrap();
        assert_eq!(pipe.capacity().unwrap(), 1 << 16);
        assert_eq!(splice(&far, &pipe.write, 100, false).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        near.write_all(b"hello").unwrap();
        assert_eq!(splice(&far, &pipe.write, 100, false).unwrap(), 5);
        assert_eq!(splice(&pipe.read, &out, 5, false).unwrap(), 5);
        let mut got = [0; 5];
        end.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello");
        drop(near);
        assert_eq!(splice(&far, &pipe.write, 100, false).unwrap(), 0, "the end of the stream");
    }
}
