//! What the master answers to commands, and how it finds the process that a prefix names.
//!
//! Source: management guide §9.4; columns, prompts and rights as observed on 2.6.12; the answer to `reload` is that of 2.7.

use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::Master;
use super::state::{Kind, Member};
use crate::ir::AdminLevel;
use crate::process::version;
use crate::sys::passing;

/// Where a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Master,
    /// The process of this pid.
    Worker(i32),
}

/// What the master says to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Text(String),
    /// The client's rights are no more than these from now on.
    Lower(AdminLevel),
    Prompt,
    Quit,
    /// `hard`: old workers end at once.
    Reload {
        hard: bool,
    },
}

/// What a terminal asks of the master.
pub(super) trait House {
    /// The answer to a command for the master itself.
    fn answer(&self, command: &str, level: AdminLevel) -> Answer;
    /// The process that a prefix names, without its `@`.
    fn find(&self, name: &str) -> Option<Target>;
    /// A connection for commands of a worker, which does not block.
    ///
    /// # Errors
    /// `NotFound` when it is no worker of ours; EPIPE when it takes no commands any more.
    fn connect(&self, pid: i32, level: AdminLevel) -> io::Result<OwnedFd>;
    /// What an interactive session shows.
    fn prompt(&self, target: Target) -> String;
}

/// Words, rights, what it does.
const COMMANDS: &[(&str, AdminLevel, &str)] = &[
    ("@!<pid>", AdminLevel::User, "send a command to the process of that number"),
    ("@<relative pid>", AdminLevel::User, "send a command to the current worker: @1"),
    ("@@<relative pid>", AdminLevel::User, "talk with a worker alone from now on"),
    ("@master", AdminLevel::User, "send a command to the master"),
    ("operator", AdminLevel::Operator, "give the rights of an admin up"),
    ("reload", AdminLevel::Operator, "read the configuration again; tells how that went"),
    ("hard-reload", AdminLevel::Operator, "the same, and old workers end at once"),
    ("show cli level", AdminLevel::User, "the rights of this session"),
    ("show cli sockets", AdminLevel::User, "the sockets of this kind that the master itself has"),
    ("show proc", AdminLevel::User, "the processes, old ones too"),
    ("show startup-logs", AdminLevel::User, "what was said at the last load"),
    ("show version", AdminLevel::User, "the version of the master"),
    ("user", AdminLevel::User, "give all rights up but those of a user"),
    ("help", AdminLevel::User, "list all commands, or those that start so"),
    ("prompt", AdminLevel::User, "toggle interactive mode"),
    ("quit", AdminLevel::User, "disconnect"),
];

impl House for Master<'_> {
    fn answer(&self, command: &str, level: AdminLevel) -> Answer {
        let words: Vec<&str> = command.split_ascii_whitespace().collect();
        let known = |(text, ..): &&(&str, AdminLevel, &str)| words.starts_with(&text.split(' ').collect::<Vec<_>>());
        let Some((text, least, _)) = COMMANDS.iter().find(known) else {
            return Answer::Text(format!("There is no such command. The master knows:\n{}", help(&[], level)));
        };
        if *least > level {
            return Answer::Text("Permission denied\n".into());
        }
        match *text {
            "operator" => Answer::Lower(AdminLevel::Operator),
            "user" => Answer::Lower(AdminLevel::User),
            "reload" => Answer::Reload { hard: false },
            "hard-reload" => Answer::Reload { hard: true },
            "show cli level" => Answer::Text(
                match level {
                    AdminLevel::User => "user\n",
                    AdminLevel::Operator => "operator\n",
                    AdminLevel::Admin => "admin\n",
                }
                .into(),
            ),
            "show proc" => Answer::Text(self.processes()),
            "show startup-logs" => Answer::Text(self.logs.clone()),
            "show version" => Answer::Text(format!("{}\n", version::number())),
            "help" => Answer::Text(format!("Commands of the master:\n{}", help(&words[1..], level))),
            "prompt" => Answer::Prompt,
            "quit" => Answer::Quit,
            _ => Answer::Text(String::new()),
        }
    }

    fn find(&self, name: &str) -> Option<Target> {
        let workers = || self.state.members.iter().filter(|member| member.kind == Kind::Worker);
        match name {
            "" | "master" | "0" => Some(Target::Master),
            _ => match name.strip_prefix('!') {
                Some(pid) if pid.parse() == Ok(std::process::id()) => Some(Target::Master),
                Some(pid) => {
                    let pid: i32 = pid.parse().ok()?;
                    workers().find(|worker| worker.pid == pid).map(|worker| Target::Worker(worker.pid))
                }
                // There is one worker that serves: number 1.
                None if name == "1" => {
                    workers().rfind(|worker| worker.serves()).map(|worker| Target::Worker(worker.pid))
                }
                None => None,
            },
        }
    }

    fn connect(&self, pid: i32, level: AdminLevel) -> io::Result<OwnedFd> {
        let worker = self.state.members.iter().find(|member| member.pid == pid);
        let channel = worker.and_then(|worker| worker.channels.iter().find(|(rights, _)| *rights == level));
        let (_, channel) = channel.ok_or(io::ErrorKind::NotFound)?;
        let (near, far) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        passing::send_now(channel, &[0; 2], &[far.as_fd()])?;
        Ok(near)
    }

    fn prompt(&self, target: Target) -> String {
        match target {
            Target::Master if self.state.failed > 0 => "master[ReloadFailed]> ".to_owned(),
            Target::Master => "master> ".to_owned(),
            Target::Worker(pid) => format!("{pid}> "),
        }
    }
}

