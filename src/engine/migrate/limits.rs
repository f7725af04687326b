//! The bandwidth limits of a session, in words that mean the same in another process.
//!
//! They are found again by the names of section and filter. A limit that the other configuration does not have, or has in another
//! kind, is dropped; what a rule did not say is as the other configuration has it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::placing::Placing;
use crate::engine::session::Session;
use crate::engine::shared::Shared;
use crate::expr::Side;
use crate::ir::table::TableIx;
use crate::ir::{BandwidthLimit, BandwidthRate};
use crate::pool::bandwidth::{Bandwidth, Limiter, Used};
use crate::pool::tables::{Share, Tables};
use crate::units::{Millis, Tick};

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitState {
    /// The section that declares it.
    pub section: String,
    /// Its name.
    pub name: String,
    /// What a rule has said: bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// What a rule has said: milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u32>,
    /// What was counted: the lower half of the moment when the period began, bytes in it and in the one before.
    pub used: (u32, u32, u32),
    /// The key that it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<u8>>,
}

impl LimitState {
    /// All limits of a session.
    pub(super) fn all(bandwidth: Option<&Bandwidth>) -> Vec<Self> {
        bandwidth.map(|bandwidth| bandwidth.iter().map(Self::of).collect()).unwrap_or_default()
    }

    fn of(limiter: &Limiter) -> Self {
        let (filter, (limit, period)) = (limiter.filter(), limiter.said());
        let Used { start, current, previous } = limiter.used();
        Self {
            section: filter.section.to_string(),
            name: filter.name.to_string(),
            limit,
            period,
            used: (start, current, previous),
            key: limiter.key().map(<[u8]>::to_vec),
        }
    }

    /// A limit of this configuration; `None`: it has none like it.
    fn restore(&self, filter: &Arc<BandwidthLimit>, tables: &Tables, now: Tick) -> Option<Limiter> {
        let share = match &filter.rate {
            BandwidthRate::Own { .. } if self.key.is_none() => None,
            BandwidthRate::Own { .. } => return None,
            BandwidthRate::Shared { table, .. } => Some(self.share(tables, table.id?, filter, now)?),
        };
        let number = |said: Option<u32>, most: u32| said.filter(|said| (1..=most).contains(said));
        let said = (number(self.limit, u32::MAX), number(self.period, Millis::MAX.get()));
        let (start, current, previous) = self.used;
        Some(Limiter::new(Arc::clone(filter), said, share).with(Used { start, current, previous }))
    }

    fn share(&self, tables: &Tables, table: u32, filter: &BandwidthLimit, now: Tick) -> Option<Share> {
        let table = tables.get(TableIx(table))?;
        table.share(&table.ir.key_of_bytes(self.key.as_deref()?)?, filter.datum(), now)
    }
}

impl Session {
    /// Goes on under the limits that another process has put on it; its directions are there.
    pub(super) fn take_up_limits(&mut self, limits: &[LimitState], shared: &Shared, now: Tick) {
        let sections = [self.front_proxy(shared), self.back_proxy(shared)];
        let Some(memory) = &mut self.memory else { return };
        for state in limits {
            let known = sections.iter().filter(|section| section.name == state.section);
            let filter = known.flat_map(|section| &section.rules.limits).find(|limit| *limit.name == *state.name);
            let Some(filter) = filter else { continue };
            let Some(limiter) = state.restore(filter, &shared.pool.tables, now) else { continue };
            let flow = if filter.side == Side::Request { &self.up } else { &self.down };
            memory.bandwidth.get_or_insert_default().of(filter.side).set(limiter, flow.forwarded());
        }
        self.placing.set(Placing::LIMITED, memory.bandwidth.is_some());
    }
}
