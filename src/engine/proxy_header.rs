//! The PROXY header around a connection: read before there is a session, and made for a server; and NetScaler's, which is only read.
//!
//! A listener without `accept-proxy` never comes here. The header is looked at once, as it lies in the socket, and only
//! its own bytes are taken out: what follows is read by whoever serves the connection. A header that has not come whole
//! by the first look is refused, as with haproxy. Counters, time limit and log lines observed on 2.6.12
//! (docs/OBSERVED.md §5.1 "accept-proxy").

use std::cell::RefCell;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, getpeername, getsockname, recv};
use thiserror::Error;

use super::facts::{Caller, Outcome, Subject, View};
use super::relay::register;
use super::session::Session;
use super::shard::Shard;
use super::shared::Accepted;
use super::{Purpose, clock};
use crate::ir::SendProxy;
use crate::pool::{Cause, Peer, Phase, Pool, SessionRecord, Termination, Timers};
use crate::units::netscaler::{self, Insert, NetscalerError};
use crate::units::proxy_header::{self, Command, Ends, Extras, Header, HeaderError};
use crate::units::{Millis, Tick};

/// Most bytes of a header unless `tune.bufsize` says another number.
const BUFSIZE: u32 = 16 * 1024;
/// How long a stats socket waits for a header unless `stats timeout` says another time.
const COMMANDS_WAIT: Millis = Millis::seconds(10);

/// What a header said of a connection besides its client.
#[derive(Debug)]
pub(crate) struct Announced {
    /// The address that the client connected to; `None`: that of the socket.
    pub(crate) destination: Option<SocketAddr>,
    /// The host name that the client asked for.
    pub(crate) authority: Option<Box<[u8]>>,
    /// The name that the sender gave the connection.
    pub(crate) unique_id: Option<Box<[u8]>>,
    /// What else it said, as it was written; empty where no expression asks for it.
    pub(crate) tlvs: Box<[u8]>,
    /// When it had come.
    pub(crate) begun: Tick,
    /// Whether it was a PROXY header.
    pub(crate) proxied: bool,
}

/// Headers that a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Heads(u8);

impl Heads {
    /// One of the PROXY protocol.
    pub(super) const PROXY: Self = Self(1);
    /// One of NetScaler, which comes first.
    pub(super) const NETSCALER: Self = Self(2);

    /// These and those.
    pub(super) fn and(self, those: Self) -> Self {
        Self(self.0 | those.0)
    }

    fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }
}

/// What the line of a listening socket says of headers; with the number of NetScaler's, 0 where none is said.
pub(super) fn heads(pool: &Pool, purpose: Purpose) -> (Heads, u32) {
    let config = &pool.config;
    let (proxy, netscaler) = match purpose {
        Purpose::Frontend(proxy, bind) => {
            let front = config.proxies.get(proxy.0 as usize).and_then(|proxy| proxy.frontend.as_ref());
            let options = front.and_then(|front| front.binds.get(bind)).map(|bind| &bind.options);
            options.map_or((false, None), |options| (options.accept_proxy, options.netscaler))
        }
        Purpose::Commands(at) => {
            let socket = config.global.stats_sockets.get(at);
            socket.map_or((false, None), |socket| (socket.accept_proxy, socket.netscaler))
        }
        Purpose::Peers(..) => (false, None),
    };
    let heads = if proxy { Heads::PROXY } else { Heads::default() };
    let heads = if netscaler.is_some() { heads.and(Heads::NETSCALER) } else { heads };
    (heads, netscaler.unwrap_or_default())
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Proxy,
    /// With the number that it begins with.
    Netscaler(u32),
}

impl Protocol {
    /// What stands before its name where a time is over, by haproxy's words.
    fn article(self) -> &'static str {
        match self {
            Self::Proxy => "",
            Self::Netscaler(_) => "a ",
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Proxy => "PROXY protocol",
            Self::Netscaler(_) => "NetScaler Client IP",
        })
    }
}

impl Announced {
    /// Another destination, also of a connection that had no header.
    pub(super) fn change(announced: &mut Option<Box<Self>>, destination: Option<SocketAddr>, begun: Tick) {
        let announced = announced.get_or_insert_with(|| {
            Box::new(Self {
                destination,
                authority: None,
                unique_id: None,
                tlvs: Box::default(),
                begun,
                proxied: false,
            })
        });
        announced.destination = destination;
    }
}

/// A header with what is kept of it.
type Seen = (Header, Box<[u8]>);

