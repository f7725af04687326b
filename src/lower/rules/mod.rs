//! `tcp-request`, `tcp-response` and `use_backend`: rules, which are an action and a condition.
//!
//! What an action takes is [`actions`]'s and its neighbours', by the rows of `grammar/action.kw`; here is which rules may have
//! it, and what stands behind it. Source: configuration manual §4.2; what is an error was asked of 2.6.12.

pub mod actions;
pub mod bandwidth;
pub mod captures;
pub mod http;
mod order;
pub mod resolving;
pub mod sessions;
pub mod switching;
pub mod tracking;
pub mod variables;

use super::args::{Args, Given};
use super::conditions;
use super::draft::{ProxyDraft, is_backend, is_frontend};
use super::error::{Blame, LowerError, Lowered};
use crate::expr::Place;
use crate::grammar::{self, Kind, Support};
use crate::ir::{Action, BandwidthLimit, Rule};
use crate::text::{Diagnostic, Span};
use crate::units::Millis;

/// Where a rule with an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruleset {
    /// The rules.
    pub of: Rules,
    /// What its expressions may look at.
    pub place: Place,
}

/// Kinds of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// `tcp-request connection`.
    Connection,
    /// `tcp-request session`.
    Session,
    /// `tcp-request content`.
    Request,
    /// `tcp-response content`.
    Response,
}

impl Rules {
    /// As lines call them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "tcp-request connection",
            Self::Session => "tcp-request session",
            Self::Request => "tcp-request content",
            Self::Response => "tcp-response content",
        }
    }

    /// Its bit in the `where` column of `grammar/action.kw`.
    fn bit(self) -> u8 {
        match self {
            Self::Connection => 1 << 1,
            Self::Session => 1 << 2,
            Self::Request => 1 << 3,
            Self::Response => 1 << 4,
        }
    }
}

/// What a section says of rules, with names still to be looked up.
#[derive(Debug, Clone, Default)]
pub struct RulesDraft {
    /// `tcp-request connection`.
    pub connection: Vec<Rule>,
    /// `tcp-request session`.
    pub session: Vec<Rule>,
    /// `tcp-request content`.
    pub request: Vec<Rule>,
    /// `tcp-request inspect-delay`.
    pub request_delay: Option<Millis>,
    /// `tcp-response content`.
    pub response: Vec<Rule>,
    /// `tcp-response inspect-delay`.
    pub response_delay: Option<Millis>,
    /// `use_backend`.
    pub switching: Vec<switching::SwitchDraft>,
    /// `filter bwlim-in`, `filter bwlim-out`.
    pub limits: Vec<BandwidthLimit>,
}

/// `tcp-request connection <action> [if|unless <condition>]`.
pub fn connection(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let place = Place::FrontendConnection;
    let rule = rule(proxy, args, Ruleset { of: Rules::Connection, place });
    order::judge(proxy, Rules::Connection, args);
    add(proxy, rule, |proxy| &mut proxy.set.rules.connection)
}

/// `tcp-request session <action> [if|unless <condition>]`.
pub fn session(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = rule(proxy, args, Ruleset { of: Rules::Session, place: Place::FrontendSession });
    order::judge(proxy, Rules::Session, args);
    add(proxy, rule, |proxy| &mut proxy.set.rules.session)
}

/// `tcp-request content <action> [if|unless <condition>]`.
pub fn content(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let ruleset = requests(proxy);
    let rule = rule(proxy, args, ruleset).and_then(|rule| placed(proxy, rule, args));
    order::judge(proxy, Rules::Request, args);
    add(proxy, rule, |proxy| &mut proxy.set.rules.request)
}

/// `tcp-request content accept [if|unless <condition>]`.
pub fn content_accept(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let place = requests(proxy).place;
    let rule = ended(proxy, args, Action::Accept, place);
    order::judge(proxy, Rules::Request, args);
    add(proxy, rule, |proxy| &mut proxy.set.rules.request)
}

/// `tcp-request content reject [if|unless <condition>]`.
pub fn content_reject(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let place = requests(proxy).place;
    let rule = ended(proxy, args, Action::Reject, place);
    order::judge(proxy, Rules::Request, args);
    add(proxy, rule, |proxy| &mut proxy.set.rules.request)
}

/// `tcp-response content <action> [if|unless <condition>]`.
pub fn response(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let place = if is_backend(proxy.kind) { Place::BackendResponse } else { Place::FrontendResponse };
    let ruleset = Ruleset { of: Rules::Response, place };
    let rule = rule(proxy, args, ruleset).and_then(|rule| placed(proxy, rule, args));
    add(proxy, rule, |proxy| &mut proxy.set.rules.response)
}

/// `tcp-request inspect-delay <time>`.
pub fn request_delay(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let delay = delay(proxy, args)?;
    once(&mut proxy.set.rules.request_delay, delay, args);
    Ok(())
}

/// `tcp-response inspect-delay <time>`.
pub fn response_delay(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let delay = delay(proxy, args)?;
    once(&mut proxy.set.rules.response_delay, delay, args);
    Ok(())
}

