//! `cpu-map`: which processors a thread may run on.
//!
//! Knows no system: numbers only. Source: manual §3.1 "cpu-map". 2.6.12 leaves a thread that is named by a lone number
//! where it is; here it is bound, as the manual says.

use super::GlobalDraft;
use crate::lower::args::{Args, Given};
use crate::lower::error::{LowerError, Lowered};

/// Groups and threads are numbered up to this.
const MOST_THREADS: u16 = 64;
/// Processors are numbered below this.
const PROCESSORS: u16 = 1024;

/// `cpu-map [auto:]<group>[/<threads>] <processors> …`: a later line replaces what it overlaps. There is one group; what
/// is said of others is judged and not used.
pub fn cpu_map(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("threads and processors")?;
    let (auto, text) = match word.bytes.strip_prefix(b"auto:") {
        Some(rest) => (true, rest),
        None => (false, word.bytes),
    };
    let mut parts = text.splitn(2, |byte| *byte == b'/');
    let groups = numbers(&word, parts.next().unwrap_or_default())?;
    let threads = parts.next().map(|text| numbers(&word, text)).transpose()?;
    args.need("threads and processors")?;
    let mut processors = Vec::new();
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        for range in word.bytes.split(|byte| *byte == b',') {
            processors.extend(processor_range(&word, range)?);
        }
    }
    processors.sort_unstable();
    processors.dedup();
    let automatic = threads.as_ref().filter(|threads| threads.len() > 1).unwrap_or(&groups).len();
    if auto && automatic != processors.len() {
        return Err(word.blame(LowerError::Misplaced("'auto:' needs as many processors as there are threads")));
    }
    if !groups.contains(&1) {
        return Ok(());
    }
    let spread = auto && threads.as_ref().is_some_and(|threads| threads.len() > 1);
    for (place, thread) in threads.unwrap_or_else(|| (1..=MOST_THREADS).collect()).into_iter().enumerate() {
        let own = match (auto, spread) {
            (true, true) => vec![processors[place]],
            (true, false) => vec![processors[0]],
            (false, _) => processors.clone(),
        };
        global.ir.cpu_map.insert(thread - 1, own);
    }
    Ok(())
}

/// `all`, `odd`, `even`, `N`, `N-M` in either order, `N-`.
pub(in crate::lower) fn numbers(word: &Given<'_>, text: &[u8]) -> Lowered<Vec<u16>> {
    let all = 1..=MOST_THREADS;
    Ok(match text {
        b"all" => all.collect(),
        b"odd" => all.step_by(2).collect(),
        b"even" => all.skip(1).step_by(2).collect(),
        _ => {
            let (first, last) = range(text, MOST_THREADS).ok_or_else(|| word.range(1, i64::from(MOST_THREADS)))?;
            if first == 0 || last > MOST_THREADS {
                return Err(word.range(1, i64::from(MOST_THREADS)));
            }
            (first..=last).collect()
        }
    })
}

/// `N`, `N-M` in either order, `N-`.
fn processor_range(word: &Given<'_>, text: &[u8]) -> Lowered<std::ops::RangeInclusive<u16>> {
    let last = PROCESSORS - 1;
    match range(text, last) {
        Some((first, end)) if end <= last => Ok(first..=end),
        _ => Err(word.range(0, i64::from(last))),
    }
}

/// The ends of a range, the lower one first; `most` stands for an upper end that is left out.
fn range(text: &[u8], most: u16) -> Option<(u16, u16)> {
    let text = std::str::from_utf8(text).ok()?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (first, last) = match text.split_once('-') {
        None => (number(text)?, number(text)?),
        Some((first, "")) => (number(first)?, most),
        Some((first, last)) => (number(first)?, number(last)?),
    };
    Some((first.min(last), first.max(last)))
}
