//! The runtime commands: what each is called, who may use it, what it answers.
//!
//! [`COMMANDS`] is the only list; `help` is made from it. Knows no connection: the engine reads lines and writes
//! replies. Source: management manual §9.3; shapes of replies observed on 2.6.12.

use std::fmt::Write;
use std::sync::Arc;

use super::stats::{self, Hide, Info, Process, Selection, Style};
use super::{Identity, server_states};
use crate::ir::{AdminLevel, Level, SeverityOutput};
use crate::pool::{Commands, Journal, Pool, Reply};

/// The commands of a process.
pub struct Console {
    pool: Arc<Pool>,
    journal: Arc<dyn Journal>,
    identity: Identity,
    process: Process,
}

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

const COMMANDS: [Command; 11] = [
    Command { words: &["_getsocks"], usage: "", help: "", level: AdminLevel::User, run: |_, _| Reply::Sockets },
    Command {
        words: &["help"],
        usage: "[<command>]",
        help: "list all commands, or those that start so",
        level: AdminLevel::User,
        run: |_, _| Reply::Quit, // answered by `run`, which knows the level
    },
    Command {
        words: &["prompt"],
        usage: "",
        help: "toggle interactive mode",
        level: AdminLevel::User,
        run: |_, _| Reply::Prompt,
    },
    Command { words: &["quit"], usage: "", help: "disconnect", level: AdminLevel::User, run: |_, _| Reply::Quit },
    Command {
        words: &["set", "severity-output"],
        usage: "none|number|string",
        help: "how replies say how grave they are",
        level: AdminLevel::User,
        run: |_, args| match args.first() {
            Some(&"none") => Reply::Severity(SeverityOutput::None),
            Some(&"number") => Reply::Severity(SeverityOutput::Number),
            Some(&"string") => Reply::Severity(SeverityOutput::Text),
            _ => Reply::Remark(Level::Err, "'none', 'number' or 'string' is needed here\n".into()),
        },
    },
    Command {
        words: &["set", "timeout", "cli"],
        usage: "<seconds>",
        help: "idle time after which this session ends",
        level: AdminLevel::User,
        run: |_, args| match args.first().and_then(|text| text.trim_end_matches('s').parse().ok()) {
            Some(seconds @ 1..) => Reply::Timeout(seconds),
            _ => Reply::Remark(Level::Err, "Invalid timeout value.\n".into()),
        },
    },
    Command {
        words: &["show", "cli", "level"],
        usage: "",
        help: "the rights of this session",
        level: AdminLevel::User,
        run: |_, _| Reply::Quit, // answered by `run`, which knows the level
    },
    Command {
        words: &["show", "info"],
        usage: "[desc|json|typed|float]*",
        help: "figures of the process",
        level: AdminLevel::User,
        run: Console::show_info,
    },
    Command {
        words: &["show", "servers", "state"],
        usage: "[<backend>]",
        help: "states of servers, as a server state file has them",
        level: AdminLevel::User,
        run: |console, args| server_states::reply(&console.pool, (console.identity.clock)(), args),
    },
    Command {
        words: &["show", "stat"],
        usage: "[<proxy> <kinds> <server>] [json|typed|up|no-maint]*",
        help: "figures of proxies and servers",
        level: AdminLevel::User,
        run: Console::show_stat,
    },
    Command {
        words: &["show", "version"],
        usage: "",
        help: "version of this process",
        level: AdminLevel::User,
        run: |console, _| Reply::Remark(Level::Info, format!("{}\n", console.identity.version)),
    },
];

impl Console {
    /// The commands of the process that has this state; `journal` tells how many log lines it lost.
    pub fn new(pool: Arc<Pool>, journal: Arc<dyn Journal>, identity: Identity) -> Self {
        Self { pool, journal, identity, process: Process::default() }
    }

    fn show_info(&self, args: &[&str]) -> Reply {
        let now = (self.identity.clock)();
        let info = Info {
            pool: &self.pool,
            identity: &self.identity,
            lost_logs: self.journal.lost(),
            now,
            sample: self.process.sample(&self.pool, now),
        };
        if args.contains(&"json") {
            return Reply::Text(info.json() + "\n");
        }
        let has = |word: &str| args.contains(&word);
        Reply::Text(info.lines(Style { described: has("desc"), typed: has("typed"), float: has("float") }))
    }

