//! Everything people and tools read: log lines, statistics, the page, runtime commands.
//!
//! Reads `pool` and `ir`; knows no runtime and no client. Entry points: [`Log`], [`Site`], [`Console`],
//! [`states`].
//! What it needs of the system is passed in ([`Surroundings`]).

mod commands;
mod figures;
mod journal;
mod page;
mod prometheus;
mod server_states;
mod states;
mod stats;

use std::sync::Arc;

use crate::units::Tick;

pub use commands::{Console, Elder, Elders};
pub use figures::Memory;
pub use journal::{Log, OpenError, Ring, Surroundings};
pub use page::Site;
pub use states::states;

/// Who the process is, and its clock: what the page and the commands show of it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Version as tools compare it: `3.4.0-baton0.1.0`.
    pub version: String,
    /// Date of the version: `2026/11/22`.
    pub released: String,
    /// The host's name, for `node` and the page.
    pub hostname: String,
    /// The moment it is: the engine's clock.
    pub clock: fn() -> Tick,
}

/// What commands show of the process besides its state.
pub struct Background {
    /// Environment variables as the configuration saw them, by name.
    pub environment: Arc<Vec<(String, Vec<u8>)>>,
    /// What the start said on standard error so far; it ends with a line feed unless it is empty.
    pub startup: Box<dyn Fn() -> String + Send + Sync>,
    /// The rings that hold messages.
    pub rings: Vec<Arc<Ring>>,
    /// Seconds that local time is ahead of UTC at a moment: `sys::local_offset`.
    pub local_offset: fn(i64) -> i32,
}

impl Default for Background {
    /// Nothing is known, and it is UTC.
    fn default() -> Self {
        Self { environment: Arc::default(), startup: Box::new(String::new), rings: Vec::new(), local_offset: |_| 0 }
    }
}

#[cfg(test)]
mod testing;
