//! `peers` sections. Source: manual §3.5; what may stand beside what was asked of 2.6 (`fixtures/verdict/peers`).

use std::sync::Arc;

use super::args::{Args, Given};
use super::bind::{self, BindDraft};
use super::error::{Blame, LowerError, Lowered};
use super::server::ServerDraft;
use super::tables::{self, TableDraft};
use super::{address, names, options_line, ring};
use crate::grammar::{Acts, OptionLine, Row, Support};
use crate::ir::{Bind, Endpoint, Global, Peer, Peers, StreamAddress};
use crate::text::{Diagnostic, Span};

/// What is read of sections besides their meaning.
#[derive(Debug, Default)]
pub(super) struct PeersSpans {
    /// By section.
    sections: Vec<Section>,
    /// The tables of all sections, each with its section's name before its own.
    pub(super) tables: Vec<TableDraft>,
}

/// What is known of a section only while it is read.
#[derive(Debug)]
struct Section {
    /// Its name.
    name: Span,
    default_bind: BindDraft,
    default_server: Arc<ServerDraft>,
    /// A `peer` line stood in it.
    by_peer: bool,
    /// The first `bind` line.
    bound: Option<Span>,
    /// The local peer's line.
    local: Option<Span>,
}

/// `peers <name>`. The section exists even if its line is wrong, so that its lines are judged too.
pub(super) fn open(global: &mut Global, spans: &mut PeersSpans, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a name");
    let name = word.as_ref().map(Given::text).unwrap_or_default();
    let span = word.as_ref().map_or(args.span(), |word| word.span);
    let taken = global.peers.iter().position(|section| section.name == name);
    global.peers.push(Peers { name: name.clone(), disabled: false, binds: Vec::new(), peers: Vec::new(), span });
    spans.sections.push(Section {
        name: span,
        default_bind: BindDraft::default(),
        default_server: Arc::default(),
        by_peer: false,
        bound: None,
        local: None,
    });
    let word = word?;
    args.end()?;
    names::check(&word)?;
    match taken.and_then(|at| spans.sections.get(at)) {
        Some(first) => Err(word.blame(LowerError::PeersTaken { name, line: first.name.line })),
        None => Ok(()),
    }
}

/// One line of the section that was opened last.
pub(super) fn statement(global: &mut Global, spans: &mut PeersSpans, row: &Row, args: &mut Args<'_>) -> Lowered {
    if let Support::Refused { acts: Acts::Always, .. } = row.support {
        return Err(args.blame_keyword(LowerError::NotYet { what: options_line::what(row) }));
    }
    let (Some(section), Some(known)) = (global.peers.last_mut(), spans.sections.last_mut()) else { return Ok(()) };
    match row.keyword {
        "disabled" => section.disabled = true,
        "enabled" => section.disabled = false,
        "enable" => {
            section.disabled = false;
            args.modern("enabled");
        }
        "default-bind" => default_bind(section, known, args)?,
        "default-server" => {
            let draft = Arc::make_mut(&mut known.default_server);
            options_line::server(draft, OptionLine::DefaultServer, args)?;
        }
        "table" => spans.tables.push(table(&section.name, args)?),
        "bind" => listen(section, known, args)?,
        "peer" | "server" => peer(section, known, row.keyword == "peer", args)?,
        "log" => {
            super::logs::target_of_peers(args)?;
            if let Support::Noop { reason } = row.support {
                args.without_effect(reason);
            }
        }
        _ => {}
    }
    Ok(())
}

/// `table <name> …`: a table of the section's own, known everywhere as `section/name`.
fn table(section: &str, args: &mut Args<'_>) -> Lowered<TableDraft> {
    let name = args.word("a name, a type and a size")?;
    let mut draft = tables::draft(&format!("{section}/{}", name.text()), args)?;
    if let Some(peers) = draft.peers.take() {
        let error = LowerError::Misplaced("the tables of a section are told to its own peers");
        return Err(Blame { span: peers.span, error, hint: None });
    }
    draft.table.peers = Some(section.into());
    Ok(draft)
}

