//! How many connections and descriptors there may be.
//!
//! The sums are haproxy's, so `maxconn`, `Maxsock` and `Ulimit-n` come out as with 2.6: two descriptors per connection,
//! one per listener (those of disabled proxies too), check, and word `port` or `agent-port` of a server's, a template's or
//! a default-server line, those of `stats maxconn` where there is a stats socket,
//! a pipe, which is two, for a quarter of the connections that may be spliced, 10 of the process and 3 per thread.
//! baton itself needs fewer.

use crate::ir::{Config, Splice};

/// Descriptors of the process itself.
const OWN: u64 = 10;
/// Descriptors of a thread.
const PER_THREAD: u64 = 3;
/// Connections on stats sockets when `stats maxconn` says nothing.
const STATS_MAXCONN: u32 = 10;
/// What a limit counts at most when `maxconn` is made from it: containers may have a limit of a thousand million.
const ENDLESS: u64 = 1 << 20;
/// The least that `maxconn` becomes when it is made from a limit.
const LEAST: u32 = 100;

/// What a configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Most connections; `None`: as many as the limit allows.
    pub maxconn: Option<u32>,
    /// `ulimit-n`.
    pub nofile: Option<u32>,
    /// `fd-hard-limit`.
    pub ceiling: Option<u32>,
    /// Descriptors besides those of connections.
    pub others: u64,
    /// Connections that may need pipes; `u32::MAX`: all.
    pub spliced: u32,
    /// `maxpipes`.
    pub pipes: Option<u32>,
}

/// How many descriptors this process may have at most; `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling(pub Option<u64>);

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most connections of the process.
    pub maxconn: u32,
    /// Descriptors that they and the rest need.
    pub maxsock: u64,
    /// The limit to have.
    pub nofile: u64,
    /// Pipes that connections may need at once.
    pub pipes: u32,
}

impl Needs {
    /// What `config` asks for when it runs on `threads` threads; `maxconn` is `-n`.
    pub fn of(config: &Config, maxconn: Option<u32>, threads: usize) -> Self {
        let global = &config.global;
        let fronts = || config.proxies.iter().filter_map(|proxy| proxy.frontend.as_ref());
        let backs = || config.proxies.iter().filter_map(|proxy| proxy.backend.as_ref());
        let listeners = fronts().map(|front| front.binds.len()).sum::<usize>() + global.stats_sockets.len();
        let asked =
            |server: &crate::ir::Server| usize::from(server.check.is_some()) + usize::from(server.agent.is_some());
        let checks = backs().flat_map(|back| &back.servers).map(asked).sum::<usize>();
        let reserved = u64::from(global.reserved);
        let stats = match global.stats_sockets.is_empty() {
            true => global.stats_maxconn.unwrap_or(0),
            false => global.stats_maxconn.unwrap_or(STATS_MAXCONN),
        };
        Self {
            maxconn: maxconn.filter(|n| *n > 0).or(global.maxconn.filter(|n| *n > 0)),
            nofile: global.rlimits.nofile.filter(|n| *n > 0),
            ceiling: global.rlimits.fd_hard_limit.filter(|n| *n > 0),
            others: OWN + PER_THREAD * threads as u64 + (listeners + checks) as u64 + reserved + u64::from(stats),
            pipes: global.max_pipes,
            spliced: if global.no_splice { 0 } else { spliced(config) },
        }
    }

    /// Descriptors for that many connections.
    fn descriptors(&self, maxconn: u32) -> u64 {
        2 * u64::from(maxconn) + 2 * u64::from(self.pipes(maxconn)) + self.others
    }

    /// Pipes for that many connections.
    fn pipes(&self, maxconn: u32) -> u32 {
        match (self.pipes, self.spliced.min(maxconn)) {
            (Some(given), _) => given,
            (None, 0) => 0,
            (None, some) => (some / 4).max(1),
        }
    }

    /// The most connections that so many descriptors serve.
    fn fitting(&self, descriptors: u64) -> u32 {
        let left = descriptors.saturating_sub(self.others);
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let most = small(left.saturating_sub(2 * u64::from(self.pipes(u32::MAX))) / 2);
        if self.spliced <= most || self.pipes.is_some() { most } else { small(left * 2 / 5) }
    }
}

