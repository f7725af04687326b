//! `stick …`, `use-server`, `persist rdp-cookie` and their neighbours: what brings a session back to its server.
//!
//! Names of servers and tables are looked up in `resolve`. Source: manual §4.2; what is an error was asked of 2.6.12.

use super::args::{Args, Given};
use super::balance::cookie;
use super::conditions;
use super::draft::{KeyDraft, Named, ProxyDraft};
use super::error::Lowered;
use crate::expr::{Condition, Expr, Place, Template};
use crate::ir::Force;
use crate::text::Span;

/// The cookie that `persist rdp-cookie` looks for.
const COOKIE: &str = "msts";

/// What a section says of persistence.
#[derive(Debug, Clone, Default)]
pub struct PersistenceDraft {
    /// `force-persist` and `ignore-persist`.
    pub force: Vec<(Force, Span)>,
    /// `use-server`.
    pub use_server: Vec<UseServerDraft>,
    /// `persist rdp-cookie`.
    pub cookie: Option<KeyDraft>,
    /// `stick …`.
    pub stick: Vec<StickDraft>,
}

/// One `use-server` line.
#[derive(Debug, Clone)]
pub struct UseServerDraft {
    /// Which server.
    pub server: ChoiceDraft,
    /// When.
    pub when: Condition,
    /// The line.
    pub span: Span,
}

/// The server of a `use-server` line.
#[derive(Debug, Clone)]
pub enum ChoiceDraft {
    /// By its name.
    Server(Named),
    /// By a text.
    Named(Template),
}

/// One `stick` line.
#[derive(Debug, Clone)]
pub struct StickDraft {
    /// What it does.
    pub what: Sticking,
    /// What the key is.
    pub key: Expr,
    /// The table; `None`: the section's own.
    pub table: Option<Named>,
    /// When.
    pub when: Option<Condition>,
    /// The line.
    pub span: Span,
}

/// What a `stick` line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sticking {
    /// `stick match`.
    Match,
    /// `stick on`.
    On,
    /// `stick store-request`.
    StoreRequest,
    /// `stick store-response`.
    StoreResponse,
}

/// `stick match <key> [table <table>] [if|unless <condition>]`.
pub fn stick_match(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    stick(proxy, args, Sticking::Match)
}

/// `stick on <key> [table <table>] [if|unless <condition>]`: `match` and `store-request` in one.
pub fn stick_on(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    stick(proxy, args, Sticking::On)
}

/// `stick store-request <key> [table <table>] [if|unless <condition>]`.
pub fn store_request(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    stick(proxy, args, Sticking::StoreRequest)
}

/// `stick store-response <key> [table <table>] [if|unless <condition>]`.
pub fn store_response(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    stick(proxy, args, Sticking::StoreResponse)
}

fn stick(proxy: &mut ProxyDraft, args: &mut Args<'_>, what: Sticking) -> Lowered {
    let read = read_stick(proxy, args, what).map(|stick| proxy.set.persistence.stick.push(stick));
    conditions::unbuilt(proxy, read)
}

fn read_stick(proxy: &ProxyDraft, args: &mut Args<'_>, what: Sticking) -> Lowered<StickDraft> {
    let span = args.span();
    let place = if what == Sticking::StoreResponse { Place::StickStore } else { Place::UseServer };
    let key = conditions::expr(args, place)?;
    let table = match args.take("table") {
        true => {
            let word = args.word("the name of a table")?;
            Some(Named { name: word.text(), span: word.span })
        }
        false => None,
    };
    let when = conditions::rest(proxy, args, place)?;
    Ok(StickDraft { what, key, table, when, span })
}

/// `use-server <name>|<text> if|unless <condition>`: a text is what holds a `%`.
pub fn use_server(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let read = read_use_server(proxy, args).map(|rule| proxy.set.persistence.use_server.push(rule));
    conditions::unbuilt(proxy, read)
}

fn read_use_server(proxy: &ProxyDraft, args: &mut Args<'_>) -> Lowered<UseServerDraft> {
    let span = args.span();
    let server = if args.peek().is_some_and(|word| word.contains(&b'%')) {
        ChoiceDraft::Named(conditions::template(args, Place::UseServer)?)
    } else {
        let word = args.word("the name of a server")?;
        if word.bytes.is_empty() {
            return Err(args.missing("the name of a server"));
        }
        ChoiceDraft::Server(Named { name: word.text(), span: word.span })
    };
    let when = needed(proxy, args)?;
    Ok(UseServerDraft { server, when, span })
}

/// `force-persist if|unless <condition>`.
pub fn force_persist(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    force(proxy, args, true)
}

/// `ignore-persist if|unless <condition>`.
pub fn ignore_persist(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    force(proxy, args, false)
}

fn force(proxy: &mut ProxyDraft, args: &mut Args<'_>, force: bool) -> Lowered {
    let span = args.span();
    let read = needed(proxy, args).map(|when| proxy.set.persistence.force.push((Force { force, when }, span)));
    conditions::unbuilt(proxy, read)
}

/// The condition that such a line must have.
fn needed(proxy: &ProxyDraft, args: &mut Args<'_>) -> Lowered<Condition> {
    match conditions::rest(proxy, args, Place::UseServer)? {
        Some(condition) => Ok(condition),
        None => Err(args.missing("'if' or 'unless' and a condition")),
    }
}

/// `persist rdp-cookie` and `persist rdp-cookie(name)`: the last one wins; more words are ignored, as haproxy does.
pub fn rdp_cookie(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.position().checked_sub(1).and_then(|at| args.words().get(at));
    let word = word.map(|word| Given { bytes: &word.bytes, span: word.span });
    proxy.set.persistence.cookie = Some(cookie(&word.ok_or_else(|| args.missing("'rdp-cookie'"))?, COOKIE)?);
    Ok(())
}

/// `[no] option persist`.
pub fn option_persist(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.option_persist = args.on(false);
    args.end()
}
