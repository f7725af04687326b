//! Figures that haproxy has not: `show baton` and the exporter's scope `baton`, before and after a reload with sessions open.

mod harness;

use std::collections::HashMap;
use std::path::Path;

use harness::backends::Backend;
use harness::daemon::Daemon;
use harness::program::Program;
use harness::stats::command;
use harness::{client, ports, wait};

/// The lines of `show baton` by their names.
fn figures(socket: &Path) -> HashMap<String, u64> {
    let said = command(socket, "show baton");
    let pairs = said.lines().filter_map(|line| line.rsplit_once(": "));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{said}")))).collect()
}

#[test]
fn a_reload_is_seen_in_the_figures() {
    let echo = Backend::echo();
    let (door, ranged, metrics) = (ports::free(), ports::free(), ports::free());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let own = ports::free();
    let (address, first) = (own.ip(), own.port());
    let config = format!(
        "global\n  stats socket {}\n  log 127.0.0.1:1 local0\n\
         defaults\n  timeout client 1m\n  timeout server 1m\n  timeout connect 5s\n\
         listen a\n  mode tcp\n  bind {door}\n  server s {1}\n  server same {1} backup\n\
         listen b\n  mode tcp\n  bind {ranged}\n  server s {1} source {address}:{first}-{2}\n\
         frontend metrics\n  mode http\n  bind {metrics}\n  http-request use-service prometheus-exporter\n",
        socket.display(),
        echo.address,
        first + 9,
    );
    let mut daemon = Daemon::start(&Program::ours(), &config);
    let before = figures(&socket);
    assert!(!before.contains_key("Since_reload_sec"), "{before:?}");
    assert_eq!((before["Sessions_taken"], before["Lost_log_lines"]), (0, 0));
    assert!(before["Memory_bytes"] > 1 << 20, "{before:?}");
    let destination = format!("Source_ports_left {}", echo.address);
    let (left, ranged_left) = (before[&destination], before["Source_ports_left b/s"]);
    assert!(left > 1000 && ranged_left == 10, "{before:?}");
    assert_eq!(before.len(), 6, "{before:?}"); // the asking connection counts for the memory per session

    let mut sessions: Vec<_> = (0..3).map(|_| client::connect(door)).collect();
    sessions.push(client::connect(ranged));
    for stream in &mut sessions {
        client::echo(stream, b"hello");
    }
    let open = figures(&socket);
    assert_eq!((open[&destination], open["Source_ports_left b/s"]), (left - 3, ranged_left - 1));
    assert!(open["Memory_per_session_bytes"] <= open["Memory_bytes"] / 4, "{open:?}");

    daemon.reload_well();
    let after = wait::until("all sessions have come", || {
        let after = figures(&socket);
        (after["Sessions_taken"] == 4).then_some(after)
    });
    daemon.settle();
    assert!(after["Since_reload_sec"] < 3600, "{after:?}");
    let (_, body) = client::get(metrics, "/?scope=baton", "");
    for line in [
        "baton_sessions_taken_total 4".to_owned(),
        "baton_log_lines_lost_total 0".to_owned(),
        format!("baton_source_ports_left{{destination=\"{}\"}} {}", echo.address, left - 3),
        "baton_source_ports_left{server=\"b/s\"} 9".to_owned(),
    ] {
        assert!(body.lines().any(|is| is == line), "no {line} in {body}");
    }
    assert!(body.contains("\nbaton_memory_bytes ") && body.contains("\nbaton_since_reload_seconds "), "{body}");
    for stream in &mut sessions {
        client::echo(stream, b"still here");
    }
}
