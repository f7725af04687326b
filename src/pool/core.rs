//! The decisions of a backend: what its lock guards.
//!
//! Members, the balancers over them and the queues. Knows no lock, no counter and no text; entry points are the
//! methods of [`Core`], called by [`super::BackState`].

use std::collections::BTreeSet;
use std::task::Waker;

use super::balance::{self, Balancer, Who, Wish};
use super::member::Member;
use super::queue::{Line, State, Waiting};
use crate::ir::{Backend, Balance, Redispatch};
use crate::units::Tick;

/// State and decisions of one backend.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) members: Vec<Member>,
    /// Ids of the servers, by place.
    who: Vec<Who>,
    has_backups: bool,
    /// Over servers that are no backups, and over backups.
    active: Box<dyn Balancer>,
    backup: Box<dyn Balancer>,
    /// The usable ones of both kinds.
    usable: [BTreeSet<u32>; 2],
    /// Servers whose limit follows the backend's load.
    dynamic: Vec<u32>,
    fullconn: u32,
    all_backups: bool,
    /// `option redispatch`: a session leaves the server that rules gave it if that one's queue is full.
    pub(super) leaves_full: bool,
    /// The queue of a server that goes away moves on: not with `option persist`.
    redispatches: bool,
    /// Nobody who comes is served before those who wait for any server.
    queues_first: bool,
    /// Nobody who waits is given a place.
    pub(super) held: bool,
    waiting: Waiting,
    pub(super) line: Line,
    up: bool,
    /// When the backend last went up or down, times and milliseconds it was down.
    pub(super) changed: Tick,
    pub(super) downs: u32,
    pub(super) downtime: u64,
}

/// What became of a demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    On(u32),
    Waits { key: usize, server: Option<u32>, ahead: u32 },
    Unavailable,
    Full(u32),
}

/// A waiting session that was given a server.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) server: u32,
    /// The line it waited in.
    pub(super) from: Option<u32>,
    pub(super) waker: Option<Waker>,
}

/// Sessions to be counted and woken when the lock is given back.
pub(super) type Grants = Vec<Grant>;

/// What became of a server's queue.
#[derive(Debug, Default)]
pub(super) struct Redistributed {
    /// Those that have a server already.
    pub(super) grants: Grants,
    /// The lines that the others wait in now.
    pub(super) rejoined: Vec<Option<u32>>,
}

/// How a session left: the server it was given meanwhile, or the line it waited in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    Given(u32),
    Line(Option<u32>),
}

impl Core {
    pub(super) fn new(back: &Backend, fullconn: u32, now: Tick) -> Self {
        // The table of the fixed algorithms is not made anew for a slow start.
        let ramps = match back.balance {
            Balance::StaticRr => false,
            balance if balance.is_keyed() => back.hash.consistent,
            _ => true,
        };
        let members: Vec<Member> = back.servers.iter().map(|server| Member::new(server, ramps, now)).collect();
        let who: Vec<Who> = back.servers.iter().map(Who::of).collect();
        let has_backups = back.servers.iter().any(|server| server.backup);
        let mut core = Self {
            active: balance::build(back, &who),
            backup: balance::build(back, if has_backups { &who } else { &[] }),
            usable: [BTreeSet::new(), BTreeSet::new()],
            dynamic: (0..members.len() as u32).filter(|ix| members[*ix as usize].follows_load()).collect(),
            fullconn,
            all_backups: back.all_backups,
            leaves_full: back.redispatch != Redispatch::Never,
            redispatches: back.redispatch != Redispatch::Never && !back.persist,
            // haproxy's way: elsewhere a limit that has risen by the load lets the newcomer in
            queues_first: matches!(back.balance, Balance::RoundRobin | Balance::StaticRr | Balance::First),
            held: false,
            waiting: Waiting::default(),
            line: Line::default(),
            up: true,
            changed: now,
            downs: 0,
            downtime: 0,
            members,
            who,
            has_backups,
        };
        (0..core.members.len() as u32).for_each(|server| core.refresh(server, 0));
        core.start();
        core
    }

