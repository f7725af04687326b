//! `timeout …` and its forms before 2.1.
//!
//! The last one of a section wins; `timeout X 0` means none, as without it. Source: manual §4.2.

use super::args::Args;
use super::draft::ProxyDraft;
use super::error::Lowered;
use crate::units::Millis;

/// Reads a time; zero is no limit.
fn limit(args: &mut Args<'_>) -> Lowered<Option<Millis>> {
    let time = args.time()?;
    args.end()?;
    Ok(Some(time).filter(|time| *time != Millis::ZERO))
}

/// `timeout client <time>`.
pub fn client(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.client = limit(args)?;
    Ok(())
}

/// `timeout client-fin <time>`.
pub fn client_fin(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.client_fin = limit(args)?;
    Ok(())
}

/// `timeout connect <time>`.
pub fn connect(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.connect = limit(args)?;
    Ok(())
}

/// `timeout server <time>`.
pub fn server(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.server = limit(args)?;
    Ok(())
}

/// `timeout server-fin <time>`.
pub fn server_fin(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.server_fin = limit(args)?;
    Ok(())
}

/// `timeout queue <time>`.
pub fn queue(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.queue = limit(args)?;
    Ok(())
}

/// `timeout check <time>`.
pub fn check(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.check = limit(args)?;
    Ok(())
}

/// `timeout tunnel <time>`.
pub fn tunnel(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.tunnel = limit(args)?;
    Ok(())
}

/// `timeout http-request <time>`: acts on the statistics page.
pub fn http_request(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.http_request = limit(args)?;
    Ok(())
}

/// `timeout http-keep-alive <time>`: acts on the statistics page.
pub fn http_keep_alive(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.http_keep_alive = limit(args)?;
    Ok(())
}

/// `timeout tarpit <time>`.
pub fn tarpit(proxy: &mut ProxyDraft, args: &mut Args<'_>) -> Lowered {
    proxy.set.timeouts.tarpit = limit(args)?;
    Ok(())
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
