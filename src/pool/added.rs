//! Servers that are added and deleted while the process runs.
//!
//! Which lines are valid is [`LineReader`]'s; here is decided whether a backend takes another server and gives one up.
//! Source: management manual §9.3 "add server", "del server"; verdicts observed on 2.6.12 (`fixtures/commands/added.txt`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};

use super::balance::Who;
use super::health::Admin;
use super::member::Member;
use super::parts::Parts;
use super::{BackState, Pool, ServerState, SourcePorts};
use crate::expr::{Facts, Value};
use crate::ir::{Balance, ProxyIx, Server, ServerIx, TrackRef};
use crate::units::Tick;

/// A server that is to be added.
#[derive(Debug, Clone)]
pub struct NewServer {
    /// Its line. An id of 0 stands for the lowest that is free.
    pub line: Server,
    /// The words behind its name, to be read again in another process.
    pub words: Vec<String>,
    /// `enabled`: it does not start in maintenance.
    pub ready: bool,
}

/// Reads what is said of a server that is added at run time. `process` implements it by what reads configurations.
pub trait LineReader: Send + Sync + fmt::Debug {
    /// The server of this name in this backend; `words`: its address and options.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read(&self, pool: &Pool, backend: ProxyIx, name: &str, words: &[&str]) -> Result<NewServer, String>;

    /// The value of an expression, or of a text with expressions in it, that was typed; `None`: it gives none.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn value(&self, _typed: &Typed<'_>, _facts: &dyn Facts) -> Result<Option<Value<'static>>, String> {
        Err("values are not read here".into())
    }
}

/// An expression that was typed.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'t> {
    /// The expression.
    pub text: &'t str,
    /// Whether it is a text with expressions in it.
    pub format: bool,
    /// The environment that it sees.
    pub environment: &'t [(String, Vec<u8>)],
}

/// Why a server cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddRefusal {
    /// Balancing has a table that is made once.
    #[error("Backend must use a dynamic load balancing to support dynamic servers.")]
    Balance,
    /// The name is taken.
    #[error("Already exists a server with the same name in backend.")]
    Name,
    /// The id is taken.
    #[error("The id {0} is taken by another server of the backend.")]
    Id(u32),
    /// It cannot be read.
    #[error("{0}")]
    Line(String),
    /// There is no such backend.
    #[error("There is no such backend.")]
    Backend,
}

/// Why a server cannot be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRefusal {
    /// Others need it.
    #[error("This server cannot be removed at runtime: another server tracks it.")]
    Tracked,
    /// It is in use.
    #[error("Only servers in maintenance mode can be deleted.")]
    InUse,
    /// It has sessions.
    #[error("Server still has connections attached to it, cannot remove it.")]
    Busy,
    /// There is no such server.
    #[error("There is no such server.")]
    Gone,
}

/// What a place knows of the server that is there.
#[derive(Debug, Default)]
pub(super) struct Tenure {
    /// The line of a server that was added, and its words.
    added: Option<Box<(Server, Vec<String>)>>,
    deleted: AtomicBool,
    /// Which server it is: counted up when a place is used again.
    number: AtomicU32,
}

impl Tenure {
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.load(Acquire)
    }
}

impl Pool {
    /// A server's line as it was configured or added, deleted or not: for what still speaks of it.
    pub fn known(&self, at: TrackRef) -> Option<&Server> {
        let configured =
            self.config.proxies.get(at.proxy.0 as usize)?.backend.as_ref()?.servers.get(at.server.0 as usize);
        configured.or_else(|| {
            let place = self.back(at.proxy)?.servers.get(at.server.0 as usize)?;
            place.tenure.added.as_ref().map(|added| &added.0)
        })
    }

    /// A server's line as it was configured or added; [`Self::server_now`] has what is in force.
    pub fn server(&self, at: TrackRef) -> Option<&Server> {
        let place = self.back(at.proxy)?.servers.get(at.server.0 as usize)?;
        self.known(at).filter(|_| !place.tenure.is_deleted())
    }

    /// The servers of a backend that are there, with their lines as configured or added.
    pub fn servers(&self, proxy: ProxyIx) -> impl Iterator<Item = (ServerIx, &Server)> {
        let places = self.back(proxy).map_or(0, |back| back.servers.len()) as u32;
        (0..places).map(ServerIx).filter_map(move |server| Some((server, self.server(TrackRef { proxy, server })?)))
    }

