//! `show resolvers`, `show stat domain resolvers`. Source: management manual §9.3; shape and order observed on 2.6.12.

use std::fmt::Write;

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, ResolversIx};
use crate::pool::resolution::NameserverState;
use crate::pool::{Pool, Reply};
use crate::report::stats::Form;

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

/// A value as JSON has it.
fn json(position: usize, name: &str, value: &str) -> serde_json::Value {
    let (origin, kind) = if position < 2 { ("Config", "str") } else { ("Metric", "u64") };
    let shown =
        value.parse::<u64>().ok().filter(|_| position >= 2).map_or_else(|| value.into(), serde_json::Value::from);
    serde_json::json!({
        "field": {"pos": position, "name": name},
        "tags": {"origin": origin, "nature": "Gauge", "scope": "Process"},
        "value": {"type": kind, "value": shown},
    })
}

/// All name servers of all sections, as statistics: which are shown cannot be chosen.
pub(super) fn statistics(pool: &Pool, form: Form) -> Reply {
    let mut out = String::new();
    let mut all = Vec::new();
    let names = |counters: [(&'static str, u64); 15]| {
        let counted = counters.into_iter().map(|(name, _)| if name == "snd_error" { "send_error" } else { name });
        ["id", "pid"].into_iter().chain(counted)
    };
    if form == Form::Csv {
        out.push_str("# ");
        names(counters(&NameserverState::default())).for_each(|name| out = std::mem::take(&mut out) + name + ",");
        out.push('\n');
    }
    for (ix, section) in (0..).map(ResolversIx).zip(&pool.config.global.resolvers) {
        for (server, state) in section.nameservers.iter().zip(pool.resolution.nameservers(ix)) {
            let counted = counters(state);
            let own = [server.name.clone(), section.name.clone()];
            let values = own.into_iter().chain(counted.map(|(_, value)| value.to_string()));
            let row: Vec<_> = names(counted).zip(values).collect();
            let places = || row.iter().enumerate();
            match form {
                Form::Csv => {
                    row.iter().for_each(|(_, value)| out = std::mem::take(&mut out) + value + ",");
                    out.push('\n');
                }
                Form::Typed { described } => places().for_each(|(position, (name, value))| {
                    let tags = if position < 2 { "CGP:str" } else { "MGP:u64" };
                    let meaning = if described { format!(":\"{}\"", MEANINGS[position]) } else { String::new() };
                    // Writing to a String cannot fail.
                    let _ = writeln!(out, "N.{position}.{name}:{tags}:{value}{meaning}");
                }),
                Form::Json => all.push(places().map(|(at, (name, value))| json(at, name, value)).collect::<Vec<_>>()),
            }
        }
    }
    if form == Form::Json {
        out = serde_json::Value::from(all).to_string() + "\n";
    }
    if out.is_empty() { Reply::Done } else { Reply::Text(out) }
}

/// What the values mean.
const MEANINGS: [&str; 17] = [
    "Name of the name server",
    "Name of its section",
    "Questions put to it",
    "Questions that could not be sent",
    "Answers with what was asked for",
    "Answers that changed a server",
    "Always 0",
    "Answers that lead to another name and say nothing of that",
    "Answers without a record",
    "Answers that there is no such name",
    "Always 0",
    "Answers that it refuses to tell",
    "Answers with another error",
    "Answers that answer something else, or cannot be read",
    "Answers longer than accepted",
    "Answers that were cut short",
    "Answers that nobody waited for",
];

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
