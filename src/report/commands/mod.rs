//! The runtime commands: what each is called, who may use it, what it answers.
//!
//! Each family of commands is a file with a table; [`FAMILIES`] lists the tables, and `help` is made from them. Knows
//! no connection: the engine reads lines and writes replies. Source: management manual §9.3; shapes of replies
//! observed on 2.6.12.

mod counters;
mod frontends;
mod names;
mod old;
mod rebalance;
mod servers;
mod sessions;
mod show;
mod talk;
mod weights;

pub use self::old::Elder;

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use super::Identity;
use super::stats::Process;
use crate::ir::{AdminLevel, Level};
use crate::pool::{Commands, Control, Events, Journal, Pool, Reply, SessionInfo};
use crate::units::Tick;

/// The tables of all families, in the order of `help`.
const FAMILIES: &[&[Command]] = &[
    talk::COMMANDS,
    show::COMMANDS,
    counters::COMMANDS,
    frontends::COMMANDS,
    servers::COMMANDS,
    weights::COMMANDS,
    rebalance::COMMANDS,
    sessions::COMMANDS,
    old::COMMANDS,
];

/// The commands of a process.
pub struct Console {
    pool: Arc<Pool>,
    journal: Arc<dyn Journal>,
    identity: Identity,
    process: Process,
    control: OnceLock<Arc<dyn Control>>,
    elders: OnceLock<Arc<Elders>>,
}

/// Tells the processes that others have taken over from.
pub type Elders = dyn Fn() -> Vec<Elder> + Send + Sync;

/// One command.
struct Command {
    /// The words it starts with.
    words: &'static [&'static str],
    /// What may follow, for `help`.
    usage: &'static str,
    /// What it does, for `help`; empty: it is not listed.
    help: &'static str,
    /// The least right that may use it.
    level: AdminLevel,
    run: fn(&Console, &[&str]) -> Reply,
}

/// An error of the one who typed, without the end of its line.
fn wrong(text: &str) -> Reply {
    Reply::Remark(Level::Err, format!("{text}\n"))
}

fn commands() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().copied().flatten()
}

impl Console {
    /// The commands of the process that has this state; `journal` tells how many log lines it lost.
    pub fn new(pool: Arc<Pool>, journal: Arc<dyn Journal>, identity: Identity) -> Self {
        Self { pool, journal, identity, process: Process::default(), control: OnceLock::new(), elders: OnceLock::new() }
    }

    /// Gives it the running engine, which orders need. Only the first call counts.
    pub fn attach(&self, control: Arc<dyn Control>) {
        let _ = self.control.set(control);
    }

    /// Gives it who knows the old processes. Only the first call counts.
    pub fn attach_elders(&self, elders: Arc<Elders>) {
        let _ = self.elders.set(elders);
    }

    fn now(&self) -> Tick {
        (self.identity.clock)()
    }

    /// The running engine.
    ///
    /// # Errors
    /// Before it runs nobody can ask.
    fn control(&self) -> Result<&dyn Control, Reply> {
        self.control.get().map(AsRef::as_ref).ok_or_else(|| wrong("The process does not serve yet."))
    }

    /// Tells what an order changed.
    ///
    /// # Errors
    /// As [`Self::control`].
    fn announce(&self, events: &Events) -> Result<Reply, Reply> {
        self.pool.announce(events, &*self.journal, self.control()?);
        Ok(Reply::Done)
    }

    /// The commands that start with these words, as `help` lists them.
    fn help(&self, level: AdminLevel, words: &[&str]) -> String {
        let starts = |command: &&Command| {
            let pairs = words.iter().zip(command.words);
            command.level <= level && !command.help.is_empty() && pairs.into_iter().all(|(a, b)| a == b)
        };
        let mut out = String::new();
        for command in commands().filter(starts) {
            let mut line = command.words.join(" ");
            if !command.usage.is_empty() {
                line = line + " " + command.usage;
            }
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {line:<58} : {}", command.help);
        }
        out
    }
}

