//! `tcp-request content`, `use_backend`, `tcp-response content`: what the two ends of a session say decides.
//!
//! The bytes that are looked at lie where they wait for the other side anyway, in the session's flow.

use std::cell::RefCell;
use std::task::{Context, Poll};

use super::{Verdict, holds, judge};
use crate::engine::clock;
use crate::engine::connect::Packets;
use crate::engine::dispatch::Step;
use crate::engine::facts::{Subject, View, room};
use crate::engine::placing::Placing;
use crate::engine::proxy_header::Announced;
use crate::engine::session::{Session, Silence};
use crate::engine::shard::Shard;
use crate::engine::shared::Shared;
use crate::expr::{Side, Truth};
use crate::ir::{Backend, Destination, ProxyIx, Rules};
use crate::pool::{Cause, Peer, Phase, Priority};
use crate::units::Tick;

/// How far the rules of a session have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Inspection {
    /// Whether those of the backend are looked at, and not those of the frontend.
    pub(in crate::engine) of_backend: bool,
    /// The time to wait for more is over.
    pub(in crate::engine) late: bool,
    /// They have not been looked at since they could say something else.
    pub(in crate::engine) due: bool,
    /// Its client was silent for too long, or has reset its connection: rules may still refuse the session, but no server
    /// gets it.
    pub(in crate::engine) lost: Option<Cause>,
}

impl Inspection {
    /// One that begins.
    pub(in crate::engine) fn new(of_backend: bool) -> Self {
        Self { of_backend, late: false, due: true, lost: None }
    }

    /// What it is while nothing is new.
    fn waiting(self) -> Self {
        Self { due: false, ..self }
    }

    fn may_wait(self) -> bool {
        !self.late && self.lost.is_none()
    }

    /// For a name. Rules behind it are looked at for one that has reset its connection, and for a silent one not.
    fn may_await(self) -> bool {
        !self.late && self.lost.is_none_or(|cause| cause == Cause::ClientTimeout)
    }
}

impl Session {
    /// What it has in queues before others.
    pub(in crate::engine) fn priority(&self) -> Priority {
        self.memory.as_ref().map_or_else(Priority::default, |memory| memory.priority)
    }

    /// How the packets to its server are marked.
    pub(in crate::engine) fn packets(&self) -> Packets {
        self.memory.as_ref().map_or_else(Packets::default, |memory| memory.packets)
    }

    /// How often it may try to connect again.
    pub(in crate::engine) fn most_retries(&self, back: &Backend) -> u32 {
        self.memory.as_ref().and_then(|memory| memory.retries).unwrap_or(back.retries)
    }

    /// Takes over the addresses that rules have set.
    pub(in crate::engine) fn settle_addresses(&mut self) {
        let Some((source, destination)) = self.memory.as_mut().and_then(|memory| memory.take_addresses()) else {
            return;
        };
        if let Some(source) = source {
            self.peer = Peer::Inet(source);
        }
        if destination.is_some() {
            Announced::change(&mut self.announced, destination, self.accepted);
        }
    }

    /// Has a view of the session looked at.
    pub(in crate::engine) fn viewed<R>(&mut self, shard: &Shard, waits: bool, look: impl FnOnce(&View<'_>) -> R) -> R {
        self.viewed_in_time(shard, (waits, false), look)
    }

    /// As [`Self::viewed`]; whether it may wait for bytes, and for names.
    fn viewed_in_time<R>(
        &mut self,
        shard: &Shard,
        (waits, patient): (bool, bool),
        look: impl FnOnce(&View<'_>) -> R,
    ) -> R {
        let memory = RefCell::new(self.memory.take());
        let view = View { shard, subject: Subject::Session(self), memory: &memory, waits, patient };
        let seen = look(&view);
        self.memory = memory.into_inner();
        self.settle_addresses();
        self.placing.set(Placing::LIMITED, self.memory.as_ref().is_some_and(|memory| memory.bandwidth.is_some()));
        seen
    }

    /// The rules that it is waiting for.
    fn rules<'a>(&self, shared: &'a Shared, inspection: Inspection) -> &'a Rules {
        let proxy = if inspection.of_backend { self.back_proxy(shared) } else { self.front_proxy(shared) };
        &proxy.rules
    }

