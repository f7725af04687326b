//! Limits of a frontend that neither lose nor refuse a connection, on both programs.

mod harness;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{client, ports};

#[test]
fn no_more_sessions_a_second_than_the_rate_limit() {
    for program in [Program::ours(), Program::theirs()] {
        let backend = Backend::echo();
        let (door, page) = (ports::free(), ports::free());
        let config = format!(
            "defaults\n\ttimeout client 20s\n\ttimeout server 20s\n\ttimeout connect 5s\n\
             listen limited\n\tmode tcp\n\tbind {door}\n\trate-limit sessions 5\n\tserver s {}\n\
             listen stats\n\tmode http\n\tbind {page}\n\tstats enable\n\tstats uri /\n",
            backend.address
        );
        let _proxy = Proxy::start(&program, &config);
        let mut clients: Vec<_> = (0..12).map(|_| client::connect(door)).collect();
        for stream in &mut clients {
            client::echo(stream, b"served in the end");
        }
        let stats = Stats::from_page(page, "/;csv", "");
        assert_eq!(stats.number("limited", "FRONTEND", "rate_lim"), 5);
        assert!(stats.number("limited", "FRONTEND", "stot") >= 12);
        let highest = stats.number("limited", "FRONTEND", "rate_max");
        // haproxy's threads may each let one more in; without the limit all 12 come in the first second.
        let most = if program.is_ours() { 5 } else { 10 };
        assert!((1..=most).contains(&highest), "{}: {highest} sessions in a second", program.path.display());
    }
}
