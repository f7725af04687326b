//! The start of a serving process, told as a story.
//!
//! Everything that may fail is done before anything changes for the old processes, and before any thread exists. Order
//! matters: rights are given up before the first byte from outside, sockets are served before an old process hears of
//! it, and whoever waits for `-D` to return waits for all of that.

use std::cell::RefCell;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use super::argv::Arguments;
use super::check::Checked;
use super::console::Console;
use super::daemon::{self, Parent, Side, Starter};
use super::handover::elders::Named;
use super::handover::giver::{Estate, lives};
use super::handover::server::{Change, Counting, Desk, Door};
use super::handover::taker::{self, Taker};
use super::handover::wire::Count;
use super::limits;
use super::listeners::{self, Opened, Want};
use super::old::{self, Old};
use super::pidfile::Pidfile;
use super::services::Services;
use super::signals::{self, Serving};
use super::turn::Turn;
use super::{privileges, services};
use crate::engine::migrate::Sessions;
use crate::engine::{Engine, Input, Listening, Purpose};
use crate::ir::{AdminLevel, Config, Endpoint, FilePermissions, Level, LogProtocol, SeverityOutput, StatsSocket};
use crate::plan::{Ceiling, Limits, Needs};
use crate::pool::{Commands, Page, Pool, ProcessState};
use crate::sys::fd::{self, Inherited};
use crate::sys::{self, fault, image, proc};
use crate::text::{FileId, SourceMap, Span};

/// Something went wrong and was said on the console.
struct Said;

/// Starts and serves: returns when the process is to end, or in the parent when the daemon serves.
pub(crate) fn start(
    program: &str,
    arguments: &Arguments,
    checked: Checked,
    inherited: &Inherited,
    console: &Console,
) -> ExitCode {
    let story = Story { program, arguments, inherited, console, behind: None, master: me() };
    match story.tell(checked) {
        Ok(Told::Over(code)) => code,
        Ok(Told::Works(_)) | Err(Said) => ExitCode::FAILURE,
    }
}

/// Starts a worker of this process, which is its master: in it, it returns when the worker serves; in the worker, when that
/// is to end. `None`: the worker does not serve, which was said.
pub(crate) fn start_worker(
    program: &str,
    arguments: &Arguments,
    checked: Checked,
    inherited: &Inherited,
    console: &Console,
    behind: Behind<'_>,
) -> Option<Told> {
    Story { program, arguments, inherited, console, behind: Some(behind), master: me() }.tell(checked).ok()
}

/// How a start went.
pub(crate) enum Told {
    /// This process has served, or its child does: it is to end with this code.
    Over(ExitCode),
    /// This process is the master, and its worker of this pid serves.
    Works(i32),
}

/// What stands behind a worker.
pub(crate) struct Behind<'a> {
    /// Over which the master sends connections that are commands, with the rights that they have.
    pub(crate) channels: RefCell<Vec<(AdminLevel, OwnedFd)>>,
    /// Called in the worker: closes what is the master's own.
    pub(crate) leave: &'a dyn Fn(),
    /// Whether the master is in the background.
    pub(crate) background: bool,
}

struct Story<'a> {
    program: &'a str,
    arguments: &'a Arguments,
    inherited: &'a Inherited,
    console: &'a Console,
    behind: Option<Behind<'a>>,
    /// This process, before it divides.
    master: i32,
}

/// Everything that serving needs, in hand before the process divides.
struct Stage {
    config: Arc<Config>,
    opened: Opened,
    services: Services,
    threads: usize,
    plan: Limits,
    holders: Holders,
    background: bool,
}

/// What is left to do when this process serves.
struct Rest {
    pidfile: Option<Pidfile>,
    old: Old,
    /// Other starts that replace the same processes wait until this is dropped.
    _turn: Turn,
}

