//! What the checks of servers find: a backend for each check, and its first result.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::program::Program;
use super::proxy::Proxy;
use super::stats::Stats;
use super::{ports, wait};

/// The lines of a check, of which server, and what it is to find: status, code, and what is told.
pub type Row<'r> = (&'r [&'r str], SocketAddr, [&'r str; 3]);

/// Starts a proxy with a backend for each row and waits for what their checks find.
///
/// # Panics
/// When a check finds something else.
#[track_caller]
pub fn find(program: &Program, rows: &[Row<'_>]) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("stats");
    let mut config = format!(
        "global\n  stats socket {}\n  max-spread-checks 100\ndefaults\n  mode tcp\n  timeout client 9s\n  \
         timeout server 9s\n  timeout connect 9s\n  timeout check 9s\nfrontend f\n  bind {}\n",
        socket.display(),
        ports::free()
    );
    for (number, (lines, server, _)) in rows.iter().enumerate() {
        let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        let _ = writeln!(config, "backend b{number}\n{lines}  server s {server} check inter 60s");
    }
    let _proxy = Proxy::start(program, &config);
    for (number, (lines, _, want)) in rows.iter().enumerate() {
        let found = wait::until("a check to end", || {
            let stats = Stats::from_socket(&socket);
            let cell = |column| stats.text(&format!("b{number}"), "s", column).to_owned();
            let status = cell("check_status");
            let ended = status != "INI" && !status.starts_with('*');
            ended.then(|| [status, cell("check_code"), cell("last_chk")])
        });
        assert_eq!(found.each_ref().map(String::as_str), *want, "row {number}: {lines:?}");
    }
}
