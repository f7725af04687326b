//! `get var`, `set var`: variables of the process. Source: management manual §9.3; forms asked of 2.6.12.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Command, Console, wrong};
use crate::expr::{Facts, Scope, Value, VarName};
use crate::ir::{AdminLevel, Level};
use crate::pool::{Freedom, Later, Pool, Reply, Typed};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: &["get", "var"],
        usage: "<name>",
        help: "a variable of the process",
        level: AdminLevel::Operator,
        run: |console, args| console.get_variable(args.first().copied()),
    },
    Command {
        words: &["set", "var"],
        usage: "<name> [expr|fmt] <value>",
        help: "",                // as in haproxy, who needs it knows it
        level: AdminLevel::User, // who may have the mode is an administrator
        run: |console, args| {
            let (pool, environment) = (Arc::clone(&console.pool), Arc::clone(&console.background.environment));
            let words: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
            Reply::Restricted(Freedom::Experimental, Later(Box::new(move || set(&pool, &environment, &words))))
        },
    },
];

/// What an expression that is typed may look at: the variables of the process, and the clock.
struct Process<'p>(&'p Pool);

impl Facts for Process<'_> {
    fn variable(&self, name: &VarName) -> Option<Value<'_>> {
        let value = self.0.variables.get(name.name()).filter(|_| name.scope() == Scope::Process)?;
        Some(value.borrowed().into_owned())
    }

    fn variables(&self, scope: Scope, see: &mut dyn FnMut(&str, &Value<'_>)) {
        if scope == Scope::Process {
            self.0.variables.each(see);
        }
    }

    fn variable_exists(&self, name: &VarName) -> bool {
        name.scope() == Scope::Process && self.0.variables.exists(name.name())
    }

    fn set_variable(&self, name: &VarName, value: Option<Value<'_>>) {
        if name.scope() == Scope::Process {
            self.0.variables.set(name.name(), value);
        }
    }

    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn random(&self) -> u64 {
        RandomState::new().hash_one(0)
    }
}

impl Console {
    fn get_variable(&self, word: Option<&str>) -> Reply {
        let Some(word) = word else { return wrong("The name of a variable of the process is needed.") };
        let name = VarName::parse(word.as_bytes()).filter(|name| name.scope() == Scope::Process);
        let Some(value) = name.and_then(|name| self.pool.variables.get(name.name())) else {
            return wrong("Variable not found.");
        };
        let kind = match &*value {
            Value::Bool(_) => "bool",
            Value::Int(_) => "sint",
            Value::Ipv4(_) => "ipv4",
            Value::Ipv6(_) => "ipv6",
            Value::Str(_) => "str",
            Value::Bin(_) => "bin",
        };
        let bytes = match &*value {
            // Shown as text, which ends at a zero byte.
            Value::Str(bytes) | Value::Bin(bytes) => bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            value => value.to_text(),
        };
        // The line has no end of its own, as in haproxy.
        Reply::Remark(Level::Info, format!("{word}: type={kind} value=<{}>", String::from_utf8_lossy(&bytes)))
    }
}

/// `<name> <expression>`, `<name> expr <expression>` or `<name> fmt <text>`.
fn set(pool: &Pool, environment: &[(String, Vec<u8>)], words: &[String]) -> Reply {
    let Some((word, rest)) = words.split_first() else {
        return wrong("The name of a variable of the process is needed.");
    };
    let name = match VarName::parse(word.as_bytes()) {
        Some(name) if name.scope() == Scope::Process => name,
        Some(_) => return wrong(&format!("'{word}' cannot be set here: only variables 'proc.<name>' can.")),
        None => return wrong(&format!("'{word}' is no name of a variable: 'proc.<name>' is needed.")),
    };
    let (format, text) = match rest {
        [] => return wrong("An expression is needed, or 'expr' or 'fmt' before what the variable is set to."),
        [text] => (false, text),
        [kind, text, ..] if kind == "expr" || kind == "fmt" => (kind == "fmt", text),
        [kind, ..] => return wrong(&format!("'expr' or 'fmt' is needed where '{kind}' stands.")),
    };
    let typed = Typed { text, format, environment };
    match pool.read_value(&typed, &Process(pool)) {
        // What gives no value changes nothing.
        Ok(None) => Reply::Done,
        Ok(Some(value)) => match pool.variables.set(name.name(), Some(value)) {
            true => Reply::Done,
            false => wrong("There is no room left for variables: 'tune.vars.proc-max-size'."),
        },
        Err(why) => wrong(&format!("{why}.")),
    }
}
