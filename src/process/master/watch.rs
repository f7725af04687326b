//! What a master does all day: it waits for signals, for the end of its children, and for commands.
//!
//! One thread, one `poll`. Nothing here waits for one client or child while others are not served, but for
//! [`PATIENCE`] at a reload's end.

use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::state::{Kind, Member, VARIABLE};
use super::terminal::{Terminal, Wish};
use super::{Master, signal};
use crate::process::patience;
use crate::sys::image::{self, Ended};
use crate::sys::pidfd::Signal;
use crate::sys::signals::{self, Came};
use crate::sys::socket;

/// How long a client that asked for a reload may take to read the answer.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
/// Connections that are served at once.
const MOST: usize = 64;
/// The pause when no descriptor is to be had.
const NO_ROOM: Duration = Duration::from_millis(20);

/// What the master is about.
#[derive(Debug, Default)]
struct Course {
    /// It was told to end, or has lost a child: it waits for the others.
    leaving: bool,
    /// A newcomer takes the worker's place: whatever it leaves behind is to end with it.
    succeeded: bool,
    /// The exit code of the first child that failed.
    failure: Option<i32>,
    /// That of the last current child.
    last: i32,
    /// Newcomers that were sent to the worker.
    newcomers: Vec<i32>,
    reload: bool,
}

/// Who has something to say.
#[derive(Debug, Default)]
struct Awake {
    door: bool,
    listeners: Vec<bool>,
    terminals: Vec<bool>,
}

