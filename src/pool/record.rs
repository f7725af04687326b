//! What is remembered of one session for its log line and the counters.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::Pool;
use crate::ir::{Level, ProxyIx, ServerIx};

/// How urgent a session's line is, as a rule has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// This level.
    Level(Level),
    /// Nothing is logged.
    Silent,
}

/// The other end of a client connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// TCP.
    Inet(SocketAddr),
    /// A unix socket; the number is the listener's id, as haproxy prints it (`unix:1`).
    Unix(u32),
}

/// First letter of a termination state: who or what ended the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Cause {
    /// Both sides ended it normally.
    #[default]
    Normal = b'-',
    /// The client aborted or reset.
    Client = b'C',
    /// The server aborted, reset or refused.
    Server = b'S',
    /// The proxy refused it.
    Proxy = b'P',
    /// Served by the proxy itself (statistics).
    Local = b'L',
    /// A resource was exhausted.
    Resource = b'R',
    /// An internal error.
    Internal = b'I',
    /// Cut because its server went down.
    Down = b'D',
    /// Cut because a server came up and it was on a backup.
    Up = b'U',
    /// Cut by an administrator.
    Killed = b'K',
    /// The client's time ran out.
    ClientTimeout = b'c',
    /// The server's time ran out.
    ServerTimeout = b's',
}

/// Second letter of a termination state: what the session was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Phase {
    /// Done.
    #[default]
    Done = b'-',
    /// Waiting for the client's request.
    Request = b'R',
    /// Waiting in a queue.
    Queue = b'Q',
    /// Connecting to the server.
    Connect = b'C',
    /// Waiting for the server's headers.
    Headers = b'H',
    /// Moving data.
    Data = b'D',
    /// Sending the last data to the client.
    Last = b'L',
    /// Held in a tarpit.
    Tarpit = b'T',
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Termination {
    /// Who or what.
    pub cause: Cause,
    /// While doing what.
    pub phase: Phase,
}

/// Durations of a session in milliseconds; `None` where the session did not come so far (logged as -1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timers {
    /// Waiting in queues (Tw).
    pub queue: Option<u32>,
    /// Connecting (Tc).
    pub connect: Option<u32>,
    /// From accept to the end (Tt).
    pub total: u32,
    /// Handshakes before the session, a PROXY header's among them (Th).
    pub handshake: u32,
}

/// One ended session.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// The client.
    pub client: Peer,
    /// Its number in the process, counted from 0.
    pub number: u64,
    /// The address it connected to, where a line shows it.
    pub local: Option<SocketAddr>,
    /// Our end of the server's connection, where a format shows it.
    pub source: Option<Peer>,
    /// The server's end of it, where a format shows it.
    pub destination: Option<Peer>,
    /// When it was accepted.
    pub accepted: SystemTime,
    /// The frontend.
    pub frontend: ProxyIx,
    /// The backend, if one was chosen.
    pub backend: ProxyIx,
    /// The server, if one was chosen.
    pub server: Option<ServerIx>,
    /// Durations.
    pub timers: Timers,
    /// Bytes from server to client (what haproxy logs as bytes_read).
    pub bytes_out: u64,
    /// Bytes from client to server.
    pub bytes_in: u64,
    /// How it ended.
    pub termination: Termination,
    /// Whether it has; if not, its line is written while it goes on (`option logasap`).
    pub ended: bool,
    /// Sessions of the process when this one was logged.
    pub process_sessions: u32,
    /// Sessions of the frontend.
    pub frontend_sessions: u32,
    /// Sessions of the backend.
    pub backend_sessions: u32,
    /// Sessions of the server.
    pub server_sessions: u32,
    /// Connection attempts that were repeated.
    pub retries: u32,
    /// Whether a retry went to another server: logged as `+` before the retries.
    pub redispatched: bool,
    /// Sessions before it in the server's queue.
    pub server_queue: u32,
    /// Sessions before it in the backend's queue.
    pub backend_queue: u32,
    /// What a rule says of the level of its line.
    pub level: Option<Urgency>,
}

impl SessionRecord {
    /// Of a connection that has no server, and of which nothing else is known yet: its backend is its frontend.
    pub fn without_server(pool: &Pool, proxy: ProxyIx, client: Peer, accepted: SystemTime) -> Self {
        Self {
            client,
            number: 0,
            local: None,
            source: None,
            destination: None,
            accepted,
            frontend: proxy,
            backend: proxy,
            server: None,
            timers: Timers::default(),
            bytes_out: 0,
            bytes_in: 0,
            termination: Termination::default(),
            ended: false,
            process_sessions: pool.process.connections.get(),
            frontend_sessions: pool.front(proxy).map_or(0, |front| front.sessions.get()),
            backend_sessions: 0,
            server_sessions: 0,
            retries: 0,
            redispatched: false,
            server_queue: 0,
            backend_queue: 0,
            level: None,
        }
    }
}

/// One answered request of the statistics page.
#[derive(Debug, Clone)]
pub struct HttpRecord {
    /// The connection's part.
    pub session: SessionRecord,
    /// Status code; 0 when none was sent.
    pub status: u16,
    /// Request line as received, or `<BADREQ>`.
    pub request: String,
    /// Time to receive the request, ms.
    pub request_time: Option<u32>,
}
