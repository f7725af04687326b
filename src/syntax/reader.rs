//! One file, line after line.
//!
//! Lines are read when they are asked for, so that what an earlier line set (`setenv`) is there for a later one, and a
//! file of 100,000 lines needs no more memory than its bytes and one line. Knows no keyword.

use super::directive::{Blocks, Next};
use super::variable::Scope;
use super::words::{self, Origin, Split};
use super::{Line, Word};
use crate::text::{Diagnostic, FileId, SourceFile, Span, World};

/// Streams the lines of one file that count.
#[derive(Debug)]
pub struct Reader<'src> {
    file: FileId,
    name: &'src str,
    rest: &'src [u8],
    line: u32,
    blocks: Blocks,
    ended: Next,
    finished: bool,
}

impl<'src> Reader<'src> {
    /// A reader at the beginning of `source`, which is number `file` of its map.
    pub fn new(file: FileId, source: &'src SourceFile) -> Self {
        Self {
            file,
            name: &source.name,
            rest: &source.bytes,
            line: 0,
            blocks: Blocks::default(),
            ended: Next::Line,
            finished: false,
        }
    }

    /// The next line that holds a word and counts; `None` at the end, or when a fault makes the rest meaningless.
    ///
    /// `section` is what `.SECTION` stands for: the name of the section that the line is in, its kind if it has no
    /// name, nothing before the first. Faults go to `diagnostics`; a line with a fault is left out, the next is read.
    pub fn next_line(
        &mut self,
        world: &dyn World,
        section: &[u8],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Line<'src>> {
        while self.ended == Next::Line && !self.rest.is_empty() {
            let line = self.physical_line(diagnostics);
            let scope = Scope { world, file: self.file, name: self.name, line: self.line, section };
            let Split { words, cut } = match words::split(line, &scope, Origin::File) {
                Ok(split) => split,
                Err(blame) => {
                    diagnostics.push(Diagnostic::alert(blame.span, blame.error.to_string()));
                    continue;
                }
            };
            let (Some(first), Some(last)) = (words.first(), words.last()) else { continue };
            match first.bytes.first() {
                Some(b'.') => {
                    let next = self.blocks.obey(first, &words, world, diagnostics);
                    self.end(next);
                }
                _ if !self.blocks.on() => {}
                None => warn_of_empty_begin(&words, diagnostics),
                Some(_) => {
                    warn_of_cut_word(cut, diagnostics);
                    return Some(Line { span: first.span.to(last.span), words });
                }
            }
        }
        self.finish(diagnostics);
        None
    }

    /// Whether a fault was met after which no further file of the run is worth reading.
    pub fn ends_run(&self) -> bool {
        self.ended == Next::EndRun
    }

    fn end(&mut self, next: Next) {
        // The end of the run may not become the end of a file only.
        if self.ended != Next::EndRun && next != Next::Line {
            self.ended = next;
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let column = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.file, line: self.line, start: column(start), end: column(end) }
    }

    /// Takes the next line and judges its bytes: an end of line must be there, a NUL must not. What counts of it ends
    /// before the first carriage return or NUL.
    fn physical_line(&mut self, diagnostics: &mut Vec<Diagnostic>) -> &'src [u8] {
        self.line = self.line.saturating_add(1);
        // Most lines hold neither: one search is enough.
        let first = memchr::memchr3(b'\n', b'\r', 0, self.rest).unwrap_or(self.rest.len());
        let (counts, found) = (&self.rest[..first], &self.rest[first..]);
        if let [b'\n', after @ ..] = found {
            self.rest = after;
            return counts;
        }
        let (line, ends) = match memchr::memchr(b'\n', found) {
            Some(at) => (&self.rest[..first + at], true),
            None => (self.rest, false),
        };
        self.rest = self.rest.get(line.len() + 1..).unwrap_or_default();
        let nul = memchr::memchr(0, line);
        if found.first() == Some(&b'\r') {
            self.warn_of_lost_text(&line[first..nul.unwrap_or(line.len())], first, diagnostics);
        }
        if !ends {
            let hint = "a last line without an end may have been cut off: add a line feed";
            let message = "the last line has no line feed";
            diagnostics.push(Diagnostic::alert(self.span(line.len(), line.len()), message).hint(hint));
        } else if let Some(at) = nul {
            let message = "a NUL character: this is no text file, or it was damaged";
            diagnostics.push(Diagnostic::alert(self.span(at, at + 1), message));
            self.end(Next::EndFile);
        }
        counts
    }

    fn warn_of_lost_text(&self, from_return: &[u8], at: usize, diagnostics: &mut Vec<Diagnostic>) {
        if from_return.iter().any(|byte| !byte.is_ascii_whitespace()) {
            let message = "a carriage return ends the line: what stands behind it is not read";
            let hint = "lines end with a line feed, or with a carriage return and a line feed";
            diagnostics.push(Diagnostic::our_warning(self.span(at, at + from_return.len()), message).hint(hint));
        }
    }

    /// Says once what only the end of the file tells.
    fn finish(&mut self, diagnostics: &mut Vec<Diagnostic>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        if let Some(line) = self.blocks.unclosed() {
            let alert = Diagnostic::alert(Span::line(self.file, self.line), "an '.if' has no '.endif'");
            diagnostics.push(alert.hint(format!("the '.if' is on line {line}")));
            self.end(Next::EndRun);
        }
    }
}

/// A line whose first word is empty is no line: `"$LINE"` with nothing in it. If more follows, that is hardly meant.
fn warn_of_empty_begin(words: &[Word<'_>], diagnostics: &mut Vec<Diagnostic>) {
    if let Some(lost) = words.iter().find(|word| !word.bytes.is_empty()) {
        let message = "the line begins with an empty word: what follows it is not read";
        let hint = "an environment variable that is not set?";
        diagnostics.push(Diagnostic::our_warning(words[0].span.to(lost.span), message).hint(hint));
    }
}

fn warn_of_cut_word(cut: Option<Span>, diagnostics: &mut Vec<Diagnostic>) {
    let message = "'\\x00' ends the word: what stands behind it is not read";
    diagnostics.extend(cut.map(|span| Diagnostic::our_warning(span, message)));
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
