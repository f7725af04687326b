//! `show events`: what rings hold. Source: management manual §9.3; shape and words that matter observed on 2.6.12.

use std::fmt::Write;
use std::sync::Arc;

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, Level};
use crate::pool::{Reply, Report};
use crate::report::Ring;

/// Bytes that are sent at once.
const PIECE: usize = 16 * 1024;

pub(super) const COMMANDS: &[Command] = &[Command {
    words: &["show", "events"],
    usage: "[<sink>] [-w] [-n]",
    help: "rings; with the rights of an operator what one holds; -w: wait for more, -n: only what is new",
    level: AdminLevel::User,
    run: |console, args| match args {
        [] => console.rings(),
        [name, options @ ..] => console.events(name, options),
    },
}];

impl Console {
    fn rings(&self) -> Reply {
        let mut out =
            String::from("Rings are listed below. Add -w (wait) or -n (new) to their name; any key stops it.\n");
        for ring in &self.background.rings {
            let name = &ring.declared.name;
            let about = ring.declared.description.as_ref().unwrap_or(name);
            // Writing to a String cannot fail.
            let _ = writeln!(out, "    {name:<10} : type=buffer, {} dropped, {about}", ring.dropped());
        }
        Reply::Remark(Level::Warning, out)
    }

    fn events(&self, name: &str, options: &[&str]) -> Reply {
        let Some(ring) = self.background.rings.iter().find(|ring| ring.declared.name == name) else {
            return wrong("No such event sink");
        };
        let (mut waits, mut new) = (false, false);
        for option in options {
            match *option {
                "-w" => waits = true,
                "-n" => new = true,
                "-wn" | "-nw" => (waits, new) = (true, true),
                _ => return wrong("unknown option"),
            }
        }
        let report = read(ring, if new { ring.end() } else { 0 });
        if waits { Reply::Follow(report) } else { Reply::Pieces(report) }
    }
}

/// What a ring holds from an offset on.
fn read(ring: &Arc<Ring>, from: u64) -> Report {
    let (ring, mut at) = (Arc::clone(ring), from);
    Report::new(move |out| {
        let mut bytes = Vec::new();
        at = ring.lines(at, PIECE, &mut bytes);
        out.push_str(&String::from_utf8_lossy(&bytes));
        at < ring.end()
    })
}
