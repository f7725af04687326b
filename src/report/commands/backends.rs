//! `show backend`, `show servers conn`, `show errors`: lists of what is configured and of what went wrong in it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Command, Console, wrong};
use crate::ir::{AdminLevel, Proxy, ProxyIx, ServerAddress, ServerIx};
use crate::pool::{Reply, Report};
use crate::report::journal::date;

/// Milliseconds after which haproxy closes idle connections to servers; none is kept here.
const PURGE_DELAY: u32 = 5000;
/// Servers that are told at once.
const STRIDE: usize = 256;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["show", "backend"],
        usage: "",
        help: "names of the backends",
        level: AdminLevel::User,
        run: |console, _| {
            let backs = console.pool.config.proxies.iter().filter(|proxy| proxy.backend.is_some());
            Reply::Text(backs.fold(String::from("# name\n"), |out, proxy| out + &proxy.name + "\n"))
        },
    },
    Command {
        words: &["show", "servers", "conn"],
        usage: "[<backend>]",
        help: "connections to servers",
        level: AdminLevel::User,
        run: |console, args| console.connections(args.first().copied()),
    },
    Command {
        words: &["show", "errors"],
        usage: "[<px>] [request|response]",
        help: "messages that broke a protocol",
        level: AdminLevel::Operator,
        run: |console, args| console.errors(args.first().copied()),
    },
];

impl Console {
    /// No message is looked into, so none is kept: there is the number of none.
    fn errors(&self, proxy: Option<&str>) -> Reply {
        let known =
            |word: &str| word.parse::<i64>().is_ok() || self.pool.config.proxies.iter().any(|proxy| proxy.name == word);
        if proxy.is_some_and(|word| !known(word)) {
            return wrong("No such proxy.");
        }
        let now = date::exact(SystemTime::now(), self.background.local_offset);
        Reply::Text(format!("Total events captured on [{}] : 0\n", &now[..now.len() - 3]))
    }

    /// A line for each server: nothing is kept for a later session, so there are no idle connections.
    fn connections(&self, backend: Option<&str>) -> Reply {
        let proxies = &self.pool.config.proxies;
        let named = |proxy: &Proxy, word: &str| match word.strip_prefix('#') {
            Some(id) => id.parse() == Ok(proxy.id),
            None => proxy.name == word,
        };
        let mut at = 0;
        let mut end = proxies.len();
        if let Some(word) = backend {
            match proxies.iter().position(|proxy| proxy.backend.is_some() && named(proxy, word)) {
                Some(found) => (at, end) = (found, found + 1),
                None => return wrong("Can't find backend."),
            }
        }
        let threads = self.control.get().map_or(0, |control| control.loads().len());
        let (pool, mut server, mut begun) = (Arc::clone(&self.pool), 0, false);
        Reply::Pieces(Report::new(move |out| {
            if !std::mem::replace(&mut begun, true) {
                out.push_str("# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb ");
                // Writing to a String cannot fail.
                let _ = writeln!(out, "safe_nb idle_lim idle_cur idle_per_thr[{threads}]");
            }
            for _ in 0..STRIDE {
                let Some(proxy) = pool.config.proxies[..end].get(at) else { return false };
                let ix = ProxyIx(at as u32);
                if pool.back(ix).is_none_or(|back| server >= back.servers.len()) {
                    (at, server) = (at + 1, 0);
                    continue;
                }
                let line = pool.server_now(ix, ServerIx(server as u32));
                server += 1;
                match line {
                    None => {} // deleted
                    Some(line) => {
                        let (address, port) = match &line.address {
                            ServerAddress::Inet(address) => (address.ip().to_string(), address.port()),
                            _ => ("-".into(), 0),
                        };
                        let (back, name) = (&proxy.name, &line.name);
                        let _ = write!(out, "{back}/{name} {}/{} {address} {port} - ", proxy.id, line.id);
                        let _ = writeln!(out, "{PURGE_DELAY} 0 0 0 0 0 -1 0{}", " 0".repeat(threads));
                    }
                }
            }
            true
        }))
    }
}
