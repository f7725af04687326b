//! `option …` of proxies and the small keywords beside them.
//!
//! `no option X` switches off what defaults switched on, `default option X` goes back to haproxy's own default.
//! Source: manual §4.2.

use super::args::{Args, MOST};
use super::draft::{Named, ProxyDraft};
use super::error::{Blame, LowerError, Lowered};
use crate::grammar::SectionKind;
use crate::ir::{self, Mode, Redispatch};
use crate::text::Diagnostic;

/// `mode { tcp | http }`. Whether `http` does more than a statistics page is judged when all is read.
pub fn mode(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("'tcp' or 'http'")?;
    proxy.set.mode = match word.bytes {
        b"tcp" => Mode::Tcp,
        b"http" => Mode::Http,
        b"health" => {
            let old = LowerError::Misplaced("'mode health' was removed from haproxy in 2.1");
            return Err(word.blame(old).hint("write 'http-request return status 200' in 'mode http'"));
        }
        b"log" | b"spop" | b"haterm" => {
            return Err(word.blame(LowerError::NotYet { what: format!("'mode {}'", word.text()) }));
        }
        _ => return Err(word.blame(LowerError::Choice { text: word.text(), choices: &["tcp", "http"] })),
    };
    proxy.set.mode_span = Some(word.span);
    Ok(())
}

/// `disabled`: the section is read and never runs.
pub fn disabled(proxy: &mut ProxyDraft, _args: &mut Args<'_>) -> Lowered {
    proxy.set.disabled = true;
    Ok(())
}

/// `enabled`: the opposite of defaults that say `disabled`.
pub fn enabled(proxy: &mut ProxyDraft, _args: &mut Args<'_>) -> Lowered {
    proxy.set.disabled = false;
    Ok(())
}

/// `id <number>`: at least 1, one proxy each.
pub fn id(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a number")?;
    let id = word.lenient_u32(1, MOST, args)?;
    if proxy.id.is_some() {
        return Err(word.blame(LowerError::IdTaken { id }));
    }
    proxy.id = Some((id, word.span));
    Ok(())
}

/// `description <text>`: all words, joined by a space.
pub fn description(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.need("a text")?;
    proxy.description = Some(args.rest().join(" "));
    Ok(())
}

/// `default_backend <name>`: looked up when all is read.
pub fn default_backend(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("the name of a backend")?;
    proxy.set.default_backend = Some(Named { name: word.text(), span: word.span });
    Ok(())
}

/// `maxconn <number>`: connections of the client side at once.
pub fn maxconn(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.noted.maxconn = Some(args.span());
    proxy.set.maxconn = args.lenient_count()?;
    Ok(())
}

/// `backlog <number>`: the accept queue.
pub fn backlog(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.backlog = args.lenient_count()?;
    Ok(())
}

/// `fullconn <number>`: the load at which a server reaches its `maxconn` when it has a `minconn`.
pub fn fullconn(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.fullconn = args.lenient_count()?;
    Ok(())
}

/// `retries <number>`: attempts to connect after the first.
pub fn retries(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.retries = Some(args.lenient_count()?.unwrap_or(0));
    Ok(())
}

/// `rate-limit sessions <number>`: new sessions a second. One behind a line that changed it gets haproxy's warning.
pub fn rate_limit_sessions(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    let limit = args.c_number()?;
    if proxy.kind != SectionKind::Defaults && proxy.set.rate_limit != proxy.inherited_rate {
        args.say(Diagnostic::warning(args.span(), "this section gave another rate before: this one holds"));
    }
    proxy.set.rate_limit = limit;
    Ok(())
}

/// `option redispatch [interval]`: 0 never, N at every N-th retry, -1 (as without a number) at the last one.
pub fn redispatch(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    if !args.on(false) {
        proxy.set.redispatch = Redispatch::Never;
        return Ok(());
    }
    let interval = match args.next_word() {
        None => -1,
        Some(word) => word.lenient(i64::MIN, i64::MAX, args)?,
    };
    proxy.set.redispatch = match u32::try_from(interval.unsigned_abs()).unwrap_or(u32::MAX) {
        0 => Redispatch::Never,
        1 if interval < 0 => Redispatch::Last,
        from_last if interval < 0 => Redispatch::FromLast(from_last),
        every => Redispatch::Every(every),
    };
    Ok(())
}

