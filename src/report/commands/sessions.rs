//! `show sess` and the orders that end sessions.
//!
//! A session is named by its number, in hexadecimal behind `0x` as `show sess` shows it. Which ones are listed: all, one
//! of a number, and as in haproxy 3.x those of an age, a frontend, a backend, a server.

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, Level};
use crate::pool::{Cause, Closing, Reply, SessionsAsked};
use crate::units::{Millis, Seconds};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["show", "sess"],
        usage: "[<id>|all|older <age>|...]*",
        help: "live sessions, or all that is known of one or of all; also: frontend, backend, server <name>",
        level: AdminLevel::Operator,
        run: |console, args| console.asked(args).map_or_else(|reply| reply, Reply::Sessions),
    },
    Command {
        words: &["shutdown", "session"],
        usage: "<id>",
        help: "end one session",
        level: AdminLevel::Admin,
        run: |_, args| match args.first().and_then(|word| id(word)) {
            Some(id) => Reply::EndSession(id),
            None => Reply::Remark(Level::Err, "A session is named as in 'show sess'.\n".into()),
        },
    },
    Command {
        words: &["shutdown", "sessions", "server"],
        usage: "<backend>/<server>",
        help: "end all sessions of a server",
        level: AdminLevel::Admin,
        run: |console, args| console.end_sessions(args).unwrap_or_else(|reply| reply),
    },
];

/// The number that a word says; `None` for 0 and what is no number.
fn id(word: &str) -> Option<u64> {
    let number = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    number.ok().filter(|id| *id > 0)
}

impl Console {
    /// Which sessions the words ask for. A first word that says nothing is passed over, as in haproxy.
    ///
    /// # Errors
    /// What to answer: an option without its value, something that is not there.
    fn asked(&self, args: &[&str]) -> Result<SessionsAsked, Reply> {
        let mut asked = SessionsAsked::default();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            match *word {
                "all" => asked.detailed = true,
                "older" => {
                    let age = words.next().ok_or_else(|| wrong("An age is needed, in seconds or with its unit."))?;
                    let age = Seconds::parse(age.as_bytes()).map_err(|_| wrong("This is no age."))?;
                    asked.older = Some(Millis::seconds(age.get()));
                }
                "frontend" => asked.frontend = Some(self.front(words.next())?.ix),
                "backend" => asked.backend = Some(self.back(words.next())?.0),
                "server" => {
                    let server = self.server(words.next())?;
                    (asked.backend, asked.server) = (Some(server.proxy), Some(server.ix));
                }
                "susp" => return Err(wrong("No session is judged suspicious here.")),
                word => {
                    if let Some(id) = id(word) {
                        (asked.only, asked.detailed) = (Some(id), true);
                    }
                    break;
                }
            }
        }
        Ok(asked)
    }

    fn end_sessions(&self, args: &[&str]) -> Result<Reply, Reply> {
        let server = self.server(args.first())?;
        let control = self.control.get().ok_or_else(|| wrong("The process does not serve yet."))?;
        control.close(Closing::Server(server.proxy, server.ix), Cause::Killed);
        Ok(Reply::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_have_numbers() {
        for (word, want) in
            [("0x1f", Some(31)), ("31", Some(31)), ("0", None), ("0x", None), ("1f", None), ("all", None), ("-1", None)]
        {
            assert_eq!(id(word), want, "{word}");
        }
    }
}
