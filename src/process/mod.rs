//! The composition root: the command line, the daemon, signals, limits and the handover.

mod argv;
mod console;
mod handover;
mod limits;
mod listeners;
mod pidfile;
mod version;
mod world;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with these arguments, the first of which is its name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let _ = argv::parse(args.skip(1));
    ExitCode::FAILURE
}
