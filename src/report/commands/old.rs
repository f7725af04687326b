//! `show old`: what is left in processes that this one, or another, has taken over from. Not of haproxy.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Command, Console};
use crate::ir::AdminLevel;
use crate::pool::{Later, Reply};

pub(super) const COMMANDS: &[Command] = &[Command {
    words: &["show", "old"],
    usage: "",
    help: "connections left in old processes",
    level: AdminLevel::Operator,
    run: |console, _| console.show_old(),
}];

/// A process that accepts no more, or that this one has replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elder {
    /// Its pid.
    pub pid: i32,
    /// Seconds since its start; this and what follows is `None` where it did not say so.
    pub seconds: Option<u32>,
    /// Connections that it serves, those of its stats sockets included.
    pub connections: Option<u32>,
    /// The process that has taken over from it.
    pub successor: Option<u32>,
}

impl Console {
    fn show_old(&self) -> Reply {
        let elders = self.elders.get().map(Arc::clone);
        Reply::Aside(Later(Box::new(move || Reply::Text(text(&elders.map_or_else(Vec::new, |elders| elders()))))))
    }
}

fn text(elders: &[Elder]) -> String {
    let mut out = String::from("# pid seconds connections successor\n");
    let word = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    for elder in elders {
        let (seconds, connections) = (word(elder.seconds), word(elder.connections));
        let _ = writeln!(out, "{} {seconds} {connections} {}", elder.pid, word(elder.successor));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let silent = Elder { pid: 7, seconds: None, connections: None, successor: None };
        let told = Elder { pid: 12, seconds: Some(90), connections: Some(0), successor: Some(13) };
        assert_eq!(text(&[silent, told]), "# pid seconds connections successor\n7 - - -\n12 90 0 13\n");
        assert_eq!(text(&[]), "# pid seconds connections successor\n");
    }
}
