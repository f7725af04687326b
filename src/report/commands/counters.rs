//! `clear counters` and the limit of the process.

use std::sync::atomic::Ordering::Relaxed;

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, Level};
use crate::pool::Reply;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["clear", "counters", "all"],
        usage: "",
        help: "forget all that was counted of proxies and servers",
        level: AdminLevel::Admin,
        run: |console, _| console.clear(true),
    },
    Command {
        words: &["clear", "counters"],
        usage: "[all]",
        help: "forget the highest values of proxies and servers",
        level: AdminLevel::Operator,
        run: |console, _| console.clear(false),
    },
    Command {
        words: &["set", "maxconn", "global"],
        usage: "<number>",
        help: "limit of the process; 0: the one it started with",
        level: AdminLevel::Admin,
        run: |console, args| console.set_maxconn(args).unwrap_or_else(|reply| reply),
    },
];

impl Console {
    fn clear(&self, all: bool) -> Reply {
        self.pool.clear_counters(all);
        Reply::Done
    }

    fn set_maxconn(&self, args: &[&str]) -> Result<Reply, Reply> {
        let process = &self.pool.process;
        let hard = process.hard_maxconn.load(Relaxed);
        let number = args.first().and_then(|word| word.parse::<u32>().ok());
        let wanted = match number.ok_or_else(|| wrong("A number of connections is needed."))? {
            0 => hard,
            wanted => wanted,
        };
        if wanted > hard {
            return Err(Reply::Remark(Level::Err, format!("The process cannot serve more than {hard} connections.\n")));
        }
        process.maxconn.store(wanted, Relaxed);
        self.control()?.make_room();
        Ok(Reply::Done)
    }
}
