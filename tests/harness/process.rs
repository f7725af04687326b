//! Child processes that end with the test that started them, always by their own process id.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait;

/// A child whose output goes to files; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    output: PathBuf,
}

impl Running {
    /// Starts `command`; standard output and error go to one file in `folder`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, folder: &Path, mut command: Command) -> Self {
        let output = folder.join(format!("{name}.out"));
        let file = std::fs::File::options().create(true).append(true).open(&output).expect("an output file");
        let twin = file.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(file).stderr(twin);
        let child = command.spawn().unwrap_or_else(|why| panic!("{name} starts: {why}"));
        Self { child, name: name.to_owned(), output }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far, both streams.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Its proportional set size, kB.
    ///
    /// # Panics
    /// When it is gone.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.pid());
        let text = std::fs::read_to_string(path).expect("its memory");
        let pss = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a sum");
        pss.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Its exit status, if it has ended.
    ///
    /// # Panics
    /// When the kernel will not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its status")
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        wait::until(&format!("{name} to end"), || self.ended())
    }

    /// Waits until `ready` is true.
    ///
    /// # Panics
    /// At once with its output when the process ends first.
    #[track_caller]
    pub fn wait_ready(&mut self, mut ready: impl FnMut() -> bool) {
        let what = format!("{} to be ready", self.name);
        wait::until(&what, || {
            if ready() {
                return Some(());
            }
            if let Some(status) = self.ended() {
                panic!("{} ended early, {status}:\n{}", self.name, self.output());
            }
            None
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.output());
        }
    }
}

/// Sends a signal to one process id; a process that is gone is no error.
pub fn send(pid: u32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
}

/// Whether the process exists and is no zombie. The number of a thread is none of a process, though /proc knows it:
/// numbers are used again, soon where there are only 32,768, and a thread may get that of a process that has ended.
pub fn alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    field("Tgid:") == Some(pid.to_string()) && field("State:").is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// Whether the process lives and has `word` on its command line.
pub fn is(pid: u32, word: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    alive(pid) && command.split(|byte| *byte == 0).any(|argument| argument == word.as_os_str().as_encoded_bytes())
}

/// The name the kernel shows for the process (`pidof` and `killall` go by it).
pub fn comm(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}
