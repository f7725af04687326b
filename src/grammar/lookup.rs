//! From the words of a line to the row of its keyword.
//!
//! Knows the tables that `build.rs` made; allocates nothing on the way to a row, so that a file of 100,000 lines is
//! classified in a few milliseconds. What is not found goes to [`super::nearest`], which may take its time.

use super::kinds::{HASH_SEED, hash};
use super::{GrammarError, Kind, OptionLine, Row, SectionKind, nearest};
use crate::syntax::Word;
use crate::text::Severity;

include!(concat!(env!("OUT_DIR"), "/grammar_table.rs"));

/// Some leading words of keywords.
struct Entry {
    /// The words, divided by one blank.
    text: &'static str,
    /// The row whose keyword this is, or [`NO_ROW`].
    row: u16,
    /// Whether a longer keyword begins with these words.
    longer: bool,
}

/// What stands in [`Entry::row`] when the words are only the beginning of keywords.
const NO_ROW: u16 = u16::MAX;

/// A hash table with open addressing over [`ENTRIES`]; its size is a power of two.
struct Table {
    /// Index into [`ENTRIES`], or [`NO_ROW`] for a free slot.
    slots: &'static [u16],
    /// First row and the row after the last one in [`ROWS`].
    rows: (u16, u16),
}

/// A word before a keyword that turns it round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefix {
    /// None.
    #[default]
    Plain,
    /// `no`: the opposite.
    No,
    /// `default`: as if it had never been said.
    Default,
}

/// A line whose keyword is known, may stand where it stands, and has as many arguments as it may have.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// The keyword's row.
    pub row: &'static Row,
    /// `no` or `default` before it.
    pub prefix: Prefix,
    /// Index of the first argument among the words of the line.
    pub args: usize,
}

/// The rows of a kind, in the order of their keywords; a row's index is [`Row::index`].
pub fn rows(kind: Kind) -> &'static [Row] {
    let (first, end) = TABLES[kind as usize].rows;
    &ROWS[usize::from(first)..usize::from(end)]
}

/// The row of that keyword, its words divided by one blank.
pub fn row(kind: Kind, keyword: &str) -> Option<&'static Row> {
    let words = keyword.split(' ').map(str::as_bytes);
    longest(kind, words.clone()).filter(|(_, used)| *used == words.count()).map(|(row, _)| row)
}

/// Words of keywords with an argument in parentheses.
const ENCLOSING: [&[u8]; 4] = [b"set-var", b"set-var-fmt", b"unset-var", b"rdp-cookie"];

/// The row whose keyword is the longest beginning of the words, and how many words it takes.
pub(super) fn longest<'w>(kind: Kind, words: impl Iterator<Item = &'w [u8]>) -> Option<(&'static Row, usize)> {
    let table = &TABLES[kind as usize];
    let mut best = None;
    let (mut sum, mut parent) = (HASH_SEED, "");
    // a blank within a word (`timeout\ client`) is not one between words
    for (at, word) in words.take_while(|word| !word.contains(&b' ')).enumerate() {
        let found = probe(table, hash(sum, word), parent, word).map(|entry| (entry, word));
        // `http-check set-var(x)`, `persist rdp-cookie(x)`: an argument in parentheses belongs to the same word.
        let name = || memchr::memchr(b'(', word).map(|end| &word[..end]).filter(|name| ENCLOSING.contains(name));
        let within = || name().and_then(|name| probe(table, hash(sum, name), parent, name).map(|entry| (entry, name)));
        let Some((entry, word)) = found.or_else(within) else { break };
        sum = hash(sum, word);
        if entry.row != NO_ROW {
            best = Some((&ROWS[usize::from(entry.row)], at + 1));
        }
        if !entry.longer {
            break;
        }
        parent = entry.text;
    }
    best
}

/// The entry whose text is `parent`, a blank, and `word`.
fn probe(table: &Table, sum: u32, parent: &str, word: &[u8]) -> Option<&'static Entry> {
    let mask = table.slots.len().checked_sub(1)?;
    let mut slot = sum as usize & mask;
    loop {
        let entry = ENTRIES.get(usize::from(table.slots[slot]))?;
        let text = entry.text.as_bytes();
        let same = match parent.len() {
            0 => text == word,
            n => text.len() == n + 1 + word.len() && text.starts_with(parent.as_bytes()) && &text[n + 1..] == word,
        };
        if same {
            return Some(entry);
        }
        slot = (slot + 1) & mask;
    }
}