/// Why a connection never became a session. The texts are haproxy's, to be found in logs.
#[derive(Debug, Error)]
enum Failure {
    #[error("Connection closed while waiting for {0} header")]
    Closed(Protocol),
    /// Of a header that says more than has come: with the ends that it names.
    #[error("Connection error while waiting for {0} header")]
    Reset(Protocol, Option<Ends>),
    #[error("Timeout while waiting for {article}{protocol} header", article = protocol.article())]
    TooLate { protocol: Protocol },
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(transparent)]
    Netscaler(#[from] NetscalerError),
    /// A rule about sessions refuses it: to haproxy's line nothing went wrong.
    #[error("Success")]
    Denied,
}

impl Failure {
    /// Its number, as `fc_err` tells it. Source: manual §7.3.3 "fc_err_str".
    fn code(&self) -> i64 {
        let later = |protocol: &Protocol| if *protocol == Protocol::Proxy { 0 } else { 7 };
        match self {
            Self::Denied => 0,
            Self::Closed(protocol) => 11 + later(protocol),
            Self::Reset(protocol, _) => 12 + later(protocol),
            Self::TooLate { protocol } => 13 + later(protocol),
            Self::Header(HeaderError::Truncated) => 14,
            Self::Header(HeaderError::Foreign) => 15,
            Self::Header(HeaderError::Invalid { .. }) => 16,
            Self::Header(HeaderError::Unhandled) => 17,
            Self::Netscaler(NetscalerError::Truncated) => 21,
            Self::Netscaler(NetscalerError::Magic) => 22,
            Self::Netscaler(NetscalerError::Unhandled) => 23,
        }
    }

    /// Whether not a byte came: a probe, which `option dontlognull` is silent about.
    fn is_silent(&self) -> bool {
        !matches!(self, Self::Header(_) | Self::Netscaler(_))
    }
}

/// Waits for the header of a connection and has it served, or says why not and closes it.
pub(super) async fn greet(mut accepted: Accepted, shard: Rc<Shard>) {
    let limit = match accepted.seat.purpose() {
        Purpose::Frontend(proxy, _) => {
            let timeouts = &shard.shared.pool.config.proxies[proxy.0 as usize].timeouts;
            timeouts.client_hs.or(timeouts.client)
        }
        Purpose::Commands(_) | Purpose::Peers(..) => {
            Some(shard.shared.pool.config.global.stats_timeout.unwrap_or(COMMANDS_WAIT))
        }
    };
    let by = limit.map(|limit| accepted.at.after(limit));
    let (heads, magic) = accepted.seat.heads();
    let netscaler = heads.has(Heads::NETSCALER).then_some(Protocol::Netscaler(magic));
    let proxy = heads.has(Heads::PROXY).then_some(Protocol::Proxy);
    for protocol in netscaler.into_iter().chain(proxy) {
        match receive(accepted.socket, protocol, by, &shard).await {
            Ok((socket, seen)) => {
                accepted.socket = socket;
                take(&mut accepted.peer, &mut accepted.announced, seen, protocol);
            }
            Err((socket, failure)) => {
                let (seat, announced) = (&accepted.seat, accepted.announced.as_deref());
                let told = Told { peer: accepted.peer, announced, seat, at: accepted.at, wall: accepted.wall };
                told.refuse(&shard, &failure, socket.as_ref());
                // Bytes that nobody read turn this close into a reset.
                return drop(socket);
            }
        }
    }
    shard.serve_now(accepted);
}

/// Takes over what a header says. One of a sender's own connection leaves what one before it said.
fn take(peer: &mut Peer, announced: &mut Option<Box<Announced>>, (header, tlvs): Seen, protocol: Protocol) {
    if let Some(ends) = header.ends {
        *peer = Peer::Inet(ends.source);
    }
    let before = announced.take().and_then(|before| before.destination);
    let destination = header.ends.map(|ends| ends.destination).or(before);
    let (authority, unique_id, begun) = (header.authority, header.unique_id, clock::now());
    let proxied = protocol == Protocol::Proxy;
    *announced = Some(Box::new(Announced { destination, authority, unique_id, tlvs, begun, proxied }));
}

/// Writes the line of a connection whose header was read and which a rule refuses.
pub(super) fn denied(shard: &Shard, accepted: &Accepted) {
    let (seat, announced) = (&accepted.seat, accepted.announced.as_deref());
    let told = Told { peer: accepted.peer, announced, seat, at: accepted.at, wall: accepted.wall };
    told.refuse(shard, &Failure::Denied, Some(&accepted.socket));
}