    /// What rules are going to wait for, if it is the first bytes: rules need not be looked at before.
    pub(in crate::engine) fn waits_for_bytes(&mut self, shard: &Shard) -> Option<Inspection> {
        if self.placing.is(Placing::RULED) {
            return None;
        }
        let inspection = Inspection::new(self.placing.is(Placing::ENTERED));
        let rules = self.rules(&shard.shared, inspection);
        let first = rules.request.first().filter(|_| rules.request_delay.is_some())?.when.as_ref()?;
        let waits = first.begins_with_bytes() && self.viewed(shard, true, |view| first.evaluate(view)) == Truth::NotYet;
        waits.then(|| inspection.waiting())
    }

    /// When it waits for more no longer.
    pub(in crate::engine) fn inspected_until(&self, shared: &Shared, inspection: Inspection) -> Option<Tick> {
        let delay = self.rules(shared, inspection).request_delay.filter(|_| inspection.may_wait());
        delay.map(|delay| self.since.after(delay))
    }

    /// When rules about what the server sends wait for more no longer.
    pub(in crate::engine) fn answered_until(&self, shared: &Shared) -> Option<Tick> {
        self.back_proxy(shared).rules.response_delay.map(|delay| self.since.after(delay))
    }

    /// Looks at rules about what the client has sent; ready when its backend is chosen, or it has ended.
    pub(in crate::engine) fn inspect(
        &mut self,
        cx: &mut Context<'_>,
        shard: &Shard,
        key: u32,
        mut inspection: Inspection,
    ) -> Poll<()> {
        let awaits = self.memory.as_ref().is_some_and(|memory| memory.awaited.is_some());
        inspection.due |= awaits || inspection.late || inspection.lost.is_some();
        loop {
            let shared = &shard.shared;
            let rules = self.rules(shared, inspection);
            let full = self.up.held_bytes().len() >= room(shard);
            let waits = rules.request_delay.is_some() && inspection.may_wait() && !self.up.ended && !full;
            let patient = rules.request_delay.is_some() && inspection.may_await();
            // They are looked at once for whatever has come: what they count is counted as often.
            if waits && !inspection.due {
                match self.up.read_more(&self.client, cx, shard, room(shard)) {
                    Poll::Pending => {
                        self.step = Step::Inspecting(inspection.waiting());
                        self.arm(shard, key);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(())) => self.client_seen = clock::coarse(),
                    Poll::Ready(Err(_)) => inspection.lost = Some(Cause::Client),
                }
                inspection.due = true;
                continue;
            }
            if inspection.lost.is_none() {
                self.waiting_rule.set(None);
            }
            match self.viewed_in_time(shard, (waits, patient), |view| judge(&rules.request, view)) {
                Verdict::Wait | Verdict::Await => {
                    if inspection.lost.is_some() {
                        break; // no name is waited for without a client
                    }
                    inspection = inspection.waiting();
                    self.step = Step::Inspecting(inspection);
                    if full || self.up.ended {
                        self.arm(shard, key);
                        return Poll::Pending;
                    }
                }
                Verdict::Reject | Verdict::Close => {
                    self.seat.denied_request();
                    return self.over(shard, Cause::Proxy, Phase::Request);
                }
                Verdict::Drop(reach) => return self.leave(shard, reach),
                Verdict::Pass | Verdict::Announce(_) if inspection.of_backend => break,
                Verdict::Pass | Verdict::Announce(_) => {
                    self.switch(shard);
                    if self.back == self.front || self.back_proxy(shared).rules.request.is_empty() {
                        break;
                    }
                    self.since = clock::now();
                    inspection = Inspection { lost: inspection.lost, ..Inspection::new(true) };
                }
            }
        }
        if let Some(cause) = inspection.lost {
            self.seat.failed_request();
            // whose session it would have been counts it
            self.target = self.kept(shard).server;
            return self.over(shard, cause, Phase::Request);
        }
        self.step = Step::Start;
        Poll::Ready(())
    }

