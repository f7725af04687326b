//! Who takes over from whom: races, stale pids, strangers, deaths half-way, and a real haproxy on either side.
//!
//! baton against itself and against the installed haproxy; nothing here is asked of the original alone.

mod harness;

use std::net::TcpListener;
use std::process::{Child, Command};
use std::time::Duration;

use harness::backends::Backend;
use harness::client;
use harness::ports;
use harness::process::{alive, send};
use harness::program::Program;
use harness::storm::Storm;
use harness::wait;
use harness::yard::Yard;
use nix::sys::signal::Signal;

#[test]
fn ten_reloads_at_once_leave_one_process() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let storm = Storm::start(yard.door, 300);
    for round in 1..=3 {
        let line = format!("-sf {}", yard.pid());
        let children: Vec<Child> =
            (0..10).map(|_| yard.command(&ours.path, &line).spawn().expect("a reload starts")).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success(), "round {round}");
        }
        yard.settle();
    }
    let (tally, _) = storm.finish();
    assert_eq!(tally.failures(), 0, "{tally:?}");
}

#[test]
fn ten_at_once_in_the_foreground_leave_one_process() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let storm = Storm::start(yard.door, 300);
    // No pidfile, nothing in common but the pid that they replace.
    let mut children: Vec<Child> = (0..10)
        .map(|_| {
            let mut command = ours.command();
            command.args(["-db", "-q", "-sf", &yard.pid().to_string(), "-f"]).arg(yard.path("cfg"));
            command.current_dir(yard.folder.path()).spawn().expect("a newcomer starts")
        })
        .collect();
    wait::until("one process to be left", || {
        children.retain_mut(|child| child.try_wait().unwrap().is_none());
        (children.len() == 1 && yard.all().len() == 1).then_some(())
    });
    storm.wait_served(50);
    let (tally, _) = storm.finish();
    assert_eq!(tally.failures(), 0, "{tally:?}");
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[test]
fn a_stale_pid_leads_to_the_successor() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let first = yard.pid();
    yard.start(&ours, &format!("-sf {first}"));
    wait::until_true("the first to end", || !alive(first));
    let said = yard.start(&ours, &format!("-sf {first}"));
    assert!(said.contains("[WARNING] "), "{said}");
    yard.settle();
}

#[test]
fn what_is_no_proxy_gets_no_signal() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let said = yard.start(&ours, &format!("-sf {} {}", bystander.id(), yard.pid()));
    assert!(said.contains(&format!("process {} is no proxy", bystander.id())), "{said}");
    assert!(bystander.try_wait().unwrap().is_none(), "it lives");
    // Numbers are used again for threads, too: that of a thread is none of a process.
    let threads = std::fs::read_dir(format!("/proc/{}/task", yard.pid())).unwrap().flatten();
    let numbers = threads.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let thread = numbers.filter(|number| *number != yard.pid()).max().expect("more than one thread");
    assert!(!alive(thread));
    let said = yard.start(&ours, &format!("-sf {thread}"));
    assert!(said.contains(&format!("process {thread} is gone")), "{said}");
    let _ = bystander.kill();
    let _ = bystander.wait();
    yard.settle();
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let old = yard.pid();
    let good = std::fs::read_to_string(yard.path("cfg")).unwrap();
    let storm = Storm::start(yard.door, 300);
    for bad in [good.replace("server s", "sevrer s"), good.replace("mode tcp", "mode tpc"), String::new()] {
        std::fs::write(yard.path("cfg"), bad).unwrap();
        assert_eq!(yard.run(&ours, &format!("-sf {old}")).status.code(), Some(1));
        assert_eq!(yard.pid(), old, "the pidfile is untouched");
    }
    std::fs::write(yard.path("cfg"), good).unwrap();
    storm.wait_served(50);
    assert_eq!(storm.finish().0.failures(), 0);
    yard.settle();
}

