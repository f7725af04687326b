//! One line after the other: which section it opens, or which function its keyword has.

use std::rc::Rc;

use super::args::Args;
use super::draft::{Named, ProxyDraft, RefusedWord, Settings};
use super::error::{LowerError, Lowered};
use super::global::GlobalDraft;
use super::options_line::what;
use super::section::Sections;
use super::table;
use super::{bind, logs, peers, program, resolvers, ring, rules, userlist};
use crate::expr::pattern::Lists;
use crate::grammar::{self, Acts, GrammarError, Kind, Prefix, Row, SectionKind, Statement, Support};
use crate::syntax::{Line, Word};
use crate::text::{Diagnostic, Severity, World};

/// The state of reading: what was read, and which section the next line stands in.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// `global`.
    pub global: GlobalDraft,
    /// Proxies and defaults.
    pub sections: Sections,
    /// Where rings stand.
    pub rings: ring::RingSpans,
    /// Where `resolvers` sections stand.
    pub resolvers: resolvers::ResolversSpans,
    /// `userlist` sections.
    pub userlists: userlist::Draft,
    /// The lists of patterns and maps that lines name.
    pub lists: Rc<Lists>,
    /// Where `peers` sections stand.
    pub peers: peers::PeersSpans,
    section: Option<SectionKind>,
    /// What `.SECTION` stands for.
    name: Vec<u8>,
}

impl Reading {
    /// What `.SECTION` stands for in the next line.
    pub(super) fn section_name(&self) -> &[u8] {
        &self.name
    }

    /// Relative paths begin where this file's turn puts them.
    pub(super) fn begin_file(&mut self, name: &str, world: &mut dyn World) {
        self.global.file = name.to_owned();
        self.global.base.enter(name, world);
    }

    /// A section does not go on in the next file.
    pub(super) fn end_of_file(&mut self) {
        self.section = None;
        self.name.clear();
    }

    /// Takes one line.
    pub(super) fn line(&mut self, line: &Line<'_>, world: &mut dyn World, said: &mut Vec<Diagnostic>) {
        let words = &line.words;
        self.lists.stand(&self.global.file, words.first().map_or(0, |word| word.span.line as usize));
        match (grammar::section(words), self.section) {
            (Some(section), _) => self.open(section, words, world, said),
            (None, Some(section)) => self.statement(section, words, world, said),
            (None, None) => {
                said.push(grammar::outside(words).diagnostic(words));
            }
        }
    }

