//! The stats socket as a whole, on both programs: that each command of haproxy is answered, who may use it, and what is
//! answered where both are to say the same.

mod harness;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use harness::backends::Backend;
use harness::program::Program;
use harness::proxy::Proxy;
use harness::site::Site;
use harness::stats::command;
use harness::{client, ports, wait};

/// Commands of haproxy that other parts of this issue bring.
const PENDING: [&str; 7] =
    ["add server", "del server", "disable agent", "disable health", "enable agent", "enable health", "show resolvers"];

/// Commands that say no more than what is missing, by the words they begin with.
const MISSING: [&str; 12] = [
    "abort ssl",
    "add ssl",
    "commit ssl",
    "del ssl",
    "disable dynamic-cookie backend",
    "enable dynamic-cookie backend",
    "new ssl",
    "set dynamic-cookie-key backend",
    "set profiling",
    "set ssl",
    "show tasks",
    "trace x",
];

/// A proxy with a socket of each level, a ring and a variable of its own.
struct Stage {
    proxy: Proxy,
    folder: tempfile::TempDir,
    door: std::net::SocketAddr,
    _echo: Backend,
}

impl Stage {
    fn start(program: &Program, global: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (door, echo) = (ports::free(), Backend::echo());
        let level = |level: &str| format!(" stats socket {} level {level}\n", folder.path().join(level).display());
        let config = format!(
            "global\n{}{}{}{global} nbthread 2\n setenv FOO bar\n unsetenv HOME\n log ring@noise local0\n\
             defaults\n mode tcp\n log global\n timeout client 1m\n timeout connect 1m\n timeout server 1m\n\
             frontend f\n bind {door}\n default_backend b\nbackend b\n server s {}\n server u 127.0.0.1:1 backup\n\
             listen l\n bind {}\n server s 127.0.0.1:1\nbackend none\n\
             ring noise\n description \"what is said\"\n format raw\n size 32764\nring quiet\n size 16384\n",
            level("user"),
            level("operator"),
            level("admin"),
            echo.address,
            ports::free(),
        );
        Self { proxy: Proxy::start(program, &config), folder, door, _echo: echo }
    }

    fn path(&self, level: &str) -> PathBuf {
        self.folder.path().join(level)
    }

    fn said(&self, level: &str, typed: &str) -> String {
        command(&self.path(level), typed)
    }
}

/// The words that each line of `help` begins with: what follows them are arguments.
fn listed(help: &str) -> BTreeSet<String> {
    let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let name = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take_while(plain).collect();
        words.join(" ")
    };
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    lines.map(|line| name(line.split(" : ").next().unwrap_or_default())).filter(|name| !name.is_empty()).collect()
}

/// haproxy's `help` calls one command by another name than it has.
fn right(name: &str) -> &str {
    if name == "new ssl crlfile" { "new ssl crl-file" } else { name }
}

#[test]
fn each_command_of_haproxy_is_answered() {
    let (theirs, ours) = (Stage::start(&Program::theirs(), ""), Stage::start(&Program::ours(), ""));
    let known = listed(&theirs.said("admin", "help"));
    assert!(known.len() >= 95, "{} commands: {known:?}", known.len());
    let mut missing = BTreeSet::new();
    for name in known.iter().map(|name| right(name)) {
        // What a command that is cut short means is not asked: it would be carried out.
        let asked = match name {
            "trace" => "trace x",
            "prompt" => "prompt n",
            name => name,
        };
        let answer = ours.said("admin", asked);
        if PENDING.contains(&name) {
            continue;
        }
        assert!(!answer.contains("Unknown command"), "{name}: {answer}");
        if ["yet.", "from here", "cannot be looked into", "no sources of traces"]
            .iter()
            .any(|part| answer.contains(part))
        {
            let begins = MISSING.iter().find(|head| asked.starts_with(**head));
            missing.insert(*begins.unwrap_or_else(|| panic!("{name} says only what is missing: {answer}")));
        }
    }
    assert_eq!(missing.len(), MISSING.len(), "what is there is no longer to be listed as missing: {missing:?}");
    let ours = listed(&ours.said("admin", "help"));
    let hidden: Vec<&str> = known.iter().map(|name| right(name)).filter(|name| !ours.contains(*name)).collect();
    assert!(hidden.iter().all(|name| PENDING.contains(name)), "not in our help: {hidden:?}");
}

