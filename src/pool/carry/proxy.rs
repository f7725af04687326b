//! The lines of the process, of frontends and of backends.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

use super::super::rebalance::RebalanceLine;
use super::super::{Limited, Pool, rates};
use super::Tally;
use crate::ir::ProxyIx;
use crate::units::Tick;

/// The process's limit on connections.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ProcessLine {
    /// As planned from the configuration.
    maxconn: u32,
    /// By order, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maxconn_now: Option<u32>,
    /// Limits on rates, in the order of [`Limited::ALL`]: of the configuration, and those in force where they are others.
    #[serde(default)]
    rates: [u32; Limited::ALL.len()],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rates_now: Option<[u32; Limited::ALL.len()]>,
}

/// A frontend.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FrontLine<'a> {
    #[serde(borrow)]
    pub(super) proxy: Cow<'a, str>,
    /// As the configuration has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maxconn: Option<u32>,
    /// By order, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maxconn_now: Option<u32>,
    /// `disabled` in the configuration.
    #[serde(default)]
    disabled: bool,
    /// By order.
    #[serde(default)]
    paused: bool,
    /// Nobody is let in: the limit is 0 by order.
    #[serde(default)]
    barred: bool,
    /// For good, by the configuration or by order.
    #[serde(default)]
    stopped: bool,
}

/// A backend.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BackLine<'a> {
    #[serde(borrow)]
    pub(super) proxy: Cow<'a, str>,
    /// Whether it had a usable server.
    pub(super) up: bool,
    /// Moments and times in milliseconds.
    pub(super) changed: u64,
    #[serde(default)]
    pub(super) downs: u32,
    #[serde(default)]
    pub(super) downtime: u64,
    /// What was ordered for its long sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rebalance: Option<RebalanceLine>,
}

impl Pool {
    pub(super) fn process_line(&self) -> ProcessLine {
        let maxconn = self.config.global.maxconn.unwrap_or(0);
        let now = self.process.maxconn.load(Relaxed);
        let rates = Limited::ALL.map(|(of, _)| rates::configured(&self.config.global, of));
        let rates_now = Some(Limited::ALL.map(|(of, _)| self.process.rates.get(of))).filter(|now| *now != rates);
        ProcessLine { maxconn, maxconn_now: Some(now).filter(|now| *now != maxconn), rates, rates_now }
    }

    pub(super) fn front_line(&self, ix: ProxyIx) -> Option<FrontLine<'_>> {
        let proxy = self.config.proxies.get(ix.0 as usize)?;
        let (line, state) = (proxy.frontend.as_ref()?, self.front(ix)?);
        let planned = line.maxconn.unwrap_or_else(|| self.process.hard_maxconn.load(Relaxed));
        Some(FrontLine {
            proxy: proxy.name.as_str().into(),
            maxconn: line.maxconn,
            maxconn_now: Some(state.maxconn.load(Relaxed)).filter(|now| *now != planned),
            disabled: proxy.disabled,
            paused: state.paused.load(Relaxed),
            barred: state.barred.load(Relaxed),
            stopped: state.stopped.load(Relaxed),
        })
    }

    pub(super) fn back_line(&self, ix: ProxyIx, now: Tick) -> Option<BackLine<'_>> {
        let proxy = self.config.proxies.get(ix.0 as usize)?;
        let rebalance = self.rebalance_line(ix);
        let core = self.back(ix)?.lock();
        Some(BackLine {
            proxy: proxy.name.as_str().into(),
            up: core.is_up(),
            changed: core.changed.min(now).millis(),
            downs: core.downs,
            downtime: core.downtime,
            rebalance,
        })
    }

    pub(super) fn take_process(&self, line: &ProcessLine, tally: &mut Tally) {
        for ((of, word), (was, now)) in
            Limited::ALL.into_iter().zip(line.rates.into_iter().zip(line.rates_now.unwrap_or(line.rates)))
        {
            let planned = rates::configured(&self.config.global, of);
            if was == planned {
                self.process.rates.set(of, now);
            } else if was != now {
                tally.file_wins("global".into(), word, now, planned);
            }
        }
        let Some(now) = line.maxconn_now else { return };
        let planned = self.config.global.maxconn.unwrap_or(0);
        if line.maxconn == planned {
            self.process.maxconn.store(now.min(planned), Relaxed); // descriptors are there for no more
        } else {
            tally.file_wins("global".into(), "maxconn", now, planned);
        }
    }

    pub(super) fn take_front(&self, ix: ProxyIx, line: &FrontLine<'_>, tally: &mut Tally) {
        let Some(proxy) = self.config.proxies.get(ix.0 as usize) else { return };
        let (Some(front), Some(state)) = (&proxy.frontend, self.front(ix)) else { return };
        if line.maxconn == front.maxconn {
            state.barred.store(line.barred, Relaxed);
        } else if line.barred {
            tally.file_wins(proxy.name.clone(), "maxconn", 0, state.maxconn.load(Relaxed));
        }
        if let Some(now) = line.maxconn_now {
            if line.maxconn == front.maxconn {
                state.maxconn.store(now, Relaxed);
            } else {
                let planned = state.maxconn.load(Relaxed);
                tally.file_wins(proxy.name.clone(), "maxconn", now, planned);
            }
        }
        if line.disabled == proxy.disabled {
            state.paused.store(line.paused, Relaxed);
            state.stopped.store(line.stopped || proxy.disabled, Relaxed);
        }
    }
}
