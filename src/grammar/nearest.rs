//! What the user may have meant.
//!
//! Runs only for a word that no table has. Source of the distance: Damerau 1964, the variant that lets a pair of
//! neighbours be swapped once (optimal string alignment).

use super::error::Given;
use super::lookup::{longest, rows};
use super::{GrammarError, Kind, Row, SectionKind, shown};
use crate::syntax::Word;

/// Words longer than this are compared with nothing: no keyword is as long.
const LONGEST: usize = 64;

/// Why the words of a line are no keyword of its section.
pub(super) fn unknown(section: SectionKind, words: &[Word<'_>], skip: usize) -> GrammarError {
    let bytes: Vec<&[u8]> = words[skip..].iter().take(4).map(|word| word.bytes.as_ref()).collect();
    // `no` alone: it is all there is to show.
    let first = bytes.first().or(words.first().map(|word| word.bytes.as_ref()).as_ref()).copied().unwrap_or_default();
    let here = || rows(section.kind()).iter().filter(|row| row.places.has(section.bit()));
    let near = among(here(), &bytes);
    // "option tcplgo": the first word is known, so the second one is to be blamed.
    if here().any(|row| row.keyword.split_once(' ').is_some_and(|(head, _)| head.as_bytes() == first)) {
        let given = bytes.get(1).map_or(Given::Nothing, |word| Given::Word(shown(word)));
        let at = if given == Given::Nothing { skip } else { skip + 1 };
        return GrammarError::Incomplete { word: shown(first), given, nearest: near, at };
    }
    if let Some(row) = elsewhere(section, &bytes) {
        return GrammarError::WrongSection { row, section, at: skip };
    }
    let at = skip.min(words.len().saturating_sub(1));
    GrammarError::UnknownKeyword { word: shown(first), section, nearest: near, at }
}

/// Why a line that stands before any section is wrong.
pub(super) fn no_section(word: &[u8]) -> GrammarError {
    GrammarError::NoSection { word: shown(word), nearest: among(rows(Kind::Section).iter(), &[word]) }
}

/// A row of another section that has exactly these words; those of `global` and of the proxies come first.
fn elsewhere(section: SectionKind, words: &[&[u8]]) -> Option<&'static Row> {
    let mut others = SectionKind::ALL.into_iter().map(SectionKind::kind).filter(|kind| *kind != section.kind());
    others.find_map(|kind| longest(kind, words.iter().copied())).map(|(row, _)| row)
}

/// The keyword among the rows that looks most like the first words, if one is near enough: one change for every
/// four letters, and at least one.
pub(super) fn among<'r>(rows: impl Iterator<Item = &'r Row>, words: &[&[u8]]) -> Option<&'static str> {
    let mut best: Option<(usize, &'static str)> = None;
    // The first one, two, three… words: a keyword is compared with as many words as it has.
    let mut heads: Vec<Vec<u8>> = Vec::new();
    for word in words {
        let mut head = heads.last().cloned().unwrap_or_default();
        if !heads.is_empty() {
            head.push(b' ');
        }
        if head.len() + word.len() > LONGEST {
            break;
        }
        head.extend_from_slice(word);
        heads.push(head);
    }
    for row in rows {
        let keyword = row.keyword.as_bytes();
        let blanks = keyword.iter().filter(|byte| **byte == b' ').count();
        let text = heads.get(blanks).or(heads.last())?;
        let enough = (text.len() / 4).max(1).min(best.map_or(usize::MAX, |(least, _)| least.saturating_sub(1)));
        // A word written in capitals is near whatever its length.
        let found = if text.eq_ignore_ascii_case(keyword) { Some(0) } else { distance(text, keyword, enough) };
        if let Some(found) = found {
            best = Some((found, row.keyword));
        }
    }
    best.map(|(_, keyword)| keyword)
}

/// Insertions, deletions, replacements and swaps of neighbours from one text to the other; `None` above `limit`.
fn distance(from: &[u8], to: &[u8], limit: usize) -> Option<usize> {
    if from.len().abs_diff(to.len()) > limit || to.len() > LONGEST {
        return None;
    }
    let mut before = [0_usize; LONGEST + 1];
    let mut last: [usize; LONGEST + 1] = std::array::from_fn(|at| at);
    for (i, a) in from.iter().enumerate() {
        let mut row = [0_usize; LONGEST + 1];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let mut cost = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            row[j + 1] = cost;
        }
        if row[..=to.len()].iter().all(|cost| *cost > limit) {
            return None;
        }
        (before, last) = (last, row);
    }
    Some(last[to.len()]).filter(|found| *found <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_what_a_hand_does_wrong() {
        for (from, to, limit, want) in [
            ("timout", "timeout", 1, Some(1)),              // a letter left out
            ("tiemout", "timeout", 2, Some(1)),             // two neighbours swapped in the middle
            ("balacne", "balance", 1, Some(1)),             // two neighbours swapped
            ("servre", "server", 1, Some(1)),               // the same at the end
            ("maxcon", "maxconn", 1, Some(1)),              // a letter left out at the end
            ("foo", "bind", 1, None),                       // nothing like it
            ("", "a", 1, Some(1)),                          // nothing at all
            ("option tcplgo", "option tcplog", 3, Some(1)), // two words
        ] {
            assert_eq!(distance(from.as_bytes(), to.as_bytes(), limit), want, "{from} {to}");
        }
    }
}
