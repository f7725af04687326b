//! The command line and the process: exit codes, streams, the daemon, the pidfile, limits, rights, signals.
//!
//! Holds for the original too (`BATON_UNDER_TEST=theirs`) where a test does not say that it is ours alone.

mod harness;

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use harness::backends::Backend;
use harness::client;
use harness::ports;
use harness::process::{Running, alive, comm, send};
use harness::program::Program;
use harness::proxy::Proxy;
use harness::wait;
use nix::sys::signal::Signal;

/// A folder with configurations, and what is started in it.
struct Bench {
    program: Program,
    folder: tempfile::TempDir,
    door: SocketAddr,
}

impl Bench {
    fn new() -> Self {
        Self { program: Program::under_test(), folder: tempfile::tempdir().unwrap(), door: ports::free() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a configuration: `global` lines, then one listener in front of `server`.
    fn config(&self, name: &str, global: &str, server: SocketAddr) -> PathBuf {
        let path = self.path(name);
        let text = format!(
            "global\n{global}\nlisten l\n  bind {}\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  \
             timeout server 30s\n  server s {server}\n",
            self.door
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs the program in the folder; output goes to a file, for a daemon would keep a pipe open.
    fn run(&self, line: &str) -> Output {
        let (out, err) = (self.path("out.txt"), self.path("err.txt"));
        let mut command = self.program.command();
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let status = wait::until(line, || child.try_wait().unwrap());
        Output { status, stdout: std::fs::read(out).unwrap(), stderr: std::fs::read(err).unwrap() }
    }

    fn pid(&self) -> u32 {
        std::fs::read_to_string(self.path("pid")).unwrap().trim().parse().unwrap()
    }
}

/// A daemon of the bench; killed by its pid when dropped.
struct Killed(u32);

impl Drop for Killed {
    fn drop(&mut self) {
        // The id may be somebody else's by now.
        if harness::process::comm(self.0) == "haproxy" {
            send(self.0, Signal::SIGKILL);
        }
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn exit_codes_and_streams() {
    let bench = Bench::new();
    let server = ports::refused();
    bench.config("ok", "", server);
    bench.config("strict", "  zero-warning", server);
    let without = std::fs::read_to_string(bench.path("strict")).unwrap().replace("timeout", "# timeout");
    std::fs::write(bench.path("strict"), &without).unwrap();
    std::fs::write(bench.path("warn"), without.replace("zero-warning", "")).unwrap();
    std::fs::write(bench.path("bad"), "listen l\n  bnid :1\n").unwrap();
    std::fs::write(bench.path("empty"), "").unwrap();
    std::fs::create_dir(bench.path("dir")).unwrap();
    std::fs::copy(bench.path("ok"), bench.path("dir/a.cfg")).unwrap();
    const VALID: &str = "Configuration file is valid\n";
    // Arguments, exit code, whether standard output says that the file is valid, whether standard error has an alert.
    for (line, code, valid, alert) in [
        ("-c -f ok", 0, true, false),
        ("-c -V -f ok", 0, true, false),
        ("-c -q -f ok", 0, false, false),
        ("-c -q -V -f ok", 0, true, false), // -V undoes -q, whatever the order
        ("-c -V -q -f ok", 0, true, false),
        ("-c -- ok", 0, true, false),
        ("-c -f ok --", 0, true, false),
        ("-c -f dir", 0, true, false),
        ("-c -f warn", 0, true, false),
        ("-c -q -f warn", 0, false, false),
        ("-c -dW -f warn", 1, false, true),
        ("-c -f strict", 1, false, true),
        ("-c -f bad", 1, false, true),
        ("-c -q -f bad", 1, false, false), // quiet hides alerts too
        ("-c -f missing", 1, false, true),
        ("-c -- ok -f", 1, false, true), // all words after -- are files
        ("-c -f empty", 2, false, false),
        ("-c -q -f empty", 2, false, false),
        ("-f empty", 1, false, true), // a start without a listener is an error, a check is not
        ("-c -f", 1, false, true),
        ("-C /nowhere -c -f ok", 1, false, true),
        ("-C . -c -f ok", 0, true, false),
        ("-sf abc -c -f ok", 1, false, true),
        ("-sf 12abc -c -f ok", 1, false, true),
        ("-sf -c -f ok", 0, true, false), // an empty pidfile
        ("-st -c -f ok", 0, true, false),
        ("-sf 1 2 3 -c -f ok", 0, true, false), // a check signals nobody
        ("-x /nowhere -c -f ok", 0, true, false),
        ("-n 5 -N 5 -m 500 -L me -p /nowhere/pid -c -f ok", 0, true, false),
        ("-d -db -de -dp -dS -dG -dR -dr -dV -dD -c -f ok", 0, true, false),
        ("-D -c -f ok", 0, true, false), // a check stays in the foreground
        ("-cc 1", 0, false, false),
        ("-cc 0", 1, false, false),
        ("-cc version_atleast(2.4)", 0, false, false),
        ("-cc version_before(2.4)", 1, false, false),
        ("-cc streq(a", 2, false, true),
    ] {
        let out = bench.run(line);
        assert_eq!(out.status.code(), Some(code), "{line}: {}{}", stdout(&out), stderr(&out));
        assert_eq!(stdout(&out).ends_with(VALID), valid, "{line}: {}", stdout(&out));
        assert_eq!(stderr(&out).contains("[ALERT] "), alert, "{line}: {}", stderr(&out));
    }
}

#[test]
fn usage_is_for_what_is_not_understood() {
    let bench = Bench::new();
    bench.config("ok", "", ports::refused());
    for line in ["", "-c", "-h", "-z -f ok", "--foo -f ok", "-c ok", "-q", "-sf", "-Dc"] {
        let out = bench.run(line);
        assert_eq!(out.status.code(), Some(1), "{line}");
        assert!(stdout(&out).starts_with("HAProxy version "), "{line}: {}", stdout(&out));
        assert!(stderr(&out).contains("Usage"), "{line}: {}", stderr(&out));
    }
}

#[test]
fn versions() {
    let bench = Bench::new();
    let short = stdout(&bench.run("-v"));
    let first = short.lines().next().unwrap();
    let words: Vec<&str> = first.split(' ').collect();
    assert_eq!(words[..2], ["HAProxy", "version"], "{first}");
    assert!(words[3].split('/').all(|part| part.parse::<u32>().is_ok()) && words[4] == "-", "{first}");
    assert_eq!(bench.run("-v").status.code(), Some(0));
    let full = stdout(&bench.run("-vv"));
    assert!(full.starts_with(first) && full.contains("\nBuild options :"), "{full}");
    let features = full.lines().find_map(|line| line.strip_prefix("Feature list : ")).expect("a feature list");
    assert!(features.split(' ').all(|word| word.starts_with(['+', '-'])) && features.contains("+THREAD"), "{features}");
    if bench.program.is_ours() {
        assert!(first.contains(" 3.4.0-baton0.1.0 "), "{first}");
        assert_eq!(stdout(&bench.run("-vq")), "3.4.0-baton0.1.0\n");
        assert!(features.contains("-OPENSSL"), "nothing is listed that is not there");
    }
}

#[test]
fn features_of_the_list_answer_conditions() {
    let bench = Bench::new();
    let full = stdout(&bench.run("-vv"));
    let features = full.lines().find_map(|line| line.strip_prefix("Feature list : ")).expect("a feature list");
    for word in features.split(' ') {
        let (sign, name) = word.split_at(1);
        let out = bench.run(&format!("-cc feature({name})"));
        assert_eq!(out.status.code(), Some(i32::from(sign != "+")), "{word}");
    }
}

#[test]
fn what_only_baton_prints() {
    let bench = Bench::new();
    if !bench.program.is_ours() {
        return; // the original has no such options
    }
    for (line, sign) in [("--generate man", ".TH"), ("--generate bash", "complete"), ("--help", "-sf")] {
        let out = bench.run(line);
        assert!(out.status.success() && stdout(&out).contains(sign), "{line}: {}", stderr(&out));
    }
}

#[test]
fn a_daemon_listens_when_it_returns() {
    let bench = Bench::new();
    let server = Backend::echo();
    bench.config("cfg", "  daemon", server.address);
    let before = std::fs::File::open("/dev/null").unwrap();
    let inherited = before.as_raw_fd();
    nix::fcntl::fcntl(&before, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let out = bench.run("-f cfg -p pid");
    assert!(out.status.success(), "{}", stderr(&out));
    let daemon = Killed(bench.pid());
    client::echo(&mut client::connect(bench.door), b"served");
    assert_eq!(comm(daemon.0), "haproxy");
    assert!(alive(daemon.0));
    let session = std::fs::read_to_string(format!("/proc/{}/stat", daemon.0)).unwrap();
    let fields: Vec<&str> = session.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[3], daemon.0.to_string(), "it leads a session of its own");
    for number in 0..3 {
        let to = std::fs::read_link(format!("/proc/{}/fd/{number}", daemon.0)).unwrap();
        assert_eq!(to, Path::new("/dev/null"), "descriptor {number}");
    }
    if bench.program.is_ours() {
        let kept = std::fs::read_link(format!("/proc/{}/fd/{inherited}", daemon.0));
        assert!(kept.is_err() || kept.is_ok_and(|to| to != Path::new("/dev/null")), "{inherited} stays open");
    }
    drop(before);
    send(daemon.0, Signal::SIGTERM);
    wait::until_true("its end", || !alive(daemon.0));
}

#[test]
fn a_pidfile_is_for_daemons_only() {
    let bench = Bench::new();
    let path = bench.config("cfg", "", ports::refused());
    let mut command = bench.program.command();
    command.args(["-p", "pid", "-f"]).arg(&path).current_dir(bench.folder.path());
    let mut foreground = Running::start("haproxy", bench.folder.path(), command);
    foreground.wait_ready(|| ports::listens(bench.door));
    assert!(!bench.path("pid").exists());
}

#[test]
fn without_a_pidfile_nobody_is_signalled() {
    let bench = Bench::new();
    bench.config("cfg", "  daemon", Backend::echo().address);
    assert!(bench.run("-f cfg -p pid").status.success());
    let old = Killed(bench.pid());
    let out = bench.run(&format!("-f cfg -p no/such/folder/pid -sf {}", old.0));
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr(&out).contains("[ALERT] "), "{}", stderr(&out));
    assert!(alive(old.0) && ports::listens(bench.door));
    client::connect(bench.door);
}

#[test]
fn a_daemon_that_cannot_start_says_so() {
    let bench = Bench::new();
    if !bench.program.is_ours() {
        return; // 2.6 returns 0 here and its child dies
    }
    bench.config("cfg", "  daemon\n  chroot /no/such/root", ports::refused());
    let out = bench.run("-f cfg -p pid");
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr(&out).contains("chroot"), "{}", stderr(&out));
    assert!(!ports::listens(bench.door));
    assert_eq!(std::fs::read_to_string(bench.path("pid")).unwrap_or_default(), "");
}

#[test]
fn a_busy_address_is_an_alert() {
    let bench = Bench::new();
    let _holder = std::net::TcpListener::bind(bench.door).unwrap();
    bench.config("cfg", "", ports::refused());
    for line in ["-db -f cfg", "-D -f cfg -p pid"] {
        let out = bench.run(line);
        assert_eq!(out.status.code(), Some(1), "{line}");
        let said = stderr(&out);
        assert!(said.contains("[ALERT] ") && said.contains(&bench.door.to_string()), "{line}: {said}");
        assert!(said.contains("[cfg:4]"), "the line is named: {said}");
    }
}

/// One line of /proc/PID/limits: soft and hard.
fn descriptor_limit(pid: u32) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    (numbers[0], numbers[1])
}

/// Starts in the foreground with other descriptor limits.
fn start_limited(bench: &Bench, soft: u64, hard: u64, args: &[&str]) -> Running {
    let mut command = std::process::Command::new("prlimit");
    command.arg(format!("--nofile={soft}:{hard}")).arg(&bench.program.path).args(["-db", "-f", "cfg"]).args(args);
    command.current_dir(bench.folder.path());
    Running::start("haproxy", bench.folder.path(), command)
}

#[test]
fn the_descriptor_limit_follows_maxconn() {
    let bench = Bench::new();
    bench.config("cfg", "  nbthread 2", ports::refused());
    // Soft and hard limit, arguments, soft limit that the process has then. 17 are the process's own, the threads'
    // and the listener's.
    for (soft, hard, args, want) in [
        (256, 4096, &["-n", "500"][..], 1017),
        (256, 4096, &[][..], 4095),             // 2039 connections
        (2000, 4096, &["-n", "500"][..], 2000), // what is enough stays
    ] {
        let mut running = start_limited(&bench, soft, hard, args);
        running.wait_ready(|| ports::listens(bench.door));
        assert_eq!(descriptor_limit(running.pid()), (want, hard), "{soft} {hard} {args:?}");
    }
    // Root without CAP_SYS_RESOURCE, as in a container, cannot raise the hard limit; root with it can.
    let privileged = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| {
            nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, soft, hard + 1)
        })
        .is_ok();
    let mut running = start_limited(&bench, 1024, 1024, &["-n", "600"]);
    if privileged {
        running.wait_ready(|| ports::listens(bench.door));
        assert_eq!(descriptor_limit(running.pid()), (1217, 1217));
        return;
    }
    assert_eq!(running.wait().code(), Some(1));
    assert!(running.output().contains("1217") && running.output().contains("1024"), "{}", running.output());
    drop(running);
    bench.config("cfg", "  nbthread 2\n  no strict-limits", ports::refused());
    let mut running = start_limited(&bench, 1024, 1024, &["-n", "600"]);
    running.wait_ready(|| ports::listens(bench.door));
    assert!(running.output().contains("[WARNING] "), "{}", running.output());
}

#[test]
fn rights_are_dropped() {
    let bench = Bench::new();
    if !nix::unistd::Uid::effective().is_root() {
        panic!("this test needs root, as tests/run has it");
    }
    let root = bench.path("root");
    std::fs::create_dir(&root).unwrap();
    let server = Backend::echo();
    bench.config("cfg", &format!("  chroot {}\n  user nobody\n  group nogroup", root.display()), server.address);
    let config = std::fs::read_to_string(bench.path("cfg")).unwrap();
    let proxy = Proxy::start(&bench.program, &config);
    client::echo(&mut client::connect(bench.door), b"served");
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.process.pid())).unwrap();
    let ids = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(|word| word.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("Uid:"), [65534; 4]);
    assert_eq!(ids("Gid:"), [65534; 4]);
    assert!(ids("Groups:").iter().all(|group| *group == 65534), "supplementary groups are dropped");
    assert_eq!(std::fs::read_link(format!("/proc/{}/root", proxy.process.pid())).unwrap(), root);
}

