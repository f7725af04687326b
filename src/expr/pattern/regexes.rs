//! Many regular expressions: a text is tried with those alone of whose literals it holds one.
//!
//! What every match must begin or end with (`regex-syntax` says it) is looked for with one automaton; expressions without such a
//! literal are tried one after the other, in order, as haproxy tries all. Those that are tried with few texts are compiled when the
//! first of these comes.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;

use daachorse::DoubleArrayAhoCorasick;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use smallvec::SmallVec;

use crate::expr::Regex;

type Literal = Vec<u8>;
/// One that is made in time that grows with its texts: with the crate `aho-corasick` it grows with the square of their number where one
/// begins as the next does.
type Automaton = DoubleArrayAhoCorasick<u32>;

/// The fewest bytes of a literal that is worth looking for.
const SHORTEST: usize = 2;
/// From how many expressions on it is worth it.
const MANY: usize = 4;

/// Regular expressions in order.
pub(super) struct Regexes {
    all: Vec<Regex>,
    literals: Option<Automaton>,
    /// The expressions that each literal belongs to.
    owners: Vec<SmallVec<[usize; 1]>>,
    /// Those without literals.
    always: Vec<usize>,
}

impl fmt::Debug for Regexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.all).finish()
    }
}

impl Regexes {
    pub(super) fn new(all: Vec<Regex>) -> Self {
        let chosen = match all.len() >= MANY {
            true => choose(&all),
            false => vec![None; all.len()],
        };
        let mut owned: HashMap<Literal, SmallVec<[usize; 1]>> = HashMap::new();
        let mut always = Vec::new();
        for (ix, literals) in chosen.into_iter().enumerate() {
            match literals {
                Some(literals) => literals.into_iter().for_each(|text| owned.entry(text).or_default().push(ix)),
                None => always.push(ix),
            }
        }
        let (texts, owners): (Vec<Literal>, Vec<_>) = owned.into_iter().unzip();
        // Case is the expression's: what is found here is only tried.
        let made = match Automaton::new(&texts).ok().filter(|_| !texts.is_empty()) {
            Some(automaton) => Self { all, literals: Some(automaton), owners, always },
            None => Self { always: (0..all.len()).collect(), all, literals: None, owners: Vec::new() },
        };
        // those that every text is tried with
        made.always.iter().filter_map(|ix| made.all.get(*ix)).for_each(Regex::prepare);
        made
    }

    /// The expression of that number.
    pub(super) fn get(&self, ix: usize) -> Option<&Regex> {
        self.all.get(ix)
    }

    /// The number of the first that is live and matches.
    pub(super) fn find(&self, text: &[u8], live: impl Fn(usize) -> bool) -> Option<usize> {
        let matches = |ix: &usize| live(*ix) && self.all.get(*ix).is_some_and(|regex| regex.matches(text));
        let first = self.always.iter().copied().find(matches);
        let Some(automaton) = &self.literals else { return first };
        let lower = text.iter().map(u8::to_ascii_lowercase);
        let found = automaton.find_overlapping_iter_from_iter(lower);
        let found = found.filter_map(|found| self.owners.get(found.value() as usize));
        let mut tries: SmallVec<[usize; 16]> =
            found.flatten().copied().filter(|ix| first.is_none_or(|first| *ix < first)).collect();
        tries.sort_unstable();
        tries.dedup();
        tries.into_iter().find(matches).or(first)
    }
}

/// For each expression the texts of which every match holds one; `None`: there are none that are worth looking for. Of what matches
/// begin with and what they end with the one is taken that fewer expressions share.
fn choose(all: &[Regex]) -> Vec<Option<Vec<Literal>>> {
    let found: Vec<[Option<Vec<Literal>>; 2]> =
        all.iter().map(|regex| regex.plain_pattern().map(literals).unwrap_or_default()).collect();
    let mut shared: HashMap<&[u8], usize> = HashMap::new();
    for text in found.iter().flatten().flatten().flatten() {
        *shared.entry(text).or_default() += 1;
    }
    let cost = |list: &Vec<Literal>| {
        let most = list.iter().filter_map(|text| shared.get(&text[..])).max().copied();
        (most, Reverse(list.iter().map(Vec::len).min()))
    };
    let best = found.iter().map(|[begin, end]| match (begin, end) {
        (Some(begin), Some(end)) if cost(end) < cost(begin) => Some(end.clone()),
        (begin, end) => begin.as_ref().or(end.as_ref()).cloned(),
    });
    best.collect()
}

/// What every match begins with, one of them, and what it ends with.
fn literals(pattern: &str) -> [Option<Vec<Literal>>; 2] {
    let Ok(hir) = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern) else { return [None, None] };
    [ExtractKind::Prefix, ExtractKind::Suffix].map(|kind| {
        let mut extractor = Extractor::new();
        let literals = extractor.kind(kind).extract(&hir);
        let list: Vec<Literal> = literals.literals()?.iter().map(|text| text.as_bytes().to_ascii_lowercase()).collect();
        list.iter().map(Vec::len).min().filter(|shortest| *shortest >= SHORTEST)?;
        Some(list)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if each were tried in order.
    #[test]
    fn the_first_that_matches_is_found() {
        let patterns: [(&str, bool); 12] = [
            ("^www\\.a\\.example$", false),
            ("\\.b\\.example$", false),
            ("[0-9]+", false),
            ("^(foo|bar)x?$", false),
            ("SHOUT", true),
            ("^x", false),
            ("(ab)\\1", false),
            ("(?i)mixed", false),
            ("w{3}\\.a", false),
            ("^$", false),
            ("end$", false),
            ("", false),
        ];
        let compile = |(text, any): &(&str, bool)| {
            let made = if *any { Regex::any_case(text.as_bytes()) } else { Regex::new(text.as_bytes()) };
            made.expect("an expression")
        };
        for count in 0..=patterns.len() {
            let all: Vec<Regex> = patterns[..count].iter().map(compile).collect();
            let together = Regexes::new(all.clone());
            for text in [
                "www.a.example",
                "www.a.example\n",
                "x.b.example",
                "foo",
                "barx",
                "bary",
                "shout",
                "a Shout 1",
                "x",
                "abab",
                "MIXED",
                "",
                "the end\n",
                "WWW.A.EXAMPLE",
                "9",
                "w.b.example1",
            ] {
                let want = all.iter().position(|regex| regex.matches(text.as_bytes()));
                assert_eq!(together.find(text.as_bytes(), |_| true), want, "{text:?} of {count}");
            }
        }
    }
}
