//! `bind … transparent` on both programs, in a network namespace of the test's own: an address that is nobody's.

mod harness;

use std::process::Command;

use harness::process::Running;
use harness::program::Program;
use harness::wait;

/// An address of no host (RFC 5737) and a port.
const NOBODYS: &str = "192.0.2.7:1883";
/// The same as `/proc/net/tcp` has it, and the state of a socket that listens.
const LISTENING: &str = "070200C0:075B 00000000:0000 0A";

fn config(words: &str) -> String {
    format!(
        "defaults\n mode tcp\n timeout client 5s\n timeout connect 5s\n timeout server 5s\n\
         listen l\n bind {NOBODYS} {words}\n server s 127.0.0.1:1\n"
    )
}

/// Starts the program where there is no network but a loopback of its own: without one, any address may be bound.
fn start(program: &Program, words: &str, folder: &std::path::Path) -> Running {
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, config(words)).expect("the configuration");
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    command.arg(&program.path).arg("-db").arg("-f").arg(&file);
    Running::start("haproxy", folder, command)
}

#[test]
fn an_address_of_nobody_is_listened_on() {
    for program in [Program::theirs(), Program::under_test()] {
        let folder = tempfile::tempdir().expect("a folder");
        let process = start(&program, "transparent", folder.path());
        let table = format!("/proc/{}/net/tcp", process.pid());
        wait::until_true("it to listen", || {
            std::fs::read_to_string(&table).is_ok_and(|table| table.contains(LISTENING))
        });
    }
}

#[test]
fn without_the_word_it_is_refused() {
    for program in [Program::theirs(), Program::under_test()] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = start(&program, "", folder.path());
        let status = wait::until("its end", || process.ended());
        assert!(!status.success(), "{}", process.output());
        assert!(process.output().contains(NOBODYS), "{}", process.output());
    }
}
