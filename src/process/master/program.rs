//! Starts the programs of `program` sections. Source: configuration manual §3.7.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::ir::Program;
use crate::sys::signals;

/// Starts it with the environment that the configuration left; its pid. It is reaped by whoever reaps all children.
///
/// # Errors
/// ENOENT, EACCES of the command; EPERM of another user's rights.
pub(super) fn start(program: &Program, environment: &[(String, OsString)]) -> io::Result<i32> {
    let (name, arguments) = program.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(name);
    command.args(arguments).env_clear();
    command.envs(environment.iter().map(|(name, value)| (name, value))).env_remove(super::state::VARIABLE);
    if let Some(gid) = program.gid {
        command.gid(gid);
    }
    if let Some(uid) = program.uid {
        command.uid(uid);
    }
    signals::begin_unblocked(&mut command);
    let child = command.spawn()?;
    Ok(child.id().cast_signed())
}
