//! Server state files: the words that name them, and what is read from them when all else is read.
//!
//! A file that cannot be read is a warning, and so is what a file changes: haproxy says both before it serves and with
//! `-c`. Source: manual §3.1 "server-state-file", "server-state-base", §4.2 "load-server-state-from-file",
//! "server-state-file-name"; what is applied was observed on 2.6.12 (docs/OBSERVED.md).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::args::Args;
use super::draft::{ProxyDraft, StatesFrom, is_backend};
use super::error::{LowerError, Lowered};
use super::global::GlobalDraft;
use crate::ir::{Server, ServerAddress};
use crate::text::{Diagnostic, World};
use crate::units::server_state::{self, Invalid, Line, Operation, ServerState, admin};

/// The longest path of a file, as haproxy has it.
const PATH_MAX: usize = 4096;

/// `server-state-base <directory>`: once; where relative names of state files begin.
pub fn base(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let path = args.string("the path of a folder")?;
    if global.state_base.is_some() {
        return Err(args.blame_keyword(LowerError::Again { keyword: args.keyword() }));
    }
    global.state_base = Some(PathBuf::from(path));
    Ok(())
}

/// `server-state-file <file>`: once.
pub fn file(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let path = args.string("the path of a file")?;
    if global.state_file.is_some() {
        return Err(args.blame_keyword(LowerError::Again { keyword: args.keyword() }));
    }
    global.state_file = Some((PathBuf::from(path), args.span()));
    Ok(())
}

/// `load-server-state-from-file { global | local | none }`: the last one wins.
pub fn load(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'global', 'local' or 'none'")?;
    proxy.set.states_from = match word.bytes {
        b"global" => StatesFrom::Global,
        b"local" => StatesFrom::Local,
        b"none" => StatesFrom::Nowhere,
        _ => {
            return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["global", "local", "none"] }));
        }
    };
    Ok(())
}

/// `server-state-file-name [ use-backend-name | <file> ]`: the last one wins.
pub fn file_name(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.next_word().filter(|word| !word.bytes.is_empty() && word.bytes != b"use-backend-name");
    proxy.state_file = word.map(|word| word.text());
    args.end()
}

/// States by names of backend and server: the first line of each counts.
type States = HashMap<(String, String), Result<ServerState, Invalid>>;

/// Reads the files that are asked for, and gives each server what is recorded of it.
pub(super) fn recall(
    global: &GlobalDraft,
    proxies: &mut [ProxyDraft],
    world: &mut dyn World,
    said: &mut Vec<Diagnostic>,
) {
    let wanted = |proxy: &&mut ProxyDraft| is_backend(proxy.kind) && !proxy.set.disabled;
    if global.state_file.is_none() && proxies.iter().all(|proxy| proxy.set.states_from == StatesFrom::Nowhere) {
        return;
    }
    world.enter(None);
    let shared = global.state_file.as_ref().map(|(path, _)| below(global, path));
    let mut warn = |message: String| said.push(Diagnostic::warning(None, message));
    let mut common = shared.as_ref().map_or_else(States::default, |path| keep(read(path, world, &mut warn)));
    for proxy in proxies.iter_mut().filter(wanted) {
        let mut own = match proxy.set.states_from {
            StatesFrom::Nowhere => continue,
            StatesFrom::Global if shared.is_none() => {
                warn(format!("backend '{}' loads server states, and no 'server-state-file' is given", proxy.name));
                continue;
            }
            StatesFrom::Global => None,
            StatesFrom::Local => Some(local(global, proxy, world, &mut warn)),
        };
        let states = own.as_mut().unwrap_or(&mut common);
        for server in &mut proxy.servers {
            match states.remove(&(proxy.name.clone(), server.name.clone())) {
                None => {}
                Some(Err(why)) => {
                    warn(format!(
                        "the recorded state of server '{}/{}' does not count: {why}",
                        proxy.name, server.name
                    ));
                }
                Some(Ok(state)) => {
                    if let Some(news) = news(&state, server) {
                        warn(format!("server '{}/{}' {news}, as it is recorded", proxy.name, server.name));
                    }
                    take(state, server);
                }
            }
        }
    }
}