/// What a user and an operator are denied, command by command. Only the rights are asked for: no command has arguments.
#[test]
fn rights_are_those_of_haproxy() {
    let (theirs, ours) = (Stage::start(&Program::theirs(), ""), Stage::start(&Program::ours(), ""));
    let known = listed(&theirs.said("admin", "help"));
    let mut denied = 0;
    for name in known.iter().map(|name| right(name)).filter(|name| !PENDING.contains(name) && *name != "prompt") {
        for level in ["user", "operator"] {
            let [want, got] = [&theirs, &ours].map(|stage| stage.said(level, name).contains("Permission denied"));
            assert_eq!(got, want, "whether a {level} is denied {name}");
            denied += usize::from(got);
        }
    }
    assert!(denied > 60, "{denied}");
}

/// What is sent back for these bytes until the connection closes; `VERSION` stands for the program's.
#[test]
fn conversations_are_alike() {
    for program in [Program::theirs(), Program::ours()] {
        let stage = Stage::start(&program, "");
        let version = stage.said("user", "show version").trim_end().to_owned();
        for (typed, want) in [
            ("show version\n", "VERSION\n\n"),
            ("show version;show version\r\n", "VERSION\n\nVERSION\n\n"),
            ("show version\nshow version\n", "VERSION\n\nVERSION\n\n"),
            ("show \t version\n", "VERSION\n\n"),
            ("sh\\ow ver\\sion\n", "VERSION\n\n"),
            ("show version and more\n", "VERSION\n\n"),
            ("prompt;show version\nquit\n", "\n> VERSION\n\n> "),
            ("prompt\nshow version\nprompt\n", "\n> VERSION\n\n> \n"),
            ("prompt\nprompt\nshow version\n", "\n> \nVERSION\n\n"),
            ("quit;show version\n", ""),
            ("user;operator;show cli level\n", "\nPermission denied\n\nuser\n\n"),
            ("operator;show cli level\n", "\noperator\n\n"),
            ("expert-mode on;expert-mode;user;show cli level\n", "\nexpert-mode is ON\n\n\nuser\n\n"),
            ("set severity-output string;show env NOBODY\n", "\n[err]: Variable not found\n\n"),
            ("set severity-output number;show env NOBODY\n", "\n[3]: Variable not found\n\n"),
            // payloads: nobody takes them here, and they are no commands
            ("show env FOO <<\nshow version\n\n", "FOO=bar\n\n"),
            ("show env FOO <<\n\nshow version\n", "FOO=bar\n\nVERSION\n\n"),
            ("show version;show env FOO <<\nx\ny\n\n", "VERSION\n\nFOO=bar\n\n"),
            ("prompt\nshow env FOO <<\nx;y\n\nquit\n", "\n> + + FOO=bar\n\n> "),
            ("prompt\nshow env FOO <<;x\ny\n\nquit\n", "\n> + + + FOO=bar\n\n> "),
        ] {
            let mut stream = UnixStream::connect(stage.path("admin")).expect("the stats socket");
            stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
            stream.write_all(typed.as_bytes()).expect("commands");
            let mut said = String::new();
            stream.read_to_string(&mut said).expect("answers");
            assert_eq!(said, want.replace("VERSION", &version), "{typed:?} on {:?}", program.kind);
        }
    }
}

