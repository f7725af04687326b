//! What the kernel says of another process: CPU time, memory; and this process's limits.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// CPU time of all threads of a process since its start, to the nanosecond.
///
/// # Panics
/// When the process is gone.
pub(crate) fn cpu(pid: u32) -> Duration {
    let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).expect("the process lives");
    Duration::from(clock_gettime(clock).expect("its CPU clock"))
}

/// Memory of a process in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Shared pages counted by their share.
    pub(crate) pss: f64,
    /// Pages that nobody else has.
    pub(crate) private: f64,
}

/// Reads `smaps_rollup`: what the process itself holds, without the kernel's socket buffers.
///
/// # Panics
/// When the process is gone.
pub(crate) fn memory(pid: u32) -> Memory {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process lives");
    let bytes = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).expect("a line of smaps_rollup");
        let kib: f64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("KiB");
        kib * 1024.0
    };
    Memory { pss: bytes("Pss:"), private: bytes("Private_Clean:") + bytes("Private_Dirty:") }
}

/// As many descriptors as the hard limit allows: the load's own sockets, and the proxy inherits it.
pub(crate) fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// CPU seconds, wall seconds and peak KiB of a command, measured by a process that waits for nothing else.
///
/// # Panics
/// When the bench cannot start itself.
pub(crate) fn measure(command: &[&str]) -> Vec<f64> {
    let own = std::env::current_exe().expect("path of the bench");
    let out = Command::new(own).arg("--measure").args(command).output().expect("the bench starts itself");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().last().unwrap_or_default();
    let figures: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(out.status.success() && figures.len() == 3, "{command:?}: {}{text}", String::from_utf8_lossy(&out.stderr));
    figures
}

/// The child's part of [`measure`].
pub(crate) fn measure_child(command: &[String]) -> ExitCode {
    let start = Instant::now();
    let status = Command::new(&command[0]).args(&command[1..]).stdout(std::process::Stdio::null()).status();
    let wall = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("resource usage");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    println!("{cpu} {wall} {}", usage.max_rss());
    if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
