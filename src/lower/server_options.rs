//! Options of `server` and `default-server` lines. Source: manual §5.2.

use super::address;
use super::args::{Args, Given, MOST};
use super::draft::Named;
use super::error::{LowerError, Lowered};
use super::server::ServerDraft;
use super::source;
use crate::ir::{HashKey, InitAddr, MarkedDown, MarkedUp};
use crate::text::Diagnostic;
use crate::units::address::Place;
use crate::units::{Millis, Weight};

/// `id <number>`: at least 1, one server of a backend each.
pub fn id(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number")?;
    let id = word.lenient_u32(1, MOST, args)?;
    server.id = Some((id, word.span));
    Ok(())
}

/// The value of an option; haproxy reads one that is missing at the end of the line as 0, and so do we, with a warning.
fn value<'a>(args: &mut Args<'a>) -> Option<Given<'a>> {
    let word = args.next_word();
    if word.is_none() {
        let message = format!("'{}' has no value: it is read as 0, as haproxy reads it", args.keyword());
        args.say(Diagnostic::our_warning(args.span(), message));
    }
    word
}

/// A count; what is negative counts as none.
fn count(args: &mut Args<'_>) -> Lowered<u32> {
    let Some(word) = value(args) else { return Ok(0) };
    let number = word.lenient(i64::MIN, i64::MAX, args)?.clamp(0, i64::from(MOST));
    Ok(u32::try_from(number).unwrap_or(0))
}

/// `weight <0..256>`.
pub fn weight(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let Some(word) = value(args) else {
        server.weight = Weight::new(0);
        return Ok(());
    };
    let weight = word.lenient(0, i64::from(Weight::MAX.get()), args)?;
    let weight = u16::try_from(weight).ok().and_then(Weight::new).ok_or_else(|| word.range(0, 256))?;
    server.weight = Some(weight);
    Ok(())
}

/// `hash-key id|addr|addr-port`.
pub fn hash_key(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'id', 'addr' or 'addr-port'")?;
    server.hash_key = match word.bytes {
        b"id" => HashKey::Id,
        b"addr" => HashKey::Addr,
        b"addr-port" => HashKey::AddrPort,
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["id", "addr", "addr-port"] })),
    };
    Ok(())
}

/// `backup`.
pub fn backup(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.backup = true;
    Ok(())
}

/// `non-stick`.
pub fn non_stick(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.non_stick = true;
    Ok(())
}

/// `stick`.
pub fn stick(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.non_stick = false;
    Ok(())
}

/// `no-backup`.
pub fn no_backup(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.backup = false;
    Ok(())
}

/// `disabled`: starts in maintenance.
pub fn disabled(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.disabled = true;
    Ok(())
}

/// `enabled`.
pub fn enabled(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.disabled = false;
    Ok(())
}

/// `maxconn <number>`; 0: no limit.
pub fn maxconn(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.maxconn = count(args)?;
    Ok(())
}

/// `minconn <number>`; 0: no dynamic limit.
pub fn minconn(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.minconn = count(args)?;
    Ok(())
}

/// `maxqueue <number>`; 0: no limit.
pub fn maxqueue(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.maxqueue = count(args)?;
    Ok(())
}

/// `slowstart <time>`, a bare number counts in milliseconds.
pub fn slowstart(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.slowstart = Some(args.time()?).filter(|time| *time != Millis::ZERO);
    Ok(())
}

/// `tcp-ut <delay>`, a bare number counts in milliseconds; 0: the system's.
pub fn tcp_ut(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.user_timeout = Some(args.time()?).filter(|time| *time != Millis::ZERO);
    Ok(())
}

/// `check`.
pub fn check(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.check = true;
    Ok(())
}

/// `no-check`.
pub fn no_check(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.check = false;
    Ok(())
}

