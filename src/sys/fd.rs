//! Descriptors that this process was started with, and its standard ones.
//!
//! Source: fcntl(2), proc(5) "fd".

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::FdFlags;

/// The descriptors above 2 that this process was started with and nobody has taken yet.
#[derive(Debug)]
pub struct Inherited {
    left: Mutex<Vec<RawFd>>,
    /// Whether what is taken is a copy, and the descriptor stays for the next image of this process.
    lasting: AtomicBool,
}

impl Inherited {
    /// Lists them. To be called once, first thing in `main`, before anything is opened.
    pub fn at_start() -> Self {
        let mut found = Vec::new();
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            found.extend(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok()));
        }
        // The directory's own descriptor was among them and is closed now.
        found.retain(|fd| *fd > 2 && is_open(*fd));
        Self { left: Mutex::new(found), lasting: AtomicBool::new(false) }
    }

    /// Takes one; `None` when it was not inherited or was taken already.
    pub fn take(&self, number: RawFd) -> Option<OwnedFd> {
        if self.lasting.load(Ordering::Relaxed) {
            let left = self.left.lock().unwrap_or_else(|broken| broken.into_inner());
            return if left.contains(&number) { copy(number) } else { None };
        }
        let mut left = self.left.lock().unwrap_or_else(|broken| broken.into_inner());
        let at = left.iter().position(|fd| *fd == number)?;
        left.swap_remove(at);
        // SAFETY: the descriptor was open when the process began, nothing in it owns it, and it is given out only
        // once: its number has just left the list.
        let owned = unsafe { OwnedFd::from_raw_fd(number) };
        let _ = rustix::io::fcntl_setfd(&owned, FdFlags::CLOEXEC);
        Some(owned)
    }

    /// From now on [`Inherited::take`] gives copies, any number of them, and the descriptors themselves stay as they are.
    pub fn make_lasting(&self) {
        self.lasting.store(true, Ordering::Relaxed);
    }

    /// Closes all that are left and not in `keep`.
    pub fn close_but(&self, keep: &[RawFd]) {
        let all: Vec<RawFd> = self.left.lock().unwrap_or_else(|broken| broken.into_inner()).clone();
        for number in all.into_iter().filter(|fd| !keep.contains(fd)) {
            drop(self.take(number));
        }
    }
}

/// A copy of an open descriptor by its number, closed on exec; `None` when nothing is open there.
pub fn copy(number: RawFd) -> Option<OwnedFd> {
    if !is_open(number) {
        return None;
    }
    // SAFETY: it is open (checked above) and borrowed for the one call that copies it; were it closed by another
    // thread in between, the call would answer EBADF or copy another descriptor, and touch no memory.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, 3).ok()
}

fn is_open(number: RawFd) -> bool {
    std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok()
}

/// Opens what is missing of the descriptors 0, 1 and 2 as /dev/null, so that no socket ever gets their numbers.
///
/// # Errors
/// When /dev/null cannot be opened.
pub fn fill_standard() -> io::Result<()> {
    loop {
        let file: File = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        if file.as_raw_fd() > 2 {
            return Ok(());
        }
        std::mem::forget(file); // it stays open as a standard descriptor for the life of the process
    }
}

/// /dev/null, opened: before `chroot`, for [`silence_standard`] after it.
///
/// # Errors
/// When it cannot be opened.
pub fn null() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}

/// Puts `null` in the place of the descriptors 0, 1 and 2.
///
/// # Errors
/// EBUSY, EINTR.
pub fn silence_standard(null: &File) -> io::Result<()> {
    nix::unistd::dup2_stdin(null)?;
    nix::unistd::dup2_stdout(null)?;
    Ok(nix::unistd::dup2_stderr(null)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inherited_descriptor_is_given_out_once() {
        let file = OwnedFd::from(null().unwrap());
        let number = file.as_raw_fd();
        let inherited = Inherited { left: Mutex::new(vec![number]), lasting: AtomicBool::new(false) };
        std::mem::forget(file); // as the parent of a process leaves it
        let taken = inherited.take(number).unwrap();
        assert_eq!(taken.as_raw_fd(), number);
        assert!(inherited.take(number).is_none());
        assert!(copy(number).is_some());
        assert!(copy(1 << 20).is_none());
    }
}
