//! A copy of the machine in which `/usr/sbin/haproxy` is the program under test, with Debian's configuration file and one `listen` more.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;

use crate::harness::backends::Backend;
use crate::harness::process::{alive, comm, send};
use crate::harness::program::Program;
use crate::harness::{client, wait};

/// Where every supervisor of Debian's starts it.
pub(crate) const HAPROXY: &str = "/usr/sbin/haproxy";
pub(crate) const CONFIG: &str = "/etc/haproxy/haproxy.cfg";

/// The proxy's surroundings.
pub(crate) struct Stage {
    pub(crate) program: Program,
    pub(crate) door: SocketAddr,
    _backend: Backend,
}

impl Stage {
    /// To be made in the copy only.
    pub(crate) fn set() -> Self {
        let program = Program::under_test();
        if program.is_ours() {
            put(&program, HAPROXY);
        }
        Self::around(&program)
    }

    /// [`Stage::set`] around what is there.
    pub(crate) fn around(program: &Program) -> Self {
        let door = SocketAddr::from(([127, 0, 0, 1], 1883));
        let backend = Backend::echo();
        let debian = std::fs::read_to_string(CONFIG).expect("haproxy's package is installed");
        let listen = format!("\nlisten mqtt\n\tbind {door}\n\tmode tcp\n\tserver broker {}\n", backend.address);
        std::fs::write(CONFIG, debian + &listen).expect("the configuration is written");
        ok("install -d -o haproxy -g haproxy /run/haproxy"); // what Debian's tmpfiles.d does at boot
        Self { program: program.clone(), door, _backend: backend }
    }

    /// A session that goes through the proxy; waits until there can be one.
    #[track_caller]
    pub(crate) fn session(&self) -> TcpStream {
        let mut session = wait::until("a connection", || client::try_connect(self.door).ok());
        client::echo(&mut session, b"hello");
        session
    }

    /// Gives an order and waits for what it leads to. A master of haproxy's loses a signal that comes as soon as its worker
    /// listens: it is told once a second.
    #[track_caller]
    pub(crate) fn insist(&self, what: &str, order: impl Fn(), mut done: impl FnMut() -> bool) {
        let mut looks = 0;
        wait::until_true(what, || {
            if looks == 0 || !self.program.is_ours() && looks % 250 == 0 {
                order();
            }
            looks += 1;
            done()
        });
    }

    /// Waits until a new connection is served by processes none of which is one of these.
    #[track_caller]
    pub(crate) fn served_by_others(&self, old: &[u32]) {
        let gone = || {
            let all = haproxies();
            !all.is_empty() && all.iter().all(|pid| !old.contains(pid))
        };
        wait::until_or("other processes", gone, || format!("{:?}, of which old: {old:?}", haproxies()));
        drop(self.session());
    }
}

/// Puts the program at this path.
pub(crate) fn put(program: &Program, path: &str) {
    let _ = std::fs::remove_file(path);
    std::os::unix::fs::symlink(&program.path, path).expect("a link to the program");
}

/// A file of examples/supervisors, put where its first lines say that it belongs.
#[track_caller]
pub(crate) fn place(example: &str, path: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/supervisors").join(example);
    let path = Path::new(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
    std::fs::copy(&from, path).unwrap_or_else(|why| panic!("{} to {}: {why}", from.display(), path.display()));
}

/// The text of a file of examples/supervisors.
#[track_caller]
pub(crate) fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/supervisors").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Every process of that name that lives: the copy has no others than the test's.
pub(crate) fn haproxies() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut pids: Vec<u32> = pids.filter(|pid| comm(*pid) == "haproxy" && alive(*pid)).collect();
    pids.sort_unstable();
    pids
}

/// The oldest process of that name: the master, or the only one.
#[track_caller]
pub(crate) fn first() -> u32 {
    let all = haproxies();
    let parent = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<u32>().ok()).unwrap_or_default()
    };
    *all.iter().find(|pid| !all.contains(&parent(**pid))).unwrap_or_else(|| panic!("a haproxy among {all:?}"))
}

