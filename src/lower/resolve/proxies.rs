//! What is judged of a proxy as a whole, and its way into the IR.

use super::{called, formats};
use crate::grammar::SectionKind;
use crate::ir::{self, Backend, Formats, Frontend, KeepAlive, Mode, Proxy, ProxyIx, ProxyKind, Rules, SessionLog};
use crate::lower::draft::{Named, ProxyDraft, SessionLogWord, Settings, is_backend, is_frontend};
use crate::lower::error::LowerError;
use crate::lower::section::Sections;
use crate::lower::source;
use crate::text::{Diagnostic, Span};

/// Where a frontend's `default_backend` leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// It has none.
    None,
    /// A backend.
    To(usize),
    /// Itself.
    Loop,
    /// A name that no backend has.
    Unknown,
}

impl Reference {
    /// The backend, if it leads to one.
    pub(super) fn target(self) -> Option<usize> {
        if let Self::To(at) = self { Some(at) } else { None }
    }
}

/// Looks up `default_backend`.
pub(super) fn backend_of(sections: &Sections, at: usize) -> Reference {
    let proxy = &sections.proxies[at];
    let Some(named) = proxy.set.default_backend.as_ref().filter(|_| is_frontend(proxy.kind)) else {
        return Reference::None;
    };
    look_up(sections, at, named)
}

pub(super) fn look_up(sections: &Sections, at: usize, named: &Named) -> Reference {
    match sections.named(&named.name).find(|at| is_backend(sections.proxies[*at].kind)) {
        None => Reference::Unknown,
        Some(to) if to == at => Reference::Loop,
        Some(to) => Reference::To(to),
    }
}

/// Everything that is to be said of a proxy besides its servers and its refused words.
pub(super) fn judge(sections: &Sections, at: usize, reference: Reference, said: &mut Vec<Diagnostic>) {
    let proxy = &sections.proxies[at];
    let set = &proxy.set;
    if is_frontend(proxy.kind) && proxy.binds.is_empty() {
        let message = format!("{} has no 'bind' line: nobody can reach it", called(proxy));
        said.push(Diagnostic::warning(proxy.span, message).resolved().hint("call it 'backend' if that is meant"));
    }
    if let Some(span) = set.hash_balance
        && set.mode == Mode::Tcp
        && is_backend(proxy.kind)
    {
        let message = format!("{} cannot balance by HTTP in 'mode tcp': it is done by round robin", called(proxy));
        said.push(Diagnostic::warning(span, message).resolved());
    }
    // a backend writes no session log: what it inherits is no reason for a word
    if let Some((word, span)) = set.session_log
        && is_frontend(proxy.kind)
    {
        session_log(proxy, word, span, said);
    }
    for (span, rules, option) in set.checks.idle() {
        let message = format!("{} has '{rules}' rules and no '{option}': nothing is done", called(proxy));
        said.push(Diagnostic::warning(span, message).resolved().hint(format!("add '{option}'")));
    }
    for word in set.checks.useless() {
        let message = format!("{} has 'http-check {word}' and no 'option httpchk': nothing is done", called(proxy));
        said.push(Diagnostic::warning(proxy.span, message).resolved().hint("add 'option httpchk'"));
    }
    default_backend(sections, at, reference, said);
    ignored_references(sections, at, said);
    if let (Reference::To(_), Some(named), false) = (reference, &set.default_backend, proxy.servers.is_empty()) {
        let message = format!("{} has servers that nobody reaches: 'default_backend' leads elsewhere", called(proxy));
        said.push(Diagnostic::warning(named.span, message).resolved());
    }
    without_balance(proxy, said);
    missing_timeouts(proxy, said);
    let formatted = set.session_log.is_some() || set.log_format_sd.is_some();
    if is_frontend(proxy.kind) && formatted && set.logs.is_empty() && set.shared_logs.is_empty() {
        let message = format!("{} has a log format and no log address: nothing is logged", called(proxy));
        said.push(Diagnostic::warning(proxy.span, message).resolved().hint("add 'log global' or 'log <address> …'"));
    }
    if set.mode == Mode::Tcp
        && let Some(stats) = &set.stats
    {
        let message = format!("{} is in 'mode tcp' and serves no statistics page", called(proxy));
        said.push(Diagnostic::warning(stats.span, message).resolved().hint("add 'mode http'"));
    }
}

/// Lines that need HTTP, and what is not built of them.
fn session_log(proxy: &ProxyDraft, word: SessionLogWord, span: Span, said: &mut Vec<Diagnostic>) {
    let option = match word {
        SessionLogWord::Tcp | SessionLogWord::Custom => return,
        SessionLogWord::Http => "option httplog",
        SessionLogWord::HttpClf => "option httplog clf",
        SessionLogWord::Https => "option httpslog",
    };
    if proxy.set.mode == Mode::Tcp {
        let message = format!("{} is in 'mode tcp': 'option tcplog' is used for '{option}'", called(proxy));
        said.push(Diagnostic::warning(span, message));
    } else if word != SessionLogWord::Http {
        let error = LowerError::NotYet { what: format!("'{option}'") };
        said.push(Diagnostic::alert(span, error.to_string()));
    }
}