/// The options of a line that says how the local peer listens.
fn bind_options(draft: &mut BindDraft, args: &mut Args<'_>) -> Lowered {
    options_line::bind(draft, OptionLine::Bind, args)?;
    if draft.options.netscaler.is_some() {
        let what = "NetScaler headers between peers ('accept-netscaler-cip')".to_owned();
        return Err(args.blame_keyword(LowerError::NotYet { what }));
    }
    if draft.options.accept_proxy {
        let what = "PROXY headers between peers ('accept-proxy')".to_owned();
        return Err(args.blame_keyword(LowerError::NotYet { what }));
    }
    Ok(())
}

/// `default-bind <option>…`: for the `bind` or `peer` line below it, as the manual says, and for the one above it, as 2.6 does.
fn default_bind(section: &mut Peers, known: &mut Section, args: &mut Args<'_>) -> Lowered {
    if let Some(bind) = section.binds.first() {
        known.default_bind.options = bind.options.clone();
    }
    bind_options(&mut known.default_bind, args)?;
    for bind in &mut section.binds {
        bind.options = known.default_bind.options.clone();
    }
    Ok(())
}

/// `bind [<address>:<port>[, …]] [<option>…]`: one of them, and none beside `peer`.
fn listen(section: &mut Peers, known: &mut Section, args: &mut Args<'_>) -> Lowered {
    if known.by_peer {
        return Err(args.blame_keyword(LowerError::Misplaced(BOTH_WAYS)).hint("say 'server' instead of 'peer'"));
    }
    if let Some(first) = known.bound {
        return Err(args.blame_keyword(LowerError::PeersBound { line: first.line }));
    }
    known.bound = Some(args.span());
    let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) else { return Ok(()) };
    let endpoints = bind::endpoints(&word, args)?;
    let mut draft = known.default_bind.clone();
    bind_options(&mut draft, args)?;
    section.binds = endpoints.into_iter().map(|endpoint| bound(endpoint, &draft, word.span)).collect();
    Ok(())
}

const BOTH_WAYS: &str = "'bind' and 'peer' do not stand in one section";

fn bound(endpoint: Endpoint, draft: &BindDraft, span: Span) -> Bind {
    let name = draft.name.clone().unwrap_or_default();
    Bind { endpoint, name, id: draft.id.map_or(0, |(id, _)| id), options: draft.options.clone(), span }
}

/// `peer <name> [<address>:<port>] [<option>…]`, and `server`, which may give no address to the local peer.
fn peer(section: &mut Peers, known: &mut Section, by_peer: bool, args: &mut Args<'_>) -> Lowered {
    let Some(name) = args.next_word().filter(|word| !word.bytes.is_empty()) else {
        // haproxy takes no notice of such a line
        args.say(Diagnostic::our_warning(args.span(), "a peer without a name is none"));
        return Ok(());
    };
    if by_peer && known.bound.is_some() {
        return Err(args.blame_keyword(LowerError::Misplaced(BOTH_WAYS)).hint("say 'server' instead of 'peer'"));
    }
    known.by_peer |= by_peer;
    names::check(&name)?;
    let own = args.world.env("HAPROXY_LOCALPEER").unwrap_or_default();
    let local = name.bytes == own;
    if local && let Some(first) = known.local.replace(name.span) {
        return Err(name.blame(LowerError::LocalPeerTaken { name: name.text(), line: first.line }));
    }
    let address = match args.peek().filter(|word| !word.is_empty()) {
        Some(_) if local && !by_peer && !option_follows(args) => {
            let word = args.word("an option")?;
            return Err(word
                .blame(LowerError::Misplaced("a local 'server' has no address here"))
                .hint("a 'bind' line says where it listens"));
        }
        Some(_) if !local || by_peer => {
            let word = args.word("an address")?;
            Some((place(&word, local, args)?, word.span))
        }
        _ => None,
    };
    let mut draft = ServerDraft::clone(&known.default_server);
    options_line::server(&mut draft, OptionLine::Server, args)?;
    judge(&draft, args)?;
    let (address, span) = address.map_or((None, name.span), |(address, span)| (Some(address), span));
    if let (true, true, Some(address)) = (local, by_peer, &address) {
        let endpoint = match address.clone() {
            StreamAddress::Inet(address) => Endpoint::Inet(address),
            StreamAddress::Unix(path) => Endpoint::Unix(path),
            StreamAddress::Abstract(name) => Endpoint::Abstract(name),
        };
        section.binds.push(bound(endpoint, &known.default_bind, span));
    }
    section.peers.push(Peer {
        name: name.text(),
        local,
        address,
        source: draft.source.take(),
        user_timeout: draft.user_timeout,
    });
    Ok(())
}

