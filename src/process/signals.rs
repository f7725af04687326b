//! What a serving process does on signals, and how it ends.
//!
//! Runs in the main thread, which does nothing else. Source: management guide §4; SIGHUP and SIGQUIT as observed.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::patience;
use crate::engine::Engine;
use crate::ir::{CloseSpread, Level, ProxyIx, ProxyKind};
use crate::pool::{Control, Journal, Pool};
use crate::units::{Millis, Tick};

/// How long the engine may take to end on SIGTERM.
const LAST_GASP: Duration = Duration::from_secs(5);

/// What the signals act on.
pub(crate) struct Serving {
    pub(crate) pool: Arc<Pool>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) control: Arc<dyn Control>,
}

/// Registers the handlers. To be called after the last fork and before the engine runs.
///
/// # Errors
/// EMFILE.
pub(crate) fn register() -> std::io::Result<Signals> {
    Signals::new([SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTTOU, SIGTTIN])
}

/// Ends the waiting for signals when the engine has ended.
///
/// # Errors
/// EAGAIN when no thread can be had.
pub(crate) fn watch(engine: Engine, signals: &Signals) -> std::io::Result<()> {
    let closer = signals.handle();
    let waiter = move || {
        engine.wait();
        closer.close();
    };
    thread::Builder::new().name("end".into()).spawn(waiter).map(drop)
}

/// A successor serves: this process finishes its sessions, or ends at once. The same as its signals, which may not reach
/// us when it runs as another user.
pub(crate) fn order_to_end(at_once: bool) {
    let _ = signal_hook::low_level::raise(if at_once { SIGTERM } else { SIGUSR1 });
}

