//! Rules that stand behind others that are looked at later. Which of them haproxy warns of was asked of 2.6.12.

use super::Rules;
use crate::lower::args::Args;
use crate::lower::draft::ProxyDraft;
use crate::text::Diagnostic;

/// Warns of a rule that stands behind one which is looked at later.
pub(super) fn judge(proxy: &ProxyDraft, of: Rules, args: &mut Args<'_>) {
    let set = &proxy.set;
    let later = [
        (Rules::Connection, false, "'tcp-request connection'"),
        (Rules::Session, !set.rules.session.is_empty(), "'tcp-request session'"),
        (Rules::Request, !set.rules.request.is_empty(), "'tcp-request content'"),
        (Rules::Response, !set.http_rules.is_empty(), "'http-request'"),
        (Rules::Response, !set.rules.switching.is_empty(), "'use_backend'"),
    ];
    let rank = |rules: Rules| rules as u8;
    let found = later.into_iter().find(|(rules, there, _)| *there && rank(*rules) > rank(of));
    if let Some((_, _, name)) = found {
        let message = format!("this rule stands behind a {name} rule and is looked at before it");
        args.say(Diagnostic::warning(args.span(), message).hint("put it before"));
    }
}
