//! Masters and their workers, on both programs: exit codes, signals, what systemd hears, `show proc`, programs.

mod harness;

use harness::backends::Backend;
use harness::master::{Master, config, works};
use harness::ports;
use harness::process::{alive, comm, send};
use harness::program::Program;
use harness::wait;
use nix::sys::signal::Signal::{
    self, SIGABRT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
};

/// Signals to the master or to its worker, and the master's exit code; `None`: nothing of it.
const ENDS: &[(&str, Signal, Option<i32>)] = &[
    ("master", SIGTERM, Some(0)),
    ("master", SIGUSR1, Some(0)),
    ("master", SIGINT, Some(130)),
    ("master", SIGQUIT, None),
    ("worker", SIGTERM, Some(0)),
    ("worker", SIGUSR1, Some(0)),
    ("worker", SIGINT, Some(130)),
    ("worker", SIGKILL, Some(137)),
    ("worker", SIGABRT, Some(134)),
];

#[test]
fn how_it_ends() {
    let (program, server) = (Program::under_test(), Backend::echo());
    for (whom, signal, want) in ENDS {
        let door = ports::free();
        let mut master = Master::start(&program, &config(door, server.address), &["-db"]);
        let worker = master.worker();
        send(if *whom == "master" { master.pid() } else { worker }, *signal);
        match want {
            Some(code) => assert_eq!(master.end().code(), Some(*code), "{signal} to the {whom}"),
            None => assert!(works(door) && master.worker() == worker, "{signal} to the {whom}"),
        }
    }
}

#[test]
fn a_worker_dies_with_its_master() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let mut master = Master::start(&program, &config(ports::free(), server.address), &[]);
    let worker = master.worker();
    master.signal(SIGKILL);
    master.running.wait();
    wait::until_true("the worker to end", || !alive(worker));
}

#[test]
fn show_proc_and_the_pidfile() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let door = ports::free();
    let master = Master::start(&program, &config(door, server.address), &[]);
    let rows = master.rows();
    let seen: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.reloads.as_str(), row.group.as_str())).collect();
    assert_eq!(seen, [("master", "0 [failed: 0]", ""), ("worker", "0", "workers")]);
    assert_eq!(rows[0].pid, master.pid());
    let text = master.ask("show proc");
    let head = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n";
    assert!(text.starts_with(head) && text.ends_with("# programs\n\n"), "{text}");
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with("# ") || line.len() >= 79), "{text}");
    let worker = master.worker();
    for pid in [master.pid(), worker] {
        assert_eq!(comm(pid), "haproxy");
    }
    let pidfile = || std::fs::read_to_string(master.path("pid")).unwrap();
    assert_eq!(pidfile(), format!("{}\n", master.pid()));
    for (signal, want) in [(SIGUSR2, "1 [failed: 0]"), (SIGHUP, "2 [failed: 0]")] {
        master.signal(signal);
        master.wait_reloads(want);
        master.settle();
    }
    assert_ne!(master.worker(), worker);
    assert_eq!(pidfile(), format!("{}\n", master.pid()), "a reload keeps the master's process");
    assert!(works(door));
}

#[test]
fn a_bad_configuration_keeps_the_worker() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let door = ports::free();
    let good = config(door, server.address);
    let mut master = Master::start(&program, &good, &[]);
    let worker = master.worker();
    master.write(&format!("{good}  nonsense\n"));
    master.reload("1 [failed: 1]");
    master.reload("2 [failed: 2]");
    assert_eq!(master.worker(), worker);
    assert_eq!(master.rows()[1].reloads, "2", "it has seen them");
    assert!(works(door));
    assert!(
        master.ask("prompt").starts_with("\nmaster[ReloadFailed]> ")
            || master.ask("prompt").starts_with("master[ReloadFailed]> ")
    );
    assert!(master.running.output().contains("nonsense"));
    master.write(&good);
    master.reload("3 [failed: 0]");
    master.settle();
    assert_ne!(master.worker(), worker);
    assert!(works(door));
    master.signal(SIGTERM);
    assert_eq!(master.end().code(), Some(0));
}

