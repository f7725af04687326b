//! `option tcp-check` and `tcp-check …`. Source: manual §4.2; what is an error asked of 2.6.12.

use super::rules::Talk;
use super::{CheckKind, Rule, comment, connect, expect, format, hex, variables};
use crate::ir::check::Act;
use crate::lower::args::Args;
use crate::lower::draft::ProxyDraft;
use crate::lower::error::{LowerError, Lowered};

/// `option tcp-check`.
pub fn option(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.end()?;
    proxy.set.checks.choose(CheckKind::Tcp);
    Ok(())
}

fn add(proxy: &mut ProxyDraft, args: &Args<'_>, rule: Rule) -> Lowered {
    proxy.set.checks.tcp.add(rule, args.span());
    Ok(())
}

/// `tcp-check comment <text>`: what is told of the rule behind it when that fails.
pub fn comment_rule(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let text = args.string("a comment")?;
    add(proxy, args, Rule::Comment(text))
}

/// `tcp-check send <text> [comment <text>]`.
pub fn send(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let bytes = args.word("a text to send")?.bytes.to_vec();
    let comment = comment(args)?;
    add(proxy, args, Rule::Act(Act::Send(bytes), comment))
}

/// `tcp-check send-lf <text with expressions> [comment <text>]`.
pub fn send_format(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let format = format(&args.word("a text to send")?, args)?;
    let comment = comment(args)?;
    add(proxy, args, Rule::Act(Act::SendFormat { format, hex: false }, comment))
}

/// `tcp-check send-binary <hex> [comment <text>]`.
pub fn send_binary(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let bytes = hex(&args.word("bytes to send, in hexadecimal digits")?)?;
    let comment = comment(args)?;
    add(proxy, args, Rule::Act(Act::Send(bytes), comment))
}

/// `tcp-check send-binary-lf <hex with expressions> [comment <text>]`.
pub fn send_binary_format(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let format = format(&args.word("bytes to send, in hexadecimal digits")?, args)?;
    let comment = comment(args)?;
    add(proxy, args, Rule::Act(Act::SendFormat { format, hex: true }, comment))
}

/// `tcp-check connect …`.
pub fn connect_rule(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = connect::read(args)?;
    if proxy.set.checks.tcp.talks().next().is_some_and(|first| first != Talk::Connect) {
        let late = LowerError::Misplaced("the first step must be a 'connect', too, when there is one");
        return Err(args.blame_keyword(late).hint("add a 'connect' before the first 'send' or 'expect'"));
    }
    add(proxy, args, rule)
}

/// `tcp-check expect …`.
pub fn expect_rule(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    const WORDS: &[&str] = &["string", "rstring", "string-lf", "binary", "rbinary", "binary-lf", "min-recv", "comment"];
    let rule = expect::read(expect::tcp_pattern, WORDS, args)?;
    add(proxy, args, rule)
}

/// `tcp-check set-var(<name>) <expression>`.
pub fn set_var(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = variables::set(args)?;
    add(proxy, args, rule)
}

/// `tcp-check set-var-fmt(<name>) <text with expressions>`.
pub fn set_var_format(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = variables::set_format(args)?;
    add(proxy, args, rule)
}

/// `tcp-check unset-var(<name>)`.
pub fn unset_var(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let rule = variables::unset(args)?;
    add(proxy, args, rule)
}