    /// Adds a server behind the others; it is not in use before it is refreshed.
    pub(super) fn add(&mut self, who: Who, member: Member, back: Option<&Backend>) {
        let (server, backup) = (self.members.len() as u32, member.backup);
        self.who.push(who);
        self.members.push(member);
        self.active.add(who);
        if self.has_backups {
            self.backup.add(who);
        } else if let Some(back) = back.filter(|_| backup) {
            (self.backup, self.has_backups) = (balance::build(back, &self.who), true);
        }
        if self.members[server as usize].follows_load() {
            self.dynamic.push(server);
        }
    }

    /// Puts another server in the place of one that is gone; it is not in use before it is refreshed.
    pub(super) fn replace(&mut self, server: u32, member: Member) {
        if let Some(place) = self.members.get_mut(server as usize) {
            *place = member;
        }
    }

    /// Takes what is usable now for the state at the start: nothing is told or counted.
    pub(super) fn start(&mut self) {
        self.up = self.members.is_empty() || self.usable() != (0, 0);
    }

    /// Whether it has a usable server, as was last noted.
    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    pub(super) fn set_fullconn(&mut self, fullconn: u32) {
        self.fullconn = fullconn;
    }

    /// Usable servers: those that are no backups, and backups.
    pub(super) fn usable(&self) -> (u32, u32) {
        (self.usable[0].len() as u32, self.usable[1].len() as u32)
    }

    /// The servers in use: the usable ones; backups only while there is no other, and one of them without `option allbackups`.
    pub(super) fn in_use(&self) -> impl Iterator<Item = &Member> {
        let kind = usize::from(self.usable[0].is_empty());
        let shown = if kind == 1 && !self.all_backups { 1 } else { usize::MAX };
        self.usable[kind].iter().take(shown).filter_map(|ix| self.members.get(*ix as usize))
    }

    /// Sum of the effective weights of the servers in use.
    pub(super) fn weight(&self) -> u32 {
        self.in_use().map(|member| member.scaled_weight.div_ceil(balance::WEIGHT_SCALE)).sum()
    }

    /// Notes whether the backend still has a usable server; returns whether it has just lost its last.
    pub(super) fn settle(&mut self, now: Tick) -> bool {
        let up = !(self.usable[0].is_empty() && self.usable[1].is_empty());
        if up == self.up {
            return false;
        }
        self.up = up;
        if !up {
            self.downs += 1;
        } else if self.downs > 0 {
            // A backend that had no server from the start was not down: it had not begun.
            self.downtime += now.since(self.changed);
        }
        self.changed = now;
        !up
    }

    /// Moves slow starts on; returns the sessions that found room, and whether any slow start goes on.
    pub(super) fn warm_up(&mut self, sessions: u32, now: Tick) -> (Grants, bool) {
        let (mut woken, mut more) = (Grants::new(), false);
        for server in 0..self.members.len() as u32 {
            let member = &mut self.members[server as usize];
            if member.warming_since.is_some() {
                more |= member.warm(now);
                self.refresh(server, sessions);
                woken.extend(self.fill(server, sessions));
            }
        }
        (woken, more)
    }

    /// Sessions that make the servers take all they may.
    pub(super) fn fullconn(&self) -> u32 {
        self.fullconn
    }

    /// Publishes what a server's state, load or weight means for the balancers. `sessions`: of the backend.
    pub(super) fn refresh(&mut self, server: u32, sessions: u32) {
        let member = &self.members[server as usize];
        let standing = member.standing(sessions, self.fullconn);
        let kind = usize::from(member.backup);
        if standing.weight > 0 {
            self.usable[kind].insert(server);
        } else {
            self.usable[kind].remove(&server);
        }
        let balancer = if member.backup { &mut self.backup } else { &mut self.active };
        balancer.update(server, standing);
    }