#[test]
fn an_address_of_somebody_else_is_an_alert_and_no_signal() {
    let (yard, ours) = (Yard::new(), Program::ours());
    for old in [ours.clone(), Program::theirs()] {
        yard.write("");
        yard.start(&old, "");
        let serving = yard.pid();
        let stranger = TcpListener::bind(ports::free()).unwrap();
        let text = std::fs::read_to_string(yard.path("cfg")).unwrap();
        let more = format!("  mode tcp\n  bind {}", stranger.local_addr().unwrap());
        std::fs::write(yard.path("cfg"), text.replace("  mode tcp", &more)).unwrap();
        let storm = Storm::start(yard.door, 300);
        let out = yard.run(&ours, &format!("-sf {serving}"));
        assert_eq!(out.status.code(), Some(1));
        storm.wait_served(50);
        let (tally, _) = storm.finish();
        assert_eq!(tally.failures(), 0, "{tally:?}");
        assert_eq!((yard.pid(), alive(serving)), (serving, true));
        send(serving, Signal::SIGTERM);
        wait::until_true("the end", || yard.all().is_empty());
    }
}

#[test]
fn terminate_ends_the_old_one_at_once() {
    let (yard, ours) = (Yard::new(), Program::ours());
    let server = Backend::echo();
    let text = std::fs::read_to_string(yard.path("cfg")).unwrap();
    std::fs::write(yard.path("cfg"), text.replace(&yard.server.address.to_string(), &server.address.to_string()))
        .unwrap();
    yard.start(&ours, "");
    let mut session = client::connect(yard.door);
    client::echo(&mut session, b"alive");
    yard.start(&ours, &format!("-st {}", yard.pid()));
    assert!(client::read_all(&mut session).is_ok_and(|left| left.is_empty()), "it was cut, not kept");
    yard.settle();
}

#[test]
fn a_newcomer_killed_anywhere_loses_nothing() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let storm = Storm::start(yard.door, 300);
    for step in 0..40 {
        let line = format!("-sf {}", yard.pid());
        let mut child = yard.command(&ours.path, &line).spawn().unwrap();
        wait::moment(Duration::from_micros(step * 500)); // somewhere else each time
        let _ = child.kill(); // the parent: its child, if it has one, goes on or was never heard of
        let _ = child.wait();
        wait::until_true("somebody to be in charge", || {
            let all = yard.all();
            all.len() == 1 && yard.pid() == all[0]
        });
    }
    let (tally, _) = storm.finish();
    assert_eq!(tally.failures(), 0, "{tally:?}");
    yard.start(&ours, &format!("-sf {}", yard.pid()));
    yard.settle();
}

#[test]
fn a_reload_under_another_user() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.write("  user nobody\n  group nogroup\n  chroot /var/empty/");
    std::fs::create_dir_all("/var/empty").unwrap();
    yard.start(&ours, "");
    let storm = Storm::start(yard.door, 300);
    for global in ["  user nobody\n  chroot /var/empty/", "", "  user daemon", "  user nobody"] {
        yard.write(global);
        let said = yard.start(&ours, &format!("-sf {}", yard.pid()));
        assert!(said.contains("taken over"), "{said}");
        yard.settle();
    }
    assert_eq!(storm.finish().0.failures(), 0);
}

#[test]
fn from_haproxy_and_back_in_all_ways() {
    let (yard, ours, theirs) = (Yard::new(), Program::ours(), Program::theirs());
    yard.start(&theirs, "");
    let storm = Storm::start(yard.door, 1000);
    for round in 0..5 {
        let said = yard.start(&ours, &format!("-sf {}", yard.pid()));
        assert!(said.contains("copied from process"), "round {round}: {said}");
        yard.settle();
        yard.start(&theirs, &format!("-x sock -sf {}", yard.pid()));
        yard.settle();
        let said = yard.start(&ours, &format!("-x sock -sf {}", yard.pid()));
        assert!(said.contains(" came from sock"), "round {round}: {said}");
        yard.settle();
        yard.start(&theirs, &format!("-x sock -sf {}", yard.pid()));
        yard.settle();
    }
    let (tally, _) = storm.finish();
    assert_eq!(tally.failures(), 0, "{tally:?}");
}

