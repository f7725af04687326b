//! Conditions of `http-request use-service`: which requests get the metrics, on both programs.
//!
//! Each condition has a frontend of its own; each target is asked of all. What the two say must be equal.

mod harness;

use std::fmt::Write;
use std::net::SocketAddr;

use harness::program::Program;
use harness::proxy::Proxy;
use harness::{client, ports};

/// `acl` lines, divided by `;`, and what stands behind the service.
const CONDITIONS: [(&str, &str); 46] = [
    ("", ""),
    ("", "if { path /metrics }"),
    ("", "if { path -i /METRICS }"),
    ("", "if { path /a /metrics }"),
    ("", "unless { path /metrics }"),
    ("", "if !{ path /metrics }"),
    ("", "if ! ! { path /metrics }"),
    ("", "unless ! { path_beg /m }"),
    ("", "if { path_beg /met }"),
    ("", "if { path_beg -i /MET }"),
    ("", "if { path_end ics }"),
    ("", "if { path_sub tri }"),
    ("", "if { path_dir a }"),
    ("", "if { path_dir /a/ }"),
    ("", "if { path_dir a/b }"),
    ("", "if { path_dir metrics }"),
    ("", "if { path_reg ^/m.t }"),
    ("", "if { path_reg -i ^/M.T }"),
    ("", "if { path -m beg /met }"),
    ("", "if { path -m end ics }"),
    ("", "if { path -m sub tri }"),
    ("", "if { path -m dir b }"),
    ("", "if { path -m reg s$ }"),
    ("", "if { path -m str /metrics }"),
    ("", "if { path -m found }"),
    ("", "if { path_beg -m end ics }"),
    ("", "if { path -i -m beg -- /MET }"),
    ("", "if { path -- -x }"),
    ("", "if { path /a } or { path /metrics }"),
    ("", "if { path /a } || { path /b }"),
    ("", "if { path_beg /a } { path_end b }"),
    ("", "if { path_beg /a } !{ path_end b } or { path /metrics }"),
    ("", "if TRUE"),
    ("", "if FALSE"),
    ("", "if !FALSE { path /metrics }"),
    ("", "if LOCALHOST"),
    ("", "if { src 127.0.0.0/8 } { path /metrics }"),
    ("", "if { src 10.0.0.0/8 ::1 }"),
    ("", "unless { src 10.0.0.0/8 }"),
    ("acl m path /metrics", "if m"),
    ("acl m path /metrics;acl m path_end b", "if m"),
    ("acl m path /metrics;acl n path_beg /a", "if !m !n"),
    ("acl TRUE path /metrics", "if TRUE"),
    ("acl m path", "if m"),
    ("", "if { path /metrics } or"),
    ("", "if"),
];

const TARGETS: [&str; 14] = [
    "/metrics",
    "/metrics?scope=",
    "/metrics/",
    "/METRICS",
    "/a/b",
    "/a/b/c",
    "/xa/b",
    "/a",
    "/",
    "*",
    "http://host/metrics",
    "http://host/a/b?x",
    "//metrics",
    "/%6detrics",
];

/// A row of statuses for each condition.
fn run(program: &Program) -> Vec<String> {
    let doors: Vec<SocketAddr> = CONDITIONS.iter().map(|_| ports::free()).collect();
    let mut config = String::from("defaults\n  mode http\n  timeout client 5s\n");
    for (at, ((acls, condition), door)) in CONDITIONS.iter().zip(&doors).enumerate() {
        let _ = writeln!(config, "frontend f{at}\n  bind {door}");
        for acl in acls.split(';').filter(|acl| !acl.is_empty()) {
            let _ = writeln!(config, "  {acl}");
        }
        let _ = writeln!(config, "  http-request use-service prometheus-exporter {condition}");
    }
    let _proxy = Proxy::start(program, &config);
    let status = |door: &SocketAddr, target: &str| {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        let (head, _) =
            client::http(*door, &format!("{method} {target} HTTP/1.1\r\nhost: host\r\nconnection: close\r\n\r\n"));
        head.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let row = |door| TARGETS.map(|target| status(door, target)).join(" ");
    doors.iter().map(row).collect()
}

#[test]
fn conditions_hold_as_haproxys() {
    let (theirs, ours) = (run(&Program::theirs()), run(&Program::ours()));
    let mut problems = Vec::new();
    for ((condition, want), is) in CONDITIONS.iter().zip(&theirs).zip(&ours) {
        if want != is {
            problems.push(format!("{condition:?}:\n  haproxy {want}\n  baton   {is}"));
        }
    }
    assert!(problems.is_empty(), "{}\n{TARGETS:?}", problems.join("\n"));
    // It is not the same answer for all.
    assert!(theirs.iter().filter(|row| row.contains("200") && row.contains("503")).count() > 25, "{theirs:?}");
}
