//! `stats …` of proxies: the statistics page. `stats socket` and its companions stand in [`super::global`].
//!
//! Any `stats` word but `http-request` makes the page exist, as haproxy does. Source: manual §4.2 "stats enable".

use super::args::Args;
use super::conditions;
use super::draft::ProxyDraft;
use super::error::{LowerError, Lowered};
use crate::expr::{Arg, Fetch, Known, Place, Test};
use crate::grammar::SectionKind;
use crate::ir::{StatsAdmin, StatsAuth, StatsPage, StatsRule, StatsScope, StatsVerdict, Userlist};
use crate::text::{Diagnostic, Span};

/// The realm of a page of which none is said.
const REALM: &str = "HAProxy Statistics";

/// A statistics page as far as it was said.
#[derive(Debug, Clone)]
pub struct StatsDraft {
    /// The page.
    pub page: StatsPage,
    /// The first line that said something of it.
    pub span: Span,
}

/// The page of this section, made now if it was not. The first `stats` line of a proxy drops all that its defaults say of
/// a page, accounts included: what a proxy inherits it inherits whole or not at all. Defaults add to those they are from.
fn page<'p>(proxy: &'p mut ProxyDraft, args: &Args<'_>) -> &'p mut StatsPage {
    let span = args.span();
    if proxy.kind != SectionKind::Defaults && !std::mem::replace(&mut proxy.own_stats, true) {
        proxy.set.stats = None;
    }
    let fresh = || {
        let page = StatsPage { uri: "/haproxy?stats".to_owned(), realm: REALM.to_owned(), ..StatsPage::default() };
        Box::new(StatsDraft { page, span })
    };
    &mut proxy.set.stats.get_or_insert_with(fresh).page
}

/// `stats enable`.
pub fn enable(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    page(proxy, args);
    Ok(())
}

/// `stats uri <prefix>`.
pub fn uri(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    page(proxy, args).uri = args.string("the beginning of a URI")?;
    Ok(())
}

/// `stats realm <text>`.
pub fn realm(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    page(proxy, args).realm = args.string("a realm")?;
    Ok(())
}

/// `stats auth <user>:<password>`: several; the first line of a user wins, with a warning.
pub fn auth(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'user:password'")?;
    let text = word.text();
    let (user, password) = text.split_once(':').unwrap_or((&text, ""));
    if page(proxy, args).auth.iter().any(|known| known.user == user) {
        let message = format!("user '{user}' has an account on this page already: this one is ignored");
        args.say(Diagnostic::warning(word.span, message).resolved());
        return Ok(());
    }
    let account = StatsAuth { user: user.to_owned(), password: password.to_owned() };
    page(proxy, args).auth.push(account);
    Ok(())
}

/// `stats hide-version`.
pub fn hide_version(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    page(proxy, args).hide_version = true;
    Ok(())
}

/// `stats show-version` (since 3.4): the opposite of `stats hide-version`.
pub fn show_version(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    page(proxy, args).hide_version = false;
    Ok(())
}

/// `stats refresh <time>`, a bare number counts in seconds; 0: no refresh.
pub fn refresh(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let seconds = args.seconds()?;
    page(proxy, args).refresh = Some(seconds).filter(|seconds| *seconds > 0);
    Ok(())
}

/// `stats scope { <proxy> | . }`: several; a name that is no proxy shows nothing.
pub fn scope(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let name = args.string("the name of a proxy, or '.'")?;
    let scope = if name == "." { StatsScope::Own } else { StatsScope::Proxy(name) };
    page(proxy, args).scope.push(scope);
    Ok(())
}

/// `stats show-desc [text]`: without a text, the description of `global`.
pub fn show_desc(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let text = args.rest().join(" ");
    if text.is_empty() && !args.described {
        let warning = Diagnostic::warning(args.span(), "'stats show-desc' has no text, nor has 'global' a description");
        args.say(warning.hint("say 'description' in a 'global' section above, or give a text"));
    }
    page(proxy, args).show_desc = Some(Some(text).filter(|text| !text.is_empty()));
    Ok(())
}

/// `stats show-legends`.
pub fn show_legends(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    page(proxy, args).show_legends = true;
    Ok(())
}

/// `stats show-node [name]`: without a name, the node of `global` or the host's name.
pub fn show_node(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let name = match args.next_word().filter(|word| !word.bytes.is_empty()) {
        None => None,
        Some(word) => {
            let wrong = word.bytes.iter().find(|byte| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte));
            if let Some(byte) = wrong {
                return Err(word.blame(LowerError::Name { text: word.text(), byte: *byte }));
            }
            Some(word.text())
        }
    };
    page(proxy, args).show_node = Some(name);
    Ok(())
}

