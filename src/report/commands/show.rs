//! `show info`, `show stat`, `show version`: what the process and its proxies do.

use std::sync::Arc;

use super::names::means;
use super::{Command, Console, resolvers};
use crate::ir::{AdminLevel, Level};
use crate::pool::Reply;
use crate::report::stats::{self, Form, Hide, Info, Selection, Style};
use crate::report::{figures, server_states};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["dump", "stats-file"],
        usage: "",
        help: "counters of all that has a guid, for 'stats-file'",
        level: AdminLevel::User,
        run: |console, _| match stats::stats_file(&console.pool) {
            file if file.is_empty() => Reply::Done,
            file => Reply::Text(file),
        },
    },
    Command {
        words: &["show", "baton"],
        usage: "",
        help: "figures that are baton's own",
        level: AdminLevel::User,
        run: |console, _| Reply::Text(figures::lines(&console.figures())),
    },
    Command {
        words: &["show", "info"],
        usage: "[desc|json|typed|float]*",
        help: "figures of the process",
        level: AdminLevel::User,
        run: Console::show_info,
    },
    Command {
        words: &["show", "schema", "json"],
        usage: "",
        help: "what the JSON of 'show info' and 'show stat' looks like",
        level: AdminLevel::User,
        run: |_, _| Reply::Text(format!("{}\n", stats::SCHEMA)),
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
        usage: "[domain proxy] [<proxy> <kinds> <server>] [json|typed|desc|up|no-maint]*",
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
    fn figures(&self) -> figures::Source<'_> {
        let memory = self.memory.get().and_then(|memory| memory());
        figures::Source { pool: &self.pool, now: self.now(), lost_logs: self.journal.lost(), memory }
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
        let has = |word: &str| args.contains(&word);
        if form(args) == Some("json") {
            return Reply::Text(info.json(has("float")) + "\n");
        }
        let typed = form(args).is_some();
        Reply::Text(info.lines(Style { described: has("desc"), typed, float: has("float") }))
    }

    fn show_stat(&self, args: &[&str]) -> Reply {
        let mut selection = Selection::default();
        let mut args = args;
        if let ["domain", rest @ ..] = args {
            match rest {
                ["proxy", rest @ ..] => args = rest,
                ["resolvers", rest @ ..] => {
                    let described = rest.contains(&"desc");
                    return resolvers::statistics(
                        &self.pool,
                        match form(rest) {
                            Some("json") => Form::Json,
                            Some(_) => Form::Typed { described },
                            None => Form::Csv,
                        },
                    );
                }
                _ => return Reply::Remark(Level::Err, "Invalid statistics domain.\n".into()),
            }
        }
        // Only three of them are a selection; haproxy takes fewer for unknown words, which it ignores. A word that is no
        // number counts as 0.
        if let [proxy, kinds, server, rest @ ..] = args {
            selection.proxy = match number(proxy) {
                -1 => None,
                0 => match self.pool.config.proxies.iter().find(|known| means(proxy, &known.name, known.id)) {
                    Some(known) => Some(known.id),
                    None => return Reply::Remark(Level::Err, "No such proxy.\n".into()),
                },
                id => Some(u32::try_from(id).unwrap_or_default()), // no proxy has the id 0
            };
            selection.kinds = number(kinds) as u32; // -1 is every kind
            selection.server = match number(server) {
                -1 => None,
                id => Some(u32::try_from(id).unwrap_or_default()), // nor has a server
            };
            args = rest;
        }
        let has = |word: &str| args.contains(&word);
        if has("up") {
            selection.hide = Hide::Down;
        } else if has("no-maint") {
            selection.hide = Hide::Maintenance;
        }
        let now = (self.identity.clock)();
        let form = match form(args) {
            Some("json") => Form::Json,
            Some(_) => Form::Typed { described: has("desc") },
            None => Form::Csv,
        };
        Reply::Pieces(stats::report(form, Arc::clone(&self.pool), now, selection))
    }
}

/// `json` or `typed`, whichever is said last.
fn form<'a>(args: &[&'a str]) -> Option<&'a str> {
    args.iter().rev().find(|word| matches!(**word, "json" | "typed")).copied()
}

/// The number that a word begins with; 0: it begins with none.
fn number(word: &str) -> i64 {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number: i64 = digits[..end].parse().unwrap_or_default();
    if word.starts_with('-') { -number } else { number }
}
