//! What expressions learn of the state of the process: loads, queues, rates, servers.
//!
//! Answers the fetches that need no connection, for whoever evaluates: sessions, checks, requests for pages. Allocates
//! nothing. Source: manual §7.3.2; how full and unusable servers count was asked of 2.6.12 (`tests/session_facts.rs`).

use super::balance::WEIGHT_SCALE;
use super::{Admin, BackState, FrontState, Pool, ServerState};
use crate::expr::{Arg, Known, NameRef, ServerRef, Value};
use crate::ir::table::TableIx;
use crate::ir::{ProxyIx, ServerIx, TrackRef};
use crate::units::Tick;

impl Pool {
    /// What a fetch about the process, a frontend, a backend or a server gives at `now`; `None`: it is about something
    /// else, or about what is not there.
    pub fn fact(&self, fetch: Known, args: &[Arg], now: Tick) -> Option<Value<'_>> {
        use Known as K;
        let number = match fetch {
            K::ActConn => i64::from(self.process.connections.get()),
            K::Pid => i64::from(std::process::id()),
            // Threads are in one group.
            K::Tgroup => 1,
            K::Uptime => seconds(now.since(self.process.started)),
            K::Stopping => {
                return Some(Value::Bool(self.process.stopping.load(std::sync::atomic::Ordering::Relaxed)));
            }
            K::FeConn | K::FeReqRate | K::FeSessRate => self.front_fact(fetch, self.front_of(args)?, now)?,
            K::Nbsrv | K::AvgQueue | K::BeConn | K::BeConnFree | K::BeSessRate | K::Connslots | K::Queue => {
                self.back_fact(fetch, self.back_of(args)?, now)?
            }
            K::SrvConn
            | K::SrvConnFree
            | K::SrvIsUp
            | K::SrvIweight
            | K::SrvQueue
            | K::SrvSessRate
            | K::SrvUweight
            | K::SrvWeight => return self.server_fact(fetch, server_of(args)?, now),
            K::TableAvl | K::TableCnt => {
                let Arg::Table(NameRef { id, .. }) = args.first()? else { return None };
                let table = self.tables.get(TableIx((*id)?))?;
                let used = table.used();
                i64::from(if fetch == K::TableCnt { used } else { table.size().saturating_sub(used) })
            }
            _ => return None,
        };
        Some(Value::Int(number))
    }

    /// The number of servers in use of a backend that is named at run time.
    pub fn usable_servers(&self, backend: &[u8]) -> Option<i64> {
        Some(self.back(self.back_named(backend)?)?.in_use())
    }

    /// The queue of a server that is named at run time, with its backend or as one of `own`.
    pub fn server_queue(&self, own: Option<ProxyIx>, name: &[u8]) -> Option<i64> {
        Some(i64::from(self.state_of(self.typed_server(own, name)?)?.queue.get()))
    }

    /// Whether a server that is named at run time is up.
    pub fn server_is_up(&self, own: Option<ProxyIx>, name: &[u8]) -> Option<bool> {
        let at = self.typed_server(own, name)?;
        Some(self.back(at.proxy)?.lock().members.get(at.server.0 as usize)?.running())
    }

    /// Whether there is a frontend of that name, which is running.
    pub fn frontend_exists(&self, name: &[u8]) -> bool {
        let wanted = |proxy: &crate::ir::Proxy| proxy.frontend.is_some() && proxy.name.as_bytes() == name;
        self.config.proxies.iter().any(wanted)
    }

    /// A server, with its backend or as one of `own`.
    fn typed_server(&self, own: Option<ProxyIx>, name: &[u8]) -> Option<TrackRef> {
        let (backend, server) = match name.iter().position(|byte| *byte == b'/') {
            Some(slash) => (self.back_named(&name[..slash])?, &name[slash + 1..]),
            None => (own?, name),
        };
        let places = self.back(backend)?.servers.len();
        let mut places = (0..u32::try_from(places).ok()?).map(|at| TrackRef { proxy: backend, server: ServerIx(at) });
        places.find(|at| self.server(*at).is_some_and(|line| line.name.as_bytes() == server))
    }

    fn back_named(&self, name: &[u8]) -> Option<ProxyIx> {
        let wanted = |proxy: &crate::ir::Proxy| proxy.backend.is_some() && proxy.name.as_bytes() == name;
        let at = self.config.proxies.iter().position(wanted)?;
        u32::try_from(at).ok().map(ProxyIx)
    }

    fn front_of(&self, args: &[Arg]) -> Option<&FrontState> {
        match args.first()? {
            Arg::Frontend(NameRef { id, .. }) => self.front(ProxyIx((*id)?)),
            _ => None,
        }
    }

    fn back_of(&self, args: &[Arg]) -> Option<&BackState> {
        match args.first()? {
            Arg::Backend(NameRef { id, .. }) => self.back(ProxyIx((*id)?)),
            _ => None,
        }
    }

    fn front_fact(&self, fetch: Known, front: &FrontState, now: Tick) -> Option<i64> {
        Some(i64::from(match fetch {
            Known::FeConn => front.sessions.get(),
            Known::FeReqRate => front.request_rate.get(now),
            Known::FeSessRate => front.session_rate.get(now),
            _ => return None,
        }))
    }

    fn back_fact(&self, fetch: Known, back: &BackState, now: Tick) -> Option<i64> {
        Some(match fetch {
            Known::Nbsrv => back.in_use(),
            Known::Queue => back.queued_all(),
            Known::AvgQueue => match (back.queued_all(), back.in_use()) {
                (queued, 0) => queued * 2,
                (queued, servers) => (queued + servers - 1) / servers,
            },
            Known::BeConn => i64::from(back.sessions.get()),
            Known::BeConnFree => back.free(),
            Known::BeSessRate => i64::from(back.session_rate.get(now)),
            Known::Connslots => back.slots(),
            _ => return None,
        })
    }

    fn server_fact(&self, fetch: Known, at: TrackRef, now: Tick) -> Option<Value<'_>> {
        let state = self.state_of(at)?;
        let back = self.back(at.proxy)?;
        let member = |look: &dyn Fn(&super::member::Member) -> i64| {
            let core = back.lock();
            core.members.get(at.server.0 as usize).map(look)
        };
        Some(Value::Int(match fetch {
            Known::SrvConn => i64::from(state.sessions.get()),
            Known::SrvConnFree => {
                let most = member(&|member| i64::from(member.maxconn))?;
                if most == 0 { -1 } else { (most - i64::from(state.sessions.get())).max(0) }
            }
            Known::SrvIsUp => return Some(Value::Bool(member(&|member| i64::from(member.running()))? != 0)),
            Known::SrvIweight => i64::from(self.server(at)?.weight.get()),
            Known::SrvQueue => i64::from(state.queue.get()),
            Known::SrvSessRate => i64::from(state.session_rate.get(now)),
            Known::SrvUweight => member(&|member| i64::from(member.weight))?,
            Known::SrvWeight => member(&|member| i64::from(member.scaled_weight.div_ceil(WEIGHT_SCALE)))?,
            _ => return None,
        }))
    }

    fn state_of(&self, at: TrackRef) -> Option<&ServerState> {
        self.back(at.proxy)?.servers.get(at.server.0 as usize)
    }
}

