//! Lines that open a section: names, `from`, and the address that `listen` and `frontend` could once carry.
//!
//! Source: manual §4; which defaults a proxy takes was asked of 2.6.

use std::collections::HashMap;

use super::args::Args;
use super::bind::{self, BindDraft};
use super::draft::{ProxyDraft, Settings, is_backend, is_frontend};
use super::error::{Blame, LowerError, Lowered};
use super::{names, options_line};
use crate::grammar::{OptionLine, SectionKind};
use crate::text::{Diagnostic, Span};

/// One `defaults` section that was read.
#[derive(Debug)]
pub(super) struct Defaults {
    /// What it says.
    pub draft: ProxyDraft,
    /// Whether a proxy named it.
    named_by_proxy: bool,
    /// Whether a proxy took it without naming it.
    taken: bool,
    /// What inherited its rules.
    ruled: Option<SectionKind>,
}

/// All proxies and defaults as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Sections {
    /// Proxies in the order of the files.
    pub proxies: Vec<ProxyDraft>,
    /// How many proxies stand before the first `stats` line of `global`.
    pub statistics: Option<usize>,
    /// Defaults in the order of the files; the last one holds for proxies that name none.
    pub defaults: Vec<Defaults>,
    /// Tables of `peers` sections.
    pub of_peers: Vec<super::tables::TableDraft>,
    /// The names of rings.
    pub rings: Vec<String>,
    /// Whether an expression asks for what PROXY headers say besides addresses.
    pub keeps_headers: std::cell::Cell<bool>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Sections {
    /// Opens `defaults [name] [from <name>]`.
    ///
    /// # Errors
    /// A name that cannot be one, or unknown or ambiguous defaults behind `from`.
    pub(super) fn open_defaults(&mut self, args: &mut Args<'_>) -> Lowered {
        let mut name = String::new();
        // a lone `from` is a name
        let second = args.words().get(2).is_some_and(|word| !word.bytes.is_empty());
        if args.peek().is_some_and(|word| word != b"from" || !second)
            && let Some(word) = args.next_word()
        {
            name = word.text();
        }
        let set = self.from(SectionKind::Defaults, args)?.unwrap_or_default();
        let draft = ProxyDraft::new(SectionKind::Defaults, name, args.span(), set);
        self.defaults.push(Defaults { draft, named_by_proxy: false, taken: false, ruled: None });
        Ok(())
    }

    /// Opens `frontend`, `backend` or `listen`. The proxy exists even if its line is wrong, so that its statements are
    /// judged too.
    ///
    /// # Errors
    /// No name, a name that cannot be one or that another proxy has, unknown defaults, a wrong old address.
    pub(super) fn open_proxy(&mut self, kind: SectionKind, args: &mut Args<'_>) -> Lowered {
        let named = args.word("a name");
        let (name, span) = named.as_ref().map_or((String::new(), args.span()), |word| (word.text(), word.span));
        let mut fault = match &named {
            Ok(word) => names::check(word).err(),
            Err(_) => None,
        };
        let mut address = None;
        if args.peek().is_some_and(|word| !word.is_empty() && word != b"from") && kind != SectionKind::Backend {
            address = args.next_word();
        }
        let set = match self.from(kind, args) {
            Ok(Some(set)) => set,
            Ok(None) => self.implicit(kind, args),
            Err(blame) => {
                fault = fault.or(Some(blame));
                Settings::default()
            }
        };
        if fault.is_none() {
            fault = self.clash(kind, &name, span);
        }
        let mut draft = ProxyDraft::new(kind, name.clone(), span, set);
        if let Some(address) = address {
            let listened = bind::endpoints(&address, args).and_then(|endpoints| {
                let shown = [address.text()].into_iter().chain(left(args)).collect::<Vec<_>>().join(" ");
                let mut options = BindDraft::default();
                options_line::bind(&mut options, OptionLine::Bind, args)?;
                bind::add(&mut draft, &endpoints, &options, address.span);
                let message =
                    format!("an address on the '{}' line is an old form: it is read as 'bind {shown}'", kind.keyword());
                let hint = format!("write 'bind {shown}' on a line of its own below");
                args.say(Diagnostic::our_warning(address.span, message).hint(hint));
                Ok(())
            });
            fault = fault.or(listened.err());
        }
        fault = fault.or(args.end().err());
        self.by_name.entry(name).or_default().push(self.proxies.len());
        self.proxies.push(draft);
        match (named, fault) {
            (Err(blame), _) | (Ok(_), Some(blame)) => Err(blame),
            (Ok(_), None) => Ok(()),
        }
    }

    /// The settings behind `from <name>`, if it stands here.
    fn from(&mut self, kind: SectionKind, args: &mut Args<'_>) -> Lowered<Option<Settings>> {
        if !args.take("from") {
            return Ok(None);
        }
        let word = args.word("the name of a 'defaults' section")?;
        names::check(&word)?;
        let name = word.text();
        let mut found = self.defaults.iter_mut().filter(|one| one.draft.name == name);
        let Some(one) = found.next() else {
            return Err(word.blame(LowerError::NoDefaults { name }));
        };
        if let Some(other) = found.next() {
            let lines = (one.draft.span.line, other.draft.span.line);
            return Err(word.blame(LowerError::AmbiguousDefaults { name, first: lines.0, second: lines.1 }));
        }
        one.named_by_proxy = true;
        if one.taken {
            mixed(&name, word.span, args);
        }
        hand_rules(one, kind, args);
        Ok(Some(super::acls::handed(&one.draft.set)))
    }

    /// The settings of the last `defaults`.
    fn implicit(&mut self, kind: SectionKind, args: &mut Args<'_>) -> Settings {
        let Some(last) = self.defaults.last_mut() else { return Settings::default() };
        last.taken = true;
        if last.named_by_proxy {
            mixed(&last.draft.name, args.span(), args);
        }
        hand_rules(last, kind, args);
        super::acls::handed(&last.draft.set)
    }

    /// Two proxies may have one name only if one is a frontend and the other a backend.
    fn clash(&self, kind: SectionKind, name: &str, span: Span) -> Option<Blame> {
        let others = self.by_name.get(name)?;
        let clashes =
            |other: SectionKind| is_frontend(kind) && is_frontend(other) || is_backend(kind) && is_backend(other);
        let other = others.iter().filter_map(|at| self.proxies.get(*at)).find(|other| clashes(other.kind))?;
        let error = LowerError::NameTaken { name: name.to_owned(), line: other.span.line };
        Some(Blame { span, error, hint: None })
    }

    /// The proxies of that name, in order.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = usize> + '_ {
        self.by_name.get(name).into_iter().flatten().copied()
    }
}

