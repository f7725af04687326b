//! The old processes of a reload: who they are, what they give, how they are told to end.
//!
//! Listening sockets are looked for in this order: the process's own handover socket, the stats socket of `-x`, copies
//! by `pidfd_getfd`; what none of them gives is bound beside the old process, and only when its address is busy is the old
//! process asked to pause ([`Pauser`]). A signal goes only to a process that is a proxy, and only by a pidfd. Which way it
//! went is said on the console.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::argv::{Arguments, Ending};
use super::console::Console;
use super::handover::candidates;
use super::handover::client::{self, AskError, Conversation, Take};
use super::handover::wire::ReceiveError;
use super::listeners::{Busy, Want};
use super::patience;
use crate::sys::pidfd::{PidFd, Signal};
use crate::sys::proc::Listeners;
use crate::sys::{getsocks, proc, socket};

/// How long a paused process may take to free its addresses.
const PAUSE_LIMIT: Duration = Duration::from_secs(2);
/// The same for a process that may not be looked at: the address may be a stranger's, and nobody is served meanwhile.
const UNSURE_LIMIT: Duration = Duration::from_millis(200);
/// How often handover sockets are asked for a successor while they change hands, and the pause between.
const SEARCHES: usize = 100;
const SEARCH_STEP: Duration = Duration::from_millis(10);
/// How long a process that broke a conversation off may take to be gone.
const LAST_BREATH: Duration = Duration::from_secs(1);
/// How often a busy address is tried again meanwhile.
const PAUSE_STEP: Duration = Duration::from_millis(10);

/// What the old processes gave, and who they are.
#[derive(Debug, Default)]
pub(crate) struct Old {
    /// Listening sockets, ours and others.
    sockets: Vec<OwnedFd>,
    /// Processes that wait to hear that their sockets are served.
    conversations: Vec<Conversation>,
    /// Processes to signal when the new one serves.
    ending: Vec<PidFd>,
    /// Those of them whose sockets nobody else holds: only they may be paused.
    pausable: Vec<PidFd>,
    /// Those that were asked to pause: places in `pausable`.
    paused: RefCell<Vec<usize>>,
    at_once: bool,
    takes_sessions: bool,
}

/// Why a start ends before it has begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OldError {
    /// `-x` names a socket that nobody answers on.
    #[error("no listening sockets can be had from {}: {why}", path.display())]
    Sockets {
        /// The stats socket.
        path: std::path::PathBuf,
        /// What the system says.
        #[source]
        why: std::io::Error,
    },
}

/// Finds the old processes that the command line names and takes what they give. Nothing changes for them yet.
///
/// # Errors
/// [`OldError`].
pub(crate) fn find(arguments: &Arguments, wants: &[Want], console: &Console) -> Result<Old, OldError> {
    let mut old = Old::default();
    old.at_once = arguments.ending == Ending::Terminate;
    old.takes_sessions = !arguments.leaves_sessions();
    let mut mute = Vec::new(); // named, a proxy, and without a handover socket
    let mut gone = false;
    for &pid in &arguments.old {
        if i64::from(pid) == i64::from(std::process::id()) {
            console.warning(format_args!("process {pid} is this one: it gets no signal"));
            continue;
        }
        let Ok(Some(handle)) = PidFd::open(pid) else {
            console.warning(format_args!("process {pid} is gone: nothing to take over from it"));
            gone = true;
            continue;
        };
        match client::ask_successors(pid, &old.conversations) {
            Ok(given) => {
                old.take(given, console);
                old.name(handle);
            }
            Err(AskError::Known(_)) => old.name(handle),
            Err(AskError::Gone) => {
                console.warning(format_args!("process {pid} has ended meanwhile, or its successor has"));
                gone = true;
            }
            Err(why) => {
                if !matches!(why, AskError::NoDoor) {
                    console.warning(format_args!("process {pid} hands nothing over: {why}"));
                }
                // It may be about to end because somebody else has just taken over.
                if handle.wait(if matches!(why, AskError::Talk(_)) { LAST_BREATH } else { Duration::ZERO }) {
                    console.warning(format_args!("process {pid} is gone: nothing to take over from it"));
                    gone = true;
                } else if is_proxy(pid, wants) {
                    mute.push(handle);
                } else {
                    console.warning(format_args!("process {pid} is no proxy: it gets no signal"));
                }
            }
        }
    }
    if gone && old.conversations.is_empty() {
        old.search(wants, console);
    }
    let exposed = match &arguments.sockets_from {
        // What a haproxy's master that executes us names: a way to its worker that only it knows. The worker is named by `-sf`.
        Some(path) if path.to_string_lossy().starts_with("sockpair@") => false,
        Some(path) if old.conversations.is_empty() => old.fetch(path, console)?,
        _ => false,
    };
    for handle in mute {
        let copied = !exposed && old.copy_family(&handle, wants, console);
        if !exposed && !copied {
            old.pausable.extend(PidFd::open(handle.pid()).ok().flatten().filter(|_| !handle.ended()));
        }
        old.name(handle);
    }
    Ok(old)
}

