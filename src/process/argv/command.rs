//! The clap command behind haproxy's options, and what comes out of it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use clap::builder::OsStringValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum, value_parser};

use super::shapes::{SHAPES, Takes};
use super::{Arguments, ArgvError, Ending, Invocation};

/// What `--generate` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    /// A man page, roff.
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
}

/// Long option, name of its value, what it does. The order is that of the help.
const HELP: &[(&str, &str, &str)] = &[
    ("config", "FILE|DIR", "read this file, or all *.cfg of this directory; all words after -- count as files too"),
    ("directory", "DIR", "change to this directory before anything is read"),
    ("check", "", "check the configuration and exit: 0 valid, 1 not valid, 2 nothing would listen"),
    ("check-condition", "CONDITION", "evaluate a condition as after .if and exit: 0 true, 1 false, 2 not a condition"),
    ("daemon", "", "go to the background; returns when the new process serves"),
    ("foreground", "", "stay in the foreground whatever the configuration says"),
    ("pidfile", "FILE", "write the serving process's id here (daemon only)"),
    ("finish", "PID", "take over from these processes and let them finish their sessions"),
    ("terminate", "PID", "take over from these processes and end them at once"),
    ("sockets-from", "SOCKET", "take listening sockets from the process behind this stats socket"),
    ("quiet", "", "say nothing on start"),
    ("verbose", "", "say more on start; undoes -q"),
    ("zero-warning", "", "fail if there is any warning"),
    ("diagnose", "", "show remarks about suspicious statements"),
    ("ignore-unresolved", "", "start although a server's name does not resolve"),
    ("maxconn", "N", "most connections of the process"),
    ("proxy-maxconn", "N", "most connections of a proxy that says nothing"),
    ("memory", "MB", "most memory"),
    ("local-peer", "NAME", "name of this peer, $HAPROXY_LOCALPEER (default: the host's)"),
    (
        "leave-sessions",
        "",
        "neither take sessions, states and counters over nor give them to a new process, as haproxy",
    ),
    ("no-splice", "", "do not move bytes by splice()"),
    ("no-reuseport", "", "do not share ports with other processes"),
    ("ipv4-only", "", "names resolve to IPv4 addresses only"),
    ("debug", "", "stay in the foreground and show baton's own events"),
    ("trace", "WHAT", "show baton's own events; WHAT is not looked at"),
    ("list-keywords", "CLASSES", "list the keywords of these classes after the check; -dKhelp lists the classes"),
    ("list-objects", "", "list the loaded object files after the check"),
    ("version", "", "show the version"),
    ("version-number", "", "show the version's number only"),
    ("build-options", "", "show version, build options and features"),
    ("debug-memory", "HOW", "accepted, no effect: memory is not poisoned"),
    ("no-epoll", "", "accepted, no effect"),
    ("no-fast-forward", "", "accepted, no effect"),
    ("no-getaddrinfo", "", "accepted, no effect: names always resolve by getaddrinfo()"),
    ("insecure-fork", "", "accepted, no effect: no program is ever started"),
    ("no-kqueue", "", "accepted, no effect"),
    ("no-poll", "", "accepted, no effect"),
    ("no-server-verify", "", "accepted, no effect: there is no TLS to servers"),
    ("no-zero-copy", "", "accepted, no effect"),
    ("dump-archive", "FILE", "not available"),
    ("dump-config", "KEY", "not available"),
    ("master-worker", "", "a master process watches the one that serves; SIGUSR2 to it reloads"),
    ("master-worker-notify", "", "the same, and systemd is told what it does ($NOTIFY_SOCKET)"),
    ("master-socket", "BIND", "the master answers commands here; options of 'bind' after commas"),
];

fn command() -> Command {
    let mut command = Command::new("haproxy")
        .about("an HAProxy-compatible proxy")
        .override_usage("haproxy [-f FILE|DIR]… [options] [-- FILE…]")
        .after_help("Options are written as haproxy writes them; each has a long name too.")
        .disable_version_flag(true)
        .disable_help_flag(true)
        .arg(Arg::new("help").long("help").action(ArgAction::Help).help("show this help"));
    for (long, value, help) in HELP {
        let shape = SHAPES.iter().find(|shape| shape.long == *long);
        let help = shape.map_or((*help).to_owned(), |shape| format!("{}: {help}", shape.short));
        let mut arg = Arg::new(*long).long(*long).help(help);
        arg = match shape.map(|shape| shape.takes) {
            Some(Takes::Nothing) | None => arg.action(ArgAction::Count),
            Some(_) => arg
                .action(ArgAction::Append)
                .value_name(*value)
                .value_parser(OsStringValueParser::new())
                .allow_hyphen_values(true),
        };
        command = command.arg(arg);
    }
    let generate = Arg::new("generate").long("generate").hide(true).value_parser(value_parser!(Generated));
    command.arg(generate)
}

/// The usage text.
pub(crate) fn usage() -> String {
    command().render_help().to_string()
}

/// Writes a man page or completions for the program under this name.
pub(crate) fn generate(what: Generated, program: &str, out: &mut dyn io::Write) -> io::Result<()> {
    use clap_complete::Shell;
    let mut command = command().display_name(program);
    let shell = match what {
        Generated::Man => return clap_mangen::Man::new(command).render(out),
        Generated::Bash => Shell::Bash,
        Generated::Zsh => Shell::Zsh,
        Generated::Fish => Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut text);
    out.write_all(&text)
}

