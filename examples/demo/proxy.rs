//! The proxy as a process: built by cargo, linked as `haproxy`, started with `-D -p`, reloaded with `-sf`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fault::Fault;
use crate::tell::{Tell, wait};

/// The addresses of the demo, all on loopback.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// Where clients connect.
    pub(crate) mqtt: SocketAddr,
    /// The statistics page.
    pub(crate) stats: SocketAddr,
    /// The brokers.
    pub(crate) brokers: [SocketAddr; 2],
    /// Where log lines go.
    pub(crate) log: SocketAddr,
}

/// A proxy in the background.
#[derive(Debug)]
pub(crate) struct Proxy {
    program: PathBuf,
    config: PathBuf,
    pidfile: PathBuf,
    /// Every process that was in the pidfile, oldest first.
    generations: Vec<Pid>,
}

/// The configuration: the two blocks of the first user's note with a `global` and a `defaults`.
///
/// `redispatch`: without it, haproxy (2.6 too) tries a dead broker again until its health check has failed three
/// times, and a client of it can be out for 6 s.
fn config(at: &Addresses, old_form: bool) -> String {
    let Addresses { mqtt, stats, brokers: [one, two], log } = at;
    let listen = if old_form { format!("listen stats {stats}") } else { format!("listen stats\n    bind {stats}") };
    format!(
        r"global
    log {log} local0
    daemon
    maxconn 2000

defaults
    log global
    option redispatch
    timeout connect 5000
    timeout client 50000
    timeout server 50000

listen mqtt
    bind {mqtt}
    mode tcp
    option tcplog
    balance leastconn
    server broker_1 {one} check
    server broker_2 {two} check

{listen}
    mode http
    stats enable
    stats hide-version
    stats realm Strictly\ Private
    stats auth demo:demo
    stats auth guest:guest
    stats uri /
"
    )
}

/// Builds baton with the cargo that started the demo, in the profile that the demo was built in.
///
/// # Errors
/// [`Fault::Build`], [`Fault::Start`].
pub(crate) fn build() -> Result<PathBuf, Fault> {
    let exe = std::env::current_exe().map_err(Fault::machine("path of this program"))?;
    // target/PROFILE/examples/demo; the folder of profile `dev` is called debug.
    let folder = exe.parent().and_then(Path::parent).unwrap_or(Path::new("target/debug")).to_owned();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let status = Command::new(&cargo)
        .args(["build", "--quiet", "--bin", "baton", "--profile", profile])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .status()
        .map_err(|cause| Fault::Start { path: cargo, cause })?;
    if status.success() { Ok(folder.join("baton")) } else { Err(Fault::Build) }
}

impl Proxy {
    /// Links `binary` as `haproxy` in `folder`, writes the configuration there and starts it.
    ///
    /// # Errors
    /// [`Fault::Refused`] with what it said when it does not take the file or does not come up.
    pub(crate) fn start(tell: &Tell, folder: &Path, binary: &Path, at: &Addresses) -> Result<Self, Fault> {
        let program = folder.join("haproxy");
        let binary = binary.canonicalize().map_err(|cause| Fault::Start { path: binary.to_owned(), cause })?;
        std::os::unix::fs::symlink(binary, &program).map_err(Fault::machine("symbolic link"))?;
        let mut proxy = Self {
            program,
            config: folder.join("haproxy.cfg"),
            pidfile: folder.join("haproxy.pid"),
            generations: Vec::new(),
        };
        proxy.write(&config(at, true))?;
        if proxy.run(&["-c", "-q"]).is_err() {
            tell.say("this haproxy refuses an address on the listen line: a bind line takes its place");
            proxy.write(&config(at, false))?;
        }
        let said = proxy.run(&["-D"])?;
        for line in said.lines().filter(|line| line.starts_with("[WARNING]")) {
            tell.say(format!("it says: {line}"));
        }
        proxy.note()?;
        Ok(proxy)
    }

    /// `haproxy -f CFG -p PIDFILE -sf $(cat PIDFILE)` (the file says `daemon`); the new process id.
    ///
    /// # Errors
    /// [`Fault::Refused`], [`Fault::Pidfile`].
    pub(crate) fn reload(&mut self) -> Result<Pid, Fault> {
        let old = self.pid().to_string();
        self.run(&["-sf", &old])?;
        self.note()?;
        Ok(self.pid())
    }

    /// The serving process.
    pub(crate) fn pid(&self) -> Pid {
        // `start` notes the first one before it returns.
        self.generations.last().copied().unwrap_or(Pid::this())
    }

    /// How many processes of any generation live.
    pub(crate) fn living(&self) -> usize {
        self.generations.iter().filter(|pid| is(**pid, &self.config)).count()
    }

    /// Waits until only the newest process is left.
    ///
    /// # Errors
    /// [`Fault::Late`] after 10 s.
    pub(crate) fn wait_alone(&self) -> Result<(), Fault> {
        wait(Duration::from_secs(10), "the old processes to end", || (self.living() <= 1).then_some(()))
    }

    fn run(&self, args: &[&str]) -> Result<String, Fault> {
        // Output goes to a file: a daemon may keep a pipe open for as long as it lives.
        let path = self.config.with_extension("out");
        let file = std::fs::File::create(&path).map_err(Fault::machine("file"))?;
        let status = Command::new(&self.program)
            .arg("-f")
            .arg(&self.config)
            .arg("-p")
            .arg(&self.pidfile)
            .args(args)
            .stdout(std::process::Stdio::null())
            .stderr(file)
            .status()
            .map_err(|cause| Fault::Start { path: self.program.clone(), cause })?;
        let said = std::fs::read_to_string(&path).map_err(Fault::machine("file"))?;
        if status.success() { Ok(said) } else { Err(Fault::Refused { code: status.code(), said }) }
    }

    fn write(&self, text: &str) -> Result<(), Fault> {
        std::fs::write(&self.config, text).map_err(Fault::machine("file"))
    }

    fn note(&mut self) -> Result<(), Fault> {
        let text = std::fs::read_to_string(&self.pidfile).map_err(Fault::machine("pidfile"))?;
        let pid = text.trim().parse().map(Pid::from_raw).map_err(|_| Fault::Pidfile { text })?;
        self.generations.push(pid);
        Ok(())
    }
}

/// Whether the process runs this configuration: a process id alone may be somebody else's by now.
pub(crate) fn is(pid: Pid, config: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).any(|argument| argument == config.as_os_str().as_encoded_bytes())
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for pid in self.generations.iter().filter(|pid| is(**pid, &self.config)) {
            let _ = kill(*pid, Signal::SIGTERM);
        }
    }
}