/// `redispatch` and `redisp`, until 2.0.
pub fn old_redispatch(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    args.modern("option redispatch");
    redispatch(proxy, args)
}

/// `option allbackups`.
pub fn all_backups(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.all_backups = args.on(false);
    Ok(())
}

/// `option abortonclose`.
pub fn abort_on_close(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.abort_on_close = args.on(false);
    Ok(())
}

/// `option nolinger`.
pub fn nolinger(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.nolinger = args.on(false);
    Ok(())
}

/// `option tcpka`: both sides.
pub fn tcpka(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.tcpka = args.on(false);
    Ok(())
}

/// `option clitcpka`.
pub fn clitcpka(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.client_keep_alive.on = args.on(false);
    Ok(())
}

/// `option srvtcpka`.
pub fn srvtcpka(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.server_keep_alive.on = args.on(false);
    Ok(())
}

/// `clitcpka-cnt <number>`: probes.
pub fn clitcpka_cnt(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.client_keep_alive.count = Some(args.c_number()?);
    Ok(())
}

/// `clitcpka-idle <time>`, a bare number counts in seconds.
pub fn clitcpka_idle(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.client_keep_alive.idle = Some(args.seconds()?);
    Ok(())
}

/// `clitcpka-intvl <time>`, a bare number counts in seconds.
pub fn clitcpka_intvl(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.client_keep_alive.interval = Some(args.seconds()?);
    Ok(())
}

/// `srvtcpka-cnt <number>`: probes.
pub fn srvtcpka_cnt(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.server_keep_alive.count = Some(args.c_number()?);
    Ok(())
}

/// `srvtcpka-idle <time>`, a bare number counts in seconds.
pub fn srvtcpka_idle(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.server_keep_alive.idle = Some(args.seconds()?);
    Ok(())
}

/// `srvtcpka-intvl <time>`, a bare number counts in seconds.
pub fn srvtcpka_intvl(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.server_keep_alive.interval = Some(args.seconds()?);
    Ok(())
}

/// `option socket-stats`.
pub fn socket_stats(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.socket_stats = args.on(false);
    Ok(())
}

/// `option contstats`.
pub fn contstats(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.contstats = args.on(false);
    Ok(())
}

/// `option tcp-smart-connect`: where a PROXY header goes first, it goes out with the acknowledgment of the handshake.
pub fn smart_connect(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.smart_connect = args.on(false);
    Ok(())
}

/// `option tcp-smart-accept`: on by itself in `mode http` only.
pub fn smart_accept(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.smart_accept = (args.on(true) == args.on(false)).then(|| args.on(false));
    Ok(())
}

/// `option splice-auto`.
pub fn splice_auto(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.splice.auto = args.on(false);
    Ok(())
}

/// `option splice-request`.
pub fn splice_request(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.splice.request = args.on(false);
    Ok(())
}

/// `option splice-response`.
pub fn splice_response(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.splice.response = args.on(false);
    Ok(())
}

/// `option log-health-checks`.
pub fn log_health_checks(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.log_health_checks = args.on(false);
    Ok(())
}

/// `errorfile <status> <file>`: the answer the statistics page gives instead of its own; must be readable.
pub fn error_file(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    const STATUS: [u16; 19] =
        [200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 414, 421, 422, 425, 429, 500, 501, 502, 503];
    let word = args.word("a status and a file")?;
    let code = word.lenient(i64::MIN, i64::MAX, args)?;
    let status = u16::try_from(code).ok().filter(|code| *code == 504 || STATUS.contains(code));
    let status = status.ok_or_else(|| word.blame(LowerError::Status { text: word.text() }))?;
    let path = args.word("a status and a file")?;
    let bytes = args.world.read(std::path::Path::new(&path.text())).map_err(|error| Blame {
        span: path.span,
        error: LowerError::File { path: path.text(), why: error.kind() },
        hint: None,
    })?;
    if !bytes.is_empty() && !bytes.starts_with(b"HTTP/1.") {
        return Err(path.blame(LowerError::NotAnAnswer { path: path.text() }));
    }
    proxy.set.error_files.retain(|file| file.status != status);
    proxy.set.error_files.push(ir::ErrorFile { status, answer: bytes.into() });
    Ok(())
}
