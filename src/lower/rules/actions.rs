//! Actions that take nothing, or little. Source: configuration manual §4.2.

use super::Ruleset;
use crate::ir::Action;
use crate::lower::args::{Args, Given};
use crate::lower::error::{LowerError, Lowered};

/// `accept`.
pub fn accept(_: Ruleset, _: Given<'_>, _: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::Accept)
}

/// `reject`.
pub fn reject(_: Ruleset, _: Given<'_>, _: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::Reject)
}

/// `close`.
pub fn close(_: Ruleset, _: Given<'_>, _: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::Close)
}

/// `do-log` (3.2).
pub fn log(_: Ruleset, _: Given<'_>, _: &mut Args<'_>) -> Lowered<Action> {
    Ok(Action::Log)
}

/// `silent-drop [rst-ttl <ttl>]`: with a number a reset is sent that gets so many routers far.
pub fn silent_drop(_: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    if !args.take("rst-ttl") {
        return Ok(Action::SilentDrop(None));
    }
    let reach = args.word("a number of routers")?.int(1, 255)?;
    Ok(Action::SilentDrop(u8::try_from(reach).ok()))
}

/// `expect-proxy layer4`.
pub fn expect_proxy(_: Ruleset, _: Given<'_>, args: &mut Args<'_>) -> Lowered<Action> {
    let word = args.word("'layer4'")?;
    match word.bytes {
        b"layer4" => Ok(Action::ExpectProxy),
        _ => Err(word.blame(LowerError::Choice { text: word.text(), choices: &["layer4"] })),
    }
}
