//! A session in words that mean the same in another process: what is sent of it besides its descriptors.
//!
//! Moments count from the system's monotonic origin, which all processes of a machine share. Field names are part of the
//! handover's format: a change that an older process cannot read needs another `handover::wire::VERSION`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::left::LeftState;
use crate::engine::closing::Due;
use crate::engine::dispatch::{Step, TURN_AROUND};
use crate::engine::placing::Placing;
use crate::engine::proxy_header::Announced;
use crate::engine::relay::Flow;
use crate::engine::rules::Inspection;
use crate::engine::session::Session;
use crate::pool::{Cause, Peer, Pool};
use crate::units::{Millis, Tick};

/// Dates after this one are no dates: the end of the year 9999, in microseconds.
const LAST_DATE: u64 = 253_402_300_799_000_000;

/// No session has moved more bytes, and no process has served more sessions.
const MOST: u64 = 1 << 56;
/// No queue has been longer.
const MOST_WAIT: u32 = 1 << 24;

/// Where a session belongs, by names: it moves if the other configuration has all of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lane {
    /// Its frontend's name.
    pub frontend: String,
    /// Where its frontend listens for it.
    pub listener: String,
    /// Its backend's name; empty: it has none yet.
    pub backend: String,
    /// Its server, where it has one.
    pub server: Option<String>,
    /// Where it is connected to, or about to be: the server's address, or that of `dispatch`.
    pub address: Option<String>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionState {
    /// Its place among the [`Lane`]s that were named before.
    pub lane: u32,
    /// Its number for the log, counted from 0.
    pub number: u64,
    /// When it was taken out of its thread, ms: from then on nobody serves it.
    pub frozen: u64,
    /// How far it has come.
    pub stage: Stage,
    /// From client to server.
    pub up: FlowState,
    /// From server to client.
    pub down: FlowState,
    /// The client.
    pub peer: PeerState,
    /// What its PROXY header said.
    pub announced: Option<AnnouncedState>,
    /// When it was accepted, by the calendar: microseconds since 1970.
    pub wall: u64,
    /// When it was accepted, ms.
    pub accepted: u64,
    /// When its present step began, ms.
    pub since: u64,
    /// When bytes last moved from or to the client, ms.
    pub client_seen: u64,
    /// When bytes last moved from or to the server, ms.
    pub server_seen: u64,
    /// A time limit that cut one side: `c` or `s`.
    pub blame: Option<u8>,
    /// Bytes of both directions that the counters have already.
    pub counted: (u64, u64),
    /// Whether its log line is written.
    pub logged: bool,
    /// Whether a retry went to another server.
    pub redispatched: bool,
    /// Attempts to connect that were repeated.
    pub retries: u32,
    /// Time in queues, ms.
    pub queue_time: Option<u32>,
    /// Time to connect, ms.
    pub connect_time: Option<u32>,
    /// Places in the server's and in the backend's queue.
    pub places: (u32, u32),
    /// Its unique id, if it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<Vec<u8>>,
    /// Whether rules gave it its server, and whether no other will do.
    #[serde(default)]
    pub kept: (bool, bool),
    /// The number that balancing goes by, of one that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<u32>,
    /// The server in whose queue it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<String>,
    /// An order to end it whose time has not come: when that is, ms, and its cause as `D`, `U` or `K`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<(u64, u8)>,
    /// What rules have left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<LeftState>,
    /// Rules about what its server sends have not decided yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answering: bool,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Bytes move.
    Relaying,
    /// The connection to its server is on its way.
    Connecting,
    /// It waits that many ms before it tries its server again.
    Pausing(u32),
    /// It waits for a server to have room.
    Queued,
    /// Rules look at what its client sends: whether those of its backend, and whether the time to wait for more is over.
    Inspecting(bool, bool),
}

/// One direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FlowState {
    /// Bytes that the sender has sent.
    pub bytes: u64,
    /// Bytes that were read and not written yet, which come with the message.
    pub held: u32,
    /// Whether a pipe comes with it, for bytes that were read and not written yet.
    pub pipe: bool,
    /// The sender has ended.
    pub ended: bool,
    /// The receiver knows.
    pub told: bool,
}

