//! Whether what a server answered is what a step of its check expects.
//!
//! Pure: bytes in, verdict out. Source: manual §4.2 "tcp-check expect"; when an answer is judged for good observed on
//! 2.6.12 (`fixtures/checks/rules/`).

use crate::ir::check::{Expect, Finding, Opinion, Pattern};

/// What an answer is worth so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// More must come.
    Wait,
    /// It is the right one.
    Fits,
    /// It is the wrong one, and what is told of it.
    Fails(String),
    /// The check is over.
    Ends(Finding),
}

/// Judges `heard`; `over`: nothing more can come.
pub(super) fn judge(expect: &Expect, heard: &[u8], over: bool) -> Verdict {
    if heard.is_empty() {
        return if over { Verdict::Fails("TCPCHK got an empty response".to_owned()) } else { Verdict::Wait };
    }
    let needed = match &expect.pattern {
        Pattern::Text(text) | Pattern::Binary(text) => text.len(),
        Pattern::Judge(judge) => {
            return match judge(heard, over) {
                Opinion::Wait if over => Verdict::Fails(String::new()),
                Opinion::Wait => Verdict::Wait,
                Opinion::Fits => Verdict::Fits,
                Opinion::Ends(found) => Verdict::Ends(found),
            };
        }
    };
    // an exact pattern cannot be found in less than its own length
    if heard.len() < needed.max(expect.min_recv.unwrap_or(0) as usize) && !over {
        return Verdict::Wait;
    }
    let found = match &expect.pattern {
        Pattern::Text(text) | Pattern::Binary(text) => memchr::memmem::find(heard, text).is_some(),
        Pattern::Judge(_) => false,
    };
    if !found && !over && expect.min_recv.is_none() {
        return Verdict::Wait;
    }
    if found != expect.negated {
        return Verdict::Fits;
    }
    let what = match &expect.pattern {
        Pattern::Text(text) => format!("content '{}'", String::from_utf8_lossy(text)),
        Pattern::Binary(_) => "content (binary)".to_owned(),
        Pattern::Judge(_) => "content".to_owned(),
    };
    let how = if expect.negated { "matched unwanted" } else { "did not match" };
    Verdict::Fails(format!("TCPCHK {how} {what}"))
}
