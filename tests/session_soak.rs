//! Reloads of every kind in a random order, with sessions that talk and connections that come: nothing is lost, one process is left.
//!
//! `BATON_RELOADS` sets the number (60 without it; a soak by hand takes thousands), `BATON_SEED` the order.

mod harness;

use std::time::Duration;

use harness::backends::{self, Backend};
use harness::client;
use harness::daemon::Daemon;
use harness::ports;
use harness::process::send;
use harness::program::Program;
use harness::storm::{self, Storm};
use harness::talkers::Talkers;
use harness::wait;
use nix::sys::signal::Signal;

/// What one turn does.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Plain,
    /// Several at once, all naming the same process.
    Crowd,
    /// Another one while the first is under way.
    Chase,
    /// The pid of a process that is gone, and one that is no proxy, beside the right one.
    Strangers,
    /// A configuration with a mistake: nothing changes.
    Mistake,
    /// The old process stands still for a moment.
    Pause,
}

const TURNS: [Turn; 6] = [Turn::Plain, Turn::Crowd, Turn::Chase, Turn::Strangers, Turn::Mistake, Turn::Pause];

#[test]
fn reloads_of_every_kind_lose_nothing_alone() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let (count, mut random) = (number("BATON_RELOADS", 60), number("BATON_SEED", 1));
    let (echo, short, doors) = (Backend::start(backends::echo), storm::server(), [ports::free(), ports::free()]);
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "global\n  maxconn 2000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         listen long\n  bind {}\n  server s {}\nlisten short\n  bind {}\n  server s {}\n",
        doors[0], echo.address, doors[1], short.address
    );
    let mut daemon = Daemon::start_in(&Program::ours(), &text, folder);
    let talkers = Talkers::start(doors[0], 30);
    let storm = Storm::start(doors[1], 200);
    let mut stranger = std::process::Command::new("sleep").arg("600").spawn().expect("a process that is no proxy");
    for turn in 0..count {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let kind = TURNS[(random >> 33) as usize % TURNS.len()];
        let delay = Duration::from_micros((random >> 40) % 20_000);
        let old = daemon.pid();
        let mut children = match kind {
            Turn::Plain => vec![daemon.start_reload(&[old])],
            Turn::Crowd => (0..5).map(|_| daemon.start_reload(&[old])).collect(),
            Turn::Chase => {
                let first = daemon.start_reload(&[old]);
                wait::moment(delay);
                vec![first, daemon.start_reload(&[daemon.pid()])]
            }
            Turn::Strangers => vec![daemon.start_reload(&[999_999, old, stranger.id()])],
            Turn::Mistake => {
                daemon.write(&format!("{text}  no such word\n"));
                let status = daemon.start_reload(&[old]).wait().unwrap();
                daemon.write(&text);
                assert_eq!((status.code(), daemon.pid()), (Some(1), old), "turn {turn}");
                Vec::new()
            }
            Turn::Pause => {
                let child = daemon.start_reload(&[old]);
                wait::moment(delay);
                send(old, Signal::SIGSTOP);
                wait::moment(Duration::from_millis(300));
                send(old, Signal::SIGCONT);
                vec![child]
            }
        };
        for child in &mut children {
            assert!(child.wait().unwrap().success(), "turn {turn}, {kind:?}");
        }
        daemon.look();
        assert_eq!(talkers.failures(), Vec::<String>::new(), "turn {turn}, {kind:?}");
        if turn % 10 == 9 {
            daemon.settle_all();
            talkers.wait_messages(60);
        }
    }
    daemon.settle_all();
    talkers.wait_messages(60);
    talkers.finish();
    let (tally, rate) = storm.finish();
    println!("{count} turns: {tally:?}, {rate:.0} connections/s");
    assert_eq!(tally.failures(), 0, "{tally:?}");
    client::echo(&mut client::connect(doors[0]), b"the door is open");
    assert!(stranger.try_wait().unwrap().is_none(), "what is no proxy got no signal");
    let _ = stranger.kill();
    let _ = stranger.wait();
}