#[test]
fn what_systemd_hears() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let good = config(ports::free(), server.address);
    let mut master = Master::start(&program, &good, &["-Ws"]);
    let me = format!("MAINPID={}", master.pid());
    // 2.6 says RELOADING at its first start, too.
    let next = |sign: &str| wait::until(sign, || Some(master.notified()).filter(|text| text.starts_with(sign)));
    let ready = next("READY=1\n");
    assert!(ready.lines().any(|line| line == me), "{ready}");
    master.signal(SIGUSR2);
    let reloading = next("RELOADING=1");
    if program.is_ours() {
        let moment = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("a moment");
        assert!(moment.parse::<u64>().is_ok_and(|moment| moment > 0), "{reloading}");
    }
    assert!(next("READY=1\n").lines().any(|line| line == me));
    master.write("nonsense\n");
    master.signal(SIGUSR2);
    next("RELOADING=1");
    let ready = next("READY=1\n");
    assert!(!program.is_ours() || ready.contains("STATUS=Reload failed!"), "{ready}");
    master.signal(SIGTERM);
    if program.is_ours() {
        next("STOPPING=1");
    }
    assert_eq!(master.end().code(), Some(0));
}

#[test]
fn without_s_systemd_hears_nothing() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let mut master = Master::start(&program, &config(ports::free(), server.address), &[]);
    master.reload("1 [failed: 0]");
    master.signal(SIGTERM);
    master.end();
    assert!(!master.heard_anything());
}

#[test]
fn in_the_background() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let door = ports::free();
    let mut first = Master::try_start(&program, &config(door, server.address), &["-D"]);
    assert!(first.running.wait().success());
    let pid: u32 = wait::until("a pid", || std::fs::read_to_string(first.path("pid")).ok()?.trim().parse().ok());
    let _guard = Guard(pid);
    assert!(alive(pid), "the pidfile names the master");
    wait::until_true("the door", || works(door));
    let worker = wait::until("a worker", || first.workers().first().copied());
    assert_ne!(worker, pid);
    send(pid, SIGTERM);
    wait::until_true("the end", || !alive(pid) && !alive(worker));
}

/// A process in the background that ends with its test.
struct Guard(u32);

impl Drop for Guard {
    fn drop(&mut self) {
        send(self.0, SIGKILL); // its worker dies with it
    }
}

#[test]
fn a_start_that_fails() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let bad = format!("{}  nonsense\n", config(ports::free(), server.address));
    for more in [&["-db"][..], &["-D"], &["-Ws"]] {
        let mut master = Master::try_start(&program, &bad, more);
        assert_eq!(master.running.wait().code(), Some(1), "{more:?}");
    }
    let good = config(ports::free(), server.address);
    for socket in ["{dir}/no/such/folder", "{dir}/m,nonsense"] {
        let mut master = Master::try_start(&program, &good, &["-db", "-S", socket]);
        assert_eq!(master.running.wait().code(), Some(1), "{socket}");
    }
}

#[test]
fn the_word_of_the_configuration() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let door = ports::free();
    let text = config(door, server.address).replacen("global\n", "global\n  master-worker\n", 1);
    let mut master = Master::start(&program, &text, &["keyword"]);
    master.reload("1 [failed: 0]");
    assert!(works(door));
    master.signal(SIGTERM);
    assert_eq!(master.end().code(), Some(0));
}

#[test]
fn a_pause_reaches_the_worker() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let mut master = Master::start(&program, &config(ports::free(), server.address), &[]);
    for (signal, word) in [(SIGTTOU, "Paused "), (SIGTTIN, "Resumed ")] {
        master.signal(signal);
        wait::until_true(word, || master.running.output().contains(word));
    }
    master.signal(SIGTERM);
    assert_eq!(master.end().code(), Some(0));
}

#[test]
fn old_workers_see_so_many_reloads() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let door = ports::free();
    let text = config(door, server.address).replacen("global\n", "global\n  mworker-max-reloads 1\n", 1);
    let more: &[&str] = if program.is_ours() { &["--leave-sessions"] } else { &[] };
    let master = Master::start(&program, &text, more);
    let first = master.worker();
    let mut session = harness::client::connect(door);
    harness::client::echo(&mut session, b"one");
    master.reload("1 [failed: 0]");
    assert_eq!(master.group("old workers"), [first]);
    harness::client::echo(&mut session, b"two");
    master.reload("2 [failed: 0]");
    wait::until_true("the oldest to be ended", || !alive(first));
}

/// Commands of a program, how it ends, and the master's exit code; `None`: it goes on.
const PROGRAMS: &[(&str, Option<Signal>, Option<i32>)] = &[
    ("sh -c \"exit 0\"", None, None),
    ("sh -c \"exit 3\"", None, Some(3)),
    ("/nonexistent/program", None, Some(1)),
    ("sleep 1000", Some(SIGTERM), None),
    ("sleep 1000", Some(SIGKILL), Some(137)),
    ("sleep 1000", Some(SIGUSR1), Some(138)),
];

