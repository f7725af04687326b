//! The runtime commands: what each is called, who may use it, what it answers.
//!
//! Each family of commands is a file with a table; [`FAMILIES`] lists the tables, and `help` is made from them. Knows
//! no connection: the engine reads lines and writes replies. Source: management manual §9.3; shapes of replies
//! observed on 2.6.12.

mod absent;
mod addresses;
mod backends;
mod counters;
mod dynamic;
mod events;
mod frontends;
mod help;
mod names;
mod nothing;
mod old;
mod patterns;
mod peers;
mod process;
mod rates;
mod rebalance;
mod resolvers;
mod servers;
mod session_lines;
mod sessions;
mod show;
mod table_lines;
mod tables;
mod talk;
mod variables;
mod weights;

pub use self::old::Elder;

use std::sync::{Arc, OnceLock};

use super::figures::Memory;
use super::stats::Process;
use super::{Background, Identity};
use crate::ir::{AdminLevel, Level};
use crate::pool::{Commands, Control, Events, Journal, Pool, Reply, SessionInfo};
use crate::units::Tick;

/// The tables of all families, in the order of `help`.
const FAMILIES: &[&[Command]] = &[
    help::COMMANDS,
    talk::COMMANDS,
    show::COMMANDS,
    resolvers::COMMANDS,
    peers::COMMANDS,
    process::COMMANDS,
    backends::COMMANDS,
    events::COMMANDS,
    counters::COMMANDS,
    frontends::COMMANDS,
    rates::COMMANDS,
    servers::COMMANDS,
    weights::COMMANDS,
    rebalance::COMMANDS,
    dynamic::COMMANDS,
    sessions::COMMANDS,
    tables::COMMANDS,
    patterns::COMMANDS,
    variables::COMMANDS,
    old::COMMANDS,
    nothing::COMMANDS,
    absent::COMMANDS,
];

/// The commands of a process.
pub struct Console {
    pool: Arc<Pool>,
    journal: Arc<dyn Journal>,
    identity: Identity,
    background: Background,
    process: Process,
    control: OnceLock<Arc<dyn Control>>,
    elders: OnceLock<Arc<Elders>>,
    memory: OnceLock<Arc<Memory>>,
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

fn denied() -> Reply {
    wrong("Permission denied")
}

fn commands() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().copied().flatten()
}

impl Console {
    /// The commands of the process that has this state; `journal` tells how many log lines it lost.
    pub fn new(pool: Arc<Pool>, journal: Arc<dyn Journal>, identity: Identity) -> Self {
        let (background, process) = (Background::default(), Process::default());
        let (control, elders, memory) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { pool, journal, identity, background, process, control, elders, memory }
    }

    /// The same, with what is known of the process's start.
    pub fn with(self, background: Background) -> Self {
        Self { background, ..self }
    }

    /// Gives it the running engine, which orders need. Only the first call counts.
    pub fn attach(&self, control: Arc<dyn Control>) {
        let _ = self.control.set(control);
    }

    /// Gives it who knows the old processes. Only the first call counts.
    pub fn attach_elders(&self, elders: Arc<Elders>) {
        let _ = self.elders.set(elders);
    }

