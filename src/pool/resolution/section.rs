//! One `resolvers` section: all names that are looked up, and for whom.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use slab::Slab;

use super::super::Pool;
use super::super::verdicts::Events;
use super::hosts::{Addresses, Client, Given, Wish};
use super::inquiry::{Askers, Inquiry};
use super::question::{Ask, Next, Question};
use super::services::{self, Group, Member, Record, Records};
use super::{Answer, Fault, Kind, NameserverState, Status, Wanted};
use crate::ir::{Config, ProxyIx, Resolve, Resolvers, ResolversIx, ServerAddress, ServerIx, TrackRef};
use crate::units::{Millis, Tick};

/// The least time between two questions, whatever the configuration says.
const LEAST_PAUSE: Millis = match Millis::new(10) {
    Some(pause) => pause,
    None => Millis::MAX,
};

/// What is to be done after something has happened.
#[derive(Debug, Default)]
pub struct Turn {
    /// What is to be asked; [`Section::put`] wants to know how many were.
    pub asks: Vec<Ask>,
    /// What is to be told.
    pub events: Events,
}

/// A `resolvers` section at work.
#[derive(Debug)]
pub struct Section {
    ix: ResolversIx,
    config: Arc<Config>,
    lookups: Slab<Lookup>,
    names: HashMap<(Arc<str>, Kind), usize>,
    /// Messages under way, by number.
    ids: HashMap<u16, usize>,
    due: BTreeSet<(Tick, usize)>,
    groups: Vec<Group>,
    /// The lookup of each server's host.
    hosts: HashMap<TrackRef, usize>,
}

/// A name that is looked up.
#[derive(Debug)]
struct Lookup {
    name: Arc<str>,
    kind: Kind,
    /// The last valid answer; before the first one, when it began.
    since: Tick,
    /// Whether the last question was answered.
    answered: bool,
    due: Tick,
    question: Option<Question>,
    addresses: Addresses,
    clients: Vec<Client>,
    records: Records,
    groups: Vec<usize>,
    askers: Askers,
}

impl Section {
    /// All names that the servers of a configuration want from a section.
    pub fn new(pool: &Pool, ix: ResolversIx, now: Tick) -> Self {
        let config = Arc::clone(&pool.config);
        let mut section = Self {
            ix,
            config: Arc::clone(&config),
            lookups: Slab::new(),
            names: HashMap::new(),
            ids: HashMap::new(),
            due: BTreeSet::new(),
            groups: Vec::new(),
            hosts: HashMap::new(),
        };
        let mut groups: HashMap<(ProxyIx, &str), usize> = HashMap::new();
        for (proxy, line) in (0..).map(ProxyIx).zip(&config.proxies).filter(|(_, line)| !line.disabled) {
            for (server, line) in (0..).map(ServerIx).zip(line.backend.iter().flat_map(|back| &back.servers)) {
                let Some(resolve) = line.resolve.as_deref().filter(|resolve| resolve.section == ix) else { continue };
                let at = TrackRef { proxy, server };
                match &resolve.service {
                    Some(service) => {
                        let group = *groups.entry((proxy, service)).or_insert_with(|| section.group(service, now));
                        section.wait(pool, group, at, service, now);
                    }
                    None => {
                        let host = pool.server_now(proxy, server).and_then(|line| line.host.clone());
                        section.link(at, host.as_deref().unwrap_or_default(), Kind::of(resolve.prefer), now);
                    }
                }
            }
        }
        section
    }

    /// Its lines.
    pub fn resolvers(&self) -> &Resolvers {
        &self.config.global.resolvers[self.ix.0 as usize]
    }

    /// Whether nobody wants anything of it.
    pub fn is_idle(&self) -> bool {
        self.lookups.is_empty()
    }