/// Whether the next word is an option of servers.
fn option_follows(args: &Args<'_>) -> bool {
    crate::grammar::option(OptionLine::Server, args.words(), args.position()).is_ok()
}

/// Where a peer is.
fn place(word: &Given<'_>, local: bool, args: &mut Args<'_>) -> Lowered<StreamAddress> {
    let address = ring::stream(word, args, 0)?;
    if matches!(&address, StreamAddress::Inet(address) if address.port() == 0) {
        let parsed = address::parse(word, args)?;
        if !matches!(parsed.plain_port(), Ok(Some(_))) {
            if local {
                return Err(word.blame(LowerError::Misplaced("the local peer needs a port")));
            }
            args.say(Diagnostic::our_warning(word.span, "a peer without a port is never reached"));
        }
    }
    Ok(address)
}

/// Options that have no effect on peers, or that are not built.
fn judge(draft: &ServerDraft, args: &mut Args<'_>) -> Lowered {
    if draft.check || draft.agent || draft.resolvers.is_some() || !draft.init_addr.is_empty() {
        let message = "peers are not checked, and their names are looked up once: 'check', 'agent-check', 'resolvers' and \
                       'init-addr' are ignored";
        args.say(Diagnostic::warning(args.span(), message));
    }
    if draft.agent && draft.agent_port.is_none_or(|port| port == 0) {
        return Err(args.blame_keyword(LowerError::Misplaced("'agent-check' needs 'agent-port'")));
    }
    if !draft.send_proxy.is_empty() {
        let what = "PROXY headers between peers ('send-proxy')".to_owned();
        return Err(args.blame_keyword(LowerError::NotYet { what }));
    }
    match draft.refused.first() {
        Some(word) => {
            let error = LowerError::NotYet { what: options_line::what(word.row) };
            Err(Blame { span: word.span, error, hint: None })
        }
        None => Ok(()),
    }
}

/// Looks up the section that a table names.
///
/// # Errors
/// Why it cannot be named.
pub(super) fn look_up(global: &Global, name: &str) -> Result<(), String> {
    match global.peers.iter().find(|section| section.name == name) {
        None => Err(format!("there is no 'peers {name}'")),
        Some(section) if section.peers.is_empty() && section.binds.is_empty() && !section.disabled => {
            Err(format!("'peers {name}' has no local peer"))
        }
        Some(_) => Ok(()),
    }
}

/// Takes out the sections that lack the local peer.
pub(super) fn complete(global: &mut Global, own: &str, said: &mut Vec<Diagnostic>) {
    global.peers.retain(|section| {
        let complete = section.disabled || section.local().is_some();
        if !complete {
            let message = format!("'peers {}' is left out: none of its peers is called '{own}'", section.name);
            let hint = "the local peer is named by 'localpeer', '-L', or the host's name";
            said.push(Diagnostic::warning(section.span, message).hint(hint).resolved());
        }
        complete
    });
}
