//! `help`, and what is answered to a command that nobody knows: those that may be meant, or all.
//!
//! As in haproxy all commands are listed, whatever the rights of the session. Which ones a wrong word means is our own
//! judgement: those that begin with the same words, and among them those whose next word is near.

use std::fmt::Write;

use super::{Command, commands};
use crate::ir::{AdminLevel, Level};
use crate::pool::Reply;

/// Those that end each list.
const LAST: [&str; 3] = ["help", "prompt", "quit"];
/// Changes that make two words the same, at most, for one to be taken for the other.
const NEAR: usize = 2;

pub(super) const COMMANDS: &[Command] = &[Command {
    words: &["help"],
    usage: "[<command>]",
    help: "these commands, or those that start so",
    level: AdminLevel::User,
    run: |_, args| {
        let listed = meant(args);
        let all = listed.is_empty();
        Reply::Remark(Level::Info, format!("Commands at this level:\n{}", lines(if all { every() } else { listed })))
    },
}];

/// What is answered to a command that is none.
pub(super) fn unknown(words: &[&str]) -> Reply {
    let listed = meant(words);
    Reply::Remark(
        Level::Info,
        match listed.is_empty() {
            true => format!("Unknown command. These are known:\n{}", lines(every())),
            false => format!("Unknown command; these come near:\n{}", lines(listed)),
        },
    )
}

fn shown() -> impl Iterator<Item = &'static Command> {
    commands().filter(|command| !command.help.is_empty())
}

fn every() -> Vec<&'static Command> {
    shown().collect()
}

/// The commands that these words may mean: that begin so, or nearly so.
fn meant(words: &[&str]) -> Vec<&'static Command> {
    if words.is_empty() {
        return Vec::new();
    }
    // As many of the first words as some commands begin with.
    let begin = |length: usize| shown().filter(move |command| agree(command, &words[..length]) == length);
    let known = (1..=words.len()).rev().find(|length| begin(*length).next().is_some());
    let Some(known) = known else {
        return nearest(every(), 0, words[0]);
    };
    let all: Vec<_> = begin(known).collect();
    let Some(next) = words.get(known) else { return all };
    if all.iter().any(|command| command.words.len() <= known) {
        return all; // the words are a whole command: what follows are its arguments
    }
    let few = nearest(all.clone(), known, next);
    if few.is_empty() { all } else { few }
}

/// Those whose word at a place begins with what was typed, or else is little else than it.
fn nearest(mut all: Vec<&'static Command>, at: usize, typed: &str) -> Vec<&'static Command> {
    let typed = typed.to_ascii_lowercase();
    if !typed.is_empty() && all.iter().any(|command| command.words[at].starts_with(&typed)) {
        all.retain(|command| command.words[at].starts_with(&typed));
    } else {
        all.retain(|command| near(command.words[at], &typed));
    }
    all
}

/// How many of the words a command begins with.
fn agree(command: &Command, words: &[&str]) -> usize {
    command.words.iter().zip(words).take_while(|(own, word)| own == word).count()
}

/// Whether a word is little else than another one.
fn near(own: &str, typed: &str) -> bool {
    distance(own.as_bytes(), typed.as_bytes()).is_some_and(|changes| changes <= NEAR && changes * 2 <= own.len())
}

/// Letters to be added, removed or changed; `None` if the lengths alone say that it is far.
fn distance(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.len().abs_diff(b.len()) > NEAR {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, left) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = line + 1;
        for (column, right) in b.iter().enumerate() {
            let change = corner + usize::from(left != right);
            corner = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(corner + 1);
        }
    }
    row.last().copied()
}

/// The lines of a list; those about the conversation stand last.
fn lines(mut listed: Vec<&'static Command>) -> String {
    let is_last = |command: &&Command| LAST.contains(&command.words[0]) && command.words.len() == 1;
    listed.retain(|command| !is_last(command));
    listed.sort_by_key(|command| command.words);
    let mut last = every();
    last.retain(is_last);
    let mut out = String::new();
    for command in listed.into_iter().chain(last) {
        let mut left = command.words.join(" ");
        if !command.usage.is_empty() {
            left = left + " " + command.usage;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {left:<40}: {}", command.help);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_commands() {
        for (typed, want) in [
            ("show sess", vec!["show sess"]),
            ("show sess 0x1", vec!["show sess"]), // arguments
            ("show sesss", vec!["show sess"]),
            ("show vers", vec!["show version"]),
            ("SHOW version", vec![]), // its first word is that of too many others
            ("quti", vec!["quit"]),
            ("zzzzzz", vec![]),
            ("", vec![]),
        ] {
            let words: Vec<&str> = typed.split_ascii_whitespace().collect();
            let found: Vec<String> = meant(&words).iter().map(|command| command.words.join(" ")).collect();
            if typed.starts_with("SHOW") {
                assert!(found.iter().all(|name| name.starts_with("show ")), "{found:?}");
                continue;
            }
            assert_eq!(found, want, "{typed:?}");
        }
        assert!(meant(&["show"]).len() > 10 && meant(&["show", "qqqqqq"]).len() > 10);
    }

    #[test]
    fn lists_end_with_the_conversation() {
        let text = lines(meant(&["show", "version"]));
        let heads: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(heads, ["show", "help", "prompt", "quit"]);
    }
}
