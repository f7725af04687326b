//! Lines that begin with a dot: which lines count, and messages of the configuration itself.
//!
//! Source: manual §2.4. What a fault of a directive stops (the file, the run, nothing) was observed on 2.6.12.

use super::Word;
use super::condition::{self, ConditionError, Problem};
use crate::text::{Diagnostic, Severity, Span, World, show};

/// How many `.if` may be open at once.
const DEEPEST: usize = 99;

/// What a line that begins with a dot leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Read on.
    Line,
    /// Nothing more of this file can be trusted.
    EndFile,
    /// Nothing more of this run can be trusted.
    EndRun,
}

/// The `.if` blocks that are open.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    open: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    /// Where its `.if` stands.
    line: u32,
    branch: Branch,
    last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branch {
    /// The lines count.
    On,
    /// The lines do not count; a later branch may.
    Waiting,
    /// The lines do not count, nor will those of a later branch.
    Done,
}

impl Blocks {
    /// Whether the lines count that stand here.
    pub(super) fn on(&self) -> bool {
        self.open.last().is_none_or(|block| block.branch == Branch::On)
    }

    /// The line of the `.if` that was opened last and is open still.
    pub(super) fn unclosed(&self) -> Option<u32> {
        self.open.last().map(|block| block.line)
    }

    /// Obeys a line; its first word `first` begins with a dot.
    pub(super) fn obey(
        &mut self,
        first: &Word<'_>,
        words: &[Word<'_>],
        world: &dyn World,
        out: &mut Vec<Diagnostic>,
    ) -> Next {
        let directive = Directive { first, words, world };
        let obeyed = match directive.name() {
            b".if" => self.begin(&directive),
            b".elif" => self.otherwise_if(&directive),
            b".else" => self.otherwise(&directive),
            b".endif" => self.end(&directive),
            _ if !self.on() => Ok(()),
            _ => return directive.say(out),
        };
        match obeyed {
            Ok(()) => Next::Line,
            Err(Fault { diagnostic, surplus }) => {
                out.push(diagnostic);
                if !surplus {
                    // Which blocks are meant to be open is anyone's guess: no word about them.
                    self.open.clear();
                }
                Next::EndRun
            }
        }
    }

    fn begin(&mut self, directive: &Directive<'_>) -> Result<(), Fault> {
        if self.open.len() == DEEPEST {
            return Err(directive.alert(format!("at most {DEEPEST} '.if' can be open at once")).into());
        }
        let branch = match self.on() {
            false => Branch::Done,
            true if directive.holds()? => Branch::On,
            true => Branch::Waiting,
        };
        let line = directive.first.span.line;
        self.open.push(Block { line, branch, last: false });
        Ok(())
    }

    fn otherwise_if(&mut self, directive: &Directive<'_>) -> Result<(), Fault> {
        let block = self.current(directive)?;
        block.branch = match block.branch {
            Branch::Waiting if directive.holds()? => Branch::On,
            Branch::Waiting => Branch::Waiting,
            Branch::On | Branch::Done => Branch::Done,
        };
        Ok(())
    }

    fn otherwise(&mut self, directive: &Directive<'_>) -> Result<(), Fault> {
        directive.stands_alone().map_err(|diagnostic| Fault { diagnostic, surplus: true })?;
        let block = self.current(directive)?;
        block.last = true;
        block.branch = if block.branch == Branch::Waiting { Branch::On } else { Branch::Done };
        Ok(())
    }

    fn end(&mut self, directive: &Directive<'_>) -> Result<(), Fault> {
        directive.stands_alone().map_err(|diagnostic| Fault { diagnostic, surplus: true })?;
        match self.open.pop() {
            Some(_) => Ok(()),
            None => Err(directive.alert(String::from("'.endif' without an '.if' before it")).into()),
        }
    }

    /// The block that a further branch belongs to.
    fn current(&mut self, directive: &Directive<'_>) -> Result<&mut Block, Fault> {
        let name = show(directive.name());
        match self.open.last_mut() {
            None => Err(directive.alert(format!("'{name}' without an '.if' before it")).into()),
            Some(block) if block.last => {
                let alert = directive.alert(format!("'{name}' after the '.else' of the same block"));
                Err(alert.hint(format!("the '.if' is on line {}", block.line)).into())
            }
            Some(block) => Ok(block),
        }
    }
}

/// What is wrong with a branch.
struct Fault {
    diagnostic: Diagnostic,
    /// Only a word too many: the blocks are as they were.
    surplus: bool,
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, surplus: false }
    }
}

