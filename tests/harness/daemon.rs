//! A proxy in the background, as users run it: `-D -p PIDFILE`, reloaded by `-sf $(cat PIDFILE)`.

use std::path::{Path, PathBuf};
use std::process::Output;

use nix::sys::signal::Signal;

use super::process::{is, send};
use super::program::Program;
use super::proxy::doors;
use super::wait;

/// A daemon and its old generations; all are killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    pub program: Program,
    config: PathBuf,
    pidfile: PathBuf,
    folder: tempfile::TempDir,
    generations: Vec<u32>,
    /// What `-f … -p … -D` printed when it was started.
    pub started: Output,
}

impl Daemon {
    /// Starts `program -f FILE -p PIDFILE -D` and waits until what it binds listens.
    ///
    /// # Panics
    /// With what it printed when it does not return 0.
    #[track_caller]
    pub fn start(program: &Program, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(program, config, folder)
    }

    /// [`Daemon::start`] in a folder of the caller's, to which the configuration may refer.
    #[track_caller]
    pub fn start_in(program: &Program, config: &str, folder: tempfile::TempDir) -> Self {
        let path = folder.path().join("haproxy.cfg");
        let pidfile = folder.path().join("haproxy.pid");
        std::fs::write(&path, config).expect("the configuration is written");
        let started = run(program, &path, &pidfile, &["-D"], &folder.path().join("start.out"));
        assert!(started.status.success(), "-D returned {}: {}", started.status, text(&started));
        let mut daemon = Self { program: program.clone(), config: path, pidfile, folder, generations: vec![], started };
        daemon.note();
        let doors = doors(config);
        wait::until_true("the daemon to listen", || doors.iter().all(super::proxy::Door::open));
        daemon
    }

    /// The serving process, from the pidfile.
    ///
    /// # Panics
    /// When the pidfile does not hold one number.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        let text = std::fs::read_to_string(&self.pidfile).expect("the pidfile");
        text.trim().parse().unwrap_or_else(|_| panic!("the pidfile holds {text:?}"))
    }

    /// Every process id that was ever in the pidfile and still lives.
    pub fn living(&self) -> Vec<u32> {
        self.generations.iter().copied().filter(|pid| is(*pid, &self.config)).collect()
    }

    /// Every living process that was started with this configuration.
    pub fn all(&self) -> Vec<u32> {
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| is(*pid, &self.config))
            .collect()
    }

    /// Replaces the configuration file; [`Daemon::reload`] makes it count.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, config: &str) {
        std::fs::write(&self.config, config).expect("the configuration is written");
    }

    /// What the next generations are asked to suffer, if the program was built to.
    pub fn suffer(&mut self, fault: &str) {
        self.program = self.program.suffering(fault);
    }

    /// Waits until the process of the pidfile is the only one left.
    #[track_caller]
    pub fn settle(&self) {
        wait::until_or(
            "the old processes to end",
            || self.living() == [self.pid()],
            || super::diagnosis::of(&self.living()),
        );
    }

    /// [`Daemon::settle`] where others than [`Daemon::reload`] may have started processes.
    #[track_caller]
    pub fn settle_all(&self) {
        wait::until_or("the old processes to end", || self.all() == [self.pid()], || super::diagnosis::of(&self.all()));
    }

    /// [`Daemon::reload`] that must succeed and change the process.
    #[track_caller]
    pub fn reload_well(&mut self) -> String {
        let old = self.pid();
        let out = self.reload();
        assert!(out.status.success(), "the reload returned {}: {}", out.status, text(&out));
        assert_ne!(self.pid(), old, "the reload changed the process");
        text(&out)
    }

    /// `haproxy -f FILE -p PIDFILE -sf $(cat PIDFILE)` and what it printed; with `-D` when the file does not say `daemon`.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[track_caller]
    pub fn reload(&mut self) -> Output {
        self.reload_with(&[])
    }

    /// [`Daemon::reload`] with more options before `-sf`.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[track_caller]
    pub fn reload_with(&mut self, more: &[&str]) -> Output {
        let old = self.pid().to_string();
        let text = std::fs::read_to_string(&self.config).expect("the configuration");
        let daemon = text.lines().any(|line| line.trim() == "daemon");
        let mut args = more.to_vec();
        args.extend(if daemon { &[][..] } else { &["-D"] });
        args.extend(["-sf", &old]);
        let out = run(&self.program, &self.config, &self.pidfile, &args, &self.folder.path().join("reload.out"));
        self.note();
        out
    }

    /// A reload that is not waited for: `-sf` with these pids, its output thrown away.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start_reload(&self, pids: &[u32]) -> std::process::Child {
        let mut command = self.program.command();
        command.arg("-D").arg("-f").arg(&self.config).arg("-p").arg(&self.pidfile).arg("-sf");
        command.args(pids.iter().map(u32::to_string));
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command.spawn().expect("the program starts")
    }

    /// Notes the process of the pidfile, whoever wrote it.
    pub fn look(&mut self) {
        self.note();
    }

    /// The folder with configuration and pidfile.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn note(&mut self) {
        let pid = self.pid();
        if !self.generations.contains(&pid) {
            self.generations.push(pid);
        }
    }
}

/// Output goes to a file, not to a pipe: a daemon that kept it open would make `output()` wait for its end.
fn run(program: &Program, config: &Path, pidfile: &Path, args: &[&str], output: &Path) -> Output {
    let file = std::fs::File::create(output).expect("an output file");
    let twin = file.try_clone().expect("a second handle");
    let mut command = program.command();
    command.arg("-f").arg(config).arg("-p").arg(pidfile).args(args).stdout(file).stderr(twin);
    let status = command.status().expect("the program runs");
    Output { status, stdout: Vec::new(), stderr: std::fs::read(output).expect("its output") }
}

/// Both streams as text.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.generations
            .extend(std::fs::read_to_string(&self.pidfile).ok().and_then(|text| text.trim().parse::<u32>().ok()));
        for pid in self.living() {
            send(pid, Signal::SIGKILL);
        }
    }
}
