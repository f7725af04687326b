//! Actions that change what a session is taken for, how its packets are marked, and how its line and its place in queues are.
//!
//! Source: configuration manual §4.2 "http-request set-src" and its neighbours, 3.x's for the names with `fc`.

use super::Ruleset;
use crate::expr::Expr;
use crate::grammar::SectionKind;
use crate::ir::{Action, Amount, End, Level, MOST_RETRIES, Rule};
use crate::lower::args::{Args, Given};
use crate::lower::conditions;
use crate::lower::draft::{ProxyDraft, is_backend};
use crate::lower::error::{LowerError, Lowered};

/// `set-src <expression>`.
pub fn source(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::SetEnd(End::Source, expr(ruleset, args)?))
}

/// `set-src-port <expression>`.
pub fn source_port(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::SetEnd(End::SourcePort, expr(ruleset, args)?))
}

/// `set-dst <expression>`.
pub fn destination(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::SetEnd(End::Destination, expr(ruleset, args)?))
}

/// `set-dst-port <expression>`.
pub fn destination_port(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::SetEnd(End::DestinationPort, expr(ruleset, args)?))
}

/// `set-priority-class <expression>`.
pub fn priority_class(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::PriorityClass(expr(ruleset, args)?))
}

/// `set-priority-offset <expression>`.
pub fn priority_offset(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::PriorityOffset(expr(ruleset, args)?))
}

/// `set-mark <number>`: of the packets to the client.
pub fn mark(_: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::Mark(Amount::Number(args.c_number()?)))
}

/// `set-tos <number>`: of the packets to the client.
pub fn tos(_: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::Tos(Amount::Number(args.c_number()?)))
}

/// `set-fc-mark <number>|<expression>`.
pub fn client_mark(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::Mark(number(ruleset, args)?))
}

/// `set-fc-tos <number>|<expression>`.
pub fn client_tos(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::Tos(number(ruleset, args)?))
}

/// `set-bc-mark <number>|<expression>` (3.0).
pub fn server_mark(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::ServerMark(number(ruleset, args)?))
}

/// `set-bc-tos <number>|<expression>` (3.0).
pub fn server_tos(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::ServerTos(number(ruleset, args)?))
}

/// `set-retries <number>|<expression>` (3.2): 0 to 100; where it may stand is [`belongs`]'s.
pub fn retries(ruleset: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    if args.peek().and_then(<[u8]>::first).is_some_and(|first| first.is_ascii_digit() || *first == b'-') {
        let number = args.word("a number of retries")?.int(0, MOST_RETRIES.into())?;
        return Ok(Action::Retries(Amount::Number(u32::try_from(number).unwrap_or(MOST_RETRIES))));
    }
    Ok(Action::Retries(Amount::Expr(expr(ruleset, args)?)))
}

/// Whether a rule may stand in its section.
///
/// # Errors
/// Retries are set where there are no servers, or in "defaults".
pub(super) fn belongs(proxy: &ProxyDraft, rule: &Rule, args: &Args<'_>) -> Lowered {
    if matches!(rule.action, Action::Retries(_)) && (proxy.kind == SectionKind::Defaults || !is_backend(proxy.kind)) {
        let error = LowerError::Misplaced("retries are set where servers are: in a 'backend' or 'listen' section");
        return Err(args.blame_keyword(error));
    }
    Ok(())
}

/// `set-log-level <level>|silent`.
pub fn log_level(_: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    const NAMES: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "silent"];
    const LEVELS: [Level; 8] =
        [Level::Emerg, Level::Alert, Level::Crit, Level::Err, Level::Warning, Level::Notice, Level::Info, Level::Debug];
    let word = args.word("a level, or 'silent'")?;
    match NAMES.iter().position(|name| name.as_bytes() == word.bytes) {
        Some(at) => Ok(Action::LogLevel(LEVELS.get(at).copied())),
        None => Err(word.blame(LowerError::Choice { text: word.text(), choices: NAMES })),
    }
}

fn expr(ruleset: Ruleset, args: &mut Args<'_>) -> Lowered<Expr> {
    conditions::expr(args, ruleset.place)
}

/// What begins with a digit is a number.
fn number(ruleset: Ruleset, args: &mut Args<'_>) -> Lowered<Amount> {
    if args.peek().and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit) {
        return Ok(Amount::Number(args.c_number()?));
    }
    Ok(Amount::Expr(expr(ruleset, args)?))
}
