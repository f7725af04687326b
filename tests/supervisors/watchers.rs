//! monit, supervisord, runit and daemontools: each starts the proxy, brings it back, reloads, restarts and stops it.

use std::process::Command;

use crate::harness::process::Running;
use crate::harness::throwaway::{in_a_copy, unpack};
use crate::harness::wait;
use crate::stage::{Orders, Stage, live, ok, place, run};

/// A supervisor in the background.
fn supervisor(line: &str) -> Running {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    Running::start(words[0], std::path::Path::new("/tmp"), command)
}

/// The example without a master, for what works without one.
fn without_master(path: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(" -W -db "), "{text}");
    std::fs::write(path, text.replace(" -W -db ", " -db ")).unwrap();
}

fn monit() {
    let stage = Stage::set();
    unpack("monit");
    place("monit", "/etc/monit/conf.d/haproxy");
    // Debian's file looks every two minutes; the rest of it is for mails and the web.
    let rc = "set daemon 1\nset pidfile /run/monit.pid\nset statefile /run/monit.state\nset idfile /run/monit.id\n\
              set httpd unixsocket /run/monit.sock allow admin:monit\ninclude /etc/monit/conf.d/*\n";
    std::fs::write("/etc/monit/monitrc", rc).unwrap();
    ok("chmod 600 /etc/monit/monitrc; monit -t");
    let _monit = supervisor("monit -I");
    wait::until_true("monit to answer", || run("monit summary").status.success());
    drop(stage.session()); // it starts what it watches
    ok("monit stop haproxy");
    wait::until_true("the stop", || run("monit summary | grep -q 'Not monitored'").status.success());
    let orders = Orders {
        start: "monit start haproxy",
        is_up: "monit summary | grep -E 'haproxy .*OK +Process' # not: OK - restart pending",
        reload: Some("monit restart haproxy"),
        restart: "monit restart haproxy",
        restart_cuts: false,
        stop: "monit stop haproxy",
        is_down: "monit summary | grep -q 'Not monitored'",
    };
    live(&stage, &orders);
}

#[test]
fn monit_watches() {
    if in_a_copy("watchers::monit_watches") {
        monit();
    }
}

fn supervisord(master: bool) {
    let stage = Stage::set();
    unpack("python3-pkg-resources");
    unpack("supervisor");
    place("supervisord.conf", "/etc/supervisor/conf.d/haproxy.conf");
    if !master {
        without_master("/etc/supervisor/conf.d/haproxy.conf");
    }
    let _supervisord = supervisor("supervisord -n -c /etc/supervisor/supervisord.conf");
    wait::until_true("supervisord to start it", || run("supervisorctl status haproxy | grep RUNNING").status.success());
    ok("supervisorctl stop haproxy");
    let orders = Orders {
        start: "supervisorctl start haproxy",
        is_up: "supervisorctl status haproxy | grep RUNNING",
        reload: master.then_some("supervisorctl signal USR2 haproxy"),
        restart: "supervisorctl restart haproxy",
        restart_cuts: true,
        stop: "supervisorctl stop haproxy",
        is_down: "supervisorctl status haproxy | grep STOPPED",
    };
    live(&stage, &orders);
}

#[test]
fn supervisord_watches_a_process() {
    if in_a_copy("watchers::supervisord_watches_a_process") {
        supervisord(false);
    }
}

#[test]
fn supervisord_watches_a_master() {
    if in_a_copy("watchers::supervisord_watches_a_master") {
        supervisord(true);
    }
}

fn runit(master: bool) {
    let stage = Stage::set();
    unpack("runit");
    place("runit/run", "/etc/sv/haproxy/run");
    if !master {
        without_master("/etc/sv/haproxy/run");
    }
    ok("touch /etc/sv/haproxy/down; mkdir -p $(readlink -m /etc/service); ln -s /etc/sv/haproxy /etc/service/haproxy");
    let _runsvdir = supervisor("runsvdir /etc/service");
    wait::until_true("runsv to answer", || run("sv status haproxy").status.success());
    let orders = Orders {
        start: "sv start haproxy",
        is_up: "sv status haproxy | grep ^run:",
        reload: master.then_some("sv 2 haproxy"),
        restart: "sv restart haproxy",
        restart_cuts: true,
        stop: "sv stop haproxy",
        is_down: "sv status haproxy | grep ^down:",
    };
    live(&stage, &orders);
}

#[test]
fn runit_watches_a_process() {
    if in_a_copy("watchers::runit_watches_a_process") {
        runit(false);
    }
}

#[test]
fn runit_watches_a_master() {
    if in_a_copy("watchers::runit_watches_a_master") {
        runit(true);
    }
}

fn daemontools(master: bool) {
    let stage = Stage::set();
    unpack("daemontools");
    place("daemontools/run", "/service/haproxy/run");
    if !master {
        without_master("/service/haproxy/run");
    }
    ok("touch /service/haproxy/down");
    let _svscan = supervisor("svscan /service");
    wait::until_true("supervise to answer", || run("svok /service/haproxy").status.success());
    let orders = Orders {
        start: "svc -u /service/haproxy",
        is_up: "svstat /service/haproxy | grep ': up '",
        reload: master.then_some("svc -h /service/haproxy"),
        restart: "svc -t /service/haproxy",
        restart_cuts: true,
        stop: "svc -d /service/haproxy",
        is_down: "svstat /service/haproxy | grep ': down '",
    };
    live(&stage, &orders);
}

#[test]
fn daemontools_watches_a_process() {
    if in_a_copy("watchers::daemontools_watches_a_process") {
        daemontools(false);
    }
}

#[test]
fn daemontools_watches_a_master() {
    if in_a_copy("watchers::daemontools_watches_a_master") {
        daemontools(true);
    }
}