impl Session {
    /// Puts the PROXY header that the server wants before what it is sent.
    pub(super) fn introduce(&mut self, shard: &Shard) {
        let server = self.server_ref().and_then(|at| shard.shared.pool.known(at));
        let Some(options) = server.map(|server| server.send_proxy).filter(|options| !options.is_empty()) else {
            return;
        };
        let id = match options.has(SendProxy::UNIQUE_ID) {
            true => self.viewed(shard, false, |view| view.id()),
            false => Vec::new(),
        };
        let ends = match self.peer {
            Peer::Inet(source) => self.local().map(|destination| Ends { source, destination }),
            Peer::Unix(_) => None,
        };
        let authority = self.announced.as_ref().and_then(|announced| announced.authority.as_deref());
        let header = of_session(options, ends, authority, &id);
        self.up.put_first(header);
    }
}

/// What is left of a connection whose socket is looked at elsewhere.
struct Told<'a> {
    peer: Peer,
    /// What a header or a rule has said before.
    announced: Option<&'a Announced>,
    seat: &'a super::shared::Seat,
    at: Tick,
    wall: std::time::SystemTime,
}

impl Told<'_> {
    /// Writes the line of a connection that is refused.
    fn refuse(&self, shard: &Shard, failure: &Failure, socket: Option<&OwnedFd>) {
        tracing::debug!(%failure, "a connection is refused");
        let (Some((front, proxy, _)), Some(bind)) = (self.seat.proxy(), self.seat.bind()) else { return };
        if proxy.dont_log_null && failure.is_silent() {
            return;
        }
        let ends = match failure {
            Failure::Header(HeaderError::Invalid { ends }) | Failure::Reset(_, ends) => *ends,
            _ => None,
        };
        let own = || socket.and_then(|socket| getsockname(socket).ok()?.try_into().ok());
        let local = self.announced.and_then(|announced| announced.destination).or_else(own);
        let spent = clock::now().since(self.at) as u32;
        // only a line of a format of its own takes a number (observed)
        let formatted = proxy.formats.as_ref().is_some_and(|formats| formats.error.is_some());
        let number = if formatted { shard.shared.next_id() - 1 } else { 0 };
        let client = ends.map_or(self.peer, |ends| Peer::Inet(ends.source));
        let record = SessionRecord {
            number,
            ended: true,
            local: ends.map(|ends| ends.destination).or(local),
            timers: Timers { queue: None, connect: None, total: spent, handshake: spent },
            termination: Termination { cause: Cause::Proxy, phase: Phase::Request },
            ..SessionRecord::without_server(&shard.shared.pool, front, client, self.wall)
        };
        // One without a name is told by its number, but where it has counters of its own.
        let number = bind.name.strip_prefix("sock-").filter(|number| *number == bind.id.to_string());
        let named = proxy.frontend.as_ref().is_some_and(|front| front.socket_stats);
        let listener = number.filter(|_| !named).unwrap_or(&bind.name);
        let why = failure.to_string();
        let (socket, at, wall) = (socket.map(AsFd::as_fd), self.at, self.wall);
        let (peer, local, outcome) = (record.client, record.local, Outcome::Refused(failure.code(), &why));
        let caller = Caller { seat: self.seat, socket, peer, local, at, wall, outcome };
        let memory = RefCell::default();
        let view = View { shard, subject: Subject::Caller(&caller), memory: &memory, waits: false, patient: false };
        shard.shared.journal.refused(&record, &view, (listener, &why));
    }
}

/// Looks until there is something; then it must be a whole header, which is taken out of the socket.
///
/// # Errors
/// Why there is none, with the socket if it can still be closed by the caller.
async fn receive(
    socket: OwnedFd,
    protocol: Protocol,
    by: Option<Tick>,
    shard: &Shard,
) -> Result<(OwnedFd, Seen), (Option<OwnedFd>, Failure)> {
    // Mostly it lies there by the time its connection is accepted: then nothing has to be watched.
    if let Some(seen) = look(&socket, protocol, shard) {
        return finish(socket, protocol, seen);
    }
    let Ok(watched) = register(socket) else { return Err((None, Failure::Reset(protocol, None))) };
    let seen = async {
        loop {
            match watched.readable().await {
                Err(_) => return Err(Failure::Reset(protocol, None)),
                Ok(mut ready) => match look(watched.get_ref(), protocol, shard) {
                    Some(seen) => return seen,
                    None => ready.clear_ready(),
                },
            }
        }
    };
    let seen = match by {
        None => seen.await,
        Some(by) => {
            let left = std::time::Duration::from_millis(by.since(clock::now()));
            tokio::time::timeout(left, seen).await.unwrap_or(Err(Failure::TooLate { protocol }))
        }
    };
    finish(watched.into_inner(), protocol, seen)
}

