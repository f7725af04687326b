//! The PROXY protocol on both programs: which headers are taken, what is forwarded, what is logged and counted, and
//! real programs before and behind.

#[path = "../harness/mod.rs"]
mod harness;
mod incoming;
mod neighbours;
mod netscaler;
mod outgoing;
mod stage;
