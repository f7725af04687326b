//! The state of a process, its proxies, listeners and servers.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock, RwLock};

use super::added::{LineReader, Tenure};
use super::counters::{Counter, Gauge, Rate, Times};
use super::lines::ChangedLine;
use super::peers::PeersState;
use super::rates::RateLimits;
use super::resolution::Resolution;
use super::tables::Tables;
use super::{BackState, SourcePorts, Variables, track};
use crate::ir::{Config, ProxyIx, TrackRef};
use crate::units::Tick;

/// The state of one running configuration.
#[derive(Debug)]
pub struct Pool {
    /// What runs.
    pub config: Arc<Config>,
    /// By [`ProxyIx`].
    pub proxies: Box<[ProxyState]>,
    /// Of the whole process.
    pub process: ProcessState,
    /// What is known of name servers.
    pub resolution: Resolution,
    /// The variables of the process.
    pub variables: Arc<Variables>,
    /// Stick tables.
    pub tables: Tables,
    /// What is known of peers.
    pub peers: PeersState,
    /// Who tracks whom: tracked and tracker, sorted.
    pub(super) trackers: RwLock<Vec<(TrackRef, TrackRef)>>,
    /// Who reads the lines of servers that are added.
    pub(super) reader: OnceLock<Arc<dyn LineReader>>,
}

impl Pool {
    /// The state of a configuration in which nothing has happened yet.
    pub fn new(config: Arc<Config>, now: Tick) -> Self {
        let proxies = config
            .proxies
            .iter()
            .enumerate()
            .map(|(ix, proxy)| ProxyState {
                front: proxy.frontend.as_ref().map(|front| FrontState::new(proxy.disabled, front)),
                back: proxy
                    .backend
                    .as_ref()
                    .map(|back| BackState::new(back, track::fullconn(&config, ProxyIx(ix as u32), 0), now)),
            })
            .collect();
        let trackers = RwLock::new(track::pairs(&config));
        let rates = RateLimits::of(&config.global);
        let process = ProcessState { started: now, rates, ..ProcessState::default() };
        let resolution = Resolution::new(&config.global);
        let variables = Arc::new(Variables::new(config.global.variable_sizes, &config.global.variables));
        let tables = Tables::new(&config.tables);
        let peers = PeersState::new(&config, &tables, now);
        let reader = OnceLock::new();
        let pool = Self { resolution, variables, tables, peers, trackers, config, proxies, process, reader };
        pool.recall(now);
        pool.inherit();
        pool
    }

    /// The client side of a proxy.
    pub fn front(&self, proxy: ProxyIx) -> Option<&FrontState> {
        self.proxies.get(proxy.0 as usize)?.front.as_ref()
    }

    /// The server side of a proxy.
    pub fn back(&self, proxy: ProxyIx) -> Option<&BackState> {
        self.proxies.get(proxy.0 as usize)?.back.as_ref()
    }
}

/// The state of one proxy.
#[derive(Debug)]
pub struct ProxyState {
    /// Its client side.
    pub front: Option<FrontState>,
    /// Its server side.
    pub back: Option<BackState>,
}

/// Figures of the whole process.
#[derive(Debug, Default)]
pub struct ProcessState {
    /// When it started.
    pub started: Tick,
    /// Client connections at once, and the most there were.
    pub connections: Gauge,
    /// The limit on them in force; 0: none.
    pub maxconn: AtomicU32,
    /// The limit at the start, which orders may not raise.
    pub hard_maxconn: AtomicU32,
    /// Descriptors that they and the rest need, as planned at the start; 0: not planned.
    pub maxsock: AtomicU32,
    /// The descriptor limit that was asked for at the start, as `show info` tells it; 0: not planned.
    pub nofile: AtomicU32,
    /// Pipes that connections may need at once, as planned.
    pub maxpipes: AtomicU32,
    /// Client connections ever.
    pub connections_total: Counter,
    /// Connections per second.
    pub connection_rate: Rate,
    /// Sessions per second.
    pub session_rate: Rate,
    /// Limits on rates in force.
    pub rates: RateLimits,
    /// Requests of the statistics page and commands ever.
    pub requests_total: Counter,
    /// Bytes sent.
    pub bytes_out: Counter,
    /// Bytes moved by splice.
    pub bytes_spliced: Counter,
    /// Whether the process is stopping.
    pub stopping: AtomicBool,
    /// Serving threads.
    pub threads: AtomicU32,
    /// How often a client connection was the last that the limit allows.
    pub limit_reached: Counter,
    /// Warnings of the start.
    pub warnings: AtomicU32,
    /// How long the start took, in milliseconds.
    pub boot_millis: AtomicU32,
    /// When it took over from another process, in milliseconds of the clock; 0: it did not.
    pub reloaded: AtomicU64,
    /// Sessions that came from another process.
    pub sessions_taken: Counter,
    /// The local ports that the system gives to connections; 0: not known.
    pub first_local_port: AtomicU32,
    /// The last of them.
    pub last_local_port: AtomicU32,
}