impl BackState {
    /// Servers that sessions are given to.
    fn in_use(&self) -> i64 {
        self.lock().in_use().count() as i64
    }

    /// Sessions that wait for it or for one of its servers.
    fn queued_all(&self) -> i64 {
        let servers: u64 = self.servers.iter().map(|server| u64::from(server.queue.get())).sum();
        i64::from(self.queue.get()).saturating_add_unsigned(servers)
    }

    /// Sessions that the servers in use may still take; -1 if one of them takes any number.
    fn free(&self) -> i64 {
        let core = self.lock();
        let mut free = 0;
        for member in core.in_use() {
            if member.maxconn == 0 {
                return -1;
            }
            free += i64::from(member.maxconn) - i64::from(member.load);
        }
        free.max(0)
    }

    /// Sessions that its servers may still take, waiting ones included, backups and servers without weight too; -1 if
    /// one of them has no limit.
    fn slots(&self) -> i64 {
        let core = self.lock();
        let mut slots = 0;
        let running =
            core.members.iter().enumerate().filter(|(_, member)| member.ordered() != Admin::Maint && member.is_up());
        for (ix, member) in running {
            if self.servers.get(ix).is_none_or(ServerState::is_deleted) {
                continue;
            }
            if member.maxconn == 0 || member.maxqueue == 0 {
                return -1;
            }
            slots += i64::from(member.maxconn) - i64::from(member.load) + i64::from(member.maxqueue);
            slots -= i64::from(member.line.len());
        }
        slots
    }
}

fn server_of(args: &[Arg]) -> Option<TrackRef> {
    match args.first()? {
        Arg::Server(ServerRef { id, .. }) => {
            let (proxy, server) = (*id)?;
            Some(TrackRef { proxy: ProxyIx(proxy), server: ServerIx(server) })
        }
        _ => None,
    }
}

fn seconds(millis: u64) -> i64 {
    i64::try_from(millis / 1000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Balance, ProxyKind};
    use crate::pool::tests::{NOW, backend, pool};

    #[test]
    fn rates_are_those_of_the_moment_and_unknown_names_are_nothing() {
        let pool = pool(vec![("b", ProxyKind::Listen, backend(Balance::RoundRobin, 1, |_| ()))]);
        let id = Some(0);
        let back = [Arg::Backend(NameRef { name: "b".into(), id })];
        let front = [Arg::Frontend(NameRef { name: "b".into(), id })];
        let server = [Arg::Server(ServerRef { backend: None, name: "s1".into(), id: Some((0, 0)) })];
        let (state, sides) = (pool.back(ProxyIx(0)).unwrap(), pool.front(ProxyIx(0)).unwrap());
        for _ in 0..3 {
            state.session_rate.hit(NOW);
        }
        for _ in 0..2 {
            sides.session_rate.hit(NOW);
        }
        state.servers[0].session_rate.hit(NOW);
        for (fetch, args, rate) in
            [(Known::BeSessRate, &back, 3), (Known::FeSessRate, &front, 2), (Known::SrvSessRate, &server, 1)]
        {
            assert_eq!(pool.fact(fetch, args, NOW), Some(Value::Int(rate)), "{fetch:?}");
            let later = Tick::from_millis(NOW.millis() + 2_000);
            assert_eq!(pool.fact(fetch, args, later), Some(Value::Int(0)), "{fetch:?}");
        }
        assert_eq!(pool.fact(Known::Nbsrv, &[Arg::Backend(NameRef::default())], NOW), None);
        assert_eq!(pool.fact(Known::SrvConn, &back, NOW), None);
        assert_eq!(pool.fact(Known::Src, &[], NOW), None);
        assert_eq!((pool.usable_servers(b"b"), pool.usable_servers(b"x")), (Some(1), None));
        assert_eq!((pool.frontend_exists(b"b"), pool.frontend_exists(b"x")), (true, false));
        let own = Some(ProxyIx(0));
        for (name, queue) in [(&b"b/s1"[..], Some(0)), (b"s1", Some(0)), (b"s2", None), (b"x/s1", None)] {
            assert_eq!(pool.server_queue(own, name), queue, "{name:?}");
            assert_eq!(pool.server_is_up(own, name), queue.map(|_| true), "{name:?}");
        }
    }
}
