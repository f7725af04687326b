//! Numbers with a meaning: times, sizes, weights and addresses, each with its parser.
//!
//! A type here has a private field, a checked way in and a named way out.

mod tick;
mod time;
mod weight;

pub use tick::Tick;
pub use time::{Millis, TimeError};
pub use weight::Weight;
