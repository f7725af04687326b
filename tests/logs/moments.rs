//! When a line is written: as soon as all is known that it shows.

use std::io::Read;

use crate::harness::backends::Backend;
use crate::harness::client;
use crate::stage::{Stage, same};

/// Variables that are known when the server is connected, and those that a line waits for.
const EARLY: [&str; 20] = [
    "H", "ST", "T", "Ts", "b", "bi", "ci", "cp", "f", "fi", "ft", "hr", "lc", "ms", "pid", "rt", "s", "si", "sp", "tsc",
];
const LATE: [&str; 15] = ["B", "ID", "Tc", "Td", "Th", "Tt", "Tu", "Tw", "U", "ac", "bc", "fc", "rc", "sq", "ts"];

/// Holds a session of each format open; answers which of them have been logged by then.
#[track_caller]
fn logged_early(formats: &[String], more: &str) {
    same(|program| {
        let echo = Backend::echo();
        let names: Vec<String> = (0..formats.len()).map(|ix| format!("<{ix}>")).collect();
        let section = |(format, name): (&String, &String)| {
            let server = format!(" server s1 {}\n log @LOG format raw local0\n{more}", echo.address);
            format!("{server} log-format \"{name} {format}\"\n")
        };
        let mut sections: Vec<String> = formats.iter().zip(&names).map(section).collect();
        sections.push(format!(" server s1 {}\n log @LOG format raw local0\n log-format last\n", echo.address));
        let stage = Stage::new(program, "", &sections);
        let mut held = Vec::new();
        for ix in 0..sections.len() {
            let mut stream = stage.connect(ix);
            client::echo(&mut stream, b"hello");
            held.push(stream);
        }
        stage.log.wait_for("last");
        let early: Vec<String> = stage.log.lines();
        drop(held);
        for name in &names {
            stage.log.wait_for(name);
        }
        names
            .iter()
            .map(|name| format!("{name} {}", early.iter().any(|line| line.starts_with(name.as_str()))))
            .collect()
    });
}

#[test]
fn a_line_is_written_as_soon_as_all_is_known() {
    let formats: Vec<String> = EARLY.iter().chain(&LATE).map(|name| format!("%{name}")).collect();
    logged_early(&formats, "");
}

#[test]
fn structured_data_waits_too() {
    logged_early(&["x".to_owned()], " log-format-sd %B\n");
}

#[test]
fn logasap_waits_for_nothing() {
    let formats: Vec<String> = LATE.iter().map(|name| format!("%{name}")).collect();
    logged_early(&formats, " option logasap\n");
}

/// What is logged of sessions that send nothing, go well, or are reset.
#[track_caller]
fn filtered(lines: &str) {
    same(|program| {
        let polite = Backend::named("x");
        let section = format!(" server s1 {}\n log @LOG format short local0\n{lines}", polite.address);
        let last = format!(" server s1 {}\n log @LOG format short local0\n log-format last\n", polite.address);
        let stage = Stage::new(program, "", &[section, last]);
        for (ix, reset) in [(0, false), (0, true), (1, false)] {
            let mut stream = stage.connect(ix);
            stream.read_exact(&mut [0]).expect("the server is connected");
            if reset { client::reset(stream) } else { drop(stream) }
        }
        stage.log.wait_for("last");
        stage.log.lines()
    });
}

#[test]
fn early_lines_are_not_filtered_by_their_bytes() {
    filtered(" log-format first\n option dontlognull\n");
}

#[test]
fn early_lines_of_errors_only() {
    filtered(" log-format \"%ci %s\"\n option dontlog-normal\n");
}

#[test]
fn early_lines_are_no_errors() {
    filtered(" log-format \"%ci %s\"\n option log-separate-errors\n");
}

#[test]
fn late_lines_of_errors_only() {
    filtered(" log-format \"%ci %ts\"\n option dontlog-normal\n option log-separate-errors\n");
}
