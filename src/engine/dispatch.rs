//! How a session gets its server: balancing, queues, connecting, retries and redispatch.

use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::clock;
use super::connect::{self, Refusal, Way};
use super::facts::room;
use super::placing::Placing;
use super::relay::register;
use super::rules::Inspection;
use super::session::Session;
use super::shard::Shard;
use super::shared::Shared;
use crate::expr::{Scope, Side};
use crate::ir::{Level, Server, ServerIx, TrackRef};
use crate::pool::{Assignment, BackState, Cause, Demand, Phase, QueueTicket, ServerState, SourcePorts};
use crate::units::{Millis, Tick};

/// Longest pause before a server is tried again.
pub(super) const TURN_AROUND: Millis = Millis::seconds(1);

/// Where a session is in its life.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing was done yet.
    Start,
    /// Its server, or the way to it, failed: it asks for another one than this.
    Elsewhere(Option<ServerIx>),
    /// It could not even begin to connect: once more.
    Again,
    /// It waited in a queue since then, was moved, and got this in the queue of this process.
    Requeue(Box<(Tick, Assignment)>),
    /// Rules look at what its client sends.
    Inspecting(Inspection),
    /// It waits for a server to have room.
    Queued(Box<QueueTicket>),
    /// The connection is on its way.
    Connecting,
    /// It waits before it tries the same server again.
    Pausing(Millis),
    /// Bytes move.
    Relaying,
}

impl Step {
    /// What a session that is cut here was doing, for its log line.
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Queued(_) | Self::Requeue(_) => Phase::Queue,
            Self::Elsewhere(_) | Self::Again | Self::Connecting | Self::Pausing(_) => Phase::Connect,
            Self::Inspecting(_) => Phase::Request,
            Self::Start | Self::Relaying => Phase::Done,
        }
    }
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// The server refused.
    Refused,
    /// It did not answer in time.
    Late,
    /// Nothing was sent: no address or port to connect from.
    AtHome,
}

impl Session {
    /// Brings the session to its server. Ready: it relays now, or it has ended.
    pub(super) fn dispatch(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32) -> Poll<()> {
        match &self.step {
            Step::Start => {
                // Mostly its first bytes are there when it is accepted.
                let most = if self.placing.is(Placing::RULED) { usize::MAX } else { room(shard) };
                let read = self.up.read_early(&self.client, shard, most);
                let nothing = !self.up.holds() && !self.up.ended;
                let waiting = if nothing { self.waits_for_bytes(shard) } else { None };
                let begins = waiting.unwrap_or(Inspection::new(self.placing.is(Placing::ENTERED)));
                match read {
                    Ok(()) => self.decide(cx, shard, key, begins),
                    Err(_) if waiting.is_some() => {
                        self.decide(cx, shard, key, Inspection { lost: Some(Cause::Client), ..begins })
                    }
                    Err(_) => self.over(shard, Cause::Client, Phase::Request),
                }
            }
            Step::Inspecting(inspection) => {
                let inspection = *inspection;
                self.decide(cx, shard, key, inspection)
            }
            Step::Elsewhere(avoid) => {
                let avoid = *avoid;
                self.seek(cx, shard, key, avoid, None)
            }
            Step::Again => self.reconnect(cx, shard, key),
            Step::Requeue(_) => self.queue_again(cx, shard, key),
            Step::Queued(ticket) => {
                let of_server = ticket.server.is_some();
                let given = shard.shared.pool.back(self.back).and_then(|back| back.queued(ticket));
                match given {
                    Some((server, place)) => {
                        self.set_place(of_server, place);
                        let kept = self.placing.is(Placing::DIRECT) && self.target == Some(server);
                        self.placing.set(Placing::DIRECT, kept);
                        self.queue_time = (clock::now().since(self.accepted) as u32).into();
                        self.connect_to(cx, shard, key, server)
                    }
                    None => self.watch_client(cx, shard, Phase::Queue),
                }
            }
            Step::Connecting => self.connected(cx, shard, key),
            Step::Pausing(_) => self.watch_client(cx, shard, Phase::Connect),
            Step::Relaying => Poll::Ready(()),
        }
    }

