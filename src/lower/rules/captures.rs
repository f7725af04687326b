//! `capture` and `declare capture`: what is kept of a session for its log line. Source: configuration manual §4.2; asked of
//! 2.6.12: each line has a place of its own, in their order.

use super::{Rules, Ruleset};
use crate::ir::{Action, Capture, Rule};
use crate::lower::args::{Args, Given};
use crate::lower::conditions;
use crate::lower::draft::{ProxyDraft, is_backend, is_frontend};
use crate::lower::error::{LowerError, Lowered};

/// `capture <expression> len <length>`; its place is given by [`place`].
pub fn capture(ruleset: Ruleset, word: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    if ruleset.of != Rules::Request {
        return Err(word.blame(LowerError::Misplaced("only 'tcp-request content' rules capture")));
    }
    let value = conditions::expr(args, ruleset.place)?;
    if !args.take("len") {
        return Err(args.missing("'len' and the most bytes that are kept"));
    }
    Ok(Action::Capture(Capture { slot: 0, value, len: length(args)? }))
}

/// Gives a capture its place.
///
/// # Errors
/// The section has no clients.
pub(super) fn place(proxy: &mut ProxyDraft, mut rule: Rule, args: &Args<'_>) -> Lowered<Rule> {
    if let Action::Capture(capture) = &mut rule.action {
        if is_backend(proxy.kind) && !is_frontend(proxy.kind) {
            let error =
                LowerError::Misplaced("captures stand where clients connect: in a 'frontend' or 'listen' section");
            return Err(args.blame_keyword(error));
        }
        capture.slot = proxy.set.captures;
        proxy.set.captures += 1;
    }
    Ok(rule)
}

/// `declare capture request len <length>`: a place that no rule of TCP fills. Those of responses come with HTTP.
pub fn declare(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'request' or 'response'")?;
    match word.bytes {
        b"request" => {}
        b"response" => {
            let what = "captures of HTTP responses".to_owned();
            return conditions::unbuilt(proxy, Err(word.blame(LowerError::NotYet { what })));
        }
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["request", "response"] })),
    }
    if !args.take("len") {
        return Err(args.missing("'len' and the most bytes that are kept"));
    }
    length(args)?;
    proxy.set.captures += 1;
    args.end()
}

fn length(args: &mut Args<'_>) -> Lowered<u32> {
    args.word("a number of bytes")?.lenient_u32(1, u32::MAX, args)
}