/// The client of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerState {
    /// TCP.
    Inet(SocketAddr),
    /// A unix socket, and the listener's id.
    Unix(u32),
}

/// What a PROXY header said besides the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedState {
    /// The address that the client connected to.
    pub destination: Option<SocketAddr>,
    /// The host name that it asked for.
    pub authority: Option<Vec<u8>>,
    /// The name that the sender gave the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<Vec<u8>>,
    /// What else the header said, if it is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tlvs: Vec<u8>,
    /// When the header had come, ms.
    pub begun: u64,
    /// Whether it was a PROXY header.
    #[serde(default)]
    pub proxied: bool,
}

impl SessionState {
    /// What a session is now. `None` while it is between two steps: it is not to be moved then.
    pub(super) fn of(session: &Session) -> Option<Self> {
        let stage = match &session.step {
            Step::Relaying => Stage::Relaying,
            Step::Connecting => Stage::Connecting,
            Step::Pausing(pause) => Stage::Pausing(pause.get()),
            Step::Queued(_) => Stage::Queued,
            Step::Inspecting(inspection) if inspection.lost.is_none() => {
                Stage::Inspecting(inspection.of_backend, inspection.late)
            }
            Step::Start | Step::Inspecting(_) | Step::Elsewhere(_) | Step::Again | Step::Requeue(..) => return None,
        };
        Some(Self {
            lane: 0,
            number: session.number,
            frozen: 0,
            stage,
            up: FlowState::of(&session.up),
            down: FlowState::of(&session.down),
            peer: session.peer.into(),
            announced: session.announced.as_deref().map(AnnouncedState::from),
            wall: session.wall,
            accepted: session.accepted.millis(),
            since: session.since.millis(),
            client_seen: session.client_seen.millis(),
            server_seen: session.server_seen.millis(),
            blame: session.blame.map(|cause| cause as u8),
            counted: session.counted.as_deref().copied().unwrap_or_default(),
            logged: session.placing.is(Placing::LOGGED),
            redispatched: session.placing.is(Placing::REDISPATCHED),
            retries: session.retries,
            queue_time: session.queue_time.get(),
            connect_time: session.connect_time.get(),
            places: (session.server_queue, session.backend_queue),
            unique_id: session.memory.as_ref().and_then(|memory| memory.made_id().map(<[u8]>::to_vec)),
            kept: (session.placing.is(Placing::DIRECT), session.placing.is(Placing::FORCED)),
            hash: None,
            wants: None,
            due: None,
            left: session.memory.as_deref().and_then(LeftState::of),
            answering: session.placing.is(Placing::ANSWERING),
        })
    }

    /// When it is to end by an order that was given before.
    pub(super) fn due(&self) -> Option<Due> {
        let (at, cause) = self.due?;
        let cause = match cause {
            b'D' => Cause::Down,
            b'U' => Cause::Up,
            _ => Cause::Killed,
        };
        Some(Due { at: Tick::from_millis(at), cause })
    }

    /// The same with numbers that can be: what another process says is not trusted.
    #[must_use]
    pub(super) fn bounded(mut self) -> Self {
        for flow in [&mut self.up, &mut self.down] {
            flow.bytes = flow.bytes.min(MOST);
        }
        if let Stage::Pausing(pause) = &mut self.stage {
            *pause = (*pause).min(TURN_AROUND.get());
        }
        self.number = self.number.min(MOST);
        self.wall = self.wall.min(LAST_DATE);
        self.counted = (self.counted.0.min(self.up.bytes), self.counted.1.min(self.down.bytes));
        self.places = (self.places.0.min(MOST_WAIT), self.places.1.min(MOST_WAIT));
        self
    }

