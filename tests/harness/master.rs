//! A master with its workers, as a supervisor runs it: in the foreground, reloaded by SIGUSR2.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use nix::sys::signal::Signal;

use super::process::{Running, alive, send};
use super::program::Program;
use super::{client, wait};

/// A master; it and all its children are killed when dropped.
pub struct Master {
    pub running: Running,
    folder: tempfile::TempDir,
    notify: UnixDatagram,
    /// Whether every connection is answered.
    patient: bool,
    /// Everybody who was ever seen in `show proc` or as its child.
    seen: std::cell::RefCell<Vec<u32>>,
}

/// A row of `show proc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub pid: u32,
    pub kind: String,
    pub reloads: String,
    /// The heading that it stands under; empty for the master.
    pub group: String,
}

impl Master {
    /// Starts `program -W -f FILE -p PIDFILE -S SOCKET` with `more`, and waits until it has loaded. `{dir}` in the
    /// configuration and in `more` is its folder.
    pub fn start(program: &Program, config: &str, more: &[&str]) -> Self {
        let mut master = Self::try_start(program, config, more);
        let pidfile = master.path("pid");
        master.running.wait_ready(|| std::fs::read_to_string(&pidfile).is_ok_and(|text| text.ends_with('\n')));
        wait::until_true("the master to answer", || UnixStream::connect(master.path("master.sock")).is_ok());
        // 2.6 becomes another image of itself when its worker serves: its socket answers before and after.
        wait::until_true("a worker", || !master.workers().is_empty());
        master
    }

    /// [`Master::start`] that may fail.
    pub fn try_start(program: &Program, config: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let notify = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        notify.set_nonblocking(true).expect("a socket that does not block");
        let place = |text: &str| text.replace("{dir}", &folder.path().display().to_string());
        std::fs::write(folder.path().join("cfg"), place(config)).expect("the configuration is written");
        let mut command = program.command();
        if !more.iter().any(|option| *option == "-Ws" || *option == "keyword") {
            command.arg("-W");
        }
        let path = |name: &str| folder.path().join(name);
        command.arg("-f").arg(path("cfg")).arg("-p").arg(path("pid"));
        if !more.contains(&"-S") {
            command.arg("-S").arg(path("master.sock"));
        }
        command.args(more.iter().filter(|word| **word != "keyword").map(|word| place(word)));
        command.env("NOTIFY_SOCKET", path("notify"));
        let running = Running::start("master", folder.path(), command);
        Self { running, folder, notify, patient: program.is_ours(), seen: Vec::new().into() }
    }

    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the configuration.
    pub fn write(&self, config: &str) {
        let text = config.replace("{dir}", &self.folder.path().display().to_string());
        std::fs::write(self.path("cfg"), text).expect("the configuration is written");
    }

    /// Sends a signal to the master.
    pub fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// The answer to a line; empty when the master is about to become another image of itself.
    pub fn ask(&self, line: &str) -> String {
        let mut answer = Vec::new();
        if let Ok(mut socket) = UnixStream::connect(self.path("master.sock")) {
            // 2.6 forgets a connection that comes while it becomes another image of itself.
            let limit = if self.patient { wait::PATIENCE } else { wait::PATIENCE / 10 };
            socket.set_read_timeout(Some(limit)).expect("a time limit");
            let _ = socket.write_all(format!("{line}\n").as_bytes());
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let _ = socket.read_to_end(&mut answer);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The rows of `show proc`.
    pub fn rows(&self) -> Vec<Row> {
        let text = self.ask("show proc");
        let mut group = String::new();
        let mut rows = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(title) = line.strip_prefix("# ") {
                title.clone_into(&mut group);
                continue;
            }
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let Some(pid) = fields.first().and_then(|pid| pid.parse().ok()) else { continue };
            let reloads = if fields[1] == "master" { fields[2..5].join(" ") } else { fields[2].to_owned() };
            rows.push(Row { pid, kind: fields[1].to_owned(), reloads, group: group.clone() });
        }
        self.seen.borrow_mut().extend(rows.iter().map(|row| row.pid));
        rows
    }

    /// Pids under a heading of `show proc`.
    pub fn group(&self, group: &str) -> Vec<u32> {
        self.rows().iter().filter(|row| row.group == group).map(|row| row.pid).collect()
    }

    /// The workers that serve.
    pub fn workers(&self) -> Vec<u32> {
        self.group("workers")
    }

    /// The worker that serves.
    #[track_caller]
    pub fn worker(&self) -> u32 {
        wait::until("one worker", || match self.workers()[..] {
            [worker] => Some(worker),
            _ => None,
        })
    }

    /// The master's row.
    #[track_caller]
    pub fn reloads(&self) -> String {
        let rows = wait::until("the master's row", || Some(self.rows()).filter(|rows| !rows.is_empty()));
        rows[0].reloads.clone()
    }

    /// A reload by SIGUSR2 that must end with this in the master's row.
    #[track_caller]
    pub fn reload(&self, want: &str) {
        self.signal(Signal::SIGUSR2);
        self.wait_reloads(want);
    }

    /// Waits until the master's row says this.
    #[track_caller]
    pub fn wait_reloads(&self, want: &str) {
        wait::until_or(&format!("reloads: {want}"), || self.reloads() == want, || self.ask("show proc"));
    }

    /// Waits until no old worker is left.
    #[track_caller]
    pub fn settle(&self) {
        wait::until_or(
            "old workers to end",
            || self.rows().iter().filter(|row| row.kind == "worker").count() == 1,
            || self.ask("show proc"),
        );
    }

    /// The next message to systemd.
    #[track_caller]
    pub fn notified(&self) -> String {
        wait::until("a message to systemd", || {
            let mut buffer = [0; 1024];
            let count = self.notify.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
        })
    }

    /// Whether any message to systemd waits.
    pub fn heard_anything(&self) -> bool {
        self.notify.recv(&mut [0; 1024]).is_ok()
    }

    /// Waits for the master's end; no child is left then.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        self.children();
        let status = self.running.wait();
        let seen = self.seen.borrow().clone();
        wait::until_or("all children to end", || !seen.iter().any(|pid| alive(*pid)), || format!("{seen:?}"));
        status
    }

    /// What it has started and has not buried.
    pub fn children(&self) -> Vec<u32> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let children: Vec<u32> = text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        self.seen.borrow_mut().extend(&children);
        children
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.children();
        // A worker's pid is not used again while its master has not buried it.
        send(self.pid(), Signal::SIGSTOP);
        for pid in self.children() {
            send(pid, Signal::SIGKILL);
        }
        send(self.pid(), Signal::SIGKILL);
    }
}

/// A configuration with one door to one server.
pub fn config(door: SocketAddr, server: SocketAddr) -> String {
    format!(
        "global\n  stats socket {{dir}}/stats.sock level admin\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
         timeout client 60s\n  timeout server 60s\nlisten l\n  bind {door}\n  server s {server}\n"
    )
}

/// Whether a session through `door` works.
pub fn works(door: SocketAddr) -> bool {
    client::try_connect(door).is_ok_and(|mut stream| {
        client::echo(&mut stream, b"hello");
        true
    })
}
