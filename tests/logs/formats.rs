//! Every variable with every flag, in sessions that go well and sessions that do not.

use std::os::unix::net::UnixListener;

use crate::harness::backends::Backend;
use crate::harness::ports;
use crate::harness::program::Program;
use crate::stage::{Stage, masked, same};

/// All variables that `mode tcp` knows.
const ALL: [&str; 47] = [
    "B", "H", "ID", "ST", "T", "Tc", "Td", "Tl", "Th", "Ts", "Tt", "Tu", "Tw", "U", "ac", "b", "bc", "bi", "bp", "bq",
    "ci", "cp", "f", "fc", "fi", "fp", "ft", "hr", "hrl", "hs", "hsl", "lc", "ms", "pid", "rc", "rt", "s", "sc", "si",
    "sp", "sq", "sslc", "sslv", "t", "ts", "tsc", "o",
];

/// Those whose value is another at each run: compared without their digits.
const VOLATILE: [&str; 15] = ["T", "Tc", "Td", "Tl", "Ts", "Tt", "Tu", "Tw", "bp", "cp", "fp", "ms", "pid", "sp", "t"];

/// Writes each variable as `name=value`, divided by bars.
fn table(flags: &str) -> String {
    let all: Vec<String> = ALL.iter().map(|name| format!("{name}=%{flags}{name}")).collect();
    format!(" log @LOG format short local0\n log-format \"table|{}|\"\n", all.join("|"))
}

/// One line in fields, as comparable text.
fn fields(line: &str) -> String {
    // whether a byte came before a server was looked for in vain is the kernel's affair
    let vain = line.contains("=SC|");
    let shown: Vec<String> = line
        .split('|')
        .map(|field| match field.split_once('=') {
            Some(("U", _)) if vain => "U".to_owned(),
            Some((name, value)) if VOLATILE.contains(&name) => {
                let minus = value == "-1";
                format!("{name}={}", if minus { value.to_owned() } else { masked(value) })
            }
            _ => field.to_owned(),
        })
        .collect();
    shown.join("\n")
}

/// One session of each kind, each with these flags.
fn play(program: &Program, flags: &str) -> Vec<String> {
    let echo = Backend::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = folder.path().join("nobody");
    drop(UnixListener::bind(&nobody).expect("a socket without a listener"));
    let table = table(flags);
    let alive = format!(" server s1 {}\n", echo.address);
    let (dead, other) = (ports::refused(), ports::refused());
    let sections = [
        format!("{table}{alive} unique-id-format %{{+X}}o%ci:%fi-%rt-%b\n"),
        format!("{table} server s1 {dead}\n"),
        format!("{table}"),
        format!("{table} server s1 {dead} disabled\n"),
        format!("{table} server s1 {}\n", nobody.display()),
        format!("{table} option redispatch\n server s1 {dead}\n server s2 {other}\n"),
        format!("{table} server s1 {dead}\n option logasap\n"),
        format!("{table} default_backend l0\n"),
        format!("{table}{alive} option log-separate-errors\n"),
        format!("{table} server s1 {dead}\n option log-separate-errors\n"),
        format!("{table}{alive} option logasap\n"),
    ];
    let stage = Stage::new(program, "", &sections);
    let mut lines = Vec::new();
    for section in 0..sections.len() {
        // the last one's line comes before its session ends: no other is to see it
        let last = section + 1 == sections.len();
        for _ in 0..if last { 1 } else { 2 } {
            stage.talk(section);
            lines.push(fields(&stage.log.wait_count("table|", lines.len() + 1)[lines.len()]));
        }
    }
    lines
}

#[test]
fn variables() {
    same(|program| play(program, ""));
}

#[test]
fn variables_in_quotes() {
    same(|program| play(program, "{+Q}"));
}

#[test]
fn variables_in_hexadecimal() {
    same(|program| {
        // a server on a unix socket has no such address: its line ends early (tests of the library)
        let mut lines = play(program, "{+X}");
        lines.retain(|line| line.contains("sslv="));
        lines
    });
}

#[test]
fn variables_with_all_flags() {
    same(|program| {
        let mut lines = play(program, "{+Q,+X,+E}");
        lines.retain(|line| line.contains("sslv="));
        lines
    });
}
