//! What balancing goes by and what brings sessions back to their servers: names looked up, the key of balancing compiled.
//!
//! Source: manual §4.2; that haproxy judges keys, servers and tables when it has read everything was asked of 2.6.

use std::sync::Arc;

use super::called;
use super::rules::{Names, complain, when};
use crate::expr::pattern::Lists;
use crate::expr::{Context, Expr, Place, Resolve, Wrong};
use crate::ir::table::{Datum, Table, TableIx};
use crate::ir::{Balance, Choice, Persistence, Proxy, ServerIx, Stick, UseServer};
use crate::lower::draft::{KeyDraft, ProxyDraft, is_backend};
use crate::lower::error::LowerError;
use crate::lower::persistence::{ChoiceDraft, PersistenceDraft, StickDraft, Sticking, UseServerDraft};
use crate::lower::section::Sections;
use crate::text::{Diagnostic, Span, World};

/// What was found for a proxy.
pub(super) struct Kept {
    at: usize,
    key: Option<Arc<Expr>>,
    /// With the `stick` lines, as [`Persistence::sticks`] has them.
    persistence: Option<(Persistence, Vec<Span>)>,
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
    Kept { at, key, persistence: persistence(draft, &names, &context, said) }
}

/// Puts what was found into the proxies. Tables learn what they are to store for `stick` lines; one that cannot have the keys of
/// such a line is an alert.
pub(super) fn put(kept: Vec<Kept>, proxies: &mut [Proxy], tables: &mut [Table], said: &mut Vec<Diagnostic>) {
    for Kept { at, key, persistence } in kept {
        for (stick, span) in persistence.iter().flat_map(|(rules, spans)| rules.sticks().zip(spans)) {
            let Some(table) = tables.get_mut(stick.table.0 as usize) else { continue };
            table.store_also(Datum::ServerId);
            table.store_also(Datum::ServerKey);
            if !table.takes(stick.key.gives()) {
                let (of, kind) = (stick.key.gives().name(), table.kind.name());
                let message = format!(
                    "the expression is of the type {of}, the keys of table '{}' of the type {kind}",
                    table.name
                );
                said.push(Diagnostic::alert(*span, message).resolved());
            }
        }
        let persistence = persistence.map(|(rules, _)| Arc::new(rules));
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
) -> Option<(Persistence, Vec<Span>)> {
    let PersistenceDraft { force, use_server, cookie, stick } = draft;
    if force.is_empty() && use_server.is_empty() && cookie.is_none() && stick.is_empty() {
        return None;
    }
    let mut forces = Vec::with_capacity(force.len());
    for (mut force, span) in force {
        complain(force.when.resolve(names), span, names, said);
        forces.push(force);
    }
    let use_server = use_server.into_iter().filter_map(|rule| choice(rule, names, said)).collect();
    let cookie = cookie.and_then(|cookie| compiled(&cookie, "keeps servers by", names, context, said));
    let (mut on_request, mut on_response) = (Vec::new(), Vec::new());
    for draft in stick {
        let (of, span) = (draft.what, draft.span);
        let list = if of == Sticking::StoreResponse { &mut on_response } else { &mut on_request };
        list.extend(sticking(draft, names, said).map(|stick| (stick, span)));
    }
    let spans = on_request.iter().chain(&on_response).map(|(_, span)| *span).collect();
    let stick = on_request.into_iter().map(|(stick, _)| stick).collect();
    let store_response = on_response.into_iter().map(|(stick, _)| stick).collect();
    Some((Persistence { force: forces, use_server, cookie, stick, store_response }, spans))
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

/// One `stick` line.
fn sticking(draft: StickDraft, names: &Names<'_>, said: &mut Vec<Diagnostic>) -> Option<Stick> {
    let StickDraft { what, mut key, table, when: mut condition, span } = draft;
    complain(key.resolve(names), span, names, said);
    when(&mut condition, span, names, said);
    let name = table.as_ref().map_or("", |table| table.name.as_str());
    let Some(found) = names.table(name) else {
        let blamed = table.as_ref().map_or(span, |table| table.span);
        let shown = if name.is_empty() { own(names).name.as_str() } else { name };
        let message = format!("{}: there is no stick table '{shown}'", called(own(names)));
        said.push(Diagnostic::alert(blamed, message).resolved().hint("a table is a 'stick-table' line of a proxy"));
        return None;
    };
    let matches = matches!(what, Sticking::Match | Sticking::On);
    Some(Stick { key, table: TableIx(found), when: condition, matches, stores: what != Sticking::Match })
}

/// The proxy that is looked at.
fn own<'s>(names: &Names<'s>) -> &'s ProxyDraft {
    &names.sections.proxies[names.at]
}
