//! How long and how much memory `-c` takes on a very large file.

use std::fmt::Write as _;

use crate::machine;
use crate::program::Program;

/// Checked servers of each listener.
const SERVERS: usize = 96;

/// CPU s, wall s and peak KiB for `listeners` listeners of [`SERVERS`] checked servers each.
pub(crate) fn big_file(program: &Program, listeners: usize) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("big.cfg");
    std::fs::write(&file, text(listeners)).expect("the file is written");
    machine::measure(&[&program.path.display().to_string(), "-c", "-q", "-f", &file.display().to_string()])
}

fn text(listeners: usize) -> String {
    let mut text =
        String::from("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n");
    for listener in 0..listeners {
        let port = 10_000 + listener;
        let _ = write!(text, "listen l{listener}\n  bind 127.0.0.1:{port}\n  balance leastconn\n");
        for server in 0..SERVERS {
            let (third, fourth) = (listener % 250, server + 1);
            let _ = writeln!(text, "  server s{server} 10.0.{third}.{fourth}:1883 check inter 5s");
        }
    }
    text
}
