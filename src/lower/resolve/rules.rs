//! Rules: the names in them are looked up.

use std::sync::Arc;

use super::called;
use super::proxies::{Reference, look_up, reference_of};
use crate::expr::{Condition, ExprError, NameRef, Resolve, Test};
use crate::ir::{Action, Amount, Count, Destination, ProxyIx, Resolvers, Rule, Rules, Switch};
use crate::lower::draft::{ProxyDraft, is_backend, is_frontend};
use crate::lower::rules::RulesDraft;
use crate::lower::rules::switching::{DestinationDraft, SwitchDraft};
use crate::lower::section::Sections;
use crate::text::{Diagnostic, Span};

/// The names of a configuration, as they are meant in one of its proxies.
pub(super) struct Names<'s> {
    pub(super) sections: &'s Sections,
    pub(super) at: usize,
}

impl Names<'_> {
    fn find(&self, name: &str, wanted: impl Fn(&ProxyDraft) -> bool) -> Option<usize> {
        if name.is_empty() {
            return Some(self.at).filter(|at| wanted(&self.sections.proxies[*at]));
        }
        self.sections.named(name).find(|at| wanted(&self.sections.proxies[*at]))
    }
}

impl Resolve for Names<'_> {
    fn backend(&self, name: &str) -> Option<u32> {
        let found = self.find(name, |proxy| is_backend(proxy.kind))?;
        u32::try_from(found).ok()
    }

    fn frontend(&self, name: &str) -> Option<u32> {
        let found = self.find(name, |proxy| is_frontend(proxy.kind))?;
        u32::try_from(found).ok()
    }

    fn server(&self, backend: Option<&str>, name: &str) -> Option<(u32, u32)> {
        let proxy = self.find(backend.unwrap_or_default(), |proxy| is_backend(proxy.kind))?;
        let server = self.sections.proxies[proxy].servers.iter().position(|server| server.name == name)?;
        Some((u32::try_from(proxy).ok()?, u32::try_from(server).ok()?))
    }

    fn table(&self, name: &str) -> Option<u32> {
        if let Some(found) = self.find(name, |proxy| proxy.table.is_some()) {
            return self.sections.proxies[found].table.as_ref().map(|table| table.ix.0);
        }
        self.sections.of_peers.iter().find(|draft| &*draft.table.name == name).map(|draft| draft.ix.0)
    }

    fn ring(&self, name: &str) -> bool {
        self.sections.rings.iter().any(|ring| ring == name)
    }

    fn acl(&self, name: &[u8]) -> Option<Arc<Vec<Test>>> {
        self.sections.proxies[self.at].set.acls.named(name)
    }

    fn keep_headers(&self) {
        self.sections.keeps_headers.set(true);
    }
}

/// Looks up the names in a proxy's rules, which it takes out of the draft. One whose names stand for nothing is an alert.
pub(super) fn resolve(
    sections: &mut Sections,
    at: usize,
    resolvers: &[Resolvers],
    said: &mut Vec<Diagnostic>,
) -> Rules {
    let set = &mut sections.proxies[at].set;
    let mut draft = std::mem::take(&mut set.rules);
    let mut pages = std::mem::take(&mut set.http_rules);
    let names = Names { sections, at };
    for (rule, span) in &mut pages {
        when(&mut rule.when, *span, &names, said);
    }
    super::rule_lints::judge(&names.sections.proxies[at], &draft, said);
    look_up_resolvers(&mut draft.request, &names, resolvers, said);
    let limits = super::bandwidth::resolve(std::mem::take(&mut draft.limits), &names, said);
    for rules in [&mut draft.request, &mut draft.response] {
        super::bandwidth::link(rules, &limits, &names, said);
    }
    let rules = Rules { limits, ..look_up_all(draft, &names, said) };
    sections.proxies[at].set.http_rules = pages;
    rules
}

fn look_up_all(draft: RulesDraft, names: &Names<'_>, said: &mut Vec<Diagnostic>) -> Rules {
    let mut list =
        |rules: Vec<Rule>| -> Vec<Rule> { rules.into_iter().map(|rule| resolved(rule, names, said)).collect() };
    let connection = list(draft.connection);
    let session = list(draft.session);
    let request = list(draft.request);
    let response = list(draft.response);
    let switching = draft.switching.into_iter().filter_map(|switch| switched(switch, names, said)).collect();
    let (request_delay, response_delay) = (draft.request_delay, draft.response_delay);
    Rules { connection, session, request, request_delay, response, response_delay, switching, limits: Vec::new() }
}