    /// `use_backend`: the first whose condition holds says where the session goes, else `default_backend`.
    fn switch(&mut self, shard: &Shard) {
        let shared = &shard.shared;
        let config = &shared.pool.config;
        let proxy = self.front_proxy(shared);
        let chosen = self.viewed(shard, false, |view| {
            let switch =
                proxy.rules.switching.iter().find(|switch| holds(switch.when.as_ref(), view) == Truth::True)?;
            match &switch.to {
                Destination::Backend(backend) => Some(*backend),
                Destination::Named(template) => {
                    let name = super::text(template, view);
                    let named = |proxy: &crate::ir::Proxy| proxy.backend.is_some() && proxy.name.as_bytes() == name;
                    config.proxies.iter().position(named).and_then(|at| u32::try_from(at).ok()).map(ProxyIx)
                }
            }
        });
        let default = proxy.frontend.as_ref().and_then(|front| front.default_backend);
        self.enter(shared, chosen.or(default).unwrap_or(self.front));
    }

    /// Ends the session so that its client does not hear of it.
    fn leave(&mut self, shard: &Shard, reach: Option<u8>) -> Poll<()> {
        self.seat.denied_request();
        if self.placing.is(Placing::ENTERED)
            && let Some(back) = shard.shared.pool.back(self.back)
        {
            back.denied_requests.add(1);
        }
        self.silence = Some(Silence(reach));
        self.over(shard, Cause::Proxy, Phase::Request)
    }

    /// Looks at rules about what the server has sent; ready when its bytes may move, or the session has ended.
    ///
    /// One that has reset its connection says nothing more: rules are looked at for the last time, as behind a FIN.
    pub(in crate::engine) fn inspect_answer(&mut self, cx: &mut Context<'_>, shard: &Shard, key: u32) -> Poll<()> {
        let mut lost = false;
        loop {
            let shared = &shard.shared;
            let rules = &self.back_proxy(shared).rules;
            let full = self.down.held_bytes().len() >= room(shard);
            let in_time = self.answered_until(shared).is_some_and(|end| clock::now() < end);
            let waits = in_time && !self.down.ended && !full && !lost;
            self.waiting_rule.set(None);
            match self.viewed(shard, waits, |view| judge(&rules.response, view)) {
                Verdict::Wait => {
                    let Some(server) = &self.server else { return Poll::Ready(()) };
                    match self.down.read_more(server, cx, shard, room(shard)) {
                        Poll::Pending => {
                            self.arm(shard, key);
                            return Poll::Pending;
                        }
                        Poll::Ready(Ok(())) => self.server_seen = clock::coarse(),
                        Poll::Ready(Err(_)) => lost = true,
                    }
                }
                Verdict::Reject => {
                    self.deny_answer(shared);
                    return self.ended(Cause::Proxy, Phase::Data);
                }
                Verdict::Drop(reach) => return self.leave(shard, reach),
                verdict @ (Verdict::Close | Verdict::Pass | Verdict::Announce(_) | Verdict::Await) => {
                    self.placing.set(Placing::ANSWERING, false);
                    if verdict == Verdict::Close {
                        // what it has said goes on to the client; nobody says anything more
                        self.down.ended = true;
                        self.up.discard();
                    }
                    self.tell_noted(shard);
                    self.learn(shard, Side::Response);
                    if lost && !self.down.holds() {
                        return self.ended(Cause::Server, Phase::Data);
                    }
                    return Poll::Ready(());
                }
            }
        }
    }

    fn deny_answer(&self, shared: &Shared) {
        self.seat.denied_response();
        let Some(back) = shared.pool.back(self.back) else { return };
        back.denied_responses.add(1);
        if let Some(server) = self.target.and_then(|ix| back.servers.get(ix.0 as usize)) {
            server.denied_responses.add(1);
        }
    }
}
