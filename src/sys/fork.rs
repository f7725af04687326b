//! Becoming two processes, and a daemon.
//!
//! Source: fork(2), setsid(2), wait(2).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::unistd::ForkResult;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, WaitOptions};

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Fork {
    /// The old one, with a handle on the new one.
    Parent(Child),
    /// The new one.
    Child,
}

/// A process that this one has started.
#[derive(Debug)]
pub struct Child(Pid);

impl Child {
    /// Its number.
    pub fn pid(&self) -> i32 {
        self.0.as_raw_nonzero().get()
    }

    /// Waits for its end: its exit code, or `None` when a signal ended it.
    ///
    /// # Errors
    /// ECHILD when somebody else has waited for it.
    pub fn wait(&self) -> io::Result<Option<i32>> {
        let status = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(self.0), WaitOptions::empty()))?;
        Ok(status.and_then(|(_, status)| status.exit_status()))
    }
}

/// Forks. Only a process with a single thread may: the child of another would inherit locks that nobody frees.
///
/// # Errors
/// `Unsupported` when there is more than one thread; EAGAIN and ENOMEM of the system.
pub fn fork() -> io::Result<Fork> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: this process has one thread, this one (counted above; nobody else could start another), so the child
    // is a whole copy of it: no lock is held by a thread that it lacks, and it may do what it wants.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => {
            let pid = Pid::from_raw(child.as_raw()).ok_or(io::ErrorKind::InvalidData)?;
            Ok(Fork::Parent(Child(pid)))
        }
        ForkResult::Child => Ok(Fork::Child),
    }
}

/// Leaves the terminal's session: this process leads one of its own.
///
/// # Errors
/// EPERM when it leads a group already.
pub fn leave_session() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// A pipe on which a child tells its parent how it goes; closed on exec.
///
/// # Errors
/// EMFILE and ENFILE.
pub fn report_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?)
}

/// Writes one byte.
///
/// # Errors
/// EPIPE when the reader is gone.
pub fn write_byte(pipe: impl AsFd, byte: u8) -> io::Result<()> {
    rustix::io::retry_on_intr(|| rustix::io::write(&pipe, &[byte]))?;
    Ok(())
}

/// Reads one byte; `None` at the end of the stream.
///
/// # Errors
/// What the descriptor says.
pub fn read_byte(pipe: impl AsFd) -> io::Result<Option<u8>> {
    let mut byte = [0];
    let count = rustix::io::retry_on_intr(|| rustix::io::read(&pipe, &mut byte))?;
    Ok((count == 1).then_some(byte[0]))
}

/// Ends this process at once with that code: no destructor and no exit handler runs.
pub fn exit_now(code: i32) -> ! {
    signal_hook::low_level::exit(code)
}
