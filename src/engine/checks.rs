//! Runs the health checks of all servers: when each is due, what became of it, who is told.
//!
//! Each serving thread runs its share: one heap of moments, one task per check that is under way and none for one
//! that waits. What a verdict means is `pool`'s; how one connection is tried is [`probe`]'s.
//! Source: manual §5.2 "inter", §3.1 "spread-checks", "max-spread-checks", §4.2 "timeout check"; start offsets and
//! time limits observed on 2.6.12.

mod agent;
mod agent_words;
mod answer;
mod external;
mod facts;
mod http;
mod http_answer;
mod hurry;
mod link;
mod probe;
mod state;
mod talk;
mod telling;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::task::JoinSet;

pub(super) use self::agent::{ask as ask_agents, start as start_agents};
pub(super) use self::hurry::Hurry;
use super::clock;
use crate::ir::{Check, Config, Global, TrackRef};
use crate::pool::{CheckResult, CheckStatus, Control, Journal, Pool};
use crate::units::{Millis, Tick};

/// How often is looked whether a slow start begins.
const IDLE_STEP: Millis = match Millis::new(200) {
    Some(step) => step,
    None => Millis::MAX,
};

/// How often a slow start moves on: it is counted in seconds from its own beginning.
const WARM_UP_STEP: u32 = 50;

/// Intervals below this do not set the pace at which the first checks start.
const PACE_FLOOR: u32 = 1000;

