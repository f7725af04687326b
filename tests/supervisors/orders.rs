//! One line of a tool each: keepalived asks whether it lives; ansible, confd, consul-template and systemd ask whether a
//! file is good; consul-template, confd and cluster agents (OCF) start, watch, reload and stop a daemon.

use nix::sys::signal::Signal;

use crate::harness::client;
use crate::harness::process::send;
use crate::harness::throwaway::in_a_copy;
use crate::harness::wait;
use crate::stage::{CONFIG, HAPROXY, Stage, ended, example, first, haproxies, ok, run};

/// What follows `start` in a line of an example, without the quotes around it.
#[track_caller]
fn line(file: &str, start: &str) -> String {
    let text = example(file);
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(start));
    found.unwrap_or_else(|| panic!("{start} in {file}")).trim().trim_matches('"').to_owned()
}

#[test]
fn keepalived_finds_it_by_name() {
    if !in_a_copy("orders::keepalived_finds_it_by_name") {
        return;
    }
    let stage = Stage::set();
    let asks = line("keepalived.conf", "script ");
    let alive = || run(&asks).status.code();
    assert_eq!(alive(), Some(1));
    ok(&format!("{HAPROXY} -f {CONFIG} -p /run/haproxy.pid -D"));
    drop(stage.session());
    assert_eq!(alive(), Some(0));
    assert_eq!(ok("pidof haproxy").trim(), first().to_string());
    ok(&format!("{HAPROXY} -f {CONFIG} -p /run/haproxy.pid -D -sf $(pidof haproxy)"));
    wait::until_true("the old process to end", || haproxies().len() == 1);
    assert_eq!(alive(), Some(0));
    send(first(), Signal::SIGUSR1);
    wait::until_true("the name to be gone", || alive() == Some(1));
}

#[test]
fn a_file_is_judged_by_exit_code() {
    if !in_a_copy("orders::a_file_is_judged_by_exit_code") {
        return;
    }
    let stage = Stage::set();
    let good = std::fs::read_to_string(CONFIG).unwrap();
    let bad = format!("{good}\nlisten bad\n\tbnid :1\n");
    let warns = format!("{good}\nlisten warns\n\tbind 127.0.0.1:1884\n\tmode tcp\n\ttcp-check connect\n");
    let files = [("good", good.as_str(), 0), ("bad", &bad, 1), ("warns", &warns, 0), ("empty", "", 2)];
    // Who is to be a master needs no listener.
    let code = |tool: &str, code: i32| if code == 2 && tool.contains("-W") { 0 } else { code };
    for tool in [
        line("ansible.yml", "validate: ").replace("%s", "FILE"),
        line("confd.toml", "check_cmd = ").replace("{{.src}}", "FILE"),
        format!("{HAPROXY} -Ws -f FILE -c -q"), // Debian's unit
        format!("{HAPROXY} -Ws -f FILE -c -q -S /run/master.sock"),
        format!("{HAPROXY} -c -f FILE"), // Debian's init script, the OCF agent
        format!("{HAPROXY} -W -c -f FILE"),
    ] {
        for (name, text, want) in files {
            std::fs::write("/tmp/file", text).unwrap();
            let out = run(&tool.replace("FILE", "/tmp/file"));
            assert_eq!(
                out.status.code(),
                Some(code(&tool, want)),
                "{tool}, {name}: {}",
                String::from_utf8_lossy(&out.stdout)
            );
            if tool.contains("-q") {
                assert!(out.stdout.is_empty(), "{tool}, {name}: {}", String::from_utf8_lossy(&out.stdout));
            }
        }
    }
    assert!(!std::path::Path::new("/run/master.sock").exists(), "a check opens nothing");
    assert!(client::try_connect(stage.door).is_err(), "a check serves nothing");
}

#[test]
fn templates_check_and_reload() {
    if !in_a_copy("orders::templates_check_and_reload") {
        return;
    }
    let stage = Stage::set();
    ok(&format!("{HAPROXY} -f {CONFIG} -p /run/haproxy.pid -D"));
    for tool in [line("consul-template.hcl", "command = "), line("confd.toml", "reload_cmd = ")] {
        let mut session = stage.session();
        let old = haproxies();
        ok(&tool);
        client::echo(&mut session, b"still here");
        drop(stage.session());
        if !stage.program.is_ours() {
            drop(session); // haproxy's old process lives as long as it
        }
        wait::until_true("the old process to end", || haproxies().iter().all(|pid| !old.contains(pid)));
        assert_eq!(haproxies().len(), 1);
    }
    let (good, old) = (std::fs::read_to_string(CONFIG).unwrap(), haproxies());
    std::fs::write(CONFIG, good + "\nbnid\n").unwrap();
    assert_eq!(run(&line("consul-template.hcl", "command = ")).status.code(), Some(1));
    assert_eq!(haproxies(), old);
}

/// What a cluster's agent does with `binpath`, `conffile` and `pidfile`.
#[test]
fn a_cluster_agent_starts_watches_and_stops() {
    if !in_a_copy("orders::a_cluster_agent_starts_watches_and_stops") {
        return;
    }
    let stage = Stage::set();
    const MONITOR: &str = "kill -s 0 $(cat /run/haproxy.pid)";
    assert!(!run(MONITOR).status.success());
    ok(&format!("{HAPROXY} -c -f {CONFIG} && {HAPROXY} -f {CONFIG} -D -p /run/haproxy.pid"));
    ok(MONITOR); // at once: a start that has returned serves
    let session = stage.session();
    ok("kill $(cat /run/haproxy.pid)");
    ended(session);
    wait::until_true("its end", || !run(MONITOR).status.success());
    assert_eq!(haproxies(), [0; 0]);
}
