//! Every variable with every flag, in sessions that go well and sessions that do not.

use std::io::{Read, Write};
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
const VOLATILE: [&str; 16] =
    ["T", "Tc", "Td", "Th", "Tl", "Ts", "Tt", "Tu", "Tw", "bp", "cp", "fp", "ms", "pid", "sp", "t"];

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
        table.clone(),
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

/// Connections that fail before there is a session: the format for errors, or the short line, at either level.
#[test]
fn connections_that_fail() {
    same(|program| {
        let error = table("").replace("log-format", "error-log-format") + " unique-id-format x\n";
        let log = " log @LOG format short local0\n";
        let sections = [
            format!(" accept-proxy\n{error} log-format other\n"),
            format!(" accept-proxy\n{log} log-format other\n log-format-sd [%b]\n"),
            format!(" accept-proxy\n{error} option log-separate-errors\n"),
            format!(" accept-proxy\n{log} option tcplog\n option log-separate-errors\n"),
        ];
        let stage = Stage::new(program, "", &sections);
        (0..sections.len())
            .map(|section| {
                let mut stream = stage.connect(section);
                let _ = stream.write_all(b"no header at all, and long enough to be one\r\n");
                let _ = stream.read_to_end(&mut Vec::new());
                let line = stage.log.wait_count("", section + 1).remove(section);
                let (head, tail) = line.split_once('[').unwrap_or((&line, ""));
                if line.contains("table|") { fields(&line) } else { format!("{}[{}", masked(head), masked(tail)) }
            })
            .collect()
    });
}

/// The statistics page with lines of its own: variables that only requests have.
#[test]
fn requests_of_the_page() {
    const NAMES: [&str; 26] = [
        "r", "HM", "HU", "HP", "HQ", "HV", "ST", "TR", "Tq", "Ti", "Tr", "Ta", "Tw", "Tc", "CC", "CS", "hr", "hs", "s",
        "b", "ts", "tsc", "tr", "trg", "trl", "HPO",
    ];
    same(|program| {
        let all: Vec<String> = NAMES.iter().map(|name| format!("{name}=%{name}|{name}=%{{+Q}}{name}")).collect();
        let format = format!(" log-format \"table|{}|\"\n", all.join("|"));
        let page =
            " mode http\n timeout http-request 2s\n stats enable\n stats uri /st\n log @LOG format short local0\n";
        let stage = Stage::new(program, "", &[format!("{page}{format}")]);
        let requests = ["GET /st HTTP/1.1", "GET /st?x=1;y HTTP/1.0", "HEAD /st;csv HTTP/1.1", "nonsense"];
        requests
            .iter()
            .enumerate()
            .map(|(ix, request)| {
                let mut stream = stage.connect(0);
                write!(stream, "{request}\r\nHost: a\r\nConnection: close\r\n\r\n").expect("sent");
                let _ = stream.read_to_end(&mut Vec::new());
                let line = stage.log.wait_count("table|", ix + 1).remove(ix);
                let times = ["TR", "Tq", "Ti", "Tr", "Ta", "Tw", "Tc", "tr", "trg", "trl"];
                let shown = line.split('|').map(|field| match field.split_once('=') {
                    Some((name, value)) if times.contains(&name) => format!("{name}={}", masked(value)),
                    _ => field.to_owned(),
                });
                shown.collect::<Vec<_>>().join("\n")
            })
            .collect()
    });
}
