//! `stats socket`, `stats timeout` and `stats maxconn`. Source: manual §3.1 "stats socket".

use super::GlobalDraft;
use crate::grammar::OptionLine;
use crate::ir::{AdminLevel, StatsSocket};
use crate::lower::args::{Args, MOST};
use crate::lower::bind::{BindDraft, endpoints};
use crate::lower::error::{LowerError, Lowered};
use crate::lower::options_line;
use crate::units::Millis;

/// `stats socket <address> <options>`: a list of addresses gives several.
pub fn stats_socket(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("an address or a path")?;
    let endpoints = endpoints(&word, args)?;
    let mut draft = BindDraft::default();
    options_line::bind(&mut draft, OptionLine::StatsSocket, args)?;
    global.threads.push(draft.threads);
    global.ir.stats_sockets.extend(endpoints.into_iter().map(|endpoint| StatsSocket {
        endpoint,
        level: draft.level.unwrap_or(AdminLevel::Operator),
        expose_listeners: draft.expose_listeners,
        file: draft.options.file.clone(),
        name: draft.name.clone(),
        maxconn: draft.options.maxconn,
        severity_output: draft.severity_output,
        accept_proxy: draft.options.accept_proxy,
        netscaler: draft.options.netscaler,
        masters: false,
        span: word.span,
    }));
    Ok(())
}

/// `stats timeout <time>`, a bare number counts in milliseconds; not zero.
pub fn stats_timeout(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let time = args.time()?;
    if time == Millis::ZERO {
        return Err(args.blame_keyword(LowerError::Misplaced("a time of zero is no limit")));
    }
    global.ir.stats_timeout = Some(time);
    Ok(())
}

/// `stats maxconn <number>`: at least 1.
pub fn stats_maxconn(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number")?;
    global.ir.stats_maxconn = Some(word.lenient_u32(1, MOST, args)?);
    Ok(())
}
