//! The traits by which `engine` and `report` use each other without knowing each other.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use super::{Cause, HttpRecord, Phase, SessionRecord};
use crate::expr::{Facts, Template};
use crate::ir::{AdminLevel, Level, ProxyIx, ServerIx, SeverityOutput};
use crate::units::Millis;

/// Where log lines go. `report` implements it, `engine` calls it; a call never blocks.
pub trait Journal: Send + Sync {
    /// A connection was accepted on a proxy without `option *log`: the default short line.
    fn accepted(&self, record: &SessionRecord);
    /// A session ended, or its server was connected and that is when its line is due ([`crate::ir::LogMoment`]). `facts`:
    /// what the expressions of formats look at, here and below.
    fn session(&self, record: &SessionRecord, facts: &dyn Facts);
    /// A connection failed before there was a session. `told`: the `bind` line's name, or its id where it has none, and
    /// what the default line says of the failure.
    fn refused(&self, record: &SessionRecord, facts: &dyn Facts, told: (&str, &str));
    /// Makes the session's unique id and adds it to `out`; nothing without `unique-id-format`.
    fn unique_id(&self, record: &SessionRecord, facts: &dyn Facts, out: &mut Vec<u8>);
    /// Adds what a text with variables of logs is for the session now.
    fn text(&self, text: &Template, record: &SessionRecord, facts: &dyn Facts, out: &mut Vec<u8>);
    /// A request of the statistics page was answered.
    fn request(&self, record: &HttpRecord, facts: &dyn Facts);
    /// Something happened to a proxy or server. Goes to the proxy's (or the process's) targets, and to stderr while
    /// the process is in the foreground and not quiet.
    fn event(&self, proxy: Option<ProxyIx>, level: Level, message: &str);
    /// An expression tells a sink of a value: a ring, 'stdout' or 'stderr'.
    fn tell(&self, _sink: &str, _message: &[u8]) {}
    /// Lines that could not be sent since the start.
    fn lost(&self) -> u64;
}

/// A request for a statistics page.
pub struct PageRequest<'a> {
    /// The proxy it came in on.
    pub proxy: ProxyIx,
    /// `GET`, `HEAD`, `POST`…
    pub method: &'a str,
    /// Path and query as received.
    pub target: &'a str,
    /// Looks a header up by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a [u8]>,
    /// Body, at most what a form needs (16 KiB).
    pub body: &'a [u8],
    /// The client.
    pub client: Option<SocketAddr>,
}

/// What is answered.
#[derive(Debug)]
pub struct PageReply {
    /// Status code.
    pub status: u16,
    /// Headers besides `Content-Length` and `Connection`.
    pub headers: Vec<(&'static str, String)>,
    /// Body, if it comes whole.
    pub body: Vec<u8>,
    /// Body, if it is made while it is sent; its length is not known then.
    pub report: Option<Report>,
}

/// The statistics page. `report` implements it, `engine` serves it.
pub trait Page: Send + Sync {
    /// Answers one request; `None`: not a request for the page of this proxy.
    fn answer(&self, request: &PageRequest<'_>) -> Option<PageReply>;
}

/// What a runtime command answers.
#[derive(Debug)]
pub enum Reply {
    /// What was asked for, without the blank line that ends a reply.
    Text(String),
    /// An order was carried out; there is nothing to say.
    Done,
    /// A remark, how grave it is, without the blank line: an error, or help for people.
    Remark(Level, String),
    /// Remarks are told with how grave they are, from now on or no longer.
    Severity(SeverityOutput),
    /// The session ends.
    Quit,
    /// How the conversation goes on.
    Prompt(Manner),
    /// The session's idle time limit from now on.
    Timeout(Millis),
    /// The session's rights are these from now on, if it had more; expert and experimental mode end.
    Level(AdminLevel),
    /// Expert or experimental mode begins or ends, or is told.
    Freedom(Freedom, Option<bool>),
    /// A command that only such a session may use.
    Restricted(Freedom, Later),
    /// A report that is made in pieces, each when the one before it was sent, and none so large that others wait for it.
    Pieces(Report),
    /// A report that goes on as things happen, until the client types something.
    Follow(Report),
    /// The listening sockets, in the format of `_getsocks`.
    Sockets,
    /// Live sessions, each as [`Commands::list`] shows it.
    Sessions(SessionsAsked),
    /// One session ends, by its number.
    EndSession(u64),
    /// What may take its time: to be called on a thread that serves nobody.
    Aside(Later),
    /// To be looked at again and again until there is an answer, or else for so long.
    Wait(Millis, Look),
}

/// A command that is to be run elsewhere.
pub struct Later(pub Box<dyn FnOnce() -> Reply + Send>);

/// What a command waits for: the answer, or what is answered when the time is up.
pub struct Look(pub Box<dyn FnMut(bool) -> Option<Reply> + Send>);

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look")
    }
}

/// How a conversation goes on after a line is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// With prompts if it was without, without if it was with.
    Toggled,
    /// It ends.
    OneLine,
    /// It goes on without a prompt.
    Silent,
    /// It goes on with a prompt.
    Prompts,
}

