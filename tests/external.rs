//! Checks by a program: what it is given, what its end means, what becomes of one that takes too long.
//!
//! Runs on both programs, but for what only later versions of the original have.

mod harness;

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::stats::Stats;
use harness::{client, ports, process, wait};

/// A script in a folder.
fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("the script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    path
}

fn config(socket: &Path, global: &str, sections: &str) -> String {
    format!(
        "global\n  stats socket {}\n  external-check{global}\n  insecure-fork-wanted\n  max-spread-checks 20\n\
         defaults\n  mode tcp\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\n{sections}",
        socket.display()
    )
}

/// A script that writes what it is given to the file `NAME.out`.
fn teller(folder: &Path, name: &str) -> PathBuf {
    let out = folder.join(format!("{name}.out"));
    let body = format!(
        "{{ echo \"$1|$2|$3|$4|$#\"; /usr/bin/env | /usr/bin/sort; }} > {0}.part\n/bin/mv {0}.part {0}",
        out.display()
    );
    script(folder, name, &body)
}

/// What it wrote, without what the shell adds.
fn told(folder: &Path, name: &str) -> Vec<String> {
    let file = folder.join(format!("{name}.out"));
    let text = wait::until("the program to be run", || std::fs::read_to_string(&file).ok());
    let added = |line: &&str| !["PWD=", "_=", "SHLVL=", "OLDPWD="].iter().any(|name| line.starts_with(name));
    text.lines().filter(added).map(str::to_owned).collect()
}

#[test]
fn arguments_and_variables() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let (door, unix, server) = (ports::free(), here.join("door"), ports::free());
    let sections = format!(
        "listen inet\n  bind {door}\n  option external-check\n  external-check command {}\n  \
         server s1 {server} check inter 20s addr 127.0.0.9 port 7 maxconn 44\n\
         listen unix\n  bind {}\n  option external-check\n  external-check command {}\n  external-check path /bin:/usr/bin\n  \
         server s1 /tmp/nobody check inter 20s id 9\n\
         backend back\n  option external-check\n  external-check command back\n  external-check path {}\n  \
         server s1 [::1]:5 check inter 20s\n",
        teller(here, "inet").display(),
        unix.display(),
        teller(here, "unix").display(),
        here.display()
    );
    teller(here, "back");
    let _proxy = Proxy::start(&Program::under_test(), &config(&here.join("stats"), "", &sections));
    let common = |name: &str, id: u32| vec![format!("HAPROXY_PROXY_ID={id}"), format!("HAPROXY_PROXY_NAME={name}")];
    let expect = |first: String, addr: String, name, id, port: &str, rest: &[String], path: String| {
        let mut lines = vec![first, format!("HAPROXY_PROXY_ADDR={addr}")];
        lines.extend(common(name, id));
        lines.push(format!("HAPROXY_PROXY_PORT={port}"));
        lines.extend(rest.iter().cloned());
        lines.push(format!("PATH={path}"));
        lines
    };
    let of_server = |addr: String, id: u32, maxconn: u32, port: &str| {
        [
            format!("HAPROXY_SERVER_ADDR={addr}"),
            "HAPROXY_SERVER_CURCONN=0".to_owned(),
            format!("HAPROXY_SERVER_ID={id}"),
            format!("HAPROXY_SERVER_MAXCONN={maxconn}"),
            "HAPROXY_SERVER_NAME=s1".to_owned(),
            format!("HAPROXY_SERVER_PORT={port}"),
            "HAPROXY_SERVER_PROTO=tcp".to_owned(),
            "HAPROXY_SERVER_SSL=0".to_owned(),
        ]
    };
    let (ip, port) = (server.ip().to_string(), server.port().to_string());
    let first = format!("{}|{}|{ip}|{port}|4", door.ip(), door.port());
    let want = expect(
        first,
        door.ip().to_string(),
        "inet",
        2,
        &door.port().to_string(),
        &of_server(ip, 1, 44, &port),
        String::new(),
    );
    assert_eq!(told(here, "inet"), want);
    let place = unix.display().to_string();
    let first = format!("{place}|NOT_USED|/tmp/nobody|NOT_USED|4");
    let rest = of_server("/tmp/nobody".to_owned(), 9, 0, "");
    assert_eq!(told(here, "unix"), expect(first, place, "unix", 3, "", &rest, "/bin:/usr/bin".to_owned()));
    let first = "NOT_USED|NOT_USED|::1|5|4".to_owned();
    let rest = of_server("::1".to_owned(), 1, 0, "5");
    assert_eq!(told(here, "back"), expect(first, String::new(), "back", 4, "", &rest, here.display().to_string()));
}