fn below(global: &GlobalDraft, path: &Path) -> PathBuf {
    // A path that is absolute replaces what it is joined to.
    global.state_base.as_ref().map_or_else(|| path.to_owned(), |base| base.join(path))
}

fn read(path: &Path, world: &dyn World, warn: &mut impl FnMut(String)) -> Vec<Line> {
    let shown = path.display();
    let bytes = match world.read(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            warn(format!("the server state file '{shown}' cannot be read: {why}"));
            return Vec::new();
        }
    };
    server_state::read(&bytes).unwrap_or_else(|why| {
        warn(format!("the server state file '{shown}' does not count: {why}"));
        Vec::new()
    })
}

fn keep(lines: Vec<Line>) -> States {
    let mut states = States::with_capacity(lines.len());
    for Line { backend, server, state, .. } in lines {
        states.entry((backend, server)).or_insert(state);
    }
    states
}

/// The states of a backend's own file: what it says of others is told.
fn local(global: &GlobalDraft, proxy: &ProxyDraft, world: &dyn World, warn: &mut impl FnMut(String)) -> States {
    let path = below(global, Path::new(proxy.state_file.as_deref().unwrap_or(&proxy.name)));
    if path.as_os_str().len() >= PATH_MAX {
        warn(format!("the path of the server state file of backend '{}' is too long", proxy.name));
        return States::default();
    }
    let known: HashMap<&str, ()> = proxy.servers.iter().map(|server| (server.name.as_str(), ())).collect();
    let id = proxy.id.map_or(0, |(id, _)| id).to_string();
    let lines = read(&path, world, warn).into_iter().filter(|line| {
        if line.backend_id != id {
            warn(format!("the state file of backend '{}' has id {}, and it has {id}", proxy.name, line.backend_id));
        }
        if line.backend != proxy.name {
            warn(format!("the state file of backend '{}' has a line of backend '{}'", proxy.name, line.backend));
        } else if !known.contains_key(line.server.as_str()) {
            warn(format!("the state file of backend '{}' has a line of a server '{}'", proxy.name, line.server));
        } else {
            return true;
        }
        false
    });
    keep(lines.collect())
}

/// What a state changes that haproxy tells.
fn news(state: &ServerState, server: &Server) -> Option<&'static str> {
    let leaves = state.admin & admin::CONFIGURED_MAINT != 0 && state.admin & admin::MAINT == 0;
    match state.operation {
        _ if server.disabled => leaves.then_some("leaves maintenance"),
        _ if state.admin & admin::DRAIN != 0 => Some("is drained"),
        Operation::Stopped => Some("is DOWN"),
        Operation::Stopping => Some("is stopping"),
        Operation::Starting if server.slowstart.is_some() => Some("is UP"),
        Operation::Starting | Operation::Running => None,
    }
}

/// Gives a server what is recorded of it; its ports and what is checked at once, its address when `init-addr` asks for it.
fn take(state: ServerState, server: &mut Server) {
    if let Some(service) = server.resolve.as_ref().and_then(|resolve| resolve.service.as_ref())
        && state.service.as_ref() == Some(service)
        && state.address.is_some()
        && state.port > 0
    {
        // It goes on as the one of its record.
        server.host = state.host.clone();
        server.port_offset = None;
    }
    let port = (state.port > 0 && server.port_offset.is_none()).then_some(state.port);
    match &mut server.address {
        ServerAddress::Inet(address) => address.set_port(port.unwrap_or(address.port())),
        ServerAddress::Unresolved { port: own, .. } => *own = port.unwrap_or(*own),
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) | ServerAddress::SockPair(_) => {}
    }
    if let Some(check) = &mut server.check {
        check.port = Some(state.check_port).filter(|port| *port > 0).or(check.port);
        check.addr = state.check_address.or(check.addr);
    }
    if let Some(agent) = &mut server.agent {
        agent.port = Some(state.agent_port).filter(|port| *port > 0).unwrap_or(agent.port);
        agent.addr = state.agent_address.or(agent.addr);
    }
    server.recorded = Some(Box::new(state));
}
