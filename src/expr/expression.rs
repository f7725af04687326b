//! Expressions: a fetch, and what converters make of it.
//!
//! An expression is compiled once, with the place where it stands, and evaluated against [`Facts`]. Its words are those of a
//! configuration line: behind a comma at the end of a word, or behind a whole expression, the next word may be a converter.
//! Source: manual §7.3; words, blanks and commas asked of 2.6 (docs/OBSERVED.md).

use std::fmt;
use std::sync::Arc;

use super::args::{Arg, BUFFER, NameRef, ServerRef};
use super::context::Context;
use super::convert::{self, Converter};
use super::error::{ArgError, ExprError, Wrong, shown};
use super::fetch::{self, Fetch};
use super::{Facts, Fetched, Known, Places, Scope, Test, Type, Value, VarName};

/// An expression.
#[derive(Clone)]
pub struct Expr {
    /// As it was written.
    text: Box<[u8]>,
    fetch: Fetch,
    name: &'static str,
    places: Places,
    fetched: Type,
    converters: Box<[Converter]>,
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({})", self.text.escape_ascii())
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expr {}

/// What names of the configuration stand for.
pub trait Resolve {
    /// A backend's number; an empty name is the one that the expression stands in.
    fn backend(&self, name: &str) -> Option<u32>;
    /// A frontend's.
    fn frontend(&self, name: &str) -> Option<u32>;
    /// The numbers of a backend and of a server of it.
    fn server(&self, backend: Option<&str>, name: &str) -> Option<(u32, u32)>;
    /// A stick table's number.
    fn table(&self, name: &str) -> Option<u32>;
    /// An expression asks for what PROXY headers say besides addresses: it is to be kept.
    fn keep_headers(&self) {}
    /// Whether there is a ring of that name.
    fn ring(&self, _name: &str) -> bool {
        true
    }
    /// The tests of an ACL of the section.
    fn acl(&self, _name: &[u8]) -> Option<Arc<Vec<Test>>> {
        None
    }
}

impl Expr {
    /// Compiles the expression that begins with the word `*at`, which is behind its last word then.
    ///
    /// # Errors
    /// [`ExprError`], for the first part that is wrong.
    pub fn compile(words: &[&[u8]], at: &mut usize, context: &Context<'_>) -> Result<Self, ExprError> {
        let first = *at;
        let text = words.get(first).copied().unwrap_or_default();
        let mut here = 0;
        let fetch = fetch::read((first, text), &mut here, context).map_err(|why| joined(why, words))?;
        if context.strict && !fetch.places.allow(context.place) {
            let why = Wrong::NotHere { name: fetch.name, place: context.place };
            return Err(ExprError::new(first, 0..fetch.name.len(), why));
        }
        let mut converters: Vec<Converter> = Vec::new();
        let (mut kind, mut name) = (fetch.gives, fetch.name);
        let mut word = first;
        loop {
            let text = words.get(word).copied().unwrap_or_default();
            if here == text.len() {
                // The next word goes on if it is a converter, whether a comma stands here or not.
                let Some(next) = words.get(word + 1) else { break };
                let end = next.iter().position(|byte| b"(,".contains(byte)).unwrap_or(next.len());
                if convert::named(&next[..end]).is_none() {
                    break;
                }
                (word, here) = (word + 1, 0);
            } else if text[here] == b',' {
                here += text[here..].iter().take_while(|byte| **byte == b',').count();
                if here == text.len() {
                    continue;
                }
            } else {
                let why = Wrong::NoComma { name: name.to_owned() };
                return Err(ExprError::new(word, here..text.len(), why));
            }
            let text = words.get(word).copied().unwrap_or_default();
            let made = convert::read((word, text), &mut here, kind, context).map_err(|why| joined(why, words))?;
            (kind, name) = (made.gives(), made.name());
            converters.push(made);
        }
        *at = word + 1;
        let text = words[first..=word.min(words.len() - 1)].join(&b' ').into();
        let (places, fetched) = (fetch.places, fetch.gives);
        Ok(Self { text, fetch: fetch.fetch, name: fetch.name, places, fetched, converters: converters.into() })
    }

    /// Compiles an expression that is the whole of one word.
    ///
    /// # Errors
    /// [`ExprError`].
    pub fn parse(text: &[u8], context: &Context<'_>) -> Result<Self, ExprError> {
        Self::compile(&[text], &mut 0, context)
    }

    /// As it was written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The type of its value.
    pub fn gives(&self) -> Type {
        self.converters.last().map_or(self.fetched, Converter::gives)
    }

    /// What its fetch is called.
    pub fn fetch_name(&self) -> &'static str {
        self.name
    }

    /// Its fetch.
    pub fn fetch(&self) -> &Fetch {
        &self.fetch
    }

    /// Whether converters follow the fetch.
    pub fn converted(&self) -> bool {
        !self.converters.is_empty()
    }

    /// Whether it names ACLs.
    pub(super) fn names_acls(&self) -> bool {
        let mut args = self.converters.iter().flat_map(Converter::args);
        matches!(self.fetch, Fetch::Acls(_)) || args.any(|arg| matches!(arg, Arg::Acl(_)))
    }

