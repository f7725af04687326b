//! How many descriptors a run needs, and the limit that lets it have them.
//!
//! Pure: [`plan`] decides, [`apply`] acts. The sums are haproxy's, so `maxconn`, `Maxsock` and `Ulimit-n` come out as
//! with 2.6: two descriptors per connection, one per listener and check, those of `stats maxconn`, 10 of the process
//! and 3 per thread (observed). baton itself needs fewer.

use std::io;

use thiserror::Error;

use crate::ir::Config;
use crate::sys::limits::{self, Limit};

/// Descriptors of the process itself.
const OWN: u64 = 10;
/// Descriptors of a thread.
const PER_THREAD: u64 = 3;
/// Connections on stats sockets when `stats maxconn` says nothing.
const STATS_MAXCONN: u32 = 10;
/// What stands for "no limit": more descriptors than a process of Linux may have by default.
const ENDLESS: u64 = 1 << 20;

/// What a configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    /// Most connections; `None`: as many as the limit allows.
    pub(crate) maxconn: Option<u32>,
    /// `ulimit-n`.
    pub(crate) nofile: Option<u32>,
    /// `fd-hard-limit`.
    pub(crate) ceiling: Option<u32>,
    /// Descriptors besides those of connections.
    pub(crate) others: u64,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Most connections of the process.
    pub(crate) maxconn: u32,
    /// Descriptors that they and the rest need.
    pub(crate) maxsock: u64,
    /// The limit to have.
    pub(crate) nofile: u64,
}

/// Why the limit cannot be had.
#[derive(Debug, Error)]
pub(crate) enum LimitError {
    /// The hard limit, or `fd-hard-limit`, is below.
    #[error("{wanted} file descriptors are needed and the limit is {limit}: raise it, or lower maxconn")]
    TooLow {
        /// What is needed.
        wanted: u64,
        /// What can be had.
        limit: u64,
    },
    /// The system refused for another reason.
    #[error("the file descriptor limit cannot be set to {wanted}: {why}")]
    Refused {
        /// What is needed.
        wanted: u64,
        /// What the system says.
        why: io::Error,
    },
}

impl Needs {
    /// What `config` asks for when it runs on `threads` threads; `maxconn` is `-n`.
    pub(crate) fn of(config: &Config, maxconn: Option<u32>, threads: usize) -> Self {
        let global = &config.global;
        let fronts = config.proxies.iter().filter_map(|proxy| proxy.frontend.as_ref());
        let backs = config.proxies.iter().filter_map(|proxy| proxy.backend.as_ref());
        let listeners = fronts.map(|front| front.binds.len()).sum::<usize>() + global.stats_sockets.len();
        let checks = backs.flat_map(|back| &back.servers).filter(|server| server.check.is_some()).count();
        let stats = match global.stats_sockets.is_empty() {
            true => 0,
            false => global.stats_maxconn.unwrap_or(STATS_MAXCONN),
        };
        Self {
            maxconn: maxconn.filter(|n| *n > 0).or(global.maxconn.filter(|n| *n > 0)),
            nofile: global.rlimits.nofile.filter(|n| *n > 0),
            ceiling: global.rlimits.fd_hard_limit.filter(|n| *n > 0),
            others: OWN + PER_THREAD * threads as u64 + (listeners + checks) as u64 + u64::from(stats),
        }
    }
}

/// Decides, given the limit that holds now.
pub(crate) fn plan(needs: &Needs, now: Limit) -> Plan {
    let most = now.hard.unwrap_or(ENDLESS).min(needs.ceiling.map_or(u64::MAX, u64::from));
    let fitting = |limit: u64| u32::try_from(limit.saturating_sub(needs.others) / 2).unwrap_or(u32::MAX).max(1);
    let maxconn = needs.maxconn.unwrap_or_else(|| fitting(needs.nofile.map_or(most, u64::from)));
    let maxsock = 2 * u64::from(maxconn) + needs.others;
    Plan { maxconn, maxsock, nofile: needs.nofile.map_or(maxsock, u64::from) }
}

