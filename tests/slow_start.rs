//! Slow starts and reloads: one that goes on, one that begins in the new process, none for a server that was up.
//!
//! Over a reload haproxy forgets all of it, so only baton is asked there; what a start does is asked of both.

mod harness;

use std::net::SocketAddr;

use harness::backends::{self, Backend};
use harness::program::Program;
use harness::site::Site;
use harness::{ports, wait};

/// One that takes longer than the test: a step every 15 s.
const WORDS: &str = "check inter 100ms rise 1 fall 1 weight 160 slowstart 240s";

fn sections(door: SocketAddr, servers: &[(&str, SocketAddr)]) -> String {
    let lines: String = servers.iter().map(|(name, at)| format!("  server {name} {at} {WORDS}\n")).collect();
    format!("listen l\n  bind {door}\n{lines}")
}

/// Percent of the slow start, and the weight in force.
fn figures(site: &Site, server: &str) -> (String, i64) {
    let stats = site.stats();
    (stats.text("l", server, "throttle").to_owned(), stats.number("l", server, "weight"))
}

fn settles(site: &Site, server: &str) {
    wait::until_true("a check that passes", || site.stats().text("l", server, "check_status").ends_with("L4OK"));
}

#[test]
fn a_start_has_none() {
    for program in [Program::ours(), Program::theirs()] {
        let (echo, door) = (Backend::echo(), ports::free());
        let site = Site::start(&program, &sections(door, &[("s", echo.address)]));
        settles(&site, "s");
        assert_eq!(figures(&site, "s"), (String::new(), 160), "{:?}", program.kind);
    }
}

#[test]
fn one_that_goes_on_and_one_that_begins() {
    let (early, late, door) = (ports::free(), ports::free(), ports::free());
    let servers = [("early", early), ("late", late)];
    let mut site = Site::start(&Program::ours(), &sections(door, &servers));
    site.wait_for("l", "early", "status", "DOWN");
    site.wait_for("l", "late", "status", "DOWN");
    let _early = Backend::start_at(early, backends::echo);
    site.wait_for("l", "early", "status", "UP");
    assert_eq!(figures(&site, "early"), ("6".into(), 10), "the first of sixteen steps");
    site.reload();
    assert_eq!(site.stats().text("l", "late", "status"), "DOWN");
    let (throttle, _) = figures(&site, "early");
    assert!(!throttle.is_empty(), "it goes on");
    // It is up in the new process for the first time.
    let _late = Backend::start_at(late, backends::echo);
    site.wait_for("l", "late", "status", "UP");
    assert_eq!(figures(&site, "late"), ("6".into(), 10));
    // A server that the new file adds starts as at any start; the others go on, by the time that has passed.
    let added = Backend::echo();
    site.write(&sections(door, &[servers[0], servers[1], ("added", added.address)]));
    site.reload();
    settles(&site, "added");
    assert_eq!(figures(&site, "added"), (String::new(), 160));
    wait::within(std::time::Duration::from_secs(60), "the next step of the first", || {
        let throttle = site.number("l", "early", "throttle");
        (throttle >= 12).then_some(())
    });
    assert!(site.number("l", "late", "throttle") > 0, "it has begun later");
}
