//! Processes that cannot be confused with another of the same number.
//!
//! Source: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

pub use rustix::process::Signal;

/// A handle on one process: it stays with it when the number is used again.
#[derive(Debug)]
pub struct PidFd {
    fd: OwnedFd,
    pid: i32,
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PidFd {
    /// A handle on the process of that number, or `None` when there is none.
    ///
    /// # Errors
    /// EMFILE, ENFILE and EINVAL for a number that is not positive.
    pub fn open(pid: i32) -> io::Result<Option<Self>> {
        if pid <= 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let number = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
            Ok(fd) => Ok(Some(Self { fd, pid })),
            Err(Errno::SRCH) => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// ESRCH when it is gone, EPERM.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.fd, signal)?)
    }

    /// Whether it has ended.
    pub fn ended(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits until it has ended, at most that long; whether it has.
    pub fn wait(&self, limit: Duration) -> bool {
        readable(self.fd.as_fd(), limit)
    }

    /// A copy of its descriptor number `number`. Needs the right to trace it.
    ///
    /// # Errors
    /// EPERM without that right, EBADF when it has no such descriptor, ESRCH when it is gone.
    pub fn descriptor(&self, number: i32) -> io::Result<OwnedFd> {
        Ok(rustix::process::pidfd_getfd(&self.fd, number, PidfdGetfdFlags::empty())?)
    }
}

/// Whether a descriptor becomes readable within that time.
pub fn readable(fd: BorrowedFd<'_>, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).ok();
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    matches!(rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, limit.as_ref())), Ok(1..))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_handle_outlives_its_process() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let handle = PidFd::open(child.id() as i32).unwrap().unwrap();
        assert!(!handle.ended());
        drop(child.stdin.take());
        assert!(handle.wait(Duration::from_secs(10)));
        child.wait().unwrap();
        assert_eq!(handle.signal(Signal::TERM).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        assert!(PidFd::open(handle.pid()).unwrap().is_none());
        assert!(PidFd::open(0).is_err() && PidFd::open(-1).is_err());
    }
}
