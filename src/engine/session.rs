//! A session: an explicit struct with a hand-written `poll`. Everything that a session is stands in its fields, so
//! it can be listed, ended and taken out between two polls.
//!
//! `dispatch` finds and reaches its server, `relay` moves its bytes, `ending` says how it ended and what that counts.

use std::cell::Cell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::SystemTime;

use super::dispatch::{Failed, Step};
use super::facts::Memory;
use super::placing::{Elapsed, Placing};
use super::proxy_header::Announced;
use super::relay::{Broken, Flow, Moved, Socket, Terms, register};
use super::rules::Inspection;
use super::shard::Shard;
use super::shared::{Accepted, Seat, Shared};
use super::{bandwidth, clock, connect};
use crate::ir::{Backend, LogMoment, Proxy, ProxyIx, ServerIx};
use crate::pool::{Cause, Closing, Peer, Phase, Termination};
use crate::sys::destination;
use crate::units::{Millis, Tick};

/// A plain TCP session.
pub(super) struct Session {
    // What a message touches.
    pub(super) client: Socket,
    pub(super) server: Option<Socket>,
    pub(super) up: Flow,
    pub(super) down: Flow,
    /// When bytes last moved from or to the client, and from or to the server.
    pub(super) client_seen: Tick,
    pub(super) server_seen: Tick,
    pub(super) step: Step,
    /// The deadline in the thread's timers has passed: look whether it is one.
    due: bool,
    /// `option nolinger` on the server side: its connection is reset instead of being half-closed.
    pub(super) resets: bool,
    /// An order to end.
    killed: Option<Cause>,

    // What its start and end touch.
    /// How it ended, once it has.
    pub(super) end: Option<Termination>,
    /// A time limit that cut one side before: it is what the end is put down to.
    pub(super) blame: Option<Cause>,
    /// `option contstats`: bytes of both directions that are counted already.
    pub(super) counted: Option<Box<(u64, u64)>>,
    /// How it came to its server.
    pub(super) placing: Placing,
    /// Its client is not to hear of its end.
    pub(super) silence: Option<Silence>,
    pub(super) waker: Option<Waker>,
    pub(super) seat: Seat,
    id: u64,
    /// Its number for the log, counted from 0: that of the process which accepted it.
    pub(super) number: u64,
    pub(super) front: ProxyIx,
    pub(super) back: ProxyIx,
    pub(super) target: Option<ServerIx>,
    pub(super) accepted: Tick,
    /// When the present step began: of queueing, connecting or pausing.
    pub(super) since: Tick,
    /// When it was accepted, by the calendar: microseconds since 1970.
    pub(super) wall: u64,
    pub(super) peer: Peer,
    /// What the PROXY header said that it began with, if it began with one.
    pub(super) announced: Option<Box<Announced>>,
    /// What rules have left, if they left anything.
    pub(super) memory: Option<Box<Memory>>,
    pub(super) retries: u32,
    pub(super) queue_time: Elapsed,
    pub(super) connect_time: Elapsed,
    pub(super) server_queue: u32,
    pub(super) backend_queue: u32,
    /// The last rule that decided about what its ends have sent.
    pub(super) last_rule: Cell<Option<RulePlace>>,
    /// The rule that waits for what its ends send, or for a name; after an error the one that waited.
    pub(super) waiting_rule: Cell<Option<RulePlace>>,
}

/// Where a rule stands, in four bytes: of later files than the 255th, and of lines behind the first 16 million, none is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RulePlace(NonZeroU32);

impl RulePlace {
    const LINES: u32 = 24;

    /// `file`: its place among those of the configuration; `line` from 1.
    pub(super) fn new(file: u16, line: u32) -> Option<Self> {
        let fits = file < 1 << (u32::BITS - Self::LINES) && (1..1 << Self::LINES).contains(&line);
        NonZeroU32::new(u32::from(file) << Self::LINES | line).filter(|_| fits).map(Self)
    }

    pub(super) fn file(self) -> usize {
        (self.0.get() >> Self::LINES) as usize
    }

    pub(super) fn line(self) -> u32 {
        self.0.get() & ((1 << Self::LINES) - 1)
    }
}

/// How a client is left that is not to hear of the end: how many routers far a reset gets, if one is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence(pub(super) Option<u8>);

