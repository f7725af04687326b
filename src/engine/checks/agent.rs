//! Asks the agents beside servers how these are.
//!
//! Each serving thread asks its share, each agent in a task of its own: agents are few. What is said is read by
//! [`super::agent_words`] and obeyed by `pool`. A failure changes nothing: whether the server answers is for its check
//! to find out. Source: manual §5.2 "agent-check"; limits and texts observed on 2.6.12.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{sleep, timeout_at};

use super::link::{self, Link, Manner, Place, Source};
use super::probe::Limits;
use super::{Noise, agent_words, clock};
use crate::ir::check::CheckStatus;
use crate::ir::{Agent, Config, ProxyIx, ServerAddress, ServerIx, TrackRef};
use crate::pool::{AgentReport, Control, Journal, Pool};
use crate::units::Millis;

/// What `tune.bufsize` is unless it is set.
const BUFSIZE: u32 = 16_384;

/// Asks the agents of this thread's share from now on. `shard`: this thread's number of `shards`.
pub(in crate::engine) fn start(
    pool: &Arc<Pool>,
    journal: &Arc<dyn Journal>,
    control: &Arc<dyn Control>,
    shard: usize,
    shards: usize,
) {
    let agents = agents(&pool.config);
    // They begin one after the other, behind the checks.
    let checks = super::checks(&pool.config).count() as u64;
    let count = (checks + agents.len() as u64).max(1);
    for (position, (at, inter)) in agents.into_iter().enumerate().skip(shard).step_by(shards.max(1)) {
        let span = pool.config.global.max_spread_checks.map_or(inter, |most| inter.min(most));
        let wait = Duration::from_millis(u64::from(span.get()) * (checks + position as u64) / count);
        let (pool, journal, control) = (Arc::clone(pool), Arc::clone(journal), Arc::clone(control));
        drop(tokio::task::spawn_local(async move {
            sleep(wait).await;
            watch(&pool, &*journal, &*control, at, inter).await;
        }));
    }
}

/// Asks the agents of this thread's share of the servers that were added, and that nobody asks yet: `asked` has those
/// that are asked, and which of those that have the same place one after the other.
pub(in crate::engine) fn ask(
    pool: &Arc<Pool>,
    journal: &Arc<dyn Journal>,
    control: &Arc<dyn Control>,
    asked: &mut HashMap<(u32, u32), u32>,
    (shard, shards): (usize, usize),
) {
    for at in pool.added().filter(|at| at.server.0 as usize % shards.max(1) == shard) {
        let inter = pool.server(at).and_then(|line| line.agent.as_ref()).map(|agent| agent.inter);
        let (Some(inter), Some(tenant)) = (inter, pool.tenant(at)) else { continue };
        if asked.insert((at.proxy.0, at.server.0), tenant) == Some(tenant) {
            continue;
        }
        let (pool, journal, control) = (Arc::clone(pool), Arc::clone(journal), Arc::clone(control));
        drop(tokio::task::spawn_local(async move {
            watch(&pool, &*journal, &*control, at, inter).await;
        }));
    }
}

/// All servers with an agent, in the order of the configuration, and how often it is asked.
fn agents(config: &Config) -> Vec<(TrackRef, Millis)> {
    let mut found = Vec::new();
    for (proxy, line) in (0..).map(ProxyIx).zip(&config.proxies).filter(|(_, line)| !line.disabled) {
        for (server, line) in (0..).map(ServerIx).zip(line.backend.iter().flat_map(|back| &back.servers)) {
            if let Some(agent) = &line.agent {
                found.push((TrackRef { proxy, server }, agent.inter));
            }
        }
    }
    found
}

