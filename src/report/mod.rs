//! Everything people and tools read: log lines, statistics, the page, runtime commands.
//!
//! Reads `pool` and `ir`; knows no runtime and no client. Entry points: [`Log`].
//! What it needs of the system is passed in ([`Surroundings`]).

mod journal;

pub use journal::{Log, OpenError, Surroundings};

#[cfg(test)]
mod testing;