/// Lists that tools read: the same to the letter.
#[test]
fn lists_are_alike() {
    let (theirs, ours) = (Stage::start(&Program::theirs(), ""), Stage::start(&Program::ours(), ""));
    for typed in [
        "show backend",
        "show env FOO",
        "show table",
        "show map",
        "show peers",
        "show tls-keys",
        "show ssl ocsp-response",
        "show cache",
        "show cli level",
    ] {
        let want = theirs.said("admin", typed);
        assert_eq!(ours.said("admin", typed), want, "{typed}");
    }
    for stage in [&theirs, &ours] {
        let sockets = stage.said("user", "show cli sockets");
        let line = |level: &str| format!("unix@{} {level} all\n", stage.path(level).display());
        let want = format!("# socket lvl processes\n{}{}{}\n", line("user"), line("operator"), line("admin"));
        assert_eq!(sockets, want);
        let environment = stage.said("operator", "show env");
        let list = format!("HAPROXY_CLI=unix@{};", stage.path("user").display());
        assert!(environment.contains(&list) && environment.contains("\nFOO=bar\n"), "{environment}");
        assert!(environment.contains("\nHAPROXY_LOCALPEER=") && !environment.contains("\nHOME="), "{environment}");
        let errors = stage.said("operator", "show errors f request");
        assert!(errors.starts_with("Total events captured on [") && errors.ends_with("] : 0\n\n"), "{errors}");
        // A connection that a check or a session once had is counted by haproxy alone.
        let servers = stage.said("user", "show servers conn b");
        let mut lines = servers.lines();
        let head = "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb \
                    idle_lim idle_cur idle_per_thr[2]";
        assert_eq!(lines.next(), Some(head));
        let second = lines.nth(1).expect("the second server");
        assert_eq!(second, "b/u 3/2 127.0.0.1 1 - 5000 0 0 0 0 0 -1 0 0 0");
        assert_eq!(
            stage.said("user", "show servers conn").lines().filter(|line| line.starts_with("l/s 4/1 ")).count(),
            1
        );
    }
}

/// What the start said is kept, as it was printed.
#[test]
fn the_start_is_told() {
    for program in [Program::theirs(), Program::ours()] {
        let stage = Stage::start(&program, "backend hasty\n mode tcp\n server s 127.0.0.1:1\nglobal\n");
        let logs = stage.said("operator", "show startup-logs");
        let printed = stage.proxy.output();
        assert!(logs.contains("[WARNING]") && logs.contains("hasty"), "{logs} of {printed}");
        for line in logs.lines().filter(|line| line.starts_with('[')) {
            assert!(printed.contains(line), "{line} in {printed}");
        }
    }
}

/// A ring is listed, told, and told on as lines come, until the client types something.
#[test]
fn rings_are_told() {
    for program in [Program::theirs(), Program::ours()] {
        let stage = Stage::start(&program, "");
        let list = stage.said("user", "show events");
        for line in [
            "    noise      : type=buffer, 0 dropped, what is said\n",
            "    quiet      : type=buffer, 0 dropped, quiet\n",
        ] {
            assert!(list.contains(line), "{list}");
        }
        assert_eq!(stage.said("operator", "show events quiet"), "\n");
        let connect = || drop(client::connect(stage.door));
        connect();
        wait::until_true("a line in the ring", || stage.said("operator", "show events noise").contains("Connect from"));
        assert_eq!(stage.said("operator", "show events noise -n"), "\n");
        let mut watcher = UnixStream::connect(stage.path("operator")).expect("the stats socket");
        watcher.write_all(b"show events noise -wn\n").expect("a command");
        watcher.set_read_timeout(Some(Duration::from_millis(50))).expect("a time limit");
        let mut seen = Vec::new();
        wait::until_true("a new line", || {
            connect();
            let mut some = [0; 4096];
            let read = watcher.read(&mut some).unwrap_or(0);
            seen.extend_from_slice(&some[..read]);
            String::from_utf8_lossy(&seen).contains("Connect from")
        });
        if !program.is_ours() {
            continue; // a key ends it, and 2.6 says nothing more until the idle time is over
        }
        watcher.set_read_timeout(Some(Duration::from_secs(15))).expect("a time limit");
        watcher.write_all(b"\n").expect("a key");
        let mut rest = String::new();
        watcher.read_to_string(&mut rest).expect("the connection ends");
        assert!(rest.ends_with("\n\n") || rest == "\n", "{rest:?}");
    }
}