/// What is left of a plan when only `limit` descriptors can be had.
pub(crate) fn shrink(plan: &Plan, needs: &Needs, limit: u64) -> Plan {
    let fitting = u32::try_from(limit.saturating_sub(needs.others) / 2).unwrap_or(u32::MAX).max(1);
    Plan { maxconn: plan.maxconn.min(fitting), maxsock: limit, nofile: limit }
}

/// Raises the soft limit, and the hard one if it must and may. A higher limit than planned stays.
///
/// # Errors
/// [`LimitError`].
pub(crate) fn apply(plan: &Plan, needs: &Needs, now: Limit) -> Result<(), LimitError> {
    let wanted = plan.nofile;
    if let Some(ceiling) = needs.ceiling.map(u64::from).filter(|ceiling| wanted > *ceiling) {
        return Err(LimitError::TooLow { wanted, limit: ceiling });
    }
    if now.soft.is_none_or(|soft| soft >= wanted) {
        return Ok(());
    }
    let hard = now.hard.map(|hard| hard.max(wanted));
    match limits::set_descriptors(Limit { soft: Some(wanted), hard }) {
        Ok(()) => Ok(()),
        Err(_) if now.hard.is_some_and(|hard| hard < wanted) => {
            Err(LimitError::TooLow { wanted, limit: now.hard.unwrap_or_default() })
        }
        Err(why) => Err(LimitError::Refused { wanted, why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_haproxys() {
        let limit = |soft, hard| Limit { soft: Some(soft), hard: Some(hard) };
        // Two threads, two listeners, a stats socket: 28 (show info of 2.6.12).
        let with = |maxconn, nofile, ceiling| Needs { maxconn, nofile, ceiling, others: 28 };
        for (needs, now, maxconn, maxsock, nofile) in [
            (with(Some(5), None, None), limit(20_000, 20_000), 5, 38, 38),
            (with(None, None, None), limit(20_000, 20_000), 9986, 20_000, 20_000),
            (with(None, None, None), limit(1024, 20_000), 9986, 20_000, 20_000), // the hard limit counts
            (with(None, None, Some(300)), limit(20_000, 20_000), 136, 300, 300),
            (with(Some(5000), None, None), limit(1024, 20_000), 5000, 10_028, 10_028),
            (with(Some(5), Some(500), None), limit(20_000, 20_000), 5, 38, 500),
            // 2.6 keeps maxconn 9986 here and warns that it will be trouble.
            (with(None, Some(500), None), limit(20_000, 20_000), 236, 500, 500),
        ] {
            assert_eq!(plan(&needs, now), Plan { maxconn, maxsock, nofile }, "{needs:?}");
        }
        let endless = plan(&with(None, None, None), Limit { soft: Some(1024), hard: None });
        assert_eq!(endless.nofile, ENDLESS);
        let odd = plan(&Needs { others: 17, ..Needs::default() }, limit(256, 4096));
        assert_eq!((odd.maxconn, odd.nofile), (2039, 4095), "what no connection can use is not asked for");
        let huge = plan(&with(Some(u32::MAX), None, None), limit(1, 1));
        assert_eq!(huge.maxsock, 2 * u64::from(u32::MAX) + 28);
    }

    #[test]
    fn what_cannot_be_had_is_said_and_shrinks() {
        let needs = Needs { maxconn: Some(u32::MAX), others: 20, ..Needs::default() };
        let now = limits::descriptors();
        let planned = plan(&needs, now);
        let limit = match apply(&planned, &needs, now) {
            Err(LimitError::TooLow { wanted, limit }) if wanted == planned.nofile => limit,
            Err(LimitError::Refused { .. }) => return, // no hard limit at all: the kernel's own is in the way
            other => panic!("{other:?}"),
        };
        let left = shrink(&planned, &needs, limit);
        assert_eq!(u64::from(left.maxconn), (limit - 20) / 2);
        let ceiling = Needs { maxconn: Some(200), ceiling: Some(300), others: 17, ..Needs::default() };
        let refused = apply(&plan(&ceiling, now), &ceiling, now);
        assert!(matches!(refused, Err(LimitError::TooLow { wanted: 417, limit: 300 })), "{refused:?}");
    }
}
