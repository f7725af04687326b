//! The master: a process that serves nobody, starts the one that does, and stays whatever happens to it.
//!
//! At a reload it executes its program anew, so that a new version of the program takes part, with [`State`] carried along
//! (`state`); only then it reads the configuration, and a worker is started that takes over from the worker before it by the
//! same handover as `-sf`. If anything of that fails, the worker before it never notices. The master has one thread, no
//! runtime and no socket of a client; its signals are blocked and read (`watch`), so that none is lost over an exec.
//!
//! Source: management guide §3, §4 and §9.4; exit codes, messages to systemd and columns as observed on 2.6.12.

mod commands;
mod notify;
mod program;
mod sockets;
mod state;
mod terminal;
mod watch;

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use libc::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};

use super::argv::{Arguments, Ending};
use super::check::{self, Checked};
use super::console::Console;
use super::daemon::{self, Parent, Side, Starter};
use super::handover::server::Door;
use super::start::{self, Behind, Told};
use super::version;
use crate::ir::{AdminLevel, Config, Program};
use crate::sys::fd::{self, Inherited};
use crate::sys::image;
use crate::sys::pidfd::{PidFd, Signal};
use crate::sys::signals::Queue;
use notify::Notify;
use state::{Kind, Member, Rules, State};

/// Every right that a command may have.
const LEVELS: [AdminLevel; 3] = [AdminLevel::User, AdminLevel::Operator, AdminLevel::Admin];

/// How this process was started.
pub(crate) struct Call<'a> {
    /// All words of the command line, the program's name first.
    pub(crate) words: &'a [OsString],
    /// The last part of that name.
    pub(crate) program: &'a str,
    pub(crate) arguments: &'a Arguments,
    pub(crate) inherited: &'a Inherited,
    pub(crate) console: &'a Console,
}

/// The master, while this image lives.
struct Master<'a> {
    call: Call<'a>,
    state: State,
    signals: Option<Queue>,
    notify: Notify,
    /// What was said at the last load.
    logs: String,
    /// Whether a program could not be started: that counts as its failure.
    unstartable: bool,
    /// Who waits for the first worker to serve.
    starter: Option<Starter>,
}

/// How a load went.
enum Load {
    /// A worker serves, or the one before goes on (`false`).
    Master(bool),
    /// This is the worker, and it is to end.
    Worker(ExitCode),
}

/// Becomes a master, with its first worker.
pub(crate) fn first(call: Call<'_>, checked: Checked) -> ExitCode {
    let background = start::goes_to_background(call.arguments, &checked.config);
    let starter = match background.then(|| daemon::divide(Parent::Returns)) {
        None => None,
        Some(Ok(Side::Child(starter))) => Some(starter),
        Some(Ok(Side::Parent(guardian))) => {
            return if guardian.wait(|_| {}) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Some(Err(why)) => {
            call.console.alert(format_args!("cannot go to the background: {why}"));
            return ExitCode::FAILURE;
        }
    };
    let Some(signals) = signals(call.console) else { return ExitCode::FAILURE };
    if background {
        call.inherited.close_but(&start::descriptors(&checked.config));
    }
    call.inherited.make_lasting();
    let listeners = match &call.arguments.master_socket {
        None => Vec::new(),
        Some(option) => match sockets::open(option, call.arguments, call.inherited, call.console) {
            Some(listeners) => listeners,
            None => return ExitCode::FAILURE,
        },
    };
    let state = State {
        program: program_path(call.words.first().map_or(OsStr::new("haproxy"), OsString::as_os_str)),
        first_version: version::number(),
        started: now(),
        background,
        listeners,
        door: Door::open().inspect_err(|why| call.console.notice(format_args!("no handover socket: {why}"))).ok(),
        ..State::default()
    };
    let notify = Notify::new(call.arguments.notify);
    let signals = Some(signals);
    let mut master = Master { call, state, signals, notify, logs: String::new(), unstartable: false, starter };
    match master.load(Some(checked)) {
        Load::Worker(code) => return code,
        Load::Master(false) => return ExitCode::FAILURE,
        Load::Master(true) => {}
    }
    master.detach();
    master.watch()
}

/// Goes on as the master that this process was before it executed its program anew: a reload.
///
/// # Errors
/// The call itself: this process is no master that goes on.
pub(crate) fn resumed(call: Call<'_>) -> Result<ExitCode, Call<'_>> {
    let state = match State::left_behind(call.inherited) {
        None => return Err(call),
        Some(Ok(state)) => state,
        Some(Err(why)) => {
            call.console.alert(&why);
            return Ok(ExitCode::FAILURE);
        }
    };
    let Some(signals) = signals(call.console) else { return Ok(ExitCode::FAILURE) };
    call.inherited.make_lasting();
    if state.background {
        call.console.silence();
    }
    let notify = Notify::new(call.arguments.notify);
    let signals = Some(signals);
    let mut master = Master { call, state, signals, notify, logs: String::new(), unstartable: false, starter: None };
    for member in &mut master.state.members {
        member.reloads += 1;
    }
    master.state.reloads += 1;
    match master.load(None) {
        Load::Worker(code) => return Ok(code),
        Load::Master(loaded) => master.reloaded(loaded),
    }
    Ok(master.watch())
}

/// All signals that mean something to a master.
fn signals(console: &Console) -> Option<Queue> {
    let all = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2];
    Queue::of(&all).inspect_err(|why| console.alert(format_args!("cannot handle signals: {why}"))).ok()
}

/// What is executed at a reload: the name that this process was called by, if it leads to this program; so a new program
/// under that name is found.
fn program_path(name: &OsStr) -> PathBuf {
    let own = std::env::current_exe();
    let is_own = |path: &PathBuf| {
        path.is_file() && own.as_ref().is_ok_and(|own| path.canonicalize().is_ok_and(|path| path == *own))
    };
    let name = Path::new(name);
    let called = if name.components().count() > 1 {
        std::path::absolute(name).ok().filter(is_own)
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(is_own)
    };
    called.or_else(|| own.as_ref().ok().cloned()).unwrap_or_else(|| name.to_owned())
}

/// Seconds of the Unix epoch.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs())
}

