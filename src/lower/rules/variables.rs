//! `set-var`, `set-var-fmt`, `unset-var`. Source: configuration manual §4.2.

use super::{Ruleset, inner};
use crate::expr::{VarConditions, VarName};
use crate::ir::Action;
use crate::lower::args::{Args, Given};
use crate::lower::conditions;
use crate::lower::error::{LowerError, Lowered};

/// The variable between the parentheses, and on which conditions it is set.
fn name(word: &Given<'_>) -> Lowered<(VarName, VarConditions)> {
    let inner = inner(word)?;
    let (name, conditions) = match inner.bytes.iter().position(|byte| *byte == b',') {
        Some(comma) => {
            let words = &inner.bytes[comma + 1..];
            let wrong =
                || inner.blame(LowerError::VariableCondition { text: String::from_utf8_lossy(words).into_owned() });
            (&inner.bytes[..comma], VarConditions::parse(words).ok_or_else(wrong)?)
        }
        None => (inner.bytes, VarConditions::default()),
    };
    let name = VarName::parse(name).ok_or_else(|| inner.blame(LowerError::Variable { text: inner.text() }))?;
    Ok((name, conditions))
}

/// `set-var(<name>) <expression>`.
pub fn set(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let (name, when) = name(&word)?;
    Ok(Action::SetVar(name, when, conditions::expr(args, ruleset.place)?))
}

/// `set-var-fmt(<name>) <text>`.
pub fn set_format(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let (name, when) = name(&word)?;
    Ok(Action::SetVarFormat(name, when, conditions::template(args, ruleset.place)?))
}

/// `unset-var(<name>)`.
pub fn unset(_: Ruleset, word: Given<'_>, _: &mut Args<'_>) -> Lowered<Action> {
    match inner(&word)?.bytes.contains(&b',') {
        true => Err(word.blame(LowerError::Misplaced("a variable is forgotten without conditions"))),
        false => Ok(Action::UnsetVar(name(&word)?.0)),
    }
}
