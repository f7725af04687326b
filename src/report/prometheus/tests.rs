//! An answer about many servers: pieces of bounded size, and no name twice.

use std::collections::HashSet;

use super::*;
use crate::ir::ProxyKind;
use crate::report::stats::Process;
use crate::report::{Identity, testing};
use crate::units::Tick;

const NOW: Tick = Tick::from_millis(3000);

fn pool(servers: u32) -> Arc<Pool> {
    let mut web = testing::proxy("web\"\\\n", 2, ProxyKind::Listen);
    if let Some(back) = web.backend.as_mut() {
        back.servers = (1..=servers).map(|id| testing::server(&format!("s{id}"), id)).collect();
    }
    Arc::new(Pool::new(Arc::new(testing::config(vec![web])), Tick::from_millis(1000)))
}

fn pieces(pool: &Arc<Pool>, target: &str) -> Vec<String> {
    let identity = Identity {
        version: "3.4.0-baton0".into(),
        released: "2026/11/22".into(),
        hostname: "vm".into(),
        clock: || NOW,
    };
    let sample = Process::default().sample(pool, NOW);
    let info = Info { pool, identity: &identity, lost_logs: 0, now: NOW, sample };
    let own = Source { pool, now: NOW, lost_logs: 3, memory: Some(5000) };
    let reply = answer(pool, &info, &own, target);
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    let (mut report, mut pieces, mut more) = (reply.report.unwrap(), Vec::new(), true);
    while more {
        let mut piece = String::new();
        more = report.next(&mut piece);
        pieces.push(piece);
    }
    pieces
}

#[test]
fn many_servers_come_in_small_pieces() {
    let pieces = pieces(&pool(5000), "/metrics");
    assert!(pieces.len() > 100, "{}", pieces.len());
    assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() < 64 * 1024));
    let whole = pieces.concat();
    let mut seen = HashSet::new();
    let mut last = "";
    for line in whole.lines() {
        let words: Vec<&str> = line.split([' ', '{']).collect();
        let name = if words[0] == "#" { words[2] } else { words[0] };
        assert!(name == last || seen.insert(name.to_owned()), "{name} comes again");
        last = name;
    }
    let lines = whole.lines().filter(|line| line.starts_with("haproxy_server_status{")).count();
    assert_eq!(lines, 5 * 5000);
    assert!(whole.ends_with("server=\"s5000\"} 1\n"), "{}", &whole[whole.len() - 100..]);
}

#[test]
fn figures_of_our_own_are_asked_for() {
    let pool = pool(2);
    pool.process.first_local_port.store(1001, std::sync::atomic::Ordering::Relaxed);
    pool.process.last_local_port.store(2000, std::sync::atomic::Ordering::Relaxed);
    assert!(!pieces(&pool, "/").concat().contains("baton_"));
    assert!(pieces(&pool, "/?extra-counters").concat().contains("\nbaton_log_lines_lost_total 3\n"));
    let whole = pieces(&pool, "/?scope=baton").concat();
    assert!(!whole.contains("haproxy"));
    for line in [
        "# TYPE baton_sessions_taken_total counter",
        "baton_sessions_taken_total 0",
        "# TYPE baton_memory_bytes gauge",
        "baton_memory_bytes 5000",
        "baton_source_ports_left{destination=\"127.0.0.1:1\"} 1000", // two servers with one address
    ] {
        assert_eq!(whole.lines().filter(|is| *is == line).count(), 1, "{line}: {whole}");
    }
    // There are no sessions, and no process before it.
    assert!(!whole.contains("per_session") && !whole.contains("reload"));
    pool.process.connections.up();
    pool.process.connections.up();
    pool.process.reloaded.store(1000, std::sync::atomic::Ordering::Relaxed);
    let whole = pieces(&pool, "/?scope=baton").concat();
    assert!(whole.contains("baton_memory_per_session_bytes 2500\n") && whole.contains("since_reload_seconds 2\n"));
}

#[test]
fn labels_are_escaped() {
    let whole = pieces(&pool(1), "/?scope=backend").concat();
    assert!(whole.contains(r#"haproxy_backend_status{proxy="web\"\\\n",state="UP"} 1"#), "{whole}");
    assert!(!whole.contains("haproxy_server") && !whole.contains("haproxy_frontend"));
}

#[test]
fn each_metric_has_its_column_and_line() {
    for metric in &metrics::METRICS {
        assert!(crate::report::stats::position(metric.column).is_some(), "{}", metric.column);
    }
    let whole = pieces(&pool(0), "/?scope=global").concat();
    for (line, name, _) in PROCESS {
        assert!(whole.contains(&format!("\nhaproxy_process_{name}")), "{name}");
        let missing = whole.contains(&format!("\nhaproxy_process_{name} NaN"));
        assert_eq!(missing, line.contains("Zlib"), "{name}");
    }
}
