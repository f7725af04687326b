//! The pidfile: opened while it can be, locked while a start is under way, written when the new process serves.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::patience;
use crate::sys::file_lock;

/// How long another start that uses the same file may be under way.
const PATIENCE: Duration = Duration::from_secs(60);
/// No pidfile is longer.
const LONGEST: u64 = 4096;
/// How often it is looked at again.
const PAUSE: Duration = Duration::from_millis(10);

/// A pidfile that can be written whatever rights and root are given up meanwhile.
#[derive(Debug)]
pub(crate) struct Pidfile {
    file: File,
}

/// Why there is none.
#[derive(Debug, Error)]
#[error("cannot create pidfile {}: {why}", path.display())]
pub(crate) struct PidfileError {
    /// Its path.
    path: PathBuf,
    /// What the system says.
    #[source]
    why: io::Error,
}

impl Pidfile {
    /// Opens it, with what it holds; creates it if need be.
    ///
    /// # Errors
    /// [`PidfileError`].
    pub(crate) fn open(path: &Path) -> Result<Self, PidfileError> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path);
        // A file that may be written only is enough.
        let opened = opened.or_else(|_| OpenOptions::new().write(true).open(path));
        opened.map(|file| Self { file }).map_err(|why| PidfileError { path: path.to_owned(), why })
    }

    /// Waits until no other start with this file is under way; `false`: one takes too long, and is not waited for.
    ///
    /// The lock goes with the descriptor into child processes and ends with the last of them. It needs the right to write:
    /// whoever may only read the file cannot hold reloads up.
    pub(crate) fn lock(&self) -> bool {
        let begun = Instant::now();
        while !file_lock::try_lock(&self.file) {
            if begun.elapsed() >= PATIENCE {
                return false;
            }
            patience::pause(PAUSE);
        }
        true
    }

    /// Puts the pid in the place of what the file holds, by one write: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// ENOSPC, EIO.
    pub(crate) fn write(&self, pid: i32) -> io::Result<()> {
        let mut text = format!("{pid}\n").into_bytes();
        let length = text.len() as u64;
        // What was longer is covered by line feeds until it is cut off: `$(cat pidfile)` never sees a mixture.
        let before = self.file.metadata()?.len().min(LONGEST);
        text.resize(text.len().max(usize::try_from(before).unwrap_or(0)), b'\n');
        let written = self.file.write_at(&text, 0)?;
        if written < text.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.file.set_len(length)
    }

    /// Lets the next start go on.
    pub(crate) fn unlock(&self) {
        file_lock::unlock(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        for (pid, want) in [(4_000_000, "4000000\n"), (7, "7\n"), (12, "12\n")] {
            let pidfile = Pidfile::open(&path).unwrap();
            assert!(pidfile.lock());
            pidfile.write(pid).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), want);
        }
        let missing = Pidfile::open(&folder.path().join("no/pid")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot create pidfile /"), "{missing}");
    }

    #[test]
    fn a_second_start_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let first = Pidfile::open(&path).unwrap();
        assert!(first.lock());
        let second = Pidfile::open(&path).unwrap();
        let waiting = std::thread::spawn(move || {
            assert!(second.lock());
            std::fs::read_to_string(&path).unwrap()
        });
        first.write(5).unwrap();
        first.unlock();
        assert_eq!(waiting.join().unwrap(), "5\n", "it goes on only when the first has written");
    }
}