/// Whether a process is called as one, or listens where we want to.
fn is_proxy(pid: i32, wants: &[Want]) -> bool {
    if named_as_proxy(pid) {
        return true;
    }
    let own: HashSet<u64> = proc::sockets(pid).unwrap_or_default().into_iter().map(|(_, inode)| inode).collect();
    let listening = Listeners::now().among(&own);
    wants.iter().filter_map(Want::address).any(|address| !listening.on(address).is_empty())
}

fn named_as_proxy(pid: i32) -> bool {
    matches!(proc::name(pid).as_deref(), Ok("haproxy" | "baton"))
}

/// The workers of a master that is no baton.
fn workers(pid: i32) -> Vec<i32> {
    proc::children(pid).into_iter().filter(|child| named_as_proxy(*child)).collect()
}

/// Whether a process holds a listening socket that clashes with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Yes,
    No,
    /// We may not look at its descriptors.
    Unknown,
}

/// A master holds what its workers hold: it passes the order to pause on.
fn holder(pid: i32, address: SocketAddr) -> Holder {
    let there = Listeners::now().on(address);
    if there.is_empty() {
        return Holder::No;
    }
    let one = |pid| match proc::sockets(pid) {
        Ok(own) if own.iter().any(|(_, inode)| there.contains(inode)) => Holder::Yes,
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => Holder::Unknown,
        _ => Holder::No,
    };
    let held: Vec<Holder> = std::iter::once(pid).chain(workers(pid)).map(one).collect();
    [Holder::Yes, Holder::Unknown].into_iter().find(|holder| held.contains(holder)).unwrap_or(Holder::No)
}

impl Old {
    fn take(&mut self, (conversation, sockets): (Conversation, Vec<OwnedFd>), console: &Console) {
        let pid = conversation.old.pid();
        console.notice(format_args!("process {pid} hands over {} listening socket(s)", sockets.len()));
        self.sockets.extend(sockets);
        self.conversations.push(conversation);
    }

    /// Adds a process that is to end, once.
    fn name(&mut self, handle: PidFd) {
        if self.ending.iter().all(|known| known.pid() != handle.pid()) {
            self.ending.push(handle);
        }
    }

    /// A named process is gone: a process that serves our addresses may be its successor, whom another reload started
    /// meanwhile. All handover sockets are asked, again while any of them is about to change hands.
    fn search(&mut self, wants: &[Want], console: &Console) {
        let mut deaf = vec![std::process::id().cast_signed()]; // and those that do not answer
        for _ in 0..SEARCHES {
            if !self.search_once(wants, &mut deaf, console) || !self.conversations.is_empty() {
                return;
            }
            patience::pause(SEARCH_STEP);
        }
    }