    /// The words that a server was added by; `None`: it is of the configuration.
    pub(super) fn words(&self, at: TrackRef) -> Option<&[String]> {
        let place = self.back(at.proxy)?.servers.get(at.server.0 as usize)?;
        place.tenure.added.as_ref().map(|added| added.1.as_slice())
    }

    /// All servers that were added and are there.
    pub fn added(&self) -> impl Iterator<Item = TrackRef> {
        let backs =
            (0..).map(ProxyIx).zip(&self.proxies).filter_map(|(proxy, state)| Some((proxy, state.back.as_ref()?)));
        let places = backs.flat_map(|(proxy, back)| {
            let (first, end) = (back.servers.first_added() as u32, back.servers.len() as u32);
            (first..end).map(move |server| TrackRef { proxy, server: ServerIx(server) })
        });
        places.filter(|at| self.server(*at).is_some())
    }

    /// Which server it is that has this place now; `None`: it was deleted.
    pub fn tenant(&self, at: TrackRef) -> Option<u32> {
        let place = self.back(at.proxy)?.servers.get(at.server.0 as usize)?;
        (!place.tenure.is_deleted()).then(|| place.tenure.number.load(Acquire))
    }

    /// Says who reads the lines of servers that are added. Only the first call counts.
    pub fn read_lines_by(&self, reader: Arc<dyn LineReader>) {
        let _ = self.reader.set(reader);
    }

