//! Numbers with a meaning: times, sizes, weights and addresses, each with its parser.
//!
//! A type here has a private field, a checked way in and a named way out.

pub mod address;
#[cfg(test)]
mod hostile_tests;
pub mod mqtt;
pub mod netscaler;
mod network;
mod number;
pub mod packet;
pub mod peers;
mod plain_ip;
pub mod proxy_header;
pub mod server_state;
mod size;
pub mod stats_file;
mod tick;
mod time;
mod weight;

pub use address::{AddressError, ParsedAddress};
pub use network::Network;
pub use number::{NumberError, parse_i64, parse_percent, parse_u32};
pub use plain_ip::PlainIp;
pub use size::{Size, SizeError};
pub use tick::Tick;
pub use time::{Millis, Seconds, TimeError};
pub use weight::Weight;
