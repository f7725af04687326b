//! The traits by which `engine` and `report` use each other without knowing each other.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use super::{Cause, HttpRecord, Phase, SessionRecord};
use crate::ir::{AdminLevel, Level, ProxyIx, ServerIx, SeverityOutput};
use crate::units::Millis;

/// Where log lines go. `report` implements it, `engine` calls it; a call never blocks.
pub trait Journal: Send + Sync {
    /// A connection was accepted on a proxy without `option *log`: the default short line.
    fn accepted(&self, record: &SessionRecord);
    /// A session ended, or its server was connected and that is when its line is due ([`crate::ir::LogMoment`]).
    fn session(&self, record: &SessionRecord);
    /// A connection failed before there was a session: `why` is what the default line says of it; `listener` is the
    /// `bind` line's name, or its id where it has none.
    fn refused(&self, record: &SessionRecord, listener: &str, why: &str);
    /// Adds the session's unique id to `out`; nothing without `unique-id-format`.
    fn unique_id(&self, record: &SessionRecord, out: &mut Vec<u8>);
    /// A request of the statistics page was answered.
    fn request(&self, record: &HttpRecord);
    /// Something happened to a proxy or server. Goes to the proxy's (or the process's) targets, and to stderr while
    /// the process is in the foreground and not quiet.
    fn event(&self, proxy: Option<ProxyIx>, level: Level, message: &str);
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageReply {
    /// Status code.
    pub status: u16,
    /// Headers besides `Content-Length` and `Connection`.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
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
    /// From now on the session is interactive, or no longer.
    Prompt,
    /// The session's idle time limit in seconds from now on.
    Timeout(u32),
    /// The listening sockets, in the format of `_getsocks`.
    Sockets,
    /// The live sessions, or one of them by its number; each as [`Commands::list`] shows it.
    Sessions(Option<u64>),
    /// One session ends, by its number.
    EndSession(u64),
    /// What takes too long for a thread that serves.
    Later(Later),
}

/// Makes a reply's text; others may be asked meanwhile.
pub struct Later(pub Box<dyn FnOnce() -> String + Send>);

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Later")
    }
}

/// The runtime commands. `report` implements it, `engine` serves it.
pub trait Commands: Send + Sync {
    /// Runs one command (the text between separators) with these rights.
    fn run(&self, command: &str, level: AdminLevel) -> Reply;
    /// Adds the line of one session of a [`Reply::Sessions`] to `out`.
    fn list(&self, session: &SessionInfo, out: &mut String);
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
    /// What its log line would say now.
    pub record: SessionRecord,
    /// Thread that owns it.
    pub thread: u32,
    /// What it does: waits in a queue, connects, moves data.
    pub phase: Phase,
    /// Bytes from client to server and from server to client so far.
    pub bytes: (u64, u64),
    /// Descriptors of the client's and the server's connection.
    pub descriptors: (i32, Option<i32>),
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
    /// Copies of all listening sockets, for a process that takes over.
    fn listeners(&self) -> std::io::Result<Vec<OwnedFd>>;
}
