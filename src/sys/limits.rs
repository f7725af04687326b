//! Limits of this process.
//!
//! Source: getrlimit(2).

use std::io;

use rustix::process::{Resource, Rlimit};

/// A soft and a hard limit; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What holds.
    pub soft: Option<u64>,
    /// What the soft one may be raised to.
    pub hard: Option<u64>,
}

/// The limit on descriptors.
pub fn descriptors() -> Limit {
    let now = rustix::process::getrlimit(Resource::Nofile);
    Limit { soft: now.current, hard: now.maximum }
}

/// Sets the limit on descriptors.
///
/// # Errors
/// EPERM when the hard limit would grow and this process may not, or it is beyond the kernel's own.
pub fn set_descriptors(limit: Limit) -> io::Result<()> {
    Ok(rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.soft, maximum: limit.hard })?)
}

/// Lifts the limits on core files and on files at all, so that a crash leaves a core.
///
/// # Errors
/// EPERM when a hard limit is in the way.
pub fn lift_core_limits() -> io::Result<()> {
    let endless = || Rlimit { current: None, maximum: None };
    rustix::process::setrlimit(Resource::Core, endless())?;
    Ok(rustix::process::setrlimit(Resource::Fsize, endless())?)
}

/// Limits the address space in bytes: what `-m` asks for.
///
/// # Errors
/// EPERM above the hard limit.
pub fn set_memory(bytes: u64) -> io::Result<()> {
    Ok(rustix::process::setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: Some(bytes) })?)
}
