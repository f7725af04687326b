//! `show servers state`: the states of servers as haproxy's server state file has them, version 1.
//!
//! Source: management manual §9.3; what is listed, and how a backend is named, observed on 2.6.12.

use std::fmt::Write;
use std::sync::Arc;

use crate::ir::{Level, ProxyIx, ServerIx, TrackRef};
use crate::pool::{Pool, Reply, Report};
use crate::units::Tick;
use crate::units::server_state::{HEADER, Subject, VERSION, write};

/// Servers that are told at once.
const STRIDE: usize = 256;

/// The states of all servers, or of those of one backend: its name, or `#` and its id. Words behind it do not count.
pub(super) fn reply(pool: &Arc<Pool>, now: Tick, args: &[&str]) -> Reply {
    let proxies = || (0..).map(ProxyIx).zip(&pool.config.proxies).filter(|(_, proxy)| proxy.backend.is_some());
    let only = match args.first() {
        None => None,
        Some(word) => {
            let id = word.strip_prefix('#').and_then(|id| id.parse().ok());
            match proxies().find(|(_, proxy)| id.map_or(proxy.name == *word, |id: u32| proxy.id == id)) {
                Some((ix, _)) => Some(ix),
                None => return Reply::Remark(Level::Err, "Can't find backend.\n".into()),
            }
        }
    };
    let mut next = (only.unwrap_or(ProxyIx(0)), ServerIx(0));
    let (pool, mut begun) = (Arc::clone(pool), false);
    Reply::Pieces(Report::new(move |out| {
        if !std::mem::replace(&mut begun, true) {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{VERSION}\n# {HEADER}");
        }
        for _ in 0..STRIDE {
            let (ix, at) = next;
            let Some(proxy) = pool.config.proxies.get(ix.0 as usize) else { return false };
            if pool.back(ix).is_none_or(|back| at.0 as usize >= back.servers.len()) {
                if only.is_some() {
                    return false;
                }
                next = (ProxyIx(ix.0 + 1), ServerIx(0));
                continue;
            }
            next = (ix, ServerIx(at.0 + 1));
            let Some(server) = pool.server(TrackRef { proxy: ix, server: at }) else { continue };
            let Some(state) = pool.server_state(ix, at, now) else { continue };
            let backend = (proxy.id, proxy.name.as_str(), proxy.id_given);
            let subject = Subject { backend, server: (server.id, &server.name, server.id_given) };
            let _ = write(&subject, &state, out);
            let _ = writeln!(out);
        }
        true
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Check, ProxyKind, Server, ServerAddress, ServerIx};
    use crate::pool::{Admin, CheckResult, CheckStatus};
    use crate::report::testing;
    use crate::units::Weight;

    fn pool() -> Arc<Pool> {
        let mut b = testing::proxy("b", 3, ProxyKind::Backend);
        let check = || Some(Check { port: Some(99), ..Check::default() });
        b.backend.as_mut().unwrap().servers = vec![
            Server { weight: Weight::new(10).unwrap(), check: check(), ..testing::server("s1", 1) },
            Server { disabled: true, id_given: true, ..testing::server("s2", 77) },
            Server { address: ServerAddress::Unix("/x".into()), ..testing::server("s3", 3) },
            Server { host: Some("some.host".into()), port_offset: Some(5), ..testing::server("s4", 4) },
        ];
        let mut c = testing::proxy("c", 55, ProxyKind::Listen);
        c.id_given = true;
        c.backend.as_mut().unwrap().servers = vec![testing::server("s1", 1)];
        let front = testing::proxy("f", 2, ProxyKind::Frontend);
        Arc::new(Pool::new(Arc::new(testing::config(vec![front, b, c])), Tick::from_millis(10_000)))
    }

    fn said(pool: &Arc<Pool>, args: &[&str]) -> Vec<String> {
        match reply(pool, Tick::from_millis(15_000), args) {
            Reply::Pieces(report) => testing::told(report).lines().map(str::to_owned).collect(),
            Reply::Remark(_, text) => text.lines().map(str::to_owned).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_are_haproxys() {
        let pool = pool();
        let failed = CheckResult { status: CheckStatus::L4Con, ..CheckResult::default() };
        pool.report_check(ProxyIx(1), ServerIx(0), &failed, Tick::from_millis(13_000));
        pool.set_weight(ProxyIx(1), ServerIx(0), Weight::new(5).unwrap(), Tick::from_millis(13_000));
        pool.set_admin(ProxyIx(1), ServerIx(2), Admin::Drain, Tick::from_millis(14_000));
        let want = [
            "1".to_owned(),
            format!("# {HEADER}"),
            "3 b 1 s1 127.0.0.1 0 0 5 10 2 8 2 0 6 0 0 0 - 1 - 0 99 - - 99".into(),
            "3 b 77 s2 127.0.0.1 0 5 1 1 5 1 0 0 8 0 0 1 - 1 - 0 0 - - 0".into(),
            "3 b 3 s3 - 2 8 1 1 1 1 0 2 0 0 0 0 - 0 - 0 0 - - 0".into(),
            "3 b 4 s4 127.0.0.1 2 0 1 1 5 1 0 2 0 0 0 0 some.host 5 - 0 0 - - 0".into(),
            "55 c 1 s1 127.0.0.1 2 0 1 1 5 1 0 2 0 0 1 0 - 1 - 0 0 - - 0".into(),
        ];
        assert_eq!(said(&pool, &[]), want);
        assert_eq!(said(&pool, &["b", "c"]), want[..6]);
        assert_eq!(said(&pool, &["#55"])[2..], want[6..]);
        for unknown in ["55", "f", "#2", "nope"] {
            assert_eq!(said(&pool, &[unknown]), ["Can't find backend."], "{unknown}");
        }
    }
}
