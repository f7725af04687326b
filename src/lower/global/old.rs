//! Words of `global` that older versions knew.

use super::GlobalDraft;
use crate::lower::args::Args;
use crate::lower::error::Lowered;

/// `nbproc <number>`, until 2.4: as many threads of one process serve instead, if `nbthread` says nothing.
pub fn nbproc(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number of processes")?;
    let number = u16::try_from(word.int(1, 64)?).map_err(|_| word.range(1, 64))?;
    global.nbproc = Some(number);
    args.modern(&format!("nbthread {number}"));
    Ok(())
}

/// `debug`, until 2.2: stay in the foreground and show debug events, as `-d` does.
pub fn debug(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    global.ir.debug = true;
    let span = args.span();
    let message = "'debug' is an old word: it is read as '-d' on the command line";
    args.say(crate::text::Diagnostic::our_warning(span, message).hint("start with '-d' instead"));
    Ok(())
}