#[test]
fn programs_that_end() {
    let (program, server) = (Program::under_test(), Backend::echo());
    for (command, signal, want) in PROGRAMS {
        let door = ports::free();
        let text = format!("{}program p\n  command {command}\n", config(door, server.address));
        let mut master = Master::try_start(&program, &text, &["-db"]);
        if let Some(signal) = signal {
            let pid = wait::until("the program", || {
                let child = master.children().into_iter().find(|child| comm(*child) == "sleep")?;
                master.group("programs").contains(&child).then_some(child)
            });
            send(pid, *signal);
        }
        match want {
            Some(code) => assert_eq!(master.end().code(), Some(*code), "{command} {signal:?}"),
            None => {
                wait::until_true("its end to be told", || master.running.output().contains("program 'p' ("));
                wait::until_true("it to be gone", || {
                    !master.workers().is_empty() && master.group("programs").is_empty()
                });
                assert!(works(door), "{command} {signal:?}");
                master.signal(SIGTERM);
                assert_eq!(master.end().code(), Some(0), "{command} {signal:?}");
            }
        }
    }
}

#[test]
fn programs_and_reloads() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let text = format!(
        "{}program again\n  command sleep 1001\n  user nobody\n  group nogroup\nprogram once\n  command sleep 1002\n  no option start-on-reload\n",
        config(ports::free(), server.address)
    );
    let mut master = Master::start(&program, &text, &[]);
    let names = || {
        let rows = master.rows();
        rows.iter().filter(|row| row.group == "programs").map(|row| (row.kind.clone(), row.pid)).collect::<Vec<_>>()
    };
    let mut first = wait::until("both programs", || Some(names()).filter(|names| names.len() == 2));
    first.sort();
    assert_eq!((first[0].0.as_str(), first[1].0.as_str()), ("again", "once"));
    let status = wait::until("it to be another user's", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", first[0].1)).unwrap_or_default();
        status.contains("Name:\tsleep").then_some(status)
    });
    assert!(status.contains("\nUid:\t65534\t65534") && status.contains("\nGid:\t65534\t65534"), "{status}");
    master.reload("1 [failed: 0]");
    let second = wait::until("one program", || Some(names()).filter(|names| names.len() == 1));
    assert_eq!(second[0].0, "again");
    assert_ne!(second[0].1, first[0].1);
    wait::until_true("the old ones to end", || !alive(first[0].1) && !alive(first[1].1));
    master.signal(SIGTERM);
    assert_eq!(master.end().code(), Some(0));
}

#[test]
fn what_a_program_and_a_configuration_see() {
    let (program, server) = (Program::under_test(), Backend::echo());
    let text = format!(
        "{}program p\n  command sh -c \"env > {{dir}}/env.new; mv {{dir}}/env.new {{dir}}/env; exec sleep 1003\"\n",
        config(ports::free(), server.address)
    );
    let text = format!(
        ".if defined(HAPROXY_MASTER_CLI)\n  .notice \"seen $HAPROXY_MWORKER $HAPROXY_MASTER_CLI\"\n.endif\n{text}"
    );
    let mut master = Master::start(&program, &text, &["-db"]);
    let environment = wait::until("the program", || std::fs::read_to_string(master.path("env")).ok());
    let value =
        |name: &str| environment.lines().find_map(|line| line.strip_prefix(&format!("{name}=")).map(str::to_owned));
    let place = |text: &str| Some(text.replace("{dir}", &master.folder().display().to_string()));
    assert_eq!(value("HAPROXY_MWORKER"), Some("1".to_owned()));
    assert_eq!(value("HAPROXY_MASTER_CLI"), place("unix@{dir}/master.sock"));
    assert_eq!(value("HAPROXY_CFGFILES"), place("{dir}/cfg"));
    assert!(value("HAPROXY_CLI").is_some_and(|cli| cli.starts_with(&place("unix@{dir}/stats.sock").unwrap())));
    assert!(value("HAPROXY_STARTUP_VERSION").is_some() && value("HAPROXY_LOCALPEER").is_some());
    master.reload("1 [failed: 0]");
    let seen = place("seen 1 unix@{dir}/master.sock").unwrap();
    wait::until_true("the configuration to see it", || master.running.output().contains(&seen));
    master.signal(SIGTERM);
    assert_eq!(master.end().code(), Some(0));
}