/// Which side's time is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Session {
    /// Begins a session; `None` if the system cannot watch its socket.
    pub(super) fn new(shard: &Shard, accepted: Accepted) -> Option<Self> {
        let Accepted { socket, peer, at, wall, seat, announced, memory } = accepted;
        // Its idle time begins behind the header.
        let begun = announced.as_ref().map_or(at, |announced| announced.begun);
        let (front, proxy, side) = seat.proxy()?;
        // Where rules decide, it has no backend yet.
        let decides = proxy.rules.decide();
        let back = side.default_backend.filter(|_| !decides).unwrap_or(front);
        let short_log = proxy.log_moment == LogMoment::Accepted;
        if matches!(peer, Peer::Inet(_)) {
            connect::client_options(&socket, side, shard.shared.pool.config.global.client_buffers);
        }
        let mut session = Self::at_rest(shard, register(socket).ok()?, seat, (front, back), peer, at);
        session.client_seen = begun;
        session.server_seen = begun;
        session.placing.set(Placing::LOGGED, short_log);
        session.wall = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
        session.announced = announced;
        session.memory = memory;
        if let Some(memory) = &session.memory {
            memory.tracking.session();
        }
        session.since = begun;
        session.placing.set(Placing::ENTERED, false);
        if !decides {
            session.enter(&shard.shared, back);
        }
        session.placing.set(Placing::RULED, !decides && session.back_proxy(&shard.shared).rules.request.is_empty());
        if short_log {
            shard.shared.journal.accepted(&session.record(&shard.shared));
        }
        Some(session)
    }

    /// Gives it its backend, which counts it from now on.
    pub(super) fn enter(&mut self, shared: &Shared, back: ProxyIx) {
        self.back = back;
        self.resets = self.backend(shared).is_some_and(|back| back.nolinger);
        self.placing.set(Placing::ENTERED, true);
        if let Some(back) = shared.pool.back(back) {
            back.sessions.up();
            back.sessions_total.add(1);
            back.session_rate.hit(clock::coarse());
        }
    }

    /// A session with its client, to which nothing has happened yet and which nothing counts.
    pub(super) fn at_rest(
        shard: &Shard,
        client: Socket,
        seat: Seat,
        (front, back): (ProxyIx, ProxyIx),
        peer: Peer,
        at: Tick,
    ) -> Self {
        let id = shard.shared.next_id();
        let resets =
            shard.shared.pool.config.proxies[back.0 as usize].backend.as_ref().is_some_and(|back| back.nolinger);
        Self {
            client,
            server: None,
            up: Flow::default(),
            down: Flow::default(),
            client_seen: at,
            server_seen: at,
            step: Step::Start,
            due: false,
            resets,
            killed: None,
            end: None,
            blame: None,
            counted: seat.counts_at_once().then(Box::default),
            placing: Placing::AT_REST,
            silence: None,
            memory: None,
            waker: None,
            id,
            number: id - 1,
            front,
            back,
            target: None,
            accepted: at,
            since: at,
            wall: 0,
            peer,
            announced: None,
            retries: 0,
            queue_time: Elapsed::NOT_YET,
            connect_time: Elapsed::NOT_YET,
            server_queue: 0,
            backend_queue: 0,
            last_rule: Cell::new(None),
            waiting_rule: Cell::new(None),
            seat,
        }
    }

    /// Its number, unique in the process.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The address that its client connected to; `None` on a unix socket.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        let announced = self.announced.as_ref().and_then(|announced| announced.destination);
        announced.or_else(|| destination::wanted(self.client.get_ref()))
    }

    /// Whether an order means it.
    pub(super) fn is(&self, which: Closing, shared: &Arc<Shared>) -> bool {
        match which {
            Closing::Server(proxy, server) => proxy == self.back && self.target == Some(server),
            Closing::Backups(proxy) => {
                let server = self.server_ref().and_then(|at| shared.pool.known(at));
                proxy == self.back && server.is_some_and(|server| server.backup)
            }
            Closing::Session(id) => id == self.id,
            Closing::Frontend(proxy) => proxy == self.front,
            Closing::All => true,
        }
    }

    /// Whether it was ordered to end.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.is_some() || self.end.is_some()
    }

    /// Orders it to end.
    pub(super) fn kill(&mut self, cause: Cause) {
        self.killed.get_or_insert(cause);
        self.wake();
    }

    /// Tells it that its deadline has passed.
    pub(super) fn look_at_the_clock(&mut self) {
        self.due = true;
        self.wake();
    }

    /// Has it polled.
    pub(super) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// The section of its client side.
    pub(super) fn front_proxy<'a>(&self, shared: &'a Shared) -> &'a Proxy {
        &shared.pool.config.proxies[self.front.0 as usize]
    }

    /// The section of its server side.
    pub(super) fn back_proxy<'a>(&self, shared: &'a Shared) -> &'a Proxy {
        &shared.pool.config.proxies[self.back.0 as usize]
    }

    /// The server side's settings.
    pub(super) fn backend<'a>(&self, shared: &'a Shared) -> Option<&'a Backend> {
        self.back_proxy(shared).backend.as_ref()
    }

    /// Goes on as far as it can; ready when it has ended and is to be finished.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32) -> Poll<()> {
        if self.waker.is_none() {
            self.waker = Some(cx.waker().clone());
        }
        if let Some(cause) = self.killed {
            return self.ended(cause, self.step.phase());
        }
        if std::mem::take(&mut self.due)
            && let Some(at) = self.deadline(&shard.shared)
        {
            if at <= clock::now() {
                ready!(self.time_is_up(cx, shard, key));
            } else {
                shard.arm(key, at);
            }
        }
        if self.end.is_none() && !matches!(self.step, Step::Relaying) {
            ready!(self.dispatch(cx, shard, key));
        }
        if self.end.is_some() { Poll::Ready(()) } else { self.relay(cx, shard, key) }
    }

    /// Arms the thread's timer for the step that begins.
    pub(super) fn arm(&self, shard: &Shard, key: u32) {
        if let Some(at) = self.deadline(&shard.shared) {
            shard.arm(key, at);
        }
    }

    /// Notes how it ended; the first cause stands.
    pub(super) fn ended(&mut self, cause: Cause, phase: Phase) -> Poll<()> {
        let (cause, phase) = self.blame.map_or((cause, phase), |first| (first, Phase::Data));
        self.end.get_or_insert(Termination { cause, phase });
        Poll::Ready(())
    }

    fn relay(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32) -> Poll<()> {
        let told = (self.up.told, self.down.told);
        let waits = self.placing.is(Placing::ANSWERING) && self.inspect_answer(cx, shard, key).is_pending();
        if self.end.is_some() {
            return Poll::Ready(());
        }
        let limited = self.placing.is(Placing::LIMITED);
        let most = if limited { self.allowed(shard, key, waits) } else { bandwidth::FREE };
        let Some(server) = &self.server else { return self.ended(Cause::Internal, Phase::Data) };
        let mut moved_up = Moved::default();
        let mut moved_down = Moved::default();
        let terms = Terms { last: self.down.is_done() || self.resets, most: most.0 };
        let up = self.up.pump(&self.client, server, terms, cx, shard, &mut moved_up);
        let terms = Terms { last: self.up.is_done(), most: most.1 };
        let down = match waits {
            true => Ok(()),
            false => self.down.pump(server, &self.client, terms, cx, shard, &mut moved_down),
        };
        if moved_up.read | moved_up.written | moved_down.read | moved_down.written {
            let now = clock::coarse();
            if moved_up.read | moved_down.written {
                self.client_seen = now;
            }
            if moved_down.read | moved_up.written {
                self.server_seen = now;
            }
            if limited {
                self.charge();
            }
            if self.counted.is_some() {
                self.count_bytes(&shard.shared);
            }
        }
        if let Err(broken) = up {
            let cause = if matches!(broken, Broken::Sender(_)) { Cause::Client } else { Cause::Server };
            return self.ended(cause, Phase::Data);
        }
        if let Err(broken) = down {
            let cause = if matches!(broken, Broken::Sender(_)) { Cause::Server } else { Cause::Client };
            return self.ended(cause, Phase::Data);
        }
        if self.up.is_done() && (self.down.is_done() || self.resets) {
            return self.ended(Cause::Normal, Phase::Done);
        }
        // A peer that has sent its FIN and is reset later is noticed by the next write to it, as with haproxy.
        if told != (self.up.told, self.down.told) {
            self.half_closed(shard, key, told);
        }
        Poll::Pending
    }

    /// A FIN was passed on: where `timeout client-fin` or `server-fin` is set, the receiver's time starts again.
    fn half_closed(&mut self, shard: &Shard, key: u32, told: (bool, bool)) {
        let now = clock::now();
        if told.1 != self.down.told && self.front_proxy(&shard.shared).timeouts.client_fin.is_some() {
            self.client_seen = now;
        }
        if told.0 != self.up.told && self.back_proxy(&shard.shared).timeouts.server_fin.is_some() {
            self.server_seen = now;
        }
        self.arm(shard, key);
    }

    /// The moment at which the present step has lasted too long.
    pub(super) fn deadline(&self, shared: &Shared) -> Option<Tick> {
        let back = &self.back_proxy(shared).timeouts;
        match self.step {
            Step::Queued(_) => Some(self.since.after(back.queue.or(back.connect)?)),
            Step::Connecting => Some(self.since.after(back.connect?)),
            Step::Pausing(pause) => Some(self.since.after(pause)),
            Step::Start | Step::Elsewhere(_) | Step::Again | Step::Requeue(_) => None,
            Step::Inspecting(inspection) => {
                let client = self.front_proxy(shared).timeouts.client.map(|limit| self.client_seen.after(limit));
                let inspected = self.inspected_until(shared, inspection);
                client.into_iter().chain(inspected).min()
            }
            // what a limit holds back is no side's silence
            Step::Relaying if let Some(at) = self.paused() => {
                let answered = if self.placing.is(Placing::ANSWERING) { self.answered_until(shared) } else { None };
                Some(answered.map_or(at, |answered| answered.min(at)))
            }
            Step::Relaying => {
                let proxies = (self.front, self.back);
                let client = limit(shared, proxies, Side::Client, &self.up, &self.down);
                let server = limit(shared, proxies, Side::Server, &self.down, &self.up);
                let client = client.map(|limit| self.client_seen.after(limit));
                let server = server.map(|limit| self.server_seen.after(limit));
                let answered = if self.placing.is(Placing::ANSWERING) { self.answered_until(shared) } else { None };
                [client, server, answered].into_iter().flatten().min()
            }
        }
    }

    /// The present step's time has run out.
    fn time_is_up(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32) -> Poll<()> {
        match self.step {
            Step::Queued(_) => self.over(shard, Cause::ServerTimeout, Phase::Queue),
            Step::Connecting => self.connect_failed(cx, shard, key, Failed::Late),
            Step::Pausing(_) => self.reconnect(cx, shard, key),
            Step::Start | Step::Elsewhere(_) | Step::Again | Step::Requeue(_) => Poll::Ready(()),
            Step::Inspecting(inspection) => {
                let now = clock::now();
                if self.inspected_until(&shard.shared, inspection).is_some_and(|end| end <= now) {
                    self.step = Step::Inspecting(Inspection { late: true, ..inspection });
                    return Poll::Ready(());
                }
                self.step = Step::Inspecting(Inspection { lost: Some(Cause::ClientTimeout), ..inspection });
                Poll::Ready(())
            }
            Step::Relaying if self.paused().is_some() => Poll::Ready(()),
            Step::Relaying => self.cut_the_silent(shard, key),
        }
    }

    /// A side that was silent too long is treated as if it had ended: the other side is told, and may still end in
    /// its own way and time. One that did not take what was sent to it is given up.
    fn cut_the_silent(&mut self, shard: &Shard, key: u32) -> Poll<()> {
        let now = clock::now();
        for (side, cause) in [(Side::Client, Cause::ClientTimeout), (Side::Server, Cause::ServerTimeout)] {
            let (seen, inbound, outbound) = match side {
                Side::Client => (self.client_seen, &mut self.up, &self.down),
                Side::Server => (self.server_seen, &mut self.down, &self.up),
            };
            let stuck = outbound.holds();
            let limit = limit(&shard.shared, (self.front, self.back), side, inbound, outbound);
            if limit.is_none_or(|limit| seen.after(limit) > now) {
                continue;
            }
            inbound.ended = true;
            self.blame.get_or_insert(cause);
            if stuck {
                return self.ended(cause, Phase::Data);
            }
        }
        self.arm(shard, key);
        Poll::Ready(())
    }
}

