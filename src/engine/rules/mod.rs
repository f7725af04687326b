//! Rules at work: on connections as they come, and on what the two ends of a session say.
//!
//! Rules are looked at in order; the first whose action decides ends them. A condition that is not known yet makes a
//! session wait, within the inspect delay, and then all rules are looked at again. Source: manual §4.2 "tcp-request …",
//! "tcp-response …", "use_backend"; order and verdicts asked of 2.6.12 (docs/OBSERVED.md).

mod acting;
mod connection;
mod content;
mod limiting;
mod logging;
mod resolving;

use super::facts::View;
use super::proxy_header::Heads;
use crate::expr::{Condition, Truth};
use crate::ir::{Action, Rule};

pub(super) use connection::{admit, admit_session};
pub(super) use content::Inspection;
pub(super) use logging::text;

/// What rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on.
    Pass,
    /// Not before more is there.
    Wait,
    /// Not before a name is looked up; then this rule goes on.
    Await,
    /// End it.
    Reject,
    /// End it without a word to the client; a number: with a reset that gets so many routers far.
    Drop(Option<u8>),
    /// End the connection to the server, and the client's after it.
    Close,
    /// Such a header must come first.
    Announce(Heads),
}

/// Looks at rules in order.
pub(super) fn judge(rules: &[Rule], view: &View<'_>) -> Verdict {
    let resumed = view.awaited(|at| matches!(rules.get(at), Some(Rule { action: Action::Resolve(_), .. })));
    let mut passing = Verdict::Pass;
    for (at, rule) in rules.iter().enumerate().skip(resumed.unwrap_or(0)) {
        match if resumed == Some(at) { Truth::True } else { holds(rule.when.as_ref(), view) } {
            Truth::True => {}
            Truth::False => continue,
            Truth::NotYet if view.waits => {
                view.waits_for(Some((rule.span.file.0, rule.span.line)));
                return Verdict::Wait;
            }
            Truth::NotYet => continue,
        }
        let place = (rule.span.file.0, rule.span.line);
        match acting::act(at, &rule.action, view) {
            None => {}
            Some(waits @ (Verdict::Wait | Verdict::Await)) => {
                view.waits_for(Some(place));
                return waits;
            }
            // the header is read when all rules have been looked at: those behind still see the connection as it came
            Some(Verdict::Announce(heads)) => {
                passing = match passing {
                    Verdict::Announce(before) => Verdict::Announce(before.and(heads)),
                    _ => Verdict::Announce(heads),
                }
            }
            Some(decided) => {
                view.decided(place.0, place.1);
                return if decided == Verdict::Pass { passing } else { decided };
            }
        }
    }
    passing
}

/// What a condition says now; none holds always.
pub(super) fn holds(when: Option<&Condition>, view: &View<'_>) -> Truth {
    when.map_or(Truth::True, |when| when.evaluate(view))
}
