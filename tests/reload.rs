//! Reloads under load: nothing refused, nothing reset, nothing timed out; and the proof that the test would notice.
//!
//! `BATON_RELOADS` sets the number (200 without it; a soak by hand takes thousands). The original needs `-x`, as its
//! users know, and is given 20. The same run on a binary with the fault `early-close` (src/sys/fault.rs) must fail.

mod harness;

use harness::daemon::{Daemon, text};
use harness::diagnosis;
use harness::ports;
use harness::process::alive;
use harness::program::{Kind, Program};
use harness::storm::{self, Storm, Tally};
use harness::wait;

/// Connections per second that are asked for; at least [`ACHIEVED`] must get through.
const ASKED: u64 = 1_200;
/// What the figure is worth nothing without.
const ACHIEVED: f64 = 900.0;

/// Runs `reloads` reloads in a storm: the tally, the rate, how many processes are left.
fn run(program: &Program, reloads: usize) -> (Tally, f64, usize) {
    let server = storm::server();
    let door = ports::free();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("admin.sock");
    let config = format!(
        "global\n  daemon\n  maxconn 2000\n  stats socket {} level admin expose-fd listeners\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
         listen l\n  bind {door}\n  server s {}\n",
        socket.display(),
        server.address
    );
    let mut daemon = Daemon::start_in(program, &config, folder);
    let storm = Storm::start(door, ASKED);
    storm.wait_served(50);
    for number in 1..=reloads {
        let old = daemon.pid();
        let socket = socket.display().to_string();
        let out = match program.kind {
            Kind::Ours => daemon.reload(),
            Kind::Theirs => daemon.reload_with(&["-x", &socket]),
        };
        assert!(out.status.success(), "reload {number} returned {}: {}", out.status, text(&out));
        assert_ne!(daemon.pid(), old, "reload {number} changed the process");
        storm.wait_served(20);
    }
    let (tally, rate) = storm.finish();
    wait::until_or(
        "the old processes to end",
        || daemon.living().len() == 1,
        || format!("{tally:?}; {} serves\n{}", daemon.pid(), diagnosis::of(&daemon.living())),
    );
    assert!(alive(daemon.pid()));
    (tally, rate, daemon.living().len())
}

#[test]
fn reloads_under_load_lose_nothing_alone() {
    let program = Program::under_test();
    let count = if program.is_ours() { 200 } else { 20 };
    let count = std::env::var("BATON_RELOADS").map_or(count, |text| text.parse().expect("BATON_RELOADS is a number"));
    let (tally, rate, left) = run(&program, count);
    println!("{count} reloads: {tally:?}, {rate:.0} connections/s, {left} process left");
    assert_eq!(tally.failures(), 0, "{count} reloads: {tally:?}");
    assert!(rate >= ACHIEVED, "{rate:.0} connections/s were served, {ACHIEVED} are asked for");
}

#[test]
fn the_same_run_notices_an_early_close_alone() {
    let faulty = Program::faulty("early-close");
    let (tally, _, _) = run(&faulty, 20);
    assert!(tally.refused + tally.reset > 0, "a listener that closes too early goes unnoticed: {tally:?}");
}
