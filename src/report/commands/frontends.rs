//! Orders to frontends: disable, enable, shut down, limit.

use std::sync::atomic::Ordering::Relaxed;

use super::names::Front;
use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, Level, ProxyKind};
use crate::pool::Reply;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["disable", "frontend"],
        usage: "<frontend>",
        help: "accept nothing until it is enabled",
        level: AdminLevel::Admin,
        run: |console, args| console.disable(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["enable", "frontend"],
        usage: "<frontend>",
        help: "accept again",
        level: AdminLevel::Admin,
        run: |console, args| console.enable(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["set", "maxconn", "frontend"],
        usage: "<frontend> <number>",
        help: "sessions that it may have at once",
        level: AdminLevel::Admin,
        run: |console, args| console.limit_frontend(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["shutdown", "frontend"],
        usage: "<frontend>",
        help: "close its addresses for good",
        level: AdminLevel::Admin,
        run: |console, args| console.shut(args).unwrap_or_else(|reply| reply),
    },
];

/// Not an error: what was ordered is so already, or cannot be any more.
fn needless(text: &str) -> Reply {
    Reply::Remark(Level::Notice, format!("{text}\n"))
}

impl Front<'_> {
    fn is_shut(&self) -> bool {
        self.state.stopped.load(Relaxed)
    }
}

impl Console {
    /// Logs what became of a frontend; haproxy calls a `listen` a proxy.
    fn tell_of(&self, front: &Front<'_>, what: &str) {
        let word = if front.proxy.kind == ProxyKind::Listen { "proxy" } else { "frontend" };
        let line = format!("{what} {word} {}.", front.proxy.name);
        self.journal.event(Some(front.ix), Level::Warning, &line);
    }

    fn disable(&self, args: &[&str]) -> Result<Reply, Reply> {
        let front = self.front(args.first())?;
        if front.is_shut() {
            return Err(needless("This frontend was shut down: it cannot be disabled."));
        }
        if front.state.paused.load(Relaxed) {
            return Err(needless("This frontend is disabled already."));
        }
        self.control()?.pause(Some(front.ix));
        self.tell_of(&front, "Paused");
        Ok(Reply::Done)
    }

    fn enable(&self, args: &[&str]) -> Result<Reply, Reply> {
        let front = self.front(args.first())?;
        if front.is_shut() {
            return Err(wrong("This frontend was shut down: it cannot be enabled again."));
        }
        if !front.state.paused.load(Relaxed) {
            return Err(needless("This frontend is enabled already."));
        }
        let control = self.control()?;
        control.resume(Some(front.ix));
        let deaf = control.deaf();
        if deaf > 0 {
            return Err(wrong(&format!("It stays disabled: {deaf} of its addresses cannot be listened on again.")));
        }
        self.tell_of(&front, "Resumed");
        Ok(Reply::Done)
    }

    fn shut(&self, args: &[&str]) -> Result<Reply, Reply> {
        let front = self.front(args.first())?;
        if front.is_shut() {
            return Err(needless("This frontend was shut down before."));
        }
        self.control()?.stop(front.ix);
        let fronts = front.state.sessions_total.get();
        let backs = self.pool.back(front.ix).map_or(0, |back| back.sessions_total.get());
        let line = format!("Proxy {} stopped (cumulated conns: FE: {fronts}, BE: {backs}).", front.proxy.name);
        self.journal.event(Some(front.ix), Level::Warning, &line);
        Ok(Reply::Done)
    }

    fn limit_frontend(&self, args: &[&str]) -> Result<Reply, Reply> {
        let front = self.front(args.first())?;
        let number =
            args.get(1).and_then(|word| word.parse::<u32>().ok()).filter(|number| i32::try_from(*number).is_ok());
        let number = number.ok_or_else(|| wrong("A number of sessions is needed."))?;
        if number > 0 {
            front.state.maxconn.store(number, Relaxed);
        }
        front.state.barred.store(number == 0, Relaxed);
        self.control()?.make_room();
        Ok(Reply::Done)
    }
}