/// A time that may not be zero.
pub(super) fn interval(args: &mut Args<'_>) -> Lowered<Option<Millis>> {
    let place = args.position();
    let time = args.time()?;
    if time == Millis::ZERO {
        let span = args.words().get(place).map_or(args.span(), |word| word.span);
        return Err(super::error::Blame { span, error: LowerError::Misplaced("a time of zero"), hint: None });
    }
    Ok(Some(time))
}

/// `inter <time>`.
pub fn inter(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.inter = interval(args)?;
    Ok(())
}

/// `fastinter <time>`.
pub fn fastinter(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.fastinter = interval(args)?;
    Ok(())
}

/// `downinter <time>`.
pub fn downinter(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.downinter = interval(args)?;
    Ok(())
}

/// A number of checks, at least 1.
fn checks(args: &mut Args<'_>) -> Lowered<Option<u32>> {
    let word = args.word("a number of checks")?;
    Ok(Some(word.lenient_u32(1, MOST, args)?))
}

/// `rise <count>`.
pub fn rise(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.rise = checks(args)?;
    Ok(())
}

/// `fall <count>`.
pub fn fall(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.fall = checks(args)?;
    Ok(())
}

/// `addr <ip>`: checked instead of the server's own address.
pub fn addr(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("an IP address")?;
    let parsed = address::parse(&word, args)?;
    let port = parsed.plain_port().map_err(|why| address::fault(&word, why))?;
    match parsed.place {
        Place::Inet { family, host, .. } => {
            server.addr = Some(address::ip(&word, &host, family, args)?);
            // a port here is the check's port too
            server.port = port.filter(|port| *port > 0).or(server.port);
        }
        _ => return Err(address::not_yet(&word)),
    }
    Ok(())
}

/// `port <number>`: checked instead of the server's own port.
pub fn port(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a port")?;
    let port = word.lenient(0, 65535, args)?;
    server.port = u16::try_from(port).ok().filter(|port| *port > 0);
    server.reserved += 1; // 2.6 counts a descriptor for the word, whether the server is checked or not
    Ok(())
}

/// `track [<backend>/]<server>`: looked up when all is read.
pub fn track(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'backend/server' or the name of a server")?;
    server.track = Some(Named { name: word.text(), span: word.span });
    Ok(())
}

/// `on-marked-down shutdown-sessions`.
pub fn on_marked_down(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'shutdown-sessions'")?;
    if word.bytes != b"shutdown-sessions" {
        return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["shutdown-sessions"] }));
    }
    server.on_marked_down = MarkedDown::ShutdownSessions;
    Ok(())
}

/// `on-marked-up shutdown-backup-sessions`.
pub fn on_marked_up(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'shutdown-backup-sessions'")?;
    if word.bytes != b"shutdown-backup-sessions" {
        return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["shutdown-backup-sessions"] }));
    }
    server.on_marked_up = MarkedUp::ShutdownBackupSessions;
    Ok(())
}

/// `init-addr { last | libc | none | <ip> }[,…]`.
pub fn init_addr(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.init_addr.clear();
    let Some(word) = args.next_word() else { return Ok(()) };
    for part in word.bytes.split(|byte| *byte == b',').filter(|part| !part.is_empty()) {
        server.init_addr.push(match part {
            b"last" => InitAddr::Last,
            b"libc" => InitAddr::Libc,
            b"none" => InitAddr::None,
            _ => {
                let ip = std::str::from_utf8(part).ok().and_then(|text| text.parse().ok());
                InitAddr::Ip(ip.ok_or_else(|| {
                    let choices = &["last", "libc", "none", "an IP address"];
                    word.blame(LowerError::Choice { text: String::from_utf8_lossy(part).into_owned(), choices })
                })?)
            }
        });
    }
    Ok(())
}

/// `source <ip>[:port[-port]] [interface <device>] [usesrc …]` of a server.
pub fn source(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    server.source = Some(source::address(args, true)?);
    Ok(())
}

/// `usesrc` that does not follow `source`: what may follow it is read with it.
pub fn usesrc(_server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    Err(args.blame_keyword(LowerError::Misplaced("'usesrc' may only follow 'source <address>'")))
}