    /// Has rules decide where they have not, and then asks for a server.
    fn decide(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32, inspection: Inspection) -> Poll<()> {
        if !self.placing.is(Placing::RULED) {
            ready!(self.inspect(cx, shard, key, inspection));
            if self.end.is_some() {
                return Poll::Ready(());
            }
            self.placing.set(Placing::RULED, true);
        }
        let kept = self.kept(shard);
        self.placing.set(Placing::FORCED, kept.forced);
        self.seek(cx, shard, key, None, kept.server)
    }

    /// Asks for a server: `wanted`, if rules chose one.
    fn seek(
        &mut self,
        cx: &mut Context<'_>,
        shard: &Shard,
        key: u32,
        avoid: Option<ServerIx>,
        wanted: Option<ServerIx>,
    ) -> Poll<()> {
        let now = clock::now();
        if self.backend(&shard.shared).is_some_and(|back| back.forward.is_some()) {
            self.queue_time = (now.since(self.accepted) as u32).into();
            return self.reconnect(cx, shard, key);
        }
        let Some(back) = shard.shared.pool.back(self.back) else {
            return self.over(shard, Cause::Server, Phase::Connect);
        };
        let (hash, forced) = (self.key(shard), self.placing.is(Placing::FORCED));
        let priority = self.priority();
        let (random, waker) = (shard.random(), cx.waker());
        let demand = Demand { hash, wanted, forced, avoid, random, waker, again: false, priority };
        match back.assign(&demand, now) {
            Assignment::Server(server) => {
                self.placing.set(Placing::DIRECT, wanted == Some(server));
                self.queue_time = self.queue_time.or(now.since(self.accepted) as u32);
                self.count_again(shard, avoid, Some(server));
                self.connect_to(cx, shard, key, server)
            }
            Assignment::Queued(ticket) => {
                self.count_again(shard, avoid, None);
                // The server whose queue it waits in is that of its log line.
                self.target = ticket.server;
                self.placing.set(Placing::DIRECT, wanted.is_some() && wanted == ticket.server);
                if self.up.ended {
                    // A client that had ended before it asked for anything is not let into a queue.
                    self.step = Step::Queued(Box::new(ticket));
                    self.note_place(shard);
                    return self.ended(Cause::Normal, Phase::Done);
                }
                self.step = Step::Queued(Box::new(ticket));
                self.since = now;
                self.arm(shard, key);
                self.watch_client(cx, shard, Phase::Queue)
            }
            Assignment::Unavailable => self.over(shard, Cause::Server, Phase::Connect),
            Assignment::QueueFull(server) => {
                self.target = Some(server);
                self.over(shard, Cause::Server, Phase::Queue)
            }
        }
    }

    /// Goes on waiting, in this process's queue: its time and its place go on too.
    fn queue_again(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32) -> Poll<()> {
        let Step::Requeue(moved) = std::mem::replace(&mut self.step, Step::Start) else { return Poll::Pending };
        let (since, assignment) = *moved;
        match assignment {
            Assignment::Server(server) => {
                self.queue_time = (clock::now().since(self.accepted) as u32).into();
                self.connect_to(cx, shard, key, server)
            }
            Assignment::Queued(mut ticket) => {
                ticket.passed = self.server_queue.max(self.backend_queue).saturating_sub(1);
                (self.server_queue, self.backend_queue) = (0, 0);
                let waits = shard.shared.pool.back(self.back).is_some_and(|back| back.watch(&ticket, cx.waker()));
                if !waits {
                    cx.waker().wake_by_ref(); // it was given a server before this thread heard of it
                }
                self.target = ticket.server;
                self.step = Step::Queued(Box::new(ticket));
                self.since = since;
                self.arm(shard, key);
                self.watch_client(cx, shard, Phase::Queue)
            }
            Assignment::Unavailable => self.over(shard, Cause::Server, Phase::Queue),
            Assignment::QueueFull(server) => {
                self.target = Some(server);
                self.over(shard, Cause::Server, Phase::Queue)
            }
        }
    }

