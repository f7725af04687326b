//! Long sessions find their way to a server that has returned: those above each server's fair share are ended, so many
//! a second at most, and their clients come back to where balancing sends them.
//!
//! Off unless a command asks for it. Knows no clock and no session: it is told the moment and says how many are to end
//! on which server ([`Pool::rebalance_step`]); `engine::rebalance` chooses and ends them. A run ends by itself.
//! Clients that were ended lately and are not back yet count as if they were, so that their way is not taken for an
//! imbalance; and no run ends more sessions than there ever were in it, whatever its clients do.

use std::collections::VecDeque;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::fair::{Part, Seat, above, divided};
use super::health::Event;
use super::verdicts::Events;
use super::{BackState, Pool};
use crate::ir::{Balance, Level, ProxyIx, ServerIx};
use crate::units::{Millis, Tick};

/// The highest rate, sessions a second.
pub const MOST_RATE: u32 = 1_000_000;
/// The highest tolerance, percent.
pub const MOST_TOLERANCE: u32 = 1_000;

const SECOND: u64 = 1_000_000_000;
/// The time between two looks at a run that ends sessions, and at one that waits, ms.
const STEP: Millis = millis(10);
const WAIT: Millis = millis(200);
/// What a look that comes late may catch up, ns: the rate holds for every stretch of time but for that.
const LATE: u64 = 20_000_000;
/// How long a client may take to come back, ms.
const RETURN: u64 = 10_000;
/// Ends are remembered by stretches of that length, ms.
const STRETCH: u64 = 100;

const fn millis(count: u32) -> Millis {
    match Millis::new(count) {
        Some(millis) => millis,
        None => Millis::MAX,
    }
}

/// What was ordered for a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebalanceRule {
    /// Sessions a second at most; 1 to [`MOST_RATE`].
    pub rate: u32,
    /// Percent that a server may have above its share; at most [`MOST_TOLERANCE`].
    pub tolerance: u32,
    /// It begins whenever a server returns, and not before; it is kept until it is taken back.
    pub on_up: bool,
}

/// Why a backend's sessions cannot be rebalanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RebalanceError {
    /// Balancing chooses by the client's address or by order.
    #[error("Balancing would send the clients back to the server that they come from.")]
    Fixed,
    /// There is no such backend.
    #[error("There is no such backend.")]
    NoBackend,
}

/// What is to be done now for a backend.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RebalanceStep {
    /// How many sessions of which servers are to end.
    pub ends: Vec<(ServerIx, u32)>,
    /// What is to be told.
    pub events: Events,
    /// When to ask again; `None`: it is over.
    pub next: Option<Tick>,
}

/// A backend as `show rebalance` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebalanceView {
    /// What was ordered.
    pub rule: RebalanceRule,
    /// Sessions that the run has ended, and since when it runs; `None`: it waits for a server to return.
    pub run: Option<(u64, Tick)>,
    /// Sessions on servers that are up.
    pub sessions: u64,
    /// Those above their server's share.
    pub above: u64,
}

/// What is ordered for one backend, and how far it is.
#[derive(Debug)]
pub(super) struct Rebalance {
    rule: RebalanceRule,
    run: Option<Run>,
}

/// One run: from a command or a server's return until all is balanced.
#[derive(Debug)]
struct Run {
    since: Tick,
    /// Its beginning was told.
    told: bool,
    /// When the next session may end, ns.
    next: u64,
    /// The most sessions that there were.
    most: u64,
    /// Sessions that were asked to end, and that did.
    asked: u64,
    ended: u64,
    /// Moments and numbers of those that ended lately.
    lately: VecDeque<(Tick, u64)>,
    /// They were not ended, but come from another process, which nothing balances.
    arrives: bool,
}

/// The same in the line of a backend that its successor reads ([`super::carry`]).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct RebalanceLine {
    rule: RebalanceRule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunLine>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct RunLine {
    since: u64,
    told: bool,
    most: u64,
    asked: u64,
    ended: u64,
}

/// How a run goes on.
enum Turn {
    /// So many sessions are to end; then it is to be looked again.
    Ends(Vec<(u32, u32)>, Tick),
    Over(&'static str),
}

impl Run {
    fn new(now: Tick) -> Self {
        let next = now.millis().saturating_mul(1_000_000);
        Self { since: now, told: false, next, most: 0, asked: 0, ended: 0, lately: VecDeque::new(), arrives: false }
    }

    /// Goes on where another process was: its sessions are all on their way.
    fn resumed(line: &RunLine, now: Tick) -> Self {
        let since = Tick::from_millis(line.since).min(now);
        let most = line.most.min(u64::from(u32::MAX));
        let lately = VecDeque::from([(now, most)]);
        let (told, asked, ended) = (line.told, line.asked.min(most), line.ended.min(most));
        Self { since, told, most, asked, ended, lately, arrives: true, ..Self::new(now) }
    }