impl Story<'_> {
    fn tell(&self, checked: Checked) -> Result<Told, Said> {
        let Checked { mut config, sources, environment, .. } = checked;
        if !config.listens() && self.behind.is_none() {
            self.console.alert("nothing would listen: no 'bind' and no 'stats socket' is there");
            return Err(Said);
        }
        let threads = config.global.nbthread.map_or_else(proc::processors, usize::from).max(1);
        let background = match &self.behind {
            Some(behind) => behind.background,
            None => goes_to_background(self.arguments, &config),
        };
        if config.global.quiet && !self.arguments.verbose {
            self.console.silence();
        }
        let plan = self.limits(&config, threads)?;
        config.global.maxconn = Some(plan.maxconn);
        if self.arguments.verbose {
            self.console.notice(format_args!("maxconn is {}, on {threads} thread(s)", plan.maxconn));
        }
        listeners::keep_channels(&config).map_err(|why| self.alert(why))?;
        if background {
            self.inherited.close_but(&descriptors(&config));
        }
        privileges::possible(&config).map_err(|why| self.alert(why))?;
        if crate::plan::needs_root(&config) && crate::sys::identity::user() != 0 {
            self.console.warning("'usesrc' and 'source … interface' may fail: they need root's rights");
        }
        let written = background || self.behind.is_some();
        let pidfile = self.pidfile(config.global.pidfile.as_deref().filter(|_| written))?;

        let turn = Turn::take(&self.arguments.old, self.console);

        let wants = listeners::wants(&config, plan.maxconn);
        let mut old = old::find(self.arguments, &wants, self.console).map_err(|why| self.alert(why))?;
        let mut opened = self.open(&wants, &mut old, &sources)?;
        let holders = self.holders(&config, &opened);
        self.add_channels(&mut config, &mut opened);
        let config = Arc::new(config);
        let (surroundings, said) = (self.surroundings(background), self.console.transcript());
        let services = Services::new(&config, surroundings, environment, said).map_err(|why| self.alert(why))?;
        opened.publish().map_err(|(path, why)| self.alert(format_args!("cannot place {}: {why}", path.display())))?;
        let rest = Rest { pidfile, old, _turn: turn };
        let stage = Stage { config, opened, services, threads, plan, holders, background };
        let parent = match &self.behind {
            Some(_) => Parent::Stays,
            None if background => Parent::Returns,
            None => return self.serve(stage, rest, None),
        };
        match daemon::divide(parent).map_err(|why| self.alert(format_args!("cannot become two processes: {why}")))? {
            Side::Parent(guardian) => {
                drop(stage);
                let mut serving = 0;
                let serves = guardian.wait(|pid| {
                    serving = pid;
                    let named = if self.behind.is_some() { me() } else { pid };
                    rest.finish(named, pid, self.console);
                });
                match (serves, &self.behind) {
                    (true, Some(_)) => Ok(Told::Works(serving)),
                    (true, None) => Ok(Told::Over(ExitCode::SUCCESS)),
                    (false, _) => Err(Said),
                }
            }
            Side::Child(starter) => {
                if let Some(behind) = &self.behind {
                    (behind.leave)();
                }
                self.serve(stage, rest, Some(starter))
            }
        }
    }

    /// Adds the sockets over which the master sends commands, each as a stats socket of its own rights.
    fn add_channels(&self, config: &mut Config, opened: &mut Opened) {
        let channels = self.behind.as_ref().map(|behind| behind.channels.take()).unwrap_or_default();
        for (level, socket) in channels {
            let purpose = Purpose::Commands(config.global.stats_sockets.len());
            config.global.stats_sockets.push(StatsSocket {
                endpoint: Endpoint::SockPair(socket.as_raw_fd()),
                level,
                expose_listeners: false,
                severity_output: SeverityOutput::None,
                file: FilePermissions::default(),
                name: None,
                maxconn: 0,
                span: Span::line(FileId(0), 0),
                accept_proxy: false,
                netscaler: None,
                masters: true,
            });
            opened.listening.push(Listening { purpose, socket });
        }
    }

    /// Who else may hold copies of the sockets, besides those that the desk gives some to.
    fn holders(&self, config: &Config, opened: &Opened) -> Holders {
        let given =
            !descriptors(config).is_empty() || config.global.stats_sockets.iter().any(|one| one.expose_listeners);
        let fetched = opened.taken > 0 && self.arguments.old.is_empty();
        Holders {
            unknown: given || fetched,
            old: if opened.taken > 0 { self.arguments.old.clone() } else { Vec::new() },
        }
    }

    fn alert(&self, message: impl std::fmt::Display) -> Said {
        self.console.alert(message);
        Said
    }

    fn surroundings(&self, background: bool) -> services::Surroundings {
        services::surroundings(self.program, !background && !self.console.quiet())
    }

    /// Raises the descriptor limit to what `maxconn` needs, or lowers `maxconn` if the configuration lets us.
    fn limits(&self, config: &Config, threads: usize) -> Result<Limits, Said> {
        let needs = Needs::of(config, self.arguments.maxconn, threads);
        let now = crate::sys::limits::descriptors();
        let mut plan = Limits::of(&needs, Ceiling(now.hard));
        if let Err(why) = limits::apply(&plan, &needs, now) {
            if config.global.rlimits.strict {
                return Err(self.alert(why));
            }
            self.console.warning(&why);
            if let limits::LimitError::TooLow { limit, .. } = why {
                plan = plan.within(&needs, limit);
                let _ = limits::apply(&plan, &needs, now);
                self.console.warning(format_args!("maxconn is lowered to {}", plan.maxconn));
            }
        }
        if let Some(megabytes) = self.arguments.memory.filter(|n| *n > 0) {
            crate::sys::limits::set_memory(u64::from(megabytes) << 20)
                .map_err(|why| self.alert(format_args!("memory cannot be limited to {megabytes} MB: {why}")))?;
        }
        Ok(plan)
    }

    /// Opens the pidfile and waits until no other start that uses it is under way.
    fn pidfile(&self, path: Option<&Path>) -> Result<Option<Pidfile>, Said> {
        let Some(path) = path else { return Ok(None) };
        let pidfile = Pidfile::open(path).map_err(|why| self.alert(why))?;
        if !pidfile.lock() {
            self.console.warning(format_args!("{}: another start takes too long, not waiting for it", path.display()));
        }
        Ok(Some(pidfile))
    }

    /// Gets every listening socket, or none: then whoever was asked to pause goes on.
    fn open(&self, wants: &[Want], old: &mut Old, sources: &SourceMap) -> Result<Opened, Said> {
        let found = old.take_sockets();
        match listeners::open(wants, found, self.inherited, &mut old.pauser(self.console)) {
            Ok(opened) => {
                if opened.taken > 0 {
                    let (taken, bound) = (opened.taken, opened.bound);
                    self.console.notice(format_args!("{taken} listening socket(s) taken over, {bound} bound"));
                }
                Ok(opened)
            }
            Err(errors) => {
                for error in errors {
                    let file = sources.get(error.span.file).map_or("", |file| file.name.as_str());
                    self.console.alert(format_args!("[{file}:{}] {error}", error.span.line));
                }
                Err(Said)
            }
        }
    }

    /// The process that serves: gives up rights, runs the engine, says so, and lives until it is told to end.
    fn serve(&self, stage: Stage, mut rest: Rest, starter: Option<Starter>) -> Result<Told, Said> {
        let Stage { config, opened, services, threads, plan, holders, background } = stage;
        let null = fd::null().map_err(|why| self.alert(format_args!("cannot open /dev/null: {why}")))?;
        let door = Door::open()
            .inspect_err(|why| self.console.notice(format_args!("no handover socket, a reload will lack it: {why}")))
            .ok();
        let (memory, ports) = (proc::Memory::open().ok(), proc::local_ports());
        privileges::give_up(&config.global).map_err(|why| self.alert(why))?;
        let signals = signals::register().map_err(|why| self.alert(format_args!("cannot handle signals: {why}")))?;
        if self.behind.is_some() {
            // Only now: rights that are given up would undo the one, and a signal before its handler would kill us.
            image::die_with(self.master).map_err(|why| self.alert(format_args!("the master is gone: {why}")))?;
            sys::signals::unblock().map_err(|why| self.alert(format_args!("cannot handle signals: {why}")))?;
        }

        let replaces = opened.taken > 0 || !self.arguments.old.is_empty();
        let pool = Arc::new(Pool::new(Arc::clone(&config), services::now()));
        pool.read_lines_by(Arc::new(super::added::Reader));
        pool.set_maxconn(plan.maxconn);
        plan_of(&pool.process, &plan);
        if replaces {
            pool.process.reloaded.store(services::now().millis().max(1), Ordering::Relaxed);
        }
        if let Some((first, last)) = ports {
            pool.process.first_local_port.store(first.into(), Ordering::Relaxed);
            pool.process.last_local_port.store(last.into(), Ordering::Relaxed);
        }
        let states = rest.old.states(self.console);
        let remarks = pool.import_states(&states, services::now());
        rest.old.entries(self.console, &*super::tables::taking(&pool));
        let leaves = self.arguments.leaves_sessions();
        let gives = !leaves && !self.arguments.old.is_empty();
        let apart = gives.then(|| super::tables::Apart::new(&pool));
        // An old process that tells its states tells its counters too, later.
        if states.is_empty() || leaves {
            pool.preload();
        }
        let running = services.run(&pool);
        running.measure(memory);
        for remark in remarks {
            running.journal.event(None, Level::Notice, &format!("From the old process: {remark}."));
        }
        let input = Input {
            pool: Arc::clone(&pool),
            journal: Arc::clone(&running.journal),
            page: Arc::clone(&running.page) as Arc<dyn Page>,
            commands: Arc::clone(&running.commands) as Arc<dyn Commands>,
            listeners: opened.into_listening(),
            threads,
        };
        tracing::debug!(threads, maxconn = plan.maxconn, "the engine starts");
        let lender: Arc<OnceLock<Arc<Desk>>> = Arc::default();
        let desks = Arc::clone(&lender);
        let shared = move || desks.get().is_some_and(|desk| desk.shared()) || holders.any();
        let before = |engine: &Engine| {
            running.attach(&engine.control());
            engine.shares_sockets(Box::new(shared));
        };
        let engine = Engine::start_with(input, before);
        let engine = engine.map_err(|why| self.alert(format_args!("cannot serve: {why}")))?;

        let control = engine.control();
        let sockets = Arc::clone(&control);
        let give = move || {
            if fault::is("early-close") {
                sockets.soft_stop(); // what a test must notice: the old listener closes before the new one has it
                return Ok(Vec::new());
            }
            let all = sockets.listeners()?;
            Ok(all.into_iter().filter(|fd| sys::socket::listener(fd).is_some()).collect()) // channels are nobody else's
        };
        let estate = (!leaves).then(|| estate(engine.sessions(), &pool));
        let sessions = engine.sessions();
        let acting = Arc::clone(&control);
        let change = move |change| match change {
            Change::Yields => acting.yield_listeners(true),
            Change::Resumes => acting.yield_listeners(false),
            Change::Finishes => signals::order_to_end(false),
            Change::Ends => signals::order_to_end(true),
        };
        let desk = Desk::new(Box::new(give), Box::new(change), counting(engine.sessions(), &pool), estate);
        let named = Named::of(&self.arguments.old);
        running.commands.attach_elders(Arc::new(move || named.elders()));
        let _ = lender.set(Arc::clone(&desk)); // nobody is given a socket before
        let boot = u32::try_from(self.console.age().as_millis()).unwrap_or(u32::MAX);
        pool.process.boot_millis.store(boot, Ordering::Relaxed);
        pool.process.warnings.store(self.console.warnings(), Ordering::Relaxed);
        // Whoever waits for `-D` is told that we serve when no thread and no memory is to be had any more.
        let door = door.map(|door| door.serve(Arc::clone(&desk))).transpose();
        let latch = door.map_err(|why| self.alert(format_args!("cannot serve newcomers: {why}")))?;
        signals::watch(engine, &signals).map_err(|why| self.alert(format_args!("cannot serve: {why}")))?;
        match starter {
            Some(starter) => {
                if background {
                    self.console.silence();
                    let _ = fd::silence_standard(&null);
                }
                match starter.serves() {
                    true => rest.old.ended(), // the parent has done it
                    false => rest.finish(me(), me(), self.console),
                }
            }
            None => rest.finish(me(), me(), self.console),
        }
        if let Some(apart) = apart {
            let conversations = rest.old.take_conversations();
            let entries = super::tables::taking_again(apart);
            let (pool, here) = (Arc::clone(&pool), Arc::clone(&pool));
            let count = Box::new(move |lines: &[String]| {
                for remark in pool.import_counters(lines, services::now()) {
                    tracing::debug!(%remark, "counters of the old process");
                }
            });
            let came = Box::new(move |sessions: usize| here.process.sessions_taken.add(sessions as u64));
            let (journal, desk) = (Arc::clone(&running.journal), Arc::clone(&desk));
            let taker = Taker { sessions, journal, count, entries, came, desk };
            if let Err(why) = taker::start(taker, conversations) {
                self.console.warning(format_args!("sessions stay in the old process: {why}"));
            }
        }
        drop((rest, null));
        if let Some(latch) = latch {
            latch.lift();
        }
        let serving = Serving { pool, journal: running.journal, control };
        Ok(Told::Over(serving.until_the_end(signals)))
    }
}

