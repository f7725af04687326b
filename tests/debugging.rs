//! The converter `debug`: what is told where, on both programs.

mod harness;

use std::collections::HashSet;

use harness::program::Program;
use harness::proxy::{self, Proxy};
use harness::{client, ports, stats, wait};

const RULES: [&str; 16] = [
    "src,debug",
    "src,debug(pre)",
    "src,debug(own,r1)",
    "src,debug(framed,r2)",
    r"str(a\x01b),debug(control,buf0)",
    "bin(0001ff414243),debug(zero)",
    "bin(ff41c3a9),debug(bytes)",
    "bool(true),debug(yes)",
    "int(-5),debug(number)",
    "ipv6(::1),debug(six)",
    "str(),debug(empty)",
    "var(sess.none),debug(none)",
    "str(a),debug(before),upper,debug(after)",
    "str(x),debug(a b)",
    "str(x),debug()",
    "str(last),debug(last)",
];

/// What each ring holds, without dates.
fn told(program: &Program) -> Vec<String> {
    let (door, folder) = (ports::free(), tempfile::tempdir().expect("a folder"));
    let socket = folder.path().join("stats");
    let rules: String =
        (0..).zip(RULES).map(|(ix, rule)| format!(" tcp-request connection set-var(sess.v{ix}) '{rule}'\n")).collect();
    let _proxy = Proxy::start(
        program,
        &format!(
            "global\n nbthread 1\n stats socket {} level admin\nring r1\n format raw\n size 32768\nring r2\n format short\n size 32768\ndefaults\n mode \
             tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nlisten l\n bind {door}\n{rules} server s 127.0.0.1:9\n",
            socket.display()
        ),
    );
    let _client = client::connect(door);
    let events = |ring: &str| stats::command(&socket, &format!("show events {ring}"));
    wait::until_true("the last value", || events("buf0").contains("<last>"));
    let dateless = |line: &str| match line.strip_prefix("<0>").and_then(|line| line.split_once(' ')) {
        Some((date, rest)) if date.len() > 20 => format!("<0>DATE {rest}"),
        _ => line.to_owned(),
    };
    // the wait for the start connects, too, and all is told once more
    let mut seen = HashSet::new();
    let lines = ["buf0", "r1", "r2"].iter().flat_map(|ring| events(ring).lines().map(dateless).collect::<Vec<_>>());
    lines.filter(|line| seen.insert(line.clone())).collect()
}

#[test]
fn values_are_told_alike() {
    let theirs = told(&Program::theirs());
    assert!(theirs.contains(&"<0>DATE [debug] pre: type=ipv4 <127.0.0.1>".to_owned()), "{theirs:#?}");
    assert_eq!(told(&Program::ours()), theirs);
}

#[test]
fn values_are_told_to_descriptors() {
    for program in [Program::theirs(), Program::ours()] {
        let door = ports::free();
        let proxy = Proxy::start(
            &program,
            &format!(
                "defaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nlisten l\n bind {door}\n \
                 tcp-request connection set-var(sess.a) src,debug(pre,stderr)\n server s 127.0.0.1:9\n"
            ),
        );
        let _client = client::connect(door);
        wait::until_true("the line", || proxy.output().contains("[debug] pre: type=ipv4 <127.0.0.1>\n"));
    }
}

#[test]
fn sinks_must_be_there() {
    for (sink, good) in [
        ("nope", false),
        ("r1", true),
        ("buf0", true),
        ("stderr", true),
        ("stdout", true),
        ("buf1", false),
        ("", false),
    ] {
        for program in [Program::theirs(), Program::ours()] {
            let config = format!(
                "ring r1\n size 32768\ndefaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\nlisten l\n bind {}\n \
                 tcp-request connection set-var(sess.a) str(a),debug(x,{sink})\n server s 127.0.0.1:9\n",
                ports::free()
            );
            assert_eq!(
                proxy::check(&program, &config).status.success(),
                good,
                "'{sink}' on {}",
                program.path.display()
            );
        }
    }
}