#[test]
fn signals_end_a_process_as_haproxys_do() {
    let bench = Bench::new();
    let server = Backend::echo();
    let path = bench.config("cfg", "", server.address);
    let config = std::fs::read_to_string(path).unwrap();
    for (signal, code, by) in
        [(Signal::SIGTERM, None, Some(15)), (Signal::SIGINT, None, Some(2)), (Signal::SIGUSR1, Some(0), None)]
    {
        let mut proxy = Proxy::start(&bench.program, &config);
        proxy.process.signal(signal);
        let status = proxy.process.wait();
        assert_eq!((status.code(), status.signal()), (code, by), "{signal}");
    }
}

#[test]
fn a_soft_stop_waits_for_sessions() {
    let bench = Bench::new();
    let server = Backend::echo();
    let path = bench.config("cfg", "", server.address);
    let mut proxy = Proxy::start(&bench.program, &std::fs::read_to_string(path).unwrap());
    let mut session = client::connect(bench.door);
    client::echo(&mut session, b"before");
    proxy.process.signal(Signal::SIGUSR1);
    wait::until_true("the listener to close", || !ports::listens(bench.door));
    client::echo(&mut session, b"after");
    assert!(proxy.process.ended().is_none());
    drop(session);
    assert_eq!(proxy.process.wait().code(), Some(0));
}

