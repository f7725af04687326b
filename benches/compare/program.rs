//! A program under measurement: its configuration, start and end.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One of the two programs.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// `ours` or `theirs`.
    pub(crate) name: &'static str,
    /// Its binary.
    pub(crate) path: PathBuf,
}

/// Lines of a configuration besides those that every shape has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lines<'l> {
    /// Of `global`.
    pub(crate) global: &'l str,
    /// Of the `listen` section.
    pub(crate) listen: &'l str,
}

/// A running one; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Where clients connect.
    pub(crate) door: SocketAddr,
    folder: tempfile::TempDir,
    log: UdpSocket,
}

impl Program {
    /// A program by its path.
    pub(crate) fn new(name: &'static str, path: PathBuf) -> Self {
        Self { name, path }
    }

    /// First line of `-v`.
    pub(crate) fn version(&self) -> String {
        let out = Command::new(&self.path).arg("-v").output();
        let text = out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
        text.lines().next().unwrap_or("no version").to_owned()
    }

    /// Starts it in front of `server` with `threads` threads and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) async fn start(&self, server: SocketAddr, threads: usize) -> Running {
        self.start_with(server, threads, Lines::default()).await
    }

    /// [`Program::start`] with these lines besides.
    pub(crate) async fn start_with(&self, server: SocketAddr, threads: usize, lines: Lines<'_>) -> Running {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = UdpSocket::bind("127.0.0.1:0").expect("a UDP port");
        let door = TcpListener::bind("127.0.0.1:0").and_then(|door| door.local_addr()).expect("a free port");
        let config = config(server, door, log.local_addr().expect("its address"), folder.path(), threads, lines);
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, config).expect("the configuration is written");
        let child = self.spawn(&file, &[]);
        drain(&log);
        let running = Running { child, door, folder, log };
        running.wait_listening().await;
        running
    }

    /// Starts a second process on the configuration of `old`, by `-x` and `-sf`; `old` ends.
    ///
    /// # Panics
    /// When it does not come up or the old one does not end.
    pub(crate) async fn take_over(&self, mut old: Running) -> Running {
        let socket = old.folder.path().join("admin.sock");
        let file = old.folder.path().join("haproxy.cfg");
        let pid = old.child.id().to_string();
        let child = self.spawn(&file, &["-x", &socket.display().to_string(), "-sf", &pid]);
        let before = std::mem::replace(&mut old.child, child);
        let mut before = Ender(before);
        wait("the old process to end", || before.0.try_wait().ok().flatten().is_some()).await;
        old.wait_listening().await;
        old
    }

    /// Starts a second process that takes over from `old`, which ends when its sessions have moved; the ms that they took, and for how long 99 % and all of them
    /// were served by nobody, at most.
    ///
    /// # Panics
    /// When it does not come up, the old one does not end, or no session moves.
    pub(crate) async fn reload(&self, mut old: Running) -> (Running, [f64; 3]) {
        drain(&old.log);
        let file = old.folder.path().join("haproxy.cfg");
        let child = self.spawn(&file, &["-sf", &old.child.id().to_string()]);
        let mut before = Ender(std::mem::replace(&mut old.child, child));
        wait("the old process to end", || before.0.try_wait().ok().flatten().is_some()).await;
        let mut took = None;
        wait("the new process to say what it took", || {
            let mut line = [0; 2048];
            while let Ok(count) = old.log.recv(&mut line) {
                let text = String::from_utf8_lossy(&line[..count]).into_owned();
                if let Some((_, rest)) = text.split_once(" sessions taken over") {
                    let words: Vec<&str> = rest.split(' ').collect();
                    let figures = words.windows(2).filter(|pair| pair[1].starts_with("ms"));
                    let figures: Vec<f64> = figures.filter_map(|pair| pair[0].parse().ok()).collect();
                    took = took.or(figures.try_into().ok());
                }
            }
            took.is_some()
        })
        .await;
        (old, took.unwrap_or_default())
    }

    fn spawn(&self, file: &Path, args: &[&str]) -> Child {
        let mut command = Command::new(&self.path);
        command.arg("-db").args(args).arg("-f").arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap_or_else(|why| panic!("{} starts: {why}", self.path.display()))
    }
}

struct Ender(Child);

impl Drop for Ender {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop with its last session.
    ///
    /// # Panics
    /// When it is gone.
    pub(crate) fn stop_softly(&self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR1).expect("it runs");
    }

    /// Gives it a command that is answered with nothing.
    ///
    /// # Panics
    /// When it is answered otherwise.
    pub(crate) async fn command(&self, text: &str) {
        let mut socket =
            tokio::net::UnixStream::connect(self.folder.path().join("admin.sock")).await.expect("a socket");
        socket.write_all(format!("{text}\n").as_bytes()).await.expect("a command");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("an answer");
        assert_eq!(answer, "\n", "{text}");
    }

    /// Log lines may pile up in the receiver's buffer; this takes them out.
    pub(crate) fn drain_log(&self) {
        drain(&self.log);
    }

    async fn wait_listening(&self) {
        wait("the proxy to listen", || TcpStream::connect(self.door).is_ok()).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition, 20 s at most; the server on this thread goes on meanwhile.
///
/// # Panics
/// After that.
pub(crate) async fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn drain(log: &UdpSocket) {
    let _ = log.set_nonblocking(true);
    while log.recv(&mut [0; 2048]).is_ok() {}
}

fn config(
    server: SocketAddr,
    door: SocketAddr,
    log: SocketAddr,
    folder: &Path,
    threads: usize,
    lines: Lines<'_>,
) -> String {
    let Lines { global, listen } = lines;
    let socket = folder.join("admin.sock");
    format!(
        "global\n  log {log} local0\n  nbthread {threads}\n  maxconn 9900\n  \
         stats socket {} level admin expose-fd listeners\n{global}\
         defaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n  timeout client 5m\n  \
         timeout server 5m\n\
         listen l\n  bind {door}\n{listen}  server s {server}\n",
        socket.display()
    )
}