/// `stats admin { if | unless } <condition>`: the predefined ACLs that name everybody, nobody or this host.
pub fn admin(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let how = args.word("'if' or 'unless' and a condition")?;
    let positive = match how.bytes {
        b"if" => true,
        b"unless" => false,
        _ => return Err(how.blame(LowerError::Choice { text: how.text(), choices: &["if", "unless"] })),
    };
    let acl = args.word("a condition")?;
    let admin = match (acl.bytes, positive) {
        (b"TRUE", true) | (b"FALSE", false) => StatsAdmin::Always,
        (b"TRUE", false) | (b"FALSE", true) => StatsAdmin::Never,
        (b"LOCALHOST", true) => StatsAdmin::Localhost,
        _ => return Err(acl.blame(LowerError::NotYet { what: format!("'stats admin' under '{}'", acl.text()) })),
    };
    if let Some(more) = args.next_word() {
        return Err(more.blame(LowerError::NotYet { what: "'stats admin' under several conditions".to_owned() }));
    }
    page(proxy, args).admin = admin;
    Ok(())
}

/// `stats http-request { allow | deny | auth [realm <text>] } [if|unless <condition>]`: who sees the page. It makes none.
pub fn http_request(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("what is to be done: 'allow', 'deny' or 'auth'")?;
    let verdict = match word.bytes {
        b"allow" => StatsVerdict::Allow,
        b"deny" => StatsVerdict::Deny,
        b"auth" if args.take("realm") => StatsVerdict::Auth(Some(args.string("a realm")?)),
        b"auth" => StatsVerdict::Auth(None),
        _ => {
            let what = format!("'stats http-request {}'", word.text());
            return conditions::unbuilt(proxy, Err(word.blame(LowerError::NotYet { what })));
        }
    };
    let when = conditions::rest(proxy, args, Place::FrontendHttpRequest)?;
    if let Some(fetch) = when.as_ref().and_then(super::rules::http::unanswered) {
        let what = format!("the fetch '{fetch}' in the condition of a page");
        return conditions::unbuilt(proxy, Err(args.blame_keyword(LowerError::NotYet { what })));
    }
    if proxy.stats_rules.last().is_some_and(|(rule, _)| rule.when.is_none()) {
        let message = "the 'stats http-request' above has no condition: this one is never looked at";
        args.say(Diagnostic::warning(args.span(), message));
    }
    proxy.stats_rules.push((StatsRule { verdict, when }, args.span()));
    Ok(())
}

/// What is judged when everything is read: rules on a page that has accounts of its own, and the user lists that they name.
pub(super) fn judge(proxies: &[ProxyDraft], userlists: &[Userlist], said: &mut Vec<Diagnostic>) {
    for proxy in proxies {
        let page = proxy.set.stats.as_ref().map(|stats| &stats.page);
        let accounts = page.is_some_and(|page| !page.auth.is_empty() || page.realm != REALM);
        if let (Some((_, span)), true) = (proxy.stats_rules.first(), accounts) {
            let message = "'stats http-request' and 'stats auth' or 'stats realm' exclude each other";
            said.push(Diagnostic::alert(*span, message).resolved());
        }
        for (rule, span) in &proxy.stats_rules {
            for test in rule.when.iter().flat_map(|when| when.tests()) {
                said.extend(login(test, *span, userlists));
            }
        }
    }
}

/// What is wrong with a test of a user or of a user's groups.
fn login(test: &Test, span: Span, userlists: &[Userlist]) -> Option<Diagnostic> {
    let Fetch::Known(fetch @ (Known::HttpAuth | Known::HttpAuthGroup), arguments) = test.expr.fetch() else {
        return None;
    };
    let Some(Arg::Str(name)) = arguments.first() else { return None };
    let Some(list) = userlists.iter().find(|list| list.name.as_bytes() == &**name) else {
        return Some(Diagnostic::alert(span, format!("there is no userlist '{}'", String::from_utf8_lossy(name))));
    };
    if *fetch == Known::HttpAuth {
        return None;
    }
    let sets: Vec<_> = test.patterns.views().iter().map(|view| view.set()).collect();
    let mut groups = sets.iter().flat_map(|set| set.keys()).peekable();
    let message = match groups.peek() {
        None => "'http_auth_group' needs the groups that it asks for".to_owned(),
        Some(_) => {
            let known = |group: &&[u8]| list.groups.iter().any(|known| known.as_bytes() == *group);
            let group = groups.find(|group| !known(group))?;
            format!("userlist '{}' has no group '{}'", list.name, String::from_utf8_lossy(group))
        }
    };
    Some(Diagnostic::alert(span, message).resolved())
}