/// Processes that may hold copies of our listening sockets: one that they were inherited from or handed to, or old ones.
struct Holders {
    unknown: bool,
    old: Vec<i32>,
}

impl Holders {
    /// Whether one of them may be there still.
    fn any(&self) -> bool {
        self.unknown || self.old.iter().any(|pid| lives(*pid))
    }
}

impl Rest {
    /// `serving` serves: the pidfile says whom to signal, and the old processes are told.
    fn finish(&self, named: i32, serving: i32, console: &Console) {
        if let Some(pidfile) = &self.pidfile
            && let Err(why) = pidfile.write(named)
        {
            console.warning(format_args!("the pidfile cannot be written: {why}"));
        }
        self.old.end(serving, console);
        if let Some(pidfile) = &self.pidfile {
            pidfile.unlock();
        }
    }
}

/// What a newcomer may have besides the sockets.
fn estate(sessions: Sessions, pool: &Arc<Pool>) -> Estate {
    let (states, counters) = (Arc::clone(pool), Arc::clone(pool));
    Estate::new(
        sessions,
        Box::new(move || states.export_states(services::now())),
        Box::new(move || counters.export_counters()),
        super::tables::telling(pool),
    )
}

/// What this process tells of itself.
fn counting(sessions: Sessions, pool: &Arc<Pool>) -> Box<Counting> {
    let started = pool.process.started;
    Box::new(move || Count {
        connections: sessions.left(),
        seconds: u32::try_from(services::now().since(started) / 1000).unwrap_or(u32::MAX),
        stopping: sessions.is_stopping(),
        successor: 0,
    })
}

/// Notes what was decided, for `show info`.
fn plan_of(process: &ProcessState, plan: &Limits) {
    let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
    process.maxsock.store(small(plan.maxsock), Ordering::Relaxed);
    process.nofile.store(small(plan.nofile), Ordering::Relaxed);
    process.maxpipes.store(plan.pipes, Ordering::Relaxed);
}

/// Whether the command line or the configuration asks for a process in the background.
pub(crate) fn goes_to_background(arguments: &Arguments, config: &Config) -> bool {
    arguments.daemon || (config.global.daemon && !arguments.foreground && !config.global.debug)
}

fn me() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(i32::MAX)
}

/// The inherited descriptors that a configuration names.
pub(crate) fn descriptors(config: &Config) -> Vec<i32> {
    let listening = listeners::wants(config, 0);
    let logs = config.global.logs.iter().chain(config.proxies.iter().flat_map(|proxy| &proxy.logs));
    let logging = logs.filter_map(|log| match log.to {
        LogProtocol::Fd(number) if number > 2 => Some(number),
        _ => None,
    });
    listening.iter().filter_map(Want::descriptor).chain(logging).collect()
}
