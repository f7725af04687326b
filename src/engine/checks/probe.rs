//! Checks one server once, and says what it found.
//!
//! Knows no schedule and no verdict. What is said over the connection is [`super::talk`]'s.
//! Source: manual §4.2 "timeout check", §5.2 "addr", "port".

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::facts::Checked;
use super::link::{Place, Source};
use super::{clock, state, talk};
use crate::expr::Facts;
use crate::ir::check::{Connect, Port, Script};
use crate::ir::{Check, SendProxy, Server, ServerAddress, Timeouts, TrackRef};
use crate::pool::{CheckResult, Pool, ServerStatus, Variables};
use crate::units::{Millis, Tick};

/// What `tune.bufsize` is unless it is set.
const BUFSIZE: u32 = 16_384;

/// The longest text that is told of a check, in bytes.
const LONGEST_INFO: usize = 127;

/// What is checked, and what is said there.
#[derive(Debug)]
pub(super) struct Target {
    /// The address and port of the server line.
    pub(super) to: Place,
    /// The local address.
    pub(super) source: Option<Source>,
    /// The PROXY header that it begins with, and `pp2-never-send-local`.
    pub(super) header: Option<(SendProxy, bool)>,
    /// `pp2-never-send-local`.
    pub(super) never_local: bool,
    /// What is said; `None`: nothing, and connecting is told as such.
    pub(super) script: Option<Arc<Script>>,
    /// How long it may take.
    pub(super) limits: Limits,
    /// The longest answer, in bytes: what comes behind it is never seen.
    pub(super) most: usize,
    /// Whether an answer of 404 is a passed check, on the condition that the server gets no new sessions: only of a
    /// server that is up.
    pub(super) disable_on_404: bool,
    /// Who is checked, for expressions: only where a script may ask.
    pub(super) checked: Option<Box<Checked>>,
    /// What requests say of the server's state, if they are to say it.
    pub(super) state: Option<String>,
    /// The variables of the process.
    pub(super) variables: Arc<Variables>,
}

/// The time limits of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Of connecting, or of the whole check where `answer` is `None`.
    pub(super) connect: Millis,
    /// Of all that follows.
    pub(super) answer: Option<Millis>,
}

impl Limits {
    /// `timeout check` limits what follows the connection, and lets `timeout connect` count; without it, the interval
    /// is the limit of both.
    pub(super) fn of(timeouts: &Timeouts, check: &Check) -> Self {
        let connect = match (timeouts.check, timeouts.connect) {
            (Some(_), Some(connect)) => connect.min(check.inter),
            _ => check.inter,
        };
        Self { connect, answer: timeouts.check }
    }

    /// When a check that begins now must have connected.
    pub(super) fn start(self) -> Instant {
        after(self.connect)
    }

    /// Until when one may talk over a connection that came about just now, in a check that was to connect until
    /// `deadline`.
    pub(super) fn connected(self, deadline: Instant) -> Instant {
        self.answer.map_or(deadline, after)
    }
}

fn after(time: Millis) -> Instant {
    Instant::now() + Duration::from_millis(time.get().into())
}

impl Target {
    /// What a check of this server tries; `None` if it is not checked, or has no address.
    pub(super) fn of(pool: &Pool, at: TrackRef, now: Tick) -> Option<Self> {
        let config = &pool.config;
        let proxy = config.proxies.get(at.proxy.0 as usize)?;
        let back = proxy.backend.as_ref()?;
        let server = pool.server_now(at.proxy, at.server)?;
        let check = server.check.as_ref()?;
        let most = config.global.bufsize.unwrap_or(BUFSIZE) as usize;
        Some(Self {
            to: place(&server, check)?,
            source: Source::of(pool, at),
            header: check.send_proxy.map(|options| (options, config.global.never_send_local)),
            script: back.check.clone(),
            checked: back.check.as_ref().map(|_| Box::new(Checked::of(proxy, &server))),
            variables: Arc::clone(&pool.variables),
            limits: Limits::of(&proxy.timeouts, check),
            most,
            never_local: config.global.never_send_local,
            disable_on_404: back.check.as_ref().is_some_and(|script| script.disable_on_404) && is_up(pool, at, now),
            state: back.check.as_ref().filter(|script| script.send_state).map(|_| state::header(pool, at, now)),
        })
    }

    /// Tries; takes as long as the time limits at most.
    pub(super) async fn probe(self) -> CheckResult {
        let started = clock::now();
        let found = talk::run(&self).await;
        let duration = u32::try_from(clock::now().since(started)).unwrap_or(u32::MAX);
        let detail = found.info.map(|mut info| {
            info.truncate(info.floor_char_boundary(LONGEST_INFO));
            info.into()
        });
        CheckResult { status: found.status, duration, code: found.code, detail }
    }

    /// Where a step connects to that asks for another address or port.
    pub(super) fn elsewhere(&self, connect: &Connect, facts: &dyn Facts) -> Place {
        let Connect { addr, port, addr_port, .. } = connect;
        let port = match port {
            Some(Port::Fixed(port)) => Some(*port),
            Some(Port::Expr(expr)) => expr.value(facts).and_then(|value| u16::try_from(value.int()?).ok()),
            None => *addr_port,
        };
        let addr = *addr;
        match (&self.to, addr, port) {
            (Place::Inet(to), _, _) => Place::Inet(SocketAddr::new(addr.unwrap_or(to.ip()), port.unwrap_or(to.port()))),
            (_, Some(addr), Some(port)) => Place::Inet(SocketAddr::new(addr, port)),
            (to, _, _) => to.clone(),
        }
    }
}

fn is_up(pool: &Pool, at: TrackRef, now: Tick) -> bool {
    let status = pool.server_view(at.proxy, at.server, now).map(|view| view.status);
    !matches!(status, None | Some(ServerStatus::Down { .. }))
}

fn place(server: &Server, check: &Check) -> Option<Place> {
    Some(match (&server.address, check.addr) {
        (ServerAddress::Inet(address), addr) => {
            let port = check.port.unwrap_or(address.port());
            Place::Inet(SocketAddr::new(addr.unwrap_or(address.ip()), port))
        }
        (_, Some(addr)) => Place::Inet(SocketAddr::new(addr, check.port?)),
        (ServerAddress::Unix(path), None) => Place::Unix(path.clone()),
        (ServerAddress::Abstract(name), None) => Place::Abstract(name.clone()),
        (ServerAddress::SockPair(number), None) => Place::SockPair(*number),
        (ServerAddress::Unresolved { .. }, None) => return None,
    })
}
