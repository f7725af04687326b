//! Becoming another program in the same process, and what goes along.
//!
//! Source: execve(2), memfd_create(2), wait(2), prctl(2).

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::MemfdFlags;
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, WaitOptions};

/// How a process ended, as a shell counts it: its exit code, or 128 and the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub pid: i32,
    /// 0 to 255.
    pub code: i32,
    /// The signal, if it died of one.
    pub signal: Option<i32>,
}

/// Takes the next child that has ended; `None` when there is none now.
pub fn reap() -> Option<Ended> {
    let (pid, status) = rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::NOHANG)).ok()??;
    let signal = status.terminating_signal();
    let code = status.exit_status().or(signal.map(|signal| 128 + signal))?;
    Some(Ended { pid: pid.as_raw_nonzero().get(), code, signal })
}

/// This process gets SIGTERM when the thread that forked it ends. To be called after rights were given up: they clear it.
///
/// # Errors
/// `NotConnected`: `parent` is not the parent, or no more.
pub fn die_with(parent: i32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    match rustix::process::getppid().map(Pid::as_raw_nonzero) {
        Some(pid) if pid.get() == parent => Ok(()),
        _ => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// Bytes in a file without a name, read from its beginning by whoever gets the descriptor.
///
/// # Errors
/// EMFILE, ENOMEM.
pub fn note(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("note", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// All that such a file holds.
///
/// # Errors
/// What the descriptor says.
pub fn read_note(fd: OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(fd).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a descriptor stays open over an exec.
///
/// # Errors
/// None that an open descriptor gives.
pub fn keep_over_exec(fd: impl AsFd, keep: bool) -> io::Result<()> {
    Ok(rustix::io::fcntl_setfd(fd, if keep { FdFlags::empty() } else { FdFlags::CLOEXEC })?)
}

/// Becomes the program in `path`: same process, same children, blocked signals stay blocked. Returns only why not.
pub fn become_program(path: &Path, args: &[OsString], env: Vec<(OsString, OsString)>) -> io::Error {
    let c = |text: OsString| CString::new(text.into_vec());
    let env = env.into_iter().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        c(name)
    });
    let all = || -> Result<_, std::ffi::NulError> {
        let path = c(path.as_os_str().to_owned())?;
        let args = args.iter().cloned().map(c).collect::<Result<Vec<_>, _>>()?;
        Ok((path, args, env.collect::<Result<Vec<_>, _>>()?))
    };
    match all() {
        Ok((path, args, env)) => match nix::unistd::execve(&path, &args, &env) {
            Err(why) => why.into(),
            Ok(never) => match never {},
        },
        Err(_) => io::ErrorKind::InvalidInput.into(),
    }
}

/// Gives memory that was freed back to the system, where the allocator keeps it.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only looks at the allocator's own lists, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_by_whoever_has_it() {
        let fd = note(b"abc").unwrap();
        keep_over_exec(&fd, true).unwrap();
        assert!(!rustix::io::fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));
        assert_eq!(read_note(fd).unwrap(), b"abc");
        let why = become_program(Path::new("/nonexistent/program"), &["x".into()], Vec::new());
        assert_eq!(why.kind(), io::ErrorKind::NotFound);
    }
}