    /// When [`Self::turn`] is to be called next.
    pub fn due(&self) -> Option<Tick> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Asks what is due. `random`: numbers of messages that nobody can guess.
    pub fn turn(&mut self, pool: &Pool, random: &mut dyn FnMut() -> u16, now: Tick) -> Turn {
        let mut turn = Turn::default();
        while let Some((due, key)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, key));
            let retries = self.resolvers().retries;
            if self.forget_unwanted(key) {
                continue;
            }
            let Some(lookup) = self.lookups.get_mut(key) else { continue };
            match &mut lookup.question {
                Some(question) => match question.timed_out() {
                    Next::Fail(status) => self.fail(pool, key, status, now, &mut turn.events),
                    Next::Ask | Next::Wait => self.ask(key, now, &mut turn),
                },
                None => {
                    let Some(id) = (0..1000).map(|_| random()).find(|id| !self.ids.contains_key(id)) else {
                        self.put_off(key, now.after(LEAST_PAUSE)); // 65536 questions are under way
                        continue;
                    };
                    lookup.question = Some(Question::new(id, lookup.kind, retries));
                    self.ids.insert(id, key);
                    self.ask(key, now, &mut turn);
                }
            }
        }
        turn
    }

    /// So many name servers could be asked.
    pub fn put(&mut self, id: u16, asked: usize) {
        let key = self.ids.get(&id);
        if let Some(question) = key.and_then(|key| self.lookups.get_mut(*key)?.question.as_mut()) {
            question.put(asked);
        }
    }

    /// What the message of that number asked; `None`: nobody waits for an answer to it.
    pub fn asked(&self, id: u16) -> Option<Ask> {
        let lookup = self.lookups.get(*self.ids.get(&id)?)?;
        Some(Ask { id, name: Arc::clone(&lookup.name), kind: lookup.question.as_ref()?.kind })
    }

    /// A name server has answered the message of that number.
    pub fn heard(&mut self, pool: &Pool, server: usize, id: u16, answer: Result<Answer, Fault>, now: Tick) -> Turn {
        let mut turn = Turn::default();
        let Some(key) = self.ids.get(&id).copied() else { return turn };
        let silent = NameserverState::default();
        let state = pool.resolution.nameservers(self.ix).get(server).unwrap_or(&silent);
        let Some(lookup) = self.lookups.get_mut(key) else { return turn };
        match answer {
            Ok(answer) => {
                state.valid.add(1);
                (lookup.since, lookup.answered) = (now, true);
                self.conclude(key, now);
                match answer {
                    Answer::Hosts(ips) => {
                        self.give_addresses(pool, key, ips, server, now, &mut turn.events);
                        let Lookup { askers, addresses, .. } = &mut self.lookups[key];
                        askers.answer(|prefer| addresses.preferred(prefer));
                        self.forget_unwanted(key);
                    }
                    Answer::Services(found) => {
                        let obsolete = self.resolvers().hold.obsolete;
                        self.lookups[key].records.take(found, obsolete, now);
                        self.give_services(pool, key, now, &mut turn.events);
                    }
                }
            }
            Err(fault) => {
                state.count(fault);
                let next = lookup.question.as_mut().map_or(Next::Wait, |question| question.failed(fault));
                match next {
                    Next::Ask => {
                        self.due.remove(&(self.lookups[key].due, key));
                        self.ask(key, now, &mut turn);
                    }
                    Next::Wait => {}
                    Next::Fail(status) => self.fail(pool, key, status, now, &mut turn.events),
                }
            }
        }
        turn
    }

    /// Does what is wanted. A server whose name comes from a record keeps that name.
    pub fn take(&mut self, wanted: &Wanted, now: Tick) {
        match wanted {
            Wanted::Name(inquiry) => {
                if let Some(inquiry) = inquiry.upgrade() {
                    self.inquire(&inquiry, now);
                }
            }
            Wanted::Host(at, host) => {
                let rules = self.rules(*at).filter(|rules| rules.service.is_none());
                if let Some(kind) = rules.map(|rules| Kind::of(rules.prefer)) {
                    self.unlink(*at);
                    self.link(*at, host, kind, now);
                }
            }
            Wanted::Soon(at) => {
                let service = self.rules(*at).and_then(|rules| rules.service.as_deref());
                let service = service.map(|name| (Arc::from(name.to_ascii_lowercase()), Kind::Service));
                let keys = [self.hosts.get(at), service.and_then(|name| self.names.get(&name))];
                for key in keys.map(Option::<&usize>::copied).into_iter().flatten() {
                    if self.lookups[key].question.is_none() {
                        self.put_off(key, now);
                    }
                }
            }
        }
    }

    /// Looks a name up for a session, unless the last answer still counts. One that a server has, too, is asked for when that
    /// is due.
    fn inquire(&mut self, inquiry: &Arc<Inquiry>, now: Tick) {
        let valid = u64::from(self.resolvers().hold.valid.get());
        let Ask { name, kind, .. } = inquiry.ask();
        let key = self.lookup(&name, kind, now);
        let lookup = &mut self.lookups[key];
        lookup.askers.add(inquiry);
        if lookup.answered && now.since(lookup.since) < valid {
            let Lookup { askers, addresses, .. } = lookup;
            askers.answer(|prefer| addresses.preferred(prefer));
        }
    }

    /// What a server of this section says.
    fn rules(&self, at: TrackRef) -> Option<&Resolve> {
        let server =
            self.config.proxies.get(at.proxy.0 as usize)?.backend.as_ref()?.servers.get(at.server.0 as usize)?;
        server.resolve.as_deref().filter(|resolve| resolve.section == self.ix)
    }

    /// Has a message sent, and looks again when its time is over.
    fn ask(&mut self, key: usize, now: Tick, turn: &mut Turn) {
        let retry = self.resolvers().timeout_retry.max(LEAST_PAUSE);
        let Some(lookup) = self.lookups.get(key) else { return };
        if let Some(question) = &lookup.question {
            turn.asks.push(Ask { id: question.id, name: Arc::clone(&lookup.name), kind: question.kind });
        }
        self.put_off(key, now.after(retry));
    }

    fn put_off(&mut self, key: usize, due: Tick) {
        let Some(lookup) = self.lookups.get_mut(key) else { return };
        self.due.remove(&(lookup.due, key));
        lookup.due = due;
        self.due.insert((due, key));
    }

    /// The question is answered, or has failed.
    fn conclude(&mut self, key: usize, now: Tick) {
        let pause = self.resolvers().timeout_resolve.max(LEAST_PAUSE);
        if let Some(question) = self.lookups.get_mut(key).and_then(|lookup| lookup.question.take()) {
            self.ids.remove(&question.id);
        }
        self.put_off(key, now.after(pause));
    }

    /// A name does not resolve: who has an address by it loses it, unless the last valid answer still counts.
    fn fail(&mut self, pool: &Pool, key: usize, status: Status, now: Tick, events: &mut Events) {
        self.conclude(key, now);
        self.lookups[key].answered = false;
        self.lookups[key].askers.answer(|_| None);
        if self.forget_unwanted(key) {
            return;
        }
        let hold = self.resolvers().hold;
        let hold = match status {
            Status::Nx => hold.nx,
            Status::Refused => hold.refused,
            Status::Timeout => hold.timeout,
            Status::Other => hold.other,
        };
        let lookup = &mut self.lookups[key];
        if now.since(lookup.since) < u64::from(hold.get()) {
            return;
        }
        lookup.addresses.clear();
        for client in &mut lookup.clients {
            client.bound = None;
            if !pool.is_unresolved(client.at.proxy, client.at.server) {
                pool.take_address(client.at, status.text(), now, events);
            }
        }
        lookup.records.clear();
        self.give_services(pool, key, now, events);
    }

    fn give_addresses(
        &mut self,
        pool: &Pool,
        key: usize,
        ips: Vec<std::net::IpAddr>,
        server: usize,
        now: Tick,
        events: &mut Events,
    ) {
        let (config, ix) = (Arc::clone(&self.config), self.ix);
        let obsolete = self.resolvers().hold.obsolete;
        let lookup = &mut self.lookups[key];
        lookup.addresses.take(ips, obsolete, now);
        let wish = |at: TrackRef| {
            let line = config.proxies.get(at.proxy.0 as usize)?.backend.as_ref()?.servers.get(at.server.0 as usize)?;
            let known = !pool.is_unresolved(at.proxy, at.server);
            let ip = pool.server_now(at.proxy, at.server).filter(|_| known).and_then(|line| line.ip());
            Some(Wish { resolve: line.resolve.as_deref()?, now: ip })
        };
        let given = lookup.addresses.give(&mut lookup.clients, wish);
        // As haproxy tells it: what one server was answered is a cache for the others.
        let by = |first: bool| match config.global.resolvers.get(ix.0 as usize).filter(|_| first) {
            Some(section) => {
                let name = section.nameservers.get(server).map_or("", |server| server.name.as_str());
                format!("{}/{name}", section.name)
            }
            None => "DNS cache".to_owned(),
        };
        for (nth, (client, given)) in lookup.clients.iter().zip(given).enumerate() {
            match given {
                Given::Same => {}
                Given::Address(ip) => {
                    if let Some(state) = pool.resolution.nameservers(ix).get(server).filter(|_| nth == 0) {
                        state.updates.add(1);
                    }
                    pool.give_address(client.at, ip, &by(nth == 0), now, events);
                }
                Given::Nothing => {
                    if !pool.is_unresolved(client.at.proxy, client.at.server) {
                        pool.take_address(client.at, "No IP for server", now, events);
                    }
                }
            }
        }
    }

    /// Frees the servers whose record is gone, and gives each record a server.
    fn give_services(&mut self, pool: &Pool, key: usize, now: Tick, events: &mut Events) {
        let records = std::mem::take(&mut self.lookups[key].records);
        for group in self.lookups[key].groups.clone() {
            let mut owners = HashMap::new();
            for nth in 0..self.groups[group].members.len() {
                let member = &mut self.groups[group].members[nth];
                match member.entry.take_if(|entry| !records.has(entry)) {
                    Some(_) => {
                        let at = member.at;
                        member.weight = None;
                        self.groups[group].free.push_back(nth);
                        self.unlink(at);
                        pool.free_service(at, now, events);
                    }
                    None => owners.extend(member.entry.clone().map(|entry| (entry, nth))),
                }
            }
            for (entry, record) in records.iter().filter(|(_, record)| record.answered) {
                let owner = owners.get(entry).copied();
                let Some(nth) = owner.or_else(|| self.groups[group].free.pop_front()) else { continue };
                self.groups[group].members[nth].entry = Some(entry.clone());
                self.serve(pool, (group, nth), owner.is_none(), record, now, events);
            }
        }
        self.lookups[key].records = records;
    }

    /// A server is the one of a record, newly or still.
    fn serve(
        &mut self,
        pool: &Pool,
        (group, nth): (usize, usize),
        new: bool,
        record: &Record,
        now: Tick,
        events: &mut Events,
    ) {
        let service = &record.service;
        let at = self.groups[group].members[nth].at;
        let Some(rules) = self.rules(at) else { return };
        let (ignores, kind) = (rules.ignore_weight, Kind::of(rules.prefer));
        let ip = services::choose(&service.addresses, rules.prefer);
        let member = &mut self.groups[group].members[nth];
        if !ignores && member.weight.replace(service.weight) != Some(service.weight) {
            pool.weigh_service(at, service.weight, now, events);
        }
        if new {
            pool.give_service(at, service, ip, now, events);
        } else if let Some(ip) = ip {
            let line = pool.server_now(at.proxy, at.server);
            let same = line.and_then(|line| line.ip()).is_some_and(|ip| service.addresses.contains(&ip));
            if !same || pool.is_unresolved(at.proxy, at.server) {
                pool.move_service(at, ip, now, events);
            }
        }
        match ip {
            Some(_) => self.unlink(at),
            None if self.hosts.contains_key(&at) => {}
            None => self.link(at, &service.target, kind, now),
        }
    }

    /// A new group of servers for a service.
    fn group(&mut self, service: &str, now: Tick) -> usize {
        let group = self.groups.len();
        self.groups.push(Group { members: Vec::new(), free: VecDeque::new() });
        let key = self.lookup(service, Kind::Service, now);
        self.lookups[key].groups.push(group);
        group
    }

    /// A server waits for a record, or goes on with one that another process knew.
    fn wait(&mut self, pool: &Pool, group: usize, at: TrackRef, service: &str, now: Tick) {
        let line = pool.server_now(at.proxy, at.server);
        let known = line.as_deref().and_then(|line| match (&line.host, &line.address) {
            (Some(host), ServerAddress::Inet(address)) => Some((host.to_ascii_lowercase(), address.port())),
            _ => None,
        });
        let nth = self.groups[group].members.len();
        match &known {
            Some(entry) => {
                let key = self.lookup(service, Kind::Service, now);
                self.lookups[key].records.believe(entry.clone(), now);
            }
            None => self.groups[group].free.push_back(nth),
        }
        self.groups[group].members.push(Member { at, entry: known, weight: None });
    }

    /// The lookup of a name, which begins now if nobody asked for it before.
    fn lookup(&mut self, name: &str, kind: Kind, now: Tick) -> usize {
        let name: Arc<str> = name.to_ascii_lowercase().into();
        if let Some(key) = self.names.get(&(Arc::clone(&name), kind)) {
            return *key;
        }
        let key = self.lookups.insert(Lookup {
            name: Arc::clone(&name),
            kind,
            since: now,
            answered: false,
            due: now,
            question: None,
            addresses: Addresses::default(),
            clients: Vec::new(),
            records: Records::default(),
            groups: Vec::new(),
            askers: Askers::default(),
        });
        self.names.insert((name, kind), key);
        self.due.insert((now, key));
        key
    }

    /// A server is to have an address of a host.
    fn link(&mut self, at: TrackRef, host: &str, kind: Kind, now: Tick) {
        if host.is_empty() {
            return;
        }
        let key = self.lookup(host, kind, now);
        self.lookups[key].clients.push(Client { at, bound: None });
        self.hosts.insert(at, key);
    }

    /// A server needs the address of a host no more; a name that nobody asks for is forgotten.
    fn unlink(&mut self, at: TrackRef) {
        let Some(key) = self.hosts.remove(&at) else { return };
        self.lookups[key].clients.retain(|client| client.at != at);
        self.forget_unwanted(key);
    }

    /// Forgets a name that nobody asks for; whether it did.
    fn forget_unwanted(&mut self, key: usize) -> bool {
        let unwanted =
            |lookup: &Lookup| lookup.clients.is_empty() && lookup.groups.is_empty() && lookup.askers.are_gone();
        if !self.lookups.get(key).is_some_and(unwanted) {
            return false;
        }
        let lookup = self.lookups.remove(key);
        self.names.remove(&(lookup.name, lookup.kind));
        self.due.remove(&(lookup.due, key));
        if let Some(question) = lookup.question {
            self.ids.remove(&question.id);
        }
        true
    }
}
