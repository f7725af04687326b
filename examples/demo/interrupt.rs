//! Ctrl-C: the proxy is a daemon, nobody else would end it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::fault::Fault;
use crate::proxy::is;

/// Exit code of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// The watch for SIGINT and SIGTERM.
#[derive(Debug)]
pub(crate) struct Interrupt {
    waiting: Arc<AtomicBool>,
    came: Receiver<()>,
}

impl Interrupt {
    /// From now on, Ctrl-C ends the daemon of the pidfile in `folder`, removes the folder and ends the demo.
    ///
    /// # Errors
    /// [`Fault::Machine`] when there is no handler to be had.
    pub(crate) fn watch(folder: &Path) -> Result<Self, Fault> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Fault::machine("signal handler"))?;
        let waiting = Arc::new(AtomicBool::new(false));
        let (tell, came) = channel();
        let (flag, folder) = (Arc::clone(&waiting), folder.to_owned());
        std::thread::spawn(move || {
            for _ in signals.forever() {
                if flag.load(Ordering::Acquire) {
                    let _ = tell.send(());
                    continue;
                }
                let pid = std::fs::read_to_string(folder.join("haproxy.pid")).unwrap_or_default();
                let pid = pid.trim().parse().ok().map(Pid::from_raw);
                if let Some(pid) = pid.filter(|pid| is(*pid, &folder.join("haproxy.cfg"))) {
                    let _ = kill(pid, Signal::SIGTERM);
                }
                let _ = std::fs::remove_dir_all(&folder);
                std::process::exit(INTERRUPTED);
            }
        });
        Ok(Self { waiting, came })
    }

    /// Waits for Ctrl-C; the demo then ends in its own order.
    pub(crate) fn wait(&self) {
        self.waiting.store(true, Ordering::Release);
        let _ = self.came.recv();
    }
}
