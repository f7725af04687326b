//! A yard for takeovers: a folder with one configuration, and everything that was started with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::signal::Signal;

use super::backends::Backend;
use super::process::{alive, send};
use super::program::Program;
use super::{client, ports, storm, wait};

/// A folder, a listener's address and everything that was started with the folder's configuration.
#[derive(Debug)]
pub struct Yard {
    /// Configuration, pidfile, output, stats socket.
    pub folder: tempfile::TempDir,
    /// Where the proxy listens.
    pub door: SocketAddr,
    /// What it forwards to.
    pub server: Backend,
}

impl Yard {
    /// A yard with the plain configuration.
    pub fn new() -> Self {
        let yard = Self { folder: tempfile::tempdir().unwrap(), door: ports::free(), server: storm::server() };
        yard.write("");
        yard
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration: `global` lines, the listener, a stats socket.
    pub fn write(&self, global: &str) {
        let text = format!(
            "global\n  stats socket {} level admin expose-fd listeners\n{global}\nlisten l\n  bind {}\n  mode tcp\n  \
             timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n  server s {}\n",
            self.path("sock").display(),
            self.door,
            self.server.address
        );
        std::fs::write(self.path("cfg"), text).unwrap();
    }

    /// The command, with its output in a file of the folder.
    pub fn command(&self, program: &Path, line: &str) -> Command {
        let mut command = Command::new(program);
        let output = std::fs::File::create(self.path("out")).unwrap();
        command.args(["-D", "-p", "pid", "-f"]).arg(self.path("cfg")).args(line.split_whitespace());
        command.current_dir(self.folder.path()).stdin(std::process::Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
        command
    }

    /// Starts a daemon with these options; what it said.
    pub fn run(&self, program: &Program, line: &str) -> Output {
        let status = self.command(&program.path, line).status().unwrap();
        Output { status, stdout: Vec::new(), stderr: std::fs::read(self.path("out")).unwrap() }
    }

    /// [`Yard::run`] that must succeed; what it said.
    #[track_caller]
    pub fn start(&self, program: &Program, line: &str) -> String {
        let out = self.run(program, line);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{line} returned {}: {said}", out.status);
        said
    }

    /// The serving process, from the pidfile.
    pub fn pid(&self) -> u32 {
        std::fs::read_to_string(self.path("pid")).unwrap().trim().parse().unwrap()
    }

    /// All living processes that were started with this folder's configuration.
    pub fn all(&self) -> Vec<u32> {
        let mark = self.path("cfg").display().to_string();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            *pid != std::process::id() && String::from_utf8_lossy(&line).contains(&mark) && alive(*pid)
        })
        .collect()
    }

    /// Waits until one process is left, and it is the one of the pidfile, and it serves.
    #[track_caller]
    pub fn settle(&self) {
        wait::until("one process to be left", || (self.all() == [self.pid()]).then_some(()));
        client::echo(&mut client::connect(self.door), &[7; 64]);
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        for pid in self.all() {
            send(pid, Signal::SIGKILL);
        }
        if std::thread::panicking() {
            eprintln!("--- last said:\n{}", std::fs::read_to_string(self.path("out")).unwrap_or_default());
        }
    }
}
