//! `set-var`, `set-var-fmt`: variables of the process, which are set when their line is read; and the sizes of variables.
//!
//! Source: manual §3.1, §3.2; verdicts asked of 2.6.12 (`fixtures/verdict/global/set-var.cfg`).

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{GlobalDraft, moment};
use crate::expr::pattern::Lists;
use crate::expr::{Context, Expr, Facts, Place, Scope, Template, Value, VarName};
use crate::grammar::Prefix;
use crate::ir::VariableSizes;
use crate::lower::added::Typed;
use crate::lower::args::Args;
use crate::lower::conditions::{expr, template};
use crate::lower::error::{LowerError, Lowered};
use crate::syntax::Word;

/// What an expression in `global` may look at: the variables that were set above it.
struct Above<'v>(&'v [(VarName, Value<'static>)]);

impl Facts for Above<'_> {
    fn variable(&self, name: &VarName) -> Option<Value<'_>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.borrowed())
    }

    fn variables(&self, scope: Scope, see: &mut dyn FnMut(&str, &Value<'_>)) {
        self.0.iter().filter(|(name, _)| name.scope() == scope).for_each(|(name, value)| see(name.name(), value));
    }

    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn random(&self) -> u64 {
        RandomState::new().hash_one(0)
    }
}

/// The variable that is to be set.
fn name(args: &mut Args<'_>) -> Lowered<VarName> {
    let word = args.word("a variable 'proc.<name>', and what it is set to")?;
    let name = VarName::parse(word.bytes).ok_or_else(|| word.blame(LowerError::Variable { text: word.text() }))?;
    if name.scope() != Scope::Process {
        return Err(word.blame(LowerError::Misplaced("only variables of the scope 'proc' can be set here")));
    }
    Ok(name)
}

fn set(global: &mut GlobalDraft, name: VarName, value: Option<Value<'static>>) {
    // Without a value nothing is done.
    let Some(value) = value else { return };
    let known = &mut global.ir.variables;
    match known.iter_mut().find(|(other, _)| *other == name) {
        Some((_, old)) => *old = value,
        None => known.push((name, value)),
    }
}

/// `set-var <name> <expression>`: what follows the expression is passed over, as in haproxy.
pub fn set_var(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let name = name(args)?;
    let expr = expr(args, Place::Config)?;
    let value = expr.value(&Above(&global.ir.variables)).map(Value::into_owned);
    set(global, name, value);
    Ok(())
}

/// `set-var-fmt <name> <text>`: the same with a text that has expressions in it.
pub fn set_var_format(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let name = name(args)?;
    args.need("a text")?;
    let at = args.position();
    let word =
        args.words().get(at).map(|word| Word { bytes: moment::put_in(&word.bytes, args.world).into(), ..word.clone() });
    let words: Vec<Word<'_>> = word.into_iter().collect();
    let mut said = Vec::new();
    let mut filled = Args::new(&words, 0, 0, Prefix::Plain, &mut *args.world, &mut said);
    let text = template(&mut filled, Place::Config)?.evaluate(&Above(&global.ir.variables));
    set(global, name, Some(Value::owned(text)));
    Ok(())
}

/// A number of bytes; nothing is 0, and so is what is below.
fn size(args: &mut Args<'_>) -> Lowered<u64> {
    let Some(word) = args.next_word() else { return Ok(0) };
    let number: Result<i64, _> = word.text().trim_start().parse();
    match number {
        Ok(number) => Ok(u64::try_from(number).unwrap_or(0)),
        Err(_) if word.bytes.is_empty() => Ok(0),
        Err(_) => Err(word.blame(LowerError::Number { text: word.text() })),
    }
}

macro_rules! sizes {
    ($($function:ident $field:ident $doc:literal,)*) => {
        $(#[doc = $doc]
        pub fn $function(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
            let size = size(args)?;
            global.ir.variable_sizes = VariableSizes { $field: size, ..global.ir.variable_sizes };
            Ok(())
        })*
    };
}

sizes! {
    all all "`tune.vars.global-max-size <bytes>`: the last one wins.",
    process process "`tune.vars.proc-max-size <bytes>`: the last one wins.",
    session session "`tune.vars.sess-max-size <bytes>`: the last one wins.",
    transaction transaction "`tune.vars.txn-max-size <bytes>`: the last one wins.",
    message message "`tune.vars.reqres-max-size <bytes>`: the last one wins.",
    check check "`tune.vars.check-max-size <bytes>`: the last one wins.",
}

/// The value of an expression, or of a text with expressions, that was typed at run time; `None`: it gives none. Files are not
/// read then. `host`: its name, and what its time is ahead of UTC.
///
/// # Errors
/// What is wrong, in words.
pub fn typed(
    text: &str,
    format: bool,
    environment: &[(String, Vec<u8>)],
    host: (String, fn(i64) -> i32),
    facts: &dyn Facts,
) -> Result<Option<Value<'static>>, String> {
    let world = Typed { line: Vec::new(), environment, host };
    let context = Context { place: Place::Cli, strict: true, world: &world, lists: &Lists::default() };
    if format {
        let template =
            Template::parse(&moment::put_in(text.as_bytes(), &world), &context).map_err(|why| why.to_string())?;
        return Ok(Some(Value::owned(template.evaluate(facts))));
    }
    let expr = Expr::parse(text.as_bytes(), &context).map_err(|why| why.to_string())?;
    Ok(expr.value(facts).map(Value::into_owned))
}
