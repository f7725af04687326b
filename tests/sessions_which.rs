//! Which sessions move over a reload, what limits make of them then, and who wants none to move.

mod harness;

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use harness::backends::Backend;
use harness::client;
use harness::ports;
use harness::process::alive;
use harness::program::Program;
use harness::site::Site;
use harness::stats::{self, Stats};
use harness::wait;

#[track_caller]
fn session(door: SocketAddr) -> TcpStream {
    let mut stream = client::connect(door);
    client::echo(&mut stream, b"hello");
    stream
}

#[test]
fn what_is_gone_or_elsewhere_stays_with_the_old_process() {
    let (one, two) = (Backend::echo(), Backend::echo());
    let doors = [ports::free(), ports::free(), ports::free(), ports::free()];
    let listen = |name: &str, at: usize, server: &str, address| {
        format!("listen {name}\n  bind {}\n  server {server} {address}\n", doors[at])
    };
    let before = listen("same", 0, "s", one.address)
        + &listen("gone", 1, "s", one.address)
        + &listen("elsewhere", 2, "s", one.address)
        + &listen("renamed", 3, "s", one.address);
    let mut site = Site::start(&Program::ours(), &before);
    let mut sessions: Vec<TcpStream> = doors.iter().map(|door| session(*door)).collect();
    let after = listen("same", 0, "s", one.address)
        + &listen("elsewhere", 2, "s", two.address)
        + &listen("renamed", 3, "t", one.address);
    site.write(&after);
    let old = site.daemon.pid();
    site.daemon.reload_well();
    site.wait_for("same", "FRONTEND", "scur", 1);
    site.log.wait_for("1 sessions taken over");
    assert_eq!((site.number("elsewhere", "FRONTEND", "scur"), site.number("renamed", "FRONTEND", "scur")), (0, 0));
    for stream in &mut sessions {
        client::echo(stream, b"still there");
    }
    assert!(alive(old), "the old process serves what could not move");
    // A later file has them again: they need not stay.
    site.write(&before);
    site.reload();
    for name in ["same", "gone", "elsewhere", "renamed"] {
        site.wait_for(name, "s", "scur", 1);
    }
    for stream in &mut sessions {
        client::echo(stream, b"still there");
    }
    site.write(&after);
    let old = site.daemon.pid();
    site.daemon.reload_well();
    drop(sessions.split_off(1));
    wait::until_true("the old process to end with its last session", || !alive(old));
    client::echo(&mut sessions[0], b"still there");
}

#[test]
fn limits_hold_for_sessions_that_moved() {
    let echo = Backend::echo();
    let door = ports::free();
    let text = format!("listen l\n  bind {door}\n  maxconn 3\n  server s {} maxconn 2\n", echo.address);
    let mut site = Site::start(&Program::ours(), &text);
    let mut first = [session(door), session(door)];
    site.daemon.reload_well();
    site.wait_for("l", "s", "scur", 2);
    let mut third = client::connect(door);
    std::io::Write::write_all(&mut third, b"hello").unwrap();
    site.wait_for("l", "BACKEND", "qcur", 1);
    assert_eq!(site.number("l", "s", "scur"), 2);
    let _fourth = client::connect(door); // maxconn of the frontend: it waits in the backlog
    site.wait_for("l", "FRONTEND", "scur", 3);
    client::echo(&mut first[0], b"still there");
    drop(first);
    let mut back = [0; 5];
    std::io::Read::read_exact(&mut third, &mut back).unwrap();
    site.wait_for("l", "FRONTEND", "scur", 2);
}

#[test]
fn leastconn_counts_sessions_that_moved() {
    let (a, b) = (Backend::echo(), Backend::echo());
    let door = ports::free();
    let text = |words: &str| {
        format!(
            "listen l\n  bind {door}\n  balance leastconn\n  server a {}\n  server b {} {words}\n",
            a.address, b.address
        )
    };
    let mut site = Site::start(&Program::ours(), &text("disabled"));
    let first: Vec<TcpStream> = (0..6).map(|_| session(door)).collect();
    assert_eq!(site.number("l", "a", "scur"), 6);
    site.write(&text(""));
    site.daemon.reload_well();
    site.wait_for("l", "a", "scur", 6);
    let second: Vec<TcpStream> = (0..6).map(|_| session(door)).collect();
    // The old process may have served one of them that waited when it closed its door: it moves too.
    site.wait_for("l", "b", "scur", 6);
    assert_eq!(site.number("l", "a", "scur"), 6);
    drop((first, second));
    site.wait_for("l", "a", "scur", 0);
    site.wait_for("l", "b", "scur", 0);
}

