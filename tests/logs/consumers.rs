//! Programs that count log lines count ours as haproxy's: Debian's `halog`, and `haproxy_log_analysis` from PyPI.
//!
//! Both know only lines of HTTP, so the sections write such lines of their TCP sessions, as people do who want to use
//! them; one section writes the plain lines that `halog` takes too.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::backends::Backend;
use crate::harness::program::Program;
use crate::harness::{client, ports};
use crate::stage::{Stage, same};

/// The line of `option httplog`, of a TCP session.
const LIKE_HTTP: &str =
    r#"%ci:%cp [%t] %ft %b/%s 0/%Tw/%Tc/0/%Tt 200 %B - - %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq \"GET /%f HTTP/1.0\""#;

/// The same traffic's log as a syslog file: sessions that end well, are reset, and find no server.
fn file(program: &Program, folder: &Path) -> PathBuf {
    let echo = Backend::echo();
    let target = " log @LOG format rfc3164 local0\n";
    let (alive, dead) = (format!(" server s1 {}\n", echo.address), format!(" server s1 {}\n", ports::refused()));
    let format = format!(" log-format \"{LIKE_HTTP}\"\n");
    let sections = [
        format!("{target}{alive}{format}"),
        format!("{target}{dead}{format}"),
        format!("{target}{format}"),
        format!("{target}{alive} option tcplog\n"),
        format!("{target}{alive}{format} option logasap\n"),
    ];
    let stage = Stage::new(program, " log-tag haproxy\n", &sections);
    let mut count = 0;
    let mut logged = || {
        count += 1;
        stage.log.wait_count("]: ", count);
    };
    for (section, sessions) in [(0, 5), (1, 2), (2, 3), (3, 4)] {
        for _ in 0..sessions {
            stage.talk(section);
            logged();
        }
    }
    for _ in 0..2 {
        let mut stream = stage.connect(0);
        client::echo(&mut stream, &[7; 64]);
        client::reset(stream);
        logged();
    }
    stage.talk(4);
    logged();
    let lines = stage.log.lines();
    let text: String = lines.iter().filter_map(|line| Some(format!("{}\n", line.split_once('>')?.1))).collect();
    let path = folder.join("haproxy.log");
    std::fs::write(&path, text).expect("the log file");
    path
}

fn output(mut command: Command) -> String {
    let output = command.stderr(Stdio::null()).output().expect("the program runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn halog_counts_our_lines() {
    same(|program| {
        let folder = tempfile::tempdir().expect("a folder");
        let log = file(program, folder.path());
        let halog = |options: &str| {
            let mut command = Command::new("halog");
            command.args(options.split(' ')).stdin(std::fs::File::open(&log).expect("the log"));
            output(command)
        };
        let mut answers: Vec<String> = [
            "-q -c",
            "-q -e -c",
            "-q -E -c",
            "-q -H -c",
            "-q -tc",
            "-q -st",
            "-q -tcn SC -c",
            "-q -TCN -- -c",
            "-q -Q -c",
        ]
        .iter()
        .map(|options| format!("{options}: {}", halog(options)))
        .collect();
        assert!(answers[0].contains("17"), "{}", answers[0]);
        // The averages of times behind the counts are each run's own.
        for options in ["-q -srv", "-q -uc"] {
            let table = halog(options);
            let mut rows: Vec<String> =
                table
                    .lines()
                    .map(|row| {
                        let fields: Vec<&str> = row.split_whitespace().collect();
                        let (head, last) = (if options == "-q -srv" { 9 } else { 2 }, fields.last().copied());
                        format!("{:?} {last:?}", fields.get(..head)).replace("last", "")
                    })
                    .map(|row| {
                        if options == "-q -srv" {
                            row.split(" Some").next().unwrap_or_default().to_owned()
                        } else {
                            row
                        }
                    })
                    .collect();
            rows.sort();
            answers.append(&mut rows);
        }
        answers
    });
}

#[test]
fn haproxy_log_analysis_counts_our_lines() {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("log-analysis");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/install");
    let installed = Command::new(script).arg(&tools).status().expect("the installation runs");
    assert!(installed.success(), "haproxy_log_analysis is not installed");
    same(|program| {
        let folder = tempfile::tempdir().expect("a folder");
        let log = file(program, folder.path());
        [
            "counter",
            "connection_type",
            "http_methods",
            "ip_counter",
            "server_load",
            "status_codes_counter",
            "request_path_counter",
            "queue_peaks",
        ]
        .iter()
        .map(|what| {
            let mut command = Command::new(tools.join("bin/haproxy_log_analysis"));
            command.arg("-l").arg(&log).args(["-c", what, "--json"]);
            let answer = output(command);
            // it prints the lines that it does not know: how many counts
            let strange = answer.lines().filter(|line| line.contains("haproxy[")).count();
            let result: Vec<&str> = answer.lines().filter(|line| line.starts_with('{')).collect();
            assert!(!result.is_empty(), "{what}: {answer}");
            format!("{what}: {} ({strange} strange lines)", result.join("\n"))
        })
        .collect()
    });
}