/// Checks the share of this thread until the process stops. `shard`: this thread's number of `shards`.
pub(crate) async fn run(
    pool: Arc<Pool>,
    journal: Arc<dyn Journal>,
    control: Arc<dyn Control>,
    hurry: Rc<Hurry>,
    (shard, shards): (usize, usize),
) {
    let mut agenda = Agenda::new(&pool, (shard, shards), clock::now());
    let mut noise = Noise::new(pool.config.global.spread_checks);
    let mut under_way: JoinSet<(u32, CheckResult)> = JoinSet::new();
    // One thread looks after slow starts, whichever thread brought the server up.
    let mut warms = shard == 0 && pool.has_slow_starts();
    let mut warm_at = clock::now();
    while !pool.process.stopping.load(Relaxed) {
        let now = clock::now();
        while let Some(task) = agenda.take_due(now) {
            let Some(at) = agenda.server(&pool, task) else { continue };
            match Job::of(&pool, at, now).filter(|_| pool.start_check(at.proxy, at.server)) {
                Some(job) => {
                    under_way.spawn(async move { (task, job.done().await) });
                }
                // In maintenance: asked again in its turn, whether it is still.
                None => agenda.put(task, now.after(noise.applied_to(pool.check_interval(at.proxy, at.server)))),
            }
        }
        if warms && warm_at <= now {
            let step = if pool.warm_up(now) { Millis::new(WARM_UP_STEP) } else { None };
            warm_at = now.after(step.unwrap_or(IDLE_STEP));
        }
        let wake = [agenda.next(), warms.then_some(warm_at)].into_iter().flatten().min();
        // Who has nothing to do waits for servers that are added.
        let pause = Duration::from_millis(wake.map_or(u64::from(Millis::MAX.get()), |wake| wake.since(now)));
        tokio::select! {
            Some(Ok((task, result))) = under_way.join_next(), if !under_way.is_empty() => {
                let now = clock::now();
                let Some(at) = agenda.server(&pool, task) else { continue };
                if result.status == CheckStatus::L4Tout {
                    pool.resolve_soon(at);
                }
                let events = pool.report_check(at.proxy, at.server, &result, now);
                pool.announce(&events, &*journal, &*control);
                agenda.put(task, now.after(noise.applied_to(pool.check_interval(at.proxy, at.server))));
            }
            () = hurry.wanted() => {
                for at in hurry.take() {
                    agenda.hurry(&pool, at, clock::now());
                }
                if hurry.has_newcomers() {
                    agenda.admit(&pool, (shard, shards), clock::now());
                    warms = shard == 0 && pool.has_slow_starts();
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One check.
enum Job {
    Program(external::Program),
    Probe(probe::Target),
}

impl Job {
    /// What is done to check a server; `None`: nobody knows where it is.
    fn of(pool: &Pool, at: TrackRef, now: Tick) -> Option<Self> {
        let program = external::Program::of(pool, at).map(Self::Program);
        program.or_else(|| probe::Target::of(pool, at, now).map(Self::Probe))
    }

    async fn done(self) -> CheckResult {
        match self {
            Self::Program(program) => program.run().await,
            Self::Probe(target) => target.probe().await,
        }
    }
}

/// When which check is due.
struct Agenda {
    /// The servers, and which of those that have the same place one after the other.
    tasks: Vec<(TrackRef, u32)>,
    /// The moment of each that waits for one; what else stands in the heap is void.
    moments: Vec<Option<Tick>>,
    dues: BinaryHeap<Reverse<(Tick, u32)>>,
}

impl Agenda {
    /// The checks of one thread, each with its first moment: all checks of the process start one after the other,
    /// spread over an interval.
    fn new(pool: &Pool, (shard, shards): (usize, usize), now: Tick) -> Self {
        let config = &*pool.config;
        let mut agenda = Self { tasks: Vec::new(), moments: Vec::new(), dues: BinaryHeap::new() };
        let pace = pace(config);
        let count = checks(config).count();
        for (position, (at, check)) in checks(config).enumerate().skip(shard).step_by(shards.max(1)) {
            let task = agenda.tasks.len() as u32;
            agenda.tasks.push((at, 0));
            agenda.moments.push(None);
            agenda.put(task, now.after(first_after(&config.global, check, pace, position, count)));
        }
        agenda.admit(pool, (shard, shards), now);
        agenda
    }

    /// Takes in the checks of servers that were added: each begins within its interval.
    fn admit(&mut self, pool: &Pool, (shard, shards): (usize, usize), now: Tick) {
        for at in pool.added().filter(|at| at.server.0 as usize % shards.max(1) == shard) {
            let check = pool.server(at).and_then(|line| line.check.as_ref());
            let (Some(check), Some(tenant)) = (check, pool.tenant(at)) else { continue };
            if self.tasks.contains(&(at, tenant)) {
                continue;
            }
            let soon = now.after(Millis::new(unchecked(check)).unwrap_or(Millis::MAX));
            let gone = self.tasks.iter().position(|(other, _)| *other == at);
            let task = gone.unwrap_or(self.tasks.len());
            if gone.is_some() {
                self.tasks[task].1 = tenant;
            } else {
                self.tasks.push((at, tenant));
                self.moments.push(None);
            }
            self.put(task as u32, soon);
        }
    }

    /// Whose check it is; `None`: the server was deleted, and nobody checks it any more.
    fn server(&self, pool: &Pool, task: u32) -> Option<TrackRef> {
        let (at, tenant) = self.tasks[task as usize];
        (pool.tenant(at) == Some(tenant)).then_some(at)
    }

    fn put(&mut self, task: u32, at: Tick) {
        self.moments[task as usize] = Some(at);
        self.dues.push(Reverse((at, task)));
    }

    /// Brings the check of a server forward: it comes after its fast interval at the latest.
    fn hurry(&mut self, pool: &Pool, at: TrackRef, now: Tick) {
        let Some(task) = self.tasks.iter().position(|(task, _)| *task == at) else { return };
        let check = pool.server(at).and_then(|line| line.check.as_ref());
        let soon = check.map(|check| now.after(check.fastinter.unwrap_or(check.inter)));
        if let (Some(soon), Some(planned)) = (soon, self.moments[task])
            && soon < planned
        {
            self.put(task as u32, soon);
        }
    }

    fn next(&self) -> Option<Tick> {
        self.dues.peek().map(|Reverse((at, _))| *at)
    }

    fn take_due(&mut self, now: Tick) -> Option<u32> {
        loop {
            self.next().filter(|at| *at <= now)?;
            let Reverse((at, task)) = self.dues.pop()?;
            if self.moments[task as usize] == Some(at) {
                self.moments[task as usize] = None;
                return Some(task);
            }
        }
    }
}

/// All checks of a configuration in the order of its lines; those of servers in maintenance have their place too.
fn checks(config: &Config) -> impl Iterator<Item = (TrackRef, &Check)> {
    use crate::ir::{ProxyIx, ServerIx};
    let proxies = (0..).map(ProxyIx).zip(&config.proxies).filter(|(_, proxy)| !proxy.disabled);
    let backs = proxies.filter_map(|(proxy, line)| Some((proxy, line.backend.as_ref()?)));
    backs.flat_map(|(proxy, back)| {
        let servers = (0..).map(ServerIx).zip(&back.servers);
        servers.filter_map(move |(server, line)| Some((TrackRef { proxy, server }, line.check.as_ref()?)))
    })
}

/// The interval of a check that has not run yet.
fn unchecked(check: &Check) -> u32 {
    check.fastinter.unwrap_or(check.inter).get()
}

/// The interval over which first checks are spread: the shortest, of those of a second and more.
fn pace(config: &Config) -> u32 {
    checks(config).map(|(_, check)| unchecked(check)).filter(|inter| *inter >= PACE_FLOOR).min().unwrap_or(0)
}

/// How long after the start the check at `position` of `count` runs first.
fn first_after(global: &Global, check: &Check, pace: u32, position: usize, count: usize) -> Millis {
    let span = unchecked(check).max(pace);
    let span = global.max_spread_checks.map_or(span, |most| span.min(most.get()));
    let delay = u64::from(span) * position as u64 / count.max(1) as u64;
    Millis::new(delay as u32).unwrap_or(Millis::MAX)
}

/// `spread-checks`: makes intervals up to so many percent longer or shorter.
struct Noise {
    percent: u64,
    state: u64,
}

impl Noise {
    fn new(percent: u8) -> Self {
        Self { percent: percent.into(), state: RandomState::new().hash_one(0_u8) | 1 }
    }

    fn applied_to(&mut self, interval: Millis) -> Millis {
        let span = u64::from(interval.get()) * self.percent / 100;
        if span == 0 {
            return interval;
        }
        // xorshift64: evenly spread is all that is asked of it.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let noisy = u64::from(interval.get()) - span + self.state % (2 * span + 1);
        u32::try_from(noisy).ok().and_then(Millis::new).unwrap_or(Millis::MAX)
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
