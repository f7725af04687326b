//! `timeout …` and its forms before 2.1.
//!
//! The last one of a section wins; `timeout X 0` means none, as without it. Source: manual §4.2.

use super::args::Args;
use super::draft::ProxyDraft;
use super::error::Lowered;
use crate::grammar::SectionKind;
use crate::ir::Timeouts;
use crate::text::Diagnostic;
use crate::units::Millis;

/// Reads a time into its place; zero is no limit. A second one in a section that differs gets haproxy's warning.
fn set(proxy: &mut ProxyDraft, args: &mut Args<'_>, place: fn(&mut Timeouts) -> &mut Option<Millis>) -> Lowered {
    let time = args.time()?;
    let before = *place(&mut proxy.set.timeouts);
    if proxy.kind != SectionKind::Defaults && before != *place(&mut proxy.inherited) {
        args.say(Diagnostic::warning(args.span(), "this section gave another time before: this one holds"));
    }
    *place(&mut proxy.set.timeouts) = Some(time).filter(|time| *time != Millis::ZERO);
    Ok(())
}

/// `timeout client <time>`.
pub fn client(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.noted.timeout_client = Some(args.span());
    set(proxy, args, |timeouts| &mut timeouts.client)
}

/// `timeout client-fin <time>`.
pub fn client_fin(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.client_fin)
}

/// `timeout client-hs <time>`.
pub fn client_hs(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.client_hs)
}

/// `timeout connect <time>`.
pub fn connect(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.connect)
}

/// `timeout server <time>`.
pub fn server(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.noted.timeout_server = Some(args.span());
    set(proxy, args, |timeouts| &mut timeouts.server)
}

/// `timeout server-fin <time>`.
pub fn server_fin(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.server_fin)
}

/// `timeout queue <time>`.
pub fn queue(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.queue)
}

/// `timeout check <time>`.
pub fn check(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.check)
}

/// `timeout tunnel <time>`.
pub fn tunnel(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.tunnel)
}

/// `timeout http-request <time>`: acts on the statistics page.
pub fn http_request(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.http_request)
}

/// `timeout http-keep-alive <time>`: acts on the statistics page.
pub fn http_keep_alive(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    set(proxy, args, |timeouts| &mut timeouts.http_keep_alive)
}

/// `clitimeout <time>` and `timeout clitimeout <time>`, until 2.0.
pub fn old_client(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    translated(args, "timeout client");
    client(proxy, args)
}

/// `contimeout <time>` and `timeout contimeout <time>`, until 2.0.
pub fn old_connect(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    translated(args, "timeout connect");
    connect(proxy, args)
}

/// `srvtimeout <time>` and `timeout srvtimeout <time>`, until 2.0.
pub fn old_server(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    translated(args, "timeout server");
    server(proxy, args)
}

/// Warns and shows the modern line.
fn translated(args: &mut Args<'_>, modern: &str) {
    let time = args.peek().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    args.modern(&format!("{modern} {time}"));
}
