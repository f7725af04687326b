//! `stats …` of proxies: the statistics page. `stats socket` and its companions stand in [`super::global`].
//!
//! Any `stats` word but `http-request` makes the page exist, as haproxy does. Source: manual §4.2 "stats enable".

use super::args::Args;
use super::draft::ProxyDraft;
use super::error::{LowerError, Lowered};
use crate::grammar::SectionKind;
use crate::ir::{StatsAdmin, StatsAuth, StatsPage, StatsScope};
use crate::text::{Diagnostic, Span};

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
        let page = StatsPage {
            uri: "/haproxy?stats".to_owned(),
            realm: "HAProxy Statistics".to_owned(),
            ..StatsPage::default()
        };
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