/// Connections that may be spliced: what the frontends with `option splice-*` may have together, or the backends with it
/// by their `fullconn`, whichever is more; one without a limit of its own stands for all.
fn spliced(config: &Config) -> u32 {
    let all = |limit: Option<u32>| limit.filter(|limit| *limit > 0).unwrap_or(u32::MAX);
    let (mut front, mut back) = (0u32, 0u32);
    for proxy in &config.proxies {
        if let Some(side) = proxy.frontend.as_ref().filter(|side| side.splice != Splice::default()) {
            front = front.saturating_add(all(side.maxconn));
        }
        if let Some(side) = proxy.backend.as_ref().filter(|side| side.splice != Splice::default()) {
            back = back.saturating_add(all(side.fullconn));
        }
    }
    front.max(back)
}

impl Limits {
    /// Decides, given the hard limit that holds now.
    pub fn of(needs: &Needs, hard: Ceiling) -> Self {
        let most = hard.0.unwrap_or(ENDLESS).min(needs.ceiling.map_or(ENDLESS, u64::from));
        let most = needs.nofile.map_or(most, u64::from);
        let maxconn = needs.maxconn.unwrap_or_else(|| needs.fitting(most).max(LEAST));
        let maxsock = needs.descriptors(maxconn);
        let nofile = needs.nofile.map_or(maxsock, u64::from);
        Self { maxconn, maxsock, nofile, pipes: needs.pipes(maxconn) }
    }

    /// What is left when only `limit` descriptors can be had.
    #[must_use]
    pub fn within(self, needs: &Needs, limit: u64) -> Self {
        let maxconn = self.maxconn.min(needs.fitting(limit).max(1));
        Self { maxconn, maxsock: limit, nofile: limit, pipes: needs.pipes(maxconn) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_haproxys() {
        // Two threads, two listeners, a stats socket: 28 (show info of 2.6.12).
        let with = |maxconn, nofile, ceiling| Needs { maxconn, nofile, ceiling, others: 28, ..Needs::default() };
        for (needs, hard, maxconn, maxsock, nofile) in [
            (with(Some(5), None, None), 20_000, 5, 38, 38),
            (with(None, None, None), 20_000, 9986, 20_000, 20_000),
            (with(None, None, Some(300)), 20_000, 136, 300, 300),
            (with(Some(5000), None, None), 20_000, 5000, 10_028, 10_028),
            (with(Some(5), Some(500), None), 20_000, 5, 38, 500),
            // 2.6 keeps maxconn 9986 here and warns that it will be trouble.
            (with(None, Some(500), None), 20_000, 236, 500, 500),
            // Never made less than 100: 2.6 then says that it cannot have the limit.
            (with(None, None, None), 100, 100, 228, 228),
        ] {
            assert_eq!(
                Limits::of(&needs, Ceiling(Some(hard))),
                Limits { maxconn, maxsock, nofile, pipes: 0 },
                "{needs:?}"
            );
        }
        assert_eq!(Limits::of(&with(None, None, None), Ceiling(None)).nofile, ENDLESS);
        assert_eq!(Limits::of(&with(None, None, None), Ceiling(Some(1_073_741_816))).nofile, ENDLESS);
        let huge = Limits::of(&with(Some(u32::MAX), None, None), Ceiling(Some(1)));
        assert_eq!(huge.maxsock, 2 * u64::from(u32::MAX) + 28);
        // 1,000 connections, one thread and listener, option splice-auto: 2514 (what 2.6 asks for).
        let pipes = Needs { maxconn: Some(1000), others: 14, spliced: u32::MAX, ..Needs::default() };
        assert_eq!(Limits::of(&pipes, Ceiling(Some(20_000))).maxsock, 2514);
        assert_eq!(Limits::of(&pipes, Ceiling(Some(20_000))).pipes, 250);
        assert_eq!(Limits::of(&pipes, Ceiling(Some(20_000))).within(&pipes, 514).maxconn, 200);
        // Two threads, one listener, a stats socket: splicing everywhere, in a frontend with `maxconn 100`, with 1.
        for (spliced, maxconn, maxsock, pipes) in
            [(u32::MAX, 7988, 19_998, 1997), (100, 9961, 20_000, 25), (1, 9985, 20_000, 1)]
        {
            let needs = Needs { others: 28, spliced, ..Needs::default() };
            let want = Limits { maxconn, maxsock, nofile: maxsock, pipes };
            assert_eq!(Limits::of(&needs, Ceiling(Some(20_000))), want, "{spliced}");
        }
    }
}
