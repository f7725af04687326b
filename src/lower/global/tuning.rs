//! Checks, logs, names and sizes of the process. Source: manual §3.1 to §3.3.

use super::GlobalDraft;
use crate::lower::args::{Args, MOST};
use crate::lower::error::{LowerError, Lowered};
use crate::text::Diagnostic;
use crate::units::Millis;

/// `log-tag <text>`.
pub fn log_tag(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    global.ir.log_tag = Some(args.string("a tag")?);
    Ok(())
}

/// `log-send-hostname [name]`: once; without a name, this host's.
pub fn log_send_hostname(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.ir.log_send_hostname.is_some() {
        return Err(args.blame_keyword(LowerError::Again { keyword: args.keyword() }));
    }
    global.ir.log_send_hostname = Some(args.next_word().filter(|word| !word.bytes.is_empty()).map(|word| word.text()));
    Ok(())
}

/// `spread-checks <0..50>`: once, in percent.
pub fn spread_checks(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.said.spread_checks {
        return Err(args.blame_keyword(LowerError::Again { keyword: args.keyword() }));
    }
    let word = args.word("a percentage")?;
    let percent = word.lenient(0, 50, args)?;
    global.ir.spread_checks = u8::try_from(percent).unwrap_or(0);
    global.said.spread_checks = percent != 0;
    Ok(())
}

/// `max-spread-checks <time>`.
pub fn max_spread_checks(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    global.ir.max_spread_checks = Some(args.time()?).filter(|time| *time != Millis::ZERO);
    Ok(())
}

/// `node <name>`: letters, digits, `.`, `-` and `_`.
pub fn node(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a name")?;
    let wrong = word.bytes.iter().find(|byte| !byte.is_ascii_alphanumeric() && !b".-_".contains(byte));
    if let Some(byte) = wrong {
        return Err(word.blame(LowerError::Name { text: word.text(), byte: *byte }));
    }
    global.ir.node = Some(word.text());
    Ok(())
}

/// `description <text>`: all words, joined by a space.
pub fn description(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    args.need("a text")?;
    global.ir.description = Some(args.rest().join(" "));
    Ok(())
}

/// `localpeer <name>`: also the variable `HAPROXY_LOCALPEER` for what is read after it.
pub fn localpeer(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a name")?;
    if !global.ir.peers.is_empty() {
        args.say(Diagnostic::warning(word.span, "'localpeer' is ignored: it stands below a 'peers' section"));
        return Ok(());
    }
    args.world.set_env("HAPROXY_LOCALPEER", Some(word.bytes));
    Ok(())
}

/// `quiet`.
pub fn quiet(global: &mut GlobalDraft, _args: &mut Args<'_>) -> Lowered {
    global.ir.quiet = true;
    Ok(())
}

/// `zero-warning`.
pub fn zero_warning(global: &mut GlobalDraft, _args: &mut Args<'_>) -> Lowered {
    global.ir.zero_warning = true;
    Ok(())
}

/// `nosplice`.
pub fn nosplice(global: &mut GlobalDraft, _args: &mut Args<'_>) -> Lowered {
    global.ir.no_splice = true;
    Ok(())
}

/// `noreuseport`.
pub fn noreuseport(global: &mut GlobalDraft, _args: &mut Args<'_>) -> Lowered {
    global.ir.no_reuseport = true;
    Ok(())
}

/// `pp2-never-send-local`.
pub fn pp2_never_send_local(global: &mut GlobalDraft, _args: &mut Args<'_>) -> Lowered {
    global.ir.never_send_local = true;
    Ok(())
}

/// `tune.bufsize <bytes>`: at least 1. Rounded up to 16 it must be below 256 MiB, which haproxy says without a line.
pub fn tune_bufsize(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number of bytes")?;
    let bytes = word.lenient_u32(1, MOST - 15, args)?;
    if bytes.next_multiple_of(16) >= 256 << 20 {
        let message = format!("a buffer of {bytes} bytes: 'tune.bufsize' must be below 256 MiB");
        args.say(Diagnostic::alert(word.span, message).resolved());
    }
    global.ir.bufsize = Some(bytes);
    Ok(())
}

/// `tune.maxrewrite <bytes>`: more than half of a buffer is half of it.
pub fn tune_maxrewrite(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number of bytes")?;
    global.ir.maxrewrite = Some(word.lenient_u32(0, MOST, args)?);
    Ok(())
}

/// `tune.stick-counters <number>` (2.8): entries of stick tables that a session can track; each costs 16 bytes, and only who
/// tracks pays.
pub fn stick_counters(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let number = args.int(0, 100)?;
    global.ir.stick_counters = u32::try_from(number).ok();
    Ok(())
}

/// `tune.maxaccept <number>`: connections taken in one go; once.
pub fn tune_maxaccept(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.ir.maxaccept.is_some() {
        return Err(args.blame_keyword(LowerError::Again { keyword: args.keyword() }));
    }
    let word = args.word("a number")?;
    let number = word.lenient(i64::MIN, i64::from(MOST), args)?;
    global.ir.maxaccept = match number {
        0 => None,
        1.. => u32::try_from(number).ok(),
        _ => Some(u32::MAX), // no limit
    };
    Ok(())
}
