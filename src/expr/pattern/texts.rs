//! Many texts: whole ones, beginnings and ends by hash, parts by one automaton (Aho-Corasick).

use std::collections::{BTreeSet, HashMap};

use aho_corasick::{AhoCorasick, MatchKind};

use super::Method;

/// Texts that are compared in one way.
#[derive(Debug)]
pub(super) enum Texts {
    /// The whole.
    Whole(HashMap<Box<[u8]>, usize>),
    /// A beginning: the longest wins.
    Begin(HashMap<Box<[u8]>, usize>, BTreeSet<usize>),
    /// An end: the first wins.
    End(HashMap<Box<[u8]>, usize>, BTreeSet<usize>),
    /// A part; with delimiters it is one only between two of them.
    Part(Box<Parts>),
}

#[derive(Debug)]
pub(super) struct Parts {
    automaton: Option<AhoCorasick>,
    /// The number of each text of the automaton.
    numbers: Vec<usize>,
    delimiters: &'static [u8],
    /// The first empty text: it is part of everything.
    empty: Option<usize>,
}

/// What divides the parts of a text.
pub(super) fn delimiters(method: Method) -> &'static [u8] {
    match method {
        Method::Dir => b"/?",
        Method::Dom => b"/?.:",
        _ => b"",
    }
}

/// A text without the delimiters around it.
pub(super) fn trimmed<'t>(text: &'t [u8], delimiters: &[u8]) -> &'t [u8] {
    let is = |byte: &u8| delimiters.contains(byte);
    let start = text.iter().position(|byte| !is(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

impl Texts {
    pub(super) fn new(method: Method, texts: &[(Vec<u8>, usize)]) -> Self {
        let by_text = || {
            let mut known: HashMap<Box<[u8]>, usize> = HashMap::with_capacity(texts.len());
            for (text, ix) in texts {
                known.entry(text.as_slice().into()).or_insert(*ix);
            }
            known
        };
        let lengths = || texts.iter().map(|(text, _)| text.len()).collect();
        match method {
            Method::Beg => Self::Begin(by_text(), lengths()),
            Method::End => Self::End(by_text(), lengths()),
            Method::Sub | Method::Dir | Method::Dom => {
                let delimiters = delimiters(method);
                let all = || texts.iter().map(|(text, ix)| (trimmed(text, delimiters), *ix));
                let wanted = || all().filter(|(text, _)| !text.is_empty());
                let automaton =
                    AhoCorasick::builder().match_kind(MatchKind::Standard).build(wanted().map(|(text, _)| text)).ok();
                let numbers = wanted().map(|(_, ix)| ix).collect();
                let empty = all().find(|(text, _)| text.is_empty() && method == Method::Sub).map(|(_, ix)| ix);
                Self::Part(Box::new(Parts { automaton, numbers, delimiters, empty }))
            }
            _ => Self::Whole(by_text()),
        }
    }

    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Whole(known) => known.get(text).copied(),
            Self::Begin(known, lengths) => {
                let lengths = lengths.range(..=text.len()).rev();
                lengths.filter_map(|length| known.get(&text[..*length])).next().copied()
            }
            Self::End(known, lengths) => {
                let lengths = lengths.range(..=text.len());
                lengths.filter_map(|length| known.get(&text[text.len() - length..])).min().copied()
            }
            Self::Part(parts) => parts.find(text),
        }
    }
}

impl Parts {
    fn find(&self, text: &[u8]) -> Option<usize> {
        let edge = |byte: Option<&u8>| byte.is_none_or(|byte| self.delimiters.contains(byte));
        let found = self.automaton.as_ref().and_then(|automaton| {
            let fits = automaton.find_overlapping_iter(text).filter(|found| {
                self.delimiters.is_empty()
                    || edge(found.start().checked_sub(1).and_then(|at| text.get(at))) && edge(text.get(found.end()))
            });
            fits.filter_map(|found| self.numbers.get(found.pattern().as_usize())).min().copied()
        });
        match (found, self.empty) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}
