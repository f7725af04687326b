//! `show resolvers`. Source: management manual §9.3; shape and order observed on 2.6.12.

use std::fmt::Write;

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, ResolversIx};
use crate::pool::Reply;
use crate::pool::resolution::NameserverState;

pub(super) const COMMANDS: &[Command] = &[Command {
    words: &["show", "resolvers"],
    usage: "[<section>]",
    help: "what name servers were asked and said",
    level: AdminLevel::User,
    run: |console, args| console.show_resolvers(args.first().copied()),
}];

impl Console {
    fn show_resolvers(&self, section: Option<&str>) -> Reply {
        let sections = (0..).map(ResolversIx).zip(&self.pool.config.global.resolvers);
        let mut shown = sections.filter(|(_, known)| section.is_none_or(|name| name == known.name)).peekable();
        if shown.peek().is_none() {
            return match section {
                Some(_) => wrong("Can't find that resolvers section"),
                None => Reply::Done,
            };
        }
        let mut out = String::new();
        for (ix, known) in shown {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "Resolvers section {}", known.name);
            for (server, state) in known.nameservers.iter().zip(self.pool.resolution.nameservers(ix)) {
                let _ = writeln!(out, " nameserver {}:", server.name);
                for (name, value) in counters(state) {
                    let _ = writeln!(out, "  {:<13}{value}", format!("{name}:"));
                }
            }
        }
        Reply::Text(out)
    }
}

/// All counters in order. haproxy has two that never count: names that stand for others, and times that are over.
fn counters(state: &NameserverState) -> [(&'static str, u64); 15] {
    [
        ("sent", state.sent.get()),
        ("snd_error", state.send_errors.get()),
        ("valid", state.valid.get()),
        ("update", state.updates.get()),
        ("cname", 0),
        ("cname_error", state.alias_errors.get()),
        ("any_err", state.empty.get()),
        ("nx", state.nx.get()),
        ("timeout", 0),
        ("refused", state.refused.get()),
        ("other", state.other.get()),
        ("invalid", state.invalid.get()),
        ("too_big", state.too_big.get()),
        ("truncated", state.truncated.get()),
        ("outdated", state.outdated.get()),
    ]
}
