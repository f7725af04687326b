//! Whether an HTTP answer is what a step of its check expects.
//!
//! Pure. An answer is read as far as it has come: its head must be whole, its body is what is there of it.
//! Source: manual §4.2 "http-check expect"; observed on 2.6.12 (`fixtures/checks/rules/http.txt`).

use super::answer::{Heard, Verdict, cannot};
use super::http::{self, Answer, Parsed};
use crate::expr::Facts;
use crate::ir::check::{CheckStatus, Expect, Finding, HeaderPattern, Matcher, Pattern};

/// Judges what came so far.
pub(super) fn judge(expect: &Expect, heard: Heard<'_>, facts: &dyn Facts) -> Verdict {
    let answer = match http::answer(heard.bytes, heard.bodiless) {
        Parsed::Partial if heard.over => return Verdict::Broken(String::new()),
        Parsed::Partial => return Verdict::Wait,
        Parsed::Broken => return Verdict::Broken(String::new()),
        Parsed::Answer(answer) => answer,
    };
    if heard.disable_on_404 && answer.status == 404 {
        return Verdict::Ends(Finding { status: CheckStatus::L7OkC, code: Some(404), info: None });
    }
    let fits = match &expect.pattern {
        Pattern::Status(ranges) => ranges.iter().any(|range| range.contains(&answer.status)),
        Pattern::StatusRegex(regex) => regex.matches(answer.status.to_string().as_bytes()),
        Pattern::Header(pattern) => header(pattern, &answer, facts),
        _ => return body(expect, &answer, heard.over || answer.complete, facts),
    };
    match fits != expect.negated {
        true => Verdict::Fits,
        false => Verdict::Fails(CheckStatus::L7Sts, String::from_utf8_lossy(answer.reason).into_owned()),
    }
}

fn body(expect: &Expect, answer: &Answer<'_>, over: bool, facts: &dyn Facts) -> Verdict {
    let exact = match &expect.pattern {
        Pattern::Body(text) => Some(text.clone()),
        Pattern::BodyFormat(format) => Some(format.evaluate(facts)),
        _ => None,
    };
    if exact.as_ref().is_some_and(Vec::is_empty) {
        return cannot("log-format string evaluated to an empty string");
    }
    let fails = |what: &str| Verdict::Fails(CheckStatus::L7Rsp, what.to_owned());
    if answer.body.is_empty() {
        return if over { fails("HTTP content check could not find a response body") } else { Verdict::Wait };
    }
    let needed = exact.as_ref().map_or(0, Vec::len).max(expect.min_recv.unwrap_or(0) as usize);
    if answer.body.len() < needed && !over {
        return Verdict::Wait;
    }
    let found = match (&exact, &expect.pattern) {
        (Some(exact), _) => memchr::memmem::find(&answer.body, exact).is_some(),
        (None, Pattern::BodyRegex(regex)) => regex.matches(&answer.body),
        (None, _) => false,
    };
    if !found && !over && expect.min_recv.is_none() {
        return Verdict::Wait;
    }
    match (found, expect.negated) {
        (true, false) | (false, true) => Verdict::Fits,
        (false, false) => fails("HTTP content check did not match"),
        (true, true) => fails("HTTP check matched unwanted content"),
    }
}

/// Whether a header field of the answer is the one that is looked for.
fn header(pattern: &HeaderPattern, answer: &Answer<'_>, facts: &dyn Facts) -> bool {
    let named = answer.headers.iter().filter(|(name, _)| matches(&pattern.name, name, true, facts));
    let mut values = named.map(|(_, value)| *value);
    let Some(wanted) = &pattern.value else { return values.next().is_some() };
    values.any(|value| match pattern.full {
        true => matches(wanted, value, false, facts),
        false => parts(value).any(|part| matches(wanted, part, false, facts)),
    })
}

fn matches(matcher: &Matcher, text: &[u8], any_case: bool, facts: &dyn Facts) -> bool {
    let fold = |text: &[u8]| if any_case { text.to_ascii_lowercase() } else { text.to_vec() };
    let text = fold(text);
    match matcher {
        Matcher::Is(format) => text == fold(&format.evaluate(facts)),
        Matcher::Begins(format) => text.starts_with(&fold(&format.evaluate(facts))),
        Matcher::Ends(format) => text.ends_with(&fold(&format.evaluate(facts))),
        Matcher::Holds(format) => memchr::memmem::find(&text, &fold(&format.evaluate(facts))).is_some(),
        Matcher::Regex(regex) => regex.matches(&text),
    }
}

/// The parts of a field's value between its commas, without blanks around them; commas within quotes divide nothing.
fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(move |byte| {
            let divides = *byte == b',' && !quoted;
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ => {}
            }
            divides
        })
        .map(<[u8]>::trim_ascii)
}
