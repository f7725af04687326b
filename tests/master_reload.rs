//! Reloads of a master of ours: sessions stay whatever happens, a new binary takes part, nothing is left over; and masters
//! of ours and haproxy's that replace each other.

mod harness;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use harness::backends::Backend;
use harness::daemon::text;
use harness::master::{Master, config, works};
use harness::ports;
use harness::process::{alive, send};
use harness::program::{Kind, Program};
use harness::talkers::Talkers;
use harness::wait;
use nix::sys::signal::Signal::{SIGKILL, SIGTERM, SIGUSR1, SIGUSR2};

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").count()
}

fn executable(pid: u32) -> std::path::PathBuf {
    std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

#[test]
fn two_hundred_sessions_survive_twenty_reloads() {
    let server = Backend::echo();
    let door = ports::free();
    let mut master = Master::start(&Program::ours(), &config(door, server.address), &[]);
    let talkers = Talkers::start(door, 200);
    master.reload("1 [failed: 0]");
    master.settle();
    let before = descriptors(master.pid());
    for reload in 2..=20 {
        master.reload(&format!("{reload} [failed: 0]"));
        talkers.wait_messages(100);
    }
    master.settle();
    assert_eq!(descriptors(master.pid()), before, "the master keeps nothing of a reload");
    assert_eq!(server.accepted(), 200, "no session was opened anew");
    talkers.finish();
    master.signal(SIGTERM);
    assert_eq!(master.end().code(), Some(0));
}

#[test]
fn a_bad_configuration_moves_no_session() {
    let server = Backend::echo();
    let door = ports::free();
    let good = config(door, server.address);
    let master = Master::start(&Program::ours(), &good, &[]);
    let worker = master.worker();
    let talkers = Talkers::start(door, 20);
    let busy = ports::listener();
    let taken = busy.local_addr().unwrap();
    for (bad, failed) in [
        ("nonsense\n".to_owned(), 1),
        (format!("{good}listen busy\n  bind {taken}\n  server s {taken}\n"), 2),
        (format!("{good}listen fd\n  bind fd@77\n  server s {taken}\n"), 3),
    ] {
        master.write(&bad);
        master.reload(&format!("{failed} [failed: {failed}]"));
        talkers.wait_messages(40);
        assert_eq!(master.worker(), worker);
    }
    master.write(&good);
    master.reload("4 [failed: 0]");
    master.settle();
    talkers.wait_messages(40);
    talkers.finish();
    assert_eq!(server.accepted(), 20);
}

#[test]
fn reloads_at_once_leave_one_worker() {
    let server = Backend::echo();
    let door = ports::free();
    let master = Master::start(&Program::ours(), &config(door, server.address), &[]);
    let first = master.worker();
    let talkers = Talkers::start(door, 20);
    for _ in 0..30 {
        master.signal(SIGUSR2);
        wait::moment(std::time::Duration::from_millis(3));
    }
    wait::until_true("another worker", || master.workers().first().is_some_and(|worker| *worker != first));
    talkers.wait_messages(100);
    master.settle();
    assert_eq!(master.children(), master.workers());
    talkers.finish();
    assert_eq!(server.accepted(), 20);
}

/// A program of its own under the name `haproxy` in a folder of the test: what is under that name can be exchanged.
fn exchangeable(folder: &Path) -> Program {
    let ours = Program::ours();
    let path = folder.join("haproxy");
    std::os::unix::fs::symlink(ours.path.canonicalize().unwrap(), &path).unwrap();
    Program { path, ..ours }
}

#[test]
fn a_new_binary_takes_part() {
    let folder = tempfile::tempdir().unwrap();
    let program = exchangeable(folder.path());
    let server = Backend::echo();
    let door = ports::free();
    let master = Master::start(&program, &config(door, server.address), &[]);
    let talkers = Talkers::start(door, 20);
    let next = folder.path().join("next");
    // A copy, not a link: another file, as a package's new version is.
    std::fs::copy(program.path.canonicalize().unwrap(), &next).unwrap();
    std::fs::rename(&next, &program.path).unwrap();
    master.reload("1 [failed: 0]");
    master.settle();
    for pid in [master.pid(), master.worker()] {
        assert_eq!(executable(pid), program.path.canonicalize().unwrap());
    }
    talkers.wait_messages(40);
    // What cannot be executed changes nothing.
    let worker = master.worker();
    std::fs::write(&next, "no program").unwrap();
    std::fs::rename(&next, &program.path).unwrap();
    master.reload("2 [failed: 1]");
    assert_eq!(master.worker(), worker);
    talkers.wait_messages(40);
    assert!(master.ask("reload").starts_with("Success=0\n--\n"));
    std::fs::remove_file(&program.path).unwrap();
    std::os::unix::fs::symlink(Program::ours().path.canonicalize().unwrap(), &program.path).unwrap();
    assert!(master.ask("reload").starts_with("Success=1\n--\n"));
    master.settle();
    assert_ne!(master.worker(), worker);
    talkers.wait_messages(40);
    talkers.finish();
    assert_eq!(server.accepted(), 20);
}

#[test]
fn a_start_from_outside_takes_the_masters_place() {
    let (program, server) = (Program::ours(), Backend::echo());
    let door = ports::free();
    let text = config(door, server.address);
    let mut first = Master::start(&program, &text, &[]);
    let talkers = Talkers::start(door, 20);
    let mut second = Master::start(&program, &text, &["-sf", &first.pid().to_string()]);
    assert_eq!(first.end().code(), Some(0));
    talkers.wait_messages(60);
    // One without a master.
    let mut command = program.command();
    let (cfg, pidfile) = (second.path("cfg"), second.path("alone.pid"));
    command.arg("-f").arg(cfg).arg("-p").arg(&pidfile).args(["-D", "-sf", &second.pid().to_string()]);
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", text_of(&out));
    let alone: u32 = std::fs::read_to_string(&pidfile).unwrap().trim().parse().unwrap();
    let guard = Guard(alone);
    assert_eq!(second.end().code(), Some(0));
    talkers.wait_messages(60);
    // And a master takes the place of that.
    let third = Master::start(&program, &text, &["-sf", &alone.to_string()]);
    wait::until_true("the old process to end", || !alive(alone));
    drop(guard);
    talkers.wait_messages(60);
    third.reload("1 [failed: 0]");
    talkers.wait_messages(60);
    talkers.finish();
    assert_eq!(server.accepted(), 20);
}

fn text_of(out: &std::process::Output) -> String {
    text(out)
}

/// A process in the background that ends with its test.
struct Guard(u32);

impl Drop for Guard {
    fn drop(&mut self) {
        send(self.0, SIGKILL);
    }
}

#[test]
fn masters_of_both_replace_each_other() {
    let server = Backend::echo();
    for (old, new) in [(Kind::Theirs, Kind::Ours), (Kind::Ours, Kind::Theirs)] {
        let program = |kind| if kind == Kind::Ours { Program::ours() } else { Program::theirs() };
        let door = ports::free();
        let text = config(door, server.address);
        let mut first = Master::start(&program(old), &text, &[]);
        let mut session = harness::client::connect(door);
        harness::client::echo(&mut session, b"before");
        let second = Master::start(&program(new), &text, &["-sf", &first.pid().to_string()]);
        wait::until_true("the new one to serve", || works(door));
        harness::client::echo(&mut session, b"after");
        if new == Kind::Ours {
            assert!(second.running.output().contains(" copied from process "), "{}", second.running.output());
        }
        drop(session);
        assert_eq!(first.end().code(), Some(0), "{old:?}");
        assert!(works(door));
    }
}

#[test]
fn commands_reach_the_worker_they_name() {
    let server = Backend::echo();
    let door = ports::free();
    let master = Master::start(&Program::ours(), &config(door, server.address), &["--leave-sessions"]);
    let first = master.worker();
    let mut session = harness::client::connect(door);
    harness::client::echo(&mut session, b"one");
    let answer = master.ask("reload");
    assert!(answer.starts_with("Success=1\n--\n") && answer.contains("Loading success."), "{answer}");
    assert_eq!(master.ask("show startup-logs"), answer.strip_prefix("Success=1\n--\n").unwrap());
    let second = master.worker();
    let pid = |command: &str| {
        let answer = master.ask(command);
        answer.lines().find_map(|line| line.strip_prefix("Pid: ").map(str::to_owned)).unwrap_or(answer)
    };
    assert_eq!(pid("@1 show info"), second.to_string());
    assert_eq!(pid(&format!("@!{first} show info")), first.to_string());
    assert_eq!(pid("@1; show info"), second.to_string());
    assert!(pid("@!1 show info").contains("There is no process '@!1'"));
    assert!(pid("@2 show info").contains("There is no process '@2'"));
    let both = master.ask(&format!("@!{first} show info; @!{second} show info; @master show version"));
    assert_eq!(both.matches("\nPid: ").count(), 2, "{both}");

    let mut talk = UnixStream::connect(master.path("master.sock")).unwrap();
    talk.write_all(b"@@1\nprompt\nshow version\nquit\n").unwrap();
    let mut all = String::new();
    talk.read_to_string(&mut all).unwrap();
    assert!(all.contains("\n> 3.4."), "{all}");

    let worker = master.worker();
    let hard = master.ask("hard-reload");
    assert!(hard.starts_with("Success=1\n"), "{hard}");
    wait::until_true("the worker to end at once", || !alive(worker));
}

#[test]
fn an_asker_that_has_gone_or_is_deaf_changes_nothing() {
    let server = Backend::echo();
    let door = ports::free();
    let master = Master::start(&Program::ours(), &config(door, server.address), &[]);
    let mut deaf = Vec::new();
    for reload in 1..=3 {
        let mut socket = UnixStream::connect(master.path("master.sock")).unwrap();
        socket.write_all(b"reload\n").unwrap();
        if reload > 1 {
            deaf.push(socket);
        }
        master.wait_reloads(&format!("{reload} [failed: 0]"));
    }
    assert!(works(door));
}

#[test]
fn a_soft_stop_waits_for_sessions() {
    let server = Backend::echo();
    let door = ports::free();
    let mut master = Master::start(&Program::ours(), &config(door, server.address), &[]);
    let mut session = harness::client::connect(door);
    harness::client::echo(&mut session, b"one");
    master.signal(SIGUSR1);
    wait::until_true("the door to close", || harness::client::try_connect(door).is_err());
    master.signal(SIGUSR2); // who is leaving reloads no more
    harness::client::echo(&mut session, b"two");
    assert!(alive(master.pid()));
    drop(session);
    assert_eq!(master.end().code(), Some(0));
}

#[test]
fn the_failure_of_a_program_may_be_survived() {
    let server = Backend::echo();
    let door = ports::free();
    let text = config(door, server.address).replacen("global\n", "global\n  master-worker no-exit-on-failure\n", 1);
    let text = format!("{text}program p\n  command sh -c \"exit 3\"\n");
    let mut master = Master::start(&Program::ours(), &text, &["keyword"]);
    wait::until_true("it to be told", || master.running.output().contains("exited with code 3"));
    assert!(works(door));
    master.signal(SIGTERM);
    assert_eq!(master.end().code(), Some(3), "it was a failure all the same");
}

#[test]
fn a_master_without_a_worker_gets_one_by_a_reload() {
    let server = Backend::echo();
    let door = ports::free();
    let text = config(door, server.address).replacen("global\n", "global\n  master-worker no-exit-on-failure\n", 1);
    let text = format!("{text}program p\n  command sleep 1004\n");
    let master = Master::start(&Program::ours(), &text, &["keyword"]);
    send(master.worker(), SIGKILL);
    wait::until_true("the worker to be gone", || master.workers().is_empty());
    master.reload("1 [failed: 0]");
    assert!(works(door));
}
