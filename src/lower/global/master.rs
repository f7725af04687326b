//! `master-worker` and `mworker-max-reloads`. Source: manual §3.1; what is an error was asked of 2.6.

use super::GlobalDraft;
use crate::lower::args::Args;
use crate::lower::error::{LowerError, Lowered};
use crate::text::Diagnostic;

/// `master-worker [no-exit-on-failure]`.
pub fn master_worker(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if let Some(word) = args.next_word() {
        if word.bytes != b"no-exit-on-failure" {
            let choices = &["no-exit-on-failure"];
            return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
        }
        global.ir.master.survives_failure = true;
    }
    global.ir.master.wanted = true;
    Ok(())
}

/// `mworker-max-reloads <number>`: no number and a negative one are warnings, and nothing is changed.
pub fn max_reloads(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let Some(word) = args.next_word() else {
        args.say(Diagnostic::warning(args.span(), "'mworker-max-reloads' without a number changes nothing"));
        return Ok(());
    };
    let text = word.text();
    if text.starts_with('-') {
        let message = format!("'mworker-max-reloads' takes no negative number: '{text}' changes nothing");
        args.say(Diagnostic::warning(word.span, message));
        return Ok(());
    }
    global.ir.master.max_reloads = Some(word.lenient_u32(0, i32::MAX.cast_unsigned(), args)?);
    Ok(())
}