    /// Tells the balancers where a server's points lie.
    pub(super) fn move_points(&mut self, server: u32, first: u32) {
        let Some(who) = self.who.get_mut(server as usize).filter(|who| who.first_point != first) else { return };
        who.first_point = first;
        self.active.move_points(server, first);
        if self.has_backups {
            self.backup.move_points(server, first);
        }
    }

    fn refresh_dynamic(&mut self, sessions: u32) {
        for place in 0..self.dynamic.len() {
            self.refresh(self.dynamic[place], sessions);
        }
    }

    /// Whom balancing would choose now.
    fn choose(&mut self, wish: &Wish) -> Option<u32> {
        if !self.usable[0].is_empty() {
            return self.active.pick(wish);
        }
        if self.all_backups {
            return self.backup.pick(wish);
        }
        // Without `option allbackups` only the first usable backup is used.
        self.usable[1].first().copied()
    }

    /// Gives a session a server or a place in a queue.
    pub(super) fn assign(&mut self, wish: &Wish, sessions: u32, waker: &Waker) -> Placed {
        if self.usable[0].is_empty() && self.usable[1].is_empty() {
            return Placed::Unavailable;
        }
        self.refresh_dynamic(sessions);
        let barred = self.queues_first && self.line.len() > 0;
        let Some(server) = (if barred { None } else { self.choose(wish) }) else {
            let ahead = self.line.len();
            let key = self.waiting.join(&mut self.line, None, wish, waker.clone());
            return Placed::Waits { key, server: None, ahead };
        };
        self.place_on(server, wish, sessions, waker).unwrap_or(Placed::Unavailable)
    }

    /// Gives a session this server or a place in its queue, whatever balancing says; `None` if there is no such server.
    pub(super) fn place_on(&mut self, server: u32, wish: &Wish, sessions: u32, waker: &Waker) -> Option<Placed> {
        let member = self.members.get_mut(server as usize)?;
        if !member.standing(sessions, self.fullconn).full {
            member.load += 1;
            self.refresh(server, sessions);
            return Some(Placed::On(server));
        }
        let ahead = member.line.len();
        if member.maxqueue > 0 && ahead >= member.maxqueue {
            return Some(Placed::Full(server));
        }
        let key = self.waiting.join(&mut member.line, Some(server), wish, waker.clone());
        self.refresh(server, sessions);
        Some(Placed::Waits { key, server: Some(server), ahead })
    }

    /// Takes one session off a server and fills the room.
    pub(super) fn release(&mut self, server: u32, sessions: u32) -> Grants {
        let member = &mut self.members[server as usize];
        member.load = member.load.saturating_sub(1);
        self.refresh(server, sessions);
        self.refresh_dynamic(sessions);
        self.fill(server, sessions)
    }

    /// Puts one more session on a server, whatever its limit says.
    pub(super) fn adopt(&mut self, server: u32, sessions: u32) {
        if let Some(member) = self.members.get_mut(server as usize) {
            member.load += 1;
            self.refresh(server, sessions);
        }
    }

    /// Ends [`Self::held`] and fills all servers that have room.
    pub(super) fn serve_queues(&mut self, sessions: u32) -> Grants {
        if !std::mem::take(&mut self.held) {
            return Grants::new();
        }
        (0..self.members.len() as u32).flat_map(|server| self.fill(server, sessions)).collect()
    }

