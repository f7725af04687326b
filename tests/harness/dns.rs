//! A real name server: dnsmasq on loopback, which knows only what a test tells it, all of it below `test.`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use super::ports;
use super::process::Running;

/// A name server; it ends when dropped.
#[derive(Debug)]
pub struct Dnsmasq {
    /// Where it listens, UDP and TCP.
    pub address: SocketAddr,
    process: Running,
    folder: tempfile::TempDir,
}

impl Dnsmasq {
    /// A name server that knows these records: lines `a.test 10.0.0.1`, or `_m._tcp.test host port weight`. A name that has
    /// none does not exist.
    ///
    /// # Panics
    /// When dnsmasq is not installed or does not start.
    #[track_caller]
    pub fn start(records: &str) -> Self {
        let (address, folder) = (ports::free(), tempfile::tempdir().expect("a temporary folder"));
        let process = run(address, folder.path(), records);
        Self { address, process, folder }
    }

    /// From now on these are all records.
    ///
    /// # Panics
    /// When it does not start again.
    #[track_caller]
    pub fn set(&mut self, records: &str) {
        self.process.signal(Signal::SIGCONT);
        self.process.signal(Signal::SIGTERM);
        self.process.wait();
        self.process = run(self.address, self.folder.path(), records);
    }

    /// It answers nothing any more, until [`Dnsmasq::set`].
    pub fn mute(&self) {
        self.process.signal(Signal::SIGSTOP);
    }
}

#[track_caller]
fn run(address: SocketAddr, folder: &Path, records: &str) -> Running {
    let mut config = format!(
        "port={}\nlisten-address={}\nbind-interfaces\nno-resolv\nno-hosts\nno-ping\nlocal=/test/\nlocal-ttl=60\nuser=root\n\
         pid-file=\naddn-hosts={}\n",
        address.port(),
        address.ip(),
        folder.join("hosts").display()
    );
    let mut hosts = String::new();
    for record in records.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = record.split_whitespace().collect();
        let _ = match words[..] {
            [name, ip] => writeln!(hosts, "{ip} {name}"),
            [name, host, port, weight] => writeln!(config, "srv-host={name},{host},{port},0,{weight}"),
            _ => panic!("'{record}' is no record"),
        };
    }
    std::fs::write(folder.join("hosts"), hosts).expect("its hosts");
    let file = folder.join("dnsmasq.conf");
    std::fs::write(&file, config).expect("its configuration");
    let mut command = Command::new("dnsmasq");
    command.arg("--keep-in-foreground").arg(format!("--conf-file={}", file.display()));
    let mut process = Running::start("dnsmasq", folder, command);
    process.wait_ready(|| ports::listens(address));
    process
}