    /// Puts it into a session that was made for it. No moment is later than `now`.
    pub(super) fn restore(&self, session: &mut Session, pool: &Pool, now: Tick) {
        let tick = |millis: u64| Tick::from_millis(millis).min(now);
        session.number = self.number;
        session.wall = self.wall;
        session.accepted = tick(self.accepted);
        session.since = tick(self.since);
        session.client_seen = tick(self.client_seen);
        session.server_seen = tick(self.server_seen);
        session.blame = match self.blame {
            Some(b'c') => Some(Cause::ClientTimeout),
            Some(b's') => Some(Cause::ServerTimeout),
            _ => None,
        };
        if session.counted.is_some() || self.counted != (0, 0) {
            session.counted = Some(Box::new(self.counted));
        }
        session.placing.set(Placing::LOGGED, self.logged);
        session.placing.set(Placing::REDISPATCHED, self.redispatched);
        session.placing.set(Placing::DIRECT, self.kept.0);
        session.placing.set(Placing::FORCED, self.kept.1);
        session.retries = self.retries;
        session.queue_time = self.queue_time.into();
        session.connect_time = self.connect_time.into();
        (session.server_queue, session.backend_queue) = self.places;
        session.memory = self.left.as_ref().map(|left| left.restore(&pool.variables, &pool.tables));
        session.placing.set(Placing::ANSWERING, self.answering && self.stage == Stage::Relaying);
        session.placing.set(Placing::ENTERED, self.is_entered());
        session.placing.set(Placing::RULED, !matches!(self.stage, Stage::Inspecting(..)));
        session.step = match self.stage {
            Stage::Relaying => Step::Relaying,
            Stage::Connecting => Step::Connecting,
            Stage::Pausing(pause) => Step::Pausing(Millis::new(pause).unwrap_or(Millis::ZERO)),
            Stage::Inspecting(of_backend, late) => Step::Inspecting(Inspection { late, ..Inspection::new(of_backend) }),
            Stage::Queued => Step::Start, // what it got in the queue here is said by whoever asked there
        };
    }

    /// Descriptors that come with it: the client's, the server's, two for each pipe.
    pub fn descriptors(&self) -> usize {
        1 + usize::from(self.has_server()) + 2 * (usize::from(self.up.pipe) + usize::from(self.down.pipe))
    }

    /// Whether its backend counts it.
    pub fn is_entered(&self) -> bool {
        !matches!(self.stage, Stage::Inspecting(false, _))
    }

    /// Whether its server is chosen.
    pub fn has_target(&self) -> bool {
        !matches!(self.stage, Stage::Queued | Stage::Inspecting(..))
    }

    /// Whether it has a connection to its server, or one that is on its way.
    pub fn has_server(&self) -> bool {
        matches!(self.stage, Stage::Relaying | Stage::Connecting)
    }

    /// Bytes that come with it.
    pub fn held(&self) -> usize {
        self.up.held as usize + self.down.held as usize
    }
}

impl FlowState {
    fn of(flow: &Flow) -> Self {
        let (held, pipe) = flow.held();
        Self { bytes: flow.bytes, held: held as u32, pipe, ended: flow.ended, told: flow.told }
    }
}

impl From<Peer> for PeerState {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Inet(address) => Self::Inet(address),
            Peer::Unix(id) => Self::Unix(id),
        }
    }
}

impl From<PeerState> for Peer {
    fn from(peer: PeerState) -> Self {
        match peer {
            PeerState::Inet(address) => Self::Inet(address),
            PeerState::Unix(id) => Self::Unix(id),
        }
    }
}

impl From<&Announced> for AnnouncedState {
    fn from(announced: &Announced) -> Self {
        Self {
            destination: announced.destination,
            authority: announced.authority.as_deref().map(<[u8]>::to_vec),
            unique_id: announced.unique_id.as_deref().map(<[u8]>::to_vec),
            tlvs: announced.tlvs.to_vec(),
            begun: announced.begun.millis(),
            proxied: announced.proxied,
        }
    }
}

impl From<AnnouncedState> for Announced {
    fn from(state: AnnouncedState) -> Self {
        Self {
            destination: state.destination,
            authority: state.authority.map(Vec::into_boxed_slice),
            unique_id: state.unique_id.map(Vec::into_boxed_slice),
            tlvs: state.tlvs.into_boxed_slice(),
            begun: Tick::from_millis(state.begun),
            proxied: state.proxied,
        }
    }
}