/// A delay of 0 is none.
fn delay(proxy: &ProxyDraft, args: &mut Args<'_>) -> Lowered<Option<Millis>> {
    conditions::in_named_defaults(proxy, args)?;
    Ok(Some(args.time()?).filter(|delay| delay.get() > 0))
}

/// A second delay has no effect, also where the first one is inherited.
fn once(kept: &mut Option<Millis>, delay: Option<Millis>, args: &mut Args<'_>) {
    if kept.is_some() {
        let message = format!("'{}' was said before: this one has no effect", args.keyword());
        args.say(Diagnostic::warning(args.span(), message).hint("remove one of them"));
        return;
    }
    *kept = delay;
}

fn requests(proxy: &ProxyDraft) -> Ruleset {
    let place = if is_frontend(proxy.kind) { Place::FrontendContent } else { Place::BackendContent };
    Ruleset { of: Rules::Request, place }
}

/// A rule about what is said in its section.
fn placed(proxy: &mut ProxyDraft, rule: Rule, args: &Args<'_>) -> Lowered<Rule> {
    sessions::belongs(proxy, &rule, args)?;
    bandwidth::belongs(proxy, &rule, args)?;
    captures::place(proxy, rule, args)
}

/// The whole of a rule.
fn rule(proxy: &ProxyDraft, args: &mut Args<'_>, ruleset: Ruleset) -> Lowered<Rule> {
    conditions::in_named_defaults(proxy, args)?;
    let action = action(args, ruleset)?;
    ended(proxy, args, action, ruleset.place)
}

/// The rule of an action, with what stands behind it.
fn ended(proxy: &ProxyDraft, args: &mut Args<'_>, action: Action, place: Place) -> Lowered<Rule> {
    conditions::in_named_defaults(proxy, args)?;
    let span = args.span();
    let when = conditions::rest(proxy, args, place)?;
    Ok(Rule { action, when, span })
}

/// How actions begin that have an argument in parentheses.
const ENCLOSING: [&str; 4] = ["do-resolve", "sc-", "set-var", "unset-var"];

/// The action that stands next.
///
/// # Errors
/// One that is unknown, that such rules do not have, that is not built, or whose words are wrong.
fn action(args: &mut Args<'_>, ruleset: Ruleset) -> Lowered<Action> {
    let word = args.word("an action")?;
    let end = word.bytes.iter().position(|byte| *byte == b'(').unwrap_or(word.bytes.len());
    let name = String::from_utf8_lossy(&word.bytes[..end]).into_owned();
    // a number is part of the name: `track-sc3` has no row of its own
    let row = grammar::row(Kind::Action, &name).or_else(|| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        grammar::row(Kind::Action, &format!("{stem}0")).filter(|row| row.keyword == "track-sc0")
    });
    let encloses = |row: &&grammar::Row| ENCLOSING.iter().any(|name| row.keyword.starts_with(name));
    let row = row.filter(|row| end == word.bytes.len() || encloses(row));
    let known = row.filter(|row| row.places.has(ruleset.of.bit()));
    let Some(row) = known else {
        let blame = word.blame(LowerError::Action { ruleset: ruleset.of.name(), text: word.text() });
        return Err(match grammar::nearest_to(Kind::Action, name.as_bytes()) {
            Some(near) if row.is_none() => blame.hint(format!("did you mean '{near}'?")),
            _ => blame,
        });
    };
    match (row.support, super::table::ACTION.get(usize::from(row.index)).copied().flatten()) {
        (Support::Full, Some(function)) => function(ruleset, word, args),
        (Support::Noop { reason }, _) => {
            args.word("an argument of the action")?;
            let message = format!("'{}' has no effect: {reason}", row.keyword);
            args.say(Diagnostic::diag(word.span, message));
            Ok(Action::Nothing)
        }
        _ => Err(word.blame(LowerError::NotYet { what: format!("'{} {}'", ruleset.of.name(), row.keyword) })),
    }
}

/// Adds a rule; one that is not built is told where it would act.
fn add(proxy: &mut ProxyDraft, rule: Lowered<Rule>, list: impl FnOnce(&mut ProxyDraft) -> &mut Vec<Rule>) -> Lowered {
    match rule {
        Ok(rule) => {
            list(proxy).push(rule);
            Ok(())
        }
        Err(blame) => conditions::unbuilt(proxy, Err(blame)),
    }
}

/// What stands between the parentheses of an action's word.
///
/// # Errors
/// There are none, or nothing closes them.
fn inner<'a>(word: &Given<'a>) -> Result<Given<'a>, Blame> {
    let wrong = || word.blame(LowerError::Misplaced("an argument in parentheses is needed behind this action's name"));
    let open = word.bytes.iter().position(|byte| *byte == b'(').ok_or_else(wrong)?;
    let inner = word.bytes[open + 1..].strip_suffix(b")").ok_or_else(wrong)?;
    let plain = (word.span.end - word.span.start) as usize == word.bytes.len();
    let (start, end) = (word.span.start + open as u32 + 1, word.span.end.saturating_sub(1));
    let span = if plain && start < end { Span { start, end, ..word.span } } else { word.span };
    Ok(Given { bytes: inner, span })
}