    /// Clients that may still come back. `present`: sessions that are there.
    fn away(&mut self, present: u64, now: Tick) -> u64 {
        while self.lately.front().is_some_and(|(at, _)| now.since(*at) > RETURN) {
            self.lately.pop_front();
        }
        self.most = self.most.max(present);
        self.lately.iter().map(|(_, count)| count).sum::<u64>().min(self.most - present)
    }

    /// `ramps`: a server's share still grows by itself.
    fn turn(&mut self, rule: RebalanceRule, seats: &[Seat], ramps: bool, now: Tick) -> Turn {
        let present = present(seats);
        let away = self.away(present, now);
        let high = above(seats, present + away, rule.tolerance);
        let surplus: u64 = high.iter().map(|above| u64::from(*above)).sum();
        let clock = now.millis().saturating_mul(1_000_000);
        if surplus == 0 {
            self.next = self.next.max(clock);
            let settled = || above(seats, present, rule.tolerance).iter().all(|above| *above == 0);
            let settled = away == 0 || (!self.arrives && settled());
            return if settled && !ramps { Turn::Over("balanced") } else { Turn::Ends(Vec::new(), now.after(WAIT)) };
        }
        if self.asked >= self.most {
            return Turn::Over("every session has had its turn, and they are not balanced");
        }
        let pause = SECOND.div_ceil(u64::from(rule.rate.max(1)));
        self.next = self.next.max(clock.saturating_sub(LATE));
        let due = if self.next <= clock { (clock - self.next) / pause + 1 } else { 0 };
        let count = due.min(surplus).min(self.most - self.asked);
        self.next = self.next.saturating_add(count * pause);
        self.asked += count;
        let next = Tick::from_millis(self.next.div_ceil(1_000_000)).max(now.after(STEP));
        Turn::Ends(divided(&high, count), next)
    }

    fn note(&mut self, ended: u64, now: Tick) {
        self.ended += ended;
        match self.lately.back_mut() {
            Some((at, count)) if now.since(*at) < STRETCH => *count += ended,
            _ => self.lately.push_back((now, ended)),
        }
    }
}

/// Sessions on servers that are up.
fn present(seats: &[Seat]) -> u64 {
    seats.iter().filter(|seat| seat.part != Part::Apart).map(|seat| u64::from(seat.load)).sum()
}

impl BackState {
    pub(super) fn rebalance(&self) -> MutexGuard<'_, Option<Rebalance>> {
        self.rebalance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server has returned: begins a run if one was ordered for that.
    pub(super) fn begin_rebalance(&self, now: Tick) {
        if let Some(rebalance) = &mut *self.rebalance()
            && rebalance.rule.on_up
        {
            rebalance.run.get_or_insert_with(|| Run::new(now));
        }
    }

    /// The servers as a rule sees them, and whether one of them has a slow start. Where nobody has asked for it at this
    /// moment, what is drained stays where it is.
    fn seats(&self, rule: RebalanceRule) -> (Vec<Seat>, bool) {
        let core = self.lock();
        let mut seats = core.seats(self.sessions.get());
        let ramps = core.members.iter().any(|member| member.warming_since.is_some() && member.usable());
        drop(core);
        for seat in seats.iter_mut().filter(|seat| rule.on_up && seat.part == Part::Drained) {
            seat.part = Part::Apart;
        }
        (seats, ramps)
    }
}

impl Pool {
    /// Whether clients that come again may get another server than before.
    fn can_rebalance(&self, proxy: ProxyIx) -> bool {
        let back = self.config.proxies.get(proxy.0 as usize).and_then(|proxy| proxy.backend.as_ref());
        back.is_some_and(|back| !(back.balance.is_keyed() || back.balance == Balance::First))
    }

    /// Orders or (`None`) takes back; returns what is to be told. A run that is under way goes on by the new rule.
    ///
    /// # Errors
    /// [`RebalanceError`].
    pub fn set_rebalance(
        &self,
        proxy: ProxyIx,
        rule: Option<RebalanceRule>,
        now: Tick,
    ) -> Result<Events, RebalanceError> {
        let back = self.back(proxy).ok_or(RebalanceError::NoBackend)?;
        if rule.is_some() && !self.can_rebalance(proxy) {
            return Err(RebalanceError::Fixed);
        }
        let mut rebalance = back.rebalance();
        let run = rebalance.as_mut().and_then(|before| before.run.take());
        let Some(rule) = rule else {
            *rebalance = None;
            drop(rebalance);
            let told = run.filter(|run| run.told).map(|run| self.ends(proxy, &run, "by order", now));
            return Ok(told.into_iter().collect());
        };
        let run = if rule.on_up { run } else { Some(run.unwrap_or_else(|| Run::new(now))) };
        *rebalance = Some(Rebalance { rule, run });
        Ok(Events::new())
    }