impl Master<'_> {
    /// Watches until there is nothing left to watch; the exit code.
    pub(super) fn watch(&mut self) -> ExitCode {
        let mut course = Course::default();
        let mut terminals: Vec<Terminal> = Vec::new();
        if self.unstartable {
            self.fail(&mut course, 1);
        }
        loop {
            while let Some(ended) = image::reap() {
                self.bury(ended, &mut course);
            }
            if self.state.members.is_empty() {
                let code = course.failure.unwrap_or(course.last);
                self.call.console.warning(format_args!("All workers exited. Exiting... ({code})"));
                return ExitCode::from(u8::try_from(code).unwrap_or(1));
            }
            if std::mem::take(&mut course.reload) && !course.leaving {
                self.reload();
            }
            let awake = self.wait(&terminals);
            while let Some(came) = self.signals.as_ref().and_then(signals::Queue::next) {
                self.obey(came, &mut course);
            }
            if awake.door {
                self.send_on(&mut course);
            }
            let mut awake_terminals = awake.terminals.iter();
            let mut asked = None;
            terminals.retain_mut(|terminal| {
                if !awake_terminals.next().is_some_and(|awake| *awake) || asked.is_some() {
                    return true;
                }
                match terminal.turn(self) {
                    None => false,
                    Some(None) => true,
                    Some(Some(Wish::Reload { hard })) => {
                        asked = Some((hard, terminal.socket().try_clone().ok()));
                        false
                    }
                }
            });
            if let Some((hard, asker)) = asked.filter(|_| !course.leaving) {
                self.state.hard = hard;
                self.state.asker = asker;
                course.reload = true;
            }
            self.accept(&awake, &mut terminals);
        }
    }

    /// Waits until something is to be done.
    fn wait(&self, terminals: &[Terminal]) -> Awake {
        let mut fds = Vec::new();
        let door = self.state.door.as_ref();
        fds.extend(self.signals.as_ref().map(|queue| PollFd::new(queue, PollFlags::IN)));
        fds.extend(door.map(|door| PollFd::new(door.socket(), PollFlags::IN)));
        let room = terminals.len() < MOST;
        let listen = if room { PollFlags::IN } else { PollFlags::empty() };
        fds.extend(self.state.listeners.iter().map(|listener| PollFd::new(&listener.socket, listen)));
        let mut places = Vec::new();
        for terminal in terminals {
            let wants = terminal.wants();
            places.push((fds.len(), terminal.worker().is_some()));
            fds.push(PollFd::from_borrowed_fd(terminal.socket().as_fd(), wants.client));
            fds.extend(terminal.worker().map(|worker| PollFd::new(worker, wants.worker)));
        }
        if rustix::event::poll(&mut fds, None).is_err() {
            return Awake::default();
        }
        let is = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        let first = 1 + usize::from(door.is_some());
        Awake {
            door: door.is_some() && is(1),
            listeners: (0..self.state.listeners.len()).map(|at| is(first + at)).collect(),
            terminals: places.into_iter().map(|(at, linked)| is(at) || (linked && is(at + 1))).collect(),
        }
    }

    fn accept(&self, awake: &Awake, terminals: &mut Vec<Terminal>) {
        for (listener, _) in self.state.listeners.iter().zip(&awake.listeners).filter(|(_, awake)| **awake) {
            match socket::accept(&listener.socket) {
                Ok(socket) => terminals.push(Terminal::new(socket, listener.level)),
                Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => patience::pause(NO_ROOM),
            }
        }
    }

    fn send_on(&self, course: &mut Course) {
        let serving = self.state.members.iter().rfind(|member| member.serves()).map(|member| member.pid);
        let (Some(door), Some(pid)) = (&self.state.door, serving) else { return };
        course.newcomers.extend(door.send_on(pid));
        let excess = course.newcomers.len().saturating_sub(MOST);
        course.newcomers.drain(..excess);
    }

    /// Acts on a signal.
    fn obey(&mut self, came: Came, course: &mut Course) {
        match came.signal {
            libc::SIGUSR2 | libc::SIGHUP => course.reload = true,
            // It takes over from the worker, and tells that itself; the worker may yet have to go on in its place.
            libc::SIGUSR1 if course.newcomers.contains(&came.sender) => course.succeeded = true,
            libc::SIGUSR1 => self.leave(Signal::USR1, course),
            libc::SIGTERM => self.leave(Signal::TERM, course),
            libc::SIGINT => self.leave(Signal::INT, course),
            libc::SIGTTOU => self.tell_all(Signal::TTOU, Member::serves),
            libc::SIGTTIN => self.tell_all(Signal::TTIN, Member::serves),
            _ => {}
        }
    }

    fn tell_all(&self, what: Signal, whom: impl Fn(&Member) -> bool) {
        for member in self.state.members.iter().filter(|member| whom(member)) {
            signal(member.pid, what);
        }
    }

    /// Tells all children, and waits for their end.
    fn leave(&self, how: Signal, course: &mut Course) {
        if !std::mem::replace(&mut course.leaving, true) {
            self.call.console.warning("Exiting Master process...");
            self.notify.stopping();
        }
        self.tell_all(how, |_| true);
    }

    /// A child has ended.
    fn bury(&mut self, ended: Ended, course: &mut Course) {
        let Some(at) = self.state.members.iter().position(|member| member.pid == ended.pid) else { return };
        let member = self.state.members.remove(at);
        let Ended { pid, code, signal } = ended;
        let age = if member.former { "Former" } else { "Current" };
        let who = match &member.kind {
            Kind::Worker => "worker".to_owned(),
            Kind::Program(name) => format!("program '{name}'"),
        };
        let how = signal.map_or("Exit", signals::describe);
        let text = format!("{age} {who} ({pid}) exited with code {code} ({how})");
        if member.former || (code == 0 && member.kind == Kind::Worker) {
            self.call.console.warning(text);
        } else {
            self.call.console.alert(text);
        }
        if member.former {
            return;
        }
        course.last = if code == 143 { 0 } else { code };
        if !matches!(code, 0 | 130 | 143) {
            self.fail(course, code);
        }
        if member.kind == Kind::Worker && course.succeeded && !course.leaving {
            self.leave(Signal::USR1, course);
        }
    }

    /// A child has failed: everybody goes, unless the configuration says otherwise.
    fn fail(&self, course: &mut Course, code: i32) {
        course.failure.get_or_insert(code);
        if !course.leaving && !self.state.rules.survives_failure {
            self.call.console.alert("exit-on-failure: killing every processes with SIGTERM");
            course.leaving = true;
            self.notify.stopping();
            self.tell_all(Signal::TERM, |_| true);
        }
    }

    /// Executes the program anew: returns only if that cannot be done.
    fn reload(&mut self) {
        self.call.console.notice("Reloading HAProxy");
        self.notify.reloading();
        let why = match self.state.leave_behind() {
            Err(why) => why,
            Ok((value, note)) => {
                let others = std::env::vars_os().filter(|(name, _)| name != VARIABLE);
                let environment = others.chain([(VARIABLE.into(), value.into())]).collect();
                let why = image::become_program(&self.state.program, self.call.words, environment);
                drop(note);
                self.state.stay();
                why
            }
        };
        let program = self.state.program.display();
        self.call.console.alert(format_args!("{program} cannot be executed, nothing is reloaded: {why}"));
        self.state.reloads += 1;
        for member in &mut self.state.members {
            member.reloads += 1;
        }
        self.reloaded(false);
    }
}
