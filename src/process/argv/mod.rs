//! The command line: haproxy's shapes are rewritten to long options, then clap parses them.
//!
//! [`parse`] gives an [`Invocation`]; it acts on nothing. One table ([`shapes::SHAPES`]) says which options there are
//! and how many words each takes; clap's command gives the help, shell completions and a man page.
//! Source: management guide §3; exit codes and odd shapes as observed on 2.6.12.

mod command;
mod shapes;

use std::ffi::OsString;
use std::path::PathBuf;

use thiserror::Error;

pub(crate) use command::Generated;
pub(crate) use command::{generate, usage};

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Run, or check a configuration.
    Run(Box<Arguments>),
    /// `-v`, or `-vv` with everything.
    Version {
        /// Whether build options and features are shown too.
        full: bool,
        /// `-vq`: the number only.
        brief: bool,
    },
    /// `--help`: this text, exit code 0.
    Help(String),
    /// `--generate`: a man page or shell completions on standard output.
    Generate(Generated),
    /// `-cc`: a condition to evaluate.
    Condition(OsString),
}

/// How the old processes are ended when the new one serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Ending {
    /// `-sf`: they finish their sessions.
    #[default]
    Finish,
    /// `-st`: at once.
    Terminate,
}

/// The options of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Arguments {
    /// `-f` and what follows `--`: files and directories in their order.
    pub files: Vec<PathBuf>,
    /// `-C`: the directory to change to before anything is read.
    pub directory: Option<PathBuf>,
    /// `-c`: check only.
    pub check: bool,
    /// `-D`: go to the background, even beside `-db`.
    pub daemon: bool,
    /// `-db`, `-d` or `-Ws`: the configuration's `daemon` does not count.
    pub foreground: bool,
    /// `-d` or `-dt`: baton's own events on standard error.
    pub debug: bool,
    /// `-q`, unless `-V` stands there too.
    pub quiet: bool,
    /// `-V` or `-d`.
    pub verbose: bool,
    /// `-dW`: a warning fails the start.
    pub zero_warning: bool,
    /// `-dD`: remarks are shown.
    pub diagnose: bool,
    /// `-p`.
    pub pidfile: Option<PathBuf>,
    /// `-n`: the process's `maxconn`.
    pub maxconn: Option<u32>,
    /// `-N`: the `maxconn` of a proxy that says none.
    pub proxy_maxconn: Option<u32>,
    /// `-m`: most memory, in MiB.
    pub memory: Option<u32>,
    /// `-L`: the local peer's name.
    pub peer: Option<OsString>,
    /// `-x`: the stats socket of the old process.
    pub sockets_from: Option<PathBuf>,
    /// `-sf` and `-st`: the old processes.
    pub old: Vec<i32>,
    /// Which of both.
    pub ending: Ending,
    /// `-dr`: a server whose name does not resolve starts without an address.
    pub ignore_unresolved: bool,
    /// `--leave-sessions`, which only baton has: established sessions stay where they are.
    pub leave_sessions: bool,
    /// `-dS`.
    pub no_splice: bool,
    /// `-dR`.
    pub no_reuseport: bool,
    /// `-dL`: names of the loaded object files after the check.
    pub list_objects: bool,
    /// `-dK`: classes of keywords to list after the check.
    pub list_keywords: Option<String>,
    /// `-4`: names resolve to IPv4 only.
    pub ipv4_only: bool,
    /// `-W` or `-Ws`: a master process watches the one that serves.
    pub master: bool,
    /// `-Ws`: it tells systemd what it does.
    pub notify: bool,
    /// What a master adds to the environment that the configuration sees. Not of the command line.
    pub environment: Vec<(String, OsString)>,
    /// `-S`: where it answers commands, with options of `bind` after commas.
    pub master_socket: Option<OsString>,
}

/// In the environment the same as `--leave-sessions`.
const LEAVE_SESSIONS: &str = "BATON_LEAVE_SESSIONS";

impl Arguments {
    /// The name of this peer.
    pub(crate) fn local_peer(&self) -> OsString {
        self.peer.clone().unwrap_or_else(|| OsString::from(crate::sys::identity::host_name()))
    }

