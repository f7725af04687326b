//! `show info`, `show stat`, `show version`: what the process and its proxies do.

use std::sync::Arc;

use super::{Command, Console};
use crate::ir::{AdminLevel, Level};
use crate::pool::Reply;
use crate::report::server_states;
use crate::report::stats::{self, Form, Hide, Info, Selection, Style};

pub(super) const COMMANDS: &[Command] = &[
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
        let form = match () {
            () if has("json") => Form::Json,
            () if has("typed") => Form::Typed,
            () => Form::Csv,
        };
        Reply::Pieces(stats::report(form, Arc::clone(&self.pool), now, selection))
    }
}
