//! From drafts to the IR: defaults folded, ids given, names looked up, and what only the whole can tell judged.
//!
//! Runs only when reading was clean. Messages come proxy by proxy, as haproxy gives them. Source: asked of 2.6.

mod bandwidth;
mod formats;
mod identity;
mod persistence;
mod proxies;
mod refused;
mod rule_lints;
mod rules;
mod servers;

use super::Choices;
use super::draft::ProxyDraft;
use super::section::Sections;
use super::statement::Reading;
use crate::ir::{Config, Formats, Rules};
use crate::text::{Diagnostic, World};

pub(super) use identity::check as check_ids;

/// Builds the configuration; it means something only if no alert is said.
pub(super) fn resolve(
    reading: Reading,
    files: Vec<String>,
    choices: Choices,
    world: &mut dyn World,
    said: &mut Vec<Diagnostic>,
) -> Config {
    let Reading { mut global, mut sections, rings, resolvers, userlists, lists, peers, .. } = reading;
    sections.of_peers = peers.tables;
    crate::lower::ring::judge(&mut global.ir, &rings, said);
    sections.rings = global.ir.rings.iter().map(|ring| ring.name.clone()).collect();
    crate::lower::resolvers::judge(&mut global.ir, &resolvers, world, said);
    global.ir.userlists = crate::lower::userlist::judge(userlists, said);
    crate::lower::stats::judge(&sections.proxies, &global.ir.userlists, said);
    crate::lower::program::judge(&global.ir, choices.master, said);
    if let (None, Some(processes)) = (global.ir.nbthread, global.nbproc) {
        global.ir.nbthread = Some(processes);
    }
    let threads = global.ir.nbthread.map_or_else(|| world.processors(), usize::from);
    let lines = sections.proxies.iter().flat_map(|proxy| &proxy.threads).chain(&global.threads);
    crate::lower::threads::judge(lines, threads, said);
    crate::lower::tables::number(&mut sections, &global.ir, said);
    let own = world.env("HAPROXY_LOCALPEER").unwrap_or_default();
    crate::lower::peers::complete(&mut global.ir, &String::from_utf8_lossy(&own), said);
    identity::give(&mut sections.proxies, sections.statistics);
    for defaults in &mut sections.defaults {
        crate::lower::acls::link(&mut defaults.draft, said);
    }
    let mut tracked = servers::Tracked::default();
    let mut proxies = Vec::with_capacity(sections.proxies.len());
    let references = judged_refused(&sections, true, said);
    let mut formats = Vec::with_capacity(sections.proxies.len());
    let mut kept = Vec::with_capacity(sections.proxies.len());
    for (at, reference) in references.iter().enumerate() {
        let mut compiled = Formats::default();
        let mut resolved = Rules::default();
        if !sections.proxies[at].set.disabled {
            proxies::judge(&sections, at, *reference, said);
            crate::lower::checks::external::judge(&sections.proxies[at], &global.ir, said);
            crate::lower::acls::link(&mut sections.proxies[at], said);
            let names = rules::Names { sections: &sections, at };
            compiled = formats::compile(&names, (&*world, &lists), said);
            crate::lower::acls::complete(&mut sections.proxies[at]);
            resolved = rules::resolve(&mut sections, at, &global.ir.resolvers, said);
            kept.push(persistence::resolve(&mut sections, at, world, &lists, said));
            servers::judge(&sections, at, &mut tracked, said);
            servers::look_up_resolvers(&mut sections.proxies[at], &global.ir.resolvers, said);
        }
        formats.push((compiled, resolved));
    }
    crate::lower::states::recall(&global, &mut sections.proxies, world, said);
    servers::addresses(&mut sections.proxies, choices, world, said);
    let defaults = sections.defaults.iter().map(|defaults| defaults.draft.reserved);
    global.ir.reserved = sections.proxies.iter().map(|proxy| proxy.reserved).chain(defaults).sum();
    global.ir.guids = crate::lower::guids::collect(&sections.proxies, said);
    global.ir.preloaded = crate::lower::guids::recall(global.stats_file.as_ref(), &global.ir.guids, world, said);
    if choices.remarks {
        let rules = formats.iter().map(|(_, rules)| rules);
        let leads = references.iter().zip(rules).map(|(reference, rules)| rules.backends(reference.target()));
        crate::lower::lints::judge(&global.ir, &sections, &leads.collect::<Vec<_>>(), said);
    }
    let mut tables = crate::lower::tables::collect(&mut sections, said);
    let keeps_headers = sections.keeps_headers.get();
    let Sections { proxies: drafts, .. } = sections;
    for ((at, draft), formats) in drafts.into_iter().enumerate().zip(formats) {
        let (formats, rules) = formats;
        let mut proxy = proxies::fold(draft, references[at], formats, rules);
        tracked.put(at, &mut proxy);
        proxies.push(proxy);
    }
    persistence::put(kept, &mut proxies, &mut tables, said);
    Config { global: global.ir, proxies, tables, files, lists: lists.all(), keeps_headers }
}

/// Says which words are not built, for a reading that was not clean.
pub(super) fn judge_refused(sections: &Sections, said: &mut Vec<Diagnostic>) {
    judged_refused(sections, false, said);
}

/// Says which words are not built: also when reading was not clean, for all of it is to be said in one run.
fn judged_refused(sections: &Sections, clean: bool, said: &mut Vec<Diagnostic>) -> Vec<proxies::Reference> {
    let references: Vec<_> = (0..sections.proxies.len()).map(|at| proxies::backend_of(sections, at)).collect();
    refused::judge(sections, &references, clean, said);
    references
}

/// `'name'` with the word for its section, as messages call a proxy.
fn called(draft: &ProxyDraft) -> String {
    format!("{} '{}'", draft.kind.keyword(), draft.name)
}
