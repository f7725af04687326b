//! `log …`, `log-tag` and the options that choose a session's line. Source: manual §4.2 "log", §8.

use std::net::SocketAddr;

use super::args::{Args, Given};
use super::draft::{ProxyDraft, SessionLogWord, Settings};
use super::error::{LowerError, Lowered};
use super::global::GlobalDraft;
use super::{address, ring};
use crate::grammar::{Prefix, SectionKind};
use crate::ir::{Facility, Global, Level, LogFormat, LogProtocol, LogTarget, Sample};
use crate::text::Diagnostic;
use crate::units::address::{Place, Transport};

const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp", "audit",
    "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

const LEVELS: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

const FORMATS: &[&str] = &["rfc3164", "rfc5424", "local", "priority", "short", "timed", "iso", "raw"];

const FORMAT_OF: [LogFormat; 8] = [
    LogFormat::Rfc3164,
    LogFormat::Rfc5424,
    LogFormat::Local,
    LogFormat::Priority,
    LogFormat::Short,
    LogFormat::Timed,
    LogFormat::Iso,
    LogFormat::Raw,
];

/// The syslog port.
const SYSLOG: u16 = 514;

/// `log { global | <target> [len N] [format F] [sample …] <facility> [level [minlevel]] }` and `no log` of a proxy.
pub fn proxy(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    // `default log` is read as `log`
    if args.prefix == Prefix::No {
        proxy.set.logs.clear();
        proxy.set.shared_logs.clear();
        return args.end();
    }
    if args.take("global") {
        proxy.set.log_global = true;
        return args.end();
    }
    let target = target(args)?;
    proxy.set.logs.push(target);
    Ok(())
}

/// `log <target> …` and `no log` of the process.
pub fn global(global: &mut GlobalDraft, args: &mut Args<'_>) -> Lowered {
    if args.prefix == Prefix::No {
        global.ir.logs.clear();
        return args.end();
    }
    let target = target(args)?;
    global.ir.logs.push(target);
    Ok(())
}

/// `log …` of a `peers` section: it must be right, and nothing is logged there.
pub(super) fn target_of_peers(args: &mut Args<'_>) -> Lowered {
    if args.take("global") {
        return args.end();
    }
    target(args).map(drop)
}

/// Copies the process's targets for a `log global` that was just read: what `global` says later does not count. Tried
/// on 2.6.
pub(super) fn share(set: &mut Settings, global: &Global) {
    if !std::mem::take(&mut set.log_global) {
        return;
    }
    for target in &global.logs {
        if !set.shared_logs.contains(target) {
            set.shared_logs.push(target.clone());
        }
    }
}

/// `log-tag <text>` of a proxy.
pub fn tag(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.log_tag = Some(args.string("a tag")?);
    Ok(())
}

/// Reads what stands behind `log`.
fn target(args: &mut Args<'_>) -> Lowered<LogTarget> {
    let to = protocol(args)?;
    let mut max_len = 1024;
    let mut format = LogFormat::Unset;
    // the options have this order: haproxy takes a late `len` for the facility
    if args.take("len") {
        let word = args.word("a length")?;
        max_len = u32::try_from(word.int(80, 65535)?).map_err(|_| word.range(80, 65535))?;
    }
    if args.take("format") {
        format = log_format(&args.word("a log format")?)?;
    }
    let sample = if args.take("sample") { Some(sample(&args.word("ranges and a size")?)?) } else { None };
    if args.peek() == Some(b"profile") {
        let word = args.word("an option")?;
        return Err(word.blame(LowerError::NotYet { what: format!("'log … {}'", word.text()) }));
    }
    let word = args.word("a facility")?;
    let facility = choice(word.bytes, FACILITIES)
        .ok_or_else(|| word.blame(LowerError::Choice { text: word.text(), choices: FACILITIES }))?;
    let facility = Facility(u8::try_from(facility).unwrap_or_default());
    let max_level = level(args)?.unwrap_or(Level::Debug);
    let min_level = level(args)?.unwrap_or(Level::Emerg);
    args.end()?;
    Ok(LogTarget { to, format, max_len, sample, facility, max_level, min_level })
}

/// A frame by its name.
pub(super) fn log_format(word: &Given<'_>) -> Lowered<LogFormat> {
    let known = choice(word.bytes, FORMATS).and_then(|at| FORMAT_OF.get(at));
    known.copied().ok_or_else(|| word.blame(LowerError::Choice { text: word.text(), choices: FORMATS }))
}

/// `<ranges>:<size>`: `1-3,5:10`.
fn sample(word: &Given<'_>) -> Lowered<Sample> {
    let wrong = |why: &'static str| word.blame(LowerError::Sample { text: word.text(), why });
    let colon = word.bytes.iter().position(|byte| *byte == b':').ok_or_else(|| wrong("the size is missing"))?;
    let size =
        count(&word.bytes[colon + 1..]).filter(|size| *size > 0).ok_or_else(|| wrong("the size is no number"))?;
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for range in word.bytes[..colon].split(|byte| *byte == b',') {
        let (first, last) = match range.iter().position(|byte| *byte == b'-') {
            Some(dash) => (count(&range[..dash]), count(&range[dash + 1..])),
            None => (count(range), count(range)),
        };
        match (first, last) {
            (Some(first), Some(last)) if 0 < first && first <= last => ranges.push((first, last)),
            _ => return Err(wrong("a range is a number from 1, or two with '-' between them")),
        }
    }
    ranges.sort_unstable();
    if ranges.windows(2).any(|two| two[1].0 <= two[0].1) {
        return Err(wrong("ranges overlap"));
    }
    if ranges.last().is_some_and(|(_, last)| *last > size) {
        return Err(wrong("a range goes beyond the size"));
    }
    Ok(Sample { ranges: ranges.into(), size })
}