    /// Connects to the server that was assigned.
    fn connect_to(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32, server: ServerIx) -> Poll<()> {
        self.target = Some(server);
        self.placing.set(Placing::HELD, true);
        self.reconnect(cx, shard, key)
    }

    /// Connects to the present server, or where sessions are forwarded to, for the first time or again.
    pub(super) fn reconnect(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32) -> Poll<()> {
        let line = self.target.and_then(|ix| shard.shared.pool.server_now(self.back, ix));
        let Some(way) = self.way(&shard.shared, line.as_deref()) else {
            return self.over(shard, Cause::Internal, Phase::Connect);
        };
        if way.is_up_to_the_client() && self.local().is_none() {
            return self.over(shard, Cause::Internal, Phase::Connect);
        }
        let way = Way { packets: self.packets(), ..way };
        let opened = connect::open(&way, shard.shared.pool.config.global.server_buffers, || self.local(), self.peer);
        drop(line);
        self.step = Step::Connecting;
        self.since = clock::now();
        match opened.map(register) {
            Ok(Ok(socket)) => {
                self.server = Some(socket);
                self.arm(shard, key);
                self.connected(cx, shard, key)
            }
            Ok(Err(_)) | Err(Refusal::Shortage) => self.over(shard, Cause::Resource, Phase::Connect),
            Err(Refusal::Internal) => self.over(shard, Cause::Internal, Phase::Connect),
            Err(Refusal::Server) => self.connect_failed(cx, shard, key, Failed::Refused),
            Err(refusal @ (Refusal::Source(_) | Refusal::NoPort)) => {
                self.complain(shard, refusal);
                self.connect_failed(cx, shard, key, Failed::AtHome)
            }
        }
    }

    /// How its next connection is to be opened. `line`: of its server, as it is now.
    fn way<'a>(&self, shared: &'a Shared, line: Option<&'a Server>) -> Option<Way<'a>> {
        let back = self.backend(shared)?;
        match self.target {
            Some(_) => {
                let way = Way::to_server(line?, self.source_ports(shared), back);
                // What the client has said goes out at once: it carries the acknowledgement of the handshake.
                Some(Way { eager: way.eager || self.up.holds(), ..way })
            }
            None => Some(Way::forward(back.forward.as_ref()?, back.keep_alive)),
        }
    }

    /// Its server.
    pub(super) fn server_ref(&self) -> Option<TrackRef> {
        self.target.map(|server| TrackRef { proxy: self.back, server })
    }