#[test]
fn a_server_that_goes_down_shuts_sessions_that_moved() {
    let echo = Backend::echo();
    let door = ports::free();
    let text = format!(
        "listen l\n  bind {door}\n  server s {} check inter 100ms fall 2 on-marked-down shutdown-sessions\n",
        echo.address
    );
    let mut site = Site::start(&Program::ours(), &text);
    let mut stream = session(door);
    site.reload();
    client::echo(&mut stream, b"still there");
    echo.stop();
    assert_eq!(std::io::Read::read(&mut stream, &mut [0]).unwrap_or(0), 0);
    site.log.wait_for(" D");
}

#[test]
fn a_dispatched_session_and_one_of_a_unix_socket_move() {
    let echo = Backend::echo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("door");
    let door = ports::free();
    let text = format!(
        "listen d\n  bind {door}\n  dispatch {}\nlisten u\n  bind {}\n  server s {}\n",
        echo.address,
        path.display(),
        echo.address
    );
    let mut site = Site::start(&Program::ours(), &text);
    let mut stream = session(door);
    let mut local = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let mut say = |words: &[u8]| {
        std::io::Write::write_all(&mut local, words).unwrap();
        let mut back = vec![0; words.len()];
        std::io::Read::read_exact(&mut local, &mut back).unwrap();
        assert_eq!(back, words);
    };
    say(b"one");
    for _ in 0..2 {
        site.reload();
        client::echo(&mut stream, b"still there");
        say(b"two");
    }
}

/// One that waits to reach `dispatch` again stays where it is, and keeps nobody else from moving.
#[test]
fn a_dispatched_session_between_two_attempts_stays() {
    let (echo, closed, doors) = (Backend::echo(), ports::free(), [ports::free(), ports::free()]);
    let text = format!(
        "listen d\n  bind {}\n  retries 3\n  dispatch {closed}\nlisten l\n  bind {}\n  server s {}\n",
        doors[0], doors[1], echo.address
    );
    let mut site = Site::start(&Program::ours(), &text);
    let mut stream = session(doors[1]);
    let refused = client::connect(doors[0]);
    site.wait_for("d", "BACKEND", "scur", 1);
    site.daemon.reload_well();
    site.wait_for("l", "s", "scur", 1);
    client::echo(&mut stream, b"still there");
    let line = site.log.wait_for(&format!(" {} [", refused.local_addr().unwrap()));
    assert!(line.contains(" SC "), "{line}");
    site.daemon.settle();
}

#[test]
fn a_range_of_source_ports_stays_dealt_out() {
    let echo = Backend::echo();
    let (door, port) = (ports::free(), ports::free().port());
    let words = format!("source {}:{port}-{}", ports::address(), port + 1);
    let mut site =
        Site::start(&Program::ours(), &format!("listen l\n  bind {door}\n  server s {} {words}\n", echo.address));
    let mut first = session(door);
    site.reload();
    let mut second = session(door);
    client::echo(&mut first, b"still there");
    client::echo(&mut second, b"still there");
    drop(first);
    site.wait_for("l", "s", "scur", 1);
    session(door);
}

#[test]
fn who_wants_haproxys_way_has_it() {
    let echo = Backend::echo();
    let door = ports::free();
    let text = format!("listen l\n  bind {door}\n  server s {}\n", echo.address);
    for by_environment in [false, true] {
        let ours = Program::ours();
        let mut site = Site::start(&ours, &text);
        let mut stream = session(door);
        let old = site.daemon.pid();
        if by_environment {
            let (config, pidfile) =
                (site.daemon.folder().join("haproxy.cfg"), site.daemon.folder().join("haproxy.pid"));
            let mut command = ours.command();
            command.env("BATON_LEAVE_SESSIONS", "1").arg("-f").arg(config).arg("-p").arg(pidfile);
            let out = command.args(["-sf", &old.to_string()]).stdout(std::process::Stdio::null());
            assert!(out.stderr(std::process::Stdio::null()).status().unwrap().success());
        } else {
            assert!(site.daemon.reload_with(&["--leave-sessions"]).status.success());
        }
        client::echo(&mut session(door), b"new");
        site.wait_for("l", "FRONTEND", "scur", 0);
        client::echo(&mut stream, b"still there");
        assert!(alive(old), "the old process keeps its session");
        drop(stream);
        wait::until_true("the old process to end", || !alive(old));
    }
}

