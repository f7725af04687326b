//! `option tcp-check`, `option httpchk`, their rules, and the checks that are built in: from words to [`Script`].
//!
//! A proxy has at most one kind of check: the last `option` wins. Rules of the kind that was not chosen are kept and
//! warned of, as haproxy does. A section's own rules replace those of its defaults. Source: manual §4.2 "option
//! tcp-check", "tcp-check", "option httpchk", "http-check"; asked of 2.6.12 (`fixtures/verdict/checks/`).

mod connect;
mod expect;
pub mod external;
pub mod http;
pub mod mqtt;
pub mod protocols;
mod request;
mod rules;
pub mod tcp;
mod variables;

use std::sync::Arc;

use super::args::{Args, Given};
use super::error::{Blame, LowerError, Lowered};
use crate::expr::{Context, Expr, ExprError, Place, Regex, Template, TemplateError, Wrong};
use crate::ir::check::Script;
use crate::text::Span;

pub use request::RequestDraft;
pub use rules::{Rule, Rules};

/// What was said of the checks of a proxy's servers.
#[derive(Debug, Clone, Default)]
pub struct ChecksDraft {
    /// What the last `option` chose.
    pub kind: CheckKind,
    /// `tcp-check …`.
    pub tcp: Rules,
    /// `http-check …`.
    pub http: Rules,
    /// What `option httpchk` says of the request; `None`: this section has rules, and the option is in its defaults.
    pub request: Option<RequestDraft>,
    /// What the option in its defaults said then.
    pub inherited_request: RequestDraft,
    /// `http-check disable-on-404`.
    pub disable_on_404: bool,
    /// `http-check send-state`.
    pub send_state: bool,
    /// `external-check …`.
    pub external: external::ExternalDraft,
}

/// Which kind of check a proxy's servers get.
#[derive(Debug, Clone, Default)]
pub enum CheckKind {
    /// None was chosen: checks connect.
    #[default]
    Connect,
    /// `option tcp-check`.
    Tcp,
    /// `option httpchk`.
    Http,
    /// `option external-check`.
    External,
    /// One that is built in: what it does.
    BuiltIn(Arc<Script>),
}

impl ChecksDraft {
    /// The program that checks, if one does.
    pub fn program(&self) -> Option<Arc<crate::ir::External>> {
        if matches!(self.kind, CheckKind::External) { self.external.program() } else { None }
    }

    /// What the checks do; `None`: they only connect, and nothing is told of it.
    pub fn script(&self) -> Option<Arc<Script>> {
        match &self.kind {
            CheckKind::Connect | CheckKind::External => None,
            CheckKind::Tcp => Some(Arc::new(self.tcp.tcp_script())),
            CheckKind::Http => Some(Arc::new(self.http.http_script(self))),
            CheckKind::BuiltIn(script) => Some(script.clone()),
        }
    }

    /// An `option` chooses the kind of check: the last one wins.
    fn choose(&mut self, kind: CheckKind) {
        if !matches!(kind, CheckKind::Tcp) {
            self.tcp.set_aside();
        }
        if !matches!(kind, CheckKind::Http) {
            self.http.set_aside();
        }
        self.kind = kind;
    }

    /// Words that change what an HTTP check does, where another kind was chosen.
    pub fn useless(&self) -> impl Iterator<Item = &'static str> {
        let other = !matches!(self.kind, CheckKind::Http | CheckKind::Connect);
        [("disable-on-404", self.disable_on_404), ("send-state", self.send_state)]
            .into_iter()
            .filter(move |(_, said)| *said && other)
            .map(|(word, _)| word)
    }

    /// A section that begins with these: rules of its own will replace them.
    pub fn inherited(&mut self) {
        self.tcp.inherited();
        self.http.inherited();
    }

    /// Rules of this section that nothing will be done with, and the option that they lack. Those of its defaults may be
    /// meant for others.
    pub fn idle(&self) -> impl Iterator<Item = (Span, &'static str, &'static str)> {
        let tcp = (self.tcp.idle(), "tcp-check", "option tcp-check", matches!(self.kind, CheckKind::Tcp));
        let http = (self.http.idle(), "http-check", "option httpchk", matches!(self.kind, CheckKind::Http));
        [tcp, http].into_iter().filter(|rules| !rules.3).filter_map(|rules| Some((rules.0?, rules.1, rules.2)))
    }
}

/// Bytes in hexadecimal digits, two each.
fn hex(word: &Given<'_>) -> Lowered<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let wrong = || word.blame(LowerError::Hex { text: word.text() });
    if !word.bytes.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    word.bytes.chunks(2).map(|bytes| pair(bytes).ok_or_else(wrong)).collect()
}

/// A text with expressions.
fn format(word: &Given<'_>, args: &Args<'_>) -> Lowered<Template> {
    let template = Template::parse(word.bytes, &context(args)).map_err(|why| match why {
        TemplateError::Expr(why) => blame_expr(word, *why),
        why => word.blame(LowerError::Template { text: word.text(), why }),
    })?;
    let lacking = template.expressions().find_map(Expr::needs_session);
    match lacking {
        Some(what) => Err(word.blame(LowerError::NotYet { what })),
        None => Ok(template),
    }
}

/// An expression.
fn expr(word: &Given<'_>, args: &Args<'_>) -> Lowered<Expr> {
    let expr = Expr::parse(word.bytes, &context(args)).map_err(|why| blame_expr(word, why))?;
    match expr.needs_session() {
        Some(what) => Err(word.blame(LowerError::NotYet { what })),
        None => Ok(expr),
    }
}

fn context<'c>(args: &'c Args<'_>) -> Context<'c> {
    Context { place: Place::Check, strict: true, world: &*args.world, lists: &args.lists }
}

fn blame_expr(word: &Given<'_>, why: ExprError) -> Blame {
    let hint = why.hint.clone();
    let blame = word.blame(match &why.why {
        Wrong::NotBuilt { what } => LowerError::NotYet { what: what.clone() },
        _ => LowerError::Expr { text: word.text(), why: Box::new(why) },
    });
    match hint {
        Some(hint) => blame.hint(hint),
        None => blame,
    }
}

/// A regular expression.
fn regex(word: &Given<'_>) -> Lowered<Regex> {
    Regex::new(word.bytes).map_err(|why| word.blame(LowerError::Regex { text: word.text(), why }))
}

/// A regular expression for which case does not count.
fn regex_any_case(word: &Given<'_>) -> Lowered<Regex> {
    Regex::any_case(word.bytes).map_err(|why| word.blame(LowerError::Regex { text: word.text(), why }))
}

/// The comment that may end a rule.
fn comment(args: &mut Args<'_>) -> Lowered<Option<String>> {
    let mut comment = None;
    while args.peek().is_some_and(|word| !word.is_empty()) {
        if !args.take("comment") {
            args.end()?;
        }
        comment = Some(args.string("a comment")?);
    }
    Ok(comment)
}
