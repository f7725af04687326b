//! Signals that wait until they are read, and outlive an exec.
//!
//! A process that keeps its signals blocked loses none while it becomes another image of itself: the mask and what is
//! pending go along, and nothing dies of a signal whose handler is not there yet. Source: signalfd(2), execve(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals of a process, blocked and read one by one.
#[derive(Debug)]
pub struct Queue(SignalFd);

/// One signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// Its number.
    pub signal: i32,
    /// Who sent it; 0: the system, or a process that cannot be seen from here.
    pub sender: i32,
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Queue {
    /// Blocks these signals and has them read from here. What ignored them until now does so no more: an ignored signal is
    /// never queued.
    ///
    /// # Errors
    /// EINVAL for a number that is no signal, EMFILE.
    pub fn of(signals: &[i32]) -> io::Result<Self> {
        let signals = signals.iter().map(|number| Signal::try_from(*number)).collect::<Result<Vec<_>, _>>()?;
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        for signal in signals {
            // SAFETY: the default action is no handler: no code of ours runs in a signal's context.
            unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
        }
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next one that has come.
    pub fn next(&self) -> Option<Came> {
        let came = self.0.read_signal().ok()??;
        Some(Came { signal: i32::try_from(came.ssi_signo).ok()?, sender: i32::try_from(came.ssi_pid).unwrap_or(0) })
    }
}

/// Blocks no signal any more in this thread, and in those that it starts.
///
/// # Errors
/// None that is known.
pub fn unblock() -> io::Result<()> {
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
}

/// Has a program begin without blocked signals, whatever its parent blocks.
pub fn begin_unblocked(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec and makes one system call; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(unblock) };
}

/// What the system calls a signal: `Terminated`.
pub fn describe(signal: i32) -> &'static str {
    const NAMES: &[(i32, &str)] = &[
        (libc::SIGHUP, "Hangup"),
        (libc::SIGINT, "Interrupt"),
        (libc::SIGQUIT, "Quit"),
        (libc::SIGILL, "Illegal instruction"),
        (libc::SIGTRAP, "Trace/breakpoint trap"),
        (libc::SIGABRT, "Aborted"),
        (libc::SIGBUS, "Bus error"),
        (libc::SIGFPE, "Floating point exception"),
        (libc::SIGKILL, "Killed"),
        (libc::SIGUSR1, "User defined signal 1"),
        (libc::SIGSEGV, "Segmentation fault"),
        (libc::SIGUSR2, "User defined signal 2"),
        (libc::SIGPIPE, "Broken pipe"),
        (libc::SIGALRM, "Alarm clock"),
        (libc::SIGTERM, "Terminated"),
        (libc::SIGXCPU, "CPU time limit exceeded"),
        (libc::SIGSYS, "Bad system call"),
    ];
    NAMES.iter().find(|(number, _)| *number == signal).map_or("Unknown signal", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_signal_waits_to_be_read() {
        let queue = Queue::of(&[libc::SIGURG]).unwrap();
        assert_eq!(queue.next(), None);
        nix::sys::signal::raise(Signal::SIGURG).unwrap();
        let came = queue.next().unwrap();
        assert_eq!((came.signal, came.sender), (libc::SIGURG, std::process::id().cast_signed()));
        assert_eq!(queue.next(), None);
        unblock().unwrap();
        assert!(Queue::of(&[0]).is_err());
        assert_eq!((describe(15), describe(77)), ("Terminated", "Unknown signal"));
    }
}
