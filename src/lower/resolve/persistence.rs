//! What balancing goes by and what brings sessions back to their servers: names looked up, the key of balancing compiled.
//!
//! Source: manual §4.2; that haproxy judges keys, servers and tables when it has read everything was asked of 2.6.

use std::sync::Arc;

use super::called;
use super::rules::{Names, complain, when};
use crate::expr::pattern::Lists;
use crate::expr::{Context, Expr, Place, Wrong};
use crate::ir::{Balance, Choice, Persistence, Proxy, ServerIx, UseServer};
use crate::lower::draft::{KeyDraft, ProxyDraft, is_backend};
use crate::lower::error::LowerError;
use crate::lower::persistence::{ChoiceDraft, PersistenceDraft, UseServerDraft};
use crate::lower::section::Sections;
use crate::text::{Diagnostic, World};

/// What was found for a proxy.
pub(super) struct Kept {
    at: usize,
    key: Option<Arc<Expr>>,
    persistence: Option<Arc<Persistence>>,
}

/// Looks up what a proxy says. Names that stand for nothing are alerts.
pub(super) fn resolve(
    sections: &mut Sections,
    at: usize,
    world: &dyn World,
    lists: &Lists,
    said: &mut Vec<Diagnostic>,
) -> Kept {
    let draft = std::mem::take(&mut sections.proxies[at].set.persistence);
    let names = Names { sections, at };
    if !is_backend(sections.proxies[at].kind) {
        return Kept { at, key: None, persistence: None };
    }
    let context = Context { place: Place::UseServer, strict: true, world, lists };
    let key = key(&names, &context, said).map(Arc::new);
    Kept { at, key, persistence: persistence(draft, &names, &context, said).map(Arc::new) }
}

/// Puts what was found into the proxies.
pub(super) fn put(kept: Vec<Kept>, proxies: &mut [Proxy]) {
    for Kept { at, key, persistence } in kept {
        if let Some(back) = proxies.get_mut(at).and_then(|proxy| proxy.backend.as_mut()) {
            (back.key, back.persistence) = (key, persistence);
        }
    }
}

/// The key of `balance hash` and `rdp-cookie`.
fn key(names: &Names<'_>, context: &Context<'_>, said: &mut Vec<Diagnostic>) -> Option<Expr> {
    let set = &own(names).set;
    let keyed = matches!(set.balance, Some(Balance::Hash | Balance::RdpCookie));
    let key = set.key.as_ref().filter(|_| keyed)?;
    if let Some(span) = set.wt6 {
        let error = LowerError::NotYet { what: "the hash function 'wt6'".to_owned() };
        said.push(Diagnostic::alert(span, error.to_string()));
    }
    compiled(key, "balances by", names, context, said)
}

fn compiled(
    draft: &KeyDraft,
    verb: &str,
    names: &Names<'_>,
    context: &Context<'_>,
    said: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    match Expr::parse(&draft.text, context) {
        Ok(mut expr) => {
            complain(expr.resolve(names), draft.span, names, said);
            Some(expr)
        }
        Err(why) => {
            let text = match &why.why {
                Wrong::NotBuilt { what } => LowerError::NotYet { what: what.clone() }.to_string(),
                _ => format!("{} {verb} an expression that is none: {why}", called(own(names))),
            };
            said.push(Diagnostic::alert(draft.span, text));
            None
        }
    }
}

fn persistence(
    draft: PersistenceDraft,
    names: &Names<'_>,
    context: &Context<'_>,
    said: &mut Vec<Diagnostic>,
) -> Option<Persistence> {
    let PersistenceDraft { force, use_server, cookie, always } = draft;
    if force.is_empty() && use_server.is_empty() && cookie.is_none() {
        return None; // `option persist` alone changes nothing
    }
    let mut forces = Vec::with_capacity(force.len());
    for (mut force, span) in force {
        complain(force.when.resolve(names), span, names, said);
        forces.push(force);
    }
    let use_server = use_server.into_iter().filter_map(|rule| choice(rule, names, said)).collect();
    let cookie = cookie.and_then(|cookie| compiled(&cookie, "keeps servers by", names, context, said));
    Some(Persistence { force: forces, use_server, cookie, always })
}

/// One `use-server` line.
fn choice(draft: UseServerDraft, names: &Names<'_>, said: &mut Vec<Diagnostic>) -> Option<UseServer> {
    let UseServerDraft { server, when: condition, span } = draft;
    let mut condition = Some(condition);
    when(&mut condition, span, names, said);
    let server = match server {
        ChoiceDraft::Server(named) => {
            let servers = &own(names).servers;
            let Some(server) = servers.iter().position(|server| server.name == named.name) else {
                let message = format!("{}: there is no server '{}'", called(own(names)), named.name);
                said.push(Diagnostic::alert(named.span, message).resolved());
                return None;
            };
            Choice::Server(ServerIx(u32::try_from(server).ok()?))
        }
        ChoiceDraft::Named(mut template) => {
            complain(template.resolve(names), span, names, said);
            Choice::Named(template)
        }
    };
    Some(UseServer { server, when: condition? })
}

/// The proxy that is looked at.
fn own<'s>(names: &Names<'s>) -> &'s ProxyDraft {
    &names.sections.proxies[names.at]
}
