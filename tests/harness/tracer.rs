//! The system calls of a running proxy, by `strace`.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use super::process::Running;
use super::proxy::Proxy;
use super::wait;

/// A proxy whose calls are written down.
#[derive(Debug)]
pub struct Tracer {
    tracer: Running,
    trace: PathBuf,
}

impl Tracer {
    /// Writes down the calls with these names, divided by commas, from now on.
    #[track_caller]
    pub fn attach(proxy: &Proxy, names: &str) -> Self {
        let trace = proxy.folder().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-e", &format!("trace={names}"), "-o"]).arg(&trace);
        command.args(["-p", &proxy.process.pid().to_string()]);
        let mut tracer = Running::start("strace", proxy.folder(), command);
        tracer.wait_ready(|| {
            let said = std::fs::read_to_string(proxy.folder().join("strace.out")).unwrap_or_default();
            said.contains("attached")
        });
        Self { tracer, trace }
    }

    /// Stops the proxy, has `work` done, and lets it go on: it finds all of it at once.
    #[track_caller]
    pub fn while_it_stands_still<T>(&self, proxy: &Proxy, work: impl FnOnce() -> T) -> T {
        let stops = || std::fs::read_to_string(&self.trace).unwrap_or_default().matches("stopped by SIGSTOP").count();
        let before = stops();
        proxy.process.signal(Signal::SIGSTOP);
        wait::until_true("it to stand still", || stops() > before);
        let done = work();
        proxy.process.signal(Signal::SIGCONT);
        done
    }

    /// Ends the writing; one line for each call.
    #[track_caller]
    pub fn calls(mut self) -> Vec<String> {
        self.tracer.signal(Signal::SIGTERM);
        self.tracer.wait();
        let calls = std::fs::read_to_string(&self.trace).expect("a trace");
        calls.lines().map(str::to_owned).collect()
    }
}