    /// Gives waiting sessions to a server while it has room: its own queue's and the backend's, in their order.
    pub(super) fn fill(&mut self, server: u32, sessions: u32) -> Grants {
        let mut woken = Grants::new();
        while !self.held {
            let member = &self.members[server as usize];
            let limit = member.limit(sessions, self.fullconn);
            if limit > 0 && member.load >= limit {
                break;
            }
            let own = member.line.first();
            let shared = self.line.first().filter(|_| self.uses(server));
            let from = match (own, shared) {
                (Some(own), Some(shared)) => (own < shared).then_some(server),
                (None, Some(_)) => None,
                (Some(_), None) => Some(server),
                (None, None) => break,
            };
            let line = if from.is_some() { &mut self.members[server as usize].line } else { &mut self.line };
            let Some(key) = self.waiting.take_first(line) else { break };
            self.members[server as usize].load += 1;
            woken.push(Grant { server, from, waker: self.waiting.give(key, server) });
        }
        if !woken.is_empty() {
            self.refresh(server, sessions);
        }
        woken
    }

    /// Whether balancing uses this server now, so that it may take from the backend's queue.
    pub(super) fn uses(&self, server: u32) -> bool {
        let member = &self.members[server as usize];
        let chosen = !member.backup
            || (self.usable[0].is_empty() && (self.all_backups || self.usable[1].first() == Some(&server)));
        member.usable() && chosen
    }

    /// The server a waiting session was given, and its place in the queue then; forgets the session.
    pub(super) fn given(&mut self, key: usize) -> Option<(u32, u32)> {
        match self.waiting.state(key)? {
            State::Given(server) => {
                let place = self.place(key);
                self.waiting.forget(key);
                Some((server, place))
            }
            State::Waits(_) => None,
        }
    }

    pub(super) fn hash(&self, key: usize) -> Option<u32> {
        self.waiting.hash(key)
    }

    pub(super) fn arrival(&self, key: usize) -> u64 {
        self.waiting.arrival(key)
    }

    pub(super) fn watch(&mut self, key: usize, waker: &Waker) -> bool {
        self.waiting.watch(key, waker)
    }

    /// A waiting session's place in its queue.
    pub(super) fn place(&self, key: usize) -> u32 {
        let line = match self.waiting.state(key) {
            Some(State::Waits(Some(server))) => &self.members[server as usize].line,
            _ => &self.line,
        };
        self.waiting.place(line, key)
    }

    /// Takes a session out of its queue.
    pub(super) fn leave(&mut self, key: usize, sessions: u32) -> Option<Left> {
        let left = match self.waiting.state(key)? {
            State::Given(server) => Left::Given(server),
            State::Waits(Some(server)) => {
                self.waiting.unlink(&mut self.members[server as usize].line, key);
                self.refresh(server, sessions);
                Left::Line(Some(server))
            }
            State::Waits(None) => {
                self.waiting.unlink(&mut self.line, key);
                Left::Line(None)
            }
        };
        self.waiting.forget(key);
        Some(left)
    }

    /// Empties the queue of a server that went away: its sessions go where balancing sends them now, in order.
    /// Without `option redispatch` they stay where they are.
    pub(super) fn redistribute(&mut self, server: u32, sessions: u32) -> Redistributed {
        let mut out = Redistributed::default();
        if !self.redispatches {
            return out;
        }
        let mut line = std::mem::take(&mut self.members[server as usize].line);
        while let Some(key) = self.waiting.take_first(&mut line) {
            if self.waiting.stays(key) {
                self.waiting.stay(&mut self.members[server as usize].line, server, key);
                continue;
            }
            let wish = Wish { hash: self.waiting.hash(key), avoid: Some(server), ..Wish::default() };
            let Some(other) = self.choose(&wish) else {
                self.waiting.rejoin(&mut self.line, None, key);
                out.rejoined.push(None);
                continue;
            };
            let member = &mut self.members[other as usize];
            if member.standing(sessions, self.fullconn).full {
                self.waiting.rejoin(&mut member.line, Some(other), key);
                out.rejoined.push(Some(other));
            } else {
                member.load += 1;
                out.grants.push(Grant { server: other, from: Some(server), waker: self.waiting.give(key, other) });
            }
            self.refresh(other, sessions);
        }
        out
    }
}

impl Default for Core {
    fn default() -> Self {
        Self::new(&Backend::default(), 0, Tick::default())
    }
}
