//! `set-var(…)`, `set-var-fmt(…)` and `unset-var(…)` among the rules of checks. Source: manual §4.2.
//!
//! haproxy reads one expression or text and passes over the words behind it.

use super::{Rule, expr};
use crate::expr::{Scope, VarName};
use crate::ir::check::Act;
use crate::lower::args::{Args, Given};
use crate::lower::error::{LowerError, Lowered};

/// The variable in the parentheses of the keyword.
fn name(args: &Args<'_>) -> Lowered<VarName> {
    let at = args.position().saturating_sub(1);
    let Some(word) = args.words().get(at) else { return Err(args.missing("a variable")) };
    let word = Given { bytes: &word.bytes, span: word.span };
    let wrong = || word.blame(LowerError::Misplaced("the variable stands in parentheses: 'set-var(check.name)'"));
    let open = word.bytes.iter().position(|byte| *byte == b'(').ok_or_else(wrong)?;
    let inner = word.bytes[open + 1..].strip_suffix(b")").ok_or_else(wrong)?;
    if let Some(comma) = inner.iter().position(|byte| *byte == b',') {
        let condition = String::from_utf8_lossy(&inner[comma + 1..]).into_owned();
        return Err(word.blame(LowerError::NotYet { what: format!("the condition '{condition}' of a variable") }));
    }
    let name = VarName::parse(inner)
        .ok_or_else(|| word.blame(LowerError::Variable { text: String::from_utf8_lossy(inner).into_owned() }))?;
    match name.scope() {
        Scope::Check | Scope::Session | Scope::Process => Ok(name),
        scope => Err(word.blame(LowerError::NotYet { what: format!("variables of the scope '{}'", scope.name()) })),
    }
}

/// Reads `set-var(<name>) <expression>`.
pub(super) fn set(args: &mut Args<'_>) -> Lowered<Rule> {
    let name = name(args)?;
    let value = expr(&args.word("an expression")?, args)?;
    Ok(Rule::Act(Act::SetVar(name, value), None))
}

/// Reads `set-var-fmt(<name>) <text>`.
pub(super) fn set_format(args: &mut Args<'_>) -> Lowered<Rule> {
    let name = name(args)?;
    let value = super::format(&args.word("a text")?, args)?;
    Ok(Rule::Act(Act::SetVarFormat(name, value), None))
}

/// Reads `unset-var(<name>)`.
pub(super) fn unset(args: &mut Args<'_>) -> Lowered<Rule> {
    Ok(Rule::Act(Act::UnsetVar(name(args)?), None))
}