#[test]
fn without_the_right_to_copy_it_binds_beside_or_asks_for_a_pause() {
    let (yard, ours, theirs) = (Yard::new(), Program::ours(), Program::theirs());
    for (global, sign) in [("", "binding beside it"), ("  noreuseport", "is asked to pause")] {
        yard.write(global);
        yard.start(&theirs, "");
        let line = format!("-sf {}", yard.pid());
        let mut command = Command::new("setpriv");
        let inner = yard.command(&ours.path, &line);
        command.args(["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]).arg(inner.get_program());
        command.args(inner.get_args()).current_dir(yard.folder.path());
        let output = std::fs::File::create(yard.path("out")).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let status = command.status().unwrap();
        let said = std::fs::read_to_string(yard.path("out")).unwrap();
        assert!(status.success(), "{status}: {said}");
        assert!(said.contains(sign), "{said}");
        yard.settle();
        send(yard.pid(), Signal::SIGTERM);
        wait::until_true("the end", || yard.all().is_empty());
    }
}

#[test]
fn a_haproxy_that_binds_beside_loses_nothing() {
    let (yard, ours, theirs) = (Yard::new(), Program::ours(), Program::theirs());
    yard.start(&ours, "");
    let storm = Storm::start(yard.door, 500);
    for _ in 0..8 {
        yard.start(&theirs, &format!("-sf {}", yard.pid()));
        yard.settle();
        storm.wait_served(20);
        yard.start(&ours, &format!("-sf {}", yard.pid()));
        yard.settle();
        storm.wait_served(20);
    }
    let (tally, _) = storm.finish();
    assert_eq!(tally.failures(), 0, "{tally:?}");
}

#[test]
fn a_soft_stop_serves_what_waits_in_the_backlog() {
    let (yard, ours, theirs) = (Yard::new(), Program::ours(), Program::theirs());
    yard.write("  nbthread 1\n  tune.maxaccept 1"); // the order to stop comes before most of them are accepted
    yard.start(&ours, "");
    let old = yard.pid();
    stop(old);
    yard.start(&theirs, &format!("-sf {old}"));
    // The kernel gives about half of them to the socket of the process that stands still.
    let mut clients: Vec<_> = (0..200).map(|_| client::connect(yard.door)).collect();
    send(old, Signal::SIGCONT);
    for (number, stream) in clients.iter_mut().enumerate() {
        client::echo(stream, &[number as u8; 64]);
    }
    drop(clients);
    yard.settle();
}

#[test]
fn a_pause_that_was_in_vain_is_undone() {
    let (yard, ours, theirs) = (Yard::new(), Program::ours(), Program::theirs());
    yard.write("  noreuseport");
    yard.start(&theirs, "");
    let old = yard.pid();
    // The second address is a stranger's: the first one has been freed by then.
    let stranger = TcpListener::bind(ports::free()).unwrap();
    let text = std::fs::read_to_string(yard.path("cfg")).unwrap();
    let more = format!("  mode tcp\n  bind {}", stranger.local_addr().unwrap());
    std::fs::write(yard.path("cfg"), text.replace("  mode tcp", &more)).unwrap();
    let inner = yard.command(&ours.path, &format!("-sf {old}"));
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(yard.folder.path());
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    wait::until_true("the old process to listen again", || ports::listens(yard.door));
    assert!(alive(old));
    client::echo(&mut client::connect(yard.door), &[7; 64]);
}

#[test]
fn sockets_of_a_path_stay_reachable() {
    let (yard, ours) = (Yard::new(), Program::ours());
    let path = yard.path("door.sock");
    let text = std::fs::read_to_string(yard.path("cfg")).unwrap();
    let bind = format!("  bind unix@{} mode 600\n  bind abns@baton-{}\n  mode tcp", path.display(), std::process::id());
    std::fs::write(yard.path("cfg"), text.replace("  mode tcp", &bind)).unwrap();
    yard.start(&ours, "");
    let knock = || {
        use std::io::{Read, Write};
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        stream.write_all(&[9; 64]).unwrap();
        let mut back = [0; 64];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, [9; 64]);
    };
    knock();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    for _ in 0..3 {
        let said = yard.start(&ours, &format!("-sf {}", yard.pid()));
        assert!(said.contains("4 listening socket(s) taken over, 0 bound"), "{said}");
        yard.settle();
        knock();
    }
    // The path is gone: the socket that nobody can reach is not taken, a new one is bound.
    std::fs::remove_file(&path).unwrap();
    let said = yard.start(&ours, &format!("-sf {}", yard.pid()));
    assert!(said.contains("3 listening socket(s) taken over, 1 bound"), "{said}");
    yard.settle();
    knock();
    let left: Vec<_> =
        std::fs::read_dir(yard.folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn a_stopped_old_process_is_replaced_all_the_same() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let old = yard.pid();
    send(old, Signal::SIGSTOP);
    let begun = std::time::Instant::now();
    let said = yard.start(&ours, &format!("-sf {old}"));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(said.contains("copied from process"), "{said}");
    for _ in 0..50 {
        client::echo(&mut client::connect(yard.door), &[7; 64]);
    }
    send(old, Signal::SIGCONT);
    yard.settle();
}

#[test]
fn a_pause_never_shuts_what_another_process_holds() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    yard.start(&ours, &format!("-sf {}", yard.pid()));
    yard.settle();
    let paused = yard.pid();
    send(paused, Signal::SIGTTOU);
    // It was given its sockets by another process: it stops to accept and leaves them as they are.
    let mut waiting = client::connect(yard.door);
    assert!(ports::listens(yard.door));
    send(paused, Signal::SIGTTIN);
    client::echo(&mut waiting, &[7; 64]);
    yard.settle();
}

/// Stops a process and waits until it stands still, or has ended.
fn stop(pid: u32) {
    send(pid, Signal::SIGSTOP);
    wait::until_true("it to stop", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z', 'X']))
    });
}

