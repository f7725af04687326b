//! System calls as safe functions.
//!
//! All `unsafe` of the crate lives here, each block with its SAFETY comment. Knows nothing of proxies: numbers,
//! descriptors and paths only. One kind of thing per file: sockets, descriptor passing, processes, limits, pipes.

pub mod affinity;
pub mod channel;
mod clock;
pub mod destination;
pub mod fault;
pub mod fd;
pub mod file_lock;
pub mod fork;
pub mod getsocks;
pub mod identity;
pub mod image;
pub mod limits;
pub mod passing;
pub mod pidfd;
pub mod pipe;
pub mod proc;
pub mod signals;
pub mod silent;
pub mod socket;
pub mod tcp;

pub use clock::{local_offset, local_time, monotonic, monotonic_microseconds};
