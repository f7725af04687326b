//! The server side of a proxy: who gets the next session.

use std::net::IpAddr;
use std::task::Waker;

use super::counters::{Counter, Gauge, Rate};
use super::health::{Admin, CheckResult, Event};
use super::state::Times;
use super::{ServerState, ServerStatus};
use crate::ir::{Backend, ServerIx};
use crate::units::Tick;

/// The server side of a proxy.
#[derive(Debug, Default)]
pub struct BackState {
    /// Sessions at once (scur, smax).
    pub sessions: Gauge,
    /// Sessions in its own queue (qcur, qmax).
    pub queue: Gauge,
    /// Sessions ever (stot).
    pub sessions_total: Counter,
    /// Sessions per second.
    pub session_rate: Rate,
    /// Sessions given by balancing (lbtot).
    pub picked_total: Counter,
    /// Bytes from clients (bin).
    pub bytes_in: Counter,
    /// Bytes to clients (bout).
    pub bytes_out: Counter,
    /// Sessions whose connection failed (econ).
    pub connect_errors: Counter,
    /// Answers that failed (eresp).
    pub response_errors: Counter,
    /// Connection attempts that were repeated (wretr).
    pub retries: Counter,
    /// Sessions that went elsewhere instead (wredis).
    pub redispatches: Counter,
    /// Transfers aborted by the client (cli_abrt).
    pub client_aborts: Counter,
    /// Transfers aborted by the server (srv_abrt).
    pub server_aborts: Counter,
    /// HTTP requests ever and answers by class, for the statistics page.
    pub requests_total: Counter,
    /// HTTP answers by class: 1xx to 5xx, other.
    pub answers: [Counter; 6],
    /// Tick of the last session, in milliseconds; 0: none yet.
    pub last_session: Counter,
    /// Averages.
    pub times: Times,
    /// By [`ServerIx`].
    pub servers: Box<[ServerState]>,
}

/// What a session brings when it asks for a server.
#[derive(Debug)]
pub struct Demand<'a> {
    /// The client's address, for `balance source`.
    pub client: Option<IpAddr>,
    /// A server to avoid (a redispatch after it failed).
    pub avoid: Option<ServerIx>,
    /// A random number, for `balance random`.
    pub random: u64,
    /// Woken when a queued session gets its server.
    pub waker: &'a Waker,
}

/// The answer.
#[derive(Debug)]
pub enum Assignment {
    /// This server; its session count includes the session now.
    Server(ServerIx),
    /// All usable servers are full: wait. Poll [`BackState::queued`] when woken.
    Queued(QueueTicket),
    /// No server is usable.
    Unavailable,
    /// The queue is full.
    QueueFull,
}

/// A place in a queue. Give it back by [`BackState::leave_queue`], or it is left for ever.
#[derive(Debug)]
#[must_use]
pub struct QueueTicket {
    /// Number in the queue's slab.
    pub(super) key: usize,
    /// The server whose queue it is, or the backend's own.
    pub server: Option<ServerIx>,
    /// Sessions that were before it when it came.
    pub ahead: u32,
}

impl BackState {
    /// The state of a backend in which nothing has happened yet.
    pub fn new(_back: &Backend, _now: Tick) -> Self {
        Self::default()
    }

    /// Chooses a server for a session and counts it there.
    pub fn assign(&self, _demand: &Demand<'_>, _now: Tick) -> Assignment {
        Assignment::Unavailable
    }

    /// The server that a queued session was given meanwhile (counted there already), if any; the ticket is spent then.
    pub fn queued(&self, _ticket: &QueueTicket) -> Option<ServerIx> {
        None
    }

    /// Takes a session out of its queue: it gave up, or its time ran out. Frees a server it was given meanwhile.
    pub fn leave_queue(&self, _ticket: QueueTicket, _now: Tick) {}

    /// A session has left its server; the next in a queue gets the place and is woken.
    pub fn release(&self, _server: ServerIx, _now: Tick) {}

    /// A check ended: returns what changed. Trackers change with the tracked server.
    pub fn report_check(&self, _server: ServerIx, _result: &CheckResult, _now: Tick) -> Vec<Event> {
        Vec::new()
    }

    /// An administrator's order: returns what changed.
    pub fn set_admin(&self, _server: ServerIx, _admin: Admin, _now: Tick) -> Vec<Event> {
        Vec::new()
    }

    /// What statistics show of a server.
    pub fn status(&self, _server: ServerIx) -> ServerStatus {
        ServerStatus::Unchecked
    }
}