#[test]
fn sessions_move_under_another_user_in_an_empty_root() {
    let (echo, door) = (Backend::echo(), ports::free());
    std::fs::create_dir_all("/var/empty").unwrap();
    let text = format!("listen l\n  bind {door}\n  server s {}\n", echo.address);
    let global = "  user nobody\n  group nogroup\n  chroot /var/empty\n";
    let mut site = Site::start_with(&Program::ours(), global, &text);
    let mut stream = session(door);
    for _ in 0..3 {
        site.reload();
        site.wait_for("l", "s", "scur", 1);
        client::echo(&mut stream, b"still there");
    }
}

/// A limit of memory under which the program runs, but is given no room for threads.
fn too_little_memory() -> String {
    let runs = |megabytes: &u32| {
        let mut command = Command::new("prlimit");
        command.arg(format!("--as={megabytes}000000")).arg(&Program::ours().path).arg("-v");
        command.output().unwrap().status.success()
    };
    let least = (10..500).step_by(2).find(runs).expect("a limit under which it runs");
    format!("--as={0}000000:{0}000000", least + 2)
}

/// Who cannot start changes nothing: the old process goes on with all it has, and the command says so.
#[test]
fn a_newcomer_without_descriptors_or_memory_changes_nothing() {
    let (echo, door) = (Backend::echo(), ports::free());
    let site = Site::start(&Program::ours(), &format!("listen l\n  bind {door}\n  server s {}\n", echo.address));
    let mut stream = session(door);
    let old = site.daemon.pid();
    for limit in ["--nofile=14:14".into(), too_little_memory()] {
        let mut command = Command::new("prlimit");
        command.arg(&limit).arg(&Program::ours().path).arg("-f").arg(site.daemon.folder().join("haproxy.cfg"));
        command.arg("-p").arg(site.daemon.folder().join("haproxy.pid")).args(["-sf", &old.to_string()]);
        let out = command.output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{limit}: {}", String::from_utf8_lossy(&out.stderr));
        assert_eq!((site.daemon.pid(), site.number("l", "s", "scur")), (old, 1), "{limit}");
        client::echo(&mut stream, b"still there");
        client::echo(&mut session(door), b"the door is open");
    }
    assert_eq!(site.daemon.all(), [old]);
}

#[test]
fn another_version_leaves_sessions_and_takes_sockets() {
    let echo = Backend::echo();
    let door = ports::free();
    let text = format!("listen l\n  bind {door}\n  server s {}\n", echo.address);
    let mut site = Site::start(&Program::faulty("other-version"), &text);
    let mut stream = session(door);
    let old = site.daemon.pid();
    site.daemon.suffer("");
    let said = site.daemon.reload_well();
    assert!(said.contains("hands over 2 listening socket(s)"), "{said}");
    site.log.wait_for("speaks version 99 of the handover");
    client::echo(&mut session(door), b"new");
    client::echo(&mut stream, b"still there");
    assert!(alive(old));
    drop(stream);
    wait::until_true("the old process to end", || !alive(old));
}

/// The descriptor limit of both processes is respected: batches are smaller, and nothing is lost.
#[test]
fn an_ordinary_user_with_few_descriptors() {
    const SESSIONS: usize = 200;
    let echo = Backend::echo();
    let folder = tempfile::tempdir().unwrap();
    Command::new("chown").arg("nobody").arg(folder.path()).status().unwrap();
    let door = ports::free();
    let text = format!(
        "global\n  maxconn 250\n  stats socket {}/sock\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  \
         timeout server 60s\nlisten l\n  bind {door}\n  server s {}\n",
        folder.path().display(),
        echo.address
    );
    std::fs::write(folder.path().join("cfg"), text).unwrap();
    // A copy that this user may run.
    let program = folder.path().join("haproxy");
    std::fs::copy(std::fs::canonicalize(&Program::ours().path).unwrap(), &program).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "prlimit", "--nofile=600:600"]);
        command.arg(&program).args(["-D", "-p", "pid", "-f", "cfg"]).args(more).current_dir(folder.path());
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    let pid = || std::fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse::<u32>().unwrap();
    run(&[]);
    let mut sessions: Vec<TcpStream> = (0..SESSIONS).map(|_| session(door)).collect();
    for _ in 0..3 {
        let old = pid();
        run(&["-sf", &old.to_string()]);
        wait::until_true("the old process to end", || !alive(old));
        let there = || Stats::from_socket(&folder.path().join("sock")).number("l", "FRONTEND", "scur");
        wait::until_or("all sessions to be there", || there() == SESSIONS as i64, || format!("{} are", there()));
        for stream in &mut sessions {
            client::echo(stream, b"still there");
        }
    }
    let _ = stats::command(&folder.path().join("sock"), "show info");
    harness::process::send(pid(), nix::sys::signal::Signal::SIGKILL);
}
