//! `set-bandwidth-limit`: a limit holds for the session from now on.
//!
//! Source: manual of 3.2 §4.4, §9.7; what it leaves open is in docs/OBSERVED.md.

use std::sync::Arc;

use super::View;
use crate::engine::clock;
use crate::engine::facts::Subject;
use crate::expr::{Side, Type};
use crate::ir::table::TableIx;
use crate::ir::{Amount, BandwidthRate, SetBandwidth};
use crate::pool::bandwidth::Limiter;
use crate::units::Millis;

/// Puts a limit on a session; whether its key may come later. Without a key nothing is changed, and what an expression gives that is
/// no number of bytes or milliseconds is the filter's default.
pub(super) fn limit(set: &SetBandwidth, view: &View<'_>) -> bool {
    let (Some(filter), Subject::Session(session)) = (&set.filter, view.subject) else { return false };
    let mut share = None;
    if let BandwidthRate::Shared { key, table, .. } = &filter.rate {
        let Some(table) = table.id.and_then(|id| view.shard.shared.pool.tables.get(TableIx(id))) else { return false };
        let found = key.evaluate(view);
        if found.may_change() && view.waits {
            return true;
        }
        let key = found.value().and_then(|value| table.ir.key(&value));
        share = key.and_then(|key| table.share(&key, filter.datum(), clock::now()));
        if share.is_none() {
            return false;
        }
    }
    let limit = set.limit.as_ref().and_then(|limit| number(limit, u32::MAX, view));
    let period = set.period.as_ref().and_then(|period| number(period, Millis::MAX.get(), view));
    let limiter = Limiter::new(Arc::clone(filter), (limit, period), share);
    let flow = if filter.side == Side::Request { &session.up } else { &session.down };
    let forwarded = flow.forwarded();
    view.remember(|memory| memory.bandwidth.get_or_insert_default().of(filter.side).set(limiter, forwarded));
    false
}

/// A number from 1 to `most`.
fn number(number: &Amount, most: u32, view: &View<'_>) -> Option<u32> {
    let number = match number {
        Amount::Number(number) => *number,
        Amount::Expr(expr) => u32::try_from(expr.value(view)?.cast(Type::Int)?.int()?).ok()?,
    };
    (1..=most).contains(&number).then_some(number)
}