    /// The backends whose sessions are being rebalanced.
    pub fn rebalancing(&self) -> Vec<ProxyIx> {
        let runs = |back: &BackState| back.rebalance().as_ref().is_some_and(|rebalance| rebalance.run.is_some());
        let all = (0..).map(ProxyIx).zip(&self.proxies);
        all.filter(|(_, proxy)| proxy.back.as_ref().is_some_and(runs)).map(|(ix, _)| ix).collect()
    }

    /// What is to be done now for one of [`Self::rebalancing`].
    pub fn rebalance_step(&self, proxy: ProxyIx, now: Tick) -> RebalanceStep {
        let mut step = RebalanceStep::default();
        let Some(back) = self.back(proxy) else { return step };
        let Some(rule) = back.rebalance().as_ref().map(|rebalance| rebalance.rule) else { return step };
        let (seats, ramps) = back.seats(rule);
        let mut rebalance = back.rebalance();
        let Some(Rebalance { rule, run: Some(run) }) = &mut *rebalance else { return step };
        match run.turn(*rule, &seats, ramps, now) {
            Turn::Ends(ends, next) => {
                if !ends.is_empty() && !std::mem::replace(&mut run.told, true) {
                    step.events.push(self.begins(proxy, *rule, &seats));
                }
                step.ends = ends.into_iter().map(|(server, count)| (ServerIx(server), count)).collect();
                step.next = Some(next);
            }
            Turn::Over(why) => {
                if run.told || !rule.on_up {
                    step.events.push(self.ends(proxy, run, why, now));
                }
                if rule.on_up {
                    *rebalance = rebalance.take().map(|armed| Rebalance { run: None, ..armed });
                } else {
                    *rebalance = None;
                }
            }
        }
        step
    }

    /// So many sessions have ended by a step.
    pub fn note_rebalanced(&self, proxy: ProxyIx, ended: u64, now: Tick) {
        if let Some(back) = self.back(proxy)
            && let Some(Rebalance { run: Some(run), .. }) = &mut *back.rebalance()
        {
            run.note(ended, now);
        }
    }

    /// What was ordered for a backend and how far it is; `None`: nothing was.
    pub fn rebalance_view(&self, proxy: ProxyIx) -> Option<RebalanceView> {
        let back = self.back(proxy)?;
        let (rule, run) = {
            let rebalance = back.rebalance();
            let rebalance = rebalance.as_ref()?;
            (rebalance.rule, rebalance.run.as_ref().map(|run| (run.ended, run.since)))
        };
        let (seats, _) = back.seats(rule);
        let sessions = present(&seats);
        let above = above(&seats, sessions, rule.tolerance).into_iter().map(u64::from).sum();
        Some(RebalanceView { rule, run, sessions, above })
    }

    pub(super) fn rebalance_line(&self, proxy: ProxyIx) -> Option<RebalanceLine> {
        let rebalance = self.back(proxy)?.rebalance();
        let Rebalance { rule, run } = rebalance.as_ref()?;
        let run = run.as_ref().map(|run| RunLine {
            since: run.since.millis(),
            told: run.told,
            most: run.most,
            asked: run.asked,
            ended: run.ended,
        });
        Some(RebalanceLine { rule: *rule, run })
    }

    /// Goes on with what another process was ordered; `false`: it cannot be here.
    pub(super) fn take_rebalance(&self, proxy: ProxyIx, line: &RebalanceLine, now: Tick) -> bool {
        let Some(back) = self.back(proxy).filter(|_| self.can_rebalance(proxy)) else { return false };
        let RebalanceRule { rate, tolerance, on_up } = line.rule;
        let rule = RebalanceRule { rate: rate.clamp(1, MOST_RATE), tolerance: tolerance.min(MOST_TOLERANCE), on_up };
        let run = line.run.as_ref().map(|run| Run::resumed(run, now));
        if run.is_some() || on_up {
            *back.rebalance() = Some(Rebalance { rule, run });
        }
        true
    }

    fn say(&self, proxy: ProxyIx, rest: &str) -> (ProxyIx, Event) {
        let name = &self.config.proxies[proxy.0 as usize].name;
        let message = format!("Rebalancing of backend {name} {rest}.");
        (proxy, Event { message, ..Event::of_backend(Level::Notice) })
    }

    fn begins(&self, proxy: ProxyIx, rule: RebalanceRule, seats: &[Seat]) -> (ProxyIx, Event) {
        let whole = present(seats);
        let above: u64 = above(seats, whole, rule.tolerance).into_iter().map(u64::from).sum();
        let text = format!(
            "begins: {above} of {whole} sessions are above the share of their server; {} a second are ended at most",
            rule.rate
        );
        self.say(proxy, &text)
    }

    fn ends(&self, proxy: ProxyIx, run: &Run, why: &str, now: Tick) -> (ProxyIx, Event) {
        let time = now.since(run.since);
        self.say(proxy, &format!("ends after {time} ms: {why}; {} sessions were ended", run.ended))
    }
}

#[cfg(test)]
#[path = "rebalance_tests.rs"]
mod tests;