#[test]
fn hard_stop_after_cuts_what_is_left() {
    let bench = Bench::new();
    let server = Backend::echo();
    let path = bench.config("cfg", "  hard-stop-after 300ms", server.address);
    let mut proxy = Proxy::start(&bench.program, &std::fs::read_to_string(path).unwrap());
    let mut session = client::connect(bench.door);
    client::echo(&mut session, b"before");
    proxy.process.signal(Signal::SIGUSR1);
    assert_eq!(proxy.process.wait().code(), Some(0));
    assert!(!matches!(client::read_all(&mut session), Ok(left) if !left.is_empty()));
}

#[test]
fn a_pause_frees_the_address_and_ends() {
    let bench = Bench::new();
    let server = Backend::echo();
    let path = bench.config("cfg", "", server.address);
    let proxy = Proxy::start(&bench.program, &std::fs::read_to_string(path).unwrap());
    let mut session = client::connect(bench.door);
    client::echo(&mut session, b"before");
    proxy.process.signal(Signal::SIGTTOU);
    wait::until_true("the address to be free", || !ports::listens(bench.door));
    assert!(client::try_connect(bench.door).is_err());
    client::echo(&mut session, b"sessions go on");
    proxy.process.signal(Signal::SIGTTIN);
    wait::until_true("it to listen again", || ports::listens(bench.door));
    client::echo(&mut client::connect(bench.door), b"after");
}