impl Master<'_> {
    /// Reads the configuration, unless it was read, and starts a worker that takes over from the one that serves.
    fn load(&mut self, checked: Option<Checked>) -> Load {
        let mut arguments = self.call.arguments.clone();
        arguments.master = true;
        arguments.environment = self.environment();
        let current: Vec<i32> = self.state.members.iter().filter(|one| one.serves()).map(|one| one.pid).collect();
        if self.state.reloads > 0 {
            arguments.sockets_from = None;
            arguments.ending = if self.state.hard { Ending::Terminate } else { Ending::Finish };
            arguments.old = current;
        }
        let console = self.call.console;
        // A mistake of ours in reading must not end a master that has a worker.
        let read = || std::panic::catch_unwind(AssertUnwindSafe(|| check::read(&arguments, console))).ok().flatten();
        let Some(checked) = checked.or_else(read) else { return Load::Master(false) };
        let config = &checked.config;
        let rules = Rules {
            max_reloads: config.global.master.max_reloads,
            survives_failure: config.global.master.survives_failure,
        };
        let programs = config.global.master.programs.clone();
        let (stats_sockets, environment) = (sockets::stats_sockets(config), checked.environment.clone());
        match self.start_worker(&arguments, checked) {
            Some(Told::Over(code)) => Load::Worker(code),
            None => Load::Master(false),
            Some(Told::Works(pid)) => {
                self.state.rules = rules;
                self.state.stats_sockets = stats_sockets;
                console.notice(format_args!("New worker ({pid}) forked"));
                self.replace_programs(&programs, environment);
                self.end_oldest();
                self.state.failed = 0;
                console.notice("Loading success.");
                image::trim_memory();
                Load::Master(true)
            }
        }
    }

    /// Starts a worker; in the worker, returns when that is to end.
    fn start_worker(&mut self, arguments: &Arguments, checked: Checked) -> Option<Told> {
        let Call { program, inherited, console, .. } = self.call;
        let pairs: std::io::Result<Vec<_>> = LEVELS.iter().map(|level| Ok((*level, UnixStream::pair()?))).collect();
        let pairs = pairs.and_then(|pairs| {
            pairs.iter().try_for_each(|(_, (_, theirs))| theirs.set_nonblocking(true))?;
            Ok(pairs)
        });
        let pairs = match pairs {
            Ok(pairs) => pairs,
            Err(why) => {
                console.alert(format_args!("a worker cannot be reached: {why}"));
                return None;
            }
        };
        let mut ours: Vec<(AdminLevel, OwnedFd)> = Vec::new();
        let mut channels: Vec<(AdminLevel, OwnedFd)> = Vec::new();
        for (level, (near, far)) in pairs {
            ours.push((level, near.into()));
            channels.push((level, far.into()));
        }
        let background = self.state.background;
        // What the worker is not to keep: it is a copy of this process.
        let held = RefCell::new((std::mem::take(&mut self.state), self.signals.take(), self.starter.take(), ours));
        let leave = || drop(held.take());
        let behind = Behind { channels: RefCell::new(channels), leave: &leave, background };
        let told = start::start_worker(program, arguments, checked, inherited, console, behind);
        let (state, signals, starter, channels) = held.into_inner();
        self.state = state;
        self.signals = signals;
        self.starter = starter;
        if let Some(Told::Works(pid)) = told {
            for member in self.state.members.iter_mut().filter(|member| member.kind == Kind::Worker) {
                member.former = true;
            }
            self.state.members.push(Member {
                pid,
                kind: Kind::Worker,
                former: false,
                reloads: 0,
                started: now(),
                version: version::number(),
                channels,
            });
        }
        told
    }

    /// Ends the programs that run, and starts those of the configuration.
    fn replace_programs(&mut self, programs: &[Program], environment: Vec<(String, Vec<u8>)>) {
        let reload = self.state.reloads > 0;
        for member in &mut self.state.members {
            if member.kind != Kind::Worker && !member.former {
                member.former = true;
                signal(member.pid, Signal::USR1);
            }
        }
        let read = environment.into_iter().map(|(name, value)| (name, OsString::from_vec(value)));
        let environment: Vec<_> = read.chain(self.environment()).collect();
        for program in programs.iter().filter(|program| !reload || program.starts_on_reload) {
            let console = self.call.console;
            match program::start(program, &environment) {
                Ok(pid) => {
                    console.notice(format_args!("New program '{}' ({pid}) forked", program.name));
                    self.state.members.push(Member {
                        pid,
                        kind: Kind::Program(program.name.clone()),
                        former: false,
                        reloads: 0,
                        started: now(),
                        version: "-".to_owned(),
                        channels: Vec::new(),
                    });
                }
                Err(why) => {
                    console.alert(format_args!("program '{}' cannot be started: {why}", program.name));
                    self.unstartable = true;
                }
            }
        }
    }

    /// `mworker-max-reloads`.
    fn end_oldest(&self) {
        let Some(most) = self.state.rules.max_reloads else { return };
        let old = |member: &&Member| member.kind == Kind::Worker && member.former && member.reloads > most;
        for member in self.state.members.iter().filter(old) {
            signal(member.pid, Signal::TERM);
        }
    }

    /// What configurations and programs see of the master.
    fn environment(&self) -> Vec<(String, OsString)> {
        let shown: Vec<&str> = self.state.listeners.iter().map(|listener| listener.shown.as_str()).collect();
        let mut all = vec![
            ("HAPROXY_MWORKER".to_owned(), OsString::from("1")),
            ("HAPROXY_STARTUP_VERSION".to_owned(), self.state.first_version.clone().into()),
        ];
        if !shown.is_empty() {
            all.push(("HAPROXY_MASTER_CLI".to_owned(), shown.join(";").into()));
        }
        if !self.state.stats_sockets.is_empty() {
            all.push(("HAPROXY_CLI".to_owned(), self.state.stats_sockets.clone().into()));
        }
        all
    }

    /// Tells everybody how a reload went.
    fn reloaded(&mut self, loaded: bool) {
        let console = self.call.console;
        if !loaded {
            self.state.failed += 1;
            console.warning("Loading failure!");
        }
        self.logs = console.transcript().text();
        self.state.hard = false;
        self.answer_asker(loaded);
        self.notify.ready(if loaded { "Ready." } else { "Reload failed!" });
    }

    /// Answers whoever asked for a reload, as 2.7 does.
    fn answer_asker(&mut self, loaded: bool) {
        if let Some(asker) = self.state.asker.take() {
            let text = format!("Success={}\n--\n{}\n", u8::from(loaded), self.logs);
            let _ = crate::sys::socket::set_time_limits(&asker, watch::PATIENCE);
            let _ = std::io::Write::write_all(&mut UnixStream::from(asker), text.as_bytes());
        }
    }

    /// The first worker serves: whoever waits for `-D` may go on.
    fn detach(&mut self) {
        self.logs = self.call.console.transcript().text();
        self.notify.ready("Ready.");
        let Some(starter) = self.starter.take() else { return };
        self.call.console.silence();
        if let Ok(null) = fd::null() {
            let _ = fd::silence_standard(&null);
        }
        starter.serves();
    }
}

/// Sends a signal to a child; one that is gone needs none.
fn signal(pid: i32, signal: Signal) {
    if let Ok(Some(child)) = PidFd::open(pid) {
        let _ = child.signal(signal);
    }
}

/// The configuration asks for a master.
pub(crate) fn wanted(arguments: &Arguments, config: &Config) -> bool {
    arguments.master || config.global.master.wanted
}
