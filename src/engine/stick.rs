//! Tables that remember servers: what `stick` lines find in them, and what they tell them.
//!
//! What a table is told is looked up when the server's connection is there: the bytes that the client had sent by then are still
//! held. It is told when rules about the server's answer, if there are any, have let the session pass. Source: manual §4.2 "stick
//! match", "stick store-request", "stick store-response"; whether an entry's name or id counts, and which servers are passed over, was
//! asked of 2.6.12 (docs/OBSERVED.md).

use smallvec::SmallVec;

use super::clock;
use super::facts::View;
use super::rules::holds;
use super::session::Session;
use super::shard::Shard;
use crate::expr::{Side, Truth};
use crate::ir::table::{Key, ServerKey, TableIx};
use crate::ir::{Persistence, ProxyIx, Server, ServerIx, Stick};
use crate::pool::{Pool, ServerNow};

/// The most tables that are told of one request, and of one response.
const MOST: usize = 8;

/// The server that the first table knows whose line holds, if the server will do.
pub(super) fn matched(
    rules: &Persistence,
    proxy: ProxyIx,
    view: &View<'_>,
    will_do: impl Fn(ServerIx) -> bool,
) -> Option<ServerIx> {
    let pool = &view.shard.shared.pool;
    rules.stick.iter().filter(|stick| stick.matches).find_map(|stick| {
        let table = pool.tables.get(stick.table)?;
        let key = key(stick, view)?;
        let now = clock::now();
        let entry = table.lookup(&key, now)?;
        let (id, word) = entry.refresh(now, |entry| (entry.view().server_id(), entry.view().server_key()));
        let by_word = word.and_then(|word| match table.ir.server_key {
            ServerKey::Name => pool.server_named(proxy, &word),
            ServerKey::Address => addressed(pool, proxy, id, &word),
        });
        by_word.or_else(|| pool.server_with_id(proxy, id?)).filter(|server| will_do(*server))
    })
}

/// The server at an address: of several the one with that id, else the first.
fn addressed(pool: &Pool, proxy: ProxyIx, id: Option<u32>, address: &str) -> Option<ServerIx> {
    let is_there = |server: &Server| spelled(server) == address;
    let same = id.and_then(|id| pool.server_with_id(proxy, id));
    let same = same.filter(|ix| pool.server_now(proxy, *ix).is_some_and(|server| is_there(&server)));
    same.or_else(|| pool.server_that(proxy, is_there))
}

fn spelled(server: &Server) -> String {
    server.address.spell(server.port_offset)
}

/// The key of a line, if it holds and there is one.
fn key(stick: &Stick, view: &View<'_>) -> Option<Key> {
    if holds(stick.when.as_ref(), view) != Truth::True {
        return None;
    }
    let value = stick.key.value(view)?;
    view.shard.shared.pool.tables.get(stick.table)?.ir.key(&value)
}

/// Tables and the keys under which they are to be told of a server.
pub(super) type Keys = SmallVec<[(TableIx, Key); 1]>;

impl Session {
    /// Tells tables which server it has. `side`: whose bytes the lines look at.
    pub(super) fn learn(&mut self, shard: &Shard, side: Side) {
        let keys = self.keys(shard, side);
        self.tell(shard, keys);
    }

    /// Keeps what tables are to be told when rules about the answer have let the session pass: by then what its client has sent
    /// may be on its way.
    pub(super) fn note(&mut self, shard: &Shard) {
        let keys = self.keys(shard, Side::Request);
        if !keys.is_empty() {
            self.viewed(shard, false, |view| view.remember(|memory| memory.untold = keys));
        }
    }

    /// Tells tables what was kept for them.
    pub(super) fn tell_noted(&mut self, shard: &Shard) {
        let keys = self.memory.as_mut().map(|memory| std::mem::take(&mut memory.untold)).unwrap_or_default();
        self.tell(shard, keys);
    }

    /// What tables are to be told under, each once.
    fn keys(&mut self, shard: &Shard, side: Side) -> Keys {
        let pool = &shard.shared.pool;
        let rules = self.backend(&shard.shared).and_then(|back| back.persistence.as_deref());
        let list = rules.map_or(&[][..], |rules| match side {
            Side::Request => &rules.stick,
            Side::Response => &rules.store_response,
        });
        let mut keys = Keys::new();
        if !list.iter().any(|stick| stick.stores) || self.told_server(pool).is_none() {
            return keys;
        }
        self.viewed(shard, false, |view| {
            for stick in list.iter().filter(|stick| stick.stores) {
                if keys.len() < MOST
                    && keys.iter().all(|(table, _)| *table != stick.table)
                    && let Some(key) = key(stick, view)
                {
                    keys.push((stick.table, key));
                }
            }
        });
        keys
    }

    fn tell(&self, shard: &Shard, keys: Keys) {
        let pool = &shard.shared.pool;
        let Some(server) = self.told_server(pool).filter(|_| !keys.is_empty()) else { return };
        let now = clock::now();
        for (table, key) in keys {
            let Some(table) = pool.tables.get(table) else { continue };
            let Some(entry) = table.entry(&key, now) else { continue };
            entry.refresh(now, |data| match table.ir.server_key {
                ServerKey::Name => data.set_server(server.id, Some(&server.name)),
                ServerKey::Address => data.set_server(server.id, Some(&spelled(&server))),
            });
        }
    }

    /// Its server, if tables are told of it.
    fn told_server<'a>(&self, pool: &'a Pool) -> Option<ServerNow<'a>> {
        let server = self.target.and_then(|ix| pool.server_now(self.back, ix));
        server.filter(|server| !server.non_stick)
    }
}
