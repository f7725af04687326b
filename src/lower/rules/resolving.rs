//! `do-resolve`. Source: configuration manual §4.2; odd words were asked of 2.6.12 (`fixtures/verdict/rules/tcp`).

use super::{Ruleset, inner};
use crate::expr::{NameRef, VarName};
use crate::ir::{Action, NameLookup};
use crate::lower::args::{Args, Given};
use crate::lower::conditions;
use crate::lower::error::{LowerError, Lowered};
use crate::text::Diagnostic;
use crate::units::address::Family;

/// `do-resolve(<variable>,<resolvers>[,ipv4|ipv6]...) <expression>`: of several families the last one is preferred. A variable
/// that cannot be is taken, and stays unset, as in haproxy.
pub fn resolve(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    // what stands behind the parenthesis is not looked at
    let end = word.bytes.iter().rposition(|byte| *byte == b')').map_or(word.bytes.len(), |at| at + 1);
    let inner = inner(&Given { bytes: &word.bytes[..end], span: word.span })?;
    let mut parts = inner.bytes.split(|byte| *byte == b',');
    let (variable, section) = (parts.next().unwrap_or_default(), parts.next());
    let wrong = || word.blame(LowerError::Misplaced("a variable and a 'resolvers' section are needed in parentheses"));
    let section = String::from_utf8_lossy(section.ok_or_else(wrong)?).as_ref().into();
    let mut prefer = Family::Any;
    for part in parts {
        prefer = match part {
            b"ipv4" => Family::V4,
            b"ipv6" => Family::V6,
            b"" => continue,
            _ => {
                let text = String::from_utf8_lossy(part).into_owned();
                return Err(word.blame(LowerError::Choice { text, choices: &["ipv4", "ipv6"] }));
            }
        };
    }
    let name = VarName::parse(variable);
    if name.is_none() {
        let text = String::from_utf8_lossy(variable);
        let message = format!("'{text}' is no variable: what is looked up is kept nowhere");
        args.say(Diagnostic::diag(word.span, message));
    }
    let section = NameRef { name: section, id: None };
    let lookup = NameLookup { variable: name, section, prefer, name: conditions::expr(args, ruleset.place)? };
    Ok(Action::Resolve(Box::new(lookup)))
}
