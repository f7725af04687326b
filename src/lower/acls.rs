//! The ACLs of a section: which lines name them, and what their lines below a rule add to it.
//!
//! All lines of a name are one ACL, wherever they stand in the section; those of `defaults` act in the rules of these defaults and
//! are unknown elsewhere. Source: configuration manual §4.2 "acl"; that lines below count was asked of 2.6.12.

use super::draft::{ProxyDraft, Settings};
use crate::expr::{Acls, Condition};
use crate::text::Diagnostic;

/// Links the ACLs of a section that name others.
pub(super) fn link(proxy: &mut ProxyDraft, said: &mut Vec<Diagnostic>) {
    for (span, why) in proxy.set.acls.link() {
        let message = format!("{} '{}': {why}", proxy.kind.keyword(), proxy.name);
        said.push(Diagnostic::alert(span, message));
    }
}

/// Gives the conditions of a section what the ACL lines below them say.
pub(super) fn complete(proxy: &mut ProxyDraft) {
    let acls = close(&mut proxy.set);
    let rules = proxy.stats_rules.iter_mut().filter_map(|(rule, _)| rule.when.as_mut());
    rules.for_each(|when| when.complete(&acls));
    proxy.set.acls = acls;
}

/// What a section takes of its defaults: their rules as they are meant there, and none of their ACLs.
pub(super) fn handed(defaults: &Settings) -> Settings {
    let mut set = defaults.clone();
    // What is wrong is told once, of the defaults themselves.
    let _ = set.acls.link();
    close(&mut set);
    set
}

/// Completes the conditions of settings, and takes their ACLs out.
fn close(set: &mut Settings) -> Acls {
    let acls = std::mem::take(&mut set.acls);
    let rules = &mut set.rules;
    let lists = [&mut rules.connection, &mut rules.session, &mut rules.request, &mut rules.response];
    let of_rules = lists.into_iter().flatten().filter_map(|rule| rule.when.as_mut());
    let switches = rules.switching.iter_mut().filter_map(|switch| switch.when.as_mut());
    let pages = set.http_rules.iter_mut().filter_map(|(rule, _)| rule.when.as_mut());
    let kept = &mut set.persistence;
    let forced = kept.force.iter_mut().map(|(force, _)| &mut force.when);
    let servers = kept.use_server.iter_mut().map(|rule| &mut rule.when);
    let sticks = kept.stick.iter_mut().filter_map(|stick| stick.when.as_mut());
    let all = of_rules.chain(switches).chain(pages).chain(forced).chain(servers).chain(sticks);
    all.for_each(|when: &mut Condition| when.complete(&acls));
    acls
}