/// Takes a header's bytes out of the socket.
fn finish(
    socket: OwnedFd,
    protocol: Protocol,
    seen: Result<Seen, Failure>,
) -> Result<(OwnedFd, Seen), (Option<OwnedFd>, Failure)> {
    match seen {
        Ok(seen) => {
            let mut left = seen.0.length;
            let mut sink = [0; 512];
            while left > 0 {
                let wanted = left.min(sink.len());
                match recv(&socket, &mut sink[..wanted], RecvFlags::empty()) {
                    Ok((count @ 1.., _)) => left -= count,
                    Err(Errno::INTR) => {}
                    // one of NetScaler may say that it is longer than what has come
                    _ => return Err((Some(socket), Failure::Reset(protocol, seen.0.ends))),
                }
            }
            Ok((socket, seen))
        }
        Err(failure) => Err((Some(socket), failure)),
    }
}

/// Looks at what lies in the socket; `None`: nothing yet.
fn look(socket: &OwnedFd, protocol: Protocol, shard: &Shard) -> Option<Result<Seen, Failure>> {
    let mut scratch = shard.scratch.borrow_mut();
    let most = shard.shared.pool.config.global.bufsize.unwrap_or(BUFSIZE) as usize;
    let most = most.min(scratch.len());
    loop {
        return match recv(socket, &mut scratch[..most], RecvFlags::PEEK) {
            Ok((0, _)) => Some(Err(Failure::Closed(protocol))),
            Ok((count, _)) => Some(read(&scratch[..count], protocol, shard.shared.pool.config.keeps_headers)),
            Err(Errno::AGAIN) => None,
            Err(Errno::INTR) => continue,
            Err(_) => Some(Err(Failure::Reset(protocol, None))),
        };
    }
}

/// A header, and what it says besides addresses if that is to be kept.
fn read(bytes: &[u8], protocol: Protocol, keeps: bool) -> Result<Seen, Failure> {
    match protocol {
        Protocol::Proxy => {
            let header = proxy_header::decode(bytes)?;
            let tlvs = bytes.get(header.tlvs.clone()).filter(|_| keeps).unwrap_or_default().into();
            Ok((header, tlvs))
        }
        Protocol::Netscaler(magic) => {
            let Insert { length, ends } = netscaler::decode(bytes, magic)?;
            let header = Header { length, ends: Some(ends), authority: None, unique_id: None, tlvs: 0..0 };
            Ok((header, Box::default()))
        }
    }
}

/// The header that a server is sent before its client's bytes. `ends`: `None` where the client is no TCP client;
/// `authority`: the host name that the client's own header named; `id`: the session's unique id.
pub(super) fn of_session(options: SendProxy, ends: Option<Ends>, authority: Option<&[u8]>, id: &[u8]) -> Vec<u8> {
    if !options.has(SendProxy::V2) {
        return proxy_header::v1(ends);
    }
    let extras = Extras {
        crc32c: options.has(SendProxy::CRC32C),
        authority: authority.filter(|_| options.has(SendProxy::AUTHORITY)),
        // Without a format there is an empty one.
        unique_id: options.has(SendProxy::UNIQUE_ID).then_some(id),
        no_tls: options.has(SendProxy::TLS),
    };
    proxy_header::v2(Command::Proxy, ends, extras)
}

/// The header that a health check begins with: about its own connection, which is there. `never_local`:
/// `pp2-never-send-local`.
pub(super) fn of_check(options: SendProxy, socket: &impl AsFd, never_local: bool) -> Vec<u8> {
    let ends = || -> Option<Ends> {
        let source = getsockname(socket).ok()?.try_into().ok()?;
        Some(Ends { source, destination: getpeername(socket).ok()??.try_into().ok()? })
    };
    let ends = ends();
    if !options.has(SendProxy::V2) {
        return proxy_header::v1(ends);
    }
    let command = if never_local { Command::Proxy } else { Command::Local };
    let (crc32c, no_tls) = (options.has(SendProxy::CRC32C), options.has(SendProxy::TLS));
    proxy_header::v2(command, ends, Extras { crc32c, no_tls, ..Extras::default() })
}
