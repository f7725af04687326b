//! The start of a serving process. (Being built: it refuses by name.)

use std::process::ExitCode;

use super::argv::Arguments;
use super::check::Checked;
use super::console::Console;
use crate::sys::fd::Inherited;

/// Starts.
pub(crate) fn start(_: &Arguments, _: Checked, _: &Inherited, console: &Console) -> ExitCode {
    console.alert("this build can only check configurations (-c)");
    ExitCode::FAILURE
}
