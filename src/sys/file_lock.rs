//! Locks on files that belong to an open file, not to a process: they survive a fork and end with the last descriptor.
//!
//! Only who may write the file can take one. Source: fcntl(2) "Open file description locks".

use std::fs::File;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// Takes the exclusive lock; `false` when somebody has it. A file system without locks is as good as free.
pub fn try_lock(file: &File) -> bool {
    !matches!(fcntl(file, FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK))), Err(Errno::EAGAIN | Errno::EACCES))
}

/// Gives the lock back, in all processes that share the open file.
pub fn unlock(file: &File) {
    let _ = fcntl(file, FcntlArg::F_OFD_SETLK(&whole(libc::F_UNLCK)));
}

fn whole(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}
