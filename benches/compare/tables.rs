//! Stick tables: what a million entries weigh, and how long a reload with them takes.
//!
//! Both programs are filled through their own runtime sockets: `set table … key …`, with `server_id` and `gpc0`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::machine::memory;
use crate::program::Program;

/// Orders in one line: a line has to be shorter than what haproxy reads at once.
const ORDERS: usize = 150;

struct Filled {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Filled {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &Program, file: &Path, more: &[&str]) -> Child {
    let mut command = Command::new(&program.path);
    command.arg("-db").args(more).arg("-f").arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

fn ask(socket: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("a runtime socket");
    writeln!(stream, "{line}").expect("a command");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn used(socket: &Path) -> usize {
    let answer = ask(socket, "show table");
    answer.rsplit_once("used:").and_then(|(_, rest)| rest.trim().parse().ok()).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "nothing else runs on this thread")]
fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Filled {
    fn start(program: &Program, size: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let door: SocketAddr = TcpListener::bind("127.0.0.1:0").and_then(|door| door.local_addr()).expect("a port");
        let config = format!(
            "global\n nbthread 1\n stats socket {}/admin.sock level admin\ndefaults\n mode tcp\n timeout connect 5s\n \
             timeout client 5m\n timeout server 5m\nbackend t\n stick-table type string len 32 size {size} expire 1h store \
             server_id,gpc0\nfrontend f\n bind {door}\n default_backend t\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("haproxy.cfg"), config).expect("the configuration is written");
        let child = spawn(program, &folder.path().join("haproxy.cfg"), &[]);
        let filled = Self { child, folder };
        wait("the socket", || UnixStream::connect(filled.socket()).is_ok());
        filled
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    fn fill(&self, entries: usize) {
        let numbers: Vec<usize> = (0..entries).collect();
        for some in numbers.chunks(ORDERS) {
            let order = |number: &usize| format!("set table t key device-{number:020x} data.server_id 3 data.gpc0 1");
            let line: Vec<String> = some.iter().map(order).collect();
            ask(&self.socket(), &line.join(";"));
        }
        assert_eq!(used(&self.socket()), entries);
    }

    fn weight(&self) -> f64 {
        memory(self.child.id()).private
    }
}

/// Bytes per entry.
pub(crate) fn weigh(program: &Program, entries: usize) -> Vec<f64> {
    let filled = Filled::start(program, entries);
    ask(&filled.socket(), "show table t");
    let before = filled.weight();
    filled.fill(entries);
    vec![(filled.weight() - before) / entries as f64]
}

/// A reload with so many entries: ms from the start of the new process to its first answer with all of them.
pub(crate) fn reload(program: &Program, entries: usize) -> String {
    let mut filled = Filled::start(program, entries);
    filled.fill(entries);
    let (old, file) = (filled.child.id().to_string(), filled.folder.path().join("haproxy.cfg"));
    let begun = Instant::now();
    let new = spawn(program, &file, &["-sf", &old]);
    let mut before = std::mem::replace(&mut filled.child, new);
    wait("the old process to end", || before.try_wait().is_ok_and(|status| status.is_some()));
    let ended = begun.elapsed().as_millis();
    let came = used(&filled.socket());
    let mib = filled.weight() / 1024.0 / 1024.0;
    format!(
        "reload with {entries} entries: {came} came, the old process ended after {ended} ms; the new one has {mib:.0} MiB"
    )
}
