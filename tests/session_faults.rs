//! What may happen to either process at every step while sessions move: killed, stopped, short of descriptors.
//!
//! Every step has a point where a test can strike (src/sys/fault.rs). Whatever happens there, no session is lost but those that
//! were a dead process's own by then, the door stays open, and the next reload leaves one process with all of them.

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use harness::backends::Backend;
use harness::client;
use harness::daemon::Daemon;
use harness::diagnosis;
use harness::logs::LogReceiver;
use harness::ports;
use harness::process::{alive, send};
use harness::program::Program;
use harness::stats::Stats;
use harness::wait;
use nix::sys::signal::Signal;

/// Sessions of each case: three batches of 126.
const SESSIONS: usize = 300;
/// Sessions of one batch.
const BATCH: usize = 126;

/// Steps of the new process.
const NEW: [&str; 5] = ["new-moving", "new-lanes", "new-offered", "new-taken", "new-released"];
/// Steps of the old one.
const OLD: [&str; 8] =
    ["old-moving", "old-lanes", "old-frozen", "old-offered", "old-taken", "old-released", "old-closed", "old-finished"];

/// A daemon with an open door and sessions that are asked whether they live.
struct Case {
    door: SocketAddr,
    log: LogReceiver,
    daemon: Daemon,
    sessions: Vec<TcpStream>,
    _echo: Backend,
}

impl Case {
    #[track_caller]
    fn start(fault: &str, sessions: usize) -> Self {
        let (folder, echo, door) = (tempfile::tempdir().unwrap(), Backend::echo(), ports::free());
        let (log, address) = LogReceiver::udp();
        let text = format!(
            "global\n  daemon\n  nbthread 1\n  maxconn 2000\n  log {address} local0\n  stats socket {}/sock\ndefaults\n  mode tcp\n  log global\n  \
             option tcplog\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\nlisten l\n  bind {door}\n  \
             server s {}\n",
            folder.path().display(),
            echo.address
        );
        let mut daemon = Daemon::start_in(&Program::faulty(fault), &text, folder);
        daemon.suffer("");
        let sessions = (0..sessions).map(|_| client::connect(door)).collect();
        let mut case = Self { door, log, daemon, sessions, _echo: echo };
        assert_eq!(case.dead(), 0);
        case
    }

    /// Sessions that do not give back what they get.
    fn dead(&mut self) -> usize {
        let before = self.sessions.len();
        let mut words: Vec<bool> = self.sessions.iter_mut().map(|stream| stream.write_all(b"hello").is_ok()).collect();
        for (stream, well) in self.sessions.iter_mut().zip(&mut words) {
            let mut back = [0; 5];
            *well = *well && stream.read_exact(&mut back).is_ok() && &back == b"hello";
        }
        let mut well = words.into_iter();
        self.sessions.retain(|_| well.next() == Some(true));
        before - self.sessions.len()
    }

    /// Reloads until one process has all sessions that live.
    #[track_caller]
    fn conclude(&mut self, what: &str) {
        self.daemon.suffer("");
        self.daemon.reload_well();
        let count = self.sessions.len() as i64;
        let path = self.daemon.folder().join("sock");
        let there = || Stats::from_socket(&path).number("l", "FRONTEND", "scur");
        wait::until_or(
            &format!("all {count} sessions to be in one process after {what}"),
            || self.daemon.living() == [self.daemon.pid()] && there() == count,
            || format!("{} are\n{}\n{:#?}", there(), diagnosis::of(&self.daemon.living()), self.log.lines()),
        );
        assert_eq!(self.dead(), 0, "{what}");
        client::echo(&mut client::connect(self.door), b"the door is open");
    }
}

#[test]
fn a_new_process_killed_at_any_step_takes_only_what_was_its_own() {
    for step in NEW {
        let turns: &[&str] = if ["new-moving", "new-lanes"].contains(&step) { &[""] } else { &["", "@2"] };
        for turn in turns {
            let what = format!("{step}{turn}:kill");
            let mut case = Case::start("", SESSIONS);
            let old = case.daemon.pid();
            case.daemon.suffer(&what);
            case.daemon.reload_well();
            let new = case.daemon.pid();
            wait::until_true(&format!("{what} to strike"), || !alive(new));
            // What the new process had taken died with it: nothing before its first batch, one batch before the second…
            let most = match (step, *turn) {
                ("new-moving" | "new-lanes" | "new-offered", "") => 0,
                ("new-taken" | "new-released", "") => BATCH,
                ("new-offered", _) => BATCH,
                ("new-taken" | "new-released", _) => 2 * BATCH,
                _ => 0,
            };
            let dead = case.dead();
            assert!(dead <= most, "{what}: {dead} sessions are lost, at most {most} may be");
            assert!(alive(old), "{what}: the old process goes on");
            wait::until_true("the door to be open again", || {
                let mut stream = client::connect(case.door);
                stream.write_all(b"x").is_ok() && stream.read_exact(&mut [0]).is_ok()
            });
            case.conclude(&what);
        }
    }
}