/// Commands of baton that tell what the kernel says of the process.
#[test]
fn the_process_tells_of_itself() {
    let stage = Stage::start(&Program::ours(), "");
    let mut held: Vec<_> = (0..5).map(|_| client::connect(stage.door)).collect();
    held.iter_mut().for_each(|stream| client::echo(stream, b"hello"));
    let activity = stage.said("user", "show activity");
    let loads = activity.lines().find_map(|line| line.strip_prefix("conns: ")).expect("a line");
    let numbers: Vec<u32> = loads.split([' ', '[', ']']).filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers[0], numbers[1..].iter().sum::<u32>(), "{activity}");
    assert!(numbers.len() == 3 && numbers[0] >= 5, "{activity}");
    let threads = stage.said("user", "show threads");
    assert!(threads.contains(" name=serve-0 ") && threads.contains(" name=serve-1 "), "{threads}");
    let all = stage.said("operator", "show fd");
    assert!(all.lines().filter(|line| line.contains(" : socket:[")).count() >= 13, "{all}");
    let first = all.lines().next().expect("a descriptor");
    let number = first.split(" : ").next().expect("its number").trim();
    assert_eq!(stage.said("operator", &format!("show fd {number}")).lines().next(), Some(first));
    assert!(stage.said("operator", "show libs").contains("/libc.so"));
    assert!(stage.said("user", "show pools").contains("Total: 0 pools, 0 bytes allocated, 0 used."));
}

/// `disable frontend` refuses connections, and sessions go on; `enable frontend` lets them in again.
#[test]
fn a_disabled_frontend_refuses() {
    for program in [Program::theirs(), Program::ours()] {
        let stage = Stage::start(&program, "");
        let mut before = client::connect(stage.door);
        client::echo(&mut before, b"before");
        for _ in 0..3 {
            assert_eq!(stage.said("admin", "disable frontend f"), "\n");
            let refused = || {
                let came = client::try_connect(stage.door);
                came.is_err_and(|why| why.kind() == std::io::ErrorKind::ConnectionRefused)
            };
            if program.is_ours() {
                assert!(refused(), "it is so when the order is answered");
            } else {
                wait::until_true("a refusal", refused); // once in some thousand orders 2.6 takes one more
            }
            client::echo(&mut before, b"still");
            assert_eq!(stage.said("admin", "enable frontend f"), "\n");
            client::echo(&mut client::connect(stage.door), b"again");
        }
    }
}

/// So it does when the old process that the socket was taken from is gone.
#[test]
fn a_disabled_frontend_refuses_after_a_reload() {
    let (door, echo) = (ports::free(), Backend::echo());
    let sections = format!("listen f\n bind {door}\n server s {}\n", echo.address);
    let mut site = Site::start(&Program::ours(), &sections);
    let mut before = client::connect(door);
    client::echo(&mut before, b"before");
    site.reload();
    // The last threads of the old process may end a moment after it is seen as gone.
    wait::until_true("a refusal", || {
        assert_eq!(site.order("disable frontend f"), "\n");
        let refused = client::try_connect(door).is_err_and(|why| why.kind() == std::io::ErrorKind::ConnectionRefused);
        if !refused {
            assert_eq!(site.order("enable frontend f"), "\n");
        }
        refused
    });
    client::echo(&mut before, b"still");
    // And a newcomer makes it listen again: what was ordered goes on, so connections wait or are refused until it ends.
    site.reload();
    site.order("enable frontend f");
    client::echo(&mut client::connect(door), b"again");
    client::echo(&mut before, b"and still");
}