    fn open(&mut self, section: SectionKind, words: &[Word<'_>], world: &mut dyn World, said: &mut Vec<Diagnostic>) {
        self.section = Some(section);
        let name = words.get(1).map_or(section.keyword().as_bytes(), |word| &word.bytes);
        self.name = name.to_vec();
        // a `listen` line may carry an old address, so its words are not counted here
        let row = match (grammar::section_line(section, words), section.kind()) {
            (Ok(row), _) => Some(row),
            (Err(_), Kind::Proxy) => None,
            (Err(error), _) => {
                said.push(error.diagnostic(words));
                return;
            }
        };
        let mut args = Args::new(words, 0, 1, Prefix::Plain, world, said);
        let opened = match section {
            SectionKind::Global => args.end(),
            SectionKind::Defaults => self.sections.open_defaults(&mut args),
            SectionKind::Ring => ring::open(&mut self.global.ir, &mut self.rings, &mut args),
            SectionKind::Resolvers => resolvers::open(&mut self.global.ir, &mut self.resolvers, &mut args),
            SectionKind::Peers => peers::open(&mut self.global.ir, &mut self.peers, &mut args),
            SectionKind::Program => program::open(&mut self.global.ir, &mut args),
            SectionKind::Userlist => userlist::open(&mut self.userlists, &mut args),
            SectionKind::Frontend | SectionKind::Listen | SectionKind::Backend => {
                let opened = self.sections.open_proxy(section, &mut args);
                let binds = self.sections.proxies.last_mut().map(|draft| draft.binds.as_mut_slice());
                bind::unix(binds.unwrap_or_default(), &self.global);
                opened
            }
            _ => match row.map(|row| (row, row.support)) {
                Some((row, Support::Refused { acts: Acts::Always, .. })) => {
                    Err(args.blame_keyword(LowerError::NotYet { what: what(row) }))
                }
                _ => Ok(()),
            },
        };
        said.extend(opened.err().map(super::error::Blame::alert));
    }

    fn statement(
        &mut self,
        section: SectionKind,
        words: &[Word<'_>],
        world: &mut dyn World,
        said: &mut Vec<Diagnostic>,
    ) {
        let statement = match grammar::statement(section, words) {
            Ok(statement) => statement,
            Err(error) => {
                said.push(error.diagnostic(words));
                if let GrammarError::Ignored { row, severity: Severity::Warning, at, .. } = error {
                    self.ignored(section, row, at, words, world, said);
                }
                return;
            }
        };
        let keyword = usize::from(statement.prefix != Prefix::Plain);
        let mut args = Args::new(words, keyword, statement.args - keyword, statement.prefix, world, said);
        args.described = self.global.ir.description.is_some();
        args.lists = Rc::clone(&self.lists);
        args.stick_counters = self.global.ir.stick_counters.unwrap_or(args.stick_counters);
        let lowered = match section {
            SectionKind::Global => {
                if statement.row.keyword.starts_with("stats ") {
                    self.sections.statistics.get_or_insert(self.sections.proxies.len());
                }
                global(&mut self.global, statement, &mut args)
            }
            SectionKind::Defaults => match self.sections.defaults.last_mut() {
                Some(defaults) => {
                    let lowered = proxy(&mut defaults.draft, statement, &mut args);
                    logs::share(&mut defaults.draft.set, &self.global.ir);
                    lowered
                }
                None => Ok(()),
            },
            SectionKind::Frontend | SectionKind::Listen | SectionKind::Backend => {
                match self.sections.proxies.last_mut() {
                    Some(draft) => {
                        let before = draft.binds.len();
                        let lowered = proxy(draft, statement, &mut args);
                        // what these take of 'global' is what stands above them
                        logs::share(&mut draft.set, &self.global.ir);
                        bind::unix(draft.binds.get_mut(before..).unwrap_or_default(), &self.global);
                        lowered
                    }
                    None => Ok(()),
                }
            }
            SectionKind::Resolvers => resolvers::statement(&mut self.global.ir, statement.row, &mut args),
            SectionKind::Ring => ring::statement(&mut self.global.ir, statement.row, &mut args),
            SectionKind::Peers => peers::statement(&mut self.global.ir, &mut self.peers, statement.row, &mut args),
            SectionKind::Program => program::statement(&mut self.global.ir, statement.row, &mut args),
            SectionKind::Userlist => userlist::statement(&mut self.userlists, statement.row, &mut args),
            _ => Ok(()), // the section itself was refused, or acts only through a word that is
        };
        said.extend(lowered.err().map(super::error::Blame::alert));
    }
}

/// The arguments of a word that has no effect in its section must be right all the same: haproxy reads them.
impl Reading {
    fn ignored(
        &mut self,
        section: SectionKind,
        row: &'static Row,
        at: usize,
        words: &[Word<'_>],
        world: &mut dyn World,
        said: &mut Vec<Diagnostic>,
    ) {
        if row.keyword.starts_with("stick ") {
            return; // but for these
        }
        let Some(function) = table::PROXY.get(usize::from(row.index)).copied().flatten() else { return };
        let prefix = match words.first().map(|word| word.bytes.as_ref()) {
            Some(b"no") if at > 0 => Prefix::No,
            Some(b"default") if at > 0 => Prefix::Default,
            _ => Prefix::Plain,
        };
        let mut unheard = Vec::new();
        let mut args = Args::new(words, at, row.keyword.split(' ').count(), prefix, world, &mut unheard);
        args.lists = Rc::clone(&self.lists);
        let mut nobody = ProxyDraft::new(section, String::new(), args.span(), Settings::default());
        let lowered = function(&mut nobody, &mut args);
        said.extend(lowered.err().map(super::error::Blame::alert));
        if let Some(named) = nobody.set.default_backend {
            self.ignored_reference(row.keyword, named);
        }
        for switch in nobody.set.rules.switching {
            if let rules::switching::DestinationDraft::Backend(named) = switch.to {
                self.ignored_reference(row.keyword, named);
            }
        }
    }

    /// haproxy looks up the backend that such a line names: the last `default_backend`, each `use_backend`.
    fn ignored_reference(&mut self, keyword: &'static str, named: Named) {
        let Some(proxy) = self.sections.proxies.last_mut() else { return };
        if keyword == "default_backend" {
            proxy.ignored_references.retain(|(other, _)| *other != keyword);
        }
        proxy.ignored_references.push((keyword, named));
    }
}

fn global(draft: &mut GlobalDraft, statement: Statement, args: &mut Args<'_>) -> Lowered {
    let row = statement.row;
    match (row.support, table::GLOBAL.get(usize::from(row.index)).copied().flatten()) {
        (Support::Full, Some(function)) => function(draft, args),
        (Support::Refused { acts: Acts::Always, .. }, _) => {
            let blame = args.blame_keyword(LowerError::NotYet { what: what(row) });
            Err(match row.era.advice {
                Some(advice) => blame.hint(advice),
                None => blame,
            })
        }
        (Support::Noop { reason }, _) => {
            args.without_effect(reason);
            Ok(())
        }
        // HTTP words of the process act through HTTP proxies, which are refused themselves
        _ => Ok(()),
    }
}

fn proxy(draft: &mut ProxyDraft, statement: Statement, args: &mut Args<'_>) -> Lowered {
    let row = statement.row;
    draft.set.noted.line(args.words());
    if row.keyword != "acl" {
        draft.set.acls.note_uses(args.words().iter().map(|word| &*word.bytes));
    }
    match (row.support, table::PROXY.get(usize::from(row.index)).copied().flatten()) {
        (Support::Full, Some(function)) => function(draft, args),
        // what is switched off needs not to be built
        (Support::Refused { .. }, _) if statement.prefix != Prefix::Plain => {
            draft.set.refused.retain(|word| !std::ptr::eq(word.row, row));
            Ok(())
        }
        (Support::Refused { acts: Acts::Always | Acts::InHttp | Acts::InModeHttp, .. }, _) => {
            let word = RefusedWord { row, span: args.span() };
            if draft.kind == SectionKind::Defaults {
                draft.set.refused.push(word);
            } else {
                draft.refused.push(word);
            }
            Ok(())
        }
        (Support::Noop { reason }, _) => {
            args.without_effect(reason);
            Ok(())
        }
        _ => Ok(()),
    }
}
