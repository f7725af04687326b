//! `capture` and `declare capture`: what is kept of a session for its log line. Source: configuration manual §4.2; asked of
//! 2.6.12: each line has a place of its own, in their order.

use super::{Rules, Ruleset};
use crate::expr::Side;
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
        let places = &mut proxy.set.captures.request;
        capture.slot = u32::try_from(places.len()).unwrap_or(u32::MAX);
        places.push(capture.len);
    }
    Ok(rule)
}

/// `declare capture request|response len <length>`: a place that `capture-req` or `capture-res` fills.
pub fn declare(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'request' or 'response'")?;
    let side = match word.bytes {
        b"request" => Side::Request,
        b"response" => Side::Response,
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["request", "response"] })),
    };
    if !args.take("len") {
        return Err(args.missing("'len' and the most bytes that are kept"));
    }
    let length = length(args)?;
    match side {
        Side::Request => proxy.set.captures.request.push(length),
        Side::Response => proxy.set.captures.response.push(length),
    }
    args.rest(); // what follows is passed over
    Ok(())
}

fn length(args: &mut Args<'_>) -> Lowered<u32> {
    args.word("a number of bytes")?.lenient_u32(1, u32::MAX, args)
}
