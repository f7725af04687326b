//! Options of `server` lines about the PROXY header that is sent. Source: manual §5.2; which word undoes which was
//! observed on 2.6.12.

use super::args::Args;
use super::error::{LowerError, Lowered};
use super::server::ServerDraft;
use crate::ir::SendProxy;

/// `send-proxy`.
pub fn v1(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.send_proxy = server.send_proxy.with(SendProxy::V1);
    Ok(())
}

/// `no-send-proxy`: undoes `send-proxy` alone.
pub fn no_v1(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.send_proxy = server.send_proxy.without(SendProxy::V1);
    Ok(())
}

/// `send-proxy-v2`.
pub fn v2(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.send_proxy = server.send_proxy.with(SendProxy::V2);
    Ok(())
}

/// `no-send-proxy-v2`: undoes `send-proxy-v2` alone; what was said of options makes it version 1.
pub fn no_v2(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.send_proxy = server.send_proxy.without(SendProxy::V2);
    Ok(())
}

const V2_SSL: SendProxy = SendProxy::V2.with(SendProxy::SSL);
const V2_SSL_CN: SendProxy = V2_SSL.with(SendProxy::CERT_CN);

/// `send-proxy-v2-ssl`.
pub fn v2_ssl(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.send_proxy = server.send_proxy.with(V2_SSL);
    Ok(())
}

/// `no-send-proxy-v2-ssl`.
pub fn no_v2_ssl(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.send_proxy = server.send_proxy.without(V2_SSL);
    Ok(())
}

/// `send-proxy-v2-ssl-cn`.
pub fn v2_ssl_cn(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.send_proxy = server.send_proxy.with(V2_SSL_CN);
    Ok(())
}

/// `no-send-proxy-v2-ssl-cn`.
pub fn no_v2_ssl_cn(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.send_proxy = server.send_proxy.without(V2_SSL_CN);
    Ok(())
}

/// `proxy-v2-options <option>[,…]`: without `send-proxy-v2` the header is of version 1, and there is one.
pub fn v2_options(server: &mut ServerDraft, args: &mut Args<'_>) -> Lowered {
    let word = args.word("a list of options")?;
    for option in word.bytes.split(|byte| *byte == b',') {
        let option = match option {
            b"ssl" => SendProxy::SSL,
            b"cert-cn" => SendProxy::SSL.with(SendProxy::CERT_CN),
            b"ssl-cipher" => SendProxy::SSL.with(SendProxy::SSL_CIPHER),
            b"cert-sig" => SendProxy::SSL.with(SendProxy::CERT_SIG),
            b"cert-key" => SendProxy::SSL.with(SendProxy::CERT_KEY),
            b"authority" => SendProxy::AUTHORITY,
            b"crc32c" => SendProxy::CRC32C,
            b"unique-id" => SendProxy::UNIQUE_ID,
            _ => {
                let choices =
                    &["ssl", "cert-cn", "ssl-cipher", "cert-sig", "cert-key", "authority", "crc32c", "unique-id"];
                let text = String::from_utf8_lossy(option).into_owned();
                return Err(word.blame(LowerError::Choice { text, choices }));
            }
        };
        server.send_proxy = server.send_proxy.with(option);
    }
    Ok(())
}

/// `check-send-proxy`: checks begin with a header whatever address they go to.
pub fn check(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.check_send_proxy = true;
    Ok(())
}

/// `no-check-send-proxy`: undoes `check-send-proxy` alone.
pub fn no_check(server: &mut ServerDraft, _args: &mut Args<'_>) -> Lowered {
    server.check_send_proxy = false;
    Ok(())
}
