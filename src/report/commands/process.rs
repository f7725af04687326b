//! What the process is and has: its environment, what its start said, its stats sockets, threads, descriptors, memory.
//!
//! What the kernel tells is read from /proc, piece by piece. Shape of the lines: haproxy's
//! where there is something to tell; what only its developers read is left out.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, Level};
use crate::pool::{Reply, Report};

/// Descriptors that are looked at for one piece of a report.
const STRIDE: usize = 256;
/// Clock ticks of a second in /proc; the kernel's interface says 100 everywhere.
const TICKS: u64 = 100;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["show", "activity"],
        usage: "",
        help: "what each thread serves",
        level: AdminLevel::User,
        run: |console, _| console.activity(),
    },
    Command {
        words: &["show", "cli", "sockets"],
        usage: "",
        help: "stats sockets",
        level: AdminLevel::User,
        run: |console, _| console.sockets(),
    },
    Command {
        words: &["show", "env"],
        usage: "[var]",
        help: "environment variables that the configuration sees",
        level: AdminLevel::Operator,
        run: |console, args| console.environment(args),
    },
    Command {
        words: &["show", "fd"],
        usage: "[num]",
        help: "open descriptors, or one of them",
        level: AdminLevel::Operator,
        run: |_, args| match args.first() {
            None => descriptors(),
            Some(word) => descriptor(word),
        },
    },
    Command {
        words: &["show", "libs"],
        usage: "",
        help: "object files that are loaded",
        level: AdminLevel::Operator,
        run: |_, _| Reply::Remark(Level::Info, objects(&read("/proc/self/maps"))), // a page of the kernel's
    },
    Command {
        words: &["show", "pools"],
        usage: "[<what>]*",
        help: "memory of the process",
        level: AdminLevel::User,
        run: |_, _| aside(|out| out.push_str(&memory(&read("/proc/self/status")))),
    },
    Command {
        words: &["show", "profiling"],
        usage: "[<what>|<#lines>|byaddr]*",
        help: "what is measured of tasks and memory",
        level: AdminLevel::Admin,
        run: |_, args| profiling(args),
    },
    Command {
        words: &["show", "startup-logs"],
        usage: "",
        help: "what the start of the process said",
        level: AdminLevel::Operator,
        run: |console, _| match (console.background.startup)() {
            said if said.is_empty() => Reply::Done,
            said => Reply::Remark(Level::Info, said),
        },
    },
    Command {
        words: &["show", "threads"],
        usage: "",
        help: "threads and their processor time",
        level: AdminLevel::User,
        run: |_, _| aside(threads),
    },
];

/// What is measured: nothing, and nothing can be.
fn profiling(args: &[&str]) -> Reply {
    let known =
        |word: &&str| ["all", "status", "tasks", "memory", "byaddr"].contains(word) || word.parse::<u32>().is_ok();
    match args.first() {
        Some(word) if !known(word) => wrong("'all', 'status', 'tasks', 'memory', 'byaddr' or a number of lines."),
        _ => Reply::Text(
            "Per-task CPU profiling              : off           # cannot be set\n\
             Memory usage profiling              : off           # cannot be set\n"
                .into(),
        ),
    }
}

/// A report of one piece.
fn aside(make: impl Fn(&mut String) + Send + 'static) -> Reply {
    Reply::Pieces(Report::new(move |out| {
        make(out);
        false
    }))
}

/// A file of /proc, as far as it can be read.
fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

impl Console {
    /// Figures of all threads with each one's: only what is counted by thread.
    fn activity(&self) -> Reply {
        let loads = self.control.get().map(|control| control.loads()).unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut out = format!("thread_id: {0} (1..{0})\ndate_now: ", loads.len());
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}.{:06}", now.as_secs(), now.subsec_micros());
        let _ = write!(out, "conns: {} [", loads.iter().sum::<u32>());
        for load in &loads {
            let _ = write!(out, " {load}");
        }
        out.push_str(" ]\n");
        Reply::Text(out)
    }

    fn sockets(&self) -> Reply {
        let mut out = String::from("# socket lvl processes\n");
        for socket in &self.pool.config.global.stats_sockets {
            if let Some(address) = socket.endpoint.with_family() {
                let _ = writeln!(out, "{address} {} all", socket.level.name());
            }
        }
        Reply::Text(out)
    }

    fn environment(&self, args: &[&str]) -> Reply {
        let mut out = String::new();
        let wanted = |name: &str| args.first().is_none_or(|only| *only == name);
        for (name, value) in self.background.environment.iter().filter(|(name, _)| wanted(name)) {
            let _ = writeln!(out, "{name}={}", String::from_utf8_lossy(value));
        }
        if out.is_empty() { wrong("Variable not found") } else { Reply::Text(out) }
    }
}

