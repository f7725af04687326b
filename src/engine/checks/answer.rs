//! Whether what a server answered is what a step of its check expects.
//!
//! Pure: bytes in, verdict out; of HTTP see [`super::http_answer`]. Source: manual §4.2 "tcp-check expect"; when an
//! answer is judged for good, and its texts, observed on 2.6.12 (`fixtures/checks/rules/`).

use std::fmt::Write as _;

use super::http_answer;
use crate::expr::{Facts, Template};
use crate::ir::check::{CheckStatus, Expect, Finding, Opinion, Pattern};

/// What an answer is worth so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// More must come.
    Wait,
    /// It is the right one.
    Fits,
    /// It is the wrong one: what it is called unless the step says otherwise, and what is told of it.
    Fails(CheckStatus, String),
    /// It is none that could be judged, and what is told of it.
    Broken(String),
    /// The check is over.
    Ends(Finding),
}

/// What came so far, and how it is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'h> {
    /// The bytes.
    pub(super) bytes: &'h [u8],
    /// Whether nothing more can come.
    pub(super) over: bool,
    /// Whether it answers a request that gets no body.
    pub(super) bodiless: bool,
    /// Whether an answer of 404 ends the check ([`crate::ir::check::Script::disable_on_404`]).
    pub(super) disable_on_404: bool,
}

/// Judges what came so far.
pub(super) fn judge(expect: &Expect, heard: Heard<'_>, facts: &dyn Facts) -> Verdict {
    match &expect.pattern {
        Pattern::Judge(judge) if !heard.bytes.is_empty() => match judge(heard.bytes, heard.over) {
            Opinion::Wait if heard.over => Verdict::Fails(CheckStatus::L7Rsp, String::new()),
            Opinion::Wait => Verdict::Wait,
            Opinion::Fits => Verdict::Fits,
            Opinion::Ends(found) => Verdict::Ends(found),
        },
        Pattern::Status(_)
        | Pattern::StatusRegex(_)
        | Pattern::Header(_)
        | Pattern::Body(_)
        | Pattern::BodyFormat(_)
        | Pattern::BodyRegex(_) => http_answer::judge(expect, heard, facts),
        _ if heard.bytes.is_empty() => match heard.over {
            true => Verdict::Broken("TCPCHK got an empty response".to_owned()),
            false => Verdict::Wait,
        },
        _ => bytes(expect, heard, facts),
    }
}

/// Judges an answer of any protocol.
fn bytes(expect: &Expect, heard: Heard<'_>, facts: &dyn Facts) -> Verdict {
    let (exact, what) = match &expect.pattern {
        Pattern::Text(text) => (Some(text.clone()), format!("content '{}'", String::from_utf8_lossy(text))),
        Pattern::Binary(bytes) => (Some(bytes.clone()), "content (binary)".to_owned()),
        Pattern::Regex(_) => (None, "content (regex)".to_owned()),
        Pattern::BinaryRegex(_) => (None, "content (binary regex)".to_owned()),
        Pattern::TextFormat(format) => (Some(format.evaluate(facts)), "content (log-format string)".to_owned()),
        Pattern::BinaryFormat(format) => match unhex(&format.evaluate(facts)) {
            Some(bytes) => (Some(bytes), "content (log-format binary)".to_owned()),
            None => return cannot("Failed to parse hexastring resulting of eval of a log-format string"),
        },
        _ => return Verdict::Fits,
    };
    if exact.as_ref().is_some_and(Vec::is_empty) {
        return cannot("log-format string evaluated to an empty string");
    }
    // an exact pattern cannot be found in less than its own length
    let needed = exact.as_ref().map_or(0, Vec::len).max(expect.min_recv.unwrap_or(0) as usize);
    if heard.bytes.len() < needed && !heard.over {
        return Verdict::Wait;
    }
    let found = match (&exact, &expect.pattern) {
        (Some(exact), _) => memchr::memmem::find(heard.bytes, exact).is_some(),
        (None, Pattern::Regex(regex)) => regex.matches(heard.bytes),
        (None, Pattern::BinaryRegex(regex)) => regex.matches(hex(heard.bytes).as_bytes()),
        (None, _) => false,
    };
    if !found && !heard.over && expect.min_recv.is_none() {
        return Verdict::Wait;
    }
    if found != expect.negated {
        return Verdict::Fits;
    }
    let how = if expect.negated { "matched unwanted" } else { "did not match" };
    Verdict::Fails(CheckStatus::L7Rsp, format!("TCPCHK {how} {what}"))
}

/// The step itself cannot be done: told without where it stands.
pub(super) fn cannot(why: &str) -> Verdict {
    Verdict::Ends(Finding { status: CheckStatus::L7Rsp, code: None, info: Some(why.to_owned()) })
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

/// Bytes from hexadecimal digits.
pub(super) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let digits = text.len().is_multiple_of(2) && text.iter().all(u8::is_ascii_hexdigit);
    digits.then(|| text.chunks(2).map(pair).collect())?
}

/// What a text with expressions sends.
///
/// # Errors
/// What is told of it: bytes in hexadecimal digits that are none.
pub(super) fn rendered(format: &Template, in_hex: bool, facts: &dyn Facts) -> Result<Vec<u8>, &'static str> {
    let text = format.evaluate(facts);
    match in_hex {
        true => unhex(&text).ok_or("tcp-check send : failed to build log-format string"),
        false => Ok(text),
    }
}
