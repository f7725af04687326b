//! Many regular expressions: a text is tried with those alone of whose literals it holds one.
//!
//! What every match must begin or end with (`regex-syntax` says it) is looked for with one automaton; expressions without such a
//! literal are tried one after the other, in order, as haproxy tries all.

use aho_corasick::AhoCorasick;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use smallvec::SmallVec;

use crate::expr::Regex;

/// The fewest bytes of a literal that is worth looking for.
const SHORTEST: usize = 2;
/// From how many expressions on it is worth it.
const MANY: usize = 4;

/// Regular expressions in order.
#[derive(Debug)]
pub(super) struct Regexes {
    all: Vec<Regex>,
    literals: Option<AhoCorasick>,
    /// The expression that each literal belongs to.
    owners: Vec<usize>,
    /// Those without literals.
    always: Vec<usize>,
}

impl Regexes {
    pub(super) fn new(all: Vec<Regex>) -> Self {
        let (mut texts, mut owners, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for (ix, regex) in all.iter().enumerate() {
            match regex.plain_pattern().filter(|_| all.len() >= MANY).and_then(literals) {
                Some(list) => {
                    owners.resize(owners.len() + list.len(), ix);
                    texts.extend(list);
                }
                None => always.push(ix),
            }
        }
        // Case is the expression's: what is found here is only tried.
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(&texts).ok();
        match automaton.filter(|_| !texts.is_empty()) {
            Some(automaton) => Self { all, literals: Some(automaton), owners, always },
            None => Self { always: (0..all.len()).collect(), all, literals: None, owners: Vec::new() },
        }
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
        let found =
            automaton.find_overlapping_iter(text).filter_map(|found| self.owners.get(found.pattern().as_usize()));
        let mut tries: SmallVec<[usize; 16]> =
            found.copied().filter(|ix| first.is_none_or(|first| *ix < first)).collect();
        tries.sort_unstable();
        tries.dedup();
        tries.into_iter().find(matches).or(first)
    }
}

/// Texts of which every match holds one; `None`: there are none that are worth looking for.
fn literals(pattern: &str) -> Option<Vec<Vec<u8>>> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
    let of = |kind| {
        let mut extractor = Extractor::new();
        let literals = extractor.kind(kind).extract(&hir);
        let list: Vec<Vec<u8>> = literals.literals()?.iter().map(|text| text.as_bytes().to_ascii_lowercase()).collect();
        let shortest = list.iter().map(Vec::len).min().filter(|shortest| *shortest >= SHORTEST)?;
        Some((shortest, list))
    };
    let best =
        [ExtractKind::Prefix, ExtractKind::Suffix].into_iter().filter_map(of).max_by_key(|(shortest, _)| *shortest);
    best.map(|(_, list)| list)
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