#[test]
fn what_its_end_means() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, socket) = (folder.path(), folder.path().join("stats"));
    let pid = here.join("pid");
    let mut sections = String::new();
    let slow = format!("echo $$ > {0}.part; /bin/mv {0}.part {0}; exec /bin/sleep 60", pid.display());
    let rows = [
        ("good", "exit 0", "PROCOK", "0", "UP"),
        ("three", "exit 3", "PROCERR", "3", "DOWN"),
        ("killed", "kill -9 $$", "PROCERR", "4294967295", "DOWN"),
        ("absent", "", "PROCERR", "255", "DOWN"),
        ("slow", &slow, "PROCTOUT", "0", "DOWN"),
    ];
    for (name, body, ..) in rows {
        let path = if body.is_empty() { here.join("nothing") } else { script(here, name, body) };
        let inter = if name == "slow" { "300" } else { "5s" };
        let _ = writeln!(
            sections,
            "backend {name}\n  option external-check\n  external-check command {}\n  server s 127.0.0.1:1 check inter {inter}",
            path.display()
        );
    }
    let proxy = Proxy::start(&Program::under_test(), &config(&socket, "", &sections));
    for (name, _, status, code, state) in rows {
        wait::until_true(name, || {
            let stats = Stats::from_socket(&socket);
            let cell = |column: &str| stats.text(name, "s", column).to_owned();
            cell("check_status").trim_start_matches("* ") == status
                && cell("check_code") == code
                && cell("status") == state
        });
    }
    let number = std::fs::read_to_string(&pid).expect("the number of the slow one");
    let number = number.trim().parse().expect("a number");
    drop(proxy);
    wait::until_true("the slow one to be ended", || !process::alive(number));
}

/// Nobody is told but by the log: its lines.
#[test]
fn lines_of_a_failing_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let sections = format!(
        "backend b\n  option external-check\n  external-check command {}\n  server s 127.0.0.1:1 check inter 5s\n",
        script(here, "three", "exit 3").display()
    );
    let proxy = Proxy::start(&Program::under_test(), &config(&here.join("stats"), "", &sections));
    let line = "Server b/s is DOWN, reason: External check error, code: 3, check duration: ";
    wait::until_true(line, || proxy.output().contains(line));
}

/// Since haproxy 3.0: a program may get the variables of the process. The oracle does not know the word.
#[test]
fn the_variables_of_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let sections = format!(
        "backend kept\n  option external-check\n  external-check command {}\n  server s1 127.0.0.1:1 check inter 20s\n",
        teller(here, "kept").display()
    );
    let _proxy = Proxy::start(&Program::ours(), &config(&here.join("stats"), " preserve-env", &sections));
    let lines = told(here, "kept");
    let path = format!("PATH={}", std::env::var("PATH").expect("this process has one"));
    assert!(lines.contains(&path) && lines.contains(&"HAPROXY_SERVER_NAME=s1".to_owned()), "{lines:?}");
}

/// In a chroot the program is looked for there.
#[test]
fn in_a_chroot() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, socket) = (folder.path(), folder.path().join("stats"));
    let root = here.join("root");
    std::fs::create_dir(&root).expect("an empty root");
    let sections = format!(
        "backend b\n  option external-check\n  external-check command {}\n  server s 127.0.0.1:1 check inter 5s\n",
        script(here, "good", "exit 0").display()
    );
    let config = config(&socket, &format!("\n  chroot {}", root.display()), &sections);
    let _proxy = Proxy::start(&Program::under_test(), &config);
    wait::until_true("a program that is not there", || {
        let stats = Stats::from_socket(&socket);
        (stats.text("b", "s", "check_status"), stats.text("b", "s", "check_code")) == ("PROCERR", "255")
    });
}

/// The program has the user and the root of the process that serves, and is told of the sessions that there are.
#[test]
fn as_another_user_behind_another_root() {
    for program in [Program::ours(), Program::theirs()] {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, door) = (folder.path(), ports::free());
        std::fs::set_permissions(here, std::fs::Permissions::from_mode(0o777)).expect("everybody may write there");
        let (out, echo) = (here.join("out"), Backend::echo());
        let body = format!(
            "echo \"$(/usr/bin/id -u) $(/usr/bin/id -g) $(pwd) $HAPROXY_SERVER_CURCONN\" > {0}.$$; /bin/mv {0}.$$ {0}",
            out.display()
        );
        let sections = format!(
            "listen l\n  bind {door}\n  option external-check\n  external-check command {}\n  server s {} check inter 200ms\n",
            script(here, "who", &body).display(),
            echo.address
        );
        let global = "\n  chroot /\n  uid 65534\n  gid 65534";
        let _proxy = Proxy::start(&program, &config(&here.join("stats"), global, &sections));
        let says = |want: &str| {
            let told = || std::fs::read_to_string(&out).unwrap_or_default();
            wait::until_or(want, || told().trim_end() == want, || format!("{:?} said {:?}", program.kind, told()));
        };
        says("65534 65534 / 0");
        let mut session = client::connect(door);
        client::echo(&mut session, b"x");
        says("65534 65534 / 1");
    }
}
