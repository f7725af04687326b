//! Who this process is, and who is at the other end of a socket.
//!
//! Source: credentials(7), unix(7) "SO_PEERCRED".

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::unistd::{Gid, Uid};

/// The other end of a unix socket, as it was when it connected (or called `listen`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Process; 0 when it is in another pid namespace.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}

/// Who is at the other end.
///
/// # Errors
/// ENOTSOCK, ENOTCONN.
pub fn peer(socket: impl AsFd) -> io::Result<Peer> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let credentials = getsockopt(&socket, PeerCredentials)?;
    Ok(Peer { pid: credentials.pid(), uid: credentials.uid() })
}

/// The effective user of this process.
pub fn user() -> u32 {
    Uid::effective().as_raw()
}

/// The id of a user by name.
pub fn user_id(name: &str) -> Option<u32> {
    Some(nix::unistd::User::from_name(name).ok()??.uid.as_raw())
}

/// The id of a group by name.
pub fn group_id(name: &str) -> Option<u32> {
    Some(nix::unistd::Group::from_name(name).ok()??.gid.as_raw())
}

/// This host's name.
pub fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| "localhost".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Makes `path` the root directory and enters it.
///
/// # Errors
/// ENOENT, ENOTDIR, EPERM without CAP_SYS_CHROOT.
pub fn enter_root(path: &Path) -> io::Result<()> {
    nix::unistd::chroot(path)?;
    Ok(nix::unistd::chdir("/")?)
}

/// Which step of [`become_user`] failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BecomeError {
    /// The list of supplementary groups.
    #[error("supplementary groups cannot be dropped")]
    Groups,
    /// The group.
    #[error("group {0} cannot be taken")]
    Group(u32),
    /// The user.
    #[error("user {0} cannot be taken")]
    User(u32),
}

/// Takes the group, drops supplementary groups, takes the user: real, effective and saved. `None` leaves as it is.
/// The groups are dropped only by root, and only when a user or a group is taken.
///
/// # Errors
/// The step that the system refused.
pub fn become_user(uid: Option<u32>, gid: Option<u32>) -> Result<(), BecomeError> {
    if (uid.is_some() || gid.is_some()) && user() == 0 {
        let kept: Vec<Gid> = gid.map(Gid::from_raw).into_iter().collect();
        nix::unistd::setgroups(&kept).map_err(|_| BecomeError::Groups)?;
    }
    if let Some(gid) = gid {
        let id = Gid::from_raw(gid);
        nix::unistd::setresgid(id, id, id).map_err(|_| BecomeError::Group(gid))?;
    }
    if let Some(uid) = uid {
        let id = Uid::from_raw(uid);
        nix::unistd::setresuid(id, id, id).map_err(|_| BecomeError::User(uid))?;
    }
    Ok(())
}

/// From now on no program that this process starts gains rights by its set-user-id bit. There is no way back.
///
/// # Errors
/// EINVAL on a kernel before 3.5.
pub fn refuse_new_rights() -> io::Result<()> {
    Ok(nix::sys::prctl::set_no_new_privs()?)
}

/// Lets a crash leave a core although the user has changed.
///
/// # Errors
/// EINVAL.
pub fn allow_core() -> io::Result<()> {
    Ok(nix::sys::prctl::set_dumpable(true)?)
}

/// Name, release, version and machine of the running system, as `uname -srvm` prints them.
pub fn system() -> String {
    let Ok(name) = nix::sys::utsname::uname() else { return String::new() };
    [name.sysname(), name.release(), name.version(), name.machine()].map(|part| part.to_string_lossy()).join(" ")
}
