//! Words of a `bind` or `stats socket` line about threads and their work: nothing acts on them, and what they say is
//! judged as haproxy judges it.
//!
//! Source: manual §5.1 "nice", "process", "shards", "thread"; limits asked of 2.6.12 (`fixtures/verdict/bind/threads.cfg`).

use super::args::{Args, Given};
use super::error::{LowerError, Lowered};
use super::global::cpus;
use crate::text::{Diagnostic, Span};

/// The most shards of a listener.
const MOST_SHARDS: i64 = 64;
/// `nice` goes from the negative of this to it.
const NICEST: i64 = 1024;

/// The threads that a line names.
#[derive(Debug, Clone, Default)]
pub struct ThreadsDraft {
    /// The group before a `/`; `None` of threads that are counted over all groups.
    group: Option<u16>,
    /// Their numbers, of the first group or counted over all of them.
    numbers: Vec<u16>,
    /// Where the last word stands; `None`: none was said.
    span: Option<Span>,
}

/// Reads the value of one of these words. `process` gets haproxy's warning; more than one process, which older versions
/// had, is no mistake.
///
/// # Errors
/// What haproxy refuses: no number, or one that is out of range; threads of more than one group.
pub(super) fn value(keyword: &str, draft: &mut ThreadsDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a value")?;
    if word.bytes.is_empty() {
        return Err(args.missing("a value"));
    }
    match keyword {
        "nice" => word.lenient(-NICEST, NICEST, args).map(drop),
        "shards" if matches!(word.bytes, b"by-thread" | b"by-group") => Ok(()),
        "shards" => word.lenient(1, MOST_SHARDS, args).map(drop),
        "process" => process(&word, draft, args),
        _ => thread(&word, draft),
    }
}

fn process(word: &Given<'_>, draft: &mut ThreadsDraft, args: &mut Args<'_>) -> Lowered {
    let mut parts = word.bytes.splitn(2, |byte| *byte == b'/');
    cpus::numbers(word, parts.next().unwrap_or_default())?;
    if let Some(threads) = parts.next() {
        draft.numbers.extend(cpus::numbers(word, threads)?);
        draft.span = Some(word.span);
    }
    let message = "'process' is a word of the past: there is one process, and any thread serves";
    args.say(Diagnostic::warning(args.span(), message).hint("remove it"));
    Ok(())
}

fn thread(word: &Given<'_>, draft: &mut ThreadsDraft) -> Lowered {
    let (group, set) = match word.bytes.iter().position(|byte| *byte == b'/') {
        None => (None, word.bytes),
        Some(slash) => {
            let [group] = cpus::numbers(word, &word.bytes[..slash])?[..] else {
                return Err(word.range(1, MOST_SHARDS));
            };
            (Some(group), &word.bytes[slash + 1..])
        }
    };
    let numbers = cpus::numbers(word, set)?;
    if draft.span.is_some() && draft.group != group {
        return Err(word.blame(LowerError::Misplaced("the threads of one line are those of one group")));
    }
    // how many threads other groups have is not known here
    let known = group.is_none_or(|group| group == 1);
    draft.group = group;
    draft.numbers.extend(numbers.into_iter().filter(|_| known));
    draft.span = Some(word.span);
    Ok(())
}

impl ThreadsDraft {
    /// Where the line names threads of which this process, with so many, has none.
    fn missing(&self, threads: usize) -> Option<Span> {
        let none = !self.numbers.is_empty() && self.numbers.iter().all(|number| usize::from(*number) > threads);
        self.span.filter(|_| none)
    }
}

/// Says which lines name only threads that do not exist.
pub(super) fn judge<'d>(lines: impl Iterator<Item = &'d ThreadsDraft>, threads: usize, said: &mut Vec<Diagnostic>) {
    for span in lines.filter_map(|line| line.missing(threads)) {
        let message = format!("no such thread: this process has {threads}");
        said.push(Diagnostic::alert(span, message).hint("name others, or remove the word"));
    }
}