    /// Whether a process was met that is ending, or passes its place on.
    fn search_once(&mut self, wants: &[Want], deaf: &mut Vec<i32>, console: &Console) -> bool {
        let mut flux = false;
        for pid in candidates() {
            if deaf.contains(&pid) {
                continue;
            }
            let (conversation, sockets) = match client::ask_successors(pid, &self.conversations) {
                Ok(given) => given,
                Err(AskError::Gone | AskError::NoDoor | AskError::Talk(ReceiveError::Closed)) => {
                    flux = true;
                    continue;
                }
                Err(_) => {
                    deaf.push(pid);
                    continue;
                }
            };
            let ours =
                |fd: &OwnedFd| socket::listener(fd).is_some_and(|seen| wants.iter().any(|want| want.fits(&seen)));
            if sockets.iter().any(ours) {
                console.notice(format_args!("process {} serves in its place", conversation.old.pid()));
                self.take((conversation, sockets), console);
            }
        }
        flux
    }

    /// Takes the sockets that a stats socket exposes; whether there were any.
    fn fetch(&mut self, path: &Path, console: &Console) -> Result<bool, OldError> {
        let sockets = getsocks::fetch(path).map_err(|why| OldError::Sockets { path: path.to_owned(), why })?;
        if sockets.is_empty() {
            console.warning(format_args!(
                "{} gives no listening sockets: 'expose-fd listeners' is missing there",
                path.display()
            ));
            return Ok(false);
        }
        console.notice(format_args!("{} listening socket(s) came from {}", sockets.len(), path.display()));
        self.sockets.extend(sockets);
        Ok(true)
    }

    /// Copies the listening sockets of a process that fit ours, or those of its workers; whether there were any.
    fn copy_family(&mut self, handle: &PidFd, wants: &[Want], console: &Console) -> bool {
        if self.copy(handle, wants, console) {
            return true;
        }
        let mut any = false;
        for worker in workers(handle.pid()).into_iter().filter_map(|pid| PidFd::open(pid).ok().flatten()) {
            any |= self.copy(&worker, wants, console);
        }
        any
    }

    /// Copies the listening sockets of a process that fit ours; whether there were any.
    fn copy(&mut self, handle: &PidFd, wants: &[Want], console: &Console) -> bool {
        let pid = handle.pid();
        let mut copied = 0;
        let numbers = match proc::sockets(pid) {
            Ok(sockets) => sockets,
            Err(why) => {
                console.notice(format_args!("the sockets of process {pid} cannot be seen ({why}): binding beside it"));
                return false;
            }
        };
        for (number, _) in numbers {
            match handle.descriptor(number) {
                Ok(fd) => {
                    if socket::listener(&fd).is_some_and(|seen| wants.iter().any(|want| want.fits(&seen))) {
                        self.sockets.push(fd);
                        copied += 1;
                    }
                }
                Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => {
                    console.notice(format_args!("the sockets of process {pid} may not be copied: binding beside it"));
                    return false;
                }
                Err(_) => {}
            }
        }
        if copied > 0 {
            console.notice(format_args!("{copied} listening socket(s) copied from process {pid}"));
        }
        copied > 0
    }

