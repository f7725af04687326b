//! Words of older versions that have no value of their own any more: read, and told what to write today.
//!
//! Old words that only changed their name stand beside the new one (`timeouts::old_client`, `options::old_redispatch`).

use super::args::Args;
use super::draft::{ProxyDraft, RefusedWord};
use super::error::{LowerError, Lowered};
use crate::grammar::{self, Kind, Prefix, SectionKind};
use crate::text::Diagnostic;
use crate::units::parse_u32;

/// The most processes that haproxy ever had.
const PROCESSES: u32 = 64;

/// `bind-process { all | odd | even | <processes> }`, until 2.6: one process serves everything.
///
/// # Errors
/// What is no number or range of 1 to 64. 2.6 has one process and refuses more; 2.4, with `nbproc`, did not.
pub fn bind_process(_proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    while let Some(word) = args.next_word() {
        match word.bytes {
            b"" | b"all" => break, // haproxy looks no further
            b"odd" | b"even" => continue,
            _ => {}
        }
        let mut ends = word.bytes.splitn(2, |byte| *byte == b'-').filter(|end| !end.is_empty());
        if !ends.all(|end| parse_u32(end, 1..=PROCESSES).is_ok()) {
            let choices = &["all", "odd", "even", "a number or a range of 1 to 64"];
            return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
        }
    }
    let message = "'bind-process' has no effect: one process serves everything";
    args.say(Diagnostic::warning(args.span(), message).hint("remove the line"));
    Ok(())
}

/// `grace <time>`, until 2.4: a stopping process keeps its sessions anyway, and leaves its addresses to the new one.
pub fn grace(_proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.time()?;
    let message = "'grace' is an old word that does nothing: a stopping process keeps its sessions";
    args.say(Diagnostic::our_warning(args.span(), message).hint("remove the line"));
    Ok(())
}

/// `option forceclose`, until 1.9: what `option httpclose` does since then.
pub fn forceclose(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let Some(row) = grammar::row(Kind::Proxy, "option httpclose") else { return Ok(()) };
    if args.prefix != Prefix::Plain {
        args.modern("no option httpclose");
        proxy.set.refused.retain(|word| !std::ptr::eq(word.row, row));
        return Ok(());
    }
    args.modern("option httpclose");
    let word = RefusedWord { row, span: args.span() };
    match proxy.kind {
        SectionKind::Defaults => proxy.set.refused.push(word),
        _ => proxy.refused.push(word),
    }
    Ok(())
}

/// `[no] option http-use-htx`, until 2.0: there is no other way to represent HTTP any more.
pub fn http_use_htx(_proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let message = "'option http-use-htx' is an old word that does nothing";
    args.say(Diagnostic::our_warning(args.span(), message).hint("remove the line"));
    Ok(())
}