    /// The ports that its server is reached from, where they are dealt out.
    fn source_ports<'a>(&self, shared: &'a Shared) -> Option<&'a SourcePorts> {
        shared.pool.back(self.back)?.servers.get(self.target?.0 as usize)?.source_ports.as_deref()
    }

    /// Closes the connection to its server.
    pub(super) fn close_server(&mut self, shared: &Shared) {
        if let Some(socket) = self.server.take() {
            connect::close(socket.into_inner(), self.source_ports(shared));
        }
    }

    /// Tells that there is no address or port to connect from: a line for each attempt, as haproxy has it.
    fn complain(&self, shard: &Shard, refusal: Refusal) {
        let back = self.back_proxy(&shard.shared);
        let (level, lack) = match refusal {
            Refusal::Source(Errno::ADDRINUSE) => {
                (Level::Emerg, "every source port that may be used is taken".to_owned())
            }
            Refusal::Source(errno) => (Level::Emerg, format!("the source address cannot be used ({errno})")),
            _ => (Level::Err, "the system has no free port left for it".to_owned()),
        };
        let line = self.server_ref().and_then(|at| shard.shared.pool.known(at));
        let server = line.map_or("<NOSRV>", |server| &server.name);
        let message = format!("Proxy {} cannot connect to {server}: {lack}.", back.name);
        shard.shared.journal.event(Some(self.back), level, &message);
    }

    /// Looks whether the connection is there.
    fn connected(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32) -> Poll<()> {
        let Some(server) = &self.server else { return self.over(shard, Cause::Internal, Phase::Connect) };
        match server.poll_write_ready(cx) {
            Poll::Pending => return self.watch_client(cx, shard, Phase::Connect),
            Poll::Ready(Ok(ready)) if !ready.ready().is_write_closed() => {}
            Poll::Ready(Ok(_)) if connect::goes_on(server.get_ref()) => return self.look_anew(cx, shard),
            Poll::Ready(_) => return self.connect_failed(cx, shard, key, Failed::Refused),
        }
        self.observe(shard, true);
        let now = clock::now();
        self.connect_time =
            ((now.since(self.accepted) as u32).saturating_sub(self.queue_time.get().unwrap_or(0))).into();
        self.server_seen = now; // the client's time has run on
        self.log_early(shard);
        self.step = Step::Relaying;
        self.memory.iter_mut().for_each(|memory| memory.forget(Scope::Request));
        self.since = now;
        if self.back_proxy(&shard.shared).rules.response.is_empty() {
            self.learn(shard, Side::Request);
            self.learn(shard, Side::Response);
        } else {
            self.placing.set(Placing::ANSWERING, true);
            self.note(shard);
        }
        self.introduce(shard);
        self.arm(shard, key);
        Poll::Ready(())
    }

    /// What says that a socket is closed stays said: only a new registration forgets it.
    fn look_anew(&mut self, cx: &Context<'_>, shard: &Shard) -> Poll<()> {
        match self.server.take().map(|socket| register(socket.into_inner())) {
            Some(Ok(socket)) => {
                self.server = Some(socket);
                self.next(cx, Step::Connecting)
            }
            _ => self.over(shard, Cause::Resource, Phase::Connect),
        }
    }

    /// `observe layer4`: tells the pool how the attempt to connect ended.
    fn observe(&self, shard: &Shard, connected: bool) {
        let (shared, proxy) = (&shard.shared, self.back);
        let observed =
            self.server_ref().filter(|at| shared.pool.server(*at).is_some_and(|line| line.observe.is_some()));
        let Some(TrackRef { server, .. }) = observed else { return };
        if connected {
            shared.pool.observe_success(proxy, server);
        } else if let Some(events) = shared.pool.observe_failure(proxy, server, clock::now()) {
            shared.pool.announce(&events, &*shared.journal, &**shared);
            shared.hurry_check(TrackRef { proxy, server });
        }
    }

    /// An attempt failed: again, elsewhere, or over.
    pub(super) fn connect_failed(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32, how: Failed) -> Poll<()> {
        self.observe(shard, false);
        let cause = if how == Failed::Late { Cause::ServerTimeout } else { Cause::Server };
        let Some(back) = self.backend(&shard.shared) else { return self.over(shard, cause, Phase::Connect) };
        if self.retries >= self.most_retries(back) {
            return self.over(shard, cause, Phase::Connect); // the socket stays: a log line may show its address
        }
        self.close_server(&shard.shared);
        self.retries += 1;
        if self.goes_elsewhere(&shard.shared.pool, back) {
            let avoid = self.target.take();
            self.give_server_back(shard, avoid);
            return self.next(cx, Step::Elsewhere(avoid));
        }
        self.count(shard, |back| back.retries.add(1), |server| server.retries.add(1));
        if let (Some(back), Some(server)) = (shard.shared.pool.back(self.back), self.target) {
            back.repeat(server, clock::now());
        }
        let limit = self.back_proxy(&shard.shared).timeouts.connect;
        let pause = limit.map_or(TURN_AROUND, |limit| limit.min(TURN_AROUND));
        match how {
            Failed::Refused => {}
            Failed::Late => return self.reconnect(cx, shard, key), // it has waited already
            Failed::AtHome => return self.next(cx, Step::Again),
        }
        self.step = Step::Pausing(pause);
        self.since = clock::now();
        self.arm(shard, key);
        self.watch_client(cx, shard, Phase::Connect)
    }

    /// Goes on by being polled again, and not by a call: so many retries as one likes need no more stack.
    fn next(&mut self, cx: &Context<'_>, step: Step) -> Poll<()> {
        self.step = step;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Notes its place in the queue that it leaves.
    fn note_place(&mut self, shard: &Shard) {
        let (Step::Queued(ticket), Some(back)) = (&self.step, shard.shared.pool.back(self.back)) else { return };
        self.set_place(ticket.server.is_some(), back.place(ticket));
    }

    fn set_place(&mut self, of_server: bool, place: u32) {
        if of_server {
            self.server_queue = place;
        } else {
            self.backend_queue = place;
        }
    }

    /// While no server is there: ends the session if its client has gone.
    ///
    /// A client that has sent its FIN and no byte before it wants nothing any more. One that has sent bytes may wait
    /// for the answer: it is given up only with `option abortonclose`.
    fn watch_client(&mut self, cx: &mut Context<'_>, shard: &Shard, phase: Phase) -> Poll<()> {
        if self.up.ended {
            return Poll::Pending;
        }
        let asked = self.up.holds();
        loop {
            match self.client.poll_read_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return self.over(shard, Cause::Internal, phase),
                Poll::Ready(Ok(mut ready)) => {
                    if !ready.ready().is_read_closed() {
                        // Bytes wait in the socket until the server is there.
                        ready.clear_ready();
                        self.up.eager = true;
                        continue;
                    }
                    return match recv(self.client.get_ref(), &mut [0u8; 1], RecvFlags::PEEK) {
                        Ok((0, _)) if !asked || self.is_impatient(shard) => self.over(shard, Cause::Client, phase),
                        Ok(_) if self.is_impatient(shard) => self.over(shard, Cause::Client, phase),
                        Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {
                            // Its FIN is passed on when the server is there.
                            self.up.eager = true;
                            Poll::Pending
                        }
                        Err(_) => self.over(shard, Cause::Client, Phase::Data),
                    };
                }
            }
        }
    }

    /// `option abortonclose`.
    fn is_impatient(&self, shard: &Shard) -> bool {
        self.backend(&shard.shared).is_some_and(|back| back.abort_on_close)
    }

    pub(super) fn over(&mut self, shard: &Shard, cause: Cause, phase: Phase) -> Poll<()> {
        if let Step::Queued(_) = self.step {
            self.note_place(shard);
            self.queue_time = (clock::now().since(self.accepted) as u32).into();
        }
        self.ended(cause, phase)
    }

    fn count(&self, shard: &Shard, on_back: impl Fn(&BackState), on_server: impl Fn(&ServerState)) {
        let Some(back) = shard.shared.pool.back(self.back) else { return };
        on_back(back);
        if let Some(server) = self.target.and_then(|ix| back.servers.get(ix.0 as usize)) {
            on_server(server);
        }
    }

    /// Counts what became of a failed attempt on `left`: a redispatch, or a retry if the same server was chosen again.
    fn count_again(&mut self, shard: &Shard, left: Option<ServerIx>, taken: Option<ServerIx>) {
        let Some(left) = left else { return };
        self.target = Some(left);
        if taken == Some(left) {
            self.count(shard, |back| back.retries.add(1), |server| server.retries.add(1));
        } else {
            self.count(shard, |back| back.redispatches.add(1), |server| server.redispatches.add(1));
            self.placing.set(Placing::REDISPATCHED, true);
        }
        self.target = None;
    }

    /// The session counts no longer on the server that it holds.
    pub(super) fn give_server_back(&mut self, shard: &Shard, server: Option<ServerIx>) {
        if self.placing.take(Placing::HELD)
            && let (Some(back), Some(server)) = (shard.shared.pool.back(self.back), server)
        {
            back.release(server, clock::now());
        }
    }
}