/// Ends this process by the signal. Process 1 of a container, which no signal of its own can end, gets the exit code that stands for it.
fn end_by(signal: i32) -> u8 {
    if std::process::id() != 1 {
        let _ = emulate_default_handler(signal);
    }
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// `grace`: the time between the order to stop and the stop. Orders that come meanwhile change nothing.
#[derive(Default)]
struct Grace {
    begun: bool,
    over: Arc<AtomicBool>,
}

impl Grace {
    /// Whether an order to stop is to be obeyed now; if not, it comes again when it is.
    fn over(&mut self, time: Option<Millis>) -> bool {
        let Some(time) = time.filter(|time| *time != Millis::ZERO) else { return true };
        if std::mem::replace(&mut self.begun, true) {
            return self.over.load(Ordering::Acquire);
        }
        let over = Arc::clone(&self.over);
        let timer = thread::Builder::new().name("grace".into()).spawn(move || {
            patience::pause(time.duration());
            over.store(true, Ordering::Release);
            let _ = signal_hook::low_level::raise(SIGUSR1);
        });
        timer.is_err() // without a thread there is no grace
    }
}

impl Serving {
    /// Serves until the engine has ended ([`watch`]): exit code 0 after a soft stop, death by the signal after SIGTERM and SIGINT.
    pub(crate) fn until_the_end(self, mut signals: Signals) -> ExitCode {
        let handle = signals.handle();
        let mut fatal = None;
        let mut stopping = false;
        let mut paused = false;
        let mut grace = Grace::default();
        while !handle.is_closed() {
            let mut came: Vec<i32> = signals.wait().collect();
            // Signals that came together have lost their order: a pause never outlives the order to go on.
            came.sort_by_key(|signal| *signal == SIGTTIN);
            for signal in came {
                match signal {
                    SIGUSR1 if !stopping && grace.over(self.pool.config.global.grace) => {
                        stopping = true;
                        self.soft_stop();
                    }
                    SIGTERM | SIGINT if fatal.is_none() => {
                        fatal = Some(signal);
                        self.hard_stop(signal);
                    }
                    SIGHUP => self.show_states(),
                    SIGQUIT => {
                        self.say(None, Level::Notice, "SIGQUIT: memory is not pooled, there is nothing to flush.");
                    }
                    SIGTTOU if !stopping && !std::mem::replace(&mut paused, true) => self.pause(),
                    SIGTTIN if !stopping && std::mem::take(&mut paused) => self.resume(),
                    _ => {}
                }
            }
        }
        fatal.map_or(ExitCode::SUCCESS, |signal| ExitCode::from(end_by(signal)))
    }

    /// Ends the engine; if that takes too long, the process dies by the signal all the same.
    fn hard_stop(&self, signal: i32) {
        self.control.hard_stop();
        let _ = thread::Builder::new().name("last-gasp".into()).spawn(move || {
            patience::pause(LAST_GASP);
            std::process::exit(end_by(signal).into())
        });
    }

    fn say(&self, proxy: Option<ProxyIx>, level: Level, message: &str) {
        self.journal.event(proxy, level, message);
    }

    /// Says what became of the frontends; haproxy calls a `listen` a proxy.
    fn say_of_frontends(&self, what: &str) {
        for (ix, name) in self.proxies() {
            let word = match self.pool.config.proxies[ix.0 as usize].kind {
                ProxyKind::Frontend => "frontend",
                ProxyKind::Listen => "proxy",
                ProxyKind::Backend => continue,
            };
            self.say(Some(ix), Level::Warning, &format!("{what} {word} {name}."));
        }
    }

    fn proxies(&self) -> impl Iterator<Item = (ProxyIx, &str)> {
        let all = self.pool.config.proxies.iter().enumerate().filter(|(_, proxy)| !proxy.disabled);
        all.map(|(ix, proxy)| (ProxyIx(ix as u32), proxy.name.as_str()))
    }

    fn soft_stop(&self) {
        self.control.soft_stop();
        // What became of those that were shut down by order was told then.
        let shut = |ix| self.pool.front(ix).is_some_and(|front| front.stopped.load(Ordering::Relaxed));
        for (ix, name) in self.proxies().filter(|(ix, _)| !shut(*ix)) {
            let fronts = self.pool.front(ix).map_or(0, |front| front.sessions_total.get());
            let backs = self.pool.back(ix).map_or(0, |back| back.sessions_total.get());
            let line = format!("Proxy {name} stopped (cumulated conns: FE: {fronts}, BE: {backs}).");
            self.say(Some(ix), Level::Warning, &line);
        }
        let Some(limit) = self.pool.config.global.hard_stop_after else { return };
        let (control, journal) = (Arc::clone(&self.control), Arc::clone(&self.journal));
        let last = match self.pool.config.global.close_spread {
            Some(CloseSpread::Over(time)) => time.min(limit),
            Some(CloseSpread::Never) | None => Millis::ZERO,
        };
        let timer = thread::Builder::new().name("hard-stop".into()).spawn(move || {
            patience::pause(limit.duration() - last.duration());
            if last != Millis::ZERO {
                control.thin_out(last);
                patience::pause(last.duration());
            }
            journal.event(None, Level::Warning, "hard-stop-after: the sessions that are left are cut.");
            control.cut();
        });
        if let Err(why) = timer {
            self.say(None, Level::Alert, &format!("hard-stop-after does not hold: {why}"));
        }
    }

    fn pause(&self) {
        self.control.pause(None);
        self.say_of_frontends("Paused");
    }

    fn resume(&self) {
        self.control.resume(None);
        let deaf = self.control.deaf();
        if deaf > 0 {
            self.say(None, Level::Alert, &format!("{deaf} address(es) cannot be listened on again."));
        }
        self.say_of_frontends("Resumed");
    }

    /// The states of all servers and proxies, to the log.
    fn show_states(&self) {
        let now = Tick::from_millis(crate::sys::monotonic());
        self.say(None, Level::Warning, "SIGHUP received, dumping servers states.");
        for (proxy, line) in crate::report::states(&self.pool, now) {
            self.say(Some(proxy), Level::Notice, &line);
        }
    }
}
