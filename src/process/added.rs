//! Reads the lines of servers and the expressions that are typed at run time, by what reads configurations.

use crate::expr::{Facts, Value};
use crate::ir::{ProxyIx, ProxyKind, TrackRef};
use crate::lower::added;
use crate::lower::global::variables;
use crate::pool::{LineReader, NewServer, Pool, Typed};
use crate::sys::{identity, local_offset};

/// The reader of a process.
#[derive(Debug)]
pub(crate) struct Reader;

impl LineReader for Reader {
    fn read(&self, pool: &Pool, backend: ProxyIx, name: &str, words: &[&str]) -> Result<NewServer, String> {
        let proxy = pool.config.proxies.get(backend.0 as usize).ok_or("there is no such backend")?;
        let mut added = added::server(&proxy.name, proxy.mode, name, words)?;
        if let Some(track) = &added.track {
            added.line.track = Some(tracked(pool, backend, track)?);
        }
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Ok(NewServer { line: added.line, words, ready: added.ready })
    }

    fn value(&self, typed: &Typed<'_>, facts: &dyn Facts) -> Result<Option<Value<'static>>, String> {
        let host = (identity::host_name(), local_offset as fn(i64) -> i32);
        variables::typed(typed.text, typed.format, typed.environment, host, facts)
    }
}

/// The server that `track` names: one of the configuration, that is checked or tracks one that is.
fn tracked(pool: &Pool, backend: ProxyIx, named: &str) -> Result<TrackRef, String> {
    let (proxy, name) = match named.split_once('/') {
        None => (backend, named),
        Some((proxy, name)) => {
            let mut backs = (0..).map(ProxyIx).zip(&pool.config.proxies);
            let found = backs.find(|(_, other)| other.name == proxy && other.kind != ProxyKind::Frontend);
            (found.ok_or_else(|| format!("unable to find required proxy '{proxy}' for tracking."))?.0, name)
        }
    };
    let found = pool.servers(proxy).find(|(_, line)| line.name == name);
    let (server, line) = found.ok_or_else(|| format!("unable to find required server '{name}' for tracking."))?;
    let at = TrackRef { proxy, server };
    if pool.added().any(|other| other == at) {
        return Err(format!("unable to use {named} for tracking as it is a dynamic server."));
    }
    if line.check.is_none() && line.agent.is_none() && line.track.is_none() {
        return Err(format!("unable to use {named} for tracking as it is not checked."));
    }
    Ok(at)
}
