//! Everything people and tools read: log lines, statistics, the page, runtime commands.
//!
//! Reads `pool` and `ir`; knows no runtime and no client. Entry points: [`Log`], [`Site`], [`Console`],
//! [`states`].
//! What it needs of the system is passed in ([`Surroundings`]).

mod commands;
mod journal;
mod page;
mod server_states;
mod states;
mod stats;

use crate::units::Tick;

pub use commands::{Console, Elder, Elders};
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

#[cfg(test)]
mod testing;