/// Finds the row of a line within a section and counts its arguments.
///
/// Options of `bind` and `server` lines count as arguments here; they have rows of their own ([`option()`]).
///
/// # Errors
/// [`GrammarError`]: the keyword is unknown or belongs elsewhere, `no` may not stand before it, or it has too few or
/// too many arguments. The error knows which word to blame.
pub fn statement(section: SectionKind, words: &[Word<'_>]) -> Result<Statement, GrammarError> {
    let bytes = |at: usize| words[at..].iter().map(|word| word.bytes.as_ref());
    let kind = section.kind();
    let (prefix, skip) = match words.first().map(|word| word.bytes.as_ref()) {
        Some(b"no") => (Prefix::No, 1),
        Some(b"default") => (Prefix::Default, 1),
        _ => (Prefix::Plain, 0),
    };
    let Some((row, used)) = longest(kind, bytes(skip)) else {
        return Err(nearest::unknown(section, words, skip));
    };
    let ignored = match section.bit() {
        bit if row.places.has(bit) => None,
        bit if row.places.warned & bit != 0 => Some(Severity::Warning),
        bit if row.places.silent & bit != 0 => Some(Severity::Diag),
        _ => return Err(GrammarError::WrongSection { row, section, at: skip }),
    };
    match prefix {
        Prefix::No if !row.negatable => return Err(GrammarError::NotNegatable { row, prefix: "no" }),
        Prefix::Default if !row.resettable => return Err(GrammarError::NotNegatable { row, prefix: "default" }),
        _ => {}
    }
    let args = skip + used;
    // `no log` and the like take no argument that the plain form needs.
    match check(row, words, args) {
        Err(GrammarError::TooFew { .. }) if prefix != Prefix::Plain => {}
        checked => checked?,
    }
    match ignored {
        Some(severity) => Err(GrammarError::Ignored { row, section, severity, at: skip }),
        None => Ok(Statement { row, prefix, args }),
    }
}

/// Finds the row of an option of a `bind`, `server` or similar line; `at` is the index of the option's word.
///
/// The option's arguments follow it; [`Row::arity`] counts them, and this function has made sure that at least the
/// smallest number is there.
///
/// # Errors
/// [`GrammarError`]: the option is unknown, belongs to another line, or lacks an argument.
pub fn option(line: OptionLine, words: &[Word<'_>], at: usize) -> Result<&'static Row, GrammarError> {
    let Some(word) = words.get(at).map(|word| word.bytes.as_ref()) else {
        return Err(GrammarError::UnknownOption { word: String::new(), line, nearest: None, at });
    };
    let Some((row, _)) = longest(line.kind(), std::iter::once(word)) else {
        let near = nearest::among(rows(line.kind()).iter().filter(|row| row.places.has(line.bit())), &[word]);
        return Err(GrammarError::UnknownOption { word: super::shown(word), line, nearest: near, at });
    };
    if !row.places.has(line.bit()) {
        return Err(GrammarError::WrongLine { row, line, at });
    }
    let given = words.len() - at - 1;
    if given < usize::from(row.arity.min) {
        return Err(GrammarError::TooFew { row, given, at });
    }
    Ok(row)
}

/// See [`super::section_line`].
pub(super) fn section_line(section: SectionKind, words: &[Word<'_>]) -> Result<&'static Row, GrammarError> {
    let unknown = || nearest::no_section(section.keyword().as_bytes());
    let (row, used) = longest(Kind::Section, std::iter::once(section.keyword().as_bytes())).ok_or_else(unknown)?;
    check(row, words, used).map(|()| row)
}

/// Counts the words after the keyword, which ends before the word of index `args`.
fn check(row: &'static Row, words: &[Word<'_>], args: usize) -> Result<(), GrammarError> {
    let given = words.len().saturating_sub(args);
    if given < usize::from(row.arity.min) {
        return Err(GrammarError::TooFew { row, given, at: (args + given).saturating_sub(1) });
    }
    match row.arity.max.map(usize::from).filter(|max| given > *max) {
        // an empty word ends a line's arguments: haproxy looks at nothing behind it
        Some(max) if words[args + max].bytes.is_empty() => Ok(()),
        Some(max) => {
            let at = args + max;
            Err(GrammarError::TooMany { row, extra: super::shown(&words[at].bytes), at })
        }
        None => Ok(()),
    }
}