/// What a session must have asked for before it may use some commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freedom {
    /// `expert-mode on`.
    Expert,
    /// `experimental-mode on`.
    Experimental,
}

impl Freedom {
    /// Its name in commands, before `-mode`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expert => "expert",
            Self::Experimental => "experimental",
        }
    }
}

/// A report in pieces: each call adds one to the text and says whether there is more. A piece takes a bounded time and has 64 KiB or so
/// at most.
pub struct Report(Box<dyn FnMut(&mut String) -> bool + Send>);

impl Report {
    /// A report that `piece` makes.
    pub fn new(piece: impl FnMut(&mut String) -> bool + Send + 'static) -> Self {
        Self(Box::new(piece))
    }

    /// Adds the next piece to `out`; `false`: it was the last one.
    pub fn next(&mut self, out: &mut String) -> bool {
        (self.0)(out)
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Report")
    }
}

/// Which live sessions are asked for, and how they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionsAsked {
    /// The one of this number.
    pub only: Option<u64>,
    /// Those that are older.
    pub older: Option<Millis>,
    /// Those of this frontend.
    pub frontend: Option<ProxyIx>,
    /// Those of this backend.
    pub backend: Option<ProxyIx>,
    /// Those of this server of the backend.
    pub server: Option<ServerIx>,
    /// With all that is known of each.
    pub detailed: bool,
}

impl SessionsAsked {
    /// Whether a session is meant; its number is not looked at.
    pub fn means(&self, session: &SessionInfo) -> bool {
        let record = &session.record;
        self.older.is_none_or(|age| record.timers.total > age.get())
            && self.frontend.is_none_or(|wanted| wanted == record.frontend)
            && self.backend.is_none_or(|wanted| wanted == record.backend)
            && self.server.is_none_or(|wanted| Some(wanted) == record.server)
    }
}

/// The runtime commands. `report` implements it, `engine` serves it.
pub trait Commands: Send + Sync {
    /// Runs one command (the text between separators, with its escapes) with these rights. `payload`: the lines behind it, if
    /// it announced some; who takes none passes over them.
    fn run(&self, command: &str, payload: Option<&str>, level: AdminLevel) -> Reply;
    /// Adds one session of a [`Reply::Sessions`] to `out`: its line, or all that is known.
    fn list(&self, session: &SessionInfo, detailed: bool, out: &mut String);
}

/// Which sessions to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// All sessions of a server.
    Server(ProxyIx, ServerIx),
    /// All sessions on backup servers of a backend.
    Backups(ProxyIx),
    /// One session by its number.
    Session(u64),
    /// All of a frontend.
    Frontend(ProxyIx),
    /// All.
    All,
}

/// One live session, as a list shows it.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// Number, unique in the process.
    pub id: u64,
    /// What its log line would say now; with all addresses if all that is known is asked for.
    pub record: SessionRecord,
    /// Thread that owns it.
    pub thread: u32,
    /// What it does: waits in a queue, connects, moves data.
    pub phase: Phase,
    /// Bytes from client to server and from server to client so far.
    pub bytes: (u64, u64),
    /// Descriptors of the client's and the server's connection.
    pub descriptors: (i32, Option<i32>),
    /// The address it came in on, by its place among those of the frontend.
    pub bind: Option<usize>,
    /// Milliseconds to the first time limit that it may reach; `None`: it has none.
    pub expires: Option<u64>,
}

/// What can be done to a running engine. `engine` implements it; `report` and `process` call it.
pub trait Control: Send + Sync {
    /// Ends sessions; they are logged with `cause`. Those of a server and those on backups are spread over
    /// `close-spread-time`.
    fn close(&self, which: Closing, cause: Cause);
    /// Stops accepting on a frontend (or all) without touching sockets that another process may share.
    fn pause(&self, frontend: Option<ProxyIx>);
    /// Closes the addresses of a frontend for good.
    fn stop(&self, frontend: ProxyIx);
    /// Sessions of a backend are to be rebalanced, or no longer ([`super::Pool::rebalancing`]).
    fn rebalance(&self);
    /// A server was added: its check and its agent are to be asked.
    fn servers_changed(&self);
    /// A limit was raised: who waits for room is to look again.
    fn make_room(&self);
    /// Accepts again.
    fn resume(&self, frontend: Option<ProxyIx>);
    /// Leaves what waits on the listening sockets to a process that shares them, or accepts it again. The sockets stay open.
    fn yield_listeners(&self, yields: bool);
    /// Closes the listeners; returns at once. The engine ends when the last session has ended.
    fn soft_stop(&self);
    /// Ends everything now, without a word.
    fn hard_stop(&self);
    /// The end of a soft stop comes near: what is left ends evenly over `time`, as [`Control::cut`] would end it.
    fn thin_out(&self, time: Millis);
    /// Ends a soft stop that took too long: what is cut is told and logged.
    fn cut(&self);
    /// Connections that each serving thread has.
    fn loads(&self) -> Vec<u32> {
        Vec::new()
    }
    /// Addresses that could not be listened on again at the last [`Control::resume`].
    fn deaf(&self) -> u32 {
        0
    }
    /// Copies of all listening sockets, for a process that takes over.
    fn listeners(&self) -> std::io::Result<Vec<OwnedFd>>;
}
