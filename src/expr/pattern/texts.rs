//! Many texts: whole ones, beginnings and ends by hash, parts by one automaton (Aho-Corasick).

use std::collections::{BTreeSet, HashMap};

use aho_corasick::{AhoCorasick, MatchKind};

use super::Method;
use super::layer::{Fit, Twins};

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
    /// The empty texts: they are part of everything.
    empty: Vec<usize>,
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
    pub(super) fn new(method: Method, texts: Vec<(Vec<u8>, usize)>, twins: &mut Twins) -> Self {
        match method {
            Method::Sub | Method::Dir | Method::Dom => {
                let delimiters = delimiters(method);
                let all = || texts.iter().map(|(text, ix)| (trimmed(text, delimiters), *ix));
                let wanted = || all().filter(|(text, _)| !text.is_empty());
                let automaton =
                    AhoCorasick::builder().match_kind(MatchKind::Standard).build(wanted().map(|(text, _)| text)).ok();
                let numbers = wanted().map(|(_, ix)| ix).collect();
                let empty = all().filter(|(text, _)| text.is_empty() && method == Method::Sub).map(|(_, ix)| ix);
                let empty = empty.collect();
                return Self::Part(Box::new(Parts { automaton, numbers, delimiters, empty }));
            }
            _ => {}
        }
        let lengths = || texts.iter().map(|(text, _)| text.len()).collect();
        let lengths = if matches!(method, Method::Beg | Method::End) { lengths() } else { BTreeSet::new() };
        let mut known: HashMap<Box<[u8]>, usize> = HashMap::with_capacity(texts.len());
        for (text, ix) in texts.into_iter().rev() {
            twins.put(&mut known, text.into_boxed_slice(), ix);
        }
        match method {
            Method::Beg => Self::Begin(known, lengths),
            Method::End => Self::End(known, lengths),
            _ => Self::Whole(known),
        }
    }

    /// `live` says which entry stands for an indexed one, if one of them is still there.
    pub(super) fn find(&self, text: &[u8], live: impl Fn(usize) -> Option<usize>) -> Option<Fit> {
        let first = |ix: Option<usize>| Some((ix?, 0));
        match self {
            Self::Whole(known) => first(known.get(text).and_then(|ix| live(*ix))),
            Self::Begin(known, lengths) => {
                let mut lengths = lengths.range(..=text.len()).rev();
                lengths.find_map(|length| Some((live(*known.get(text.get(..*length)?)?)?, *length as u64)))
            }
            Self::End(known, lengths) => {
                let lengths = lengths.range(..=text.len());
                first(lengths.filter_map(|length| live(*known.get(text.get(text.len() - length..)?)?)).min())
            }
            Self::Part(parts) => first(parts.find(text, live)),
        }
    }
}

impl Parts {
    fn find(&self, text: &[u8], live: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        let edge = |byte: Option<&u8>| byte.is_none_or(|byte| self.delimiters.contains(byte));
        let found = self.automaton.as_ref().and_then(|automaton| {
            let fits = automaton.find_overlapping_iter(text).filter(|found| {
                self.delimiters.is_empty()
                    || edge(found.start().checked_sub(1).and_then(|at| text.get(at))) && edge(text.get(found.end()))
            });
            fits.filter_map(|found| live(*self.numbers.get(found.pattern().as_usize())?)).min()
        });
        match (found, self.empty.iter().find_map(|ix| live(*ix))) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}