/// Decimal digits and nothing else; of more than 32 bits only the lower ones count, as with haproxy.
fn count(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let value = text
        .iter()
        .fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0'))));
    digits.then_some(value as u32)
}

/// Where to: `stdout`, `stderr`, an address, a path, `fd@N`.
fn protocol(args: &mut Args<'_>) -> Lowered<LogProtocol> {
    let word = args.word("'global' or a target, and a facility")?;
    match word.bytes {
        b"stdout" => return Ok(LogProtocol::Fd(1)),
        b"stderr" => return Ok(LogProtocol::Fd(2)),
        _ => {}
    }
    if let Some(name) = word.bytes.strip_prefix(b"ring@") {
        return Ok(LogProtocol::Ring(String::from_utf8_lossy(name).into_owned()));
    }
    if word.bytes.starts_with(b"backend@") {
        return Err(word.blame(LowerError::NotYet { what: format!("'log {}'", word.text()) }));
    }
    let parsed = address::parse(&word, args)?;
    if parsed.transport == Transport::Stream {
        return Ok(LogProtocol::Stream(ring::stream(&word, args, SYSLOG)?));
    }
    let port = parsed.plain_port().map_err(|why| address::fault(&word, why))?;
    match parsed.place {
        Place::Inet { family, host, .. } => {
            let ip = address::ip(&word, &host, family, args)?;
            Ok(LogProtocol::Udp(SocketAddr::new(ip, port.filter(|port| *port > 0).unwrap_or(SYSLOG))))
        }
        Place::Unix(path) => Ok(LogProtocol::Unix(address::path(path))),
        Place::Abstract(name) => Ok(LogProtocol::Abstract(name)),
        Place::Fd(fd) => Ok(LogProtocol::Fd(fd)),
        Place::AbstractZero(_) | Place::SockPair(_) | Place::Reverse(_) => Err(address::wrong_kind(&word)),
    }
}

/// A level, if a word is left.
fn level(args: &mut Args<'_>) -> Lowered<Option<Level>> {
    const ALL: [Level; 8] =
        [Level::Emerg, Level::Alert, Level::Crit, Level::Err, Level::Warning, Level::Notice, Level::Info, Level::Debug];
    if args.peek().is_none_or(<[u8]>::is_empty) {
        return Ok(None);
    }
    let word = args.word("a level")?;
    match choice(word.bytes, LEVELS).and_then(|at| ALL.get(at)) {
        Some(level) => Ok(Some(*level)),
        None => Err(word.blame(LowerError::Choice { text: word.text(), choices: LEVELS })),
    }
}

fn choice(word: &[u8], choices: &[&str]) -> Option<usize> {
    choices.iter().position(|choice| choice.as_bytes() == word)
}

/// `option tcplog`: the line of a TCP session.
pub fn tcplog(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    session_log(proxy, args, SessionLogWord::Tcp);
    args.end()
}

/// `option httplog [clf]`: the line of an HTTP request; in `mode tcp` the line of `option tcplog`, with a warning.
pub fn httplog(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let clf = args.prefix == Prefix::Plain && args.take("clf");
    session_log(proxy, args, if clf { SessionLogWord::HttpClf } else { SessionLogWord::Http });
    args.end()
}

/// `option httpslog`: as `option httplog`, with what is known of TLS.
pub fn httpslog(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    session_log(proxy, args, SessionLogWord::Https);
    args.end()
}

pub(super) fn session_log(proxy: &mut ProxyDraft, args: &mut Args<'_>, word: SessionLogWord) {
    if args.prefix != Prefix::Plain {
        // `no option tcplog` leaves `option httplog` alone
        if proxy.set.session_log.is_some_and(|(said, _)| said == word) {
            proxy.set.session_log = None;
        }
        return;
    }
    if proxy.kind == SectionKind::Backend && word != SessionLogWord::Custom {
        let warning = Diagnostic::warning(args.span(), "a backend writes no session log: this line has no effect");
        args.say(warning.hint("give it to the frontend"));
    }
    // haproxy says so of defaults only, and also if it is the same or was inherited
    if let (Some((_, span)), SectionKind::Defaults) = (proxy.set.session_log, proxy.kind) {
        let warning = Diagnostic::warning(args.span(), "a log format was chosen before: this one holds");
        args.say(warning.hint(format!("see line {}", span.line)));
    }
    proxy.set.session_log = Some((word, args.span()));
}

/// `option dontlognull`.
pub fn dont_log_null(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.dont_log_null = args.on(false);
    Ok(())
}

/// `option dontlog-normal`.
pub fn dont_log_normal(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.dont_log_normal = args.on(false);
    Ok(())
}

/// `option log-separate-errors`.
pub fn log_separate_errors(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.log_separate_errors = args.on(false);
    Ok(())
}

/// `option logasap`.
pub fn log_asap(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.log_asap = args.on(false);
    Ok(())
}