/// Where another process may hold the socket, shutting it down would take it from that process: connections wait.
#[test]
fn a_disabled_frontend_that_shares_its_socket_lets_wait() {
    let (door, echo) = (ports::free(), Backend::echo());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("stats");
    let config = format!(
        "global\n stats socket {} level admin expose-fd listeners\ndefaults\n mode tcp\n timeout client 1m\n \
         timeout connect 1m\n timeout server 1m\nlisten f\n bind {door}\n server s {}\n",
        socket.display(),
        echo.address,
    );
    let _proxy = Proxy::start(&Program::ours(), &config);
    assert_eq!(command(&socket, "disable frontend f"), "\n");
    let mut waits = client::connect(door);
    assert_eq!(command(&socket, "enable frontend f"), "\n");
    client::echo(&mut waits, b"served at last");
}

/// One command over a connection of any kind, and its whole answer.
fn asked(mut stream: impl Read + Write, typed: &str) -> String {
    stream.write_all(typed.as_bytes()).expect("a command");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Every kind of address, with levels, names and rights of its file: each answers, and does what its line says.
#[test]
fn every_kind_of_stats_socket_answers() {
    use std::os::fd::AsRawFd;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::fs::MetadataExt;
    for program in [Program::theirs(), Program::ours()] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let (inet, door) = (ports::free(), ports::free());
        let abstract_name = format!("baton-test-{}-{:?}", std::process::id(), program.kind);
        let inherited = std::os::unix::net::UnixListener::bind(path("inherited")).expect("a listener");
        rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).expect("it is inherited");
        let config = format!(
            "global\n stats socket {} mode 600 uid 65534 gid 65534 level user expose-fd listeners\n \
             stats socket unix@{} mode 660 user root group root level operator severity-output number process 1\n \
             stats socket ipv4@{inet} level admin\n stats socket abns@{abstract_name},unix@{} level operator\n \
             stats socket fd@{} level admin\n stats timeout 5s\n stats maxconn 20\n\
             defaults\n mode tcp\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n\
             listen f\n bind {door}\n server s 127.0.0.1:1\n",
            path("plain").display(),
            path("remarks").display(),
            path("second").display(),
            inherited.as_raw_fd(),
        );
        let _proxy = Proxy::start(&program, &config);
        let unix = |name: &str| UnixStream::connect(path(name)).expect("a stats socket");
        let level = "show cli level\n";
        // haproxy's abstract names are as long as they may be: zeros follow.
        let mut padded = abstract_name.clone().into_bytes();
        padded.resize(107, 0);
        let at = std::os::unix::net::SocketAddr::from_abstract_name(&padded).expect("a name");
        for (got, want) in [
            (asked(unix("plain"), level), "user\n\n"),
            (asked(unix("remarks"), level), "[6]: operator\n\n"),
            (asked(std::net::TcpStream::connect(inet).expect("TCP"), level), "admin\n\n"),
            (asked(UnixStream::connect_addr(&at).expect("an abstract name"), level), "operator\n\n"),
            (asked(unix("second"), level), "operator\n\n"),
            (asked(unix("inherited"), level), "admin\n\n"),
        ] {
            assert_eq!(got, want, "{:?}", program.kind);
        }
        let rights = |name: &str| {
            let file = std::fs::metadata(path(name)).expect("its file");
            (file.mode() & 0o777, file.uid(), file.gid())
        };
        assert_eq!([rights("plain"), rights("remarks")], [(0o600, 65534, 65534), (0o660, 0, 0)], "{:?}", program.kind);
        assert!(!baton::sys::getsocks::fetch(&path("plain")).expect("sockets").is_empty(), "{:?}", program.kind);
        let listed = asked(unix("plain"), "show cli sockets\n");
        for line in [format!("ipv4@{inet} admin all\n"), format!("abns@{abstract_name} operator all\n")] {
            assert!(listed.contains(&line), "{line} in {listed} of {:?}", program.kind);
        }
    }
}
