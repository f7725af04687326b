//! What the integration tests share: both programs, free addresses, processes that end with their test, tiny
//! clients and servers, log receivers and waiting for conditions.
//!
//! Knows haproxy's command line and the Debian programs around it; knows nothing of baton's library, so every
//! test that uses it holds for the original too (`BATON_UNDER_TEST=ours|theirs`). Nothing here sleeps as a way to
//! synchronise: [`wait::until`] polls a condition and fails with its name.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

pub mod backends;
pub mod checked;
pub mod client;
pub mod crowd;
pub mod daemon;
pub mod diagnosis;
pub mod dns;
pub mod logs;
pub mod master;
pub mod mqtt;
pub mod network;
pub mod pinned;
pub mod ports;
pub mod process;
pub mod program;
pub mod proxy;
pub mod services;
pub mod site;
pub mod sockets;
pub mod stats;
pub mod storm;
pub mod talkers;
pub mod throwaway;
pub mod tls;
pub mod tracer;
pub mod wait;
pub mod yard;
