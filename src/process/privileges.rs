//! Giving up root directory, group and user before the first byte from outside.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::ir::{Config, Global};
use crate::plan::needs_root;
use crate::sys::identity::{self, BecomeError};
use crate::sys::limits;

/// Why rights cannot be given up; the start ends.
#[derive(Debug, Error)]
pub(crate) enum DropError {
    /// The root directory.
    #[error("cannot chroot to {}: {why}", path.display())]
    Root {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        why: io::Error,
    },
    /// Group or user.
    #[error("{0}: start as root, or leave 'user', 'group', 'uid' and 'gid' out")]
    Become(#[from] BecomeError),
    /// The user may not do what the configuration asks for.
    #[error("'usesrc' and 'source … interface' need root's rights: leave 'user' and 'uid' out")]
    NeedsRoot,
}

/// Looks whether rights can be given up, as far as that can be seen: before anything changes for an old process.
///
/// # Errors
/// [`DropError`] of the step that would fail.
pub(crate) fn possible(config: &Config) -> Result<(), DropError> {
    let to = &config.global.drop_to;
    if to.uid.is_some_and(|uid| uid != 0) && needs_root(config) {
        return Err(DropError::NeedsRoot);
    }
    if let Some((path, _)) = &to.chroot {
        let seen = std::fs::metadata(path).and_then(|seen| match seen.is_dir() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotADirectory.into()),
        });
        seen.map_err(|why| DropError::Root { path: path.clone(), why })?;
    }
    match to.uid.filter(|uid| *uid != 0 && *uid != identity::user() && identity::user() != 0) {
        Some(uid) => Err(BecomeError::User(uid).into()),
        None => Ok(()),
    }
}

/// Enters the root directory, then takes group and user. What is not asked for stays. The right to gain rights again is
/// given up too, but with `insecure-setuid-wanted`.
///
/// # Errors
/// [`DropError`] of the first step that the system refuses.
pub(crate) fn give_up(global: &Global) -> Result<(), DropError> {
    let to = &global.drop_to;
    if global.dumpable {
        // Only a wish: a hard limit may be in the way, and the core may be written elsewhere.
        let _ = limits::lift_core_limits();
    }
    if let Some((path, _)) = &to.chroot {
        identity::enter_root(path).map_err(|why| DropError::Root { path: path.clone(), why })?;
    }
    identity::become_user(to.uid.filter(|id| *id != 0), to.gid.filter(|id| *id != 0))?;
    if global.dumpable {
        let _ = identity::allow_core();
    }
    if !global.allow_setuid {
        // A kernel that does not know it (before 3.5) starts no program that gains less.
        let _ = identity::refuse_new_rights();
    }
    Ok(())
}
