//! The commands about the conversation itself: prompt, rights, modes, time limit, form of remarks.

use super::{Command, wrong};
use crate::ir::{AdminLevel, SeverityOutput};
use crate::pool::{Freedom, Later, Manner, Reply};
use crate::units::{Millis, Seconds};

pub(super) const COMMANDS: &[Command] = &[
    Command { words: &["_getsocks"], usage: "", help: "", level: AdminLevel::User, run: |_, _| Reply::Sockets },
    Command {
        words: &["prompt"],
        usage: "[n|i|p]",
        help: "toggle interactive mode, or set it: none, silent, with a prompt",
        level: AdminLevel::User,
        run: |_, args| {
            Reply::Prompt(match args.first() {
                Some(&"n") => Manner::OneLine,
                Some(&"i") => Manner::Silent,
                Some(&"p") => Manner::Prompts,
                _ => Manner::Toggled,
            })
        },
    },
    Command { words: &["quit"], usage: "", help: "disconnect", level: AdminLevel::User, run: |_, _| Reply::Quit },
    Command {
        words: &["operator"],
        usage: "",
        help: "give up the rights above an operator's",
        level: AdminLevel::Operator,
        run: |_, _| Reply::Level(AdminLevel::Operator),
    },
    Command {
        words: &["user"],
        usage: "",
        help: "give up the rights above a user's",
        level: AdminLevel::User,
        run: |_, _| Reply::Level(AdminLevel::User),
    },
    Command {
        words: &["expert-mode"],
        usage: "[on|off]",
        help: "", // as in haproxy, who needs it knows it
        level: AdminLevel::Admin,
        run: |_, args| Reply::Freedom(Freedom::Expert, wanted(args)),
    },
    Command {
        words: &["experimental-mode"],
        usage: "[on|off]",
        help: "",
        level: AdminLevel::Admin,
        run: |_, args| Reply::Freedom(Freedom::Experimental, wanted(args)),
    },
    Command {
        words: &["debug", "dev"],
        usage: "<what>",
        help: "",
        level: AdminLevel::Admin,
        run: |_, _| expert("There are no commands for developers here."),
    },
    Command {
        words: &["httpclient"],
        usage: "<method> <URI>",
        help: "",
        level: AdminLevel::Admin,
        run: |_, _| expert("There is no HTTP client here."),
    },
    Command {
        words: &["set", "severity-output"],
        usage: "[none|number|string]",
        help: "how replies say how grave they are",
        level: AdminLevel::User,
        run: |_, args| match args.first() {
            Some(&"none") => Reply::Severity(SeverityOutput::None),
            Some(&"number") => Reply::Severity(SeverityOutput::Number),
            Some(&"string") => Reply::Severity(SeverityOutput::Text),
            _ => wrong("'none', 'number' or 'string' is needed here"),
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
        words: &["set", "timeout"],
        usage: "[cli] <delay>",
        help: "idle time after which this session ends",
        level: AdminLevel::User,
        run: |_, args| match args {
            ["cli"] => wrong("A time is needed, in seconds or with its unit."),
            ["cli", time, ..] => timeout(time),
            _ => wrong("Only 'set timeout cli' can be set."),
        },
    },
];

/// A command of experts that says no more than this.
fn expert(text: &'static str) -> Reply {
    Reply::Restricted(Freedom::Expert, Later(Box::new(move || wrong(text))))
}

/// What is asked for of a mode; words that say neither are passed over, and end it.
fn wanted(args: &[&str]) -> Option<bool> {
    args.first().map(|word| *word == "on")
}

fn timeout(text: &str) -> Reply {
    match Seconds::parse(text.as_bytes()) {
        Ok(time) if time.get() > 0 => Reply::Timeout(Millis::seconds(time.get())),
        _ => wrong("Invalid timeout value."),
    }
}
