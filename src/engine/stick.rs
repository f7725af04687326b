//! Tables that remember servers: what `stick` lines find in them, and what they tell them.
//!
//! What a table is told is looked up when the server's connection is there: the bytes that the client had sent by then are still
//! held. Source: manual §4.2 "stick match", "stick store-request", "stick store-response"; whether an entry's name or id counts, and
//! which servers are passed over, was asked of 2.6.12 (docs/OBSERVED.md).

use smallvec::SmallVec;

use super::clock;
use super::facts::View;
use super::rules::holds;
use super::session::Session;
use super::shard::Shard;
use crate::expr::{Side, Truth};
use crate::ir::table::{Key, ServerKey, TableIx};
use crate::ir::{Persistence, ProxyIx, Server, ServerIx, Stick};
use crate::pool::Pool;

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

impl Session {
    /// Tells tables which server it has. `side`: whose bytes the lines look at.
    pub(super) fn learn(&mut self, shard: &Shard, side: Side) {
        let pool = &shard.shared.pool;
        let rules = self.backend(&shard.shared).and_then(|back| back.persistence.as_deref());
        let list = rules.map_or(&[][..], |rules| match side {
            Side::Request => &rules.stick,
            Side::Response => &rules.store_response,
        });
        if !list.iter().any(|stick| stick.stores) {
            return;
        }
        let (back, target) = (self.back, self.target);
        let Some(server) = target.and_then(|ix| pool.server_now(back, ix)).filter(|server| !server.non_stick) else {
            return;
        };
        self.viewed(shard, false, |view| {
            let mut told: SmallVec<[TableIx; MOST]> = SmallVec::new();
            for stick in list.iter().filter(|stick| stick.stores) {
                if told.len() == MOST || told.contains(&stick.table) {
                    continue;
                }
                let Some((table, key)) = pool.tables.get(stick.table).zip(key(stick, view)) else { continue };
                told.push(stick.table);
                let now = clock::now();
                if let Some(entry) = table.entry(&key, now) {
                    entry.refresh(now, |data| match table.ir.server_key {
                        ServerKey::Name => data.set_server(server.id, Some(&server.name)),
                        ServerKey::Address => data.set_server(server.id, Some(&spelled(&server))),
                    });
                }
            }
        });
    }
}
