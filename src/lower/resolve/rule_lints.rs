//! What rules say that can hardly be meant. haproxy is silent about it, so nothing here is more than a remark.

use crate::expr::Condition;
use crate::ir::Action;
use crate::lower::draft::ProxyDraft;
use crate::lower::rules::RulesDraft;
use crate::text::{Diagnostic, Span};

/// Looks at the rules of a proxy.
pub(super) fn judge(proxy: &ProxyDraft, draft: &RulesDraft, said: &mut Vec<Diagnostic>) {
    let name = super::called(proxy);
    for rules in [&draft.connection, &draft.session, &draft.request, &draft.response] {
        let ends = rules.iter().map(|rule| (rule.span, ends(&rule.action) && always(rule.when.as_ref())));
        unreached(&name, ends, said);
    }
    let switches = draft.switching.iter().map(|switch| (switch.span, always(switch.when.as_ref())));
    unreached(&name, switches, said);
    let delays = [
        (draft.request_delay.is_some(), &draft.request, "tcp-request", "a client"),
        (draft.response_delay.is_some(), &draft.response, "tcp-response", "a server"),
    ];
    for (waits, rules, word, end) in delays {
        if waits && rules.is_empty() {
            let message = format!("{name} has '{word} inspect-delay' and no '{word} content' rule: nothing waits");
            said.push(Diagnostic::diag(proxy.span, message));
        }
        let early = rules.iter().filter(|_| !waits).find(|rule| grows(rule.when.as_ref()));
        if let Some(rule) = early {
            let message = format!(
                "this rule looks at what {end} has said by chance: without an inspect delay nothing is waited for"
            );
            said.push(Diagnostic::diag(rule.span, message).hint(format!("add '{word} inspect-delay <time>'")));
        }
    }
}

/// Whether no rule behind it is looked at.
fn ends(action: &Action) -> bool {
    matches!(action, Action::Accept | Action::Reject | Action::Close | Action::SilentDrop(_))
}

fn always(when: Option<&Condition>) -> bool {
    when.is_none_or(|when| when.is_constant() == Some(true))
}

/// Remarks on the first rule that stands behind one which always ends them.
fn unreached(name: &str, rules: impl Iterator<Item = (Span, bool)>, said: &mut Vec<Diagnostic>) {
    let mut ended: Option<Span> = None;
    for (span, ends) in rules {
        if let Some(before) = ended {
            let message = format!("{name}: this rule is never reached: the one of line {} ends them", before.line);
            said.push(Diagnostic::diag(span, message));
            return;
        }
        if ends {
            ended = Some(span);
        }
    }
}

/// Whether it asks for bytes that may still be to come.
fn grows(when: Option<&Condition>) -> bool {
    const BYTES: [&str; 6] = ["req.len", "req.payload", "req.payload_lv", "res.len", "res.payload", "res.payload_lv"];
    when.is_some_and(|when| when.tests().any(|test| BYTES.contains(&test.expr.fetch_name())))
}
