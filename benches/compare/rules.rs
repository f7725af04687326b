//! Sessions that rules look at: an MQTT client, and conditions on long lists.

use std::fmt::Write as _;
use std::path::Path;

use crate::load;
use crate::program::{Lines, Program};
use crate::traffic;

/// Clients that come again and again.
const CLIENTS: usize = 1_000;

const VALID: &str =
    "  tcp-request inspect-delay 10s\n  tcp-request content reject unless { req.payload(0,0),mqtt_is_valid }\n";

const STICK: &str = "  stick-table type string len 32 size 100k expire 30m\n  \
                     stick on req.payload(0,0),mqtt_field_value(connect,client_identifier)\n";

/// CPU µs per session: with the rule, and with a look-up in a table besides.
pub(crate) fn mqtt(program: &Program, total: usize) -> Vec<f64> {
    [VALID.to_owned(), format!("{VALID}{STICK}")].iter().map(|lines| clients(program, total, lines)).collect()
}

fn clients(program: &Program, total: usize, lines: &str) -> f64 {
    load::with_server(async |server| {
        let proxy = program.start_with(server, 1, Lines { listen: lines, ..Lines::default() }).await;
        let session = async |door, number| load::client(door, &connect(number % CLIENTS)).await;
        traffic::each(&proxy, total / 10, session).await;
        proxy.drain_log();
        let (seconds, _) = traffic::each(&proxy, total, session).await;
        seconds * 1e6 / total as f64
    })
}

/// A CONNECT of 3.1.1 of a client with that number.
fn connect(number: usize) -> Vec<u8> {
    let client = format!("device-{number:06}");
    let mut packet = b"\x10\x19\0\x04MQTT\x04\x02\0\x3c\0\x0d".to_vec();
    packet.extend(client.as_bytes());
    packet
}

/// CPU µs per connection with a condition that never holds, on 10 and on 100,000 strings, then networks.
pub(crate) fn patterns(program: &Program, total: usize) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("patterns");
    let mut figures = Vec::new();
    for (write, condition) in [
        (strings as fn(&Path, usize), "tcp-request content reject if { req.payload(0,64) -m str -f FILE }"),
        (networks, "tcp-request connection reject if { src -f FILE }"),
    ] {
        for count in [10, 100_000] {
            write(&file, count);
            let rule = condition.replace("FILE", &file.display().to_string());
            figures.push(connections(program, total, &format!("  tcp-request inspect-delay 10s\n  {rule}\n")));
        }
    }
    figures
}

fn connections(program: &Program, total: usize, lines: &str) -> f64 {
    load::with_server(async |server| {
        let proxy = program.start_with(server, 1, Lines { listen: lines, ..Lines::default() }).await;
        traffic::visits(&proxy, total / 10).await;
        proxy.drain_log();
        let (seconds, _) = traffic::visits(&proxy, total).await;
        seconds * 1e6 / total as f64
    })
}

fn strings(file: &Path, count: usize) {
    let text = (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "device-{number}.example.org");
        text
    });
    std::fs::write(file, text).expect("the patterns are written");
}

/// Networks of 256 addresses each, from 10.0.0.0 on: none is the client's.
fn networks(file: &Path, count: usize) {
    let text = (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{}.{}.{}.0/24", 10 + (number >> 16), number >> 8 & 255, number & 255);
        text
    });
    std::fs::write(file, text).expect("the patterns are written");
}