    /// Gives it what tells the process's memory. Only the first call counts.
    pub fn measure(&self, memory: Arc<Memory>) {
        let _ = self.memory.set(memory);
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
}

/// The words of a command; a backslash takes from the byte behind it its meaning.
fn words(command: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => all.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}

impl Commands for Console {
    fn run(&self, command: &str, payload: Option<&str>, level: AdminLevel) -> Reply {
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let known = commands().filter(|known| words.starts_with(known.words)).max_by_key(|known| known.words.len());
        match known {
            Some(known) if known.level > level => denied(),
            // The list of rings is everybody's, what they hold is not.
            Some(known) if known.words == ["show", "events"] && words.len() > 2 && level < AdminLevel::Operator => {
                denied()
            }
            // Who may not look into tables is told first that there is no such table.
            Some(known) if known.words.get(1) == Some(&"table") && level < AdminLevel::Operator => {
                self.table_command_of_user(known, &words[2..])
            }
            Some(known) if known.words == ["show", "cli", "level"] => {
                Reply::Remark(Level::Info, format!("{}\n", level.name()))
            }
            Some(known) => {
                let args = &words[known.words.len()..];
                let with = payload.and_then(|payload| patterns::with_payload(self, known, args, payload));
                with.unwrap_or_else(|| (known.run)(self, args))
            }
            None => help::unknown(&words),
        }
    }
    fn list(&self, session: &SessionInfo, detailed: bool, out: &mut String) {
        if detailed {
            session_lines::all(&self.pool, session, self.background.local_offset, out);
        } else {
            session_lines::one(&self.pool, session, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{ProxyIx, ProxyKind, ServerIx};
    use crate::pool::{Later, SessionsAsked};
    use crate::report::testing;
    use crate::units::{Millis, Tick};

    struct Idle;

    impl Control for Idle {
        fn yield_listeners(&self, _: bool) {}
        fn close(&self, _: crate::pool::Closing, _: crate::pool::Cause) {}
        fn pause(&self, _: Option<ProxyIx>) {}
        fn stop(&self, _: ProxyIx) {}
        fn servers_changed(&self) {}
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
        match console().run(command, None, AdminLevel::User) {
            Reply::Text(text) | Reply::Remark(_, text) => text,
            Reply::Pieces(report) => testing::told(report),
            other => format!("{other:?}"),
        }
    }

    /// What an administrator is answered; an engine that has nothing to do runs.
    fn obeyed(console: &Console, command: &str) -> String {
        match console.run(command, None, AdminLevel::Admin) {
            Reply::Text(text) | Reply::Remark(_, text) => text,
            Reply::Pieces(report) => testing::told(report),
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
            ("show stat typed desc", "F.2.0.0.pxname.1:KNS:str:web:\"Name of the proxy\"\n"),
            ("show stat json typed", "F.2.0.0.pxname.1:KNS:str:web\n"), // the last one counts
            ("show stat typed json", "[[{"),
            ("show info typed float", "0.Name.1:POS:str:HAProxy\n"),
            ("show schema json", "{\"$schema\":"),
            ("show stat nothere 1 1", "No such proxy.\n"),
            ("show stat 0 1 1", "No such proxy.\n"),
            ("show stat domain", "Invalid statistics domain.\n"),
            ("show stat domain dns", "Invalid statistics domain.\n"),
            ("show baton", "Sessions_taken: 0\nLost_log_lines: 7\n"),
            ("show servers state", "1\n# be_id be_name srv_id"),
            ("show servers state nothere", "Can't find backend.\n"),
            ("show version", "3.4.0-baton0\n"),
            ("set timeout cli 30s", "Timeout(Millis(30000))"),
            ("set timeout cli 1m", "Timeout(Millis(60000))"),
            ("set timeout cli x", "Invalid timeout value.\n"),
            ("set timeout cli 0", "Invalid timeout value.\n"),
            ("help", "Commands at this level:\n  abort ssl ca-file <cafile>              : "),
            ("help show stat", "Commands at this level:\n  show stat "),
            ("help nonsense", "Commands at this level:\n  abort ssl"),
            ("", "Unknown command. These are known:\n"), // haproxy lists its commands here too
            ("show", "Unknown command; these come near:\n  show "),
            ("show\\ version", "Unknown command"), // one word
            ("sh\\ow ver\\sion", "3.4.0-baton0\n"),
            ("show env", "Permission denied\n"),
            ("operator", "Permission denied\n"),
            ("user", "Level(User)"),
            ("shutdown sessions server web/one", "Permission denied\n"), // of a user
            ("set severity-output string", "Severity(Text)"),
            ("set severity-output loud", "'none'"),
            ("prompt", "Prompt(Toggled)"),
            ("prompt i", "Prompt(Silent)"),
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
            ("show stat #2 1 -1", vec!["web/FRONTEND"]),
            ("show stat 2x 1x -1", vec!["web/FRONTEND"]), // what stands behind the digits does not count
            ("show stat -2 1 -1", vec![]),
            ("show stat web 4 one", vec![]), // no name: 0
            ("show stat -1 x -1", vec![]),
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
            ("show sess older", "An age is needed, in seconds or with its unit.\n"),
            ("show sess older x", "This is no age.\n"),
            ("show sess server web", "A server is named as 'backend/server'.\n"),
            ("show sess susp", "No session is judged suspicious here.\n"),
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
            ("set server web/one check-port 5", "health checks are not enabled on this server\n"),
            ("set server web/one agent-send x", "No agent of this server is asked.\n"),
            ("set server web/one fqdn a.test", "The address of server 'one' is not looked up at run time.\n"),
            (
                "set server web/one ssl on",
                "TLS to servers is missing in this version: it cannot be switched on or off.\n",
            ),
            ("set rate-limit sessions global 5", "Done"),
            ("clear counters", "Done"),
            ("clear counters all", "Done"),
        ] {
            assert_eq!(obeyed(&console, command), want, "{command}");
        }
    }

    #[test]
    fn sessions_that_are_asked_for() {
        let console = console();
        let none = SessionsAsked::default();
        let web = Some(ProxyIx(0));
        for (command, want) in [
            ("show sess", none),
            ("show sess foo", none), // as haproxy
            ("show sess all", SessionsAsked { detailed: true, ..none }),
            ("show sess 0x1f", SessionsAsked { only: Some(31), detailed: true, ..none }),
            ("show sess older 2m", SessionsAsked { older: Millis::new(120_000), ..none }),
            ("show sess all older 5", SessionsAsked { older: Millis::new(5000), detailed: true, ..none }),
            ("show sess frontend web", SessionsAsked { frontend: web, ..none }),
            ("show sess backend #3", SessionsAsked { backend: Some(ProxyIx(1)), ..none }),
            ("show sess server web/two", SessionsAsked { backend: web, server: Some(ServerIx(1)), ..none }),
        ] {
            match console.run(command, None, AdminLevel::Operator) {
                Reply::Sessions(asked) => assert_eq!(asked, want, "{command}"),
                other => panic!("{command}: {other:?}"),
            }
        }
    }

    /// Each command stands once in the tables.
    #[test]
    fn every_command_is_found() {
        for (ix, command) in commands().enumerate() {
            let first = commands().position(|other| command.words == other.words);
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
                let mut reply = console.run(&command, Some(tail), AdminLevel::Admin);
                if let Reply::Aside(Later(run)) | Reply::Restricted(_, Later(run)) = reply {
                    reply = run();
                }
                assert!(!matches!(reply, Reply::Text(text) if text.is_empty()), "{command:?}");
            }
        });
    }
}