fn default_backend(sections: &Sections, at: usize, reference: Reference, said: &mut Vec<Diagnostic>) {
    if let Some(named) = &sections.proxies[at].set.default_backend {
        reference_of(sections, at, ("default_backend", named), reference, said);
    }
}

/// A backend's `default_backend` and `use_backend` have no effect, and haproxy looks them up all the same.
fn ignored_references(sections: &Sections, at: usize, said: &mut Vec<Diagnostic>) {
    for (keyword, named) in &sections.proxies[at].ignored_references {
        reference_of(sections, at, (*keyword, named), look_up(sections, at, named), said);
    }
}

pub(super) fn reference_of(
    sections: &Sections,
    at: usize,
    (keyword, named): (&str, &Named),
    reference: Reference,
    said: &mut Vec<Diagnostic>,
) {
    let proxy = &sections.proxies[at];
    match reference {
        Reference::None => {}
        Reference::Unknown => {
            let message = format!("{}: there is no backend '{}'", called(proxy), named.name);
            let near = nearest(sections, &named.name);
            let alert = Diagnostic::alert(named.span, message).resolved();
            said.push(match near {
                Some(near) => alert.hint(format!("did you mean '{near}'?")),
                None => alert,
            });
        }
        Reference::Loop => {
            let message = format!("{} is its own '{keyword}'", called(proxy));
            said.push(Diagnostic::alert(named.span, message).resolved().hint("remove the line"));
        }
        Reference::To(to) => {
            let backend = &sections.proxies[to];
            if proxy.set.mode == Mode::Http && backend.set.mode == Mode::Tcp && !backend.set.disabled {
                let message = format!("{} is in 'mode http', its {} in 'mode tcp'", called(proxy), called(backend));
                said.push(Diagnostic::alert(named.span, message).resolved());
            }
        }
    }
}

/// A backend whose name differs in one letter.
fn nearest<'s>(sections: &'s Sections, name: &str) -> Option<&'s str> {
    let backends = sections.proxies.iter().filter(|proxy| is_backend(proxy.kind));
    backends.map(|proxy| proxy.name.as_str()).find(|other| one_letter_apart(other.as_bytes(), name.as_bytes()))
}

fn one_letter_apart(a: &[u8], b: &[u8]) -> bool {
    let head = a.iter().zip(b).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let (a, b) = (&a[head..], &b[head..]);
    let skip = |text: &[u8], n: usize| text.get(n..).map(<[u8]>::to_ascii_lowercase);
    let (x, y) = (skip(a, usize::from(a.len() >= b.len())), skip(b, usize::from(b.len() >= a.len())));
    x.is_some() && x == y || a.is_empty() && b.is_empty()
}

/// `dispatch` and `option transparent` count only where nothing balances; a header is no source of TCP connections.
fn without_balance(proxy: &ProxyDraft, said: &mut Vec<Diagnostic>) {
    if !is_backend(proxy.kind) {
        return;
    }
    let balances = proxy.set.balance.is_some() || proxy.set.hash_balance.is_some();
    if let (Some((_, span)), true) = (&proxy.dispatch, balances) {
        let message = format!("{} balances: 'dispatch' counts for nothing", called(proxy));
        said.push(Diagnostic::warning(*span, message).resolved().hint("remove 'dispatch' or 'balance'"));
    }
    if let (Some(span), true) = (proxy.set.transparent, balances) {
        let message = format!("{} cannot balance and be transparent at once", called(proxy));
        said.push(Diagnostic::alert(span, message).resolved().hint("remove 'option transparent' or 'balance'"));
    }
    let header = |source: &Option<ir::SourceAddress>| {
        source.as_ref().is_some_and(|source| source.usesrc == Some(ir::UseSource::Header))
    };
    let servers = proxy.servers.iter().filter(|server| header(&server.source)).map(|server| server.span);
    let own = header(&proxy.set.source).then_some(proxy.span);
    if proxy.set.mode == Mode::Tcp {
        for span in servers.chain(own) {
            let message = format!("{} is in 'mode tcp': no header tells the source address", called(proxy));
            said.push(Diagnostic::warning(span, message).resolved().hint("remove 'usesrc hdr_ip(…)'"));
        }
    }
}