/// A line that begins with a dot.
struct Directive<'a> {
    first: &'a Word<'a>,
    /// All words, the first included.
    words: &'a [Word<'a>],
    world: &'a dyn World,
}

impl Directive<'_> {
    fn name(&self) -> &[u8] {
        &self.first.bytes
    }

    fn span(&self, word: usize) -> Span {
        self.words.get(word).unwrap_or(self.first).span
    }

    fn alert(&self, message: String) -> Diagnostic {
        Diagnostic::alert(self.first.span, message)
    }

    /// An alert when a word follows that is not empty.
    fn stands_alone(&self) -> Result<(), Diagnostic> {
        self.surplus(1)
    }

    fn surplus(&self, takes: usize) -> Result<(), Diagnostic> {
        let Some(word) = self.words.get(takes).filter(|word| !word.bytes.is_empty()) else { return Ok(()) };
        let message = format!("unexpected '{}' after '{}'", show(&word.bytes), show(self.name()));
        let alert = Diagnostic::alert(self.span(takes), message);
        Err(if takes > 1 { alert.hint("put the whole message in quotes") } else { alert })
    }

    fn holds(&self) -> Result<bool, Diagnostic> {
        let arguments: Vec<&[u8]> = self.words.iter().skip(1).map(|word| &*word.bytes).collect();
        condition::evaluate(&arguments.join(&b' '), self.world).map_err(|error| self.blame(&error))
    }

    /// Finds the word, and if it was written as it reads the very byte, that a condition's error points at.
    fn blame(&self, error: &ConditionError) -> Diagnostic {
        let mut begins = 0;
        let last = self.words.last().unwrap_or(self.first).span;
        let mut span = Span { start: last.end, ..last };
        for word in self.words.iter().skip(1) {
            let within = error.at.checked_sub(begins).filter(|within| *within < word.bytes.len());
            if let Some(within) = within {
                let length = |span: Span| span.end.saturating_sub(span.start);
                let as_written = u32::try_from(word.bytes.len()) == Ok(length(word.span));
                let within = if as_written { u32::try_from(within).unwrap_or(0) } else { 0 };
                span = Span { start: word.span.start + within, ..word.span };
                break;
            }
            begins += word.bytes.len() + 1;
        }
        let diagnostic = Diagnostic::alert(span, format!("in the condition of '{}': {error}", show(self.name())));
        match error.problem {
            Problem::NoTerm => diagnostic.hint(
                "predicates: defined enabled feature openssl_version_atleast openssl_version_before \
                 ssllib_name_startswith streq strneq strstr version_atleast version_before",
            ),
            _ => diagnostic,
        }
    }

    fn say(&self, out: &mut Vec<Diagnostic>) -> Next {
        let message = self.words.get(1).map_or_else(String::new, |word| String::from_utf8_lossy(&word.bytes).into());
        let span = self.span(1);
        let said = match self.name() {
            b".diag" => Diagnostic::diag(span, message),
            b".notice" => Diagnostic::notice(span, message),
            b".warning" => Diagnostic::warning(span, message),
            b".alert" => Diagnostic::alert(span, message),
            unknown => {
                let known = "directives: .if .elif .else .endif .diag .notice .warning .alert";
                out.push(self.alert(format!("unknown directive '{}'", show(unknown))).hint(known));
                return Next::EndFile;
            }
        };
        if let Err(surplus) = self.surplus(2) {
            out.push(surplus);
            return Next::Line;
        }
        let ends = said.severity == Severity::Alert;
        out.push(said);
        if ends { Next::EndRun } else { Next::Line }
    }
}
