//! Numbers and ranges: one lookup by hash, one by bisection.

use std::collections::{BTreeSet, HashMap};

use super::Op;
use super::layer::Twins;
use crate::expr::error::{PatternError, shown};

/// A range of numbers, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) low: i64,
    pub(super) high: i64,
}

/// Parses `5`, `-5`, `1:3`, `1:` or `:3`. An operator turns a number into a range and leaves ranges as they are.
pub(super) fn parse(text: &[u8], op: Op) -> Result<Span, PatternError> {
    let number = |digits: &[u8]| -> Option<i64> {
        let plain = digits.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
    };
    if let Some(colon) = text.iter().position(|byte| *byte == b':') {
        let wrong = || PatternError::Range { text: shown(text) };
        let (low, high) = (&text[..colon], &text[colon + 1..]);
        if low.is_empty() && high.is_empty() {
            return Err(wrong());
        }
        let low = if low.is_empty() { i64::MIN } else { number(low).ok_or_else(wrong)? };
        let high = if high.is_empty() { i64::MAX } else { number(high).ok_or_else(wrong)? };
        return if low <= high { Ok(Span { low, high }) } else { Err(wrong()) };
    }
    let value = match text.strip_prefix(b"-") {
        Some(digits) => number(digits).map(|value| -value),
        None => number(text),
    };
    let value = value.filter(|_| text != b"-").ok_or_else(|| PatternError::Number { text: shown(text) })?;
    Ok(match op {
        Op::Eq => Span { low: value, high: value },
        Op::Ge => Span { low: value, high: i64::MAX },
        Op::Gt => Span { low: value.saturating_add(1), high: i64::MAX },
        Op::Le => Span { low: i64::MIN, high: value },
        Op::Lt => Span { low: i64::MIN, high: value.saturating_sub(1) },
    })
}

/// Many numbers and ranges; a number finds the first pattern that holds it.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    exact: HashMap<i64, usize>,
    ranges: Vec<(Span, usize)>,
    /// Where a stretch of numbers begins, and the first range that holds it.
    stretches: Vec<(i64, Option<usize>)>,
}

impl Numbers {
    pub(super) fn new(spans: &[(Span, usize)], twins: &mut Twins) -> Self {
        let mut exact = HashMap::new();
        let mut ranges = Vec::new();
        for (span, ix) in spans.iter().rev() {
            match span.low == span.high {
                true => twins.put(&mut exact, span.low, *ix),
                false => ranges.push((*span, *ix)),
            }
        }
        ranges.reverse();
        let mut edges: Vec<(i64, bool, usize)> = Vec::new();
        for (span, ix) in &ranges {
            edges.push((span.low, true, *ix));
            if let Some(behind) = span.high.checked_add(1) {
                edges.push((behind, false, *ix));
            }
        }
        edges.sort_unstable();
        let mut open = BTreeSet::new();
        let mut stretches: Vec<(i64, Option<usize>)> = Vec::new();
        for (at, begins, ix) in edges {
            if begins {
                open.insert(ix);
            } else {
                open.remove(&ix);
            }
            let first = open.first().copied();
            match stretches.last_mut() {
                Some(last) if last.0 == at => last.1 = first,
                _ => stretches.push((at, first)),
            }
        }
        Self { exact, ranges, stretches }
    }

    /// `live` says which entry stands for an indexed one, if one of them is still there.
    pub(super) fn find(&self, number: i64, live: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        let exact = self.exact.get(&number).and_then(|ix| live(*ix));
        let behind = self.stretches.partition_point(|(low, _)| *low <= number);
        let first = behind.checked_sub(1).and_then(|at| self.stretches.get(at)?.1);
        let range = first.and_then(|first| {
            let holds = |(span, ix): &(Span, usize)| (span.low..=span.high).contains(&number) && live(*ix).is_some();
            // The first is gone: the next one that holds it.
            live(first).or_else(|| self.ranges.iter().find(|range| holds(range)).map(|(_, ix)| *ix))
        });
        match (exact, range) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}
