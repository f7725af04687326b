//! The commands about the conversation itself: help, prompt, rights, time limit, form of remarks.

use super::Command;
use crate::ir::{AdminLevel, Level, SeverityOutput};
use crate::pool::Reply;

pub(super) const COMMANDS: &[Command] = &[
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
];