impl Commands for Console {
    fn run(&self, command: &str, level: AdminLevel) -> Reply {
        let words: Vec<&str> = command.split_ascii_whitespace().collect();
        let known = commands().find(|known| words.starts_with(known.words));
        match known {
            Some(known) if known.level > level => Reply::Remark(Level::Err, "Permission denied\n".into()),
            Some(known) if known.words == ["help"] => {
                let listed = self.help(level, &words[1..]);
                if listed.is_empty() {
                    return Reply::Remark(Level::Info, "No command starts so. 'help' alone lists all.\n".into());
                }
                Reply::Remark(Level::Info, format!("Commands at this level:\n{listed}"))
            }
            Some(known) if known.words == ["show", "cli", "level"] => Reply::Text(
                match level {
                    AdminLevel::User => "user\n",
                    AdminLevel::Operator => "operator\n",
                    AdminLevel::Admin => "admin\n",
                }
                .into(),
            ),
            Some(known) => (known.run)(self, &words[known.words.len()..]),
            None => {
                let listed = self.help(level, &[]);
                Reply::Remark(Level::Info, format!("Unknown command. Commands at this level:\n{listed}"))
            }
        }
    }
    fn list(&self, session: &SessionInfo, out: &mut String) {
        sessions::line(&self.pool, session, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{ProxyIx, ProxyKind};
    use crate::report::testing;
    use crate::units::Tick;

    struct Idle;

    impl Control for Idle {
        fn yield_listeners(&self, _: bool) {}
        fn close(&self, _: crate::pool::Closing, _: crate::pool::Cause) {}
        fn pause(&self, _: Option<ProxyIx>) {}
        fn stop(&self, _: ProxyIx) {}
        fn make_room(&self) {}
        fn rebalance(&self) {}
        fn resume(&self, _: Option<ProxyIx>) {}
        fn soft_stop(&self) {}
        fn hard_stop(&self) {}
        fn thin_out(&self, _: crate::units::Millis) {}
        fn cut(&self) {}
        fn listeners(&self) -> std::io::Result<Vec<std::os::fd::OwnedFd>> {
            Ok(Vec::new())
        }
    }

    fn console() -> Console {
        let mut web = testing::proxy("web", 2, ProxyKind::Listen);
        web.backend.as_mut().unwrap().servers = vec![testing::server("one", 1), testing::server("two", 2)];
        let db = testing::proxy("db", 3, ProxyKind::Backend);
        let pool = Pool::new(Arc::new(testing::config(vec![web, db])), Tick::from_millis(1000));
        pool.set_maxconn(50);
        let identity = Identity {
            version: "3.4.0-baton0".into(),
            released: "2026/11/22".into(),
            hostname: "vm".into(),
            clock: || Tick::from_millis(3000),
        };
        Console::new(Arc::new(pool), Arc::new(testing::Quiet { lost: 7 }), identity)
    }

    fn said(command: &str) -> String {
        match console().run(command, AdminLevel::User) {
            Reply::Text(text) | Reply::Remark(_, text) => text,
            other => format!("{other:?}"),
        }
    }

    /// What an administrator is answered; an engine that has nothing to do runs.
    fn obeyed(console: &Console, command: &str) -> String {
        match console.run(command, AdminLevel::Admin) {
            Reply::Text(text) | Reply::Remark(_, text) => text,
            other => format!("{other:?}"),
        }
    }

    /// Names of the rows of a CSV.
    fn rows(command: &str) -> Vec<String> {
        let two = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join("/");
        said(command).lines().skip(1).map(two).collect()
    }

    #[test]
    fn replies() {
        for (command, start) in [
            ("show info", "Name: HAProxy\nVersion: 3.4.0-baton0\n"),
            ("  show\tinfo  ", "Name: HAProxy\n"),
            ("show info json", r#"[{"field":{"pos":0,"name":"Name"},"#),
            ("show info typed", "0.Name.1:POS:str:HAProxy\n"),
            ("show info desc", "Name: HAProxy:\"Name of"),
            ("show stat", "# pxname,svname,"),
            ("show stat json", r#"[[{"objType":"Frontend","proxyId":2,"#),
            ("show stat typed", "F.2.0.0.pxname.1:KNS:str:web\n"),
            ("show stat nothere 1 1", "No such proxy.\n"),
            ("show servers state", "1\n# be_id be_name srv_id"),
            ("show servers state nothere", "Can't find backend.\n"),
            ("show version", "3.4.0-baton0\n"),
            ("set timeout cli 30s", "Timeout(30)"),
            ("set timeout cli x", "Invalid timeout value.\n"),
            ("set timeout cli 0", "Invalid timeout value.\n"),
            ("help", "Commands at this level:\n  help [<command>]"),
            ("help show stat", "Commands at this level:\n  show stat "),
            ("help nonsense", "No command starts so."),
            ("", "Unknown command."), // haproxy lists its commands here too
            ("show", "Unknown command."),
            ("shutdown sessions server web/one", "Permission denied\n"), // of a user
            ("set severity-output string", "Severity(Text)"),
            ("set severity-output loud", "'none'"),
            ("prompt", "Prompt"),
            ("quit", "Quit"),
            ("_getsocks", "Sockets"),
        ] {
            let text = said(command);
            assert!(text.starts_with(start), "{command:?} answered {text}");
        }
        assert!(said("show info").contains("DroppedLogs: 7\n"));
        assert!(!said("help").contains("_getsocks"));
        assert!(said("show stat json").ends_with("]]\n"));
    }

    #[test]
    fn selections() {
        for (command, want) in [
            ("show stat", vec!["web/FRONTEND", "web/one", "web/two", "web/BACKEND", "db/BACKEND"]),
            ("show stat 2 4 -1", vec!["web/one", "web/two"]),
            ("show stat -1 2 -1", vec!["web/BACKEND", "db/BACKEND"]),
            ("show stat web 4 2", vec!["web/two"]),
            ("show stat domain proxy web 1 -1", vec!["web/FRONTEND"]),
            ("show stat web 1", vec!["web/FRONTEND", "web/one", "web/two", "web/BACKEND", "db/BACKEND"]), // ignored
            ("show stat 99 -1 -1", vec![]),
        ] {
            assert_eq!(rows(command), want, "{command}");
        }
    }

    #[test]
    fn orders() {
        let console = console();
        assert_eq!(obeyed(&console, "enable server web/one"), "The process does not serve yet.\n");
        console.attach(Arc::new(Idle));
        for (command, want) in [
            ("shutdown sessions server web/one", "Done"),
            ("shutdown sessions server #2/#2 and more", "Done"),
            ("shutdown sessions server web", "A server is named as 'backend/server'.\n"),
            ("shutdown sessions server web/", "A server is named as 'backend/server'.\n"),
            ("shutdown sessions server x/one", "There is no backend 'x'.\n"),
            ("shutdown sessions server #4294967296/one", "There is no backend '#4294967296'.\n"),
            ("shutdown sessions server web/x", "Backend 'web' has no server 'x'.\n"),
            ("shutdown session 0x1f", "EndSession(31)"),
            ("shutdown session x", "A session is named as in 'show sess'.\n"),
            ("show sess", "Sessions(None)"),
            ("show sess 0x2", "Sessions(Some(2))"),
            ("disable frontend", "The name of a frontend is needed.\n"),
            ("disable frontend db", "There is no frontend 'db'.\n"), // a backend only
            ("disable frontend #2", "Done"),
            ("shutdown frontend web", "Done"),
            ("set maxconn frontend web", "A number of sessions is needed.\n"),
            ("set maxconn frontend web 2147483648", "A number of sessions is needed.\n"),
            ("set maxconn frontend web 0", "Done"),
            ("set maxconn server web/one 5", "Done"),
            ("set maxconn server web/one -5", "A number of sessions is needed.\n"),
            ("set maxconn global 100", "The process cannot serve more than 50 connections.\n"),
            ("set maxconn global 20", "Done"),
            ("set maxconn global 0", "Done"),
            ("set weight web/one 7", "Done"),
            ("get weight web/one", "7 (initial 1)\n"),
            ("set weight web/one 257", "A weight is at least 0 and at most 256.\n"),
            ("set server web/one weight", "A weight is needed: a number, or percents of the configured weight.\n"),
            ("set server web/one state drain", "Done"),
            ("set server web/one state x", "A state is 'ready', 'drain' or 'maint'.\n"),
            ("set server web/one health stopping", "Done"),
            ("set server web/one health", "A health is 'up', 'stopping' or 'down'.\n"),
            ("set server web/one agent up", "No agent of this server is asked.\n"),
            ("set server web/one", "What can be set of a server: state, weight, health, agent.\n"),
            ("clear counters", "Done"),
            ("clear counters all", "Done"),
        ] {
            assert_eq!(obeyed(&console, command), want, "{command}");
        }
    }

    /// No command is hidden by a shorter one before it in the list.
    #[test]
    fn every_command_is_found() {
        for (ix, command) in commands().enumerate() {
            let first = commands().position(|other| command.words.starts_with(other.words));
            assert_eq!(first, Some(ix), "{:?}", command.words);
        }
    }

    /// Whatever is typed, there is an answer.
    #[test]
    fn hostile_commands() {
        let console = std::panic::AssertUnwindSafe(console());
        console.attach(Arc::new(Idle));
        bolero::check!().with_type::<(u8, String)>().for_each(|(which, tail)| {
            let head = commands().nth(usize::from(*which) % commands().count()).unwrap().words.join(" ");
            for command in [tail.clone(), format!("{head} {tail}")] {
                let reply = console.run(&command, AdminLevel::Admin);
                assert!(!matches!(reply, Reply::Text(text) if text.is_empty()), "{command:?}");
            }
        });
    }
}