/// Runs a line of a shell; its output goes to a file, for a daemon may keep a pipe open.
pub(crate) fn run(line: &str) -> Output {
    let said = tempfile::NamedTempFile::new().expect("a file");
    let file = || Stdio::from(said.reopen().expect("a second handle"));
    let errors = Stdio::from(std::fs::File::options().append(true).open(said.path()).expect("a third"));
    let status = Command::new("sh").args(["-c", line]).stdin(Stdio::null()).stdout(file()).stderr(errors).status();
    let status = status.expect("a shell");
    Output { status, stdout: std::fs::read(said.path()).expect("what it said"), stderr: Vec::new() }
}

/// [`run`] that must return 0; what it said.
#[track_caller]
pub(crate) fn ok(line: &str) -> String {
    let out = run(line);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{line}: {}: {said}", out.status);
    said
}

/// Whether the peer has ended the session: FIN or RST.
#[track_caller]
pub(crate) fn ended(mut session: TcpStream) {
    let read = session.read(&mut [0]);
    assert!(
        matches!(read, Ok(0)) || read.is_err_and(|why| why.kind() == std::io::ErrorKind::ConnectionReset),
        "the session is cut"
    );
}

/// What a supervisor's user types, and what says that the service is down for good.
pub(crate) struct Orders {
    pub(crate) start: &'static str,
    /// Returns 0 once the supervisor regards the service as running.
    pub(crate) is_up: &'static str,
    /// Sessions go on. `None`: this form of the service has no such thing.
    pub(crate) reload: Option<&'static str>,
    pub(crate) restart: &'static str,
    /// Whether `restart` cuts sessions.
    pub(crate) restart_cuts: bool,
    pub(crate) stop: &'static str,
    /// Returns 0 once the supervisor regards the service as stopped on purpose.
    pub(crate) is_down: &'static str,
}

/// Start, death and return, reload, restart, stop.
#[track_caller]
pub(crate) fn live(stage: &Stage, orders: &Orders) {
    assert_eq!(haproxies(), [0; 0], "nothing runs before");
    let up = || wait::until_true("the supervisor to see it", || run(orders.is_up).status.success());
    ok(orders.start);
    drop(stage.session());
    up();

    let (old, main) = (haproxies(), first());
    send(main, Signal::SIGKILL);
    stage.served_by_others(&old);
    up();

    if let Some(reload) = orders.reload {
        let mut session = stage.session();
        let (old, main) = (haproxies(), first());
        stage.insist("a new process", || drop(ok(reload)), || haproxies().iter().any(|pid| !old.contains(pid)));
        if old.len() > 1 {
            assert_eq!(first(), main, "the master is the same");
        }
        client::echo(&mut session, b"still here");
        drop(stage.session());
        client::echo(&mut session, b"and here");
        if stage.program.is_ours() {
            // The session has moved: no old process waits for its end.
            let settled = || {
                let all = haproxies();
                all.len() == old.len() && all.iter().all(|pid| *pid == main || !old.contains(pid))
            };
            wait::until_or("the old process to end", settled, || format!("{:?}, before: {old:?}", haproxies()));
            client::echo(&mut session, b"and there");
        }
    }

    up();
    let mut session = stage.session();
    let old = haproxies();
    ok(orders.restart);
    if orders.restart_cuts {
        ended(session);
        stage.served_by_others(&old);
    } else {
        wait::until_true("a new process", || haproxies().iter().any(|pid| !old.contains(pid)));
        client::echo(&mut session, b"still here");
        drop(stage.session());
        drop(session); // haproxy's old process lives as long as it
    }

    up();
    ok(orders.stop);
    wait::until_or("all processes to end", || haproxies().is_empty(), || format!("{:?}", haproxies()));
    wait::until_true("the supervisor to know", || run(orders.is_down).status.success());
    assert_eq!(haproxies(), [0; 0], "nothing comes back");
    assert!(client::try_connect(stage.door).is_err(), "nobody listens");
}
