//! Which processors a thread may run on.
//!
//! Source: sched_setaffinity(2).

use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

/// Binds the calling thread, and those that it starts, to these processors.
///
/// # Errors
/// EINVAL when none of them exists or may be used.
pub fn bind_thread(processors: &[u16]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for processor in processors.iter().map(|number| usize::from(*number)).filter(|number| *number < CpuSet::MAX_CPU) {
        set.set(processor);
    }
    Ok(sched_setaffinity(None, &set)?)
}
