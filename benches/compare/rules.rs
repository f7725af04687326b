//! Sessions that rules look at: an MQTT client, and conditions on long lists.

use std::fmt::Write as _;
use std::path::Path;

use crate::load;
use crate::program::Program;
use crate::turns;

/// Clients that come again and again.
const CLIENTS: usize = 1_000;

const VALID: &str =
    "  tcp-request inspect-delay 10s\n  tcp-request content reject unless { req.payload(0,0),mqtt_is_valid }\n";

const STICK: &str = "  stick-table type string len 32 size 100k expire 30m\n  \
                     stick on req.payload(0,0),mqtt_field_value(connect,client_identifier)\n";

/// CPU µs per session of both: with the rule, and with a look-up in a table besides.
pub(crate) fn mqtt(programs: &[Program; 2], total: usize) -> Vec<[f64; 2]> {
    let client = async |door, number| load::client(door, &connect(number % CLIENTS)).await;
    [VALID.to_owned(), format!("{VALID}{STICK}")]
        .iter()
        .map(|lines| turns::sessions(programs, lines, total, client))
        .collect()
}

/// A CONNECT of 3.1.1 of a client with that number.
fn connect(number: usize) -> Vec<u8> {
    let client = format!("device-{number:06}");
    let mut packet = b"\x10\x19\0\x04MQTT\x04\x02\0\x3c\0\x0d".to_vec();
    packet.extend(client.as_bytes());
    packet
}

/// CPU µs per connection of both with a condition that never holds, on 10 and on 100,000 strings, then networks.
pub(crate) fn patterns(programs: &[Program; 2], total: usize) -> Vec<[f64; 2]> {
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
            let lines = format!("  tcp-request inspect-delay 10s\n  {rule}\n");
            figures.push(turns::sessions(programs, &lines, total, async |door, _| load::visit(door).await));
        }
    }
    figures
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