/// How long a side may be silent now.
fn limit(
    shared: &Shared,
    (front, back): (ProxyIx, ProxyIx),
    side: Side,
    inbound: &Flow,
    outbound: &Flow,
) -> Option<Millis> {
    if inbound.ended && !outbound.holds() {
        return None; // nothing is expected of it
    }
    let times = |proxy: ProxyIx| &shared.pool.config.proxies[proxy.0 as usize].timeouts;
    let (usual, fin) = match side {
        Side::Client => (times(front).client, times(front).client_fin),
        Side::Server => (times(back).server, times(back).server_fin),
    };
    let half_closed = outbound.told.then_some(fin).flatten();
    half_closed.or(times(back).tunnel).or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_a_place_of_four_bytes() {
        assert_eq!(size_of::<Option<RulePlace>>(), 4);
        for (file, line, known) in
            [(0, 1, true), (255, 0xff_ffff, true), (256, 1, false), (0, 0, false), (0, 1 << 24, false)]
        {
            let place = RulePlace::new(file, line);
            assert_eq!(place.map(|place| (place.file(), place.line())), known.then_some((usize::from(file), line)));
        }
    }

    #[test]
    fn a_session_stays_small() {
        // What a message touches: two sockets, two directions.
        assert!(size_of::<Socket>() <= 32 && size_of::<Flow>() <= 32);
        // All of it: an idle session has nothing else but two registrations, a task and a timer's entry. What it was before
        // there were rules, and the pointer to what they leave.
        assert!(size_of::<Session>() <= 320 + 8, "{}", size_of::<Session>());
    }
}