/// The commands that start with these words.
fn help(words: &[&str], level: AdminLevel) -> String {
    let mut out = String::new();
    let starts = |text: &str| words.iter().zip(text.split(' ')).all(|(a, b)| *a == b);
    for (text, _, what) in COMMANDS.iter().filter(|(text, least, _)| *least <= level && starts(text)) {
        let _ = writeln!(out, "  {text:<39} : {what}"); // writing to a String cannot fail
    }
    out
}

impl Master<'_> {
    /// `show proc`: the columns of haproxy.
    fn processes(&self) -> String {
        let now = super::now();
        let mut out = String::new();
        let mut row = |pid: &str, kind: &str, reloads: &str, since: &str, version: &str| {
            let _ = writeln!(out, "{pid:<15} {kind:<15} {reloads:<15} {since:<15} {version:<15}");
        };
        row("#<PID>", "<type>", "<reloads>", "<uptime>", "<version>");
        let state = &self.state;
        let failed = format!("{} [failed: {}]", state.reloads, state.failed);
        let me = std::process::id().to_string();
        row(&me, "master", &failed, &uptime(now.saturating_sub(state.started)), &version::number());
        type Rows<'a> = (&'a str, bool, fn(&Member) -> bool);
        let sections: [Rows<'_>; 4] = [
            ("# workers", true, |member| member.serves()),
            ("# old workers", false, |member| member.kind == Kind::Worker && member.former),
            ("# programs", true, |member| member.kind != Kind::Worker && !member.former),
            ("# old programs", false, |member| member.kind != Kind::Worker && member.former),
        ];
        for (title, always, of) in sections {
            let members: Vec<&Member> = state.members.iter().filter(|member| of(member)).collect();
            if always || !members.is_empty() {
                let _ = writeln!(out, "{title}");
            }
            for member in members {
                let kind = match &member.kind {
                    Kind::Worker => "worker",
                    Kind::Program(name) => name,
                };
                let since = uptime(now.saturating_sub(member.started));
                let (pid, reloads) = (member.pid, member.reloads);
                let _ = writeln!(out, "{pid:<15} {kind:<15} {reloads:<15} {since:<15} {:<15}", member.version);
            }
        }
        out
    }
}

/// `0d00h02m07s`.
fn uptime(seconds: u64) -> String {
    format!("{}d{:02}h{:02}m{:02}s", seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptimes_have_haproxys_shape() {
        for (seconds, text) in [(0, "0d00h00m00s"), (127, "0d00h02m07s"), (200_000, "2d07h33m20s")] {
            assert_eq!(uptime(seconds), text);
        }
        assert!(help(&["show"], AdminLevel::User).lines().all(|line| line.starts_with("  show ")));
        assert!(!help(&[], AdminLevel::User).contains("reload"));
    }
}
