//! A daemon with a log receiver and a stats socket, whose sections a test writes and writes anew.

use super::daemon::Daemon;
use super::logs::LogReceiver;
use super::program::Program;
use super::stats::{self, Stats};
use super::wait;

/// A daemon whose configuration is a common beginning and the sections of the test.
#[derive(Debug)]
pub struct Site {
    /// What it logs.
    pub log: LogReceiver,
    /// The process.
    pub daemon: Daemon,
    head: String,
}

impl Site {
    /// Starts it with these sections.
    #[track_caller]
    pub fn start(program: &Program, sections: &str) -> Self {
        Self::start_with(program, "", sections)
    }

    /// [`Site::start`] with more lines of `global`.
    ///
    /// # Panics
    /// With what it printed when it does not start.
    #[track_caller]
    pub fn start_with(program: &Program, global: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (log, address) = LogReceiver::udp();
        let head = format!(
            "global\n  daemon\n  log {address} local0\n  stats socket {}/sock level admin\n{global}\n\
             defaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n  timeout client 60s\n  \
             timeout server 60s\n  timeout queue 60s\n",
            folder.path().display()
        );
        let daemon = Daemon::start_in(program, &format!("{head}{sections}\n"), folder);
        Self { log, daemon, head }
    }

    /// Writes other sections; a reload makes them count.
    pub fn write(&self, sections: &str) {
        self.daemon.write(&format!("{}{sections}\n", self.head));
    }

    /// Reloads and waits until the old process is gone.
    #[track_caller]
    pub fn reload(&mut self) {
        self.daemon.reload_well();
        self.daemon.settle();
    }

    /// One runtime command and its answer.
    #[track_caller]
    pub fn order(&self, command: &str) -> String {
        stats::command(&self.daemon.folder().join("sock"), command)
    }

    /// Its statistics.
    #[track_caller]
    pub fn stats(&self) -> Stats {
        Stats::from_socket(&self.daemon.folder().join("sock"))
    }

    /// One figure.
    #[track_caller]
    pub fn number(&self, proxy: &str, server: &str, column: &str) -> i64 {
        self.stats().number(proxy, server, column)
    }

    /// Waits for a value of the statistics. When the old process is gone its last sessions are the new one's, which may not
    /// have looked at them yet.
    #[track_caller]
    pub fn wait_for(&self, proxy: &str, server: &str, column: &str, want: impl ToString) {
        let want = want.to_string();
        wait::until_or(
            &format!("{column} of {proxy}/{server} to be {want}"),
            || self.stats().text(proxy, server, column) == want,
            || format!("it is {:?}\n{:#?}", self.stats().text(proxy, server, column), self.log.lines()),
        );
    }
}
