//! `log-format` and its kin: the words are kept until the mode of the proxy is known, and compiled in `resolve`.
//!
//! Source: manual §4.2, §8.2.6; where haproxy looks into a format that nothing uses was asked of 2.6.

use super::args::Args;
use super::draft::{FormatText, ProxyDraft, SessionLogWord};
use super::error::{Blame, LowerError, Lowered};
use super::logs::session_log;
use crate::expr::{Context, Format, FormatError, Place, Wrong};
use crate::grammar::SectionKind;
use crate::text::{Diagnostic, Span};

/// `log-format <text>`: the line of a session; the last of it and `option tcplog` holds.
pub fn log_format(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.log_format = Some(text(args, "log-format")?);
    session_log(proxy, args, SessionLogWord::Custom);
    Ok(())
}

/// `log-format-sd <text>`: the structured data of targets in `format rfc5424`; the last one holds.
pub fn structured(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.log_format_sd = Some(text(args, "log-format-sd")?);
    Ok(())
}

/// `error-log-format <text>`: the line of a connection that fails before there is a session; the last one holds.
pub fn error(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let format = text(args, "error-log-format")?;
    if proxy.kind == SectionKind::Backend {
        // no effect there, and read all the same
        let context = Context { place: Place::Log, strict: true, world: &*args.world, lists: &args.lists };
        Format::compile(&format.text, &context).map_err(|why| blame(&format, why))?;
    }
    if let (Some(other), SectionKind::Defaults) = (&proxy.set.error_log_format, proxy.kind) {
        let warning = Diagnostic::warning(args.span(), "an 'error-log-format' was given before: this one holds");
        args.say(warning.hint(format!("see line {}", other.span.line)));
    }
    proxy.set.error_log_format = Some(format);
    Ok(())
}

/// `unique-id-format <text>`: what `%ID` stands for; the last one holds.
pub fn unique_id(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.unique_id_format = Some(text(args, "unique-id-format")?);
    Ok(())
}

/// The one word that a format is.
fn text(args: &mut Args<'_>, keyword: &'static str) -> Lowered<FormatText> {
    let word = args.word("a format")?;
    let format = FormatText { keyword, text: word.bytes.into(), span: word.span };
    args.end().map_err(|extra| extra.hint("a format is one word: put it in quotes, or a '\\' before each space"))?;
    Ok(format)
}

/// The error of a format that cannot be read.
pub(super) fn blame(format: &FormatText, why: FormatError) -> Blame {
    let (mut span, mut hint) = (format.span, None);
    if let FormatError::Expr { why, .. } = &why {
        let plain = (span.end - span.start) as usize == format.text.len();
        if let (true, Ok(start), Ok(end)) = (plain, u32::try_from(why.at.start), u32::try_from(why.at.end)) {
            span = Span { start: span.start + start, end: (span.start + end).max(span.start + start + 1), ..span };
        }
        hint.clone_from(&why.hint);
    }
    let unbuilt = match &why {
        FormatError::Expr { why, .. } => match &why.why {
            Wrong::NotBuilt { what } => Some(what.clone()),
            _ => None,
        },
        _ => None,
    };
    let error = match unbuilt {
        Some(what) => LowerError::NotYet { what },
        None => LowerError::Format { keyword: format.keyword, why },
    };
    Blame { span, error, hint }
}
