//! The composition root: the command line, the daemon, signals, limits and the handover.

mod added;
mod argv;
mod check;
mod console;
mod daemon;
mod handover;
mod limits;
mod listeners;
mod listing;
mod master;
mod old;
mod patience;
mod pidfile;
mod privileges;
mod services;
mod signals;
mod start;
mod tables;
mod turn;
mod version;
mod world;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use argv::{Arguments, Invocation};
use console::Console;
use master::Call;

use crate::sys::fd::{self, Inherited};

/// Runs the program with these arguments, the first of which is its name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let inherited = Inherited::at_start();
    let words: Vec<OsString> = args.collect();
    let name = words.first().cloned().unwrap_or_else(|| "haproxy".into());
    let program = Path::new(&name).file_name().unwrap_or(&name).to_string_lossy().into_owned();
    if fd::fill_standard().is_err() {
        return ExitCode::FAILURE;
    }
    let console = Console::new(false);
    let invocation = match argv::parse(words.iter().skip(1).cloned()) {
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
            if argv::generate(what, &program, &mut std::io::stdout().lock()).is_err() {
                return ExitCode::FAILURE;
            }
        }
        Invocation::Condition(text) => return check::condition(text.as_bytes(), &console),
        Invocation::Run(arguments) => return run(&words, &program, &arguments, &inherited),
    }
    ExitCode::SUCCESS
}

fn run(words: &[OsString], program: &str, arguments: &Arguments, inherited: &Inherited) -> ExitCode {
    let console = Console::new(arguments.quiet);
    let call = Call { words, program, arguments, inherited, console: &console };
    if arguments.debug {
        show_events();
    }
    let call = match master::resumed(call) {
        Ok(code) => return code,
        Err(call) => call,
    };
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
    if master::wanted(arguments, &checked.config) {
        return master::first(call, checked);
    }
    if arguments.master_socket.is_some() {
        console.warning("config : -S is there, but no master: -W or 'master-worker' asks for one");
    }
    start::start(program, arguments, checked, inherited, &console)
}

/// Shows baton's own events on standard error: `-d` and `-dt`. `RUST_LOG` chooses others than all of ours.
fn show_events() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("baton=debug"));
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let _ = events.try_init();
}
