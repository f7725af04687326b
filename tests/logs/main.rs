//! Log lines of every format on both programs: variables, flags, texts, samples of lines, moments, frames.
//!
//! Each scenario runs on haproxy and on the program under test; what they log must be equal but for dates, process
//! ids, ports and milliseconds.

mod consumers;
mod formats;
#[path = "../harness/mod.rs"]
mod harness;
mod moments;
mod rings;
mod stage;
mod texts;
