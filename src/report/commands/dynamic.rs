//! `add server`, `del server`, and `wait`, which waits until a server may be deleted.
//!
//! Source: management manual §9.3 (`wait`: of 3.0); what is taken and told observed on 2.6.12 (`fixtures/commands/added.txt`).

use std::sync::Arc;

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, Level, TrackRef};
use crate::pool::{AddRefusal, DeleteRefusal, Look, Reply};
use crate::units::Millis;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["add", "server"],
        usage: "<backend>/<server> <address> [<option>]*",
        help: "a new server, in maintenance, until the process ends",
        level: AdminLevel::Admin,
        run: |console, args| console.add_server(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["del", "server"],
        usage: "<backend>/<server>",
        help: "a server that is in maintenance and has no sessions goes",
        level: AdminLevel::Admin,
        run: |console, args| console.delete_server(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["wait"],
        usage: "<time> [srv-removable <backend>/<server>]",
        help: "wait so long, or until the server may be deleted",
        level: AdminLevel::User,
        run: |console, args| console.wait(args).unwrap_or_else(|reply| reply),
    },
];

/// What `wait -h` says.
const WAIT: &str = "wait <time> waits so long (milliseconds, or a number with a unit: us, ms, s, m, h, d).\n\
                    wait <time> srv-removable <backend>/<server> waits at most so long until 'del server' would take it.\n";

impl Console {
    fn add_server(&self, args: &[&str]) -> Result<Reply, Reply> {
        let parts = args.first().and_then(|word| word.split_once('/'));
        let Some((backend, name)) = parts.filter(|(backend, name)| !backend.is_empty() && !name.is_empty()) else {
            return Err(wrong("A server is named as 'backend/server'."));
        };
        let (proxy, _) = self.back(Some(&backend))?;
        let control = self.control()?;
        match self.pool.add_server(proxy, name, &args[1..], self.now()) {
            Ok(_) => {
                control.servers_changed();
                Ok(Reply::Remark(Level::Info, "New server registered.\n".into()))
            }
            Err(AddRefusal::Line(why)) => Err(wrong(&format!("'server {backend}/{name}' : {why}"))),
            Err(why) => Err(wrong(&why.to_string())),
        }
    }

    fn delete_server(&self, args: &[&str]) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        self.control()?;
        let at = TrackRef { proxy: server.proxy, server: server.ix };
        match self.pool.delete_server(at, self.now()) {
            Ok(()) => Ok(Reply::Remark(Level::Info, "Server deleted.\n".into())),
            Err(why) => Err(wrong(&why.to_string())),
        }
    }

    fn wait(&self, args: &[&str]) -> Result<Reply, Reply> {
        if args.iter().take(2).any(|word| *word == "-h") {
            return Ok(Reply::Remark(Level::Info, WAIT.into()));
        }
        let time = args.first().ok_or_else(|| wrong("A time is needed; 'wait -h' says more."))?;
        let time = Millis::parse(time.as_bytes()).map_err(|why| wrong(&format!("'{time}' is not a time: {why}")))?;
        let Some(condition) = args.get(1) else {
            return Ok(Reply::Wait(time, Look(Box::new(|late| late.then_some(Reply::Done)))));
        };
        if *condition != "srv-removable" {
            return Err(wrong("A condition is 'srv-removable'; 'wait -h' says more."));
        }
        let server = self.server(args.get(2))?;
        let at = TrackRef { proxy: server.proxy, server: server.ix };
        let pool = Arc::clone(&self.pool);
        Ok(Reply::Wait(
            time,
            Look(Box::new(move |late| match pool.check_deletion(at) {
                Ok(()) => Some(Reply::Remark(Level::Info, "Done.\n".into())),
                // Time helps with sessions alone.
                Err(DeleteRefusal::Busy) if !late => None,
                Err(DeleteRefusal::Busy) => Some(wrong("The time is up, and the server still has sessions.")),
                Err(why) => Some(wrong(&why.to_string())),
            })),
        ))
    }
}