#[test]
fn an_old_process_killed_at_any_step_loses_only_what_it_had() {
    for step in OLD {
        let what = format!("{step}@2:kill");
        let once = ["old-moving", "old-lanes", "old-finished"].contains(&step);
        let what = if once { format!("{step}:kill") } else { what };
        let mut case = Case::start(&what, SESSIONS);
        let old = case.daemon.pid();
        case.daemon.reload_well();
        wait::until_true(&format!("{what} to strike"), || !alive(old));
        // It dies at its second batch: the first is taken, and the second if the new one has said so.
        let least = match step {
            "old-moving" | "old-lanes" => 0,
            "old-frozen" | "old-offered" => BATCH,
            "old-finished" => SESSIONS,
            _ => 2 * BATCH,
        };
        let dead = case.dead();
        assert!(SESSIONS - dead >= least, "{what}: {dead} are lost, and {least} at least should live");
        case.conclude(&what);
    }
}

#[test]
fn an_old_process_stopped_at_any_step_goes_on_with_what_it_has() {
    for step in OLD {
        let once = ["old-moving", "old-lanes", "old-finished"].contains(&step);
        let what = if once { format!("{step}:stop") } else { format!("{step}@2:stop") };
        let mut case = Case::start(&what, SESSIONS);
        let old = case.daemon.pid();
        case.daemon.reload_well();
        let stopped = || {
            let stat = std::fs::read_to_string(format!("/proc/{old}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        };
        wait::until_true(&format!("{what} to strike"), stopped);
        // New connections are served meanwhile; sessions that moved live; the others wait.
        for _ in 0..20 {
            client::echo(&mut client::connect(case.door), b"the door is open");
        }
        // Longer than the new process waits for RELEASE.
        let begun = std::time::Instant::now();
        wait::until_true("the new process to give up", || begun.elapsed() > std::time::Duration::from_secs(4));
        send(old, Signal::SIGCONT);
        assert_eq!(case.dead(), 0, "{what}");
        case.conclude(&what);
    }
}

#[test]
fn a_new_process_stopped_at_any_step_leaves_the_old_ones_sessions_alone() {
    for step in ["new-moving", "new-lanes", "new-offered", "new-taken"] {
        let what = format!("{step}:stop");
        let mut case = Case::start("", SESSIONS);
        case.daemon.suffer(&what);
        case.daemon.reload_well();
        let new = case.daemon.pid();
        let stopped = || {
            let stat = std::fs::read_to_string(format!("/proc/{new}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        wait::until_true(&format!("{what} to strike"), stopped);
        // But for a batch that was RELEASEd to it, every session goes on in the old process after a moment.
        let most = if step == "new-taken" { BATCH } else { 0 };
        let mut quick: Vec<TcpStream> = case.sessions.drain(most..).collect();
        for stream in &mut quick {
            client::echo(stream, b"hello");
        }
        case.sessions.append(&mut quick);
        send(new, Signal::SIGCONT);
        assert_eq!(case.dead(), 0, "{what}");
        case.conclude(&what);
    }
}

#[test]
fn a_new_process_told_to_stop_at_any_step_keeps_what_it_is_given() {
    for step in NEW {
        let what = format!("{step}:stop");
        let mut case = Case::start("", BATCH);
        case.daemon.suffer(&what);
        case.daemon.reload_well();
        let new = case.daemon.pid();
        let stopped = || {
            let stat = std::fs::read_to_string(format!("/proc/{new}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        wait::until_true(&format!("{what} to strike"), stopped);
        send(new, Signal::SIGUSR1);
        send(new, Signal::SIGCONT);
        wait::until_true("the soft stop", || client::try_connect(case.door).is_err());
        assert_eq!(case.dead(), 0, "{what}");
        case.sessions.clear();
        wait::until_or("both to end", || case.daemon.living().is_empty(), || diagnosis::of(&case.daemon.living()));
    }
}
