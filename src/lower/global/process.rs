//! Who the process is and what it may use. Source: manual §3.1.

use std::path::PathBuf;

use super::GlobalDraft;
use crate::ir::CloseSpread;
use crate::lower::args::Args;
use crate::lower::bind::{group_id, user_id};
use crate::lower::error::{LowerError, Lowered};
use crate::text::Diagnostic;
use crate::units::Millis;

/// `daemon`.
pub fn daemon(global: &mut GlobalDraft, _args: &mut Args<'_>) -> Lowered {
    global.ir.daemon = true;
    Ok(())
}

/// The error of a keyword that was given before.
fn again(args: &Args<'_>) -> crate::lower::error::Blame {
    args.blame_keyword(LowerError::Again { keyword: args.keyword() })
}

/// `pidfile <path>`: once.
pub fn pidfile(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let path = args.string("the path of a file")?;
    if global.ir.pidfile.is_some() {
        return Err(again(args));
    }
    global.ir.pidfile = Some(PathBuf::from(path));
    Ok(())
}

/// `chroot <directory>`: once; whether it can be entered shows at start.
pub fn chroot(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a directory")?;
    if global.ir.drop_to.chroot.is_some() {
        return Err(again(args));
    }
    global.ir.drop_to.chroot = Some((PathBuf::from(word.text()), word.span));
    Ok(())
}

/// `user <name>`: once, `uid` included.
pub fn user(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.said.user {
        return Err(again(args));
    }
    let id = user_id(args)?;
    global.ir.drop_to.uid = Some(id);
    // as haproxy: what is zero was not said
    global.said.user = id != 0;
    Ok(())
}

/// `group <name>`: once, `gid` included.
pub fn group(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.said.group {
        return Err(again(args));
    }
    let id = group_id(args)?;
    global.ir.drop_to.gid = Some(id);
    global.said.group = id != 0;
    Ok(())
}

/// `uid <number>`: once, `user` included. What is no number gets a warning and changes nothing.
pub fn uid(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.said.user {
        return Err(again(args));
    }
    if let Some(id) = number_or_warning(args, "user")? {
        global.ir.drop_to.uid = Some(id);
        global.said.user = id != 0;
    }
    Ok(())
}

/// `gid <number>`: once, `group` included. What is no number gets a warning and changes nothing.
pub fn gid(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.said.group {
        return Err(again(args));
    }
    if let Some(id) = number_or_warning(args, "group")? {
        global.ir.drop_to.gid = Some(id);
        global.said.group = id != 0;
    }
    Ok(())
}

fn number_or_warning(args: &mut Args<'_>, named: &str) -> Lowered<Option<u32>> {
    let word = args.word("a number")?;
    let number = std::str::from_utf8(word.bytes).ok().and_then(|text| text.parse().ok());
    if number.is_none() {
        let warning = Diagnostic::warning(word.span, format!("'{}' is not a number: nothing is changed", word.text()));
        args.say(warning.hint(format!("'{named}' takes a name")));
    }
    Ok(number)
}

/// `ulimit-n <number>`: once.
pub fn ulimit_n(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.said.nofile {
        return Err(again(args));
    }
    global.ir.rlimits.nofile = args.lenient_count()?;
    global.said.nofile = true;
    Ok(())
}

/// `fd-hard-limit <number>`: once.
pub fn fd_hard_limit(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let limit = args.lenient_count()?;
    if global.ir.rlimits.fd_hard_limit.is_some() {
        return Err(again(args));
    }
    global.ir.rlimits.fd_hard_limit = limit;
    Ok(())
}

/// `[no] strict-limits`: once it is taken back it stays so, whatever comes later.
pub fn strict_limits(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    global.ir.rlimits.strict &= args.on(true);
    Ok(())
}

/// `maxconn <number>`: once; 0 leaves it to the descriptor limit.
pub fn maxconn(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.said.maxconn {
        return Err(again(args));
    }
    global.ir.maxconn = args.lenient_count()?;
    global.said.maxconn = global.ir.maxconn.is_some();
    Ok(())
}

/// `nbthread <1..64>`.
pub fn nbthread(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number of threads")?;
    let threads = word.int(1, 64)?;
    global.ir.nbthread = Some(u16::try_from(threads).map_err(|_| word.range(1, 64))?);
    Ok(())
}

/// `hard-stop-after <time>`: words behind it are ignored, as haproxy does.
pub fn hard_stop_after(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    global.ir.hard_stop_after = Some(args.time()?);
    Ok(())
}

/// `close-spread-time <time>|infinite`: the last one wins; 0 is none, and words behind it are ignored, as haproxy does.
pub fn close_spread_time(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    global.ir.close_spread = if args.take("infinite") {
        Some(CloseSpread::Never)
    } else {
        Some(args.time()?).filter(|time| *time != Millis::ZERO).map(CloseSpread::Over)
    };
    Ok(())
}

/// `insecure-setuid-wanted`.
pub fn insecure_setuid_wanted(global: &mut GlobalDraft, _args: &mut Args<'_>) -> Lowered {
    global.ir.allow_setuid = true;
    Ok(())
}