async fn watch(pool: &Pool, journal: &dyn Journal, control: &dyn Control, at: TrackRef, inter: Millis) {
    let mut noise = Noise::new(pool.config.global.spread_checks);
    let tenant = pool.tenant(at);
    while !pool.process.stopping.load(Relaxed) && tenant.is_some() && pool.tenant(at) == tenant {
        // Each time anew: where it is asked, and what, may change.
        let question = Question::of(pool, at);
        if let Some(question) = question.filter(|_| pool.start_agent(at.proxy, at.server)) {
            let started = clock::now();
            let report = question.ask().await;
            let now = clock::now();
            let duration = u32::try_from(now.since(started)).unwrap_or(u32::MAX);
            if pool.tenant(at) != tenant {
                return; // another server has the place now
            }
            let events = pool.report_agent(at.proxy, at.server, report, duration, now);
            pool.announce(&events, journal, control);
        }
        sleep(Duration::from_millis(noise.applied_to(inter).get().into())).await;
    }
}

/// Whom to ask, and how.
#[derive(Debug)]
struct Question {
    to: Place,
    source: Option<Source>,
    send: Vec<u8>,
    limits: Limits,
    /// The longest answer, in bytes.
    most: usize,
}

impl Question {
    /// `None`: the server has no agent, or nobody knows where it is.
    fn of(pool: &Pool, at: TrackRef) -> Option<Self> {
        let config = &pool.config;
        let proxy = config.proxies.get(at.proxy.0 as usize)?;
        let server = pool.server_now(at.proxy, at.server)?;
        let agent: &Agent = server.agent.as_deref()?;
        let to = match (agent.addr, &server.address) {
            (Some(addr), _) => Place::Inet(SocketAddr::new(addr, agent.port)),
            (None, ServerAddress::Inet(address)) => Place::Inet(SocketAddr::new(address.ip(), agent.port)),
            (None, ServerAddress::Unix(path)) => Place::Unix(path.clone()),
            (None, ServerAddress::Abstract(name)) => Place::Abstract(name.clone()),
            (None, ServerAddress::SockPair(number)) => Place::SockPair(*number),
            (None, ServerAddress::Unresolved { .. }) => return None,
        };
        let connect = match (proxy.timeouts.check, proxy.timeouts.connect) {
            (Some(_), Some(connect)) => connect.min(agent.inter),
            _ => agent.inter,
        };
        Some(Self {
            to,
            source: Source::of(pool, at),
            send: agent.send.clone(),
            limits: Limits { connect, answer: proxy.timeouts.check },
            most: config.global.bufsize.unwrap_or(BUFSIZE) as usize,
        })
    }

    async fn ask(&self) -> AgentReport {
        let deadline = self.limits.start();
        match timeout_at(deadline, Link::open(&self.to, self.source.as_ref(), Manner::Brusque)).await {
            Err(_) => AgentReport::Failed(CheckStatus::L4Tout, None),
            Ok(Err(failure)) => {
                let found = failure.finding();
                AgentReport::Failed(found.status, found.info)
            }
            Ok(Ok(mut link)) => match timeout_at(self.limits.connected(deadline), self.talk(&mut link)).await {
                Err(_) => AgentReport::Failed(CheckStatus::L7Tout, None),
                Ok(Err(why)) => {
                    AgentReport::Failed(CheckStatus::SockErr, Some(link::text(link::errno(&why)).to_owned()))
                }
                Ok(Ok(report)) => report,
            },
        }
    }

    async fn talk(&self, link: &mut Link) -> std::io::Result<AgentReport> {
        if !self.send.is_empty() {
            link.send(&self.send).await?;
        }
        let mut heard = Vec::new();
        loop {
            let more = link.receive(&mut heard, self.most).await? && heard.len() < self.most;
            if let Some(line) = agent_words::line(&heard) {
                return Ok(AgentReport::Answer(Box::new(agent_words::read(line))));
            }
            if !more {
                return Ok(match heard.is_empty() {
                    true => AgentReport::Failed(CheckStatus::L7Rsp, Some(EMPTY.to_owned())),
                    false => AgentReport::Incomplete,
                });
            }
        }
    }
}

/// What is told of an agent that closes without a word.
const EMPTY: &str = "TCPCHK got an empty response at step 2";
