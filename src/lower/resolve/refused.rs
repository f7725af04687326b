//! Words that this version does not build: an alert where they would act, silence where they would not.

use std::collections::HashSet;

use super::called;
use super::proxies::Reference;
use crate::grammar::{Acts, Row, SectionKind, Support};
use crate::ir::{Balance, Mode};
use crate::lower::draft::{ProxyDraft, RefusedWord, is_backend, is_frontend};
use crate::lower::options_line::what;
use crate::lower::section::Sections;
use crate::text::{Diagnostic, Span};

/// HTTP words that haproxy warns of in a proxy in `mode tcp`.
const WARNED_IN_TCP: [&str; 16] = [
    "cookie",
    "monitor-uri",
    "capture cookie",
    "capture request header",
    "capture response header",
    "http-request",
    "http-response",
    "http-after-response",
    "redirect",
    "option forwardfor",
    "option originalto",
    "option checkcache",
    "option http-buffer-request",
    "option http-no-delay",
    "option http-restrict-req-hdr-names",
    "force-persist",
];

/// Says for every proxy which of its words are not built and act in it.
///
/// After a reading that was not `clean`, nothing is said of a proxy's mode: the line that sets it may be the wrong one.
pub(super) fn judge(sections: &Sections, references: &[Reference], clean: bool, said: &mut Vec<Diagnostic>) {
    let mut blamed: HashSet<Span> = HashSet::new();
    for (at, proxy) in sections.proxies.iter().enumerate() {
        if proxy.set.disabled {
            continue;
        }
        let referenced = references.contains(&Reference::To(at));
        let http = serves_http(proxy, references[at], referenced);
        if http && clean {
            let message = format!("{} is in 'mode http' and does more than serve its statistics page", called(proxy));
            let own = proxy.set.mode_span.filter(|span| span.file == proxy.span.file && span.line > proxy.span.line);
            let alert = Diagnostic::alert(own.unwrap_or(proxy.span), format!("{message}, which this version cannot"));
            said.push(alert.hint("'mode tcp' is built; 'mode http' is not yet, but for the statistics page"));
        }
        for blame in &proxy.set.unbuilt {
            if blamed.insert(blame.span) {
                said.push(blame.clone().alert());
            }
        }
        if proxy.set.mode == Mode::Tcp
            && let Some((_, span)) = proxy.set.http_rules.first()
        {
            let message = format!("'http-request' is ignored: {} is in 'mode tcp'", called(proxy));
            said.push(Diagnostic::warning(*span, message).resolved());
        }
        for word in proxy.set.refused.iter().chain(&proxy.refused) {
            match judge_word(proxy, word, http, clean) {
                Verdict::Silent => {}
                Verdict::Ignored => {
                    let message = format!("'{}' is ignored: {} is in 'mode tcp'", word.row.keyword, called(proxy));
                    said.push(Diagnostic::warning(word.span, message).resolved());
                }
                Verdict::Misplaced => {
                    let message =
                        format!("'{}' is for 'mode http': {} is in 'mode tcp'", word.row.keyword, called(proxy));
                    said.push(Diagnostic::alert(word.span, message).resolved());
                }
                Verdict::Refused => {
                    if blamed.insert(word.span) {
                        said.push(alert(proxy, word));
                    }
                }
            }
        }
    }
}

enum Verdict {
    Silent,
    Ignored,
    /// An alert of haproxy's too: the only one of its HTTP words that it does not pass over in silence or with a warning.
    Misplaced,
    Refused,
}

fn judge_word(proxy: &ProxyDraft, word: &RefusedWord, http: bool, clean: bool) -> Verdict {
    let Support::Refused { acts, .. } = word.row.support else { return Verdict::Silent };
    match acts {
        Acts::Always if reaches(proxy, word.row) => Verdict::Refused,
        // a proxy that serves HTTP is refused as a whole: its HTTP words need no alert of their own
        // these change what a statistics page answers, or to whom
        Acts::InModeHttp if proxy.set.mode == Mode::Http && !http => Verdict::Refused,
        Acts::InHttp | Acts::InModeHttp if proxy.set.mode == Mode::Tcp && WARNED_IN_TCP.contains(&word.row.keyword) => {
            Verdict::Ignored
        }
        Acts::InHttp if clean && proxy.set.mode == Mode::Tcp && word.row.keyword == "redir" => Verdict::Misplaced,
        _ => Verdict::Silent,
    }
}

/// Whether a word can act in a proxy as it is: one of the server side needs a server, a kind of check a checked one.
fn reaches(proxy: &ProxyDraft, row: &Row) -> bool {
    let front = is_frontend(proxy.kind) && row.places.has(SectionKind::Frontend.bit());
    let back = is_backend(proxy.kind) && row.places.has(SectionKind::Backend.bit()) && serves(proxy, row.keyword);
    let of_server = row.kind == crate::grammar::Kind::Server;
    front || back || of_server || row.places.has(SectionKind::Listen.bit()) && !in_defaults(row)
}

/// Whether a word of the server side finds there what it acts on.
fn serves(proxy: &ProxyDraft, keyword: &str) -> bool {
    let kind_of_check = keyword.starts_with("option ") && (keyword.ends_with("-check") || keyword.ends_with("chk"));
    match keyword {
        // goes where the client wanted to go: needs no server
        "option transparent" | "transparent" => true,
        "hash-type" | "hash-balance-factor" | "hash-key" | "hash-preserve-affinity" => {
            !proxy.servers.is_empty() && proxy.set.balance.is_some_and(Balance::is_keyed)
        }
        _ if kind_of_check => proxy.servers.iter().any(|server| server.check.is_some()),
        _ => !proxy.servers.is_empty(),
    }
}

/// Whether a word may stand in defaults: one that may not was said in the proxy itself and acts there.
fn in_defaults(row: &Row) -> bool {
    row.places.has(SectionKind::Defaults.bit())
}

/// Whether a proxy in `mode http` does more than serve its own statistics page and its services.
fn serves_http(proxy: &ProxyDraft, reference: Reference, referenced: bool) -> bool {
    if proxy.set.mode != Mode::Http {
        return false;
    }
    let page = proxy.set.stats.is_some() || !proxy.set.http_rules.is_empty();
    let forwards = !proxy.servers.is_empty() || reference != Reference::None;
    match proxy.kind {
        // a backend that nobody uses and that has no server does nothing
        SectionKind::Backend => forwards || referenced,
        _ => forwards || !page && !proxy.binds.is_empty(),
    }
}

fn alert(proxy: &ProxyDraft, word: &RefusedWord) -> Diagnostic {
    let inherited = !proxy.refused.iter().any(|own| own.span == word.span);
    let by = if inherited { format!(", and {} inherits it", called(proxy)) } else { String::new() };
    let message = format!("not built into this version of baton yet: {}{by}", what(word.row));
    let alert = Diagnostic::alert(word.span, message);
    match word.row.era.advice {
        Some(advice) => alert.hint(advice),
        None => alert,
    }
}
