//! Rules about connections and what they say: each scenario runs on haproxy and on the program under test, and what its clients
//! hear, the log lines (times in units of 600 ms) and the counters must be equal.

mod acting;
mod combining;
mod formats;
#[path = "../harness/mod.rs"]
mod harness;
mod hostile;
mod refusing;
mod reloading;
mod resolving;
mod sni;
mod stage;
mod switching;
mod waiting;
