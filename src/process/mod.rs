//! The composition root: the command line, the daemon, signals, limits and the handover.

mod argv;
mod check;
mod console;
mod handover;
mod limits;
mod listeners;
mod listing;
mod pidfile;
mod start;
mod version;
mod world;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use argv::{Arguments, Invocation};
use console::Console;

use crate::sys::fd::{self, Inherited};

/// Runs the program with these arguments, the first of which is its name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let inherited = Inherited::at_start();
    if fd::fill_standard().is_err() {
        return ExitCode::FAILURE;
    }
    let console = Console::new(false);
    let invocation = match argv::parse(args.skip(1)) {
        Ok(invocation) => invocation,
        Err(error) if error.wants_usage() => {
            console.print(&version::short());
            eprint!("{error}.\n\n{}", argv::usage());
            return ExitCode::FAILURE;
        }
        Err(error) => {
            console.alert(error);
            return ExitCode::FAILURE;
        }
    };
    match invocation {
        Invocation::Version { brief: true, .. } => console.print(&format!("{}\n", version::number())),
        Invocation::Version { full: true, .. } => console.print(&version::full()),
        Invocation::Version { .. } => console.print(&version::short()),
        Invocation::Help(text) => console.print(&text),
        Invocation::Generate(what) => {
            if argv::generate(what, &mut std::io::stdout().lock()).is_err() {
                return ExitCode::FAILURE;
            }
        }
        Invocation::Condition(text) => return check::condition(text.as_bytes(), &console),
        Invocation::Run(arguments) => return run(&arguments, &inherited),
    }
    ExitCode::SUCCESS
}

fn run(arguments: &Arguments, inherited: &Inherited) -> ExitCode {
    let console = Console::new(arguments.quiet);
    if let Some(directory) = &arguments.directory
        && let Err(why) = std::env::set_current_dir(directory)
    {
        console.alert(format_args!("cannot change to directory {}: {why}", directory.display()));
        return ExitCode::FAILURE;
    }
    let Some(checked) = check::read(arguments, &console) else { return ExitCode::FAILURE };
    if arguments.check {
        return check::verdict(arguments, &checked, &console);
    }
    start::start(arguments, checked, inherited, &console)
}
