//! What expressions learn of a connection or of a session: [`View`] answers for both.
//!
//! A view exists for one evaluation. What rules leave behind (variables, another source address) stands in a [`Memory`],
//! which a session has only if a rule left something. Names, places and meanings of fetches: `expr::fetch`.

mod client;
mod memory;
mod session;
mod tracking;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) use memory::Memory;
use memory::UniqueId;

use super::clock;
use super::dispatch::Step;
use super::proxy_header::Announced;
use super::session::{RulePlace, Session};
use super::shard::Shard;
use super::shared::{Accepted, Seat};
use crate::expr::fetch::Counter;
use crate::expr::{Arg, Asked, Buffer, Facts, Fetched, Known, Occasion, Scope, Side, TableRef, Value, VarName};
use crate::pool::{Peer, Variables};
use crate::units::Tick;

/// A buffer's bytes unless `tune.bufsize` says another number.
const BUFSIZE: u32 = 16 * 1024;

/// What is kept free of them unless `tune.maxrewrite` says another number.
const MAXREWRITE: u32 = 1024;

/// Who is looked at.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    /// A connection that is no session yet.
    Connection(&'a Accepted),
    /// A session.
    Session(&'a Session),
    /// A connection that is no session: one that was refused, or one that asks for pages.
    Caller(&'a Caller<'a>),
}

/// A connection that is no session.
pub(super) struct Caller<'a> {
    pub(super) seat: &'a Seat,
    /// Its socket, if it is at hand.
    pub(super) socket: Option<BorrowedFd<'a>>,
    pub(super) peer: Peer,
    /// The address that its client connected to.
    pub(super) local: Option<SocketAddr>,
    pub(super) at: Tick,
    pub(super) wall: SystemTime,
    pub(super) outcome: Outcome<'a>,
}

/// What became of a connection that is no session.
pub(super) enum Outcome<'a> {
    /// It was refused: why, as a number (`fc_err`) and in words.
    Refused(i64, &'a str),
    /// A page has answered it.
    Answered,
    /// It has asked wrongly, too late, or for what no page has.
    Failed,
}

/// What is known of a connection or a session at one moment.
pub(super) struct View<'a> {
    pub(super) shard: &'a Shard,
    pub(super) subject: Subject<'a>,
    /// What rules left; made when something is left.
    pub(super) memory: &'a RefCell<Option<Box<Memory>>>,
    /// Whether rules may still wait for more.
    pub(super) waits: bool,
    /// Whether they may still wait for a name to be looked up.
    pub(super) patient: bool,
}