    /// The sockets that were found; ours and others.
    pub(crate) fn take_sockets(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.sockets)
    }

    /// What asks a process to pause when an address is busy. If the start fails at any later step, or this value is dropped
    /// for another reason before [`Old::end`] or [`Old::ended`], it is told to go on.
    pub(crate) fn pauser<'a>(&'a self, console: &'a Console) -> Pauser<'a> {
        Pauser { old: self, until: None, latest: None, console }
    }

    /// What they know of their servers and proxies; nothing if sessions, and with them all else, stay there.
    pub(crate) fn states(&self, console: &Console) -> Vec<String> {
        let mut lines = Vec::new();
        for conversation in self.conversations.iter().filter(|_| self.takes_sessions) {
            match conversation.states() {
                Ok(more) => lines.extend(more),
                Err(why) => {
                    let pid = conversation.old.pid();
                    console.warning(format_args!("what process {pid} knows of its servers is not known here: {why}"));
                }
            }
        }
        lines
    }

    /// The entries of their stick tables, a body at a time.
    pub(crate) fn entries(&self, console: &Console, take: &Take) {
        for conversation in self.conversations.iter().filter(|_| self.takes_sessions) {
            if let Err(why) = conversation.entries(take) {
                let pid = conversation.old.pid();
                console.warning(format_args!("not all entries of the stick tables of process {pid} came: {why}"));
            }
        }
    }

    /// Whether sessions are to move from a process.
    fn moves(&self, from: &Conversation) -> bool {
        self.takes_sessions && !self.at_once && from.speaks_of_sessions()
    }

    /// Those that wait to give their sessions.
    pub(crate) fn take_conversations(&mut self) -> Vec<Conversation> {
        let all = std::mem::take(&mut self.conversations);
        if self.takes_sessions && !self.at_once { all } else { Vec::new() }
    }

    /// The old processes were told by another process of ours.
    pub(crate) fn ended(&self) {
        self.paused.borrow_mut().clear();
    }

    /// Tells the old processes that `serving` accepts connections: they finish, or end at once.
    pub(crate) fn end(&self, serving: i32, console: &Console) {
        self.ended();
        let (mut told, mut moving) = (Vec::new(), Vec::new());
        for conversation in &self.conversations {
            let pid = conversation.old.pid();
            match conversation.ready(serving, self.at_once) {
                Ok(()) if self.moves(conversation) => moving.push(pid),
                Ok(()) => told.push(pid),
                Err(why) if !conversation.old.ended() => {
                    console.warning(format_args!("process {pid} did not hear that {serving} has taken over: {why}"));
                }
                Err(_) => {}
            }
        }
        let signal = if self.at_once { Signal::TERM } else { Signal::USR1 };
        let asked = self.conversations.iter().map(|conversation| &conversation.old);
        for handle in self.ending.iter().chain(asked.filter(|old| self.ending.iter().all(|e| e.pid() != old.pid()))) {
            if moving.contains(&handle.pid()) {
                continue; // it stops by itself when its sessions have moved, and goes on if we die before
            }
            if let Err(why) = handle.signal(signal)
                && !handle.ended()
                && !told.contains(&handle.pid())
            {
                console.warning(format_args!("process {} cannot be told to end: {why}", handle.pid()));
            }
        }
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        for at in self.paused.borrow_mut().drain(..) {
            let _ = self.pausable[at].signal(Signal::TTIN);
        }
    }
}

/// Asks named processes to pause where an address is busy.
pub(crate) struct Pauser<'a> {
    old: &'a Old,
    until: Option<Instant>,
    /// However late a process takes its signal, it is not waited for longer.
    latest: Option<Instant>,
    console: &'a Console,
}

impl Busy for Pauser<'_> {
    fn retry(&mut self, address: SocketAddr) -> bool {
        let mut paused = self.old.paused.borrow_mut();
        for (at, handle) in self.old.pausable.iter().enumerate().filter(|(_, handle)| !handle.ended()) {
            let limit = match holder(handle.pid(), address) {
                Holder::Yes => PAUSE_LIMIT,
                Holder::Unknown if named_as_proxy(handle.pid()) => UNSURE_LIMIT,
                Holder::Unknown | Holder::No => continue,
            };
            if !paused.contains(&at) && handle.signal(Signal::TTOU).is_ok() {
                self.console.notice(format_args!("{address} is busy: process {} is asked to pause", handle.pid()));
                paused.push(at);
                self.until = self.until.max(Some(Instant::now() + limit));
                self.latest = self.latest.max(Some(Instant::now() + PAUSE_LIMIT));
            }
        }
        let Some(until) = self.until else { return false };
        patience::pause(PAUSE_STEP);
        let now = Instant::now();
        // On a busy machine a process takes its signal late: the time to free an address begins when it has.
        let deaf = paused.iter().any(|at| proc::pending(self.old.pausable[*at].pid(), Signal::TTOU));
        if deaf && self.latest.is_some_and(|latest| now < latest) {
            self.until = Some(until.max(now + UNSURE_LIMIT));
            return true;
        }
        now < until
    }
}
