//! A proxy in the foreground (`-db`), from a configuration as text.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::ports;
use super::process::Running;
use super::program::Program;

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// The process.
    pub process: Running,
    /// Its configuration file.
    pub config: PathBuf,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// Writes `config` to a file, starts `program -db -f FILE` and waits until each address of a `bind` line listens.
    ///
    /// # Panics
    /// With the program's output when it ends instead.
    #[track_caller]
    pub fn start(program: &Program, config: &str) -> Self {
        Self::start_with(program, config, &[])
    }

    /// [`Proxy::start`] with more options.
    #[track_caller]
    pub fn start_with(program: &Program, config: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, config).expect("the configuration is written");
        let mut command = program.command();
        command.arg("-db").args(args).arg("-f").arg(&file);
        let mut process = Running::start("haproxy", folder.path(), command);
        let doors = doors(config);
        process.wait_ready(|| doors.iter().all(Door::open));
        Self { process, config: file, folder }
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Its temporary folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Runs `program -c` on `config`.
///
/// # Panics
/// When the program cannot be started.
pub fn check(program: &Program, config: &str) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, config).expect("the configuration is written");
    program.command().arg("-c").arg("-f").arg(&file).output().expect("the program runs")
}

/// Something a configuration opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix stream socket.
    Unix(PathBuf),
}

impl Door {
    /// Whether it is open.
    pub fn open(&self) -> bool {
        match self {
            Self::Tcp(address) => ports::listens(*address),
            Self::Unix(path) => path.exists(),
        }
    }
}

/// What `config` opens: the plain addresses of its `bind`, `stats socket` and old `listen NAME ADDRESS` lines.
/// What has another form (ranges, names, `fd@`) is not waited for.
pub fn doors(config: &str) -> Vec<Door> {
    let mut found = Vec::new();
    for line in config.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let addresses = match words[..] {
            ["bind", addresses, ..] => addresses,
            ["stats", "socket", address, ..] => address,
            ["listen" | "frontend", _, addresses, ..] if !addresses.starts_with('#') => addresses,
            _ => continue,
        };
        found.extend(addresses.split(',').filter_map(door));
    }
    found
}

fn door(address: &str) -> Option<Door> {
    let plain = address.trim_start_matches("ipv4@").trim_start_matches("ipv6@");
    if let Some(path) = plain.strip_prefix("unix@").or_else(|| plain.starts_with('/').then_some(plain)) {
        return Some(Door::Unix(path.into()));
    }
    if let Some(port) = plain.strip_prefix("*:").or_else(|| plain.strip_prefix(':')) {
        return Some(Door::Tcp(SocketAddr::from(([0, 0, 0, 0], port.parse().ok()?))));
    }
    plain.parse().ok().map(Door::Tcp)
}