impl<'a> View<'a> {
    fn seat(&self) -> &'a Seat {
        match self.subject {
            Subject::Connection(accepted) => &accepted.seat,
            Subject::Session(session) => &session.seat,
            Subject::Caller(caller) => caller.seat,
        }
    }

    fn announced(&self) -> Option<&'a Announced> {
        match self.subject {
            Subject::Connection(accepted) => accepted.announced.as_deref(),
            Subject::Session(session) => session.announced.as_deref(),
            Subject::Caller(_) => None,
        }
    }

    pub(super) fn socket(&self) -> Option<BorrowedFd<'a>> {
        match self.subject {
            Subject::Connection(accepted) => Some(accepted.socket.as_fd()),
            Subject::Session(session) => Some(session.client.get_ref().as_fd()),
            Subject::Caller(caller) => caller.socket,
        }
    }

    /// When it was accepted, by the calendar: microseconds since 1970.
    fn wall(&self) -> i64 {
        let micros = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let micros = match self.subject {
            Subject::Connection(accepted) => micros(accepted.wall),
            Subject::Session(session) => session.wall.into(),
            Subject::Caller(caller) => micros(caller.wall),
        };
        i64::try_from(micros).unwrap_or(i64::MAX)
    }

    fn accepted(&self) -> Tick {
        match self.subject {
            Subject::Connection(accepted) => accepted.at,
            Subject::Session(session) => session.accepted,
            Subject::Caller(caller) => caller.at,
        }
    }

    /// The client, as its PROXY header or a rule has it.
    pub(super) fn peer(&self) -> Peer {
        if let Some(source) = self.memory.borrow().as_ref().and_then(|memory| memory.source) {
            return Peer::Inet(source);
        }
        match self.subject {
            Subject::Connection(accepted) => accepted.peer,
            Subject::Session(session) => session.peer,
            Subject::Caller(caller) => caller.peer,
        }
    }

    /// The session; before there is one, none.
    fn session(&self) -> Option<&'a Session> {
        match self.subject {
            Subject::Connection(_) | Subject::Caller(_) => None,
            Subject::Session(session) => Some(session),
        }
    }

    /// The address that the client connected to, as its PROXY header or a rule has it.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        if let Some(destination) = self.memory.borrow().as_ref().and_then(|memory| memory.destination) {
            return Some(destination);
        }
        match self.subject {
            Subject::Connection(accepted) => accepted.local(),
            Subject::Session(session) => session.local(),
            Subject::Caller(caller) => caller.local,
        }
    }

    /// The session's unique id, made when it is first asked for; `None` without a format for it.
    fn unique_id(&self) -> Option<Value<'static>> {
        let session = self.session()?;
        let made = self.memory.borrow().as_ref().map(|memory| memory.unique_id.clone());
        match made.unwrap_or_default() {
            UniqueId::Made(id) => return Some(Value::owned(id.into_vec())),
            UniqueId::Making => return None, // it is a part of itself
            UniqueId::NotMade => {}
        }
        if !session.has_unique_id(&self.shard.shared) {
            return None;
        }
        self.remember(|memory| memory.unique_id = UniqueId::Making);
        let mut id = Vec::new();
        self.shard.shared.journal.unique_id(&session.record(&self.shard.shared), self, &mut id);
        self.remember(|memory| memory.unique_id = UniqueId::Made(id.clone().into_boxed_slice()));
        Some(Value::owned(id))
    }

    /// The unique id; empty without a format for it.
    pub(super) fn id(&self) -> Vec<u8> {
        self.unique_id().map(|id| id.into_text().into_owned()).unwrap_or_default()
    }

    /// Notes the rule that has decided; before there is a session none is noted.
    pub(super) fn decided(&self, file: u16, line: u32) {
        if let Some(session) = self.session() {
            session.last_rule.set(RulePlace::new(file, line));
        }
    }

    /// What was kept for the log, by its place.
    fn captured(&self, side: Side, args: &[Arg]) -> Option<Value<'static>> {
        let [Arg::Int(slot), ..] = args else { return None };
        let memory = self.memory.borrow();
        let kept = memory.as_ref()?.captures.get(side, usize::try_from(*slot).ok()?)?;
        Some(Value::owned(kept.to_vec()))
    }

    /// The variables of the process.
    fn process(&self) -> &'a Arc<Variables> {
        &self.shard.shared.pool.variables
    }

    /// Whether variables of a scope can be set now: those of requests until the server is connected, those of responses after
    /// that, and none of either before there is a session (asked of 2.6.12).
    fn has_scope(&self, scope: Scope) -> bool {
        let answers = self.session().map(|session| matches!(session.step, Step::Relaying));
        match scope {
            Scope::Process | Scope::Session => true,
            Scope::Transaction => answers.is_some(),
            Scope::Request => answers == Some(false),
            Scope::Response => answers == Some(true),
            Scope::Check => false,
        }
    }

    /// The place of the rule that waits for a name, if one does, and is there (it may not be, after a reload).
    pub(super) fn awaited(&self, is_there: impl FnOnce(usize) -> bool) -> Option<usize> {
        let mut memory = self.memory.borrow_mut();
        let awaited = &mut memory.as_mut()?.awaited;
        let at = awaited.as_ref()?.0;
        if is_there(at) {
            return Some(at);
        }
        *awaited = None;
        None
    }

    /// What has the session go on.
    pub(super) fn waker(&self) -> Option<Waker> {
        self.session()?.waker.clone()
    }

    /// Changes what rules leave.
    pub(super) fn remember(&self, change: impl FnOnce(&mut Memory)) {
        let made = || Box::new(Memory::new(Arc::clone(self.process())));
        change(self.memory.borrow_mut().get_or_insert_with(made));
    }
}