/// The client side needs `timeout client`, the side with servers `connect` and `server`.
fn missing_timeouts(proxy: &ProxyDraft, said: &mut Vec<Diagnostic>) {
    let set = &proxy.set;
    let client = is_frontend(proxy.kind) && set.timeouts.client.is_none();
    let servers = is_backend(proxy.kind) && !proxy.servers.is_empty();
    let missing: Vec<&str> = [
        ("timeout client", client),
        ("timeout connect", servers && set.timeouts.connect.is_none()),
        ("timeout server", servers && set.timeouts.server.is_none()),
    ]
    .into_iter()
    .filter_map(|(name, missing)| missing.then_some(name))
    .collect();
    if !missing.is_empty() {
        let message = format!("{} lacks {}: sessions may stay for ever", called(proxy), missing.join(", "));
        said.push(Diagnostic::warning(proxy.span, message).resolved());
    }
}

/// The proxy as it is, with defaults and what haproxy assumes folded in.
pub(super) fn fold(draft: ProxyDraft, reference: Reference, formats: Formats, rules: Rules) -> Proxy {
    let forward = source::forward(&draft);
    let mut set = draft.set;
    let mut logs = std::mem::take(&mut set.shared_logs);
    logs.append(&mut set.logs);
    let http = set.mode == Mode::Http;
    let session_log = match set.session_log {
        None => SessionLog::Default,
        Some((SessionLogWord::Custom, _)) => SessionLog::Custom,
        Some((SessionLogWord::Tcp, _)) => SessionLog::Tcp,
        Some(_) if http => SessionLog::Http,
        Some(_) => SessionLog::Tcp,
    };
    let default_backend = match reference {
        Reference::To(to) => u32::try_from(to).ok().map(ProxyIx),
        _ => None,
    };
    let keep_alive = |side: KeepAlive| KeepAlive { on: side.on || set.tcpka, ..side };
    let frontend = is_frontend(draft.kind).then(|| Frontend {
        binds: draft.binds,
        maxconn: set.maxconn,
        captures: set.captures.clone(),
        backlog: set.backlog,
        default_backend,
        keep_alive: keep_alive(set.client_keep_alive),
        nolinger: set.nolinger,
        rate_limit: set.rate_limit,
        splice: set.splice,
        socket_stats: set.socket_stats,
        contstats: set.contstats,
        smart_accept: set.smart_accept.unwrap_or(http),
    });
    let stats_rules = draft.stats_rules.into_iter().map(|(rule, _)| rule).collect();
    let backend =
        is_backend(draft.kind).then(|| backend(&set, draft.servers, forward, keep_alive(set.server_keep_alive)));
    Proxy {
        name: draft.name,
        id: draft.id.map_or(0, |(id, _)| id),
        id_given: draft.id_given,
        kind: match draft.kind {
            SectionKind::Frontend => ProxyKind::Frontend,
            SectionKind::Backend => ProxyKind::Backend,
            _ => ProxyKind::Listen,
        },
        mode: set.mode,
        disabled: set.disabled,
        description: draft.description,
        timeouts: set.timeouts,
        logs,
        log_tag: set.log_tag,
        session_log,
        log_moment: formats::moment(session_log, &formats, set.log_asap),
        formats: (!formats.is_empty()).then(|| Box::new(formats)),
        dont_log_null: set.dont_log_null,
        dont_log_normal: set.dont_log_normal,
        log_separate_errors: set.log_separate_errors,
        log_asap: set.log_asap,
        frontend,
        backend,
        stats: set.stats.filter(|_| http).map(|stats| ir::StatsPage { rules: stats_rules, ..stats.page }),
        rules,
        http_rules: if http { set.http_rules.into_iter().map(|(rule, _)| rule).collect() } else { Vec::new() },
        error_files: if http { set.error_files } else { Vec::new() },
        span: draft.span,
    }
}

fn backend(
    set: &Settings,
    mut servers: Vec<ir::Server>,
    forward: Option<ir::Forward>,
    keep_alive: KeepAlive,
) -> Backend {
    for server in servers.iter_mut().filter(|server| server.source.is_none()) {
        server.source.clone_from(&set.source);
    }
    servers.shrink_to_fit();
    let checked = servers.iter().any(|server| server.check.is_some());
    Backend {
        balance: set.balance.unwrap_or_default(),
        hash: set.hash,
        key: None,
        persist: set.option_persist,
        persistence: None,
        servers,
        forward,
        fullconn: set.fullconn,
        retries: set.retries.unwrap_or(3),
        redispatch: set.redispatch,
        all_backups: set.all_backups,
        abort_on_close: set.abort_on_close,
        smart_connect: set.smart_connect,
        nolinger: set.nolinger,
        keep_alive,
        splice: set.splice,
        log_health_checks: set.log_health_checks,
        check: if checked { set.checks.script() } else { None },
        external: if checked { set.checks.program() } else { None },
    }
}