#[test]
fn states_are_shown_on_sighup() {
    let bench = Bench::new();
    let path = bench.config("cfg", "", ports::refused());
    let mut proxy = Proxy::start(&bench.program, &std::fs::read_to_string(path).unwrap());
    proxy.process.signal(Signal::SIGHUP);
    wait::until_true("the states", || proxy.output().contains("SIGHUP: Server l/s is "));
    proxy.process.signal(Signal::SIGQUIT);
    assert!(proxy.process.ended().is_none());
    client::try_connect(bench.door).expect("it goes on");
}

#[test]
fn sockets_that_were_inherited_are_served() {
    let bench = Bench::new();
    let server = Backend::echo();
    let listener = std::net::TcpListener::bind(bench.door).unwrap();
    let path = bench.config("cfg", "", server.address);
    let text = std::fs::read_to_string(&path).unwrap();
    let number = listener.as_raw_fd();
    std::fs::write(&path, text.replace(&format!("bind {}", bench.door), &format!("bind fd@{number}"))).unwrap();
    nix::fcntl::fcntl(&listener, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let out = bench.run("-D -f cfg -p pid");
    assert!(out.status.success(), "{}", stderr(&out));
    let _daemon = Killed(bench.pid());
    drop(listener);
    client::echo(&mut client::connect(bench.door), b"served");
}

#[test]
fn the_parent_holds_no_pipe_open() {
    // As marathon-lb and `$(…)` need it: the output ends when -D returns.
    let bench = Bench::new();
    bench.config("cfg", "", Backend::echo().address);
    let mut command = bench.program.command();
    command.args(["-D", "-f", "cfg", "-p", "pid"]).current_dir(bench.folder.path());
    let out = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(out.status.success());
    let daemon = Killed(bench.pid());
    assert!(alive(daemon.0));
}