impl Facts for View<'_> {
    fn known(&self, fetch: Known, args: &[Arg]) -> Fetched<'_> {
        let of_process = || self.shard.shared.pool.fact(fetch, args, clock::coarse());
        let found = match fetch {
            Known::UniqueId => self.unique_id(),
            Known::CaptureReqHdr => self.captured(Side::Request, args),
            Known::CaptureResHdr => self.captured(Side::Response, args),
            Known::ScKey => args.first().and_then(Arg::int).and_then(|number| self.tracked_key(number)),
            Known::ScKey0 => self.tracked_key(0),
            Known::ScKey1 => self.tracked_key(1),
            Known::ScKey2 => self.tracked_key(2),
            _ => self.of_client(fetch, args).or_else(|| self.of_session(fetch, args)).or_else(of_process),
        };
        Fetched::known(found)
    }

    fn tell(&self, sink: &str, message: &[u8]) {
        self.shard.shared.journal.tell(sink, message);
    }

    fn capture(&self, side: Side, slot: i64, text: &[u8]) -> Option<()> {
        self.session()?;
        let slot = usize::try_from(slot).ok()?;
        let most = *self.seat().proxy()?.2.captures.of(side).get(slot)?;
        let kept = text.get(..most as usize).unwrap_or(text).into();
        self.remember(|memory| memory.captures.keep(side, slot, kept));
        Some(())
    }

    fn is(&self, occasion: Occasion) -> bool {
        match (occasion, self.subject) {
            (Occasion::Stopping, _) => self.shard.shared.pool.process.stopping.load(Ordering::Relaxed),
            (_, Subject::Connection(_)) => false,
            (Occasion::Error, Subject::Session(session)) => session.is_troubled(),
            (Occasion::Forwarded | Occasion::Processed, Subject::Session(session)) => {
                session.connect_time.get().is_some()
            }
            (Occasion::Applet, Subject::Session(_)) | (Occasion::Forwarded, Subject::Caller(_)) => false,
            (Occasion::Error, Subject::Caller(caller)) => !matches!(caller.outcome, Outcome::Answered),
            (Occasion::Applet | Occasion::Processed, Subject::Caller(caller)) => {
                matches!(caller.outcome, Outcome::Answered)
            }
        }
    }

    fn buffer(&self, side: Side) -> Option<Buffer<'_>> {
        let session = self.session()?;
        let flow = match side {
            Side::Request => &session.up,
            Side::Response => &session.down,
        };
        let room = room(self.shard);
        let bytes = flow.held_bytes();
        Some(Buffer { bytes, more: self.waits && !flow.ended && bytes.len() < room, room })
    }

    fn counter(&self, counter: &Counter) -> Option<i64> {
        self.counted(counter)
    }

    fn table(&self, table: &TableRef, key: &Value<'_>, asked: Asked) -> Option<i64> {
        self.asked(table, key, asked)
    }

    fn variable(&self, name: &VarName) -> Option<Value<'_>> {
        match name.scope() {
            Scope::Process => Some(self.process().get(name.name())?.borrowed().into_owned()),
            _ => self.memory.borrow().as_ref()?.variable(name),
        }
    }

    fn variable_exists(&self, name: &VarName) -> bool {
        match name.scope() {
            Scope::Process => self.process().exists(name.name()),
            _ => self.variable(name).is_some(),
        }
    }

    fn set_variable(&self, name: &VarName, value: Option<Value<'_>>) {
        if !self.has_scope(name.scope()) {
            return;
        }
        match value {
            value if name.scope() == Scope::Process => _ = self.process().set(name.name(), value),
            Some(value) => self.remember(|memory| memory.set(name, value.into_owned())),
            None => {
                if let Some(memory) = self.memory.borrow_mut().as_mut() {
                    memory.unset(name);
                }
            }
        }
    }

    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn random(&self) -> u64 {
        self.shard.random()
    }

    fn local(&self, at: i64) -> (i32, &str) {
        crate::sys::local_time(at)
    }

    fn usable_servers(&self, backend: &[u8]) -> Option<i64> {
        self.shard.shared.pool.usable_servers(backend)
    }

    fn server_queue(&self, server: &[u8]) -> Option<i64> {
        let own = self.session().map(|session| session.back);
        self.shard.shared.pool.server_queue(own, server)
    }

    fn server_is_up(&self, server: &[u8]) -> Option<bool> {
        let own = self.session().map(|session| session.back);
        self.shard.shared.pool.server_is_up(own, server)
    }

    fn frontend_exists(&self, frontend: &[u8]) -> Option<bool> {
        Some(self.shard.shared.pool.frontend_exists(frontend))
    }

    fn waiting(&self) -> bool {
        self.waits
    }
}

/// Most bytes that rules look at: a buffer without the room that `tune.maxrewrite` keeps free.
pub(super) fn room(shard: &Shard) -> usize {
    let global = &shard.shared.pool.config.global;
    let buffer = global.bufsize.unwrap_or(BUFSIZE);
    let kept = global.maxrewrite.unwrap_or(MAXREWRITE).min(buffer / 2);
    (buffer - kept) as usize
}