/// The client side of a proxy.
#[derive(Debug, Default)]
pub struct FrontState {
    /// Sessions at once (scur, smax).
    pub sessions: Gauge,
    /// Sessions ever (stot).
    pub sessions_total: Counter,
    /// Connections ever (conn_tot).
    pub connections_total: Counter,
    /// Sessions per second (rate, rate_max).
    pub session_rate: Rate,
    /// Connections per second (conn_rate, conn_rate_max).
    pub connection_rate: Rate,
    /// Bytes from clients (bin).
    pub bytes_in: Counter,
    /// Bytes to clients (bout).
    pub bytes_out: Counter,
    /// Requests that were no HTTP (ereq).
    pub request_errors: Counter,
    /// Connections that `tcp-request connection` refused (dcon).
    pub denied_connections: Counter,
    /// Connections that `tcp-request session` refused (dses).
    pub denied_sessions: Counter,
    /// Sessions that rules about what their clients sent have ended (dreq).
    pub denied_requests: Counter,
    /// Sessions that rules about what their servers sent have ended (dresp).
    pub denied_responses: Counter,
    /// HTTP requests (req_tot) per second and ever.
    pub request_rate: Rate,
    /// HTTP requests ever.
    pub requests_total: Counter,
    /// HTTP answers by class: 1xx to 5xx, other.
    pub answers: [Counter; 6],
    /// Sessions at once that are allowed (slim); 0: none.
    pub maxconn: AtomicU32,
    /// Not accepting by order.
    pub paused: AtomicBool,
    /// By order nobody is let in: a limit of 0, which in a configuration says that there is none.
    pub barred: AtomicBool,
    /// `disabled`, or stopped for good.
    pub stopped: AtomicBool,
    /// One per address.
    pub listeners: Box<[ListenerState]>,
}

impl FrontState {
    fn new(disabled: bool, front: &crate::ir::Frontend) -> Self {
        Self {
            maxconn: AtomicU32::new(front.maxconn.unwrap_or(0)),
            stopped: AtomicBool::new(disabled),
            listeners: front.binds.iter().map(|_| ListenerState::default()).collect(),
            ..Self::default()
        }
    }
}

/// One listening address.
#[derive(Debug, Default)]
pub struct ListenerState {
    /// Connections at once.
    pub sessions: Gauge,
    /// Connections ever.
    pub sessions_total: Counter,
    /// Bytes from clients.
    pub bytes_in: Counter,
    /// Bytes to clients.
    pub bytes_out: Counter,
    /// Connections that `tcp-request connection` refused.
    pub denied_connections: Counter,
    /// Connections that `tcp-request session` refused.
    pub denied_sessions: Counter,
    /// Sessions that rules about what their clients sent have ended.
    pub denied_requests: Counter,
    /// Sessions that rules about what their servers sent have ended.
    pub denied_responses: Counter,
}

/// One server's counters. What checks and administrators make of it: [`Pool::server_view`].
#[derive(Debug, Default)]
pub struct ServerState {
    /// Sessions at once (scur, smax).
    pub sessions: Gauge,
    /// Sessions waiting for it (qcur, qmax).
    pub queue: Gauge,
    /// Sessions ever (stot).
    pub sessions_total: Counter,
    /// Sessions per second.
    pub session_rate: Rate,
    /// Sessions given by balancing (lbtot).
    pub picked_total: Counter,
    /// Bytes to the server (bin).
    pub bytes_in: Counter,
    /// Bytes from it (bout).
    pub bytes_out: Counter,
    /// Connections that failed (econ).
    pub connect_errors: Counter,
    /// Answers that failed (eresp).
    pub response_errors: Counter,
    /// Sessions that rules about what it sent have ended (dresp).
    pub denied_responses: Counter,
    /// Connection attempts that were repeated (wretr).
    pub retries: Counter,
    /// Sessions that went elsewhere instead (wredis).
    pub redispatches: Counter,
    /// Transfers aborted by the client (cli_abrt).
    pub client_aborts: Counter,
    /// Transfers aborted by the server (srv_abrt).
    pub server_aborts: Counter,
    /// Tick of the last session, in milliseconds; 0: none yet.
    pub last_session: Counter,
    /// Queue, connect and total time of the last sessions, in milliseconds (qtime, ctime, ttime).
    pub times: Times,
    /// Ports to connect from, where `source` has a range.
    pub source_ports: Option<Arc<SourcePorts>>,
    /// What has changed of its line.
    pub(super) changed: ChangedLine,
    /// Whose counters these are.
    pub(super) tenure: Tenure,
}