fn resolved(mut rule: Rule, names: &Names<'_>, said: &mut Vec<Diagnostic>) -> Rule {
    let looked_up = match &mut rule.action {
        Action::SetVar(_, _, expr) | Action::SetEnd(_, expr) => expr.resolve(names),
        Action::PriorityClass(expr) | Action::PriorityOffset(expr) => expr.resolve(names),
        Action::Mark(by) | Action::Tos(by) | Action::ServerMark(by) | Action::ServerTos(by) => amount(by, names),
        Action::Retries(by) => amount(by, names),
        Action::SetVarFormat(_, _, template) => template.resolve(names),
        Action::Accept
        | Action::Nothing
        | Action::Reject
        | Action::Close
        | Action::SilentDrop(_)
        | Action::ExpectProxy
        | Action::ExpectNetscaler => Ok(()),
        Action::UnsetVar(_) | Action::LogLevel(_) | Action::Log => Ok(()),
        Action::Capture(capture) => capture.value.resolve(names),
        Action::Resolve(lookup) => lookup.name.resolve(names),
        Action::Track(track) => {
            table(&mut track.table, rule.span, names, said);
            track.key.resolve(names)
        }
        Action::Count(Count { by, .. }) | Action::SetTag(Count { by, .. }) => amount(by, names),
        Action::LimitBandwidth(set) => set.limit.iter_mut().chain(&mut set.period).try_for_each(|by| amount(by, names)),
    };
    complain(looked_up, rule.span, names, said);
    when(&mut rule.when, rule.span, names, said);
    rule
}

fn amount(amount: &mut Amount, names: &Names<'_>) -> Result<(), ExprError> {
    match amount {
        Amount::Expr(expr) => expr.resolve(names),
        Amount::Number(_) => Ok(()),
    }
}

/// Looks up a stick table; without a name it is that of the own proxy.
pub(super) fn table(table: &mut NameRef, span: Span, names: &Names<'_>, said: &mut Vec<Diagnostic>) {
    table.id = names.table(&table.name);
    if table.id.is_none() {
        let proxy = &names.sections.proxies[names.at];
        let name = if table.name.is_empty() { &*proxy.name } else { &*table.name };
        let message = format!("{}: there is no stick table '{name}'", called(proxy));
        said.push(Diagnostic::alert(span, message).resolved());
    }
}

/// Looks up the `resolvers` sections that rules name.
fn look_up_resolvers(rules: &mut [Rule], names: &Names<'_>, resolvers: &[Resolvers], said: &mut Vec<Diagnostic>) {
    for rule in rules {
        let Action::Resolve(lookup) = &mut rule.action else { continue };
        let section = &mut lookup.section;
        section.id = (0..).zip(resolvers).find(|(_, known)| *known.name == *section.name).map(|(at, _)| at);
        if section.id.is_none() {
            let proxy = called(&names.sections.proxies[names.at]);
            let message = format!("{proxy}: there is no 'resolvers {}'", section.name);
            said.push(Diagnostic::alert(rule.span, message).resolved());
        }
    }
}

pub(super) fn when(when: &mut Option<Condition>, span: Span, names: &Names<'_>, said: &mut Vec<Diagnostic>) {
    let looked_up = when.as_mut().map_or(Ok(()), |when| when.resolve(names));
    complain(looked_up, span, names, said);
}

pub(super) fn complain(looked_up: Result<(), ExprError>, span: Span, names: &Names<'_>, said: &mut Vec<Diagnostic>) {
    if let Err(why) = looked_up {
        let message = format!("{}: {why}", called(&names.sections.proxies[names.at]));
        said.push(Diagnostic::alert(span, message).resolved());
    }
}

fn switched(switch: SwitchDraft, names: &Names<'_>, said: &mut Vec<Diagnostic>) -> Option<Switch> {
    let SwitchDraft { to, when: mut condition, span } = switch;
    when(&mut condition, span, names, said);
    let to = match to {
        DestinationDraft::Backend(named) => {
            let reference = look_up(names.sections, names.at, &named);
            reference_of(names.sections, names.at, ("use_backend", &named), reference, said);
            let ix = match reference {
                Reference::To(ix) => ix,
                Reference::Loop | Reference::None | Reference::Unknown => return None,
            };
            Destination::Backend(ProxyIx(u32::try_from(ix).ok()?))
        }
        DestinationDraft::Named(mut template) => {
            complain(template.resolve(names), span, names, said);
            Destination::Named(template)
        }
    };
    Some(Switch { to, when: condition, span })
}
