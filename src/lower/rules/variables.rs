//! `set-var`, `set-var-fmt`, `unset-var`. Source: configuration manual §4.2.

use super::{Ruleset, inner};
use crate::expr::{Scope, VarName};
use crate::ir::Action;
use crate::lower::args::{Args, Given};
use crate::lower::conditions;
use crate::lower::error::{LowerError, Lowered};

/// The variable between the parentheses.
fn name(word: &Given<'_>) -> Lowered<VarName> {
    let inner = inner(word)?;
    if let Some(comma) = inner.bytes.iter().position(|byte| *byte == b',') {
        let condition = String::from_utf8_lossy(&inner.bytes[comma + 1..]).into_owned();
        return Err(word.blame(LowerError::NotYet { what: format!("the condition '{condition}' of a variable") }));
    }
    let name = VarName::parse(inner.bytes).filter(|name| name.scope() != Scope::Check);
    name.ok_or_else(|| inner.blame(LowerError::Variable { text: inner.text() }))
}

/// `set-var(<name>) <expression>`.
pub fn set(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let name = name(&word)?;
    Ok(Action::SetVar(name, conditions::expr(args, ruleset.place)?))
}

/// `set-var-fmt(<name>) <text>`.
pub fn set_format(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let name = name(&word)?;
    Ok(Action::SetVarFormat(name, conditions::template(args, ruleset.place)?))
}

/// `unset-var(<name>)`.
pub fn unset(_: Ruleset, word: Given<'_>, _: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::UnsetVar(name(&word)?))
}
