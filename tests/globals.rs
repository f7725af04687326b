//! Words of `global` that act over several files or over lines behind them, on both programs.

mod harness;

use std::process::Output;

use harness::backends::Backend;
use harness::ports;
use harness::program::Program;
use harness::proxy::Proxy;
use nix::sys::signal::Signal;

/// What `-c` says of these files, in this order, each in a folder of its own beside a file that says its name.
fn judge(program: &Program, files: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program.command();
    command.arg("-c").current_dir(folder.path());
    for (name, text) in files {
        let own = folder.path().join(name);
        std::fs::create_dir_all(&own).expect("a folder");
        std::fs::write(own.join(format!("{name}.http")), "").expect("an answer");
        std::fs::write(own.join("a.cfg"), text).expect("a configuration");
        command.arg("-f").arg(format!("{name}/a.cfg"));
    }
    command.output().expect("it runs")
}

fn section(name: &str, port: u16, file: &str) -> String {
    format!(
        "listen {name}\n  bind 127.0.0.1:{port}\n  mode tcp\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\n  \
         errorfile 503 {file}\n"
    )
}

#[test]
fn relative_paths_follow_each_file() {
    let first = |mode: &str, file: &str| format!("global\n  default-path {mode}\n{}", section("one", 2001, file));
    for (mode, one, two, right) in [
        ("config", "one.http", "two.http", true),
        ("config", "one.http", "one.http", true), // haproxy has read it under that name; baton reads two/one.http
        ("config", "two.http", "two.http", false),
        ("parent", "one/one.http", "two/two.http", true),
        ("current", "one/one.http", "two/two.http", true),
        ("current", "one.http", "two/two.http", false),
        ("origin two", "two.http", "two.http", true),
        ("origin two", "one.http", "two.http", false),
    ] {
        for program in [Program::ours(), Program::theirs()] {
            let out = judge(&program, &[("one", &first(mode, one)), ("two", &section("two", 2002, two))]);
            let known_twice = one == two && one == "one.http" && program.is_ours();
            assert_eq!(
                out.status.success(),
                right && !known_twice,
                "{}: {mode}, {one}, {two}: {}",
                program.path.display(),
                String::from_utf8_lossy(&out.stderr)
            );
        }
    }
}

/// A variable holds for the lines behind the one that sets it, in the same file and in the next.
#[test]
fn variables_hold_for_what_is_read_after_them() {
    let words = |line: &str| format!("global\n  {line}\n");
    let asks = |port: &str| format!("listen l\n  mode tcp\n  bind 127.0.0.1:\"${{{port}}}\"\n  timeout client 1s\n");
    for (lines, port, right) in [
        (vec![words("setenv P1 2001"), asks("P1")], "P1", true),
        (vec![asks("P1"), words("setenv P1 2001")], "P1", false),
        (vec![words("setenv P1 2001\n  unsetenv P1"), asks("P1")], "P1", false),
        (vec![words("setenv P1 2001\n  setenv P2 2002\n  resetenv P2"), asks("P2")], "P2", true),
        (vec![words("setenv P1 2001\n  setenv P2 2002\n  resetenv P2"), asks("P1")], "P1", false),
        (vec![words("presetenv P1 2001\n  presetenv P1 x"), asks("P1")], "P1", true),
        (vec![words("setenv P1 2001\n  setenv P1 x"), asks("P1")], "P1", false),
        (vec![words("setenv P1 20\n  setenv P2 \"${P1}01\""), asks("P2")], "P2", true),
    ] {
        for program in [Program::ours(), Program::theirs()] {
            let files: Vec<(String, &String)> =
                (0..).zip(&lines).map(|(number, text): (u8, _)| (format!("f{number}"), text)).collect();
            let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            let out = judge(&program, &files);
            assert_eq!(
                out.status.success(),
                right,
                "{}: {lines:?} {port}: {}",
                program.path.display(),
                String::from_utf8_lossy(&out.stderr)
            );
        }
    }
}

/// `grace` delays a soft stop and does not prevent it; a second order changes nothing.
#[test]
fn a_stop_follows_when_the_grace_is_over() {
    for program in [Program::ours(), Program::theirs()] {
        let (backend, door) = (Backend::echo(), ports::free());
        let config = format!(
            "global\n  grace 700ms\ndefaults\n  mode tcp\n  timeout client 9s\n  timeout server 9s\n  timeout connect 9s\n\
             listen l\n  bind {door}\n  server s {}\n",
            backend.address
        );
        let mut proxy = Proxy::start(&program, &config);
        let begun = std::time::Instant::now();
        proxy.process.signal(Signal::SIGUSR1);
        proxy.process.signal(Signal::SIGUSR1);
        let status = proxy.process.wait();
        assert!(begun.elapsed().as_millis() >= 650, "{}: ended at once", program.path.display());
        assert_eq!(status.code(), Some(0), "{}", program.path.display());
    }
}
