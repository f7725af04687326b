//! Debian's `haproxy.service`, played line by line as systemd would: no systemd runs here, what it sends and gets does.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::Signal;

use crate::harness::client;
use crate::harness::process::{Running, send};
use crate::harness::program::Program;
use crate::harness::throwaway::in_a_copy;
use crate::harness::wait;
use crate::stage::{CONFIG, HAPROXY, Stage, ended, haproxies, place, put, run};
use crate::unit::Unit;

const UNIT: &str = "/lib/systemd/system/haproxy.service";
const DROP_IN: &str = "/etc/systemd/system/haproxy.service.d/override.conf";

/// systemd's side of a service.
struct Manager {
    unit: Unit,
    socket: UnixDatagram,
    service: Running,
    told: Vec<String>,
}

impl Manager {
    /// Runs `ExecStart` with a notification socket.
    fn start(unit: Unit) -> Self {
        let (path, words) = ("/run/notify", unit.words(unit.one("ExecStart"), None));
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path).expect("a notification socket");
        socket.set_nonblocking(true).expect("it does not block");
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("NOTIFY_SOCKET", path);
        let service = Running::start("haproxy.service", Path::new("/tmp"), command);
        Self { unit, socket, service, told: Vec::new() }
    }

    /// Waits for a message that says this, and forgets what came before it.
    #[track_caller]
    fn expect(&mut self, word: &str) {
        wait::until_or(
            word,
            || {
                let mut message = [0; 4096];
                while let Ok(length) = self.socket.recv(&mut message) {
                    self.told.extend(String::from_utf8_lossy(&message[..length]).lines().map(ToOwned::to_owned));
                }
                self.told.iter().any(|line| line == word)
            },
            || self.service.output(),
        );
        let at = self.told.iter().position(|line| line == word).expect("it was seen");
        self.told.drain(..=at);
    }

    /// Runs the `ExecReload` lines as far as they succeed; what each returned.
    fn reload(&self) -> Vec<Option<i32>> {
        let mut codes = Vec::new();
        for line in self.unit.all("ExecReload") {
            let words = self.unit.words(line, Some(self.service.pid()));
            let Output { status, .. } = Command::new(&words[0]).args(&words[1..]).output().expect("the line runs");
            codes.push(status.code());
            if !status.success() {
                break;
            }
        }
        codes
    }

    /// SIGTERM to the main process (`KillMode=mixed`), and what counts as success.
    #[track_caller]
    fn stop(mut self) {
        self.service.signal(Signal::SIGTERM);
        self.expect("STOPPING=1");
        let code = self.service.wait().code();
        let also: i32 = self.unit.one("SuccessExitStatus").parse().expect("a code");
        assert!(code == Some(0) || code == Some(also), "{code:?}");
        wait::until_true("all processes to end", || haproxies().is_empty());
    }
}

fn play(unit: fn() -> Unit) -> Stage {
    let stage = Stage::set();
    put(&stage.program, "/usr/local/sbin/haproxy");
    let mut manager = Manager::start(unit());
    manager.expect("READY=1");
    let main = manager.service.pid();
    let mut session = stage.session();
    let pidfile = || std::fs::read_to_string("/run/haproxy.pid").expect("the pidfile");
    assert!(pidfile().lines().any(|line| line == main.to_string()), "{main} in {:?}", pidfile());

    let old = haproxies();
    assert_eq!(manager.reload(), [Some(0), Some(0)]);
    manager.expect("RELOADING=1");
    manager.expect("READY=1");
    wait::until_true("a new worker", || haproxies().iter().any(|pid| !old.contains(pid)));
    client::echo(&mut session, b"still here");
    drop(stage.session());
    if stage.program.is_ours() {
        wait::until_true("the old worker to end", || haproxies().iter().all(|pid| *pid == main || !old.contains(pid)));
        client::echo(&mut session, b"and there");
    }
    assert!(haproxies().contains(&main), "the main process is the same");

    let good = std::fs::read_to_string(CONFIG).unwrap();
    std::fs::write(CONFIG, format!("{good}\nlisten bad\n\tbnid :1\n")).unwrap();
    assert_eq!(manager.reload(), [Some(1)], "a bad file is not loaded");
    client::echo(&mut session, b"nothing has happened");
    std::fs::write(CONFIG, good).unwrap();

    // Restart=always: a death is seen at once, and the next start finds its addresses free, for the workers end too.
    assert_eq!(manager.unit.one("Restart"), "always");
    send(main, Signal::SIGKILL);
    manager.service.wait();
    ended(session);
    wait::until_true("the workers to end", || haproxies().is_empty());
    let mut manager = Manager::start(unit());
    manager.expect("READY=1");
    let session = stage.session();
    manager.stop();
    ended(session);
    assert!(client::try_connect(stage.door).is_err(), "nobody listens");
    stage
}