/// Parses long options and says what they ask for.
pub(super) fn interpret(long: Vec<OsString>) -> Result<Invocation, ArgvError> {
    let given = match command().no_binary_name(true).try_get_matches_from(long) {
        Ok(given) => given,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return Ok(Invocation::Help(error.to_string())),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            return Err(ArgvError::Unknown(first.trim_start_matches("error: ").to_owned()));
        }
    };
    if let Some(what) = given.get_one::<Generated>("generate") {
        return Ok(Invocation::Generate(*what));
    }
    let on = |name: &str| given.get_count(name) > 0;
    if on("version") || on("build-options") || on("version-number") {
        return Ok(Invocation::Version { full: on("build-options"), brief: on("version-number") });
    }
    if let Some(condition) = last(&given, "check-condition") {
        return Ok(Invocation::Condition(condition));
    }
    for (name, short) in [("dump-archive", "-dA"), ("dump-config", "-dC")] {
        if last(&given, name).is_some() {
            return Err(ArgvError::NotBuilt(short));
        }
    }
    let files: Vec<PathBuf> = all(&given, "config").map(PathBuf::from).collect();
    if files.is_empty() {
        return Err(ArgvError::NoConfiguration);
    }
    let mut old = pids(&given, "finish", "-sf")?;
    let terminated = pids(&given, "terminate", "-st")?;
    let ending = if terminated.is_empty() { Ending::Finish } else { Ending::Terminate };
    old.extend(terminated);
    let trace = last(&given, "trace").is_some();
    Ok(Invocation::Run(Box::new(Arguments {
        files,
        directory: last(&given, "directory").map(PathBuf::from),
        check: on("check"),
        daemon: on("daemon"),
        foreground: on("foreground") || on("debug") || on("master-worker-notify"),
        debug: on("debug") || trace,
        quiet: on("quiet") && !on("verbose") && !on("debug"),
        verbose: on("verbose") || on("debug"),
        zero_warning: on("zero-warning"),
        diagnose: on("diagnose"),
        pidfile: last(&given, "pidfile").map(PathBuf::from),
        maxconn: number(&given, "maxconn"),
        proxy_maxconn: number(&given, "proxy-maxconn"),
        memory: number(&given, "memory"),
        peer: last(&given, "local-peer"),
        sockets_from: last(&given, "sockets-from").map(PathBuf::from),
        old,
        ending,
        ignore_unresolved: on("ignore-unresolved"),
        leave_sessions: on("leave-sessions"),
        no_splice: on("no-splice"),
        no_reuseport: on("no-reuseport"),
        list_objects: on("list-objects"),
        list_keywords: last(&given, "list-keywords").map(|classes| classes.to_string_lossy().into_owned()),
        ipv4_only: on("ipv4-only"),
        master: on("master-worker") || on("master-worker-notify"),
        notify: on("master-worker-notify"),
        environment: Vec::new(),
        master_socket: last(&given, "master-socket"),
    })))
}

fn all(given: &ArgMatches, name: &str) -> impl Iterator<Item = OsString> {
    given.get_many::<OsString>(name).into_iter().flatten().cloned().collect::<Vec<_>>().into_iter()
}

fn last(given: &ArgMatches, name: &str) -> Option<OsString> {
    all(given, name).last()
}

/// The digits at the beginning, or zero: as haproxy reads `-n`, `-N` and `-m`. Zero means that nothing was asked.
fn number(given: &ArgMatches, name: &str) -> Option<u32> {
    let text = last(given, name)?;
    let text = text.to_string_lossy();
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    Some(digits.parse().unwrap_or(if digits.is_empty() { 0 } else { u32::MAX }))
}

fn pids(given: &ArgMatches, name: &str, option: &'static str) -> Result<Vec<i32>, ArgvError> {
    let mut pids = Vec::new();
    for words in all(given, name) {
        for word in words.to_string_lossy().split_ascii_whitespace() {
            match word.parse() {
                Ok(pid @ 1..) if word.bytes().all(|byte| byte.is_ascii_digit()) => pids.push(pid),
                _ => return Err(ArgvError::NoPid { option, word: word.to_owned() }),
            }
        }
    }
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
        for shape in SHAPES {
            assert!(HELP.iter().any(|(long, _, _)| *long == shape.long), "{} has no help", shape.short);
        }
        assert!(usage().contains("-sf"));
    }

    #[test]
    fn man_page_and_completions_are_generated() {
        for (what, sign) in [
            (Generated::Man, ".TH NAME "),
            (Generated::Bash, "-o default NAME"),
            (Generated::Zsh, "#compdef NAME"),
            (Generated::Fish, "complete -c NAME"),
        ] {
            for name in ["haproxy", "baton"] {
                let mut text = Vec::new();
                generate(what, name, &mut text).unwrap();
                let text = String::from_utf8(text).unwrap();
                assert!(text.contains(&sign.replace("NAME", name)), "{what:?} of {name}: {text:.300}");
            }
        }
    }
}