/// `[no] set-dumpable [on|off|libs]`: the word behind it came with 3.x; `libs` is `on`.
pub fn set_dumpable(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let on = match args.next_word().filter(|word| !word.bytes.is_empty()) {
        None => true,
        Some(word) if matches!(word.bytes, b"on" | b"libs") => true,
        Some(word) if word.bytes == b"off" => false,
        Some(word) => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["on", "off", "libs"] })),
    };
    global.ir.dumpable = on && args.on(true);
    Ok(())
}

/// `maxconnrate <number>`: once.
pub fn maxconnrate(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.ir.max_connection_rate > 0 {
        return Err(again(args));
    }
    global.ir.max_connection_rate = args.lenient_count()?.unwrap_or(0);
    Ok(())
}

/// `maxsessrate <number>`: once.
pub fn maxsessrate(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.ir.max_session_rate > 0 {
        return Err(again(args));
    }
    global.ir.max_session_rate = args.lenient_count()?.unwrap_or(0);
    Ok(())
}

/// `maxpipes <number>`: once; 0 is none said.
pub fn maxpipes(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if global.ir.max_pipes.is_some() {
        return Err(again(args));
    }
    global.ir.max_pipes = args.lenient_count()?;
    Ok(())
}

/// `tune.rcvbuf.client <bytes>`: once, as its three siblings.
pub fn rcvbuf_client(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    buffer(args, &mut global.ir.client_buffers.receive)
}

/// `tune.sndbuf.client <bytes>`.
pub fn sndbuf_client(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    buffer(args, &mut global.ir.client_buffers.send)
}

/// `tune.rcvbuf.server <bytes>`.
pub fn rcvbuf_server(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    buffer(args, &mut global.ir.server_buffers.receive)
}

/// `tune.sndbuf.server <bytes>`.
pub fn sndbuf_server(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    buffer(args, &mut global.ir.server_buffers.send)
}

fn buffer(args: &mut Args<'_>, size: &mut u32) -> Lowered {
    if *size > 0 {
        return Err(again(args));
    }
    *size = args.lenient_count()?.unwrap_or(0);
    Ok(())
}

/// `grace <time>`: the last one wins; words behind it are ignored, as haproxy does.
pub fn grace(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    global.ir.grace = Some(args.time()?);
    Ok(())
}

/// `setenv <name> <value>`: holds for what is read after it.
pub fn setenv(_global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let (name, value) = (args.string("a name and a value")?, args.word("a name and a value")?);
    args.world.set_env(&name, Some(value.bytes));
    Ok(())
}

/// `presetenv <name> <value>`: only if the variable does not exist.
pub fn presetenv(_global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let (name, value) = (args.string("a name and a value")?, args.word("a name and a value")?);
    if args.world.env(&name).is_none() {
        args.world.set_env(&name, Some(value.bytes));
    }
    Ok(())
}

/// `unsetenv <name> …`.
pub fn unsetenv(_global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    args.need("at least one name")?;
    for name in args.rest() {
        args.world.set_env(&name, None);
    }
    Ok(())
}

/// `resetenv [name …]`: removes all variables but those named.
pub fn resetenv(_global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    let keep = args.rest();
    args.world.keep_env(&keep);
    Ok(())
}

/// Whether there is a value; a warning of ours says what it means that there is none.
fn value(args: &mut Args<'_>) -> Option<()> {
    if args.peek().is_some_and(|word| !word.is_empty()) {
        return Some(());
    }
    args.say(Diagnostic::our_warning(args.span(), "there is no value: it is read as 0, as haproxy reads it"));
    None
}

/// The octal digits that a word begins with; a warning of ours says what is read if there are others.
fn lenient_octal(args: &mut Args<'_>) -> Lowered<u32> {
    let word = args.word("an octal mode")?;
    let digits = word.bytes.iter().take_while(|byte| (b'0'..=b'7').contains(byte));
    let mode = digits.clone().fold(0, |mode: u32, digit| (mode << 3 | u32::from(digit - b'0')) & 0o7777);
    if digits.count() < word.bytes.len() {
        let message = format!("'{}' is not an octal mode: it is read as {mode:o}, as haproxy reads it", word.text());
        args.say(Diagnostic::our_warning(word.span, message));
    }
    Ok(mode)
}

/// `unix-bind [prefix P] [mode M] [user U] [uid N] [group G] [gid N]`: what unix listeners begin with.
pub fn unix_bind(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    while let Some(word) = args.next_word().filter(|word| !word.bytes.is_empty()) {
        match word.bytes {
            b"prefix" => {
                let prefix = args.string("a path")?;
                if global.unix_prefix.is_some() {
                    return Err(again(args));
                }
                global.unix_prefix = Some(prefix);
            }
            // as haproxy: without a value, or with one that is no number, these are 0
            b"mode" => global.unix_bind.mode = Some(value(args).map_or(Ok(0), |()| lenient_octal(args))?),
            b"uid" => global.unix_bind.uid = value(args).map_or(Ok(None), |()| args.lenient_count())?.or(Some(0)),
            b"gid" => global.unix_bind.gid = value(args).map_or(Ok(None), |()| args.lenient_count())?.or(Some(0)),
            b"user" => global.unix_bind.uid = Some(user_id(args)?),
            b"group" => global.unix_bind.gid = Some(group_id(args)?),
            _ => {
                let choices = &["prefix", "mode", "uid", "gid", "user", "group"];
                return Err(word.blame(LowerError::Choice { text: word.text(), choices }));
            }
        }
    }
    Ok(())
}
