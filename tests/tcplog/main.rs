//! How sessions end: each scenario runs on haproxy and on the program under test, and their `option tcplog` lines
//! must be equal but for date, process id, ports, and timers within 20 ms.
//!
//! The scenarios' time limits are far apart, so a line cannot be right by luck; the oracle says what is right.

mod connecting;
mod endings;
#[path = "../harness/mod.rs"]
mod harness;
mod queues_alone;
mod stage;
mod timed_alone;
mod wire;