#[test]
fn debians_unit_works_as_it_is() {
    if in_a_copy("systemd::debians_unit_works_as_it_is") {
        play(|| Unit::read(&[Path::new(UNIT)]));
    }
}

#[test]
fn a_drop_in_puts_another_binary_under_debians_unit() {
    if in_a_copy("systemd::a_drop_in_puts_another_binary_under_debians_unit") {
        place("systemd-override.conf", DROP_IN);
        place("default-haproxy", "/etc/default/haproxy");
        let unit = || Unit::read(&[Path::new(UNIT), Path::new(DROP_IN)]);
        let words = unit().words(unit().one("ExecStart"), None);
        assert_eq!(words[0], "/usr/local/sbin/haproxy");
        assert!(words.ends_with(&["-L".to_owned(), "lb1".to_owned()]), "the defaults file counts: {words:?}");
        play(unit);
    }
}

#[test]
fn the_units_master_socket_answers() {
    if in_a_copy("systemd::the_units_master_socket_answers") {
        let stage = Stage::set();
        let mut manager = Manager::start(Unit::read(&[Path::new(UNIT)]));
        manager.expect("READY=1");
        drop(stage.session());
        let out = run("echo 'show proc' | socat - UNIX-CONNECT:/run/haproxy-master.sock");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let master = text.lines().find(|line| line.split_whitespace().nth(1) == Some("master"));
        let pid = manager.service.pid().to_string();
        assert_eq!(master.and_then(|line| line.split_whitespace().next()), Some(pid.as_str()), "{text}");
        manager.stop();
    }
}

/// What `systemctl reload haproxy` does after a package or an administrator has put baton there: haproxy's master executes it.
#[test]
fn a_master_of_haproxys_becomes_a_baton() {
    if in_a_copy("systemd::a_master_of_haproxys_becomes_a_baton") {
        let stage = Stage::around(&Program::theirs());
        let mut manager = Manager::start(Unit::read(&[Path::new(UNIT)]));
        manager.expect("READY=1");
        let (mut session, old) = (stage.session(), haproxies());
        put(&Program::ours(), HAPROXY);
        let worker = || haproxies().iter().any(|pid| !old.contains(pid));
        let reload = || assert_eq!(manager.reload(), [Some(0), Some(0)]);
        stage.insist("a new worker", reload, worker);
        manager.expect("READY=1");
        client::echo(&mut session, b"still here");
        drop(session); // haproxy's worker lives as long as it
        let main = manager.service.pid();
        wait::until_true("haproxy's worker to end", || {
            haproxies().iter().all(|pid| *pid == main || !old.contains(pid))
        });
        let exe = std::fs::read_link(format!("/proc/{main}/exe")).unwrap();
        assert_eq!(exe.file_name().and_then(|name| name.to_str()), Some("baton"));

        // From now on sessions move.
        let (mut session, old) = (stage.session(), haproxies());
        assert_eq!(manager.reload(), [Some(0), Some(0)]);
        let moved = || {
            let all = haproxies();
            all.len() == 2 && all.iter().all(|pid| *pid == main || !old.contains(pid))
        };
        wait::until_true("the old worker to end", moved);
        client::echo(&mut session, b"and there");
        manager.stop();
    }
}
