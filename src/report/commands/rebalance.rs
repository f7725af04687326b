//! `rebalance backend`, `show rebalance`: long sessions on their way to a server that has returned. Not of haproxy.

use std::fmt::Write as _;

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, ProxyIx};
use crate::pool::{MOST_RATE, MOST_TOLERANCE, RebalanceRule, Reply};

/// Percent that a server may have above its share where nothing is said.
const TOLERANCE: u32 = 5;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["rebalance", "backend"],
        usage: "<backend> off|rate <n> [tolerance <percent>] [on-up]",
        help: "end sessions above servers' shares, n a second",
        level: AdminLevel::Admin,
        run: |console, args| console.rebalance(args).unwrap_or_else(|reply| reply),
    },
    Command {
        words: &["show", "rebalance"],
        usage: "",
        help: "backends whose sessions are rebalanced",
        level: AdminLevel::User,
        run: |console, _| Reply::Text(console.show_rebalance()),
    },
];

/// The rule that these words say; `Some(None)`: none. `None`: they say nothing.
fn rule(words: &[&str]) -> Option<Option<RebalanceRule>> {
    let number = |word: &str, most: u32| word.parse::<u32>().ok().filter(|number| *number <= most);
    let mut words = words;
    let (mut rate, mut tolerance, mut on_up) = (None, None, false);
    if *words == ["off"] {
        return Some(None);
    }
    loop {
        words = match words {
            [] => break,
            ["rate", value, rest @ ..] if rate.is_none() => {
                rate = Some(number(value, MOST_RATE).filter(|rate| *rate > 0)?);
                rest
            }
            ["tolerance", value, rest @ ..] if tolerance.is_none() => {
                let value = value.strip_suffix('%').unwrap_or(value);
                tolerance = Some(number(value, MOST_TOLERANCE)?);
                rest
            }
            ["on-up", rest @ ..] if !on_up => {
                on_up = true;
                rest
            }
            _ => return None,
        };
    }
    Some(Some(RebalanceRule { rate: rate?, tolerance: tolerance.unwrap_or(TOLERANCE), on_up }))
}

impl Console {
    fn rebalance(&self, args: &[&str]) -> Result<Reply, Reply> {
        let (proxy, _) = self.back(args.first())?;
        let rule = rule(args.get(1..).unwrap_or_default());
        let rule =
            rule.ok_or_else(|| wrong("'off', or 'rate' and a number: sessions a second; 'tolerance', 'on-up'."))?;
        self.control()?;
        let events = self.pool.set_rebalance(proxy, rule, self.now()).map_err(|why| wrong(&why.to_string()))?;
        self.control()?.rebalance();
        self.announce(&events)
    }

    fn show_rebalance(&self) -> String {
        let mut out = String::from("# backend rate tolerance when state seconds ended sessions above\n");
        for (ix, proxy) in (0..).map(ProxyIx).zip(&self.pool.config.proxies) {
            let Some(view) = self.pool.rebalance_view(ix) else { continue };
            let when = if view.rule.on_up { "on-up" } else { "now" };
            let (state, seconds, ended) = match view.run {
                Some((ended, since)) => ("running", self.now().since(since) / 1000, ended),
                None => ("armed", 0, 0),
            };
            let _ = writeln!(
                out,
                "{} {} {} {when} {state} {seconds} {ended} {} {}",
                proxy.name, view.rule.rate, view.rule.tolerance, view.sessions, view.above
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let rule_of = |rate, tolerance, on_up| Some(Some(RebalanceRule { rate, tolerance, on_up }));
        for (words, want) in [
            ("off", Some(None)),
            ("rate 10", rule_of(10, 5, false)),
            ("rate 10 tolerance 0", rule_of(10, 0, false)),
            ("on-up tolerance 5% rate 1000000", rule_of(1_000_000, 5, true)),
            ("rate 0", None),
            ("rate 1000001", None),
            ("rate", None),
            ("rate 10 rate 11", None),
            ("rate 10 tolerance 1001", None),
            ("rate 10 off", None),
            ("tolerance 5", None),
            ("", None),
        ] {
            let words: Vec<&str> = words.split_ascii_whitespace().collect();
            assert_eq!(rule(&words), want, "{words:?}");
        }
    }
}