#[test]
fn a_newcomer_killed_with_its_child_leaves_the_old_one_in_charge() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    let mut died_early = 0;
    for step in 0..60 {
        let old = yard.pid();
        let mut parent = yard.command(&ours.path, &format!("-sf {old}")).spawn().unwrap();
        wait::moment(Duration::from_micros(step * 300));
        // Stopped first, the parent before its child, so that nothing happens between the look and the kill.
        stop(parent.id());
        let newcomers: Vec<u32> = yard.all().into_iter().filter(|pid| *pid != old).collect();
        newcomers.iter().for_each(|pid| stop(*pid));
        let early = yard.pid() == old && alive(old);
        let signal = if early { Signal::SIGKILL } else { Signal::SIGCONT };
        newcomers.iter().chain([&parent.id()]).for_each(|pid| send(*pid, signal));
        let status = parent.wait().unwrap();
        if early && !status.success() {
            died_early += 1;
            wait::until_true("the newcomers to be gone", || yard.all() == [old]);
        }
        yard.settle();
    }
    assert!(died_early > 5, "only {died_early} of 60 died before they took over");
    yard.start(&ours, &format!("-sf {}", yard.pid()));
    yard.settle();
}

#[test]
fn an_old_process_killed_anywhere_is_replaced() {
    let (yard, ours) = (Yard::new(), Program::ours());
    yard.start(&ours, "");
    for step in 0..30 {
        let old = yard.pid();
        let mut parent = yard.command(&ours.path, &format!("-sf {old}")).spawn().unwrap();
        wait::moment(Duration::from_micros(step * 400));
        send(old, Signal::SIGKILL);
        assert!(parent.wait().unwrap().success(), "step {step}");
        yard.settle();
    }
}

#[test]
fn a_start_that_fails_late_lets_the_paused_one_go_on() {
    let (yard, ours, theirs) = (Yard::new(), Program::ours(), Program::theirs());
    yard.write("  noreuseport");
    yard.start(&theirs, "");
    let old = yard.pid();
    // The log's descriptor is looked for when all sockets are there.
    let text = std::fs::read_to_string(yard.path("cfg")).unwrap();
    std::fs::write(yard.path("cfg"), text.replace("  noreuseport", "  noreuseport\n  log fd@777 local0")).unwrap();
    let inner = yard.command(&ours.path, &format!("-sf {old}"));
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(yard.folder.path());
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("is asked to pause") && said.contains("fd@777"), "{said}");
    wait::until_true("the old process to listen again", || ports::listens(yard.door));
    client::echo(&mut client::connect(yard.door), &[7; 64]);
}