/// What a descriptor leads to, in the place where haproxy tells its state.
fn descriptor_line(number: u32, out: &mut String) {
    if let Ok(target) = std::fs::read_link(format!("/proc/self/fd/{number}")) {
        let _ = writeln!(out, "{number:>7} : {}", target.display());
    }
}

fn descriptor(word: &str) -> Reply {
    // As in haproxy what follows the digits does not count, and a descriptor that is not open is not told.
    let digits = word.trim_start_matches(|c: char| c.is_ascii_digit());
    match word[..word.len() - digits.len()].parse() {
        Ok(number) => aside(move |out| descriptor_line(number, out)),
        Err(_) => Reply::Done,
    }
}

fn descriptors() -> Reply {
    // The kernel lists them by number, some at a time.
    let mut entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    Reply::Pieces(Report::new(move |out| {
        for _ in 0..STRIDE {
            let Some(entry) = entries.next() else { return false };
            if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                descriptor_line(number, out);
            }
        }
        true
    }))
}

/// The files of /proc/self/maps with their first and last address.
fn objects(maps: &str) -> String {
    let mut found: Vec<(&str, u64, u64)> = Vec::new();
    for line in maps.lines() {
        let Some(path) = line.find('/').map(|at| &line[at..]) else { continue };
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let Some((from, to)) = range else { continue };
        let (Ok(from), Ok(to)) = (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)) else { continue };
        match found.iter_mut().find(|(known, ..)| *known == path) {
            Some((_, _, end)) => *end = to,
            None => found.push((path, from, to)),
        }
    }
    let mut out = String::new();
    for (path, from, to) in found {
        let _ = writeln!(out, "{from:#x}-{:#x} ({:#09x}) {path}", to.saturating_sub(1), to.saturating_sub(from));
    }
    out
}

/// What /proc/self/status says of memory: there are no pools, it all comes from the system's allocator.
fn memory(status: &str) -> String {
    let kilobytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0)
    };
    let (used, most) = (kilobytes("VmRSS") * 1024, kilobytes("VmHWM") * 1024);
    format!(
        "Memory is not pooled; of the whole process:\n  - resident: {used} bytes, at most {most} bytes\n\
         Total: 0 pools, 0 bytes allocated, 0 used.\n"
    )
}

/// Name, state and processor time of each thread.
fn threads(out: &mut String) {
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let stats: BTreeMap<u32, String> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, read(entry.path().join("stat")))))
        .collect();
    for (number, (id, stat)) in (1..).zip(&stats) {
        thread_line(number, *id, stat, out);
    }
}

/// The line of a thread: its name may hold spaces and parentheses.
fn thread_line(number: usize, id: u32, stat: &str, out: &mut String) {
    let Some((head, rest)) = stat.rsplit_once(") ") else { return };
    let name = head.split_once('(').map_or(head, |(_, name)| name);
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
    let (user, system) = (ticks(11) * 1000 / TICKS, ticks(12) * 1000 / TICKS);
    let state = fields.first().copied().unwrap_or("?");
    let _ =
        writeln!(out, "  Thread {number:<2}: id={id} name={name} state={state} cpu_ms: user={user} system={system}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_one_line_each() {
        let maps = "7f00-7f10 r--p 0 00:00 0   /lib/a.so\n7f10-7f30 r-xp 0 0 0 /lib/a.so\n7ff0-8000 rw-p 0 0 0\n\
                    9000-9001 rw-p 0 0 0 /b\nno line\n";
        assert_eq!(objects(maps), "0x7f00-0x7f2f (0x0000030) /lib/a.so\n0x9000-0x9000 (0x0000001) /b\n");
    }

    #[test]
    fn threads_have_strange_names() {
        let mut out = String::new();
        let stat = "7 (serve) (0) S 1 2 3 4 5 6 7 8 9 10 150 20 0 0";
        thread_line(1, 7, stat, &mut out);
        thread_line(2, 8, "garbage", &mut out);
        assert_eq!(out, "  Thread 1 : id=7 name=serve) (0 state=S cpu_ms: user=1500 system=200\n");
    }

    #[test]
    fn memory_is_told() {
        let text = memory("Name:\tx\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\n");
        assert!(text.contains("resident: 1024000 bytes, at most 2048000 bytes"), "{text}");
    }
}