    fn show_stat(&self, args: &[&str]) -> Reply {
        let mut selection = Selection::default();
        let mut args = args;
        if let ["domain", rest @ ..] = args {
            args = rest.get(1..).unwrap_or_default(); // there is no domain but "proxy" in this version
        }
        // Only three of them are a selection; haproxy takes fewer for unknown words, which it ignores.
        if let [proxy, kinds, server, rest @ ..] = args
            && let (Ok(kinds), Ok(server)) = (kinds.parse::<i64>(), server.parse::<i64>())
        {
            selection.proxy = match proxy.parse::<i64>() {
                Ok(id) => u32::try_from(id).ok(),
                Err(_) => match self.pool.config.proxies.iter().find(|known| known.name == *proxy) {
                    Some(known) => Some(known.id),
                    None => return Reply::Remark(Level::Err, "No such proxy.\n".into()),
                },
            };
            selection.kinds = kinds as u32; // -1 is every kind
            selection.server = u32::try_from(server).ok();
            args = rest;
        }
        let has = |word: &str| args.contains(&word);
        if has("up") {
            selection.hide = Hide::Down;
        } else if has("no-maint") {
            selection.hide = Hide::Maintenance;
        }
        let now = (self.identity.clock)();
        Reply::Text(match () {
            () if has("json") => stats::json(&self.pool, now, &selection) + "\n",
            () if has("typed") => stats::typed(&self.pool, now, &selection),
            () => stats::csv(&self.pool, now, &selection),
        })
    }

    /// The commands that start with these words, as `help` lists them.
    fn help(&self, level: AdminLevel, words: &[&str]) -> String {
        let starts = |command: &&Command| {
            let pairs = words.iter().zip(command.words);
            command.level <= level && !command.help.is_empty() && pairs.into_iter().all(|(a, b)| a == b)
        };
        let mut out = String::new();
        for command in COMMANDS.iter().filter(starts) {
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
        let known = COMMANDS.iter().find(|known| words.starts_with(known.words));
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{ProxyIx, ProxyKind};
    use crate::pool::{HttpRecord, SessionRecord};
    use crate::report::testing;
    use crate::units::Tick;

    struct Quiet;

    impl Journal for Quiet {
        fn accepted(&self, _: &SessionRecord) {}
        fn session(&self, _: &SessionRecord) {}
        fn refused(&self, _: &SessionRecord, _: &str, _: &str) {}
        fn unique_id(&self, _: &SessionRecord, _: &mut Vec<u8>) {}
        fn request(&self, _: &HttpRecord) {}
        fn event(&self, _: Option<ProxyIx>, _: Level, _: &str) {}
        fn lost(&self) -> u64 {
            7
        }
    }

    fn console() -> Console {
        let mut web = testing::proxy("web", 2, ProxyKind::Listen);
        web.backend.as_mut().unwrap().servers = vec![testing::server("one", 1), testing::server("two", 2)];
        let db = testing::proxy("db", 3, ProxyKind::Backend);
        let pool = Pool::new(Arc::new(testing::config(vec![web, db])), Tick::from_millis(1000));
        let identity = Identity {
            version: "3.4.0-baton0".into(),
            released: "2026/11/22".into(),
            hostname: "vm".into(),
            clock: || Tick::from_millis(3000),
        };
        Console::new(Arc::new(pool), Arc::new(Quiet), identity)
    }

    fn said(command: &str) -> String {
        match console().run(command, AdminLevel::User) {
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
            ("shutdown sessions server web/one", "Unknown command."),
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

    /// Whatever is typed, there is an answer.
    #[test]
    fn hostile_commands() {
        let console = std::panic::AssertUnwindSafe(console());
        bolero::check!().with_type::<(u8, String)>().for_each(|(which, tail)| {
            let head = COMMANDS[usize::from(*which) % COMMANDS.len()].words.join(" ");
            for command in [tail.clone(), format!("{head} {tail}")] {
                let reply = console.run(&command, AdminLevel::Admin);
                assert!(!matches!(reply, Reply::Text(text) if text.is_empty()), "{command:?}");
            }
        });
    }
}