    /// Whether established sessions stay in the old process, as with haproxy: asked for by the command line or the environment.
    pub(crate) fn leaves_sessions(&self) -> bool {
        self.leave_sessions || std::env::var_os(LEAVE_SESSIONS).is_some_and(|value| !value.is_empty())
    }
}

/// Why a command line cannot be followed.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ArgvError {
    /// Nothing to run: no file is named.
    #[error("no configuration is named")]
    NoConfiguration,
    /// `-h`, which haproxy treats as an unknown option.
    #[error("usage asked for")]
    Usage,
    /// A word that is no option.
    #[error("{0}")]
    Unknown(String),
    /// An option without the word that it takes.
    #[error("option {0} takes a value")]
    NoValue(&'static str),
    /// Options whose output this version cannot produce.
    #[error("option {0} is not available in this version")]
    NotBuilt(&'static str),
    /// A word among the pids that is none.
    #[error("option {option} takes process ids: '{word}' is none")]
    NoPid {
        /// `-sf` or `-st`.
        option: &'static str,
        /// The word.
        word: String,
    },
}

impl ArgvError {
    /// Whether haproxy answers this with its version on stdout and its usage on stderr, and not with an alert.
    pub(crate) fn wants_usage(&self) -> bool {
        matches!(self, Self::NoConfiguration | Self::Usage | Self::Unknown(_))
    }
}

/// Reads the words after the program's name.
///
/// # Errors
/// [`ArgvError`]; all of them end with exit code 1.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, ArgvError> {
    command::interpret(shapes::rewrite(words)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Invocation, ArgvError> {
        parse(line.split(' ').filter(|word| !word.is_empty()).map(OsString::from))
    }

    #[track_caller]
    fn arguments(line: &str) -> Arguments {
        match run(line) {
            Ok(Invocation::Run(arguments)) => *arguments,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_usual_command_lines() {
        let reload = arguments("-f /etc/h.cfg -p /run/h.pid -D -sf 12 13");
        assert_eq!(reload.files, [PathBuf::from("/etc/h.cfg")]);
        assert_eq!(reload.pidfile, Some("/run/h.pid".into()));
        assert_eq!((reload.daemon, reload.old, reload.ending), (true, vec![12, 13], Ending::Finish));

        let check = arguments("-c -q -f a -f b -- c d -x");
        assert!(check.check && check.quiet);
        assert_eq!(check.files, ["a", "b", "c", "d", "-x"].map(PathBuf::from));

        let router = arguments("-f x -x /sock -st 1 2 3 -n 500 -N 20 -m 64 -L me -C /tmp -V");
        assert_eq!((router.old.as_slice(), router.ending), ([1, 2, 3].as_slice(), Ending::Terminate));
        assert_eq!((router.maxconn, router.proxy_maxconn, router.memory), (Some(500), Some(20), Some(64)));
        assert_eq!(router.sockets_from, Some("/sock".into()));
        assert_eq!((router.peer, router.directory), (Some("me".into()), Some("/tmp".into())));
        assert!(router.verbose);
    }

    #[test]
    fn every_option_of_the_help_is_known() {
        // Arity as haproxy's -h and the manual list it; the file comes last so that a wrong arity swallows it.
        for option in [
            "-d",
            "-db",
            "-dM",
            "-dM0x50,no-merge",
            "-dMhelp",
            "-V",
            "-D",
            "-q",
            "-c",
            "-C /",
            "-n 1",
            "-m 1",
            "-N 1",
            "-L a",
            "-p a",
            "-de",
            "-dp",
            "-dk",
            "-dS",
            "-dG",
            "-dR",
            "-dL",
            "-dKcfg",
            "-dKhelp",
            "-dr",
            "-dV",
            "-dW",
            "-dD",
            "-sf",
            "-st",
            "-sf 1",
            "-st 1 2",
            "-x a",
            "-dF",
            "-dI",
            "-dZ",
            "-dt",
            "-dth1:+all",
            "-4",
        ] {
            assert_eq!(arguments(&format!("{option} -f x")).files, [PathBuf::from("x")], "{option}");
        }
    }

    #[test]
    fn a_master_is_asked_for() {
        let debian = arguments("-Ws -f /etc/h.cfg -p /run/h.pid -S /run/m.sock,level,user");
        assert!(debian.master && debian.notify);
        assert_eq!(debian.master_socket, Some("/run/m.sock,level,user".into()));
        let docker = arguments("-W -db -f x");
        assert!(docker.master && !docker.notify && docker.foreground);
        assert!(!arguments("-f x -S /m").master);
    }

    #[test]
    fn values_may_look_like_options() {
        assert_eq!(arguments("-f -c").files, [PathBuf::from("-c")]);
        assert_eq!(arguments("-f --help").files, [PathBuf::from("--help")]);
        assert_eq!(arguments("-n abc -f x").maxconn, Some(0), "haproxy reads a number or zero");
        assert_eq!(arguments("-n 12abc -f x").maxconn, Some(12));
    }

    #[test]
    fn pids_end_at_the_next_option() {
        assert_eq!(arguments("-sf -f x").old, [0; 0]);
        assert_eq!(arguments("-sf 5 -f x -sf 6").old, [5, 6]);
        let empty = parse(["-f", "x", "-sf", ""].map(OsString::from)).unwrap();
        assert!(matches!(empty, Invocation::Run(arguments) if arguments.old.is_empty()), "an empty quoted pidfile");
        let lines = parse(["-f", "x", "-st", "7\n8\n"].map(OsString::from)).unwrap();
        assert!(matches!(lines, Invocation::Run(arguments) if arguments.old == [7, 8]), "a quoted pidfile");
        for (line, word) in [("-sf abc -f x", "abc"), ("-sf 12abc -f x", "12abc"), ("-sf 0 -f x", "0")] {
            assert_eq!(run(line), Err(ArgvError::NoPid { option: "-sf", word: word.into() }), "{line}");
        }
        assert!(matches!(run("-st 99999999999 -f x"), Err(ArgvError::NoPid { option: "-st", .. })));
    }

    #[test]
    fn versions_and_conditions() {
        for (line, full, brief) in
            [("-v", false, false), ("-vv", true, false), ("-vq", false, true), ("-d -v", false, false)]
        {
            assert_eq!(run(line), Ok(Invocation::Version { full, brief }), "{line}");
        }
        assert_eq!(run("--version"), Ok(Invocation::Version { full: false, brief: false }));
        assert_eq!(run("-cc 1"), Ok(Invocation::Condition("1".into())));
        assert!(matches!(run("--help"), Ok(Invocation::Help(text)) if text.contains("-sf") && text.contains("-dW")));
        assert_eq!(run("--generate man"), Ok(Invocation::Generate(Generated::Man)));
    }

    #[test]
    fn refusals() {
        assert_eq!(run(""), Err(ArgvError::NoConfiguration));
        assert_eq!(run("-c"), Err(ArgvError::NoConfiguration));
        assert_eq!(run("-h"), Err(ArgvError::Usage));
        assert_eq!(run("-f"), Err(ArgvError::NoValue("-f")));
        assert_eq!(run("-cc"), Err(ArgvError::NoValue("-cc")));
        for line in ["-z -f x", "--foo -f x", "-f x y", "-Dc -f x", "-dfoo -f x", "-f x -", "-fx -c"] {
            let error = run(line).unwrap_err();
            assert!(matches!(error, ArgvError::Unknown(_)) && error.wants_usage(), "{line}: {error:?}");
        }
        assert_eq!(run("-dC -f x"), Err(ArgvError::NotBuilt("-dC")));
    }

    #[test]
    fn no_words_make_it_panic() {
        use std::os::unix::ffi::OsStringExt;
        let known = ["-f", "-sf", "-c", "--", "-dM", "--config", "-n", "--finish=", "-cc", "-dK"];
        bolero::check!().with_iterations(5_000).with_type::<Vec<(u8, Vec<u8>)>>().for_each(|words| {
            let words = words.iter().map(|(kind, bytes)| match known.get(usize::from(*kind)) {
                Some(word) => OsString::from(word),
                None => OsString::from_vec(bytes.clone()),
            });
            let _ = parse(words);
        });
    }
}