    /// Where its fetch may stand.
    pub fn places(&self) -> Places {
        self.places
    }

    /// What it gives now.
    pub fn evaluate<'a>(&'a self, facts: &'a dyn Facts) -> Fetched<'a> {
        let mut value = self.fetch.evaluate(facts);
        for converter in &self.converters {
            value = converter.apply(value, facts);
        }
        value
    }

    /// What it gives as of now, for good or not.
    pub fn value<'a>(&'a self, facts: &'a dyn Facts) -> Option<Value<'a>> {
        self.evaluate(facts).value()
    }

    /// What of it only a session can answer, if something does: a check has none.
    pub fn needs_session(&self) -> Option<String> {
        let scope = |name: &VarName| match name.scope() {
            Scope::Check | Scope::Session | Scope::Process => None,
            scope => Some(format!("variables of the scope '{}' in a check", scope.name())),
        };
        let fetched = match &self.fetch {
            Fetch::Constant(_) | Fetch::Missing | Fetch::Date { .. } | Fetch::DateUs | Fetch::Rand(_) | Fetch::Uuid => {
                None
            }
            Fetch::Var(name, _) => scope(name),
            Fetch::Known(known, _) if known.of_checks() => None,
            _ => Some(format!("'{}' in a check", self.name)),
        };
        let mut converted = self.converters.iter().filter_map(|converter| {
            if converter.needs_session() {
                return Some(format!("'{}' in a check", converter.name()));
            }
            converter.args().iter().find_map(|arg| if let Arg::Var(name) = arg { scope(name) } else { None })
        });
        fetched.or_else(|| converted.next())
    }

    /// Looks up the names among its arguments.
    ///
    /// # Errors
    /// [`Wrong::Unresolved`], which blames the whole.
    pub fn resolve(&mut self, names: &dyn Resolve) -> Result<(), ExprError> {
        let whole = 0..self.text.len();
        let fail = |why| ExprError::new(0, whole.clone(), why);
        match &mut self.fetch {
            Fetch::Acls(acls) => acls.iter_mut().try_for_each(|acl| acl.resolve(names)).map_err(&fail)?,
            Fetch::Known(Known::FcPpTlv, _) => names.keep_headers(),
            Fetch::Known(_, args) => args.iter_mut().try_for_each(|arg| resolve(arg, names)).map_err(&fail)?,
            Fetch::Counter(counter) => {
                // Without a name it is the table of the tracked entry; that of an address is the proxy's own.
                let own = counter.of == fetch::Tracked::Source;
                if let Some(table) = counter.table.as_mut().filter(|table| own || !table.name.is_empty()) {
                    find(table, "stick table", |name| names.table(name)).map_err(&fail)?;
                }
            }
            _ => {}
        }
        let mut args = self.converters.iter_mut().flat_map(|converter| converter.args_mut().iter_mut());
        args.try_for_each(|arg| resolve(arg, names)).map_err(fail)
    }
}

fn find(name: &mut NameRef, what: &'static str, look: impl Fn(&str) -> Option<u32>) -> Result<(), Wrong> {
    let id = look(&name.name).ok_or_else(|| Wrong::Unresolved { what, name: name.name.to_string() })?;
    name.id = Some(id);
    Ok(())
}

fn resolve(arg: &mut Arg, names: &dyn Resolve) -> Result<(), Wrong> {
    match arg {
        Arg::Table(name) => find(name, "stick table", |name| names.table(name)),
        Arg::Backend(name) => find(name, "backend", |name| names.backend(name)),
        Arg::Frontend(name) => find(name, "frontend", |name| names.frontend(name)),
        Arg::Acl(acl) => acl.resolve(names),
        Arg::Sink(sink) if matches!(&*sink.name, "stdout" | "stderr" | BUFFER) || names.ring(&sink.name) => Ok(()),
        Arg::Sink(sink) => Err(Wrong::Unresolved { what: "ring", name: sink.name.to_string() }),
        Arg::Server(server) => {
            let ServerRef { backend, name, id } = server;
            let found = names.server(backend.as_deref(), name);
            let backend = backend.as_ref().map(|backend| format!("{backend}/")).unwrap_or_default();
            *id = Some(found.ok_or_else(|| Wrong::Unresolved { what: "server", name: format!("{backend}{name}") })?);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The error of arguments that a blank cuts off, with the words joined.
fn joined(why: ExprError, words: &[&[u8]]) -> ExprError {
    let cut = matches!(&why.why, Wrong::Argument { why: ArgError::Unclosed, .. });
    let rest = words.get(why.word..).unwrap_or_default();
    let close = rest.iter().skip(1).position(|word| word.contains(&b')'));
    match close.filter(|_| cut) {
        Some(close) => {
            let whole = rest[..close + 2].concat();
            why.hint(Some(format!("no blank may stand between the parentheses: '{}'", shown(&whole))))
        }
        None => why,
    }
}
