//! Variables that are set in the middle of an expression, and names that are looked up at run time.

use super::{ANY, Arg, Args, BOOL, Context, ExprError, Facts, INT, Row, STR, Value, row, text};
use crate::expr::VarName;
use crate::expr::args::VARIABLE;

pub(super) const ROWS: &[Row] = &[
    row("fe_exists", "", (STR, BOOL), super::plain, |_, value, facts| {
        facts.frontend_exists(&value.into_text()).map(Value::Bool)
    })
    .of_sessions(),
    row("nbsrv", "", (STR, INT), super::plain, |_, value, facts| {
        facts.usable_servers(&value.into_text()).map(Value::Int)
    })
    .of_sessions(),
    row("set-var", "s|ssss", (ANY, ANY), conditions, set).of_sessions(),
    row("srv_is_up", "", (STR, BOOL), super::plain, |_, value, facts| {
        facts.server_is_up(&value.into_text()).map(Value::Bool)
    })
    .of_sessions(),
    row("srv_queue", "", (STR, INT), super::plain, |_, value, facts| {
        facts.server_queue(&value.into_text()).map(Value::Int)
    })
    .of_sessions(),
    row("unset-var", "s", (ANY, ANY), name, |args, value, facts| {
        if let Some(Arg::Var(name)) = args.first() {
            facts.set_variable(name, None);
        }
        Some(value)
    })
    .of_sessions(),
];

fn name(args: &mut Args, _: &Context<'_>) -> Result<(), ExprError> {
    let name = VarName::parse(args.text(0)).ok_or_else(|| args.kind(0, VARIABLE))?;
    args.set(0, Arg::Var(name));
    Ok(())
}

const CONDITIONS: [&[u8]; 8] =
    [b"ifexists", b"ifnotexists", b"ifempty", b"ifnotempty", b"ifset", b"ifnotset", b"ifgt", b"iflt"];

fn conditions(args: &mut Args, context: &Context<'_>) -> Result<(), ExprError> {
    name(args, context)?;
    for ix in 1..args.list.len() {
        if !CONDITIONS.contains(&args.text(ix)) {
            return Err(args.kind(ix, "'ifexists', 'ifempty', 'ifset', 'ifgt', 'iflt' or one with 'not' in it"));
        }
    }
    Ok(())
}

/// Sets the variable if all conditions hold; gives nothing otherwise.
fn set<'a>(args: &'a [Arg], value: Value<'a>, facts: &'a dyn Facts) -> Option<Value<'a>> {
    let Some(Arg::Var(name)) = args.first() else { return None };
    let all = (1..args.len()).all(|ix| holds(text(args, ix), name, &value, facts));
    if !all {
        return None;
    }
    facts.set_variable(name, Some(value.borrowed()));
    Some(value)
}

/// The conditions of a variable that a rule is to set: all must hold.
#[derive(Debug, Clone, Default)]
pub struct VarConditions(Vec<&'static [u8]>);

impl VarConditions {
    /// Reads their names, divided by commas. `None`: one of them is none.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let known = |name: &[u8]| CONDITIONS.into_iter().find(|known| *known == name);
        text.split(|byte| *byte == b',').map(known).collect::<Option<_>>().map(Self)
    }

    /// Whether the variable is to get this value.
    pub fn hold(&self, name: &VarName, value: &Value<'_>, facts: &dyn Facts) -> bool {
        self.0.iter().all(|condition| holds(condition, name, value, facts))
    }
}

/// Whether one of the conditions of a variable that is to be set holds.
pub(in crate::expr) fn holds(condition: &[u8], name: &VarName, value: &Value<'_>, facts: &dyn Facts) -> bool {
    let empty = matches!(value, Value::Str(bytes) | Value::Bin(bytes) if bytes.is_empty());
    let order = || match (facts.variable(name), value) {
        (Some(Value::Int(old)), Value::Int(new)) => Some(old.cmp(new)),
        _ => None,
    };
    match condition {
        b"ifexists" => facts.variable_exists(name),
        b"ifnotexists" => !facts.variable_exists(name),
        b"ifempty" => empty,
        b"ifnotempty" => !empty,
        b"ifset" => facts.variable(name).is_some(),
        b"ifnotset" => facts.variable(name).is_none(),
        b"ifgt" => order().is_none_or(std::cmp::Ordering::is_gt),
        _ => order().is_none_or(std::cmp::Ordering::is_lt),
    }
}