/// Rules of defaults are for frontends or for backends, not for other defaults.
fn hand_rules(defaults: &mut Defaults, kind: SectionKind, args: &mut Args<'_>) {
    let set = &defaults.draft.set;
    let rules = &set.rules;
    let early = !rules.connection.is_empty() || !rules.session.is_empty();
    let any = early || !rules.request.is_empty() || !rules.response.is_empty() || !set.http_rules.is_empty();
    if !any {
        return;
    }
    let other = if kind == SectionKind::Defaults { None } else { defaults.ruled.replace(kind) };
    let other = other.filter(|other| *other != kind);
    let wrong = match kind {
        SectionKind::Defaults => Some("a 'defaults' section cannot inherit rules".to_owned()),
        SectionKind::Listen => Some("a 'listen' section cannot inherit rules".to_owned()),
        SectionKind::Backend if early => {
            Some("a backend cannot inherit rules about connections or sessions".to_owned())
        }
        SectionKind::Frontend if !rules.response.is_empty() => {
            Some("a frontend cannot inherit rules about responses".to_owned())
        }
        _ => other.map(|_| "a frontend and a backend cannot inherit rules from the same defaults".to_owned()),
    };
    if let Some(message) = wrong {
        let message = format!("{message}: 'defaults {}' has some", defaults.draft.name);
        args.say(Diagnostic::alert(args.span(), message).hint("name other defaults with 'from'"));
    }
}

/// Warns of defaults that some proxies name and others take; haproxy says so as an alert, and starts all the same.
fn mixed(name: &str, span: Span, args: &mut Args<'_>) {
    let message =
        format!("'defaults {name}' is named with 'from' here and taken without elsewhere, or the other way round");
    args.say(Diagnostic::our_warning(span, message).hint("name it everywhere, or nowhere"));
}

/// The words that are left, without taking them.
fn left(args: &Args<'_>) -> Vec<String> {
    let words = args.words().get(args.position()..).unwrap_or_default();
    words.iter().map(|word| String::from_utf8_lossy(&word.bytes).into_owned()).collect()
}
