//! How the end of a check is told: the texts are haproxy's, which people search logs for.
//!
//! Observed on 2.6.12 (`fixtures/checks/rules/`). Knows no socket.

use crate::expr::{Expr, Facts};
use crate::ir::check::{Act, CheckStatus, Connect, Expect, Finding, Pattern, Port, Script, Step, Telling};

/// What a check found that came to its end.
pub(super) fn success(script: Option<&Script>, code: Option<u16>, facts: &dyn Facts) -> Finding {
    let Some(script) = script else { return Finding { status: CheckStatus::L4Ok, code: None, info: None } };
    let mut found = Finding { status: CheckStatus::L7Ok, code, info: None };
    let last = script.steps.iter().rev().find(|step| step.act.talks());
    if script.telling == Telling::TcpCheck && last.is_some() {
        found.info = Some("(tcp-check)".to_owned());
    }
    match last.map(|step| &step.act) {
        Some(Act::Expect(expect)) => {
            found.status = expect.ok.unwrap_or(found.status);
            found.code = self::code(expect.code.as_ref(), facts).or(code);
            if let Some(format) = &expect.on_success {
                found.info = Some(String::from_utf8_lossy(&format.evaluate(facts)).into_owned());
            }
        }
        Some(Act::Connect(_)) | None => found.status = CheckStatus::L4Ok,
        _ => {}
    }
    found
}

/// The answer is the wrong one: what that is called unless the step says otherwise, and why.
pub(super) fn failure(
    telling: Telling,
    step: &Step,
    expect: &Expect,
    (status, what): (CheckStatus, &str),
    facts: &dyn Facts,
) -> Finding {
    let status = expect.error.unwrap_or(status);
    let own = expect.on_error.as_ref().map(|format| String::from_utf8_lossy(&format.evaluate(facts)).into_owned());
    let comment = || step.comment.as_ref().map(|comment| format!(" comment: {comment}")).unwrap_or_default();
    let info = own.or_else(|| match telling {
        Telling::BuiltIn => None,
        Telling::TcpCheck => Some(format!("{what} at step {}{}", step.number, comment())),
        Telling::HttpCheck => Some(format!("{what}{}", comment())),
    });
    Finding { status, code: None, info }
}

/// The answer is none, and why.
pub(super) fn broken_answer(telling: Telling, step: &Step, expect: &Expect, what: &str, facts: &dyn Facts) -> Finding {
    let own = expect.on_error.as_ref().filter(|_| telling != Telling::TcpCheck);
    let own = own.map(|format| String::from_utf8_lossy(&format.evaluate(facts)).into_owned());
    let info = own.or_else(|| match (telling, &step.comment) {
        (Telling::BuiltIn, _) if step.number > 0 => Some(format!("{what} at step {}", step.number)),
        (Telling::BuiltIn, _) => None,
        // haproxy's quotes: here some, there none
        (Telling::TcpCheck, Some(comment)) => Some(format!("{what} at step {} comment: '{comment}'", step.number)),
        (Telling::TcpCheck, None) => Some(format!("{what} at step {}", step.number)),
        (Telling::HttpCheck, comment) => comment.as_ref().map(|comment| format!("{what} comment: {comment}")),
    });
    let status = expect.error.filter(|_| telling != Telling::HttpCheck).unwrap_or(CheckStatus::L7Rsp);
    Finding { status, code: None, info }
}

/// Time is over.
pub(super) fn late(telling: Telling, status: CheckStatus, step: Option<&Step>) -> Finding {
    Finding { status, code: None, info: at(telling, "", step) }
}

/// What is to be sent cannot be made.
pub(super) fn cannot_send(why: &str, step: &Step) -> Finding {
    Finding { status: CheckStatus::L7Rsp, code: None, info: Some(format!("{why} at step {}", step.number)) }
}

/// What happened, and at which step.
pub(super) fn at(telling: Telling, what: &str, step: Option<&Step>) -> Option<String> {
    let text = match telling {
        Telling::TcpCheck => format!("{what} {}", place(step)),
        _ => what.to_owned(),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// The code that an expression gives.
pub(super) fn code(code: Option<&Expr>, facts: &dyn Facts) -> Option<u16> {
    u16::try_from(code?.value(facts)?.int()?).ok()
}

/// Where it happened.
fn place(step: Option<&Step>) -> String {
    let Some(step) = step.filter(|step| step.number > 0) else {
        return "at initial connection step of tcp-check".to_owned();
    };
    let act = match &step.act {
        Act::Connect(Connect { port: Some(Port::Fixed(port)), .. }) => format!("connect port {port}"),
        Act::Connect(_) => "connect".to_owned(),
        Act::Expect(expect) => match &expect.pattern {
            Pattern::Text(text) => format!("expect string '{}'", String::from_utf8_lossy(text)),
            Pattern::Binary(bytes) => {
                let shown = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                format!("expect binary '{}'", String::from_utf8_lossy(shown))
            }
            Pattern::Regex(_) => "expect regex".to_owned(),
            Pattern::BinaryRegex(_) => "expect binary regex".to_owned(),
            Pattern::TextFormat(_) => "expect log-format string".to_owned(),
            Pattern::BinaryFormat(_) => "expect log-format binary".to_owned(),
            _ => "expect".to_owned(),
        },
        _ => "send".to_owned(),
    };
    let comment = step.comment.as_ref().map(|comment| format!(" comment: '{comment}'"));
    format!("at step {} of tcp-check ({act}){}", step.number, comment.unwrap_or_default())
}
