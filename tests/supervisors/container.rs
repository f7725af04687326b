//! Process 1 of a container: examples/supervisors/Dockerfile's command, reload and stop.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::client;
use crate::harness::process::{Running, send};
use crate::harness::throwaway::in_a_copy;
use crate::stage::{Stage, ended, example, first, haproxies, put};

/// The words of `NAME ["…", "…"]` in the Dockerfile.
#[track_caller]
fn list(name: &str) -> Vec<String> {
    let text = example("Dockerfile");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("an instruction");
    serde_json::from_str(line).expect("a list")
}

/// A container without the rest of Docker: the command is process 1 of its own.
fn container(words: &[String]) -> Running {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).args(words);
    Running::start("container", Path::new("/tmp"), command)
}

#[test]
fn process_1_reloads_and_stops() {
    if !in_a_copy("container::process_1_reloads_and_stops") {
        return;
    }
    let stage = Stage::set();
    put(&stage.program, "/usr/local/sbin/haproxy");
    let words = [list("ENTRYPOINT "), list("CMD ")].concat();
    assert!(example("Dockerfile").contains("\nSTOPSIGNAL SIGUSR1\n"));
    let compose = example("compose.yaml");
    assert!(
        compose.contains(&format!("command: {}", serde_json::to_string(&list("CMD ")).unwrap().replace(',', ", ")))
    );
    assert!(compose.contains("stop_signal: SIGUSR1\n"));

    // Signal, exit code.
    for (signal, code) in [(Signal::SIGUSR1, 0), (Signal::SIGTERM, 0), (Signal::SIGINT, 130)] {
        let mut container = container(&words);
        let mut session = stage.session();
        let (main, old) = (first(), haproxies());
        let new = || haproxies().iter().any(|pid| !old.contains(pid));
        stage.insist("a new worker", || send(main, Signal::SIGUSR2), new);
        client::echo(&mut session, b"still here");
        drop(stage.session());
        client::echo(&mut session, b"and here");
        stage.insist("nobody to listen", || send(main, signal), || client::try_connect(stage.door).is_err());
        if signal == Signal::SIGUSR1 {
            client::echo(&mut session, b"sessions may end");
            drop(session);
        } else {
            ended(session);
        }
        assert_eq!(container.wait().code(), Some(code), "{signal}: {}", container.output());
        assert_eq!(haproxies(), [0; 0]);
    }
}

#[test]
fn process_1_without_a_master_ends_by_every_signal() {
    if !in_a_copy("container::process_1_without_a_master_ends_by_every_signal") {
        return;
    }
    let stage = Stage::set();
    put(&stage.program, "/usr/local/sbin/haproxy");
    let mut words = [list("ENTRYPOINT "), list("CMD ")].concat();
    words.retain(|word| word != "-W");
    // A process cannot kill itself where it is process 1: 2.6 goes on without its listeners until it is killed.
    let kills: &[_] = if stage.program.is_ours() { &[(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] } else { &[] };
    for (signal, code) in [&[(Signal::SIGUSR1, 0)], kills].concat() {
        let mut container = container(&words);
        drop(stage.session());
        let main = first();
        stage.insist("nobody to listen", || send(main, signal), || client::try_connect(stage.door).is_err());
        assert_eq!(container.wait().code(), Some(code), "{signal}: {}", container.output());
    }
}