    /// The value of an expression that was typed; `None`: it gives none.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read_value(&self, typed: &Typed<'_>, facts: &dyn Facts) -> Result<Option<Value<'static>>, String> {
        self.reader.get().ok_or("The process does not serve yet")?.value(typed, facts)
    }

    /// Reads a server's line and adds it to a backend: in maintenance and unchecked, unless it says otherwise.
    ///
    /// # Errors
    /// [`AddRefusal`]: nothing was changed.
    pub fn add_server(&self, proxy: ProxyIx, name: &str, words: &[&str], now: Tick) -> Result<ServerIx, AddRefusal> {
        self.add_as(proxy, name, words, 0, now)
    }

    /// The same with this id, if it is free and the words give none.
    pub(super) fn add_as(
        &self,
        proxy: ProxyIx,
        name: &str,
        words: &[&str],
        id: u32,
        now: Tick,
    ) -> Result<ServerIx, AddRefusal> {
        let settings = self.config.proxies.get(proxy.0 as usize).and_then(|proxy| proxy.backend.as_ref());
        let (Some(settings), Some(back)) = (settings, self.back(proxy)) else { return Err(AddRefusal::Backend) };
        let fixed = match settings.balance {
            Balance::StaticRr => true,
            balance if balance.is_keyed() => !settings.hash.consistent,
            _ => false,
        };
        if fixed {
            return Err(AddRefusal::Balance);
        }
        if self.servers(proxy).any(|(_, line)| line.name == name) {
            return Err(AddRefusal::Name);
        }
        let reader = self.reader.get().ok_or_else(|| AddRefusal::Line("No lines are read here.".into()))?;
        let mut new = reader.read(self, proxy, name, words).map_err(AddRefusal::Line)?;
        if new.line.id == 0 && self.servers(proxy).all(|(_, line)| line.id != id) {
            new.line.id = id;
        }
        let at = TrackRef { proxy, server: self.settle_in(proxy, back, new, now)? };
        self.know_tracker(at);
        Ok(at.server)
    }

    /// Gives a new server a place, if nobody took its name or id meanwhile.
    fn settle_in(&self, proxy: ProxyIx, back: &BackState, new: NewServer, now: Tick) -> Result<ServerIx, AddRefusal> {
        let NewServer { mut line, words, ready } = new;
        let mut core = back.lock();
        let mut taken: Vec<u32> = Vec::new();
        for (_, other) in self.servers(proxy) {
            if other.name == line.name {
                return Err(AddRefusal::Name);
            }
            taken.push(other.id);
        }
        if line.id == 0 {
            taken.sort_unstable();
            line.id =
                (1..).zip(taken.iter()).find(|(free, id)| free != *id).map_or(taken.len() as u32 + 1, |(free, _)| free);
        } else if taken.contains(&line.id) {
            return Err(AddRefusal::Id(line.id));
        }
        let mut member = Member::new(&line, true, now);
        (member.admin, member.checked) = (if ready { Admin::Ready } else { Admin::Maint }, false);
        if let Some(agent) = &mut member.agent {
            agent.paused = true;
        }
        let text = format!("{line:?}");
        let free = (back.servers.first_added()..back.servers.len()).find(|ix| {
            let tenure = &back.servers[*ix].tenure;
            tenure.is_deleted() && tenure.added.as_ref().is_some_and(|added| format!("{:?}", added.0) == text)
        });
        let server = match free {
            Some(ix) => {
                let place = &back.servers[ix];
                let parts = Parts::of_server(place);
                parts.clear_most();
                parts.clear();
                place.changed.forget();
                place.tenure.number.fetch_add(1, AcqRel);
                core.replace(ix as u32, member);
                core.move_points(ix as u32, Who::of(&line).first_point);
                place.tenure.deleted.store(false, Release);
                ix as u32
            }
            None => {
                let source_ports = SourcePorts::of(line.source.as_ref()).map(Arc::new);
                let who = Who::of(&line);
                let tenure = Tenure { added: Some(Box::new((line, words))), ..Tenure::default() };
                let ix = back.servers.push(ServerState { source_ports, tenure, ..ServerState::default() });
                let settings = self.config.proxies[proxy.0 as usize].backend.as_ref();
                core.add(who, member, settings);
                ix as u32
            }
        };
        core.refresh(server, back.sessions.get());
        core.settle(now);
        Ok(ServerIx(server))
    }

    /// Takes a server away, if nobody needs it any more.
    ///
    /// # Errors
    /// [`DeleteRefusal`]: it stays.
    pub fn delete_server(&self, at: TrackRef, now: Tick) -> Result<(), DeleteRefusal> {
        self.check_deletion(at)?;
        let back = self.back(at.proxy).ok_or(DeleteRefusal::Gone)?;
        let mut core = back.lock();
        let member = core.members.get_mut(at.server.0 as usize).ok_or(DeleteRefusal::Gone)?;
        // Looked at again, now that nothing can change it.
        if member.ordered() != Admin::Maint {
            return Err(DeleteRefusal::InUse);
        }
        if member.load > 0 || member.line.len() > 0 {
            return Err(DeleteRefusal::Busy);
        }
        member.admin = Admin::Maint; // for good: nobody finds it any more
        let place = &back.servers[at.server.0 as usize];
        if place.tenure.deleted.swap(true, AcqRel) {
            return Err(DeleteRefusal::Gone);
        }
        core.refresh(at.server.0, back.sessions.get());
        core.settle(now);
        drop(core);
        self.forget_tracker(at);
        Ok(())
    }

    /// Whether a server could be deleted now.
    ///
    /// # Errors
    /// Why not.
    pub fn check_deletion(&self, at: TrackRef) -> Result<(), DeleteRefusal> {
        self.server(at).ok_or(DeleteRefusal::Gone)?;
        if self.trackers(at).next().is_some() {
            return Err(DeleteRefusal::Tracked);
        }
        let back = self.back(at.proxy).ok_or(DeleteRefusal::Gone)?;
        let core = back.lock();
        let member = core.members.get(at.server.0 as usize).ok_or(DeleteRefusal::Gone)?;
        if member.ordered() != Admin::Maint {
            return Err(DeleteRefusal::InUse);
        }
        let sessions = back.servers[at.server.0 as usize].sessions.get();
        if member.load > 0 || sessions > 0 || member.line.len() > 0 { Err(DeleteRefusal::Busy) } else { Ok(()) }
    }

    /// How many servers there are.
    pub fn server_count(&self) -> usize {
        self.proxies.iter().filter_map(|proxy| proxy.back.as_ref()).map(|back| back.servers.len()).sum()
    }

    /// Whether any server has a slow start.
    pub fn has_slow_starts(&self) -> bool {
        (0..self.proxies.len() as u32)
            .map(ProxyIx)
            .any(|proxy| self.servers(proxy).any(|(_, line)| line.slowstart.is_some()))
    }
}

impl ServerState {
    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.tenure.is_deleted()
    }
}
