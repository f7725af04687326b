//! `set rate-limit`: limits on rates of the whole process. Source: management manual §9.3; what is taken observed on 2.6.12.

use super::{Command, Console, wrong};
use crate::ir::AdminLevel;
use crate::pool::{Limited, Reply};

pub(super) const COMMANDS: &[Command] = &[Command {
    words: &["set", "rate-limit"],
    usage: "connections|sessions|ssl-sessions|http-compression global <number>",
    help: "limit per second of the process; 0: none",
    level: AdminLevel::Admin,
    run: |console, args| console.set_rate(args).unwrap_or_else(|reply| reply),
}];

impl Console {
    fn set_rate(&self, args: &[&str]) -> Result<Reply, Reply> {
        let of = match args {
            [word, "global", ..] => Limited::ALL.iter().find(|(_, name)| name == word),
            _ => None,
        };
        let (of, _) = of.ok_or_else(|| {
            wrong("A limit is 'connections', 'sessions', 'ssl-sessions' or 'http-compression', followed by 'global'.")
        })?;
        let number = args.get(2).and_then(|word| word.parse::<u32>().ok()).filter(|n| i32::try_from(*n).is_ok());
        self.pool.process.rates.set(*of, number.ok_or_else(|| wrong("A number per second is needed; 0: no limit."))?);
        self.control()?.make_room();
        Ok(Reply::Done)
    }
}
