//! Bandwidth limits: their tables are looked up, and the rules that set them find them.

use std::sync::Arc;

use super::called;
use super::rules::{Names, complain, table};
use crate::ir::table::Table;
use crate::ir::{Action, BandwidthLimit, BandwidthRate, Mode, Rule};
use crate::lower::error::LowerError;
use crate::text::Diagnostic;

/// The limits of a proxy. One whose table cannot count for it is an alert.
pub(super) fn resolve(
    limits: Vec<BandwidthLimit>,
    names: &Names<'_>,
    said: &mut Vec<Diagnostic>,
) -> Vec<Arc<BandwidthLimit>> {
    limits.into_iter().map(|limit| Arc::new(resolved(limit, names, said))).collect()
}

fn resolved(mut limit: BandwidthLimit, names: &Names<'_>, said: &mut Vec<Diagnostic>) -> BandwidthLimit {
    let (span, datum, word) = (limit.span, limit.datum(), limit.keyword());
    let own = &names.sections.proxies[names.at];
    if own.set.mode == Mode::Http {
        let what = format!("'filter {word}' in 'mode http'");
        said.push(Diagnostic::alert(span, LowerError::NotYet { what }.to_string()));
    }
    let BandwidthRate::Shared { key, table: of, .. } = &mut limit.rate else { return limit };
    complain(key.resolve(names), span, names, said);
    table(of, span, names, said);
    let Some(found) = of.id.and_then(|id| table_of(id, names)) else { return limit };
    if found.stored(datum).is_none() {
        let message =
            format!("{}: '{word} {}' needs '{}' in table '{}'", called(own), limit.name, datum.name(), found.name);
        let hint = format!("add 'store {}(<period>)' to the table", datum.name());
        said.push(Diagnostic::alert(span, message).resolved().hint(hint));
    }
    if !found.takes(key.gives()) {
        let (of, kind) = (key.gives().name(), found.kind.name());
        let message =
            format!("the expression is of the type {of}, the keys of table '{}' of the type {kind}", found.name);
        said.push(Diagnostic::alert(span, message).resolved());
    }
    limit
}

fn table_of<'n>(id: u32, names: &'n Names<'_>) -> Option<&'n Table> {
    let of_proxies = names.sections.proxies.iter().filter_map(|proxy| proxy.table.as_deref());
    of_proxies.chain(&names.sections.of_peers).find(|draft| draft.ix.0 == id).map(|draft| &draft.table)
}

/// Gives the rules that set a limit the limit. One that is not there, or that cannot be set so, is an alert.
pub(super) fn link(rules: &mut [Rule], limits: &[Arc<BandwidthLimit>], names: &Names<'_>, said: &mut Vec<Diagnostic>) {
    for rule in rules {
        let Action::LimitBandwidth(set) = &mut rule.action else { continue };
        set.filter = limits.iter().find(|limit| limit.name == set.name).cloned();
        let own = called(&names.sections.proxies[names.at]);
        let alert = match &set.filter {
            None => {
                let message = format!("{own}: there is no 'filter bwlim-in {0}' or 'bwlim-out {0}'", set.name);
                Diagnostic::alert(rule.span, message)
            }
            Some(limit)
                if matches!(limit.rate, BandwidthRate::Shared { .. })
                    && (set.limit.is_some() || set.period.is_some()) =>
            {
                let message = format!("{own}: '{}' is shared by key: its limit and its period are not set", set.name);
                Diagnostic::alert(rule.span, message).hint("the table says the period, the 'filter' line the limit")
            }
            Some(_) => continue,
        };
        said.push(alert.resolved());
    }
}
